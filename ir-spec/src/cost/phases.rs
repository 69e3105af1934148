//! Seconds of the phases of operations at one level.
//!
//! For `k` primes of the level, `s` special primes and digits that share `a_d` primes with the level:
//!
//! | phase | transforms | other passes over a limb |
//! |---|---|---|
//! | decompose | `k + sum_d (k + s - a_d)` | `sum_d (a_d + 1) (k + s - a_d)` conversions |
//! | inner product with a key | | `k + s` key products for each digit, the key's expansion included |
//! | division by P, two parts | `2 (k + s)` | `2 (s + 1) k` conversions, `2 k` products |
//! | raise from `a` primes | `2 k + s` | `(a + 1) (2 k + s - 2 a)` conversions; behind it `k + s` key products |
//! | switch between rings | those of a key switch of the larger degree | its passes, and `2 k` additions |
//! | rescale by `r` primes, each part | `k` | `(r + 1) (k - r)` conversions, `k - r` products |
//! | encode | in the rate | filling, a fixed part, and `k` |

use super::{LinearCost, Rates};
use crate::{Basis, Form, Level, Prime, RingTable};

/// The share of the time of evaluating a constant that writing out its slots takes, where few are evaluated and the others repeat them.
const WRITTEN: f64 = 1.0 / 8.0;

/// Seconds of operations at one level. See the module for the formulas.
#[derive(Clone, Debug, PartialEq)]
pub struct Phases {
    rates: Rates,
    /// Copying a limb.
    copy: f64,
    row: Vec<Prime>,
    special: f64,
    /// Primes of the level in each digit that meets it.
    digits: Vec<f64>,
    /// Digits of a key for this level and those below.
    key_digits: f64,
    /// Limbs of the stored half of each of these digits.
    key_limbs: f64,
}

impl Phases {
    pub(super) fn new(ring: &RingTable, level: Level, rates: Rates, copy: f64) -> Self {
        let row = ring.row(level).unwrap_or_default().to_vec();
        let shared = |digit: &Vec<Prime>| digit.iter().filter(|p| row.contains(p)).count() as f64;
        let (key_row, view) = (ring.key_row(level), ring.at(level));
        let met = |digit: &&Vec<Prime>| digit.iter().any(|p| key_row.contains(p));
        let key_digits = view.digits().iter().filter(met).count();
        Self {
            rates,
            copy,
            special: view.special_count() as f64,
            key_digits: key_digits as f64,
            key_limbs: (key_row.len() + view.special_count()) as f64,
            digits: view
                .digits()
                .iter()
                .map(shared)
                .filter(|&a| a > 0.0)
                .collect(),
            row,
        }
    }

    pub(super) fn primes(&self) -> f64 {
        self.row.len() as f64
    }

    fn extended(&self) -> f64 {
        self.primes() + self.special
    }

    /// Limbs of a ciphertext.
    fn limbs(&self, form: Form) -> f64 {
        match form {
            Form::Normal => 2.0 * self.primes(),
            Form::Product => 3.0 * self.primes(),
            Form::Extended => 2.0 * self.extended(),
        }
    }

    /// Sum of two ciphertexts, or negation of one.
    pub fn add(&self, form: Form) -> f64 {
        self.limbs(form) * self.rates.add
    }

    /// Sum of a ciphertext and a plaintext: one part is added, the others are copied.
    pub fn add_plain(&self, form: Form) -> f64 {
        self.limbs(form) / 2.0 * (self.rates.add + self.copy)
    }

    /// Product of a ciphertext with a prepared plaintext or a scalar.
    pub fn multiply_plain(&self, form: Form) -> f64 {
        self.limbs(form) * self.rates.multiply
    }

    /// Sum of `terms` products of ciphertexts with one scalar each, or with one plaintext each, whose encoding is not
    /// included.
    pub fn dot(&self, form: Form, terms: usize) -> f64 {
        let further = terms.saturating_sub(1) as f64;
        self.limbs(form) * (self.rates.multiply + further * self.rates.accumulate)
    }

    /// Product of two ciphertexts of two parts, which gives three parts.
    pub fn multiply(&self) -> f64 {
        4.0 * self.primes() * self.rates.multiply
    }

    /// Product of a ciphertext with a power of X; the transform of that power is included.
    pub fn multiply_monomial(&self, form: Form) -> f64 {
        self.multiply_plain(form) + self.limbs(form) / 2.0 * self.rates.transform
    }

