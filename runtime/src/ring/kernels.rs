//! Which loops run: those of `portable`, or those for the vector instructions that the processor has.
//!
//! Both compute the same words, except that [`Kernels::weighted_sum`] may leave multiples of the prime to the transform that
//! follows it. `PEREGRINE_PORTABLE=1` in the environment chooses the portable ones; so do rings of a degree below 2^7.

use super::automorphism::Permutation;
use super::modulus::{Factor, Modulus};
use super::portable::Matrix;
use super::{packing, portable, transform};

#[cfg(target_arch = "x86_64")]
use super::{fma::Fma, ifma::Ifma};

/// The environment variable that turns vector instructions off.
const PORTABLE: &str = "PEREGRINE_PORTABLE";

/// The name of the loops that rings of a usual degree run with on this machine: `avx512-ifma`, `avx2-fma` or `portable`.
pub fn kernels_in_use() -> &'static str {
    Kernels::detect(*transform::VECTOR_LOG_N.end()).name()
}

/// A choice of loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernels {
    /// For any processor.
    Portable,
    /// For AVX2 with fused multiply-adds.
    #[cfg(target_arch = "x86_64")]
    Fma(Fma),
    /// For AVX-512 IFMA.
    #[cfg(target_arch = "x86_64")]
    Ifma(Ifma),
}

impl Kernels {
    /// The fastest ones for a degree, unless the environment asks for portable ones.
    pub(super) fn detect(log_n: u32) -> Self {
        let portable =
            std::env::var_os(PORTABLE).is_some_and(|value| !value.is_empty() && value != "0");
        if portable || !transform::VECTOR_LOG_N.contains(&log_n) {
            return Self::Portable;
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(ifma) = Ifma::detect() {
            return Self::Ifma(ifma);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(fma) = Fma::detect() {
            return Self::Fma(fma);
        }
        Self::Portable
    }

    /// All that this processor can run, the portable ones last.
    #[cfg(test)]
    pub(super) fn all(log_n: u32) -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if transform::VECTOR_LOG_N.contains(&log_n) {
            all.extend(Ifma::detect().map(Self::Ifma));
            all.extend(Fma::detect().map(Self::Fma));
        }
        all.push(Self::Portable);
        all
    }

    /// For reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Fma(_) => "avx2-fma",
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(_) => "avx512-ifma",
        }
    }
}

/// What a step of a key switch adds up modulo one prime, for both halves `h` of a key: `sum_k x_k key_(h,k) + add_h w`, which is
/// then permuted. The words given are those of a block of the limbs.
pub(super) struct KeyProduct<'a> {
    /// Where the block begins, a multiple of 8.
    pub(super) at: usize,
    /// `x_k`, of whole limbs.
    pub(super) digits: &'a [&'a [u64]],
    /// The block of as many for each half.
    pub(super) key: [&'a [&'a [u64]]; 2],
    /// Addends, if any.
    pub(super) add: [Option<&'a [u64]>; 2],
    /// What they are multiplied by.
    pub(super) w: Factor,
    /// None for the identity.
    pub(super) table: Option<&'a Permutation>,
}

impl KeyProduct<'_> {
    /// Words of the block.
    fn len(&self) -> usize {
        let [key, _] = self.key;
        key.first().map_or(0, |key| key.len())
    }
}

