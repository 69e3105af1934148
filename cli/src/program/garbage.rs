//! Answers that are garbage: how a verb says it, and the way out.
//!
//! A verb that found faults prints what it measured, writes no output unless it is forced to, and ends with an exit code of its
//! own.

use peregrine::verdict::Finding;
use peregrine::words::count;
use peregrine_runtime::verdict::{self, Fault};
use std::fmt;
use std::path::PathBuf;

/// Exit code of a verb whose answer is garbage.
pub const EXIT_CODE: u8 = 3;

/// Most faults that one message names.
const MOST_NAMED: usize = 3;

/// An answer that is garbage.
#[derive(Debug)]
pub struct Garbage {
    /// The file that the answer is of.
    pub path: PathBuf,
    /// The faults of the answer; the first is where it starts.
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
    /// Options that would make the answer sound.
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
