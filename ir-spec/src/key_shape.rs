//! Shapes of evaluation keys: what a key is by itself, whatever circuit it was made for, and which keys it can replace.
//!
//! Notation: a key of degree N holds, for each digit `d` of a set of primes B, an encryption of `P g_d s'` modulo the product of B
//! and of the special primes, whose product is P. The gadget `g_d` is 1 modulo the primes of `d` and 0 modulo the others of B.
//!
//! No part of that mentions a circuit, a level or the index that a circuit gives to a prime. Reduced modulo fewer primes of B, a
//! key is what would have been made for these: that is [`KeyShape::covers`].
//!
//! # Security
//! Keys of one secret for different sets of primes are as secure as those for the largest: errors are independent, so encryptions
//! modulo different moduli do not combine to one modulo their product, and one modulo a smaller modulus, with the same error, is
//! no easier to attack than one modulo a larger modulus. So every key must respect the security limit of its degree
//! ([`KeyShape::check_security`]), and all of them together need no more.

use crate::key::{Key, KeyKind};
use crate::ring::{Level, RingTable, Rotation, SecretId, SecretKind, Security};
use crate::stats::limb_bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The shape of an evaluation key: degree, kind, digits and special primes.
///
/// Primes are given by value. They ascend within a digit, and digits ascend by their first primes, so equal keys have equal
/// shapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyShape {
    from: SecretId,
    to: SecretId,
    kind: KeyKind,
    digits: Vec<Vec<u64>>,
    special: Vec<u64>,
}

impl KeyShape {
    /// The shape of a key that leads from one secret to another, with polynomials of the larger degree of the two. The secrets are
    /// equal except for a key that switches rings or raises moduli.
    ///
    /// # Errors
    /// When a degree or a weight is not supported or no key of the kind leads from the one secret to the other, the ring lacks the rotation, there
    /// are no digits or special primes or a digit is empty, or a prime is repeated or too large.
    pub fn new(
        kind: KeyKind,
        (from, to): (SecretId, SecretId),
        mut digits: Vec<Vec<u64>>,
        mut special: Vec<u64>,
    ) -> Result<Self, ShapeError> {
        for secret in [from, to] {
            let SecretId { log_n, kind } = secret;
            if !RingTable::LOG_N.contains(&log_n) {
                return Err(ShapeError::Degree { log_n });
            }
            if let SecretKind::Sparse { weight } = kind
                && !secret.weights().contains(&weight)
            {
                let bound = *secret.weights().end();
                return Err(ShapeError::Weight { weight, bound });
            }
        }
        // A switch of rings and a raise lead to another secret, any other key to its own.
        let leads = match kind {
            KeyKind::RingSwitch => from.leads_to(to),
            KeyKind::Raise(_) => from.raises_to(to),
            _ => to == from,
        };
        if !leads {
            return Err(ShapeError::Secrets { from, to });
        }
        let slots = 1 << (from.log_n - 1);
        if let KeyKind::Rotation(rotation) = kind
            && !(1..slots).contains(&rotation.0)
        {
            let rotation = rotation.0;
            return Err(ShapeError::Rotation { rotation, slots });
        }
        if let KeyKind::Raise(Rotation(rotation)) = kind
            && rotation >= slots
        {
            return Err(ShapeError::RaiseRotation { rotation, slots });
        }
        if digits.is_empty() || special.is_empty() || digits.iter().any(Vec::is_empty) {
            return Err(ShapeError::Empty);
        }
        let mut seen = BTreeSet::new();
        for &prime in digits.iter().flatten().chain(&special) {
            if !(2..RingTable::MAX_PRIME).contains(&prime) || !seen.insert(prime) {
                return Err(ShapeError::Prime { prime });
            }
        }
        // The canonical order, in which equal keys have equal shapes.
        digits.iter_mut().for_each(|digit| digit.sort_unstable());
        digits.sort_unstable();
        special.sort_unstable();
        Ok(Self {
            from,
            to,
            kind,
            digits,
            special,
        })
    }

    /// The shape of the key that a circuit needs for uses up to a level; `None` where its rings have no such key.
    pub fn of(ring: &RingTable, key: Key, level: Level) -> Option<Self> {
        if ring.ring_of(level) != key.to {
            return None;
        }
        let (row, view) = (ring.key_row(level), ring.view(key.to));
        let value = |prime| ring.primes.get(prime).copied();
        let digit = |digit: &Vec<_>| -> Vec<u64> {
            let shared = digit.iter().filter(|prime| row.contains(prime));
            shared.filter_map(|&prime| value(prime)).collect()
        };
        let digits = view.digits().iter().map(digit);
        let secrets = (ring.view(key.from).secret(), view.secret());
        let mut digits: Vec<Vec<u64>> = digits.filter(|digit| !digit.is_empty()).collect();
        if let KeyKind::Raise(_) = key.kind {
            digits = vec![digits.concat()];
        }
        let special = view.special().collect();
        Self::new(key.kind, secrets, digits, special).ok()
    }