    /// Decomposition of one part of a ciphertext into gadget digits.
    pub fn decompose(&self) -> f64 {
        let digit = |&a: &f64| {
            let made = self.extended() - a;
            made * (self.rates.transform + (a + 1.0) * self.rates.convert)
        };
        self.primes() * self.rates.transform + self.digits.iter().map(digit).sum::<f64>()
    }

    /// The phases of what is raised to this level from one with so many of its primes: all of them are one digit.
    pub fn raised_from(&self, primes: f64) -> Self {
        Self {
            digits: vec![primes],
            key_digits: 1.0,
            ..self.clone()
        }
    }

    /// Raising of two parts to this level, of the second one to the extended basis, where [`Self::raised_from`] says from what.
    pub fn raise(&self) -> f64 {
        let from: f64 = self.digits.iter().sum();
        let made = (self.primes() + self.extended() - 2.0 * from).max(0.0);
        let Rates {
            transform, convert, ..
        } = self.rates;
        (self.primes() + self.extended()) * transform + made * (from + 1.0) * convert
    }

    /// Inner product of digits with an evaluation key, both parts.
    pub fn key_product(&self) -> f64 {
        self.digits.len() as f64 * self.extended() * self.rates.key_product
    }

    /// Division of two extended parts by P.
    pub fn mod_down(&self) -> f64 {
        2.0 * self.divide(self.special, self.primes())
    }

    /// A whole key switch: decomposition, inner product and division by P.
    pub fn key_switch(&self) -> f64 {
        self.decompose() + self.key_product() + self.mod_down()
    }

    /// Rescale from this level to the level of `to`; of an extended ciphertext, with the division by P.
    pub fn rescale(&self, form: Form, to: &Self) -> f64 {
        let kept = self.row.iter().filter(|p| to.row.contains(p)).count() as f64;
        let (parts, special) = match form {
            Form::Normal => (2.0, 0.0),
            Form::Product => (3.0, 0.0),
            Form::Extended => (2.0, self.special),
        };
        parts * self.divide(special + self.primes() - kept, to.primes())
    }

    /// Rescale of a ciphertext of two parts to the next lower level, from which it is `leaving` primes away.
    fn rescale_by(&self, leaving: f64) -> f64 {
        2.0 * self.divide(leaving, (self.primes() - leaving).max(0.0))
    }

    /// Division of one part by `leaving` primes, with `made` limbs left.
    fn divide(&self, leaving: f64, made: f64) -> f64 {
        let Rates {
            transform,
            convert,
            multiply,
            ..
        } = self.rates;
        (leaving + made) * transform + made * ((leaving + 1.0) * convert + multiply)
    }

    /// The coefficients of a ciphertext of two parts that a ring of smaller degree keeps, or that go to one of larger degree: a pass
    /// over both parts.
    pub fn gather(&self) -> f64 {
        self.limbs(Form::Normal) * self.rates.add
    }

    /// Drop to the level of `to`: the limbs of the primes that stay are copied.
    pub fn drop_level(&self, form: Form, to: &Self) -> f64 {
        self.limbs(form) / self.primes().max(1.0) * to.primes() * self.copy
    }

    /// Evaluation of a constant from weights, and the encoding of a share of its slots, which the others repeat.
    pub fn encode(&self, basis: Basis, share: f64) -> f64 {
        let limbs = match basis {
            Basis::Normal => self.primes(),
            Basis::Extended => self.extended(),
        };
        let encode = self.rates.encode_fixed + limbs * self.rates.encode_limb;
        self.rates.fill * share.max(WRITTEN) + share * encode
    }

    /// Reading the stored half of an evaluation key for this level.
    pub fn key_load(&self) -> f64 {
        self.key_digits * self.key_limbs * self.rates.read
    }

    /// The parts of a linear operator at this level.
    pub fn linear(&self) -> LinearCost {
        LinearCost {
            decompose: self.decompose(),
            baby: self.key_product() + self.mod_down(),
            giant: self.decompose()
                + self.key_product()
                + self.dot(Form::Normal, 1)
                + self.add(Form::Extended),
            mod_down: self.mod_down(),
            key: self.key_load() / LinearCost::RUNS_PER_KEY,
            product: self.encode(Basis::Normal, 1.0)
                + self.limbs(Form::Normal) * self.rates.accumulate,
            scalar: self.limbs(Form::Normal) * self.rates.accumulate,
            rescale: self.rescale_by(1.0),
            square: self.multiply() + self.key_switch() + self.rescale_by(1.0),
        }
    }
}
