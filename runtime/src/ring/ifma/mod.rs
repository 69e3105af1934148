//! Kernels for processors with AVX-512 IFMA: eight residues at a time, products of 52-bit words.
//!
//! Notation: `p < 2^50` the prime, `R = 2^52`. A product by `w` is Montgomery's: with `w R mod p` in place of `w`,
//!
//! ```text
//! x w  =  high(x (w R)) - high(m p)   (mod p),    m = low(x (w R)) p^-1 mod R,
//! ```
//!
//! where `low` and `high` are the two halves of a 104-bit product: their low halves are equal, so the difference of the high
//! ones is exact, and it is in `(-p, p)` for any `x < 2^52`. Where a factor is known in advance, `w R p^-1 mod R` saves one of
//! the four multiplications.
//!
//! Nothing outside `ring` sees these functions; each is tested against the portable one it replaces. All of them need the
//! processor features of [`Ifma::detect`], which is why they are only reachable through that token.
//!
//! # References
//! - \[Mon85\] Montgomery, *Modular multiplication without trial division*, 1985.
//! - \[Har14\] Harvey, *Faster arithmetic for number-theoretic transforms*. <https://arxiv.org/abs/1205.2926>

pub(super) mod elementwise;
pub(super) mod matrix;
pub(super) mod ntt;
pub(super) mod stream;
pub(super) mod vector;

/// Proof that the processor has the features these kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ifma(());

impl Ifma {
    /// The token, where the processor and operating system support AVX-512 F, DQ, VL, IFMA and VBMI.
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512vbmi");
        found.then_some(Self(()))
    }
}
