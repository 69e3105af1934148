//! What a compilation is asked for.

mod form;

use peregrine_compiler::optimisation::Without;
use peregrine_compiler::passes::keys::KeyBudget;
use peregrine_ir::cost::Profile;
use peregrine_ir::{Interface, RingTable, Security};
use peregrine_runtime::ports::Arrays;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

/// What [`compile`](crate::compile::compile) is asked for. The default leaves every choice to the compiler, for 128-bit
/// security.
///
/// Serialized options are those of a configuration file: samples and the interface of another circuit are not among them.
///
/// ```
/// use peregrine::CompileOptions;
///
/// let options = CompileOptions {
///     precision_bits: Some(10),
///     ..CompileOptions::default()
/// };
/// assert!(options.check().is_ok());
/// let json = serde_json::to_string(&options).unwrap();
/// let same: CompileOptions = serde_json::from_str(&json).unwrap();
/// assert_eq!(same.precision_bits, Some(10));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompileOptions {
    /// Bits of the largest output that must be right, by simulated noise: 1 to 40. By default 8, where the circuit is small
    /// enough to be simulated or there are samples.
    pub precision_bits: Option<u32>,
    /// Bits after the point that the noise of every operation must leave, relative to 1: 1 to 40. Nothing is simulated then,
    /// and `precision_bits` does not matter.
    pub operation_bits: Option<u32>,
    /// log2 of the largest magnitude of any value, sign and margin included: 1 to 40. By default what samples or stated ranges
    /// take with a margin of two bits, or what drawn inputs take with four.
    pub headroom_bits: Option<u32>,
    /// log2 of the ring degree: 3 to 17, of which those below 10 protect nothing. By default the smallest that serves.
    pub log_n: Option<u32>,
    /// What the parameters must promise.
    #[serde(with = "form::SecurityForm")]
    pub security: Security,
    /// Most bytes that all evaluation keys may take in a file; of rotations without a key, several others are made. By default
    /// [`KeyBudget::DEFAULT`]: as few keys as make the run at most 5 % longer, never more than 4 GiB.
    #[serde(with = "form::KeyBudgetForm")]
    pub key_budget: KeyBudget,
    /// The interface of a circuit whose rings, primes and levels are used, so that its keys serve the new circuit, too;
    /// `log_n` does not matter then, and `key_budget` counts keys that it lacks.
    #[serde(skip)]
    pub like: Option<Interface>,
    /// The profile of the machine that runs the circuit; a built-in one by default.
    pub profile: Option<Profile>,
    /// Sample inputs, each an image or a batch of images by the names of the inputs: the range of all values, the headroom and
    /// the precision of the outputs are measured on them. Without any, the ranges count that the model states, or inputs are
    /// drawn from `input_ranges`.
    #[serde(skip)]
    pub calibrate: Vec<Arrays>,
    /// Ranges that inputs are never outside of. By default what samples have, else -3 to 3 is assumed, or less where values
    /// would grow too large.
    pub input_ranges: Vec<AskedRange>,
    /// Optimisations that are left out, to see what they are good for.
    #[serde(with = "form::names")]
    pub without: Without,
    /// Whether to compile without each optimisation, too, one at a time, and to report what it buys.
    pub ablate: bool,
    /// Threads to compile with; those of the current thread pool by default.
    pub threads: Option<NonZeroUsize>,
}

/// An interval that the values of an input are never outside of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedRange {
    /// The name of the input; none for all inputs.
    #[serde(default)]
    pub input: Option<String>,
    /// The least value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            precision_bits: None,
            operation_bits: None,
            headroom_bits: None,
            log_n: None,
            security: Security::Classical128,
            key_budget: KeyBudget::DEFAULT,
            like: None,
            profile: None,
            calibrate: Vec::new(),
            input_ranges: Vec::new(),
            without: Without::new(),
            ablate: false,
            threads: None,
        }
    }
}

impl CompileOptions {
    /// Bits that `precision_bits`, `operation_bits` and `headroom_bits` may be.
    pub const BITS: RangeInclusive<u32> = 1..=40;
    /// Bits of the largest output that are right when nobody asks for more or fewer.
    pub const PRECISION_BITS: u32 = 8;

    /// Asks that every number is one that its option may have.
    ///
    /// # Errors
    /// Names the first that is not, with what it may be.
    pub fn check(&self) -> Result<(), OptionError> {
        let numbers = [
            ("precision_bits", self.precision_bits, Self::BITS),
            ("operation_bits", self.operation_bits, Self::BITS),
            ("headroom_bits", self.headroom_bits, Self::BITS),
            ("log_n", self.log_n, RingTable::LOG_N),
        ];
        for (option, found, allowed) in numbers {
            if let Some(found) = found.filter(|found| !allowed.contains(found)) {
                return Err(OptionError::Number {
                    option,
                    found,
                    allowed,
                });
            }
        }
        let odd = self.input_ranges.iter().find(|range| !range.is_sound());
        odd.map_or(Ok(()), |range| {
            Err(OptionError::Range {
                low: range.low,
                high: range.high,
            })
        })
    }
}

impl AskedRange {
    fn is_sound(&self) -> bool {
        self.low <= self.high && self.low.is_finite() && self.high.is_finite()
    }
}

/// Why options cannot be followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OptionError {
    /// A number that its option cannot have.
    #[error("{option} is {found}, it may be {} to {}", allowed.start(), allowed.end())]
    Number {
        /// Name of the option.
        option: &'static str,
        /// The number.
        found: u32,
        /// The numbers that the option can have.
        allowed: RangeInclusive<u32>,
    },
    /// An interval that has no values.
    #[error("input_ranges has {low} to {high}, expected two finite numbers, the lesser first")]
    Range {
        /// The least value.
        low: f64,
        /// The largest value.
        high: f64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use peregrine_compiler::optimisation::Optimisation;

    #[test]
    fn options_survive_their_file() {
        let options = CompileOptions {
            security: Security::None,
            key_budget: KeyBudget::AtMost(5),
            without: [Optimisation::Hoisting].into(),
            input_ranges: vec![AskedRange {
                input: None,
                low: -1.0,
                high: 2.5,
            }],
            threads: NonZeroUsize::new(2),
            ..CompileOptions::default()
        };
        for options in [options, CompileOptions::default()] {
            let json = serde_json::to_string(&options).unwrap();
            assert_eq!(
                serde_json::from_str::<CompileOptions>(&json).unwrap(),
                options
            );
        }
        let sparse = r#"{"precision_bits": 9, "security": "none", "without": ["hoisting"]}"#;
        let sparse: CompileOptions = serde_json::from_str(sparse).unwrap();
        assert_eq!(sparse.security, Security::None);
        assert!(serde_json::from_str::<CompileOptions>(r#"{"precision": 9}"#).is_err());
        assert!(serde_json::from_str::<CompileOptions>(r#"{"without": ["x"]}"#).is_err());
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let said = |options: CompileOptions| options.check().unwrap_err().to_string();
        let options = CompileOptions::default;
        let log_n = Some(18);
        assert_eq!(
            said(CompileOptions { log_n, ..options() }),
            "log_n is 18, it may be 3 to 17"
        );
        let headroom_bits = Some(41);
        assert_eq!(
            said(CompileOptions {
                headroom_bits,
                ..options()
            }),
            "headroom_bits is 41, it may be 1 to 40"
        );
        let input_ranges = vec![AskedRange {
            input: None,
            low: 1.0,
            high: f64::INFINITY,
        }];
        assert!(
            CompileOptions {
                input_ranges,
                ..options()
            }
            .check()
            .is_err()
        );
    }
}
