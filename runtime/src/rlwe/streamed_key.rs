//! An evaluation key that stays as it is stored: packed residues and a seed, expanded block by block at each use.

use super::evaluation_key::{EvaluationKey, KeyKind, STREAMS_PER_DIGIT, check_parts};
use super::{EvaluationKeys, RlweError};
use crate::params::Parameters;
use crate::ring::{Basis, Halves, PackedHalves, Seed};
use std::fmt;
use std::sync::Arc;

/// Bytes that stay where they are.
pub type StoredBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A key for one kind of key switch that takes no more memory than its bytes, and none if those are mapped.
///
/// Residues are checked to be below their primes when they are used.
#[derive(Clone)]
pub struct StreamedKey {
    kind: KeyKind,
    basis: Basis,
    seed: Seed,
    digits: Vec<usize>,
    /// The halves that hold the secret: by digit and prime, packed limbs.
    bytes: StoredBytes,
    digit_bytes: usize,
}

/// Without the bytes.
impl fmt::Debug for StreamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedKey")
            .field("kind", &self.kind)
            .field("basis", &self.basis)
            .field("digits", &self.digits)
            .finish_non_exhaustive()
    }
}

impl StreamedKey {
    /// A key of stored parts: kind, primes, seed, digits, and for each digit a packed polynomial.
    ///
    /// # Errors
    /// When the primes do not include the special primes, a digit is unknown or repeated, or the bytes are too few.
    pub fn new(
        params: &Parameters,
        kind: KeyKind,
        basis: Basis,
        seed: Seed,
        digits: Vec<usize>,
        bytes: StoredBytes,
    ) -> Result<Self, RlweError> {
        check_parts(params, kind, &basis, &digits)?;
        let limbs = basis.primes().iter();
        let digit_bytes: usize = limbs.map(|&p| params.ring().packed_limb_bytes(p)).sum();
        let held = (*bytes)
            .as_ref()
            .len()
            .checked_div(digit_bytes)
            .unwrap_or(0);
        if let Some(&digit) = digits.get(held) {
            return Err(RlweError::KeyBasis { kind, digit });
        }
        Ok(Self {
            kind,
            basis,
            seed,
            digits,
            bytes,
            digit_bytes,
        })
    }

    /// A key as it would be stored.
    ///
    /// # Errors
    /// None for a key of these parameters.
    pub fn of(params: &Parameters, key: &EvaluationKey) -> Result<Self, RlweError> {
        let (digits, bytes) = stored(params, key);
        let (basis, bytes) = (key.basis().clone(), Arc::new(bytes));
        Self::new(params, key.kind(), basis, key.seed(), digits, bytes)
    }

    fn halves(&self, digit: usize) -> Option<Halves<'_>> {
        let at = self.digits.iter().position(|&known| known == digit)? * self.digit_bytes;
        Some(Halves::Packed(PackedHalves {
            basis: &self.basis,
            b: (*self.bytes).as_ref().get(at..at + self.digit_bytes)?,
            seed: self.seed,
            first_stream: digit as u64 * STREAMS_PER_DIGIT,
        }))
    }
}

/// The digits of a key, and its halves as they are stored.
fn stored(params: &Parameters, key: &EvaluationKey) -> (Vec<usize>, Vec<u8>) {
    let (mut digits, mut bytes) = (Vec::new(), Vec::new());
    for digit in key.digits() {
        digits.push(digit.digit());
        for (&prime, limb) in digit.b().primes().iter().zip(digit.b().limbs()) {
            params.ring().pack(&mut bytes, prime, limb);
        }
    }
    (digits, bytes)
}

/// A key as a key switch takes it; both forms give the same result.
#[derive(Clone, Debug)]
pub enum SwitchKey {
    /// Made beforehand.
    Expanded(EvaluationKey),
    /// Made anew for each use.
    Streamed(StreamedKey),
}

impl SwitchKey {
    /// What it switches from.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Expanded(key) => key.kind(),
            Self::Streamed(key) => key.kind,
        }
    }

    /// The primes it covers: those of a level and the special primes.
    pub fn basis(&self) -> &Basis {
        match self {
            Self::Expanded(key) => key.basis(),
            Self::Streamed(key) => &key.basis,
        }
    }

    pub(super) fn halves(&self, digit: usize) -> Result<Halves<'_>, RlweError> {
        let halves = match self {
            Self::Expanded(key) => key.halves(digit),
            Self::Streamed(key) => key.halves(digit),
        };
        let kind = self.kind();
        halves.ok_or(RlweError::MissingDigit { kind, digit })
    }
}

impl From<EvaluationKey> for SwitchKey {
    fn from(key: EvaluationKey) -> Self {
        Self::Expanded(key)
    }
}

impl From<StreamedKey> for SwitchKey {
    fn from(key: StreamedKey) -> Self {
        Self::Streamed(key)
    }
}

