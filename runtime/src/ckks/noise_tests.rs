//! Measured noise of every primitive at real ring degrees against the predictions of `peregrine_ir::noise`.

use crate::ckks::{Ciphertext, Complex64};
use crate::params::ParametersLiteral;
use crate::testing::{Setup, primes_below, rotated};
use peregrine_ir::noise::{NoiseModel, Signal, combine};

/// How far a measured deviation may be from the predicted one, in bits.
const TOLERANCE_BITS: f64 = 0.25;

/// A top level of `1 + count` primes in digits of `alpha`, the level below it without the last prime, and `alpha` special primes;
/// chain primes have `bits` bits.
fn literal(log_n: u32, bits: u32, count: usize, alpha: usize) -> ParametersLiteral {
    let mut special = primes_below(50, log_n, alpha + 1);
    let mut pool = vec![special.remove(0)];
    pool.extend(
        primes_below(bits, log_n, count + alpha + 1)
            .into_iter()
            .rev()
            .take(count),
    );
    let indices: Vec<usize> = (0..=count).collect();
    let digits = indices.chunks(alpha).map(<[usize]>::to_vec).collect();
    ParametersLiteral {
        log_n,
        pool,
        special,
        digits,
        rows: vec![(0..count).collect(), indices],
    }
}

/// A setup with its predictions.
struct Bench {
    setup: Setup,
    model: NoiseModel,
    /// log2 of each digit at the top level.
    digits: Vec<f64>,
    special_bits: f64,
}

const TOP: usize = 1;

impl Bench {
    fn new(literal: ParametersLiteral) -> Self {
        let setup = Setup::new(literal, &[1], TOP);
        let (ring, row) = (setup.params.ring(), setup.params.row(TOP).unwrap());
        let digits = setup
            .params
            .digits_of(row)
            .map(|(_, primes)| ring.log2_product(&primes))
            .collect();
        let special_bits = ring.log2_product(setup.params.special());
        let model = NoiseModel {
            log_n: setup.params.log_n(),
        };
        Self {
            digits,
            special_bits,
            model,
            setup,
        }
    }

    fn encrypt(&mut self, slots: &[Complex64], scale: f64) -> Ciphertext {
        let s = &mut self.setup;
        let plaintext = s
            .encoder
            .encode(slots, scale, s.params.row(TOP).unwrap())
            .unwrap();
        s.encryptor
            .encrypt(&plaintext, TOP, &mut s.randomness)
            .unwrap()
            .expand(&s.params)
            .unwrap()
    }

    fn decrypt(&self, ciphertext: &Ciphertext, scale: f64) -> Vec<Complex64> {
        self.setup
            .decryptor
            .decrypt(ciphertext, scale)
            .unwrap()
            .to_vec()
    }

    /// Compares the root mean square difference of two slot vectors at a scale with a prediction.
    fn check(
        &self,
        what: &str,
        found: &[Complex64],
        expected: &[Complex64],
        scale: f64,
        predicted: f64,
    ) {
        let squares: f64 = found
            .iter()
            .zip(expected)
            .map(|(a, b)| (a - b).norm_sqr())
            .sum();
        let measured = (squares / found.len() as f64).sqrt() * scale;
        let bits = (measured / predicted).log2();
        let log_n = self.model.log_n;
        println!(
            "log_n = {log_n}: {what}: 2^{:.2}, predicted 2^{:.2}",
            measured.log2(),
            predicted.log2()
        );
        assert!(
            bits.abs() <= TOLERANCE_BITS,
            "log_n = {log_n}: {what} is {bits:+.2} bits from the prediction"
        );
    }

    fn encryption_and_plaintext_products(&mut self) {
        let scale = 2f64.powi(36);
        let (x, y) = (self.setup.slots(1), self.setup.slots(2));
        let a = self.encrypt(&x, scale);
        let fresh = Signal {
            message: rms(&x) * scale,
            error: combine([self.model.fresh(), self.model.encoding()]),
        };
        self.check("encrypt", &self.decrypt(&a, scale), &x, scale, fresh.error);

        let weights = Signal {
            message: rms(&y) * scale,
            error: self.model.encoding(),
        };
        let s = &self.setup;
        let plaintext = s
            .encoder
            .encode(&y, scale, s.params.row(TOP).unwrap())
            .unwrap();
        let product = s.evaluator.mul_plain(&a, &plaintext).unwrap();
        let expected: Vec<_> = x.iter().zip(&y).map(|(x, y)| x * y).collect();
        let predicted = fresh.product(weights);
        self.check(
            "plaintext product",
            &self.decrypt(&product, scale * scale),
            &expected,
            scale * scale,
            predicted.error,
        );

        let rescaled = s.evaluator.rescale(&product, 0).unwrap();
        let ratio = (s.level_bits(0) - s.level_bits(TOP)).exp2();
        let target = scale * scale * ratio;
        let error = self.model.rescale(predicted.error, ratio, 2);
        self.check(
            "plaintext product, rescaled",
            &self.decrypt(&rescaled, target),
            &expected,
            target,
            error,
        );
    }

