//! An evaluation key that stays as it is stored: packed residues and a seed, expanded block by block at each use.

use super::evaluation_key::{EvaluationKey, KeyKind, STREAMS_PER_DIGIT};
use super::{EvaluationKeys, Placement, RlweError};
use crate::params::Parameters;
use crate::ring::{Halves, PackedHalves, Ring, RnsBasis, RnsPoly, Seed};
use rayon::prelude::*;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Shared bytes of stored keys, in memory or mapped from a file.
pub type StoredBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// An evaluation key in packed form, expanded anew for each use: it takes no more memory than its stored bytes, and none if
/// those are mapped.
///
/// Residues are checked to be below their primes when they are used.
#[derive(Clone)]
pub struct StreamedKey {
    kind: KeyKind,
    basis: RnsBasis,
    seed: Seed,
    /// Digits of the parameters, each with the one of the stored key that has its primes.
    digits: Vec<(usize, usize)>,
    /// The halves that hold the secret: by digit and prime, packed limbs.
    bytes: StoredBytes,
    /// Where in a digit the limb of each prime begins.
    offsets: Vec<usize>,
    digit_bytes: usize,
}

/// Leaves the bytes out.
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
    /// A streamed key of stored parts: the seed, and packed limbs of these lengths for each digit; the placement says what it
    /// serves.
    ///
    /// # Errors
    /// When the primes do not include the special primes, a digit is unknown or repeated, a limb has another length than its prime
    /// asks for, or the bytes are too few.
    pub fn new(
        params: &Parameters,
        placement: Placement,
        limb_bytes: &[usize],
        seed: Seed,
        bytes: StoredBytes,
    ) -> Result<Self, RlweError> {
        placement.check(params)?;
        let Placement {
            kind,
            basis,
            limbs,
            digits,
        } = placement;
        let ends = limb_bytes.iter().scan(0, |end, &length| {
            *end += length;
            Some(*end)
        });
        let ends: Vec<usize> = ends.collect();
        let digit_bytes = ends.last().copied().unwrap_or(0);
        let held = (*bytes).as_ref().len().checked_div(digit_bytes);
        let held = held.unwrap_or(0);
        if let Some(&(digit, _)) = digits.iter().find(|(_, own)| *own >= held) {
            return Err(RlweError::KeyBasis { kind, digit });
        }
        let offset = |(&prime, &limb): (&usize, &usize)| {
            let expected = params.ring().packed_limb_bytes(prime);
            let length = *limb_bytes.get(limb).filter(|&&length| length == expected)?;
            ends.get(limb).map(|end| end - length)
        };
        let offsets: Option<Vec<usize>> = basis.primes().iter().zip(&limbs).map(offset).collect();
        Ok(Self {
            offsets: offsets.ok_or(RlweError::KeyBasis { kind, digit: 0 })?,
            kind,
            basis,
            seed,
            digits,
            bytes,
            digit_bytes,
        })
    }

    /// The packed form of an evaluation key.
    ///
    /// # Errors
    /// None for a key of these parameters.
    pub fn pack(params: &Parameters, key: &EvaluationKey) -> Result<Self, RlweError> {
        let (digits, bytes) = stored(params, key);
        let placement = Placement {
            kind: key.kind(),
            basis: key.basis().clone(),
            limbs: (0..key.basis().len()).collect(),
            digits: (0..).zip(digits).map(|(own, digit)| (digit, own)).collect(),
        };
        let limbs = limb_bytes(params, key.basis());
        Self::new(params, placement, &limbs, key.seed(), Arc::new(bytes))
    }

    /// The parts of its bytes that are used, ascending.
    pub(crate) fn used(&self, params: &Parameters) -> Vec<Range<usize>> {
        let limbs = self.basis.primes().iter().zip(&self.offsets);
        let limbs = limbs.map(|(&prime, &at)| (at, at + params.ring().packed_limb_bytes(prime)));
        let limbs: Vec<(usize, usize)> = limbs.collect();
        let digits = self.digits.iter().map(|(_, own)| own * self.digit_bytes);
        let parts = digits.flat_map(|digit| {
            limbs
                .iter()
                .map(move |&(from, to)| digit + from..digit + to)
        });
        let mut parts: Vec<Range<usize>> = parts.collect();
        parts.sort_by_key(|part| part.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for part in parts {
            match joined.last_mut() {
                Some(last) if last.end == part.start => last.end = part.end,
                _ => joined.push(part),
            }
        }
        joined
    }

    /// Looks at every residue that is used; allocates nothing for them.
    ///
    /// # Errors
    /// When one is not below its prime.
    pub(crate) fn check(&self, ring: &Ring) -> Result<(), RlweError> {
        for &(digit, _) in &self.digits {
            let limbs = self.limbs(ring, digit);
            let failure = |&(prime, bytes): &(usize, &[u8])| ring.check_packed(prime, bytes).err();
            if let Some(error) = limbs.par_iter().find_map_first(failure) {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// The expanded form of this key.
    ///
    /// # Errors
    /// When a residue is not below its prime.
    pub(crate) fn expanded(&self, ring: &Ring) -> Result<EvaluationKey, RlweError> {
        self.check(ring)?;
        let expand = |&(digit, own): &(usize, usize)| {
            let limbs = self.limbs(ring, digit);
            let mut b = RnsPoly::any(ring, &self.basis);
            b.par_limbs_mut_heavy(ring, |prime, limb| {
                if let Some((_, bytes)) = self.basis.position(prime).and_then(|i| limbs.get(i)) {
                    let read = ring.unpack(limb, prime, bytes);
                    debug_assert_eq!(read, Ok(()), "residues that were not checked");
                }
            });
            let first_stream = own as u64 * STREAMS_PER_DIGIT;
            let a = ring.expand_uniform(&self.basis, self.seed, first_stream);
            (digit, [b, a])
        };
        let digits = self.digits.iter().map(expand).collect();
        let basis = self.basis.clone();
        Ok(EvaluationKey::of_digits(
            self.kind, basis, self.seed, digits,
        ))
    }

    /// The packed limbs of a digit, with their primes.
    fn limbs(&self, ring: &Ring, digit: usize) -> Vec<(usize, &[u8])> {
        let bytes = self.digit(digit).map_or(&[][..], |(_, bytes)| bytes);
        let limb = |(&prime, &at): (&usize, &usize)| {
            let length = ring.packed_limb_bytes(prime);
            (prime, bytes.get(at..at + length).unwrap_or_default())
        };
        let limbs = self.basis.primes().iter().zip(&self.offsets);
        limbs.map(limb).collect()
    }

    /// The stored digit that serves one of the parameters, and its bytes.
    fn digit(&self, digit: usize) -> Option<(usize, &[u8])> {
        let (_, own) = *self.digits.iter().find(|(known, _)| *known == digit)?;
        let at = own * self.digit_bytes;
        let bytes = (*self.bytes).as_ref().get(at..at + self.digit_bytes)?;
        Some((own, bytes))
    }

    fn halves(&self, digit: usize) -> Option<Halves<'_>> {
        let (own, b) = self.digit(digit)?;
        Some(Halves::Packed(PackedHalves {
            basis: &self.basis,
            offsets: &self.offsets,
            b,
            seed: self.seed,
            first_stream: own as u64 * STREAMS_PER_DIGIT,
        }))
    }
}

fn limb_bytes(params: &Parameters, basis: &RnsBasis) -> Vec<usize> {
    let limbs = basis.primes().iter();
    limbs.map(|&p| params.ring().packed_limb_bytes(p)).collect()
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

/// An evaluation key in either form; both give equal results of a key switch.
#[derive(Clone, Debug)]
pub enum SwitchKey {
    /// A key whose digits were expanded beforehand.
    Expanded(EvaluationKey),
    /// A key whose digits are expanded anew for each use.
    Streamed(StreamedKey),
}

impl SwitchKey {
    /// What the key switches from.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Expanded(key) => key.kind(),
            Self::Streamed(key) => key.kind,
        }
    }

    /// The primes of the key: those of its levels and the special primes.
    pub fn basis(&self) -> &RnsBasis {
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
    use crate::ring::{Ntt, Randomness, RingError};
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

    /// A key of stored bytes, its digits numbered as given.
    fn parts(
        params: &Parameters,
        key: &EvaluationKey,
        (basis, digits): (&RnsBasis, &[usize]),
        bytes: &[u8],
    ) -> Result<StreamedKey, RlweError> {
        let placement = Placement {
            kind: key.kind(),
            basis: basis.clone(),
            limbs: (0..basis.len()).collect(),
            digits: (0..)
                .zip(digits)
                .map(|(own, &digit)| (digit, own))
                .collect(),
        };
        let limbs = limb_bytes(params, key.basis());
        StreamedKey::new(
            params,
            placement,
            &limbs,
            key.seed(),
            Arc::new(bytes.to_vec()),
        )
    }

    fn streamed(params: &Parameters, key: &EvaluationKey, bytes: &[u8]) -> SwitchKey {
        let digits = stored(params, key).0;
        parts(params, key, (key.basis(), &digits), bytes)
            .unwrap()
            .into()
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
            pairs.push(key_switch(params, a, (level, level), key, then)?);
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
            let streamed = StreamedKey::pack(&params, &key).unwrap().into();
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
            let streamed = streamed(&params, &key, &bytes);
            let a = params.ring().expand_uniform(params.row(0).unwrap(), Seed(1), 0);
            let refused = uses(&params, &a, 0, &streamed).unwrap_err();
            prop_assert!(matches!(refused, RlweError::Ring(RingError::Unreduced { .. })), "{refused}");
        }
    }

    /// Parameters with some of the primes, numbered otherwise, in digits that are parts of those of the key.
    fn fewer(params: &Parameters) -> (Arc<Parameters>, Placement) {
        let primes = &params.literal().pool;
        let pool = [5, 0, 3, 1].map(|p| primes[p]).to_vec();
        let literal = ParametersLiteral {
            pool,
            special: params.literal().special.iter().rev().copied().collect(),
            digits: vec![vec![0], vec![2], vec![1, 3]],
            rows: vec![vec![0, 1, 2, 3], vec![1, 2]],
            ..params.literal().clone()
        };
        let placement = Placement {
            kind: KeyKind::Galois(5),
            basis: RnsBasis::new(0..6),
            limbs: vec![5, 0, 3, 1, 7, 6],
            digits: vec![(0, 2), (1, 1), (2, 0)],
        };
        (Parameters::new(literal).unwrap(), placement)
    }

    /// What a key does to a polynomial, in each form of the key.
    fn switched(params: &Parameters, level: usize, keys: &[SwitchKey]) -> Vec<Vec<Pair>> {
        let row = params.row(level).unwrap();
        let a = params.ring().expand_uniform(row, Seed(9), 0);
        let each = keys.iter().map(|key| uses(params, &a, level, key).unwrap());
        each.collect()
    }

    #[test]
    fn a_key_serves_parameters_with_fewer_primes_whatever_their_numbers() {
        let params = params(9, 33);
        let key = key(&params);
        let (other, placement) = fewer(&params);
        let (_, bytes) = stored(&params, &key);
        let limbs = limb_bytes(&params, key.basis());
        let streamed = StreamedKey::new(
            &other,
            placement.clone(),
            &limbs,
            key.seed(),
            Arc::new(bytes),
        );
        let streamed = streamed.unwrap();
        let placed = key.placed(&other, &placement).unwrap();
        assert_eq!(streamed.expanded(other.ring()).unwrap(), placed);
        let used: usize = streamed.used(&other).iter().map(Range::len).sum();
        let own: usize = limb_bytes(&other, &placement.basis).iter().sum();
        assert_eq!(used, 3 * own);
        let keys = [streamed.into(), placed.into()];
        for level in 0..2 {
            let made = switched(&other, level, &keys);
            assert_eq!(made[0], made[1], "level {level}");
        }
        // The same words as those of the key where it was made, at the level with primes 0 and 3.
        let row = RnsBasis::new([0, 3]);
        let literal = ParametersLiteral {
            rows: vec![vec![0, 3]],
            ..params.literal().clone()
        };
        let own = Parameters::new(literal).unwrap();
        let here = switched(&own, 0, &[SwitchKey::from(key)]);
        let there = switched(&other, 1, &keys[1..]);
        assert_eq!(own.row(0).unwrap(), &row);
        for (here, there) in here.concat().iter().zip(there.concat()) {
            for (here, there) in here.iter().zip(there) {
                assert_eq!(here.residues(0), there.residues(1));
                assert_eq!(here.residues(3), there.residues(2));
            }
        }
    }

    #[test]
    fn placements_that_do_not_fit_are_refused() {
        let params = params(4, 30);
        let key = key(&params);
        let (other, placement) = fewer(&params);
        let kind = placement.kind;
        let refused = |change: fn(&mut Placement)| {
            let mut wrong = placement.clone();
            change(&mut wrong);
            let placed = key.placed(&other, &wrong).map(drop);
            let (_, bytes) = stored(&params, &key);
            let limbs = limb_bytes(&params, key.basis());
            let stored = StreamedKey::new(&other, wrong, &limbs, key.seed(), Arc::new(bytes));
            assert!(stored.is_err());
            placed.unwrap_err()
        };
        let wrong = |digit| RlweError::KeyBasis { kind, digit };
        assert_eq!(refused(|p| p.digits[1].0 = 0), wrong(0));
        assert_eq!(refused(|p| p.digits[1].1 = 2), wrong(1));
        assert_eq!(refused(|p| p.digits[0].0 = 3), wrong(3));
        assert_eq!(refused(|p| p.limbs.truncate(5)), wrong(0));
        assert_eq!(
            refused(|p| p.basis = RnsBasis::new(0..5)),
            RlweError::NotExtended { kind }
        );
        let unknown = refused(|p| p.digits[0].1 = 3);
        assert_eq!(unknown, RlweError::MissingDigit { kind, digit: 3 });
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let params = params(4, 30);
        let key = key(&params);
        let (digits, bytes) = stored(&params, &key);
        let make = |basis: &RnsBasis, digits: &[usize], bytes: &[u8]| {
            parts(&params, &key, (basis, digits), bytes).map(drop)
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
        let some = parts(&params, &key, (key.basis(), &[0, 1]), &bytes)
            .unwrap()
            .into();
        let a = params.ring().expand_uniform(row, Seed(1), 0);
        let refused = uses(&params, &a, 0, &some).unwrap_err();
        assert_eq!(refused, RlweError::MissingDigit { kind, digit: 2 });
    }
}
