//! Warnings on standard error.

use peregrine::Security;
use peregrine::verdict::DrownedNode;
use peregrine::words::{count, plain};
use peregrine_runtime::range::Outlier;
use std::io::{self, Write};
use std::path::Path;

/// Most nodes that one message names.
const MOST_NAMED: usize = 3;

/// The security that the circuits of a command line promise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promises(Option<Security>);

impl Promises {
    /// Notes what a circuit promises, and warns once of one that is for tests only.
    pub fn meet(&mut self, name: &str, security: Security) {
        let before = self.0;
        self.0 = before.max(Some(security));
        if security == Security::None && before != Some(Security::None) {
            warn(&format!(
                "circuit `{name}` has security=none: its ciphertexts protect nothing"
            ));
        }
    }

    /// The weakest security that was met; none before any circuit.
    pub fn weakest(&self) -> Option<Security> {
        self.0
    }
}

/// Warns of a flood that adds less noise than there is.
pub fn warn_of_small_flood(bits: f64) {
    warn(&format!(
        "--flood-bits {bits} adds less noise than the values have: it hides nothing, see decrypt --help"
    ));
}

/// Warns of odd inputs, each with what is odd about it.
pub fn warn_of_inputs(path: &Path, oddities: &[Outlier]) {
    for odd in oddities {
        warn(&format!(
            "{}: {odd}: scale inputs as the model was trained; compile --calibrate FILE or --input-range LO,HI says what they are",
            path.display()
        ));
    }
}

/// Warns of nodes that drown in noise.
pub fn warn_of_drowned(drowned: &[DrownedNode]) {
    let said = drowned.iter().take(MOST_NAMED).map(|drowned| {
        let (value, noise) = (drowned.magnitude.log2(), drowned.noise.log2());
        let name = plain(&drowned.node);
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

/// Prints a warning on standard error.
pub fn warn(text: &str) {
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(io::stderr(), "warning: {text}");
}
