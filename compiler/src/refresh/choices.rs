//! The choices that determine a refresh.

use super::exponential::Domain;
use super::tail::wrap_probability;
use crate::moduli::scale_bits::{ARGUMENT_BITS, RESULT_BITS};

/// Coefficients of the sparse secret that are not 0.
pub const WEIGHT: u32 = 32;

/// What one refresh takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Packing {
    /// Two ciphertexts of real values as real and imaginary parts, or one alone.
    Full,
    /// One ciphertext of real values that repeat with `2^log_values` slots, half of the slots or fewer: those of one half of a period as real
    /// parts, those of the other as imaginary parts. Stages are saved, and slots become coefficients in a ring of half the degree.
    Sparse {
        /// log2 of the number of values, 2 at least.
        log_values: u32,
    },
}

/// What a group of butterfly stages is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupChoice {
    /// The number of stages.
    pub stages: u32,
    /// Rotations that share a giant step.
    pub babies: usize,
    /// log2 of an entry of 1, encoded.
    pub entry_bits: u32,
    /// log2 of the scale of the result.
    pub scale_bits: u32,
}

/// log2 of the scales within the exponential.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentialBits {
    /// Of `W_2`, `W_4` and `W_8`.
    pub powers: [u32; 3],
    /// Of the products with coefficients.
    pub coefficients: u32,
    /// Of the value before its squarings; each square has one bit less.
    pub value: u32,
    /// Of the result.
    pub out: u32,
}

/// What determines a refresh.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// log2 of the degree of the ring.
    pub log_n: u32,
    /// What one refresh takes.
    pub packing: Packing,
    /// The limit on log2 of the modulus, special primes included.
    pub limit_bits: f64,
    /// The number of special primes of full length.
    pub special: usize,
    /// The number of coefficients of the sparse secret that are not 0.
    pub weight: u32,
    /// Wraps and message ratio.
    pub domain: Domain,
    /// The degree of the polynomial is 15.
    pub squarings: u32,
    /// log2 of `q_0`, and of the other short primes: three for slots to coefficients, one for rows above.
    pub short_bits: [u32; 5],
    /// log2 of the scale of the argument.
    pub from_bits: u32,
    /// Slots to coefficients, in the order in which the groups run; the scale of the last is given by the message ratio.
    pub to_coefficients: [GroupChoice; 3],
    /// Coefficients to slots, in the order in which the groups run.
    pub to_slots: Vec<GroupChoice>,
    /// The exponential.
    pub exponential: ExponentialBits,
}

impl Packing {
    /// Butterfly stages in each direction, in a ring of this degree.
    fn stages(self, log_n: u32) -> u32 {
        match self {
            Self::Full => log_n - 1,
            // A plan refuses what is outside.
            Self::Sparse { log_values } => log_values.saturating_sub(1).min(log_n),
        }
    }

    /// Coefficients that hold values.
    pub(super) fn coefficients(self, log_n: u32) -> u64 {
        2 << self.stages(log_n)
    }
}

impl Choices {
    /// The choices that refresh `2^16` real values at 128 bits of security, or fewer, for a ring of this degree and a limit of its modulus.
    pub fn reference(log_n: u32, limit_bits: f64, packing: Packing) -> Self {
        let group = |stages, entry_bits, scale_bits| GroupChoice {
            stages,
            babies: 8,
            entry_bits,
            scale_bits,
        };
        let stages = packing.stages(log_n);
        let third = |i: u32| stages * (i + 1) / 3 - stages * i / 3;
        let quarter = |i: u32| stages * (4 - i) / 4 - stages * (3 - i) / 4;
        let down = [(24, 32), (26, 30), (28, 27)];
        let up = [(30, 34), (28, 36), (27, 38), (25, 42)];
        Self {
            log_n,
            packing,
            limit_bits,
            special: 6,
            weight: WEIGHT,
            domain: Domain {
                wraps: 15,
                ratio_bits: 5.0,
            },
            squarings: 4,
            short_bits: [32, 28, 26, 24, 37],
            from_bits: ARGUMENT_BITS,
            to_coefficients: [0, 1, 2]
                .map(|i| group(third(i), down[i as usize].0, down[i as usize].1)),
            to_slots: (0..4)
                .map(|i| group(quarter(i), up[i as usize].0, up[i as usize].1))
                .collect(),
            exponential: ExponentialBits {
                powers: [41, 40, 39],
                coefficients: 25,
                value: 38,
                out: RESULT_BITS,
            },
        }
    }

    /// The refresh that leaves so many bits more at every step from the first group of coefficients to slots to the result, with one squaring
    /// more, so that the error of the polynomial is far below; by 0 bits it is the same. Four bits make the worst of `2^16` values right to
    /// 16 bits in place of 13 and take a hundred of the 846 bits that are gained; more gain nothing.
    #[must_use]
    pub fn finer(mut self, bits: u32) -> Self {
        if bits == 0 {
            return self;
        }
        // A squaring doubles the error.
        let bits = bits + 1;
        self.squarings += 1;
        for group in &mut self.to_slots {
            group.entry_bits += bits;
            group.scale_bits += bits;
        }
        let Self { exponential, .. } = &mut self;
        exponential
            .powers
            .iter_mut()
            .for_each(|power| *power += bits);
        exponential.value += bits;
        exponential.out += bits;
        self
    }

    /// Butterfly stages in each direction.
    pub(super) fn stages(&self) -> u32 {
        self.packing.stages(self.log_n)
    }

    /// log2 of the degree of the ring in which slots become coefficients and the modulus is raised.
    pub(super) fn inner_log_n(&self) -> u32 {
        match self.packing {
            Packing::Full => self.log_n,
            Packing::Sparse { .. } => self.log_n - 1,
        }
    }

    /// How often the sum of a value and its rotation takes what is raised to values that repeat like the argument: what wraps does not.
    pub(super) fn doublings(&self) -> u32 {
        (self.inner_log_n() - 1).saturating_sub(self.stages())
    }

    /// Weights of the fit: what wraps rarely may be approximated worse.
    pub(super) fn fit_weight(&self, wrap: u32) -> f64 {
        let probability = wrap_probability(self.weight, wrap).max(f64::MIN_POSITIVE);
        probability.powf(0.25)
    }

    /// log2 of the scale of the message at `q_0`.
    pub(super) fn base_scale_bits(&self) -> u32 {
        self.to_coefficients[2].scale_bits
    }
}
