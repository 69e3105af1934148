//! What is measured, and what each operation needs at least.
//!
//! For `k` chain primes, `s` special primes and `d` digits that divide the chain evenly, in limbs of `8 N` bytes: operands are
//! read once and results written once, and digits and extended sums that stay inside an operation cost nothing. No
//! implementation of the same algorithm can be faster than its transforms, or than its bytes.

use super::matrix::{SUMS, TERMS};
use super::reference::Reference;
use super::speed::{Copying, Transforms};
use super::timing::Timing;
use serde::Serialize;

/// Terms of the sum of products.
pub const DOT_TERMS: usize = 64;
/// Distinct ciphertexts and plaintexts among the terms of a measured sum of products, so that they fit the memory of small
/// machines.
pub const DOT_DISTINCT: usize = 8;

/// A primitive of the engine that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Making an evaluation key.
    Keygen,
    /// Encoding slots as a plaintext.
    Encode,
    /// Encoding slots as a message: all of encoding but the transforms.
    EncodeMessage,
    /// Filling the slots of a constant from the weights of an operator.
    Fill,
    /// Mapping a stored key and checking it.
    ReadKey,
    /// Encrypting a plaintext.
    Encrypt,
    /// Expanding a fresh ciphertext from its seed.
    Expand,
    /// Decrypting and decoding.
    Decrypt,
    /// Adding two ciphertexts.
    Add,
    /// A product with a plaintext.
    MulPlain,
    /// A product with a scalar.
    MulScalar,
    /// A sum of 64 products with scalars.
    DotScalar64,
    /// A sum of 64 products with plaintexts.
    Dot64,
    /// A sum of 64 products with plaintexts that are transformed in it.
    DotEncode64,
    /// Rescaling by one prime.
    Rescale,
    /// Decomposing a ciphertext into the digits of key switching.
    Decompose,
    /// A rotation of a decomposed ciphertext, without division by P.
    RotateExt,
    /// A rotation of a decomposed ciphertext without division by P, with packed keys in turn.
    RotateExtCold,
    /// Division by P.
    ModDown,
    /// A rotation of a decomposed ciphertext, with division by P.
    Hoisted,
    /// A rotation.
    Rotate,
    /// A product of ciphertexts, relinearized.
    MulRelinearize,
    /// A product with a scalar in one of 8 sums of 32 over the same ciphertexts.
    MatrixScalar,
    /// The same, each sum by itself.
    MatrixScalarAlone,
    /// A product with a plaintext of period 16 in one of 8 sums of 32 over the same ciphertexts.
    MatrixPeriod16,
    /// The same, each sum by itself.
    MatrixPeriod16Alone,
    /// A product with a plaintext of period 512 in one of 8 sums of 32 over the same ciphertexts.
    MatrixPeriod512,
    /// The same, each sum by itself.
    MatrixPeriod512Alone,
}

impl Operation {
    /// All operations, in the order of a program's life.
    pub const ALL: [Self; 28] = [
        Self::Keygen,
        Self::Encode,
        Self::EncodeMessage,
        Self::Fill,
        Self::ReadKey,
        Self::Encrypt,
        Self::Expand,
        Self::Decrypt,
        Self::Add,
        Self::MulPlain,
        Self::MulScalar,
        Self::DotScalar64,
        Self::Dot64,
        Self::DotEncode64,
        Self::Rescale,
        Self::Decompose,
        Self::RotateExt,
        Self::RotateExtCold,
        Self::ModDown,
        Self::Hoisted,
        Self::Rotate,
        Self::MulRelinearize,
        Self::MatrixScalar,
        Self::MatrixScalarAlone,
        Self::MatrixPeriod16,
        Self::MatrixPeriod16Alone,
        Self::MatrixPeriod512,
        Self::MatrixPeriod512Alone,
    ];

