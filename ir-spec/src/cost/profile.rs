//! Machine profiles: versioned JSON files that describe the speed of a machine, as `peregrine bench --profile-out` writes
//! them.

use crate::RingTable;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A machine profile as its file states it, not yet checked; [`super::CostModel::new`] checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// [`Profile::VERSION`].
    pub version: u32,
    /// The machine that was measured.
    pub machine: Machine,
    /// Threads of the measurement; a circuit is assumed to run with as many.
    pub threads: usize,
    /// Bytes read and written per second when memory is copied.
    pub bytes_per_second: f64,
    /// Rates by log2 of the ring degree.
    pub degrees: BTreeMap<u32, Rates>,
}

/// A machine: processors and vector instructions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Processors.
    pub cores: usize,
    /// The widest vector instructions that the kernels use.
    pub kernels: String,
}

/// Seconds of one pass over one limb at one ring degree: the time of many passes divided by their number, so that threads that
/// share the work make rates smaller.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// A number-theoretic transform, forward or inverse, in turn with transforms for other primes.
    pub transform: f64,
    /// The sum of two limbs.
    pub add: f64,
    /// The product of two limbs, or of a limb and a scalar.
    pub multiply: f64,
    /// One term of a long sum of products, with factors that stay in a cache.
    pub accumulate: f64,
    /// The term of one digit in an inner product with a key, both parts. The key is in no cache, and is unpacked and expanded
    /// from its seed in the same pass.
    pub key_product: f64,
    /// One term of a limb that base conversion makes: one for each source limb, and one for the quotient.
    pub convert: f64,
    /// Evaluation of the N / 2 slots of a constant from weights; not per limb.
    pub fill: f64,
    /// Encoding N / 2 slots, whatever the modulus; not per limb.
    pub encode_fixed: f64,
    /// One limb of an encoded plaintext, reduced and transformed where a sum of products needs it.
    pub encode_limb: f64,
    /// Reading and checking one limb of a key, from a mapped file that the system has in memory.
    pub read: f64,
}

impl Rates {
    /// The names and values of all rates.
    fn fields(&self) -> [(&'static str, f64); 10] {
        let Self {
            transform,
            add,
            multiply,
            accumulate,
            key_product,
            convert,
            fill,
            encode_fixed,
            encode_limb,
            read,
        } = *self;
        [
            ("transform", transform),
            ("add", add),
            ("multiply", multiply),
            ("accumulate", accumulate),
            ("key_product", key_product),
            ("convert", convert),
            ("fill", fill),
            ("encode_fixed", encode_fixed),
            ("encode_limb", encode_limb),
            ("read", read),
        ]
    }

    /// These rates at another degree, from `2^from` to `2^to`.
    pub(super) fn scaled(&self, from: u32, to: u32) -> Self {
        let pass = (f64::from(to) - f64::from(from)).exp2();
        let transform = pass * f64::from(to) / f64::from(from);
        Self {
            transform: self.transform * transform,
            add: self.add * pass,
            multiply: self.multiply * pass,
            accumulate: self.accumulate * pass,
            key_product: self.key_product * pass,
            convert: self.convert * pass,
            fill: self.fill * pass,
            encode_fixed: self.encode_fixed * transform,
            encode_limb: self.encode_limb * transform,
            read: self.read * pass,
        }
    }
}

impl Profile {
    /// The version this crate reads and writes.
    pub const VERSION: u32 = 2;

    /// Reads a profile from JSON. Its numbers are not checked.
    ///
    /// # Errors
    /// When the text is not the JSON of a profile, or its version is not [`Self::VERSION`].
    pub fn parse(json: &str) -> Result<Self, ProfileError> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let form = |error: serde_json::Error| ProfileError::Form {
            reason: error.to_string(),
        };
        let Head { version } = serde_json::from_str(json).map_err(form)?;
        if version != Self::VERSION {
            return Err(ProfileError::Version { found: version });
        }
        serde_json::from_str(json).map_err(form)
    }

    /// Checks the numbers of a profile.
    ///
    /// # Errors
    /// See [`super::CostModel::new`].
    pub(super) fn check(&self) -> Result<(), ProfileError> {
        if self.version != Self::VERSION {
            let found = self.version;
            return Err(ProfileError::Version { found });
        }
        check_number("bytes_per_second", None, self.bytes_per_second)?;
        if self.threads == 0 {
            return Err(ProfileError::NoThreads);
        }
        if self.degrees.is_empty() {
            return Err(ProfileError::NoDegrees);
        }
        for (&log_n, rates) in &self.degrees {
            if !RingTable::LOG_N.contains(&log_n) {
                return Err(ProfileError::Degree { log_n });
            }
            for (field, value) in rates.fields() {
                check_number(field, Some(log_n), value)?;
            }
        }
        Ok(())
    }
}

fn check_number(field: &'static str, log_n: Option<u32>, value: f64) -> Result<(), ProfileError> {
    // Not a number is neither.
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    let place = log_n.map_or(String::new(), |log_n| format!("degrees.{log_n}."));
    let field = format!("{place}{field}");
    Err(ProfileError::Number { field, value })
}

/// Why a text is not a machine profile.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// The text is not JSON, or a field is missing, unknown or of another type.
    #[error("is no machine profile: {reason}")]
    Form {
        /// What the parser says; names the field.
        reason: String,
    },
    /// The profile has another version.
    #[error(
        "is a machine profile of version {found}, expected version {}",
        Profile::VERSION
    )]
    Version {
        /// The version of the profile.
        found: u32,
    },
    /// A number is not finite or not positive.
    #[error("`{field}` is {value}, expected a finite number above 0")]
    Number {
        /// Its path in the file.
        field: String,
        /// Its value.
        value: f64,
    },
    /// The profile has no thread.
    #[error("`threads` is 0, expected at least 1")]
    NoThreads,
    /// The profile has no ring degree.
    #[error("`degrees` is empty, expected rates for at least one ring degree")]
    NoDegrees,
    /// The profile has a ring degree that is not supported.
    #[error(
        "`degrees.{log_n}` is no supported ring degree (log2 is {} to {})",
        RingTable::LOG_N.start(),
        RingTable::LOG_N.end()
    )]
    Degree {
        /// log2 of the ring degree.
        log_n: u32,
    },
}
