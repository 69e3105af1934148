//! What an instruction is made of: the passes over polynomials that compute it, in order.
//!
//! This is the one description of the work of an instruction. Seconds ([`crate::cost`]), operation counts ([`crate::stats`]),
//! progress and scratch memory of a back end are folds over it, so whoever adds an instruction says here what it is made of and is done
//! with all of them. Only a new kind of pass has a price of its own to be given.

use crate::inst::Inst;

/// The factor of a product of a ciphertext, slot by slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// An encoded plaintext.
    Plaintext,
    /// A real number, the same in every slot.
    Scalar,
}

/// One pass over the polynomials of an instruction. Unless it says otherwise a pass is at the level and in the form of the first
/// ciphertext operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Fills the slots of a constant and encodes them, at the level of the result.
    Encode,
    /// Adds two ciphertexts, or negates one, a number of times.
    Add {
        /// How often.
        count: usize,
    },
    /// Adds a plaintext to one part; the other parts are copied.
    AddPlain,
    /// Multiplies every part by a factor.
    MultiplyPlain {
        /// The factor.
        by: Factor,
    },
    /// Sums products of ciphertexts with one factor each.
    Dot {
        /// The number of products.
        terms: usize,
        /// The factors.
        by: Factor,
    },
    /// Multiplies two ciphertexts of two parts.
    Multiply,
    /// Multiplies every part by a power of X.
    MultiplyMonomial,
    /// Splits the last part into gadget digits and raises them to `Q_l * P`.
    Decompose,
    /// Inner product of digits with an evaluation key, which gives two extended parts.
    KeyProduct,
    /// Divides two extended parts by P, and by the primes that leave on the way to the level of the result.
    ModDown,
    /// Divides by the primes that leave on the way to the level of the result.
    Rescale,
    /// Copies the primes that stay on the way to the level of the result.
    DropLevel,
    /// Keeps the coefficients that belong to a ring of smaller degree, of two parts, or puts them among those of a larger one.
    Gather,
    /// Reads the residues of two parts as integers modulo the primes of the level of the result, of the second part modulo the special
    /// primes, too, and puts them among those of a larger ring.
    Raise,
}

impl Inst {
    /// The passes that compute the instruction, in order: none for an input, and none for a call, whose body has passes of its
    /// own.
    ///
    /// A fused key switch has the passes of its phases. Passes of a switch to another ring are in the larger of the degrees of both rings, with
    /// the gadget of the ring that it leads to; those of a raise are at the level that it leads to, with a gadget of one digit.
    pub fn passes(&self) -> Vec<Pass> {
        use Pass::{Decompose, Gather, KeyProduct, ModDown};
        match self {
            Self::Input { .. } | Self::InputDigits(_) | Self::Call { .. } | Self::Result { .. } => {
                Vec::new()
            }
            Self::Encode { .. } => vec![Pass::Encode],
            Self::Add(values) => {
                let count = values.len().saturating_sub(1);
                vec![Pass::Add { count }]
            }
            Self::Sub(..) | Self::Negate(_) => vec![Pass::Add { count: 1 }],
            Self::AddPlain(..) => vec![Pass::AddPlain],
            Self::MulPlain(..) => {
                let by = Factor::Plaintext;
                vec![Pass::MultiplyPlain { by }]
            }
            Self::MulScalar { .. } => {
                let by = Factor::Scalar;
                vec![Pass::MultiplyPlain { by }]
            }
            Self::Dot { ciphers, .. } => {
                let (terms, by) = (ciphers.len(), Factor::Plaintext);
                vec![Pass::Dot { terms, by }]
            }
            Self::DotScalar { ciphers, .. } => {
                let (terms, by) = (ciphers.len(), Factor::Scalar);
                vec![Pass::Dot { terms, by }]
            }
            Self::Mul(..) | Self::Square(_) => vec![Pass::Multiply],
            Self::Relinearize(_)
            | Self::RelinearizeRescale { .. }
            | Self::Rotate { .. }
            | Self::Conjugate(_) => vec![Decompose, KeyProduct, ModDown],
            Self::RelinearizeExt { .. } | Self::RotateExt { .. } => vec![KeyProduct],
            Self::SwitchRing { .. } => vec![Decompose, KeyProduct, ModDown, Gather],
            Self::RaiseExt { .. } => vec![Pass::Raise, KeyProduct],
            Self::Rescale { .. } => vec![Pass::Rescale],
            Self::DropLevel { .. } => vec![Pass::DropLevel],
            Self::Decompose(_) => vec![Decompose],
            Self::ModDown(_) => vec![ModDown],
            Self::MulMonomial { .. } => vec![Pass::MultiplyMonomial],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Value;
    use crate::ring::Rotation;

    #[test]
    fn a_fused_key_switch_is_its_phases() {
        let (a, digits, rotation) = (Value(0), Value(1), Rotation(1));
        let phases = [
            Inst::Decompose(a),
            Inst::RotateExt {
                a,
                digits,
                rotation,
            },
            Inst::ModDown(a),
        ];
        let phases: Vec<Pass> = phases.iter().flat_map(Inst::passes).collect();
        assert_eq!(Inst::Rotate { a, rotation }.passes(), phases);
        // An instruction that needs a key multiplies with it once.
        let products = phases.iter().filter(|&&pass| pass == Pass::KeyProduct);
        assert_eq!(products.count(), 1);
    }
}
