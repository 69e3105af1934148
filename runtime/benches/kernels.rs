//! The kernels of the engine, one thread: transforms and the phases of key switching.
//!
//! `cargo bench -p peregrine-runtime`; a word after `--` selects. The parameters are small enough to start fast; `peregrine bench`
//! measures whole operations at parameters of every size.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot be set up fails"
)]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use peregrine_runtime::ckks::{Ciphertext, Encoder, Encryptor, Evaluator, Plaintext, switch_ring};
use peregrine_runtime::params::{Parameters, ParametersLiteral, RingLiteral, Rings, RingsLiteral};
use peregrine_runtime::ring::{Baseline, Coefficient, Ntt, Randomness, RnsBasis, RnsPoly};
use peregrine_runtime::rlwe::{Digits, EvaluationKey, EvaluationKeys, KeyKind, SecretKeys};
use std::sync::{Arc, LazyLock};

/// The eight largest primes below 2^50 that are 1 modulo 2^17, so that they suit every degree here; the largest two last.
const PRIMES: [u64; 8] = [
    1_125_899_887_312_897,
    1_125_899_886_395_393,
    1_125_899_885_740_033,
    1_125_899_884_167_169,
    1_125_899_884_036_097,
    1_125_899_883_642_881,
    1_125_899_903_827_969,
    1_125_899_902_124_033,
];

/// Primes of the chain; the others are special.
const CHAIN: usize = 6;

/// Degrees of the transforms, as logarithms.
const LOG_N: [u32; 4] = [13, 14, 15, 16];

fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    pool.build_global().unwrap();
    divan::main();
}

/// Three digits of two primes, two special primes.
fn parameters(log_n: u32) -> Arc<Parameters> {
    let (pool, special) = PRIMES.split_at(CHAIN);
    let literal = ParametersLiteral {
        log_n,
        pool: pool.to_vec(),
        special: special.to_vec(),
        digits: vec![vec![0, 1], vec![2, 3], vec![4, 5]],
        rows: (1..=CHAIN).map(|count| (0..count).collect()).collect(),
    };
    Parameters::new(literal).unwrap()
}

/// The same, with a ring of half the degree that has all but one of the primes.
fn rings(log_n: u32) -> Arc<Rings> {
    let large = parameters(log_n).literal().clone();
    let ring = |log_n, digits| RingLiteral {
        secret: peregrine_ir::SecretKind::Ternary,
        log_n,
        special: vec![0, 1],
        digits,
    };
    let digits = vec![vec![0, 1], vec![2, 3], vec![4]];
    let rows = large.rows.into_iter().enumerate();
    let literal = RingsLiteral {
        pool: large.pool,
        special: large.special,
        rings: vec![ring(log_n, large.digits), ring(log_n - 1, digits)],
        levels: rows
            .map(|(i, row)| (usize::from(i < CHAIN - 1), row))
            .collect(),
    };
    Rings::new(literal).unwrap()
}

/// A polynomial with no pattern.
fn polynomial(params: &Parameters, basis: &RnsBasis) -> RnsPoly<Coefficient> {
    let coefficient = |i: i64| i.wrapping_mul(0x5e37_79b9_7f4a_7c15) >> 20;
    let coefficients: Vec<i64> = (0..params.degree() as i64).map(coefficient).collect();
    RnsPoly::from_signed(params.ring(), basis, &coefficients).unwrap()
}

/// Through all primes in turn.
mod transforms {
    use super::*;

    #[divan::bench(args = LOG_N)]
    fn forward(bencher: Bencher, log_n: u32) {
        let params = parameters(log_n);
        let poly = polynomial(&params, params.all_primes());
        let transform = |poly: RnsPoly<Coefficient>| poly.into_ntt(params.ring());
        let bencher = bencher.counter(ItemsCount::new(PRIMES.len()));
        bencher.with_inputs(|| poly.clone()).bench_values(transform);
    }

    #[divan::bench(args = LOG_N)]
    fn inverse(bencher: Bencher, log_n: u32) {
        let params = parameters(log_n);
        let poly = polynomial(&params, params.all_primes()).into_ntt(params.ring());
        let transform = |poly: RnsPoly<Ntt>| poly.to_coefficients(params.ring());
        let bencher = bencher.counter(ItemsCount::new(PRIMES.len()));
        bencher.with_inputs(|| poly.clone()).bench_values(transform);
    }

