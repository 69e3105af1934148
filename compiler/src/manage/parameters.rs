//! Parameters: working scale, primes, gadget digits and special primes for a ring degree and a depth.
//!
//! - The working scale `D = 2^d` leaves `precision_bits` above the noise of a rescale, whose standard deviation in slots
//!   is about `N sqrt(1/18)` for a dense ternary secret, plus `GUARD_BITS` for its growth through the network.
//! - One prime near `D` per level, longer where a product with numbers shares its level with one with a mask; the last level's prime is `headroom_bits` longer, so that values up to
//!   `2^(headroom_bits - 1)` decrypt right.
//! - Key switching cuts the chain into digits of `alpha` primes, under special primes that are at least
//!   `SPECIAL_SLACK_BITS` longer than a digit, so that its noise stays below that of a rescale. Among the `alpha` that
//!   fit the security line the cheapest by transform count wins.

use peregrine_ir::{Arena, Prime, Ring, Security, SpecialPrime};
use std::collections::BTreeSet;

/// Bits kept above the noise of one rescale for what the network adds.
const GUARD_BITS: u32 = 4;
/// Bits of numbers beyond the asked precision: the errors of many of them add up.
const NUMBER_GUARD_BITS: u32 = 6;
/// How much longer than a digit the special primes are, in bits.
const SPECIAL_SLACK_BITS: f64 = 6.0;
/// Primes stay below 2^50: the fast transforms need it.
const MAX_PRIME_BITS: f64 = 49.95;

/// What the parameters must give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planner {
    /// What they must promise.
    pub security: Security,
    /// Bits of precision after the point that every rescale must leave.
    pub precision_bits: u32,
    /// log2 of the largest output magnitude plus sign and margin.
    pub headroom_bits: u32,
}

impl Planner {
    /// A ring of degree `2^log_n` with a level for each multiplication and one more; from the first multiplication on,
    /// `levels` says what it has to hold.
    ///
    /// # Errors
    /// When the modulus would cross the security line, or the precision asks for primes that are too long or too short.
    pub fn ring(&self, log_n: u32, levels: &[Width]) -> Result<Ring, ParameterError> {
        let depth = levels.len() as u32;
        let unit_bits = self.unit_bits(log_n);
        let base_bits = unit_bits + self.headroom_bits;
        if f64::from(base_bits) > MAX_PRIME_BITS.ceil() {
            return Err(ParameterError::Precision {
                log_n,
                needed: base_bits,
            });
        }
        let mut primes = PrimeSource {
            step: 2u64 << log_n,
            used: BTreeSet::new(),
        };
        let short = |_| ParameterError::Primes {
            log_n,
            bits: unit_bits,
        };
        let base = primes
            .below(f64::from(base_bits).min(MAX_PRIME_BITS))
            .ok_or(())
            .map_err(short)?;
        let mut chain: Arena<Prime, u64> = Arena::new();
        chain.push(base);
        for width in levels.iter().rev() {
            let bits = match width {
                Width::Plain => unit_bits,
                Width::MaskedNumbers => masked_number_bits(unit_bits, log_n),
                Width::Masked => unit_bits + mask_bits(unit_bits, log_n),
            };
            let bits = bits.clamp(unit_bits, (MAX_PRIME_BITS as u32).max(unit_bits));
            chain.push(primes.near(bits).ok_or(()).map_err(short)?);
        }
        let chain_bits: f64 = chain.values().map(|&p| (p as f64).log2()).sum();
        let limit = self.limit(log_n)?;
        let gadget =
            Gadget::choose(&chain, limit - chain_bits).ok_or(ParameterError::Security {
                log_n,
                depth,
                chain_bits,
                limit,
            })?;
        let special: Option<Arena<SpecialPrime, u64>> = (0..gadget.special)
            .map(|_| primes.below(gadget.special_bits))
            .collect();
        let names: Vec<Prime> = chain.keys().collect();
        Ok(Ring {
            log_n,
            unit_bits,
            special: special.ok_or(()).map_err(short)?,
            levels: (1..=names.len()).map(|n| names[..n].to_vec()).collect(),
            digits: names.chunks(gadget.alpha).map(<[Prime]>::to_vec).collect(),
            primes: chain,
        })
    }

