//! Four words at a time: loads, stores, conversions, and arithmetic modulo one prime.

use crate::ring::modulus::Modulus;
use std::arch::x86_64::*;

/// Four doubles.
pub(super) type Vector = __m256d;
/// Four words in memory: integers, or the bits of doubles.
pub(super) type Words = [u64; 4];

/// `1.5 2^52`: added to a number below `2^51` in magnitude, it rounds that to an integer, which the last bits of the sum hold.
pub(super) const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// `2^52`, whose last bits hold what is added to it.
const HOLDER: f64 = 4_503_599_627_370_496.0;

/// Words of a slice in groups of four; what is left over is not a polynomial's, whose degree is a power of two.
pub(super) fn groups(a: &[u64]) -> &[Words] {
    a.as_chunks().0
}

/// Words of a mutable slice in groups of four, see [`groups`].
pub(super) fn groups_mut(a: &mut [u64]) -> &mut [Words] {
    a.as_chunks_mut().0
}

/// Reads four words.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load(a: &Words) -> __m256i {
    // SAFETY: the array holds the 32 bytes that are read; no alignment is needed.
    unsafe { _mm256_loadu_si256(a.as_ptr().cast()) }
}

/// Writes four words.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store(a: &mut Words, x: __m256i) {
    // SAFETY: the array holds the 32 bytes that are written; no alignment is needed.
    unsafe { _mm256_storeu_si256(a.as_mut_ptr().cast(), x) }
}

/// Reads four doubles.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load_doubles(a: &[f64; 4]) -> Vector {
    // SAFETY: the array holds the 32 bytes that are read; no alignment is needed.
    unsafe { _mm256_loadu_pd(a.as_ptr()) }
}

/// A vector with one double in all four lanes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn splat(x: f64) -> Vector {
    _mm256_set1_pd(x)
}

/// A vector with one word in all four lanes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn splat_word(x: u64) -> __m256i {
    _mm256_set1_epi64x(x as i64)
}

/// Words below `2^52` as doubles.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn doubles(x: __m256i) -> Vector {
    let held = _mm256_or_si256(x, splat_word(HOLDER.to_bits()));
    _mm256_sub_pd(_mm256_castsi256_pd(held), splat(HOLDER))
}

/// Integers in `[0, 2^52)` as words.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn words(x: Vector) -> __m256i {
    let held = _mm256_castpd_si256(_mm256_add_pd(x, splat(HOLDER)));
    _mm256_xor_si256(held, splat_word(HOLDER.to_bits()))
}

/// `x` where `x < p`, `x - p` where `p <= x < 2^63`; words.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn subtract_once(x: __m256i, p: __m256i) -> __m256i {
    let less = _mm256_castsi256_pd(_mm256_sub_epi64(x, p));
    _mm256_castpd_si256(_mm256_blendv_pd(less, _mm256_castsi256_pd(x), less))
}

/// `x` where that is not negative, `x + p` where it is; words.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn add_if_negative(x: __m256i, p: __m256i) -> __m256i {
    let (sign, more) = (_mm256_castsi256_pd(x), _mm256_add_epi64(x, p));
    _mm256_castpd_si256(_mm256_blendv_pd(sign, _mm256_castsi256_pd(more), sign))
}

/// The residue of a factor that is nearest to zero.
pub(super) fn centred(m: &Modulus, w: u64) -> f64 {
    match w > m.value() / 2 {
        true => -((m.value() - w) as f64),
        false => w as f64,
    }
}

/// A prime, spread over vectors.
#[derive(Clone, Copy)]
pub(super) struct Prime {
    /// `p`.
    pub(super) one: Vector,
    /// `1 / p`.
    reciprocal: Vector,
    /// [`ROUNDER`].
    rounder: Vector,
}

/// Spreads a prime.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn prime(m: &Modulus) -> Prime {
    let p = m.value() as f64;
    Prime {
        one: splat(p),
        reciprocal: splat(1.0 / p),
        rounder: splat(ROUNDER),
    }
}

impl Prime {
    /// The integer nearest to `x / p`, of magnitude below `2^51`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn quotient(&self, x: Vector) -> Vector {
        let held = _mm256_fmadd_pd(x, self.reciprocal, self.rounder);
        _mm256_sub_pd(held, self.rounder)
    }

    /// `x w` modulo `p`, within `1/2 + c / 8` of `p`, for `|x| <= c p < 2^52` and `|w| <= p / 2`; or for both in `[0, p)`, as if `c` were 2.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn product(&self, x: Vector, w: Vector) -> Vector {
        let high = _mm256_mul_pd(x, w);
        let low = _mm256_fmsub_pd(x, w, high);
        let rest = _mm256_fnmadd_pd(self.quotient(high), self.one, high);
        _mm256_add_pd(rest, low)
    }

    /// `x` modulo `p`, between `-p / 2` and `p / 2` but for one, for `|x| <= 2^53`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn reduce(&self, x: Vector) -> Vector {
        _mm256_fnmadd_pd(self.quotient(x), self.one, x)
    }

    /// From `[-p, p)` to `[0, p)`.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn positive(&self, x: Vector) -> Vector {
        let negative = _mm256_cmp_pd::<_CMP_LT_OQ>(x, _mm256_setzero_pd());
        _mm256_add_pd(x, _mm256_and_pd(negative, self.one))
    }

    /// `x` modulo `p` as words in `[0, p)`, for `|x| <= 2^53`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn residues(&self, x: Vector) -> __m256i {
        words(self.positive(self.reduce(x)))
    }
}

/// Rows to columns.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn transpose([a, b, c, d]: [Vector; 4]) -> [Vector; 4] {
    let (ab0, ab1) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
    let (cd0, cd1) = (_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
    [
        _mm256_permute2f128_pd::<0x20>(ab0, cd0),
        _mm256_permute2f128_pd::<0x20>(ab1, cd1),
        _mm256_permute2f128_pd::<0x31>(ab0, cd0),
        _mm256_permute2f128_pd::<0x31>(ab1, cd1),
    ]
}

/// The lanes of a vector, last to first.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn reversed(x: Vector) -> Vector {
    _mm256_permute4x64_pd::<0b00_01_10_11>(x)
}