/// Methods that call the function of the same name in `portable`, or the method of `Fma` or `Ifma`.
macro_rules! dispatch {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $ty:ty),*);)*) => {
        impl Kernels {
            $(
            $(#[$doc])*
            #[inline]
            pub(super) fn $name(self, $($argument: $ty),*) {
                match self {
                    Self::Portable => portable::$name($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    Self::Fma(fma) => fma.$name($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    Self::Ifma(ifma) => ifma.$name($($argument),*),
                }
            }
            )*
        }
    };
}

dispatch! {
    /// Adds: `acc += a`.
    add_assign(acc: &mut [u64], a: &[u64], m: &Modulus);
    /// Sums word by word: `out = a + b`.
    add(out: &mut [u64], a: &[u64], b: &[u64], m: &Modulus);
    /// Differences word by word: `out = a - b`.
    sub(out: &mut [u64], a: &[u64], b: &[u64], m: &Modulus);
    /// Multiplies by a factor: `out = a w`; words of `a` are below `2^52`.
    scale(out: &mut [u64], a: &[u64], w: Factor, m: &Modulus);
    /// Adds a multiple: `acc += a w`; words of `a` are below `2^52`.
    scale_add_assign(acc: &mut [u64], a: &[u64], w: Factor, m: &Modulus);
    /// Sums `terms`, at most 2^14 of them, into `out`.
    sum(out: &mut [u64], terms: &[&[u64]], m: &Modulus);
    /// Writes the sum of `a_k b_k` over pairs of slices to `out`.
    dot(out: &mut [u64], pairs: &[(&[u64], &[u64])], m: &Modulus);
    /// Adds the sum of `a_k b_k` over pairs of slices to `acc`.
    add_dot(acc: &mut [u64], pairs: &[(&[u64], &[u64])], m: &Modulus);
    /// Writes a block of all results of a matrix; results have the same places as what is multiplied. Each word of that is read once
    /// for a few results, eight with the widest vectors.
    matrix(out: &mut [&mut [u64]], of: &Matrix<'_>, m: &Modulus);
    /// `out` = sum of `a_k c_k` over slices with one constant each, prepared by [`Kernels::weight`]; words of `a_k` below 2^50,
    /// not necessarily below `p`. The result is below `4p`, as the forward transform of the same kernels allows.
    weighted_sum(out: &mut [u64], sources: &[&[u64]], weights: &[u64], m: &Modulus);
    /// From words below `4p` to words below `p`.
    reduce_four(x: &mut [u64], m: &Modulus);
    /// `out` = the integer nearest to the sum of `a_k r_k`, for words `a_k` below 2^50 and a result that is not negative.
    rounded_sum(out: &mut [u64], terms: &[(&[u64], f64)]);
    /// From the values of `a + X^(n/2) b`, where a and b are equal to their conjugates: `x` = those of a, `y` = those of b.
    /// Position `n - 1 - i` is the conjugate of `i`; `w = 1 / (2 psi^(n/2))`.
    separate(x: &mut [u64], y: &mut [u64], w: Factor, m: &Modulus);
    /// `out` = the residues of signed words of magnitude below 2^62.
    reduce_signed(out: &mut [u64], a: &[i64], m: &Modulus);
}

impl Kernels {
    /// Both halves of a step of a key switch, see [`KeyProduct`], put into their places of whole limbs.
    pub(super) fn key_product(self, mut out: [&mut [u64]; 2], of: &KeyProduct<'_>, m: &Modulus) {
        const BLOCK: usize = 1 << 9;
        let halves = out.each_mut().map(|half| &mut **half);
        let done = match self {
            Self::Portable => false,
            #[cfg(target_arch = "x86_64")]
            Self::Fma(fma) => fma.key_product(halves, of, m),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(ifma) => ifma.key_product(halves, of, m),
        };
        if done {
            return;
        }
        let mut sums = [0; BLOCK];
        for from in (0..of.len()).step_by(BLOCK) {
            let part = from..of.len().min(from + BLOCK);
            let sums = &mut sums[..part.len()];
            for ((out, key), add) in out.iter_mut().zip(of.key).zip(of.add) {
                let pairs = of.digits.iter().zip(key);
                let of_limb = of.at + part.start..of.at + part.end;
                let pairs: Vec<_> = pairs
                    .map(|(x, key)| (&x[of_limb.clone()], &key[part.clone()]))
                    .collect();
                self.dot(sums, &pairs, m);
                if let Some(add) = add {
                    self.scale_add_assign(sums, &add[part.clone()], of.w, m);
                }
                let at = of.at + from;
                match of.table {
                    Some(table) => portable::scatter(out, sums, at, table),
                    None => out[at..][..sums.len()].copy_from_slice(sums),
                }
            }
        }
    }

    /// `out[i]` = the word of `a` that the table names for `i`.
    pub(super) fn permute(self, out: &mut [u64], a: &[u64], table: &Permutation) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(ifma) => ifma.permute(out, a, table),
            _ => portable::permute(out, a, table),
        }
    }

    /// Residues from the front of packed ones; whether every one is below the prime.
    #[must_use]
    pub(super) fn unpack(self, out: &mut [u64], bytes: &[u8], m: &Modulus) -> bool {
        match self {
            Self::Portable => packing::unpack(out, bytes, m),
            #[cfg(target_arch = "x86_64")]
            Self::Fma(fma) => fma.unpack(out, bytes, m),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(ifma) => ifma.unpack(out, bytes, m),
        }
    }

    /// `out` = sum of `a_k c_k` over slices with one residue each, in one pass over blocks; any number of terms.
    pub(super) fn dot_constants(self, out: &mut [u64], a: &[&[u64]], c: &[u64], m: &Modulus) {
        const BLOCK: usize = 1 << 10;
        if let ([a], [c]) = (a, c) {
            return self.scale(out, a, m.factor(*c), m);
        }
        let weights: Vec<u64> = c.iter().map(|&c| self.weight(c, m)).collect();
        let mut sources = a.to_vec();
        for out in out.chunks_mut(BLOCK) {
            let block: Vec<&[u64]> = sources
                .iter_mut()
                .filter_map(|a| a.split_off(..out.len()))
                .collect();
            self.weighted_sum(out, &block, &weights, m);
            self.reduce_four(out, m);
        }
    }

    /// `out = -a`.
    pub(super) fn neg(self, out: &mut [u64], a: &[u64], m: &Modulus) {
        portable::neg(out, a, m);
    }

    /// A constant in `[0, p)` as [`Self::weighted_sum`] takes it.
    pub(super) fn weight(self, w: u64, m: &Modulus) -> u64 {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(_) => m.montgomery(w),
            _ => w,
        }
    }

    /// Whether every word is in `[0, p)`. The time depends on the words.
    pub(super) fn is_reduced(self, a: &[u64], m: &Modulus) -> bool {
        portable::is_reduced(a, m)
    }
}