    /// log2 of the working scale.
    pub fn unit_bits(&self, log_n: u32) -> u32 {
        // log2(N sqrt(1/18)) = log_n - 2.08
        self.precision_bits + GUARD_BITS + log_n - 2
    }

    fn limit(&self, log_n: u32) -> Result<f64, ParameterError> {
        match self.security {
            Security::None => Ok(f64::INFINITY),
            Security::Classical128 => Security::max_modulus_bits(log_n)
                .map(f64::from)
                .ok_or(ParameterError::Degree { log_n }),
        }
    }
}

/// What a level has to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// One product.
    #[default]
    Plain,
    /// A product with numbers and one with a mask.
    MaskedNumbers,
    /// A product with encoded weights and one with a mask.
    Masked,
}

/// Bits of a mask of ones: rounding it adds `sqrt(N / 12)` in slots, less than a rescale's noise.
pub(super) fn mask_bits(unit_bits: u32, log_n: u32) -> u32 {
    unit_bits.saturating_sub(log_n / 2)
}

/// Bits of a prime for numbers and a mask. Numbers have the asked precision, `unit_bits - log_n`, and some bits more.
fn masked_number_bits(unit_bits: u32, log_n: u32) -> u32 {
    unit_bits.saturating_sub(log_n) + NUMBER_GUARD_BITS + mask_bits(unit_bits, log_n)
}

/// By how many bits a prime is longer than the working scale.
pub(super) fn spare_bits(ring: &Ring, prime: Prime) -> u32 {
    let bits = ring.primes.get(prime).map_or(0.0, |&q| (q as f64).log2());
    (bits.round() as u32).saturating_sub(ring.unit_bits)
}

/// log2 of the scale of numbers that share `bits` with a mask.
pub(super) fn number_bits(bits: f64, unit_bits: u32, log_n: u32) -> i32 {
    (bits - f64::from(mask_bits(unit_bits, log_n)).min(bits / 2.0)).floor() as i32
}

/// A way to cut the chain into digits.
struct Gadget {
    /// Primes per digit.
    alpha: usize,
    /// Number of special primes.
    special: usize,
    /// Bits of each.
    special_bits: f64,
    /// Transforms of key switches over all levels.
    cost: usize,
}

impl Gadget {
    /// The cheapest that fits into `room` bits.
    fn choose(chain: &Arena<Prime, u64>, room: f64) -> Option<Self> {
        let bits: Vec<f64> = chain.values().map(|&p| (p as f64).log2()).collect();
        (1..=bits.len())
            .filter_map(|alpha| Self::with(&bits, alpha, room))
            .min_by_key(|g| (g.cost, g.alpha))
    }

    fn with(bits: &[f64], alpha: usize, room: f64) -> Option<Self> {
        let digit = bits
            .chunks(alpha)
            .map(|d| d.iter().sum::<f64>())
            .fold(0.0, f64::max);
        let least = digit + SPECIAL_SLACK_BITS;
        let special = (least / (MAX_PRIME_BITS - 0.05)).ceil() as usize;
        // Longer special primes mean less noise: take what fits.
        let special_bits = (room / special as f64 - 0.01).min(MAX_PRIME_BITS);
        if special_bits * (special as f64) < least {
            return None;
        }
        let transforms =
            |limbs: usize| limbs.div_ceil(alpha) * (limbs + special) + 2 * (limbs + special);
        let cost = (1..=bits.len()).map(transforms).sum();
        Some(Self {
            alpha,
            special,
            special_bits,
            cost,
        })
    }
}

/// The `count` largest primes of at most `bits` bits that suit transforms of degree `2^log_n`, descending; `None` when there are
/// not so many.
pub fn largest_primes(log_n: u32, bits: f64, count: usize) -> Option<Vec<u64>> {
    let mut primes = PrimeSource {
        step: 2u64 << log_n,
        used: BTreeSet::new(),
    };
    (0..count).map(|_| primes.below(bits)).collect()
}

/// Hands out distinct primes that are 1 modulo `step`.
struct PrimeSource {
    step: u64,
    used: BTreeSet<u64>,
}

impl PrimeSource {
    /// The largest unused prime of at most `bits` bits.
    fn below(&mut self, bits: f64) -> Option<u64> {
        let top = bits.exp2() as u64;
        let mut candidate = top.checked_sub(2)? / self.step * self.step + 1;
        while candidate > self.step {
            if self.take(candidate) {
                return Some(candidate);
            }
            candidate -= self.step;
        }
        None
    }

