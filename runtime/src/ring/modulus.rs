//! Arithmetic modulo one prime below 2^50.
//!
//! Notation: `p` the prime, `b` its bit length, so `2^(b-1) < p < 2^b`.
//!
//! Two reductions, neither with a data-dependent branch:
//! - Barrett, for sums of products: with `mu = floor(2^(b+63) / p)`, which fits a word, the quotient of `x < 2^(b+63)` is
//!   estimated by `floor(floor(x / 2^(b-1)) mu / 2^64)`, short by at most 2; so the remainder is in `[0, 3p)` before two
//!   conditional subtractions. A product of residues is below `2^(2b)`: `2^(63-b) >= 2^13` of them may be added first.
//! - Shoup, for a factor known in advance: see [`Factor`].
//!
//! # References
//! - \[Bar86\] Barrett, *Implementing the Rivest Shamir and Adleman public key encryption algorithm*, CRYPTO 1986.
//! - \[Har14\] Harvey, *Faster arithmetic for number-theoretic transforms*. <https://arxiv.org/abs/1205.2926>

/// A prime modulus with the constants of its reductions. Residues are in `[0, p)`; `b` is the length of `p` in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modulus {
    value: u64,
    /// `b - 1`.
    shift: u32,
    /// `floor(2^(b+63) / p)`.
    ratio: u64,
    /// `p^-1 mod 2^52`.
    inverse52: u64,
    /// `2^52 mod p`.
    radix: u64,
}

/// A residue `w` with its precomputed quotient `floor(2^64 w / p)`, for many products by one factor (Shoup).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    value: u64,
    quotient: u64,
}

impl Factor {
    /// The residue.
    pub(super) fn value(self) -> u64 {
        self.value
    }
}

/// High word of a product.
#[inline(always)]
fn high(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> 64) as u64
}

/// `x - p` where that is not negative, `x` otherwise; for `x < 2^63`.
#[inline(always)]
fn subtract_once(x: u64, p: u64) -> u64 {
    x.min(x.wrapping_sub(p))
}

impl Modulus {
    /// Number of products of residues that may be added before [`Self::reduce_wide`].
    pub const MAX_PRODUCTS: usize = 1 << 13;

    /// Precomputes for an odd `value` in `3 .. 2^50`.
    pub(super) fn new(value: u64) -> Self {
        debug_assert!(
            value % 2 == 1 && (3..1 << 50).contains(&value),
            "modulus out of range"
        );
        let bits = 64 - value.leading_zeros();
        let ratio = ((1u128 << (bits + 63)) / u128::from(value)) as u64;
        // Newton's iteration doubles the correct bits; an odd number is its own inverse modulo 8.
        let inverse = (0..5).fold(value, |inverse, _| {
            inverse.wrapping_mul(2u64.wrapping_sub(value.wrapping_mul(inverse)))
        });
        Self {
            value,
            shift: bits - 1,
            ratio,
            inverse52: inverse & ((1 << 52) - 1),
            radix: (1 << 52) % value,
        }
    }

    /// The prime `p`.
    #[inline(always)]
    pub fn value(&self) -> u64 {
        self.value
    }

    /// Bits of the prime: `b`, with `2^(b-1) <= p < 2^b`.
    pub fn bits(&self) -> u32 {
        self.shift + 1
    }

    /// `p^-1 mod 2^52`.
    pub(super) fn inverse52(&self) -> u64 {
        self.inverse52
    }

    /// A residue in Montgomery form: times `2^52`.
    pub(super) fn montgomery(&self, a: u64) -> u64 {
        self.mul(a, self.radix)
    }

    /// The residue of a double word: `x mod p`, for `x < 2^(b+63)`.
    #[inline(always)]
    pub fn reduce_wide(&self, x: u128) -> u64 {
        let quotient = high((x >> self.shift) as u64, self.ratio);
        let remainder = (x as u64).wrapping_sub(quotient.wrapping_mul(self.value));
        subtract_once(subtract_once(remainder, 2 * self.value), self.value)
    }

    /// The residue of a word: `x mod p`.
    #[inline(always)]
    pub fn reduce(&self, x: u64) -> u64 {
        self.reduce_wide(u128::from(x))
    }

    /// The residue of a signed word: `x mod p` in `[0, p)`.
    #[inline(always)]
    pub fn reduce_signed(&self, x: i64) -> u64 {
        let magnitude = self.reduce(x.unsigned_abs());
        let sign = (x >> 63) as u64;
        subtract_once(
            (magnitude ^ sign)
                .wrapping_sub(sign)
                .wrapping_add(self.value),
            self.value,
        )
    }

    /// The sum of two residues.
    #[inline(always)]
    pub fn add(&self, a: u64, b: u64) -> u64 {
        subtract_once(a + b, self.value)
    }

    /// The difference of two residues.
    #[inline(always)]
    pub fn sub(&self, a: u64, b: u64) -> u64 {
        subtract_once(a + self.value - b, self.value)
    }