#[cfg(test)]
mod tests {
    //! All vector loops that the processor can run against portable ones.

    use super::*;
    use crate::testing::primes_below;
    use proptest::prelude::*;

    const LOG_N: u32 = 8;
    const N: usize = 1 << LOG_N;

    /// Words of all sizes up to a bound, the bound included more often than chance has it.
    fn words(state: &mut u64, bound: u64) -> Vec<u64> {
        let mut next = || {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            *state
        };
        let word = |_| match next() % 8 {
            0 => bound - 1,
            1 => 0,
            _ => next() % bound,
        };
        (0..N).map(word).collect()
    }

    fn sets(state: &mut u64, bound: u64, count: usize) -> Vec<Vec<u64>> {
        (0..count).map(|_| words(state, bound)).collect()
    }

    fn slices(sets: &[Vec<u64>]) -> Vec<&[u64]> {
        sets.iter().map(Vec::as_slice).collect()
    }

    /// The words that `f` writes over `out`, by all vector loops and, last, by portable ones.
    fn made(out: &[u64], f: impl Fn(Kernels, &mut [u64])) -> (Vec<(Kernels, Vec<u64>)>, Vec<u64>) {
        let made = Kernels::all(LOG_N).into_iter().map(|kernels| {
            let mut out = out.to_vec();
            f(kernels, &mut out);
            (kernels, out)
        });
        let mut made: Vec<_> = made.collect();
        let (_, portable) = made.pop().unwrap();
        (made, portable)
    }