    /// The unused prime nearest to `2^bits`.
    fn near(&mut self, bits: u32) -> Option<u64> {
        let center = 1u64 << bits;
        for k in 0..(center / self.step / 2) {
            // Nearest first: above, then below, by the same distance.
            let above = center + 1 + k * self.step;
            if self.take(above) {
                return Some(above);
            }
            let below = (center + 1).checked_sub((k + 1) * self.step)?;
            if self.take(below) {
                return Some(below);
            }
        }
        None
    }

    fn take(&mut self, candidate: u64) -> bool {
        candidate % self.step == 1
            && primal_check::miller_rabin(candidate)
            && self.used.insert(candidate)
    }
}

/// Why no parameters fit.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// The precision asks for primes above 2^50.
    #[error(
        "at ring degree 2^{log_n} the asked precision and headroom need a prime of {needed} bits, the limit is 50: ask \
         for fewer precision bits"
    )]
    Precision {
        /// log2 of the degree.
        log_n: u32,
        /// Bits needed.
        needed: u32,
    },
    /// The modulus would cross the security line.
    #[error(
        "depth {depth} needs a modulus of {chain_bits:.0} bits and special primes beside it; at ring degree 2^{log_n} \
         the limit for 128-bit security is {limit:.0}"
    )]
    Security {
        /// log2 of the degree.
        log_n: u32,
        /// Multiplicative depth.
        depth: u32,
        /// Bits of the chain without special primes.
        chain_bits: f64,
        /// The line.
        limit: f64,
    },
    /// The security table has no such degree.
    #[error("no 128-bit parameters are known for ring degree 2^{log_n}")]
    Degree {
        /// log2 of the degree.
        log_n: u32,
    },
    /// Too few primes of the needed size.
    #[error("too few primes of {bits} bits for ring degree 2^{log_n}: ask for more precision bits")]
    Primes {
        /// log2 of the degree.
        log_n: u32,
        /// Their size.
        bits: u32,
    },
}

impl ParameterError {
    /// The degree, as a logarithm, at which precision and headroom together are too long for a prime, and by how many bits.
    pub fn too_long(&self) -> Option<(u32, u32)> {
        match self {
            Self::Precision { log_n, needed } => {
                Some((*log_n, needed.saturating_sub(MAX_PRIME_BITS.ceil() as u32)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLANNER: Planner = Planner {
        security: Security::Classical128,
        precision_bits: 12,
        headroom_bits: 10,
    };

    #[test]
    fn five_levels_fit_the_ring_of_degree_8192() {
        let ring = PLANNER.ring(13, &[Width::Plain; 5]).unwrap();
        assert_eq!((ring.levels.len(), ring.unit_bits), (6, 27));
        assert!(ring.total_bits() <= 218.0);
    }

    #[test]
    fn primes_are_distinct_and_suit_the_transform() {
        let ring = PLANNER.ring(15, &[Width::Plain; 15]).unwrap();
        let all: Vec<u64> = ring
            .primes
            .values()
            .chain(ring.special.values())
            .copied()
            .collect();
        let distinct: BTreeSet<u64> = all.iter().copied().collect();
        assert_eq!(all.len(), distinct.len());
        assert!(
            all.iter().all(|p| p % (1 << 16) == 1
                && *p < Ring::MAX_PRIME
                && primal_check::miller_rabin(*p))
        );
    }

    #[test]
    fn the_largest_primes_come_first() {
        let primes = largest_primes(13, 50.0, 4).unwrap();
        let order = 1 << 14;
        let is_suitable = |&p: &u64| p % order == 1 && primal_check::miller_rabin(p);
        let all = (Ring::MAX_PRIME - 200 * order..Ring::MAX_PRIME).filter(is_suitable);
        assert_eq!(primes, all.rev().take(4).collect::<Vec<_>>());
        assert_eq!(largest_primes(13, 14.0, 1), None);
    }

    #[test]
    fn too_deep_is_refused_with_both_figures() {
        let error = PLANNER
            .ring(12, &[Width::Plain; 5])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("limit for 128-bit security is 109"),
            "{error}"
        );
    }
}
