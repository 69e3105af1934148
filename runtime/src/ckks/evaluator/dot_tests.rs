//! Several sums of products over the same ciphertexts, against each of them alone.

use crate::ckks::{Ciphertext, CkksError, Factor, Message, Plaintext};
use crate::testing::{SCALE, Setup, toy_literal};
use proptest::prelude::*;

/// An encoded factor.
enum Made {
    Plaintext(Plaintext),
    Message(Message),
}

impl<'a> From<&'a Made> for Factor<'a> {
    fn from(made: &'a Made) -> Self {
        match made {
            Made::Plaintext(plaintext) => plaintext.into(),
            Made::Message(message) => message.into(),
        }
    }
}

/// Some ciphertexts at a level; times P if `extended`.
fn ciphers(s: &mut Setup, count: usize, (level, extended): (usize, bool)) -> Vec<Ciphertext> {
    let cipher = |i| {
        let slots = s.slots(i as u64 + 1);
        let cipher = s.encrypt(&slots, level);
        match extended {
            true => s.evaluator.extend(&cipher).unwrap(),
            false => cipher,
        }
    };
    (0..count).map(cipher).collect()
}

/// Slots with a period as a plaintext; as a message if there is no period and `whole` says so.
fn made(
    s: &Setup,
    (seed, period, whole): (u64, usize, bool),
    basis: &crate::ring::RnsBasis,
) -> Made {
    let slots = s.slots(seed).into_iter().map(|z| z.re).take(period).cycle();
    let slots: Vec<f64> = slots.take(s.params.slots()).collect();
    match s.encoder.encode_short(&slots, SCALE, basis).unwrap() {
        Some(short) => Made::Plaintext(short),
        None if whole => Made::Message(s.encoder.message(&slots, SCALE, basis).unwrap()),
        None => Made::Plaintext(s.encoder.encode_real(&slots, SCALE, basis).unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn sums_over_the_same_ciphertexts_are_those_of_each_alone(
        log_n in prop_oneof![Just(4u32), Just(8), Just(11)],
        extended: bool,
        (count, sums) in (1usize..20, 1usize..11),
        kinds in prop::collection::vec((0u32..11, any::<bool>()), 1..12),
        seed in 0u64..1000,
    ) {
        let mut s = Setup::new(toy_literal(log_n), &[], 0);
        let level = 4;
        let ciphers = ciphers(&mut s, count, (level, extended));
        let ciphers: Vec<&Ciphertext> = ciphers.iter().collect();
        let basis = match extended {
            true => s.params.extended_row(level).unwrap().clone(),
            false => s.params.row(level).unwrap().clone(),
        };
        let rows = (0..sums).map(|row: usize| {
            let factor = |at: usize| {
                let (log_period, whole): (u32, bool) = kinds[(row * 7 + at) % kinds.len()];
                let period = 1 << log_period.min(log_n - 1);
                made(&s, (seed + (row * count + at) as u64, period, whole), &basis)
            };
            (0..count).map(factor).collect()
        });
        let rows: Vec<Vec<Made>> = rows.collect();
        let rows: Vec<Vec<Factor<'_>>> = rows.iter().map(|row| row.iter().map(Factor::from).collect()).collect();
        let rows: Vec<&[Factor<'_>]> = rows.iter().map(Vec::as_slice).collect();
        let found = s.evaluator.dots(&ciphers, &rows).unwrap();
        let expected = rows.iter().map(|row| s.evaluator.dot(&ciphers, row).unwrap());
        prop_assert!(found == expected.collect::<Vec<_>>());
    }

    #[test]
    fn sums_with_scalars_are_those_of_each_alone(
        log_n in prop_oneof![Just(4u32), Just(8), Just(11)],
        extended: bool,
        (count, sums) in (1usize..40, 1usize..11),
        scale_bits in prop_oneof![0..40i32, 60..90i32],
        seed in 0u64..1000,
    ) {
        let mut s = Setup::new(toy_literal(log_n), &[], 0);
        let ciphers = ciphers(&mut s, count, (4, extended));
        let ciphers: Vec<&Ciphertext> = ciphers.iter().collect();
        let number = |row: usize, at: usize| match (seed as usize + row + at) % 5 {
            0 => 0.0,
            _ => ((seed + 1) as f64 * (row * 31 + at) as f64).sin(),
        };
        let row = |row| (0..count).map(|at| number(row, at)).collect();
        let rows: Vec<Vec<f64>> = (0..sums).map(row).collect();
        let rows = rows.iter().zip(0..).map(|(row, more)| (&row[..], f64::from(scale_bits + more).exp2()));
        let rows: Vec<(&[f64], f64)> = rows.collect();
        let found = s.evaluator.dot_scalars(&ciphers, &rows).unwrap();
        let expected = rows.iter().map(|&(r, scale)| s.evaluator.dot_scalar(&ciphers, r, scale).unwrap());
        prop_assert!(found == expected.collect::<Vec<_>>());
    }
}

#[test]
fn what_one_sum_refuses_all_refuse() {
    let mut s = Setup::new(toy_literal(8), &[], 0);
    let own = ciphers(&mut s, 2, (4, false));
    let ciphers: Vec<&Ciphertext> = own.iter().collect();
    let basis = s.params.row(4).unwrap().clone();
    let p = made(&s, (1, 2, true), &basis);
    let p = Factor::from(&p);
    assert_eq!(s.evaluator.dots::<Factor<'_>>(&ciphers, &[]).unwrap(), []);
    let lengths = s
        .evaluator
        .dots(&ciphers, &[&[p, p][..], &[p]])
        .unwrap_err();
    assert!(matches!(lengths, CkksError::DotLengths { .. }));
    let none = s.evaluator.dots(&[], &[&[] as &[Factor<'_>]]).unwrap_err();
    assert!(matches!(none, CkksError::NoOperands { .. }));
    let lengths = s
        .evaluator
        .dot_scalars(&ciphers, &[(&[1.0], 1.0)])
        .unwrap_err();
    assert!(matches!(lengths, CkksError::ScalarLengths { .. }));
    let large = s.evaluator.dot_scalars(&ciphers, &[(&[1.0, 1e300], 1.0)]);
    assert!(matches!(
        large.unwrap_err(),
        CkksError::EncodeOverflow { .. }
    ));
}