    /// log2 of the degree of its polynomials.
    pub fn log_n(&self) -> u32 {
        self.from.log_n.max(self.to.log_n)
    }

    /// The secret that it leads from.
    pub fn from_secret(&self) -> SecretId {
        self.from
    }

    /// The secret that it leads to, on which its security rests.
    pub fn to_secret(&self) -> SecretId {
        self.to
    }

    /// What the key switches from.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The primes of each digit.
    pub fn digits(&self) -> &[Vec<u64>] {
        &self.digits
    }

    /// The special primes, ascending.
    pub fn special(&self) -> &[u64] {
        &self.special
    }

    /// All primes in the order of the key's limbs: digit after digit, special primes last.
    pub fn primes(&self) -> impl Iterator<Item = u64> + '_ {
        self.digits.iter().flatten().chain(&self.special).copied()
    }

    /// The index of the digit that contains `prime`; `None` where none does.
    pub fn digit_of(&self, prime: u64) -> Option<usize> {
        let has = |digit: &Vec<u64>| digit.binary_search(&prime).is_ok();
        self.digits.iter().position(has)
    }

    /// Bytes in a file of each limb of a digit.
    pub fn limb_bytes(&self) -> impl Iterator<Item = u64> + '_ {
        self.primes().map(|prime| limb_bytes(self.log_n(), prime))
    }

    /// Bytes of the key in a file, without seed and checksum, which are some hundred bytes.
    pub fn bytes(&self) -> u64 {
        self.digits.len() as u64 * self.limb_bytes().sum::<u64>()
    }

    /// log2 of the product of all primes of the key, on which its security depends.
    pub fn modulus_bits(&self) -> f64 {
        self.primes().map(|prime| (prime as f64).log2()).sum()
    }

    /// Whether this key can be used in place of `other`, with results that are as exact.
    ///
    /// It can if degree, kind and special primes are equal, this key has every prime of the other's digits, and each two of these
    /// primes are in one digit here if and only if they are there. Primes that the other lacks do not matter: the gadget of each
    /// digit, reduced modulo the other's primes, is the gadget of the other's digit.
    pub fn covers(&self, other: &Self) -> bool {
        if !self.is_like(other) {
            return false;
        }
        let mut taken = BTreeSet::new();
        other.digits.iter().all(|digit| {
            let mut places = digit.iter().map(|&prime| self.digit_of(prime));
            let Some(first) = places.next().flatten() else {
                return false;
            };
            places.all(|place| place == Some(first)) && taken.insert(first)
        })
    }

    /// Whether degree, kind and special primes are equal.
    fn is_like(&self, other: &Self) -> bool {
        self.ring_and_kind() == other.ring_and_kind() && self.special == other.special
    }

    /// The degrees and the kind, which name a key whatever its primes are.
    fn ring_and_kind(&self) -> (SecretId, SecretId, KeyKind) {
        (self.from, self.to, self.kind)
    }

    /// Whether both keys have the same degrees and kind, whatever their primes are.
    pub fn is_kind_of(&self, other: &Self) -> bool {
        self.ring_and_kind() == other.ring_and_kind()
    }

    /// The smallest shape that covers both; `None` where no key does.
    pub fn join(&self, other: &Self) -> Option<Self> {
        if !self.is_like(other) {
            return None;
        }
        // Digits that share a prime are parts of one.
        let mut digits = self.digits.clone();
        for digit in &other.digits {
            let meets = |own: &Vec<u64>| own.iter().any(|prime| digit.contains(prime));
            let mut merged: BTreeSet<u64> = digit.iter().copied().collect();
            digits.retain(|own| {
                let meets = meets(own);
                merged.extend(own.iter().filter(|_| meets));
                !meets
            });
            digits.push(merged.into_iter().collect());
        }
        let special = self.special.clone();
        let joined = Self::new(self.kind, (self.from, self.to), digits, special).ok()?;
        (joined.covers(self) && joined.covers(other)).then_some(joined)
    }

    /// Checks that the key's modulus is secure for its degree.
    ///
    /// # Errors
    /// When `security` is promised and the modulus is longer than the limit for the degree.
    pub fn check_security(&self, security: Security) -> Result<(), ShapeError> {
        let (secret, bits) = (self.to, self.modulus_bits());
        match (security, secret.max_modulus_bits()) {
            (Security::None, _) => Ok(()),
            (Security::Classical128, Some(limit)) if bits <= f64::from(limit) => Ok(()),
            (Security::Classical128, limit) => Err(ShapeError::Insecure {
                key: self.to_string(),
                secret,
                bits,
                limit: limit.unwrap_or(0),
            }),
        }
    }
}