    proptest! {
        #[test]
        fn loops_agree(bits in 20u32..=50, seed in 1u64.., count in 1usize..40, exponent in 0u64..N as u64) {
            let p = primes_below(bits, LOG_N, 1)[0];
            let m = Modulus::new(p);
            let state = &mut { seed };
            let (a, b, acc) = (words(state, p), words(state, p), words(state, p));
            let w = m.factor(words(state, p)[0]);
            let terms = sets(state, p, count);
            let others = sets(state, p, count);
            let table = Permutation::new(LOG_N, 2 * exponent + 1);
            type Loop<'a> = Box<dyn Fn(Kernels, &mut [u64]) + 'a>;
            let pairs: Vec<_> = slices(&terms).into_iter().zip(slices(&others)).collect();
            let sign = |&x: &u64| if x % 2 == 0 { x as i64 } else { -(x as i64) };
            let signed: Vec<i64> = words(state, 1 << 62).iter().map(sign).collect();
            let short: Vec<i64> = words(state, p + 1).iter().map(sign).collect();
            let constants = &words(state, p)[..count];
            let loops: [(&str, Loop); 14] = [
                ("add_assign", Box::new(|k, out| k.add_assign(out, &a, &m))),
                ("add", Box::new(|k, out| k.add(out, &a, &b, &m))),
                ("sub", Box::new(|k, out| k.sub(out, &a, &b, &m))),
                ("scale", Box::new(|k, out| k.scale(out, &a, w, &m))),
                ("scale_add_assign", Box::new(|k, out| k.scale_add_assign(out, &a, w, &m))),
                ("sum", Box::new(|k, out| k.sum(out, &slices(&terms), &m))),
                ("dot", Box::new(|k, out| k.dot(out, &pairs, &m))),
                ("add_dot", Box::new(|k, out| k.add_dot(out, &pairs, &m))),
                ("dot_constants", Box::new(|k, out| k.dot_constants(out, &slices(&terms), constants, &m))),
                ("permute", Box::new(|k, out| k.permute(out, &a, &table))),
                ("separate", Box::new(|k, out| {
                    out.copy_from_slice(&a);
                    k.separate(out, &mut b.clone(), w, &m);
                })),
                ("separate, the other", Box::new(|k, out| k.separate(&mut a.clone(), out, w, &m))),
                ("reduce_signed", Box::new(|k, out| k.reduce_signed(out, &signed, &m))),
                ("reduce_signed, short", Box::new(|k, out| k.reduce_signed(out, &short, &m))),
            ];
            for (name, f) in loops {
                let (vector, portable) = made(&acc, f);
                for (kernels, found) in vector {
                    prop_assert!(found == portable, "{} of {:?}", name, kernels);
                }
            }
        }

        #[test]
        fn conversions_agree(bits in 20u32..=50, seed in 1u64.., count in 1usize..30) {
            let p = primes_below(bits, LOG_N, 1)[0];
            let m = Modulus::new(p);
            let state = &mut { seed };
            let sources = sets(state, 1 << 50, count);
            let weights = &words(state, p)[..count];
            let (vector, portable) = made(&[0; N], |k, out| {
                let weights: Vec<u64> = weights.iter().map(|&w| k.weight(w, &m)).collect();
                k.weighted_sum(out, &slices(&sources), &weights, &m);
            });
            for (kernels, found) in vector {
                prop_assert!(found.iter().all(|&x| x < 4 * p), "{:?}", kernels);
                prop_assert!(found.iter().zip(&portable).all(|(&x, &y)| x % p == y), "{:?}", kernels);
            }

            let reciprocals: Vec<f64> = (0..count).map(|k| 1.0 / (p + k as u64) as f64).collect();
            let terms: Vec<_> = slices(&sources).into_iter().zip(reciprocals).collect();
            let (vector, portable) = made(&[0; N], |k, out| k.rounded_sum(out, &terms));
            for (kernels, found) in vector {
                prop_assert!(found == portable, "{:?}", kernels);
            }
        }

        #[test]
        fn matrices_agree(bits in 20u32..=50, seed in 1u64.., count in 1usize..40, rows in 1usize..20, log_block in 3u32..=LOG_N) {
            let p = primes_below(bits, LOG_N, 1)[0];
            let m = Modulus::new(p);
            let state = &mut { seed };
            let x = sets(state, p, count);
            let blocks = N >> log_block;
            // For each block, each limb and each result.
            let factors: Vec<Vec<Vec<u64>>> = (0..blocks)
                .map(|_| sets(state, p, count).into_iter().map(|mut w| { w.truncate(rows); w }).collect())
                .collect();
            let (vector, portable) = made(&vec![u64::MAX; rows * N], |k, out| {
                let mut out: Vec<&mut [u64]> = out.chunks_mut(N).collect();
                for (at, w) in factors.iter().enumerate() {
                    let block = at << log_block..(at + 1) << log_block;
                    let of = Matrix { x: &slices(&x), w: &w.concat(), block };
                    k.matrix(&mut out, &of, &m);
                }
            });
            for (kernels, found) in vector {
                prop_assert!(found == portable, "{:?}", kernels);
            }
            for (row, found) in portable.chunks(N).enumerate() {
                let written = |j: usize| -> Vec<u64> {
                    factors.iter().flat_map(|w| vec![w[j][row]; 1 << log_block]).collect()
                };
                let written: Vec<Vec<u64>> = (0..count).map(written).collect();
                let pairs: Vec<_> = slices(&x).into_iter().zip(slices(&written)).collect();
                let mut expected = vec![0; N];
                portable::dot(&mut expected, &pairs, &m);
                prop_assert_eq!(found, &expected[..]);
            }
        }

        #[test]
        fn key_products_agree(bits in 20u32..=50, seed in 1u64.., count in 1usize..16, added: [bool; 2], moved: bool, log_parts in 0u32..4) {
            let p = primes_below(bits, LOG_N, 1)[0];
            let m = Modulus::new(p);
            let state = &mut { seed };
            let [digits, b, a] = [(); 3].map(|()| sets(state, p, count));
            let add = sets(state, p, 2);
            let (w, table) = (m.factor(words(state, p)[0]), Permutation::new(LOG_N, 5));
            let product = |k: Kernels, out: &mut [u64], length: usize| {
                let (out0, out1) = out.split_at_mut(N);
                for at in (0..N).step_by(length) {
                    let part = |sets: &'_ [Vec<u64>]| -> Vec<Vec<u64>> {
                        sets.iter().map(|set| set[at..at + length].to_vec()).collect()
                    };
                    let [b, a, add] = [&b, &a, &add].map(|sets| part(sets));
                    let addend = |h: usize| added[h].then_some(&add[h][..]);
                    let of = KeyProduct {
                        at,
                        digits: &slices(&digits),
                        key: [&slices(&b), &slices(&a)],
                        add: [addend(0), addend(1)],
                        w,
                        table: moved.then_some(&table),
                    };
                    k.key_product([&mut *out0, &mut *out1], &of, &m);
                }
            };
            let (whole, portable) = made(&[0; 2 * N], |k, out| product(k, out, N));
            let (parts, portable_parts) = made(&[0; 2 * N], |k, out| product(k, out, N >> log_parts));
            prop_assert_eq!(&portable, &portable_parts);
            for (kernels, found) in whole.into_iter().chain(parts) {
                prop_assert!(found == portable, "{:?}", kernels);
            }
        }

