//! Answers that are garbage: what verbs found, how they say it, and the way out.
//!
//! What is garbage is decided in one place, [`peregrine_runtime::verdict`]. A verb that found faults prints what it measured,
//! writes no output unless it is forced to, and ends with an exit code of its own.

use crate::report::{count, plain};
use peregrine_compiler::ranges::Ranges;
use peregrine_ir::{Circuit, Node, Value};
use peregrine_runtime::range::Outlier;
use peregrine_runtime::simulate::{Drowned, Headroom};
use peregrine_runtime::verdict::{self, Fault, Place};
use serde::Serialize;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Exit code of a verb whose answer is garbage.
pub const EXIT_CODE: u8 = 3;

/// The most headroom that can be asked for.
pub const MOST_HEADROOM_BITS: u32 = 40;

/// Most faults and nodes that one message names.
const MOST_NAMED: usize = 3;

/// What is wrong with one image, or with all of them.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The image, counted from 0; none where there is one, or where it is about all.
    pub image: Option<usize>,
    #[serde(flatten)]
    pub fault: Fault,
}

impl Finding {
    /// About all images.
    pub fn general(fault: Fault) -> Self {
        let image = None;
        Self { image, fault }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = plain(&self.fault.to_string());
        match self.image {
            Some(image) => write!(f, "image {image}: {said}"),
            None => f.write_str(&said),
        }
    }
}

/// An answer that is garbage.
#[derive(Debug)]
pub struct Garbage {
    /// What the answer is of.
    pub path: PathBuf,
    /// Why; the first is where it starts.
    pub findings: Vec<Finding>,
    /// The headroom that all values take, where that is known.
    pub headroom_bits: Option<u32>,
    /// Whether the verb wrote it all the same.
    pub written: bool,
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let written = match self.written {
            true => " (written all the same)",
            false => "",
        };
        write!(f, "{path}: the answer is garbage{written}: ")?;
        let shown = self.findings.iter().take(MOST_NAMED);
        for (i, finding) in shown.enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{finding}")?;
        }
        match self.findings.len().saturating_sub(MOST_NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {}", count(more, "more fault")),
        }
    }
}

impl Garbage {
    /// A way out.
    pub fn help(&self) -> String {
        let faults = || self.findings.iter().map(|finding| &finding.fault);
        let overflows = faults().filter_map(|fault| match fault {
            Fault::Overflow { value, .. } => Some(*value),
            _ => None,
        });
        let largest = overflows.reduce(f64::max);
        let bits = self
            .headroom_bits
            .or(largest.and_then(verdict::headroom_bits));
        let scale = "scale inputs as the model was trained";
        let help = if largest.is_some() {
            match bits {
                Some(bits) => format!(
                    "{scale}; or compile with --headroom-bits {bits}, or with --calibrate FILE on inputs like these, which finds \
                     it; where values run away, fine-tune with a penalty on large activations"
                ),
                None => format!(
                    "{scale}; --headroom-bits cannot ask for so much: fine-tune with a penalty on large activations"
                ),
            }
        } else if faults().any(|fault| {
            matches!(
                fault,
                Fault::Noise { .. } | Fault::Range { .. } | Fault::Unreadable { .. }
            )
        }) {
            format!(
                "{scale}; where that is right, compile with --calibrate FILE on inputs like these, or with more --headroom-bits"
            )
        } else {
            "compile with --calibrate FILE, which finds the parameters that the outputs need, or with more --precision-bits; \
             where weights leave some values far smaller than others, balance or fine-tune them"
                .to_owned()
        };
        let unreadable = faults().any(|fault| matches!(fault, Fault::Unreadable { .. }));
        match self.written || unreadable {
            true => help,
            false => help + "; --force writes the answer all the same",
        }
    }
}

/// The fault of a value that is too large for its modulus.
pub fn overflow(circuit: &Circuit, headroom: &Headroom) -> Option<Fault> {
    let limit = headroom.magnitude * headroom.bits.exp2();
    verdict::overflow(place(circuit, headroom.value), headroom.magnitude, limit)
}

/// Where a value is computed.
fn place(circuit: &Circuit, value: Value) -> Place {
    let node = circuit.values.get(value).and_then(|d| d.node);
    match node.and_then(|node| circuit.nodes.get(node)) {
        Some(node) => Place::Node(node.name.clone()),
        None => {
            let port = circuit.inputs.iter().find(|p| p.values.contains(&value));
            Place::Input(port.map_or(String::new(), |port| port.name.clone()))
        }
    }
}

/// The first node whose values leave the headroom, and how many bits all of them take.
pub fn outgrown(ranges: &Ranges, headroom_bits: u32) -> Option<(Fault, u32)> {
    let limit = f64::from(headroom_bits.saturating_sub(1)).exp2();
    let reached = ranges.nodes.iter().filter_map(|node| {
        let reached = node.calibrated.as_ref()?.largest();
        verdict::overflow(Place::Node(node.source.name.clone()), reached, limit)
    });
    let first = reached.into_iter().next()?;
    Some((first, ranges.headroom_bits()))
}

/// Says on standard error, for each input, what is odd about it.
pub fn warn_of_inputs(path: &Path, oddities: &[Outlier]) {
    for odd in oddities {
        warn(&format!(
            "{}: {odd}: scale inputs as the model was trained; compile --calibrate FILE or --input-range LO,HI says what they are",
            path.display()
        ));
    }
}

/// Says on standard error which nodes drown in noise.
pub fn warn_of_drowned(circuit: &Circuit, drowned: &[Drowned]) {
    let name = |node: Node| circuit.nodes.get(node).map_or("", |node| &node.name);
    let said = drowned.iter().take(MOST_NAMED).map(|drowned| {
        let (value, noise) = (drowned.magnitude.log2(), drowned.noise.log2());
        let name = plain(name(drowned.node));
        format!("node `{name}` has values up to 2^{value:.1} and noise up to 2^{noise:.1}")
    });
    let said: Vec<String> = said.collect();
    let more = match drowned.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(", and {}", count(more, "more node")),
    };
    if !said.is_empty() {
        warn(&format!(
            "{}{more}: noise drowns what they compute; where it matters, balance the weights before and behind them, or compile \
             with more --precision-bits",
            said.join(", ")
        ));
    }
}

/// Says something on standard error.
pub fn warn(text: &str) {
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(io::stderr(), "warning: {text}");
}
