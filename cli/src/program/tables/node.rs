//! One node of the model: why, how its tensors are packed, its operators, its instructions.

use super::costs;
use peregrine::inspect::{DiagonalsReport, NodePlan, NodeReport, OperatorReport, PackingReport};
use peregrine::words::{count, percent, plain, seconds, short};
use peregrine_ir::SourceNode;

/// Characters of a line.
const WIDTH: usize = 98;

/// A node as text and tables.
pub fn text(node: &NodeReport) -> String {
    let SourceNode { name, op } = &node.node;
    let mut text = format!("{}: {} ({})\n", node.id, plain(name), plain(op));
    section(
        &mut text,
        "why",
        node.remarks.iter().map(|r| vec![r.clone()]),
    );
    let kept = has_same_packing(node);
    let input = if kept { "in and out" } else { "in" };
    section(&mut text, input, node.inputs.iter().map(packing_lines));
    section(&mut text, "between", node.between.iter().map(packing_lines));
    if !kept {
        section(&mut text, "out", node.outputs.iter().map(packing_lines));
    }
    let operators = node.operators.iter().map(operator_lines);
    section(&mut text, "operators", operators);
    section(
        &mut text,
        "plan",
        plan_lines(&node.plan).into_iter().map(|line| vec![line]),
    );
    text
}

fn has_same_packing(node: &NodeReport) -> bool {
    let names = |packings: &[PackingReport]| -> Vec<String> {
        packings.iter().map(|p| p.layout.clone()).collect()
    };
    names(&node.inputs) == names(&node.outputs)
}

/// Adds a title and, further in, the lines of some items, those after the first of each still further; nothing if there are
/// none.
fn section(text: &mut String, title: &str, items: impl IntoIterator<Item = Vec<String>>) {
    let mut titled = false;
    for (i, line) in items
        .into_iter()
        .flat_map(|lines| lines.into_iter().enumerate())
    {
        if !titled {
            *text += &format!("  {title}\n");
            titled = true;
        }
        let indent = if i == 0 { 4 } else { 6 };
        for (part, line) in wrapped(&plain(&line), WIDTH - indent).iter().enumerate() {
            let further = indent + if part == 0 { 0 } else { 2 };
            *text += &format!("{:further$}{line}\n", "");
        }
    }
}

