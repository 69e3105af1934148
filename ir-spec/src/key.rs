//! Evaluation keys as a circuit names them: what they switch from, and between which of its rings.

use crate::entity::RingId;
use crate::ring::Rotation;
use std::fmt;

/// The kinds of evaluation keys. A key leads from a secret, or from what it names, to the secret `s` of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum KeyKind {
    /// From `s^2`: relinearization.
    Relinearization,
    /// From `s(X^-1)`: complex conjugation.
    Conjugation,
    /// From `s(X^(5^k))`: rotation by `k` slots.
    Rotation(Rotation),
    /// From the secret of another ring: ring switching.
    RingSwitch,
    /// From `s'(X^(5^k))` for the secret `s'` of another ring: a raise of the modulus, then a rotation by `k` slots. One digit.
    Raise(Rotation),
}

impl fmt::Display for KeyKind {
    /// Prints the kind as part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relinearization => f.write_str("relinearization key"),
            Self::Conjugation => f.write_str("conjugation key"),
            Self::Rotation(rotation) => write!(f, "rotation key {rotation}"),
            Self::RingSwitch => f.write_str("ring-switching key"),
            Self::Raise(rotation) => write!(f, "raising key {rotation}"),
        }
    }
}

/// An evaluation key of a circuit: it switches ciphertexts from one secret (of a ring, its square or its image under an
/// automorphism) to the secret of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Key {
    /// The ring of the secret that the key leads to, at whose levels it is used.
    pub to: RingId,
    /// What the key switches from.
    pub kind: KeyKind,
    /// The ring of the secret that the key leads from, in whose degree it is computed with.
    pub from: RingId,
}

impl Key {
    /// A key that leads from a ring to that ring.
    pub const fn within(ring: RingId, kind: KeyKind) -> Self {
        Self {
            to: ring,
            kind,
            from: ring,
        }
    }

    /// The key that switches from the ring `from` to the ring `to`.
    pub const fn switching(from: RingId, to: RingId) -> Self {
        Self {
            to,
            kind: KeyKind::RingSwitch,
            from,
        }
    }

    /// The key that raises moduli from the ring `from` to the ring `to`, and rotates.
    pub const fn raising((from, to): (RingId, RingId), rotation: Rotation) -> Self {
        Self {
            to,
            kind: KeyKind::Raise(rotation),
            from,
        }
    }
}

impl fmt::Display for Key {
    /// Prints the key as part of a sentence; a ring is named where it is not the first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, to, from) = (self.kind, self.to, self.from);
        match (to == from, to) {
            (false, _) => write!(f, "{kind} from {from} to {to}"),
            (true, RingId(0)) => kind.fmt(f),
            (true, _) => write!(f, "{kind} of {to}"),
        }
    }
}
