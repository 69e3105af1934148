//! Switching rings: what becomes of slots, how much noise it adds, and what is refused.

use super::*;
use crate::ckks::{Complex64, Decryptor, Encoder, Encryptor, Evaluator};
use crate::params::{Parameters, RingLiteral, RingsLiteral};
use crate::ring::Randomness;
use crate::rlwe::{EvaluationKey, RlweError, SecretKeys, StreamedKey, SwitchKey};
use crate::testing::{precision, primes_below, random_slots, rotated};
use peregrine_ir::SecretKind;
use peregrine_ir::noise::{NoiseModel, combine};
use std::sync::Arc;

/// A ring of six primes over three levels of a smaller one, which has primes 1, 2, 4 and 5 of the pool in digits of `alpha` and as
/// many special primes.
fn literal(log_n: u32, log_ratio: u32, alpha: usize, bits: u32) -> RingsLiteral {
    let small = [1, 2, 4, 5];
    let mut pool = primes_below(bits, log_n, 6);
    // The largest prime is that of the lowest level.
    pool.swap(0, 1);
    let large = RingLiteral {
        log_n,
        secret: SecretKind::Ternary,
        special: vec![0, 1, 2],
        digits: vec![vec![0, 1, 2], vec![3, 4], vec![5]],
    };
    let smaller = RingLiteral {
        log_n: log_n - log_ratio,
        secret: SecretKind::Ternary,
        special: (0..alpha).collect(),
        digits: small.chunks(alpha).map(<[usize]>::to_vec).collect(),
    };
    RingsLiteral {
        pool,
        special: primes_below(50, log_n, 3),
        rings: vec![large, smaller],
        levels: vec![
            (1, vec![1]),
            (1, vec![1, 2]),
            (1, vec![5, 1, 4, 2]),
            (0, vec![1, 2]),
            (0, vec![1, 2, 3, 4, 5]),
            (0, vec![0, 1, 2, 3, 4, 5]),
        ],
    }
}

/// All roles in one place.
struct Bench {
    rings: Arc<Rings>,
    secrets: SecretKeys,
    keys: EvaluationKeys,
    randomness: Randomness,
}

impl Bench {
    fn new(literal: RingsLiteral) -> Self {
        let rings = Rings::new(literal).unwrap();
        let mut randomness = Randomness::from_seed_for_tests(1);
        let secrets = SecretKeys::generate(&rings, &mut randomness).unwrap();
        let key =
            EvaluationKey::for_ring_switch(&rings, &secrets, (0, 2), &mut randomness).unwrap();
        Self {
            keys: EvaluationKeys::from_iter([key]),
            rings,
            secrets,
            randomness,
        }
    }

    fn encrypt(&mut self, slots: &[Complex64], level: usize, scale: f64) -> Ciphertext {
        let params = self.rings.at(level);
        let row = params.row(level).unwrap();
        let plaintext = Encoder::new(params).encode(slots, scale, row).unwrap();
        let encryptor = Encryptor::new(params, self.secrets.at(level));
        let seeded = encryptor.encrypt(&plaintext, level, &mut self.randomness);
        seeded.unwrap().expand(params).unwrap()
    }

    fn decrypt(&self, a: &Ciphertext, scale: f64) -> Vec<Complex64> {
        let level = a.level();
        let decryptor = Decryptor::new(self.rings.at(level), self.secrets.at(level));
        decryptor.decrypt(a, scale).unwrap().to_vec()
    }

    fn switch(&self, a: &Ciphertext, to: usize) -> Ciphertext {
        switch_ring(&self.rings, &self.keys, a, to).unwrap()
    }

    fn small(&self) -> &Arc<Parameters> {
        self.rings.ring(1).unwrap()
    }
}

/// Means of slots that repeat.
fn means(slots: &[Complex64], width: usize) -> Vec<Complex64> {
    let share = width as f64 / slots.len() as f64;
    let mean = |j: usize| slots.iter().skip(j).step_by(width).sum::<Complex64>() * share;
    (0..width).map(mean).collect()
}

#[test]
fn slots_are_averaged() {
    for log_n in [5, 6, 9, 11] {
        for log_ratio in 1..=3.min(log_n - 3) {
            for alpha in [1, 2, 3] {
                let mut bench = Bench::new(literal(log_n, log_ratio, alpha, 44));
                let x = random_slots(7, 1 << (log_n - 1));
                let width = bench.small().slots();
                let scale = 2f64.powi(38);
                for (from, to) in [(3, 0), (3, 1), (4, 0), (5, 2)] {
                    let a = bench.encrypt(&x, from, scale);
                    let switched = bench.switch(&a, to);
                    assert_eq!(
                        (switched.level(), switched.form()),
                        (to, CiphertextForm::Normal)
                    );
                    let bits = precision(&bench.decrypt(&switched, scale), &means(&x, width));
                    let what = format!("2^{log_n} by 2^{log_ratio}, {alpha}, {from} to {to}");
                    assert!(bits > 37.0 - f64::from(log_n), "{what}: {bits:.1} bits");
                }
            }
        }
    }
}