    /// At small scales, so that the noise is above the precision of doubles.
    fn key_switches(&mut self) {
        let scale = 2f64.powi(20);
        let (x, y) = (self.setup.slots(1), self.setup.slots(2));
        let (a, b) = (self.encrypt(&x, scale), self.encrypt(&y, scale));
        let e = &self.setup.evaluator;
        let key_switch = self.model.key_switch(&self.digits, self.special_bits);
        let turned = self.decrypt(&e.rotate(&a, 1).unwrap(), scale);
        self.check(
            "rotate",
            &turned,
            &rotated(&self.decrypt(&a, scale), 1),
            scale,
            key_switch,
        );

        let product = e.mul(&a, &b).unwrap();
        let (scale, expected) = (scale * scale, self.decrypt(&product, scale * scale));
        let relinearized = self.decrypt(&e.relinearize(&product).unwrap(), scale);
        self.check("relinearize", &relinearized, &expected, scale, key_switch);

        let error = combine([self.model.fresh(), self.model.encoding()]);
        let signal = |z: &[Complex64]| Signal {
            message: rms(z) * scale.sqrt(),
            error,
        };
        let predicted = signal(&x).product(signal(&y));
        let exact: Vec<_> = x.iter().zip(&y).map(|(x, y)| x * y).collect();
        self.check("product", &expected, &exact, scale, predicted.error);
        let predicted = predicted.with_error(key_switch);
        self.check(
            "product, relinearized",
            &relinearized,
            &exact,
            scale,
            predicted.error,
        );
    }

    /// Rescaling values so large that only its rounding is left.
    fn rescaling(&mut self) {
        let ratio = (self.setup.level_bits(0) - self.setup.level_bits(TOP)).exp2();
        let scale = 2f64.powi(30) / ratio;
        let x = self.setup.slots(1);
        let a = self.encrypt(&x, scale);
        let e = &self.setup.evaluator;
        let before = self.decrypt(&a, scale);
        let rescaled = self.decrypt(&e.rescale(&a, 0).unwrap(), scale * ratio);
        self.check(
            "rescale",
            &rescaled,
            &before,
            scale * ratio,
            self.model.division(2),
        );

        let scale = scale.sqrt();
        let b = self.encrypt(&x, scale);
        let square = self.setup.evaluator.square(&b).unwrap();
        let before = self.decrypt(&square, scale * scale);
        let rescaled = self.setup.evaluator.rescale(&square, 0).unwrap();
        let rescaled = self.decrypt(&rescaled, scale * scale * ratio);
        self.check(
            "rescale of three parts",
            &rescaled,
            &before,
            scale * scale * ratio,
            self.model.division(3),
        );
    }

    fn run(mut self) {
        self.encryption_and_plaintext_products();
        self.key_switches();
        self.rescaling();
    }
}

fn rms(slots: &[Complex64]) -> f64 {
    (slots.iter().map(|z| z.norm_sqr()).sum::<f64>() / slots.len() as f64).sqrt()
}

#[test]
fn noise_is_as_predicted_at_log_n_13() {
    Bench::new(literal(13, 40, 3, 1)).run();
}

#[test]
fn noise_is_as_predicted_at_log_n_14() {
    Bench::new(literal(14, 40, 6, 2)).run();
}

#[test]
fn noise_is_as_predicted_at_log_n_15() {
    Bench::new(literal(15, 45, 8, 3)).run();
}

#[test]
fn noise_is_as_predicted_at_log_n_16() {
    Bench::new(literal(16, 40, 7, 4)).run();
}

/// Digits as large as P: the noise of the inner product dominates.
#[test]
fn noise_is_as_predicted_without_slack_in_the_special_primes() {
    Bench::new(literal(13, 50, 4, 2)).run();
}
