//! Ways out of refusals that were searched for: which option would help, with which value.

use crate::error::Error;
use peregrine_compiler::advice::WaysOut;
use peregrine_compiler::passes::keys::KeyError;
use peregrine_compiler::pipeline::CompileError;
use peregrine_compiler::precision::{LEAST_BITS, PrecisionError};

impl Error {
    /// A way out that depends on the case.
    pub fn found_help(&self) -> Option<String> {
        match self {
            Self::Garbage(garbage) => Some(garbage.help()),
            Self::NoParameters { ways_out, .. } => Some(parameters(ways_out)),
            Self::Precision { source, .. } => Some(precision(source)),
            Self::Compile {
                source: CompileError::Keys(KeyError::Budget { least, .. }),
                ..
            } => Some(format!(
                "--key-budget {}MiB is the least that was found, `--key-budget none` sets no limit; fewer --precision-bits make keys \
                 smaller, too",
                least.div_ceil(1 << 20)
            )),
            Self::Keys {
                internal,
                source: KeyError::Budget { least, .. },
                ..
            } => Some(format!(
                "`--operation-bits {internal} --key-budget {}MiB` compiles it, for outputs as precise as that makes them; more bits \
                 need larger keys; `--key-budget none` sets no limit",
                least.div_ceil(1 << 20)
            )),
            _ => None,
        }
    }
}

fn precision(error: &PrecisionError) -> String {
    let (PrecisionError::Unreached { reached, .. } | PrecisionError::Stalled { reached, .. }) =
        error;
    let less = match *reached >= 1.0 {
        true => format!(
            "--precision-bits {:.0} is within reach; or ",
            reached.floor()
        ),
        false => String::new(),
    };
    format!(
        "{less}leave --log-n out; where few values are large, a penalty on large activations in fine-tuning leaves room for more"
    )
}

/// What would make the network fit.
fn parameters(ways_out: &WaysOut) -> String {
    let WaysOut {
        log_n,
        operation_bits,
        missing_at_least_bits,
        insecure_log_n,
        products,
        is_tried,
    } = *ways_out;
    let (would, holds) = match is_tried {
        true => ("would do", "holds"),
        false => ("may do", "can hold at most"),
    };
    let mut ways = Vec::new();
    if let Some(log_n) = log_n {
        ways.push(format!("--log-n {log_n} {would}"));
    }
    if let Some(bits) = operation_bits {
        ways.push(format!(
            "--operation-bits {bits} {would}, for outputs about as precise as that"
        ));
    }
    if let (None, Some(missing)) = (operation_bits, missing_at_least_bits) {
        ways.push(format!(
            "fewer bits do not help: with {LEAST_BITS} per operation, the fewest, {:.0} bits are missing",
            missing.ceil()
        ));
    }
    if let Some((held, needed)) = products {
        ways.push(format!(
            "this ring {holds} about {held} of the {needed} products that follow each other: use fewer activations, or of a lower degree"
        ));
    }
    if let Some(log_n) = insecure_log_n {
        ways.push(format!(
            "--security none --log-n {log_n} {would}, for tests: it protects nothing"
        ));
    }
    if ways.is_empty() {
        ways.push("use a network with fewer activations, or of a lower degree".to_owned());
    }
    ways.join("; ")
}