        #[test]
        fn unpacking_agrees_and_notices_what_is_not_reduced(bits in 12u32..=50, seed in 1u64.., at in 0..N, excess: bool, rest in 0usize..80) {
            let p = primes_below(bits, 3, 1)[0];
            let m = Modulus::new(p);
            let mut limb = words(&mut { seed }, p);
            limb[at] = if excess { p } else { limb[at] };
            let ring = crate::ring::Ring::with_kernels(3, &[p], Kernels::Portable).unwrap();
            let mut bytes = Vec::new();
            ring.pack(&mut bytes, 0, &limb);
            prop_assert_eq!(bytes.len(), packing::packed_bytes(N, &m));
            // What lies behind is not looked at.
            bytes.resize(bytes.len() + rest, 0xff);
            for kernels in Kernels::all(LOG_N) {
                let mut found = vec![0; N];
                prop_assert_eq!(kernels.unpack(&mut found, &bytes, &m), !excess);
                prop_assert_eq!(&found, &limb);
            }
        }
    }

    #[test]
    fn a_permutation_and_its_destinations_are_inverse() {
        for log_n in 3..9 {
            let table = Permutation::new(log_n, 5);
            for (to, (from, pattern)) in table.groups().enumerate() {
                assert_eq!(table.destination(from), (to, pattern));
            }
        }
    }
}