#[test]
fn slots_that_repeat_lose_nothing_and_rotate_as_before() {
    let mut bench = Bench::new(literal(9, 2, 2, 44));
    let (small, scale) = (bench.small().clone(), 2f64.powi(38));
    let x = random_slots(3, small.slots());
    let a = bench.encrypt(&x.repeat(4), 5, scale);
    let switched = bench.switch(&a, 2);
    let bits = precision(&bench.decrypt(&switched, scale), &x);
    assert!(bits > 28.0, "{bits:.1} bits");
    let kind = KeyKind::Galois(small.ring().rotation_exponent(5));
    let secret = bench.secrets.get(1).unwrap();
    let key = EvaluationKey::generate(&small, secret, kind, 2, &mut bench.randomness);
    let keys = EvaluationKeys::from_iter([key.unwrap()]);
    let turned = Evaluator::new(&small, &Arc::new(keys)).rotate(&switched, 5);
    let bits = precision(&bench.decrypt(&turned.unwrap(), scale), &rotated(&x, 5));
    assert!(bits > 28.0, "{bits:.1} bits");
}

#[test]
fn slots_repeat_in_a_larger_ring_and_come_back() {
    for log_ratio in 1..=3 {
        let mut bench = Bench::new(literal(9, log_ratio, 1, 44));
        let (rings, secrets) = (&bench.rings, &bench.secrets);
        let key = EvaluationKey::for_ring_switch(rings, secrets, (1, 3), &mut bench.randomness);
        let up = EvaluationKeys::from_iter([key.unwrap()]);
        let (x, scale) = (random_slots(3, bench.small().slots()), 2f64.powi(38));
        for (from, to) in [(1, 3), (2, 3)] {
            let a = bench.encrypt(&x, from, scale);
            let switched = switch_ring(&bench.rings, &up, &a, to).unwrap();
            let at = (switched.level(), switched.form());
            assert_eq!(at, (to, CiphertextForm::Normal));
            let bits = precision(&bench.decrypt(&switched, scale), &x.repeat(1 << log_ratio));
            assert!(bits > 28.0, "2^{log_ratio}: {bits:.1} bits");
            let back = bench.decrypt(&bench.switch(&switched, 1), scale);
            let bits = precision(&back, &x);
            assert!(bits > 28.0, "2^{log_ratio} and back: {bits:.1} bits");
        }
    }
}

#[test]
fn stored_keys_give_the_same_ciphertext() {
    let mut bench = Bench::new(literal(11, 1, 2, 40));
    let a = bench.encrypt(&random_slots(1, 1 << 10), 5, 2f64.powi(36));
    let bridge = bench.rings.bridge(0, 1).unwrap().clone();
    let SwitchKey::Expanded(key) = bench.keys.get(KeyKind::RingSwitch).unwrap() else {
        panic!("a key that was just made is expanded");
    };
    let streamed = EvaluationKeys::from_iter([StreamedKey::pack(&bridge, key).unwrap()]);
    for to in 0..3 {
        let found = switch_ring(&bench.rings, &streamed, &a, to).unwrap();
        assert_eq!(found, bench.switch(&a, to));
    }
}

/// Root mean square of the difference between a switched ciphertext and the means of what it was, against the prediction.
fn noise(log_n: u32, log_ratio: u32, alpha: usize, bits: u32) {
    let mut bench = Bench::new(literal(log_n, log_ratio, alpha, bits));
    let scale = 2f64.powi(20);
    let a = bench.encrypt(&random_slots(1, 1 << (log_n - 1)), 5, scale);
    let before = bench.decrypt(&a, scale);
    let small = bench.small().clone();
    let found = bench.decrypt(&bench.switch(&a, 2), scale);
    let expected = means(&before, small.slots());
    let squares = found.iter().zip(&expected).map(|(x, y)| (x - y).norm_sqr());
    let measured = (squares.sum::<f64>() / found.len() as f64).sqrt() * scale;
    let ring = small.ring();
    let digits: Vec<f64> = small
        .digits_of(small.row(2).unwrap())
        .map(|(_, primes)| ring.log2_product(&primes))
        .collect();
    let special_bits = ring.log2_product(small.special());
    let product = NoiseModel { log_n }.key_product(&digits, special_bits);
    let averaged = product / f64::from(log_ratio).exp2().sqrt();
    let model = NoiseModel {
        log_n: small.log_n(),
    };
    let predicted = combine([averaged, model.division(2)]);
    let off = (measured / predicted).log2();
    println!(
        "2^{log_n} by 2^{log_ratio}, {alpha} of {bits} bits: 2^{:.2}, predicted 2^{:.2}",
        measured.log2(),
        predicted.log2()
    );
    assert!(
        off.abs() < 0.25,
        "2^{log_n} by 2^{log_ratio}: {off:+.2} bits from the prediction"
    );
}

