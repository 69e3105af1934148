//! Eight words at a time: loads, stores, and arithmetic modulo one prime.

use crate::ring::modulus::Modulus;
use std::arch::x86_64::*;

/// Eight words.
pub(super) type Vector = __m512i;
/// Eight words in memory.
pub(super) type Words = [u64; 8];

/// Words of a slice in groups of eight; what is left over is not a polynomial's, whose degree is a power of two.
pub(super) fn groups(a: &[u64]) -> &[Words] {
    a.as_chunks().0
}

/// Words of a mutable slice in groups of eight, see [`groups`].
pub(super) fn groups_mut(a: &mut [u64]) -> &mut [Words] {
    a.as_chunks_mut().0
}

/// Reads eight words.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load(a: &Words) -> Vector {
    // SAFETY: the array holds the 64 bytes that are read; no alignment is needed.
    unsafe { _mm512_loadu_si512(a.as_ptr().cast()) }
}

/// Reads eight words from bytes.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn load_bytes(a: &[u8; 64]) -> Vector {
    // SAFETY: the array holds the 64 bytes that are read; no alignment is needed.
    unsafe { _mm512_loadu_si512(a.as_ptr().cast()) }
}

/// Writes eight words.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn store(a: &mut Words, x: Vector) {
    // SAFETY: the array holds the 64 bytes that are written; no alignment is needed.
    unsafe { _mm512_storeu_si512(a.as_mut_ptr().cast(), x) }
}

/// Groups of eight words that a loop prefetches ahead of its writes.
pub(super) const AHEAD: usize = 16;

/// Bytes after which processors no longer foresee reads.
pub(super) const PAGE: usize = 4096;

/// Groups of eight words that a loop prefetches ahead of reads from memory by several streams: a page.
pub(super) const FAR_AHEAD: usize = PAGE / 64;

/// Prefetches the cache line of an item that is written soon. Processors foresee most reads, but the first write to a line
/// waits for it; and results are mostly written to memory that has left the caches.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn prefetch_write<T>(items: &[T], at: usize) {
    prefetch::<_MM_HINT_ET0, T>(items, at);
}

/// Prefetches the cache line of an item that is only read, by more streams than processors follow or beyond the end of a page.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn prefetch_read<T>(items: &[T], at: usize) {
    prefetch::<_MM_HINT_T0, T>(items, at);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn prefetch<const HINT: i32, T>(items: &[T], at: usize) {
    if let Some(item) = items.get(at) {
        #[allow(unused_unsafe, reason = "a safe function in newer versions of Rust")]
        // SAFETY: prefetching has no effect but on caches.
        unsafe {
            _mm_prefetch::<HINT>(std::ptr::from_ref(item).cast())
        };
    }
}

/// A vector with one word in all eight lanes.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn splat(x: u64) -> Vector {
    _mm512_set1_epi64(x as i64)
}

/// `x` where `x < p`, `x - p` where `p <= x < 2^63`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn subtract_once(x: Vector, p: Vector) -> Vector {
    _mm512_min_epu64(x, _mm512_sub_epi64(x, p))
}

/// `x` where that is not negative, `x + p` where `-p <= x < 0`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_if_negative(x: Vector, p: Vector) -> Vector {
    _mm512_min_epu64(x, _mm512_add_epi64(x, p))
}

/// Zero, as a value the compiler does not know: products start from a copy of it. Copies cost nothing, whereas clearing one
/// of the upper sixteen registers anew takes a slot of an arithmetic unit.
#[inline]
#[target_feature(enable = "avx512f")]
fn zero() -> Vector {
    let mut zero = _mm512_setzero_si512();
    // SAFETY: no instructions; the register keeps its value.
    unsafe {
        std::arch::asm!("/* {0} */", inout(zmm_reg) zero, options(pure, nomem, nostack, preserves_flags))
    };
    zero
}

/// A prime, spread over vectors.
#[derive(Clone, Copy)]
pub(super) struct Prime {
    /// `p`.
    pub(super) one: Vector,
    /// `2 p`.
    pub(super) two: Vector,
    /// `-p`, as a 64-bit integer.
    pub(super) minus: Vector,
    /// `p^-1 mod 2^52`.
    pub(super) inverse: Vector,
    zero: Vector,
}

/// A known factor, spread over vectors.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// `w 2^52 mod p`.
    pub(super) value: Vector,
    /// The factor times `p^-1`, modulo `2^52`.
    pub(super) quotient: Vector,
}

/// A factor `w` as `w 2^52 mod p` and that times `p^-1` modulo `2^52`.
pub(super) type Factor52 = [u64; 2];

/// Prepares a residue as a factor.
pub(super) fn factor(m: &Modulus, w: u64) -> Factor52 {
    with_quotient(m, m.montgomery(w))
}

/// Prepares a residue in Montgomery form as a factor.
pub(super) fn with_quotient(m: &Modulus, w: u64) -> Factor52 {
    [w, w.wrapping_mul(m.inverse52()) & MASK]
}

/// 52 ones.
pub(super) const MASK: u64 = (1 << 52) - 1;

/// Spreads a known factor.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn known(w: Factor52) -> Known {
    Known {
        value: splat(w[0]),
        quotient: splat(w[1]),
    }
}

/// Spreads a prime.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn prime(m: &Modulus) -> Prime {
    let p = m.value();
    Prime {
        one: splat(p),
        two: splat(2 * p),
        minus: splat(p.wrapping_neg()),
        inverse: splat(m.inverse52()),
        zero: zero(),
    }
}

impl Prime {
    /// Low 52 bits of the product of the low 52 bits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn low(&self, a: Vector, b: Vector) -> Vector {
        _mm512_madd52lo_epu64(self.zero, a, b)
    }

    /// High 52 bits of the product of the low 52 bits.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn high(&self, a: Vector, b: Vector) -> Vector {
        _mm512_madd52hi_epu64(self.zero, a, b)
    }

    /// A factor in Montgomery form with its quotient.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn prepared(&self, w: Vector) -> Known {
        Known {
            value: w,
            quotient: self.low(w, self.inverse),
        }
    }

    /// `x w + p` modulo `p`, in `(0, 2p)`, for any `x < 2^52` and `w` in Montgomery form.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn product(&self, x: Vector, w: Vector) -> Vector {
        let m = self.low(self.low(x, w), self.inverse);
        let above = _mm512_madd52hi_epu64(self.minus, m, self.one);
        _mm512_sub_epi64(self.high(x, w), above)
    }

    /// The product of [`Self::product`], for a known factor.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn product_known(&self, x: Vector, w: Known) -> Vector {
        let m = self.low(x, w.quotient);
        let above = _mm512_madd52hi_epu64(self.minus, m, self.one);
        _mm512_sub_epi64(self.high(x, w.value), above)
    }

    /// `x w` in `[0, p)`, for a known factor.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn product_known_reduced(&self, x: Vector, w: Known) -> Vector {
        subtract_once(self.product_known(x, w), self.one)
    }

    /// From `[0, 4p)` to `[0, p)`.
    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn reduce_four(&self, x: Vector) -> Vector {
        subtract_once(subtract_once(x, self.two), self.one)
    }
}