    /// The negative of a residue.
    #[inline(always)]
    pub fn neg(&self, a: u64) -> u64 {
        subtract_once(self.value - a, self.value)
    }

    /// The product of two residues.
    #[inline(always)]
    pub fn mul(&self, a: u64, b: u64) -> u64 {
        self.reduce_wide(u128::from(a) * u128::from(b))
    }

    /// The power `base^exponent`; time depends on the exponent only.
    pub fn pow(&self, base: u64, mut exponent: u64) -> u64 {
        let (mut square, mut result) = (base, self.reduce(1));
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, square);
            }
            square = self.mul(square, square);
            exponent >>= 1;
        }
        result
    }

    /// The multiplicative inverse of a residue other than 0; 0 for 0.
    pub fn inverse(&self, a: u64) -> u64 {
        self.pow(a, self.value - 2)
    }

    /// The product of `values` modulo this prime; the empty product is 1.
    pub fn product(&self, values: impl IntoIterator<Item = u64>) -> u64 {
        values
            .into_iter()
            .fold(1, |product, value| self.mul(product, self.reduce(value)))
    }

    /// Half of a residue: `a / 2 mod p`.
    #[inline(always)]
    pub fn half(&self, a: u64) -> u64 {
        (a + (a & 1) * self.value) / 2
    }

    /// The factor that multiplies by a residue, see [`Self::mul_factor`].
    pub fn factor(&self, value: u64) -> Factor {
        Factor {
            value,
            quotient: ((u128::from(value) << 64) / u128::from(self.value)) as u64,
        }
    }

    /// The product `a w mod p` with a prepared factor, for any word `a`: the estimated quotient is short by at most one.
    #[inline(always)]
    pub fn mul_factor(&self, a: u64, w: Factor) -> u64 {
        let quotient = high(a, w.quotient);
        let remainder = a
            .wrapping_mul(w.value)
            .wrapping_sub(quotient.wrapping_mul(self.value));
        subtract_once(remainder, self.value)
    }
}

/// Whether `n` is prime: Miller and Rabin's test with bases that decide every 64-bit number.
pub(crate) fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 || BASES.iter().any(|&b| n.is_multiple_of(b)) {
        return BASES.contains(&n);
    }
    let twos = (n - 1).trailing_zeros();
    let mul = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(n)) as u64;
    let pow = |base: u64, mut exponent: u64| {
        let (mut square, mut result) = (base, 1);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = mul(result, square);
            }
            square = mul(square, square);
            exponent >>= 1;
        }
        result
    };
    BASES.iter().all(|&base| {
        let mut x = pow(base, (n - 1) >> twos);
        x == 1
            || (0..twos).any(|_| {
                let found = x == n - 1;
                x = mul(x, x);
                found
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Primes of very different sizes, the largest below 2^50 among them.
    const PRIMES: [u64; 5] = [17, 97, 65537, 1_099_510_054_913, 1_125_899_903_827_969];

    fn reference(a: u64, b: u64, p: u64) -> u64 {
        (u128::from(a) * u128::from(b) % u128::from(p)) as u64
    }

    proptest! {
        #[test]
        fn operations_agree_with_wide_integers(x in any::<u64>(), y in any::<u64>(), i in 0..PRIMES.len()) {
            let m = Modulus::new(PRIMES[i]);
            let p = m.value();
            let (a, b) = (x % p, y % p);
            prop_assert_eq!(m.reduce(x), a);
            prop_assert_eq!(m.add(a, b), (a + b) % p);
            prop_assert_eq!(m.sub(a, b), (a + p - b) % p);
            prop_assert_eq!(m.neg(a), (p - a) % p);
            prop_assert_eq!(m.mul(a, b), reference(a, b, p));
            prop_assert_eq!(m.mul_factor(x, m.factor(b)), reference(a, b, p));
            prop_assert_eq!(m.reduce_signed(x as i64), i128::from(x as i64).rem_euclid(i128::from(p)) as u64);
            prop_assert_eq!(a == 0, m.mul(a, m.inverse(a)) != 1);
        }

        #[test]
        fn wide_reduction_holds_up_to_its_bound(high in any::<u64>(), low in any::<u64>(), i in 0..PRIMES.len()) {
            let m = Modulus::new(PRIMES[i]);
            let bits = 64 - m.value().leading_zeros();
            let x = ((u128::from(high) << 64) | u128::from(low)) >> (128 - bits - 63);
            prop_assert_eq!(m.reduce_wide(x), (x % u128::from(m.value())) as u64);
        }
    }

    #[test]
    fn primes_are_told_from_composites() {
        let sieve = |n: u64| {
            n > 1
                && (2..n)
                    .take_while(|d| d * d <= n)
                    .all(|d| !n.is_multiple_of(d))
        };
        assert!((0..5000).all(|n| is_prime(n) == sieve(n)));
        assert!(PRIMES.iter().all(|&p| is_prime(p)));
        assert!(!is_prime(3_215_031_751) && !is_prime(1_125_899_903_827_969 - 2));
    }
}
