//! Large integers held in doubles, and their residues: exact both ways.
//!
//! A double that is an integer is `m 2^e` with `|m| < 2^53`; its residue is `m (2^e mod p)`, exact for any size.

use crate::ring::Modulus;

/// Largest exponent of a double that is an integer times a power of two.
const MAX_EXPONENT: usize = 1024;

/// `2^0, 2^1, ..` modulo a prime, as many as the largest integer met needs.
pub(super) struct PowersOfTwo<'a> {
    modulus: &'a Modulus,
    powers: Vec<u64>,
}

/// Splits an integer in a double into `m` and `e`, `m 2^e`, `e >= 0`.
fn split(x: f64) -> (i64, usize) {
    debug_assert!(x.is_finite() && x.round() == x, "{x} is no integer");
    let bits = x.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i64 - 1075;
    if exponent <= 0 {
        return (x as i64, 0);
    }
    let mantissa = (bits & ((1 << 52) - 1) | 1 << 52) as i64;
    (
        if x < 0.0 { -mantissa } else { mantissa },
        exponent as usize,
    )
}

impl<'a> PowersOfTwo<'a> {
    /// For integers of magnitude at most `largest`.
    pub(super) fn up_to(modulus: &'a Modulus, largest: f64) -> Self {
        let count = (split(largest.round()).1 + 1).min(MAX_EXPONENT);
        let double = |&x: &u64| Some(modulus.add(x, x));
        Self {
            modulus,
            powers: std::iter::successors(Some(modulus.reduce(1)), double)
                .take(count)
                .collect(),
        }
    }

    /// The residue of an integer.
    pub(super) fn residue(&self, x: f64) -> u64 {
        let (mantissa, exponent) = split(x);
        let residue = self.modulus.reduce_signed(mantissa);
        match exponent {
            0 => residue,
            _ => self.modulus.mul(residue, self.powers[exponent]),
        }
    }
}

/// From residues to the nearest double of the centred integer: mixed radix with digits in `[-q/2, q/2]`.
///
/// `x = d_0 + q_0 (d_1 + q_1 (d_2 + ..))` with every `|d_i| < q_i / 2` is already the representative of least magnitude, and the
/// highest digit that is not 0 decides its size; so evaluating from the top loses no precision to cancellation.
///
/// Cost: `k^2 / 2` multiplications for `k` primes.
pub(super) struct MixedRadix<'a> {
    moduli: Vec<&'a Modulus>,
    /// For each prime: `1 / (q_0 .. q_(i-1))` modulo `q_i`, and the products `q_0 .. q_(j-1)` modulo `q_i` for `j < i`.
    inverses: Vec<u64>,
    products: Vec<Vec<u64>>,
}

impl<'a> MixedRadix<'a> {
    pub(super) fn new(moduli: Vec<&'a Modulus>) -> Self {
        let products: Vec<Vec<u64>> = (0..moduli.len())
            .map(|i| {
                (0..=i)
                    .map(|j| moduli[i].product(moduli[..j].iter().map(|m| m.value())))
                    .collect()
            })
            .collect();
        let inverses = moduli
            .iter()
            .zip(&products)
            .map(|(m, row)| m.inverse(row[row.len() - 1]))
            .collect();
        Self {
            moduli,
            inverses,
            products,
        }
    }

    /// The centred integer with the given residues, one for each prime in order; `digits` is scratch of the same length.
    pub(super) fn centred(&self, residue: impl Fn(usize) -> u64, digits: &mut [i64]) -> f64 {
        for (i, m) in self.moduli.iter().enumerate() {
            let known = digits[..i].iter().zip(&self.products[i]);
            let sum = known
                .map(|(&d, &product)| u128::from(m.reduce_signed(d)) * u128::from(product))
                .sum();
            let digit = m.mul(m.sub(residue(i), m.reduce_wide(sum)), self.inverses[i]);
            let negative = i64::from(digit > m.value() / 2);
            digits[i] = digit as i64 - negative * m.value() as i64;
        }
        let step =
            |above: f64, (m, &digit): (&&Modulus, &i64)| above * m.value() as f64 + digit as f64;
        self.moduli.iter().zip(digits.iter()).rev().fold(0.0, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Parameters, ParametersLiteral};
    use proptest::prelude::*;

    fn parameters() -> std::sync::Arc<Parameters> {
        let pool = vec![1_125_899_903_827_969, 97, 1_099_510_054_913];
        let literal = ParametersLiteral {
            log_n: 4,
            pool,
            rows: vec![vec![0, 1, 2]],
            ..Default::default()
        };
        Parameters::new(literal).unwrap()
    }

    proptest! {
        #[test]
        fn residues_of_large_doubles_are_exact(mantissa in -(1i64 << 53)..1 << 53, exponent in 0..70u32) {
            let x = mantissa as f64 * 2f64.powi(exponent as i32);
            for m in parameters().ring().moduli() {
                let power = m.pow(2, u64::from(exponent));
                let expected = m.mul(m.reduce_signed(mantissa), power);
                prop_assert_eq!(PowersOfTwo::up_to(m, x.abs()).residue(x), expected);
            }
        }

        #[test]
        fn mixed_radix_gives_back_centred_integers(x in -(1i128 << 94)..1 << 94, shift in 0..94) {
            let x: i128 = x >> shift;
            let params = parameters();
            let moduli: Vec<&Modulus> = params.ring().moduli().iter().collect();
            let residue = |i: usize| x.rem_euclid(i128::from(moduli[i].value())) as u64;
            let value = MixedRadix::new(moduli.clone()).centred(residue, &mut [0; 3]);
            prop_assert!((value - x as f64).abs() <= (x as f64).abs() * 2f64.powi(-51));
        }
    }
}