#[test]
fn noise_is_as_predicted() {
    noise(13, 1, 2, 40);
    noise(14, 1, 1, 44);
    noise(14, 2, 3, 42);
    noise(14, 3, 2, 45);
}

/// Digits almost as large as P: the noise of the inner product counts.
#[test]
fn noise_is_as_predicted_without_slack_in_the_special_primes() {
    noise(13, 1, 2, 49);
    noise(14, 2, 1, 49);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut bench = Bench::new(literal(6, 1, 2, 44));
    let scale = 2f64.powi(30);
    let x = random_slots(1, 32);
    let [a, low, small] = [5, 3, 1].map(|level| {
        let slots = bench.rings.at(level).slots();
        bench.encrypt(&x[..slots], level, scale)
    });
    let refused = |a: &Ciphertext, to| switch_ring(&bench.rings, &bench.keys, a, to).unwrap_err();
    for (a, to) in [(&a, 3), (&small, 0)] {
        let from = a.level();
        assert_eq!(refused(a, to), CkksError::SameSecret { from, to });
    }
    let missing = refused(&a, 9).to_string();
    assert!(missing.contains("level 9 does not exist"), "{missing}");
    let (op, from, to) = ("switch_ring", 3, 2);
    assert_eq!(refused(&low, 2), CkksError::NotBelow { op, from, to });
    let (from, to) = (1, 4);
    assert_eq!(refused(&small, 4), CkksError::NotBelow { op, from, to });
    let main = Evaluator::new(bench.rings.ring(0).unwrap(), &Arc::default());
    let error = refused(&main.square(&a).unwrap(), 0);
    assert!(
        matches!(
            error,
            CkksError::CiphertextForm {
                op: "switch_ring",
                ..
            }
        ),
        "{error}"
    );

    let none = EvaluationKeys::default();
    let refused = switch_ring(&bench.rings, &none, &a, 0).unwrap_err();
    let kind = KeyKind::RingSwitch;
    assert_eq!(refused, RlweError::MissingKey { kind }.into());
    let (rings, secrets) = (&bench.rings, &bench.secrets);
    let lowest = EvaluationKey::for_ring_switch(rings, secrets, (0, 0), &mut bench.randomness);
    let lowest = EvaluationKeys::from_iter([lowest.unwrap()]);
    let error = switch_ring(rings, &lowest, &a, 1).unwrap_err();
    let trimmed = matches!(error, CkksError::Rlwe(RlweError::TrimmedTooFar { .. }));
    assert!(trimmed, "{error}");
    let one = EvaluationKey::generate(rings.at(5), secrets.at(5), kind, 5, &mut bench.randomness);
    assert_eq!(one.unwrap_err(), RlweError::OneSecret { kind });

    for (from, level, to) in [(0, 3, 0), (1, 2, 1), (2, 0, 1)] {
        let refused =
            EvaluationKey::for_ring_switch(rings, secrets, (from, level), &mut bench.randomness);
        assert_eq!(refused.unwrap_err(), RlweError::NoRingSwitch { from, to });
    }
}

/// `r1` has a sparse secret.
fn sparse(log_ratio: u32) -> RingsLiteral {
    let mut sparse = literal(7, log_ratio, 1, 44);
    sparse.rings[1].secret = SecretKind::Sparse { weight: 9 };
    sparse
}

#[test]
fn a_sparse_secret_has_its_weight_and_the_message_goes_there_whole() {
    let mut bench = Bench::new(sparse(0));
    let coefficients = bench.secrets.get(1).unwrap().coefficients();
    assert_eq!(coefficients.iter().filter(|&&c| c != 0).count(), 9);
    let (x, scale) = (random_slots(5, 64), 2f64.powi(38));
    let a = bench.encrypt(&x, 3, scale);
    let switched = bench.switch(&a, 0);
    let bits = precision(&bench.decrypt(&switched, scale), &x);
    assert!(bits > 28.0, "{bits:.1} bits");
}

/// Keys that raise from `r1` to the highest level, for some rotations.
fn raising(bench: &mut Bench, rotations: &[u32]) -> EvaluationKeys {
    let (rings, secrets) = (&bench.rings, &bench.secrets);
    let keys = rotations.iter().map(|&rotation| {
        let exponent = rings.at(5).ring().rotation_exponent(rotation);
        let randomness = &mut bench.randomness;
        EvaluationKey::for_raise(rings, secrets, (1, 5), exponent, randomness).unwrap()
    });
    EvaluationKeys::from_iter(keys.collect::<Vec<_>>())
}