impl fmt::Display for KeyShape {
    /// Prints the key as part of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        let Self { from, to, .. } = self;
        match (from.kind, to.kind) {
            _ if from == to => write!(f, "{kind} of {from}"),
            (SecretKind::Ternary, SecretKind::Ternary) => {
                write!(f, "{kind} from {from} to 2^{}", to.log_n)
            }
            _ => write!(f, "{kind} from {from} to {to}"),
        }
    }
}

/// Describes evaluation keys in words, keys of one kind and degree together: `17 rotation keys of degree 2^15 (1, 2, 3, 4, ...),
/// relinearization key of degree 2^15`.
pub fn describe<'k>(keys: impl IntoIterator<Item = &'k KeyShape>) -> String {
    const SHOWN: usize = 6;
    let mut rotations: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let mut others = BTreeSet::new();
    for key in keys {
        match key.kind {
            KeyKind::Rotation(rotation) => {
                rotations
                    .entry(key.from.log_n)
                    .or_default()
                    .insert(rotation.0);
            }
            _ => {
                others.insert(key.to_string());
            }
        }
    }
    let many = |(log_n, steps): (&u32, &BTreeSet<u32>)| {
        let shown: Vec<String> = steps.iter().take(SHOWN).map(u32::to_string).collect();
        let (noun, more) = match steps.len() {
            1 => ("key", ""),
            SHOWN.. if steps.len() > SHOWN => ("keys", ", ..."),
            _ => ("keys", ""),
        };
        let (count, shown) = (steps.len(), shown.join(", "));
        format!("{count} rotation {noun} of degree 2^{log_n} ({shown}{more})")
    };
    let parts: Vec<String> = rotations.iter().map(many).chain(others).collect();
    parts.join(", ")
}