impl<K: Into<SwitchKey>> FromIterator<K> for EvaluationKeys {
    fn from_iter<T: IntoIterator<Item = K>>(keys: T) -> Self {
        let mut all = Self::default();
        keys.into_iter().for_each(|key| all.insert(key));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::ParametersLiteral;
    use crate::ring::{Ntt, Randomness, RingError, RnsPoly};
    use crate::rlwe::{SecretKey, Switched, decompose, key_inner_product, key_switch};
    use crate::testing::primes_below;
    use proptest::prelude::*;

    const LEVELS: usize = 3;

    /// Primes of six sizes in digits of two, the last row not nested in the others.
    fn params(log_n: u32, bits: u32) -> Arc<Parameters> {
        let sizes = bits..bits + 6;
        let literal = ParametersLiteral {
            log_n,
            pool: sizes.flat_map(|b| primes_below(b, log_n, 1)).collect(),
            special: primes_below(50, log_n, 2),
            digits: vec![vec![0, 1], vec![2, 3], vec![4, 5]],
            rows: vec![(0..6).collect(), vec![0, 1, 2], vec![0, 3, 5]],
        };
        Parameters::new(literal).unwrap()
    }

    fn streamed(params: &Parameters, key: &EvaluationKey, bytes: Vec<u8>) -> SwitchKey {
        let (basis, digits) = (key.basis().clone(), stored(params, key).0);
        let bytes = Arc::new(bytes);
        let key = StreamedKey::new(params, key.kind(), basis, key.seed(), digits, bytes);
        key.unwrap().into()
    }

    type Pair = [RnsPoly<Ntt>; 2];

    /// Both ways to use a key, with and without what may follow.
    fn uses(
        params: &Parameters,
        a: &RnsPoly<Ntt>,
        level: usize,
        key: &SwitchKey,
    ) -> Result<Vec<Pair>, RlweError> {
        let then = Switched {
            add: [Some(a), None],
            exponent: Some(5),
        };
        let mut pairs = Vec::new();
        for then in [Switched::default(), then] {
            let digits = decompose(params, a, level)?;
            pairs.push(key_inner_product(params, &digits, key, then)?);
            pairs.push(key_switch(params, a, level, key, then)?);
        }
        Ok(pairs)
    }

    fn key(params: &Parameters) -> EvaluationKey {
        let mut randomness = Randomness::from_seed_for_tests(1);
        let secret = SecretKey::generate(params, &mut randomness).unwrap();
        let kind = KeyKind::Galois(5);
        EvaluationKey::generate(params, &secret, kind, 0, &mut randomness).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn streamed_keys_switch_to_the_same_words(log_n in 4..12u32, bits in 20..44u32, seed in any::<u128>()) {
            let params = params(log_n, bits);
            let key = key(&params);
            let streamed = StreamedKey::of(&params, &key).unwrap().into();
            let expanded = SwitchKey::from(key);
            for level in 0..LEVELS {
                let row = params.row(level).unwrap();
                let a = params.ring().expand_uniform(row, Seed(seed), 0);
                let found = uses(&params, &a, level, &streamed).unwrap();
                prop_assert!(found == uses(&params, &a, level, &expanded).unwrap(), "level {}", level);
            }
        }

        #[test]
        fn residues_that_are_none_are_refused_wherever_they_are(at in any::<prop::sample::Index>()) {
            let params = params(11, 33);
            let key = key(&params);
            let mut bytes = stored(&params, &key).1;
            // Some residue lies within 16 bytes.
            let at = at.index(bytes.len() - 16);
            bytes[at..at + 16].fill(0xff);
            let streamed = streamed(&params, &key, bytes);
            let a = params.ring().expand_uniform(params.row(0).unwrap(), Seed(1), 0);
            let refused = uses(&params, &a, 0, &streamed).unwrap_err();
            prop_assert!(matches!(refused, RlweError::Ring(RingError::Unreduced { .. })), "{refused}");
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let params = params(4, 30);
        let key = key(&params);
        let (digits, bytes) = stored(&params, &key);
        let make = |basis: &Basis, digits: &[usize], bytes: &[u8]| {
            let bytes = Arc::new(bytes.to_vec());
            let (basis, digits) = (basis.clone(), digits.to_vec());
            StreamedKey::new(&params, key.kind(), basis, key.seed(), digits, bytes).map(drop)
        };
        let kind = key.kind();
        assert_eq!(make(key.basis(), &digits, &bytes), Ok(()));
        let wrong = |digit| Err(RlweError::KeyBasis { kind, digit });
        assert_eq!(make(key.basis(), &digits, &bytes[1..]), wrong(2));
        assert_eq!(make(key.basis(), &[0, 1, 0], &bytes), wrong(0));
        assert_eq!(make(key.basis(), &[0, 7, 1], &bytes), wrong(7));
        let row = params.row(0).unwrap();
        assert_eq!(
            make(row, &digits, &bytes),
            Err(RlweError::NotExtended { kind })
        );
        let some = SwitchKey::from(
            StreamedKey::new(
                &params,
                kind,
                key.basis().clone(),
                key.seed(),
                vec![0, 1],
                Arc::new(bytes),
            )
            .unwrap(),
        );
        let a = params.ring().expand_uniform(row, Seed(1), 0);
        let refused = uses(&params, &a, 0, &some).unwrap_err();
        assert_eq!(refused, RlweError::MissingDigit { kind, digit: 2 });
    }
}