    /// The forward transform of `tfhe-ntt`.
    #[divan::bench(args = LOG_N)]
    fn baseline(bencher: Bencher, log_n: u32) {
        let plans = PRIMES.map(|prime| Baseline::new(log_n, prime).unwrap());
        let words: Vec<u64> = (0..(PRIMES.len() as u64) << log_n).collect();
        let transform = |mut words: Vec<u64>| {
            for (limb, plan) in words.chunks_mut(1 << log_n).zip(&plans) {
                plan.forward(limb);
            }
            words
        };
        let bencher = bencher.counter(ItemsCount::new(PRIMES.len()));
        bencher
            .with_inputs(|| words.clone())
            .bench_values(transform);
    }
}

/// At degree 2^14 with six primes in three digits and two special primes.
mod key_switching {
    use super::*;

    /// What is computed on.
    struct Bed {
        rings: Arc<Rings>,
        evaluator: Evaluator,
        cipher: Ciphertext,
        plain: Plaintext,
        product: Ciphertext,
        digits: Digits,
        extended: Ciphertext,
    }

    static BED: LazyLock<Bed> = LazyLock::new(Bed::new);

    impl Bed {
        fn new() -> Self {
            let rings = rings(14);
            let params = rings.ring(0).unwrap().clone();
            let mut randomness = Randomness::from_os();
            let secrets = SecretKeys::generate(&rings, &mut randomness).unwrap();
            let secret = secrets.get(0).unwrap();
            let rotation = KeyKind::Galois(params.ring().rotation_exponent(1));
            let mut keys = EvaluationKeys::default();
            for kind in [KeyKind::Relinearization, rotation] {
                let top = CHAIN - 1;
                let key = EvaluationKey::generate(&params, secret, kind, top, &mut randomness);
                keys.insert(key.unwrap());
            }
            let bridge =
                EvaluationKey::for_ring_switch(&rings, &secrets, (0, CHAIN - 2), &mut randomness);
            keys.insert(bridge.unwrap());
            let row = params.row(CHAIN - 1).unwrap();
            let slots: Vec<f64> = (0..params.slots()).map(|i| (i as f64).sin()).collect();
            let scale = 2f64.powi(40);
            let plain = Encoder::new(&params).encode_real(&slots, scale, row);
            let plain = plain.unwrap();
            let seeded =
                Encryptor::new(&params, secret).encrypt(&plain, CHAIN - 1, &mut randomness);
            let cipher = seeded.unwrap().expand(&params).unwrap();
            let evaluator = Evaluator::new(&params, &Arc::new(keys));
            let digits = evaluator.decompose(&cipher).unwrap();
            Self {
                product: evaluator.mul(&cipher, &cipher).unwrap(),
                extended: evaluator.rotate_ext(&cipher, &digits, 1).unwrap(),
                digits,
                cipher,
                plain,
                evaluator,
                rings,
            }
        }
    }

    #[divan::bench]
    fn decompose(bencher: Bencher) {
        let bed = &*BED;
        bencher.bench(|| bed.evaluator.decompose(black_box(&bed.cipher)));
    }

    #[divan::bench]
    fn rotate_ext(bencher: Bencher) {
        let bed = &*BED;
        bencher.bench(|| {
            bed.evaluator
                .rotate_ext(black_box(&bed.cipher), &bed.digits, 1)
        });
    }

    #[divan::bench]
    fn mod_down(bencher: Bencher) {
        let bed = &*BED;
        bencher.bench(|| bed.evaluator.mod_down(black_box(&bed.extended)));
    }

    #[divan::bench]
    fn rotate(bencher: Bencher) {
        let bed = &*BED;
        bencher.bench(|| bed.evaluator.rotate(black_box(&bed.cipher), 1));
    }

    #[divan::bench]
    fn relinearize(bencher: Bencher) {
        let bed = &*BED;
        bencher.bench(|| bed.evaluator.relinearize(black_box(&bed.product)));
    }

    #[divan::bench]
    fn to_half_the_degree(bencher: Bencher) {
        let bed = &*BED;
        let keys = bed.evaluator.keys();
        bencher.bench(|| switch_ring(&bed.rings, keys, black_box(&bed.cipher), CHAIN - 2));
    }

    #[divan::bench]
    fn rescale(bencher: Bencher) {
        let bed = &*BED;
        bencher.bench(|| bed.evaluator.rescale(black_box(&bed.cipher), CHAIN - 2));
    }

    #[divan::bench]
    fn dot_of_32(bencher: Bencher) {
        let bed = &*BED;
        let (ciphers, plains) = ([&bed.cipher; 32], [&bed.plain; 32]);
        bencher.bench(|| bed.evaluator.dot(black_box(&ciphers), &plains));
    }
}