/// Why a shape is not that of an evaluation key, or of one that must not be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum ShapeError {
    #[error("an evaluation key of degree 2^{log_n} is not supported, expected 2^{} to 2^{}", RingTable::LOG_N.start(), RingTable::LOG_N.end())]
    Degree { log_n: u32 },
    #[error("an evaluation key is of a secret of weight {weight}, expected 1 to {bound}")]
    Weight { weight: u32, bound: u32 },
    #[error("no key of this kind leads from {from} to {to}")]
    Secrets { from: SecretId, to: SecretId },
    #[error("rotation {rotation} is not in 1..{slots}")]
    Rotation { rotation: u32, slots: u32 },
    #[error("rotation {rotation} behind a raise is not in 0..{slots}")]
    RaiseRotation { rotation: u32, slots: u32 },
    #[error("an evaluation key has no digits, an empty one, or no special primes")]
    Empty,
    #[error("the prime {prime} of an evaluation key is repeated, below 2 or not below 2^50")]
    Prime { prime: u64 },
    #[error("the {key} has a modulus of {bits:.0} bits, {secret} is secure up to {limit}")]
    Insecure {
        key: String,
        secret: SecretId,
        bits: f64,
        limit: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(log_n: u32) -> (SecretId, SecretId) {
        leading((log_n, log_n))
    }

    fn leading((from, to): (u32, u32)) -> (SecretId, SecretId) {
        (SecretId::ternary(from), SecretId::ternary(to))
    }
    use proptest::prelude::*;

    fn shape(digits: &[&[u64]], special: &[u64]) -> KeyShape {
        let digits = digits.iter().map(|digit| digit.to_vec()).collect();
        let kind = KeyKind::Rotation(Rotation(3));
        KeyShape::new(kind, within(5), digits, special.to_vec()).unwrap()
    }

    /// The digits as a relation: whether two primes are in one.
    fn together(shape: &KeyShape, a: u64, b: u64) -> Option<bool> {
        Some(shape.digit_of(a)? == shape.digit_of(b)?)
    }

    /// Primes of 2 to 13 (small numbers serve: nothing is computed modulo them) in up to four digits.
    fn any_shape() -> impl Strategy<Value = KeyShape> {
        let places = proptest::collection::vec(0..5usize, 6);
        places.prop_filter_map("no digit", |places| {
            let mut digits = vec![Vec::new(); 4];
            for (place, prime) in places.into_iter().zip([2, 3, 5, 7, 11, 13]) {
                if let Some(digit) = digits.get_mut(place) {
                    digit.push(prime);
                }
            }
            digits.retain(|digit| !digit.is_empty());
            let kind = KeyKind::Relinearization;
            KeyShape::new(kind, within(5), digits, vec![17, 19]).ok()
        })
    }

    proptest! {
        #[test]
        fn a_key_covers_what_has_fewer_primes_in_the_same_digits(a in any_shape(), b in any_shape()) {
            let primes: Vec<u64> = b.digits().concat();
            let pairs = primes.iter().flat_map(|&p| primes.iter().map(move |&q| (p, q)));
            let same = pairs.into_iter().all(|(p, q)| together(&a, p, q) == together(&b, p, q));
            prop_assert_eq!(a.covers(&b), same);
            prop_assert!(a.covers(&a));
            prop_assert!(!(a.covers(&b) && b.covers(&a)) || a == b);
            prop_assert!(!a.covers(&b) || a.bytes() >= b.bytes());
        }

        #[test]
        fn a_join_is_the_least_key_that_covers_both(a in any_shape(), b in any_shape(), c in any_shape()) {
            match a.join(&b) {
                Some(joined) => {
                    prop_assert!(joined.covers(&a) && joined.covers(&b));
                    prop_assert!(!(c.covers(&a) && c.covers(&b)) || c.modulus_bits() + 1e-9 >= joined.modulus_bits());
                    prop_assert_eq!(Some(joined), b.join(&a));
                }
                None => prop_assert!(!(c.covers(&a) && c.covers(&b))),
            }
            prop_assert_eq!(a.join(&b).as_ref() == Some(&a), a.covers(&b));
        }
    }

    #[test]
    fn other_special_primes_degrees_and_kinds_are_not_covered() {
        let key = shape(&[&[2, 3], &[5]], &[17, 19]);
        assert!(key.covers(&shape(&[&[3], &[5]], &[19, 17])));
        assert!(!key.covers(&shape(&[&[3], &[5]], &[17])));
        let other = |kind, degrees| {
            KeyShape::new(
                kind,
                leading(degrees),
                key.digits().to_vec(),
                key.special().to_vec(),
            )
            .unwrap()
        };
        assert!(!key.covers(&other(KeyKind::Rotation(Rotation(4)), (5, 5))));
        assert!(!key.covers(&other(KeyKind::Rotation(Rotation(3)), (6, 6))));
        assert!(!key.covers(&other(KeyKind::Conjugation, (5, 5))));
        let switch = other(KeyKind::RingSwitch, (6, 5));
        assert!(!switch.covers(&other(KeyKind::RingSwitch, (6, 4))));
        assert!(
            switch.to_string().contains("from degree 2^6 to 2^5"),
            "{switch}"
        );
    }

    #[test]
    fn each_refusal_says_what_is_wrong() {
        let kind = KeyKind::Rotation(Rotation(16));
        let new = |kind, degrees, digits: &[&[u64]], special: &[u64]| {
            let digits = digits.iter().map(|digit| digit.to_vec()).collect();
            KeyShape::new(kind, leading(degrees), digits, special.to_vec()).unwrap_err()
        };
        let (slots, rotation) = (16, 16);
        let refused = new(kind, (5, 5), &[&[3]], &[5]);
        assert_eq!(refused, ShapeError::Rotation { rotation, slots });
        let kind = KeyKind::Conjugation;
        assert_eq!(
            new(kind, (2, 2), &[&[3]], &[5]),
            ShapeError::Degree { log_n: 2 }
        );
        let (from, to) = leading((6, 5));
        let refused = new(kind, (6, 5), &[&[3]], &[5]);
        assert_eq!(refused, ShapeError::Secrets { from, to });
        for (digits, special) in [(&[&[][..]][..], &[5][..]), (&[], &[5]), (&[&[3]], &[])] {
            assert_eq!(new(kind, (5, 5), digits, special), ShapeError::Empty);
        }
        for prime in [3, 1, 1 << 50] {
            let refused = new(kind, (5, 5), &[&[3], &[prime]], &[5]);
            assert_eq!(refused, ShapeError::Prime { prime });
        }
    }

    #[test]
    fn a_modulus_beyond_the_line_is_refused_where_security_is_promised() {
        let large: Vec<Vec<u64>> = (1..3).map(|i| vec![(1 << 49) + i]).collect();
        let key = |log_n| {
            let kind = KeyKind::Conjugation;
            KeyShape::new(kind, within(log_n), large.clone(), vec![1 << 49]).unwrap()
        };
        let secure = |log_n| key(log_n).check_security(Security::Classical128).is_ok();
        assert_eq!([9, 12, 13].map(secure), [false, false, true]);
        key(9).check_security(Security::None).unwrap();
    }

    #[test]
    fn keys_are_described_by_kind() {
        let rotation = |k| {
            let kind = KeyKind::Rotation(Rotation(k));
            KeyShape::new(kind, within(5), vec![vec![3]], vec![5]).unwrap()
        };
        let some: Vec<KeyShape> = (1..9).map(rotation).collect();
        assert_eq!(describe(&some[..1]), "1 rotation key of degree 2^5 (1)");
        let text = describe(&some);
        assert_eq!(
            text,
            "8 rotation keys of degree 2^5 (1, 2, 3, 4, 5, 6, ...)"
        );
    }
}