/// Lines of at most so many characters, unless a word is longer; all but the first have room for two more.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    if length(line) <= width {
        return vec![line.to_owned()];
    }
    let mut lines: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let room = if lines.len() > 1 { width - 2 } else { width };
        match lines.last_mut() {
            Some(last) if length(last) + 1 + length(word) <= room => *last += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn plan_lines(plan: &NodePlan) -> [String; 2] {
    let levels = costs::levels(plan.level_in, plan.level_out);
    let instructions = plan.instructions.iter();
    let instructions: Vec<String> = instructions.map(|(op, n)| format!("{n} {op}")).collect();
    [
        format!("levels {levels}, {} predicted", seconds(plan.seconds)),
        instructions.join(", "),
    ]
}

/// How a tensor is packed, in lines.
fn packing_lines(packing: &PackingReport) -> Vec<String> {
    let PackingReport {
        layout,
        shape,
        ciphertexts,
        fill,
        slot,
        ciphertext,
        notes,
        picture,
    } = packing;
    let ciphertexts = count(*ciphertexts as usize, "ciphertext");
    let mut lines = vec![
        format!(
            "{layout}: {shape:?} in {ciphertexts}, {} full",
            percent(*fill)
        ),
        format!("slot = {slot}"),
        format!("ciphertext = {ciphertext}"),
    ];
    lines.extend(notes.iter().cloned());
    lines.extend(picture.iter().cloned());
    lines
}

/// An operator in lines; those after the first are details.
fn operator_lines(operator: &OperatorReport) -> Vec<String> {
    let OperatorReport {
        operator: name,
        kind,
        input,
        output,
        macs,
        least_products,
        diagonals,
    } = operator;
    let Some(diagonals) = diagonals else {
        return vec![format!("{name}: {kind} to {output}")];
    };
    let input = input.as_deref().unwrap_or("");
    let least = count(*least_products as usize, "product");
    let mut lines = vec![format!(
        "{name}: {kind} from {input} to {output}, {} MACs, which take at least {least}",
        short(*macs)
    )];
    lines.extend(diagonal_lines(diagonals));
    lines
}

fn diagonal_lines(diagonals: &DiagonalsReport) -> Vec<String> {
    let [least, most] = diagonals.per_pair;
    let each = match least == most {
        true => format!("{most} each"),
        false => format!("{least} to {most} each"),
    };
    let pairs = format!(
        "{} of {} pairs of ciphertexts",
        diagonals.pairs, diagonals.all_pairs
    );
    let sums = match diagonals.extended {
        true => "summed before division by P",
        false => "summed after division by P",
    };
    let uniform = match diagonals.uniform {
        0 => String::new(),
        all if all == diagonals.count => ", every one a single number".to_owned(),
        some => format!(", {some} of them single numbers"),
    };
    let all_diagonals = count(diagonals.count, "diagonal");
    let mut lines = vec![
        format!("{all_diagonals} between {pairs}, {each}{uniform}; products are {sums}"),
        format!("rotations   {}", runs(&diagonals.rotations)),
        format!("baby steps  {} (of the input)", runs(&diagonals.baby_steps)),
        format!("giant steps {} (of sums)", runs(&diagonals.giant_steps)),
    ];
    if diagonals.fold > 1 {
        lines.push(format!(
            "partial sums in {} parts of a ciphertext, which rotations add up",
            diagonals.fold
        ));
    }
    lines
}

/// Ascending numbers, those in equal steps as runs: `0, 1, 31..=33, 64..=512/64`.
fn runs(numbers: &[u32]) -> String {
    const SHOWN: usize = 10;
    let mut shown = Vec::new();
    let mut rest = numbers;
    while let [first, ..] = *rest {
        let step = rest.get(1).map_or(0, |second| second - first);
        let pairs = rest.windows(2);
        let length = 1 + pairs.take_while(|pair| pair[1] - pair[0] == step).count();
        // A run must be shorter to read than its numbers.
        let taken = if length >= 3 + usize::from(step > 1) {
            length
        } else {
            1
        };
        let (run, after) = rest.split_at(taken);
        rest = after;
        shown.push(match (run, step) {
            ([only], _) => only.to_string(),
            ([first, .., last], 1) => format!("{first}..={last}"),
            ([first, .., last], _) => format!("{first}..={last}/{step}"),
            ([], _) => String::new(),
        });
    }
    if shown.len() > SHOWN {
        shown.truncate(SHOWN);
        shown.push(format!("... ({} in all)", numbers.len()));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_wrapped_at_words() {
        let line = "a line  that fits";
        assert_eq!(wrapped(line, 17), [line]);
        assert_eq!(wrapped(line, 9), ["a line", "that", "fits"]);
        assert_eq!(wrapped(line, 11), ["a line that", "fits"]);
        assert_eq!(wrapped("", 9), [""]);
        assert_eq!(wrapped("unbreakable", 5), ["unbreakable"]);
    }

    #[test]
    fn rotations_are_written_in_runs() {
        assert_eq!(runs(&[0, 1, 31, 32, 33]), "0, 1, 31..=33");
        assert_eq!(runs(&[0, 64, 128, 192, 512]), "0..=192/64, 512");
        assert_eq!(runs(&[0, 10, 20, 21, 22]), "0, 10, 20..=22");
        assert_eq!(runs(&[]), "");
        assert_eq!(runs(&[7]), "7");
        let squares: Vec<u32> = (0..40).map(|i| i * i).collect();
        assert!(runs(&squares).ends_with("81, ... (40 in all)"));
    }
}
