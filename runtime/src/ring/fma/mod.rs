//! Kernels for processors with AVX2 and fused multiply-adds: four residues at a time, products of doubles.
//!
//! Notation: `p < 2^50` the prime. A residue is a double that is an integer; sums below `2^53` are exact. A product is the sum of
//! two doubles, `x w = h + l` with `h` the rounded product and `l = fma(x, w, -h)`, both exact, and so
//!
//! ```text
//! x w  =  fma(-q, p, h) + l   (mod p),    q = round(h / p),
//! ```
//!
//! where nothing is rounded but `q`: the two terms and their sum are integers below `2^53`. With `|w| <= p / 2` and `|x| <= c p`,
//! `q` is off by at most `1/2 + c / 8`, because `h` and `1 / p` are rounded, so that the result is within `1/2 + c / 8` of `p`.
//! Factors are therefore kept between `-p / 2` and `p / 2`, and `c` below 4.
//!
//! Words are rounded by adding `1.5 2^52`, which also turns integers below `2^51` in magnitude into the low bits of a double, and back.
//!
//! Nothing outside `ring` sees these functions; each is tested against the portable one it replaces. All of them need the
//! processor features of [`Fma::detect`], which is why they are only reachable through that token.
//!
//! # References
//! - \[Dek71\] Dekker, *A floating-point technique for extending the available precision*, 1971.
//! - \[EZW18\] Emmart, Zheng, Weems, *Faster modular exponentiation using double precision floating point arithmetic on the GPU*, 2018;
//!   the sums of products of `elementwise`.

pub(super) mod elementwise;
pub(super) mod matrix;
pub(super) mod ntt;
pub(super) mod stream;
pub(super) mod vector;

/// Proof that the processor has the features these kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fma(());

impl Fma {
    /// The token, where the processor and operating system support AVX2 and FMA.
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        found.then_some(Self(()))
    }
}