/// A raised ciphertext after the division that it leaves out.
fn raised(bench: &Bench, keys: &EvaluationKeys, a: &Ciphertext, by: (u32, usize)) -> Ciphertext {
    let raised = raise_ext(&bench.rings, keys, a, by.0, by.1).unwrap();
    assert_eq!(
        (raised.level(), raised.form()),
        (by.1, CiphertextForm::Extended)
    );
    let evaluator = Evaluator::new(bench.rings.at(by.1), &Arc::default());
    evaluator.mod_down(&raised).unwrap()
}

#[test]
fn a_raised_modulus_wraps_the_message_by_few_of_the_old_one() {
    for log_ratio in 0..=2 {
        let mut bench = Bench::new(sparse(log_ratio));
        let keys = raising(&mut bench, &[0]);
        let small = bench.small().clone();
        let a = bench.encrypt(&random_slots(5, small.slots()), 0, 2f64.powi(30));
        let phase = |a: &Ciphertext| {
            let params = bench.rings.at(a.level());
            let decryptor = Decryptor::new(params, bench.secrets.at(a.level()));
            let encoder = Encoder::new(params);
            encoder.centred(&decryptor.phase(a).unwrap()).unwrap()
        };
        let old = small.ring().log2_product(small.row(0).unwrap()).exp2();
        for to in 3..=5 {
            let after = phase(&raised(&bench, &keys, &a, (0, to)));
            let before = phase(&a);
            let mut largest: f64 = 0.0;
            for (chunk, x) in after.chunks(1 << log_ratio).zip(before.iter()) {
                let wrap = (chunk[0] - x) / old;
                assert!((wrap - wrap.round()).abs() < 1e-6, "{wrap}");
                largest = largest.max(wrap.abs());
                let between = chunk.iter().skip(1).map(|y| y.abs());
                assert!(between.fold(0.0, f64::max) < 2f64.powi(10));
            }
            // Nine numbers of at most a half, rounded.
            assert!((1.0..=5.0).contains(&largest), "{largest}");
        }
    }
}

#[test]
fn raises_of_one_ciphertext_are_rotations_of_each_other() {
    for log_ratio in 0..=2 {
        let mut bench = Bench::new(sparse(log_ratio));
        let last = bench.small().slots() as u32 - 1;
        let keys = raising(&mut bench, &[0, 3, last]);
        let (x, scale) = (random_slots(5, bench.small().slots()), 2f64.powi(38));
        let a = bench.encrypt(&x, 0, scale);
        let slots = |by| bench.decrypt(&raised(&bench, &keys, &a, (by, 4)), scale);
        for by in [3, last] {
            let bits = precision(&slots(by), &rotated(&slots(0), by as usize));
            assert!(bits > 24.0, "2^{log_ratio}, by {by}: {bits:.1} bits");
        }
    }
}

#[test]
fn a_modulus_is_raised_to_more_of_the_same_primes_of_another_ring_only() {
    let mut bench = Bench::new(sparse(1));
    let keys = raising(&mut bench, &[0]);
    let (rings, slots) = (bench.rings.clone(), bench.small().slots());
    let a = bench.encrypt(&random_slots(5, slots), 1, 2f64.powi(30));
    let refused = |a: &Ciphertext, by, to| raise_ext(&rings, &keys, a, by, to).unwrap_err();
    // Levels of its own ring, one with the same primes, and levels of a smaller ring.
    for to in 0..3 {
        let error = refused(&a, 0, to);
        assert_eq!(error, CkksError::NoRaise { from: 1, to });
    }
    let (op, from, to) = ("raise_ext", 1, 3);
    assert_eq!(refused(&a, 0, to), CkksError::NotBelow { op, from, to });
    let back = bench.encrypt(&random_slots(5, 64), 3, 2f64.powi(30));
    assert_eq!(refused(&back, 0, 2), CkksError::NoRaise { from: 3, to: 2 });
    let missing = refused(&a, 1, 5);
    assert!(missing.to_string().contains("raising key"), "{missing}");
    let square = Evaluator::new(bench.small(), &Arc::default()).square(&a);
    let error = refused(&square.unwrap(), 0, 5);
    assert!(matches!(error, CkksError::CiphertextForm { .. }), "{error}");
    let mut made = |from, level, exponent| {
        let (secrets, randomness) = (&bench.secrets, &mut bench.randomness);
        EvaluationKey::for_raise(&rings, secrets, (from, level), exponent, randomness)
    };
    for (from, level, to) in [(0, 5, 0), (0, 2, 1), (2, 5, 0)] {
        let error = made(from, level, 1).unwrap_err();
        assert_eq!(error, RlweError::NoRingSwitch { from, to });
    }
    assert!(made(1, 5, 2).is_err());
}
