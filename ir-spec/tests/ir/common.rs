//! Circuits with expectations in comments: `; error: text` on a line wants that error about the entity defined there.

use peregrine_ir::text::{comments, parse_mapped};
use peregrine_ir::verify;

/// Verifies a circuit; every error must be announced on its line, and every announced error must come.
pub fn check_errors(source: &str) -> Result<(), String> {
    let (circuit, map) = parse_mapped(source).map_err(|errors| errors.to_string())?;
    let mut wanted = announced(source);
    let mut surplus = Vec::new();
    for error in verify(circuit).err().map_or(Vec::new(), |e| e.errors) {
        let (line, text) = (map.line(error.subject), error.to_string());
        let announced = |(at, part): &(u32, &str)| *at == line && text.contains(part);
        match wanted.iter().position(announced) {
            Some(i) => drop(wanted.swap_remove(i)),
            None => surplus.push(format!("line {line}: not announced: {text}")),
        }
    }
    let missing = wanted
        .iter()
        .map(|(line, text)| format!("line {line}: did not come: {text}"));
    surplus.extend(missing);
    if surplus.is_empty() {
        return Ok(());
    }
    Err(format!("{}\nin\n{source}", surplus.join("\n")))
}

/// Announced errors, by line.
pub fn announced(source: &str) -> Vec<(u32, &str)> {
    comments(source)
        .into_iter()
        .flat_map(|comment| {
            let parts = comment.text.split("; ");
            parts.map(move |part| (comment.line, part))
        })
        .filter_map(|(line, part)| Some((line, part.trim().strip_prefix("error: ")?)))
        .collect()
}

/// A tensor of this shape with its axes exchanged.
#[allow(dead_code, reason = "each test file is a crate and uses its part")]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub fn prepared(dims: &[u32]) -> peregrine_ir::Prepare {
    peregrine_ir::Prepare {
        shape: peregrine_ir::Shape::new(dims).unwrap(),
        element: peregrine_ir::InputElement::Real,
        steps: peregrine_ir::Finish(vec![peregrine_ir::FinishStep::Transpose {
            order: vec![1, 0],
        }]),
    }
}