    /// The name of the operation for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Keygen => "key generation, each",
            Self::Encode => "encode",
            Self::EncodeMessage => "encode, but for transforms",
            Self::Fill => "fill a constant from weights",
            Self::ReadKey => "read a key",
            Self::Encrypt => "encrypt",
            Self::Expand => "expand a fresh ciphertext",
            Self::Decrypt => "decrypt and decode",
            Self::Add => "add",
            Self::MulPlain => "plaintext product, prepared",
            Self::MulScalar => "scalar product",
            Self::DotScalar64 => "sum of 64 scalar products",
            Self::Dot64 => "sum of 64 plaintext products",
            Self::DotEncode64 => "the same, transformed in it",
            Self::Rescale => "rescale by one prime",
            Self::Decompose => "decompose",
            Self::RotateExt => "hoisted rotation, no mod-down",
            Self::RotateExtCold => "the same, packed keys in turn",
            Self::ModDown => "mod-down",
            Self::Hoisted => "hoisted rotation",
            Self::Rotate => "rotate",
            Self::MulRelinearize => "multiply and relinearize",
            Self::MatrixScalar => "scalar product, 8 sums at once",
            Self::MatrixPeriod16 => "product, period 16, 8 at once",
            Self::MatrixPeriod512 => "product, period 512, 8 at once",
            Self::MatrixScalarAlone | Self::MatrixPeriod16Alone | Self::MatrixPeriod512Alone => {
                "the same, one by one"
            }
        }
    }

    /// How many times as much as the operation its transforms and limbs are of.
    fn parts(self) -> usize {
        match self {
            Self::MatrixScalar
            | Self::MatrixScalarAlone
            | Self::MatrixPeriod16
            | Self::MatrixPeriod16Alone
            | Self::MatrixPeriod512
            | Self::MatrixPeriod512Alone => SUMS * TERMS,
            _ => 1,
        }
    }

    /// Transforms, and limbs read and written; of [`Self::parts`] of it.
    fn least(self, at: &Reference) -> (usize, usize) {
        let (k, s, d) = (at.chain, at.special, at.digits);
        let extended = k + s;
        match self {
            Self::Keygen => (d * extended, d * extended),
            Self::Encode | Self::Encrypt => (k, k),
            Self::EncodeMessage => (0, 1),
            Self::Fill => (0, 1),
            Self::ReadKey => (0, d * extended),
            Self::Decrypt => (k, 2 * k),
            Self::Expand => (0, 3 * k),
            Self::Add => (0, 4 * k),
            Self::MulPlain => (0, 5 * k),
            Self::MulScalar => (0, 4 * k),
            Self::DotScalar64 => (0, 2 * k * DOT_TERMS + 2 * k),
            Self::Dot64 => (0, 3 * k * DOT_TERMS + 2 * k),
            // Two real plaintexts share a transform.
            Self::DotEncode64 => (k * DOT_TERMS / 2, (2 * k + 1) * DOT_TERMS + 2 * k),
            Self::Rescale => (2 * k, 2 * k + 2 * (k - 1)),
            Self::Decompose => (d * extended, k + d * extended),
            Self::RotateExt => (0, 3 * d * extended + k + 2 * extended),
            Self::RotateExtCold => (0, 2 * d * extended + k + 2 * extended),
            Self::ModDown => (2 * extended, 2 * extended + 2 * k),
            Self::Hoisted => (2 * extended, 3 * d * extended + 3 * k),
            Self::Rotate => ((d + 2) * extended, 2 * d * extended + 4 * k),
            Self::MulRelinearize => ((d + 2) * extended, 2 * d * extended + 4 * k),
            Self::MatrixScalar | Self::MatrixPeriod16 | Self::MatrixPeriod512 => {
                (0, 2 * k * TERMS + 2 * k * SUMS)
            }
            Self::MatrixScalarAlone | Self::MatrixPeriod16Alone | Self::MatrixPeriod512Alone => {
                (0, 2 * k * TERMS * SUMS + 2 * k * SUMS)
            }
        }
    }
}

/// The time of an operation beside a lower bound of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Measurement {
    /// What was measured.
    pub operation: Operation,
    /// How long it took.
    #[serde(flatten)]
    pub timing: Timing,
    /// The time of the operation in forward transforms of `tfhe-ntt` at the same degree, one prime again and again on one
    /// thread.
    pub tfhe_ntt_transforms: f64,
    /// The time of the operation in forward transforms of `tfhe-ntt` that go through all primes in turn.
    pub tfhe_ntt_transforms_in_turn: f64,
    /// Number of limb transforms that the operation needs.
    pub transforms: usize,
    /// Bytes that the operation reads and writes at least.
    pub bytes_moved: usize,
    /// Seconds that the operation takes at least on one thread: its transforms at this engine's speed in turn, or its bytes at
    /// the speed of a copy.
    pub bound_seconds: f64,
    /// `bound_seconds` divided by the measured time.
    pub of_bound: f64,
}

impl Measurement {
    pub(super) fn new(
        operation: Operation,
        timing: Timing,
        at: &Reference,
        (transform, copy): &(Transforms, Copying),
    ) -> Self {
        let (transforms, limbs) = operation.least(at);
        let bytes_moved = (limbs << (at.log_n + 3)) / operation.parts();
        let computing = transforms as f64 * transform.peregrine.in_turn_seconds;
        let moving = bytes_moved as f64 / copy.bytes_per_second;
        let bound_seconds = computing.max(moving);
        let seconds = timing.median_seconds;
        Self {
            operation,
            timing,
            tfhe_ntt_transforms: seconds / transform.tfhe_ntt.alone_seconds,
            tfhe_ntt_transforms_in_turn: seconds / transform.tfhe_ntt.in_turn_seconds,
            transforms,
            bytes_moved,
            bound_seconds,
            of_bound: bound_seconds / seconds,
        }
    }
}
