//! Sums of products with plaintexts or scalars: no key switch, any form.

use super::Evaluator;
use crate::ckks::integer::PowersOfTwo;
use crate::ckks::{Ciphertext, CkksError, Factor, Message};
use crate::ring::{Multiplier, Ntt, Ring, RnsPoly, Row, Term, Weight};

/// The integer next to a scaled number, if the modulus carries it.
fn scaled(x: f64, modulus_bits: f64) -> Result<f64, CkksError> {
    let integer = x.round();
    if !integer.is_finite() {
        return Err(CkksError::NotFinite {
            what: "a scaled scalar",
            value: integer,
        });
    }
    let bits = integer.abs().log2();
    if bits >= modulus_bits - 1.0 {
        return Err(CkksError::EncodeOverflow { bits, modulus_bits });
    }
    Ok(integer)
}

/// # Errors
/// Unless there is a scalar for each ciphertext.
fn expect_as_many(a: &[&Ciphertext], r: &[f64]) -> Result<(), CkksError> {
    match a.len() == r.len() {
        true => Ok(()),
        false => Err(CkksError::ScalarLengths {
            ciphertexts: a.len(),
            scalars: r.len(),
        }),
    }
}

/// The parts of a ciphertext.
type Parts<'a> = &'a [RnsPoly<Ntt>];

/// Products with messages, prepared for their transforms.
#[derive(Default)]
struct Messages<'a> {
    /// Two at a time, with the coefficients of both.
    twos: Vec<([Parts<'a>; 2], Vec<i64>)>,
    ones: Vec<(Parts<'a>, Residues<'a>)>,
}

/// What writes the coefficients of a message modulo a prime.
type Residues<'a> = Box<dyn Fn(usize, &mut [u64]) + Sync + Send + 'a>;

impl<'a> Messages<'a> {
    fn new(ring: &'a Ring, messages: &[(Parts<'a>, &'a Message)]) -> Self {
        let mut prepared = Self::default();
        for two in messages.chunks(2) {
            let both = match two {
                [(x, a), (y, b)] => Message::two(a, b).map(|integers| ([*x, *y], integers)),
                _ => None,
            };
            if let Some(both) = both {
                prepared.twos.push(both);
                continue;
            }
            let ones = two.iter().map(|&(x, message)| {
                let write = move |prime: usize, out: &mut [u64]| message.residues(ring, prime, out);
                (x, Box::new(write) as Residues<'a>)
            });
            prepared.ones.extend(ones);
        }
        prepared
    }

    fn twos(&self) -> Vec<([Parts<'_>; 2], &[i64])> {
        let twos = self.twos.iter();
        twos.map(|(x, integers)| (*x, integers.as_slice()))
            .collect()
    }

    fn ones(&self) -> impl Iterator<Item = Term<'_>> {
        let ones = self.ones.iter();
        ones.map(|(x, write)| (*x, Multiplier::Coefficients(&**write)))
    }
}

impl Evaluator {
    /// The linear combination `sum_i a_i round(r_i s)` of ciphertexts of one level and form, in one pass with one modular
    /// reduction. Every slot of `a_i` is multiplied by the scalar `r_i`, so nothing is encoded.
    ///
    /// # Errors
    /// When the lists are empty or of different lengths, ciphertexts differ in level or form, or an `r_i s` is not finite or does
    /// not fit in the modulus.
    pub fn dot_scalar(
        &self,
        a: &[&Ciphertext],
        r: &[f64],
        s: f64,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "dot_scalar";
        expect_as_many(a, r)?;
        let level = a.first().ok_or(CkksError::NoOperands { op: OP })?.level();
        let (integers, largest) = self.integers(level, (r, s))?;
        let ring = self.params.ring();
        self.combine(OP, a, |parts| {
            Ok(ring.dot_constants(parts, |prime| {
                let powers = PowersOfTwo::up_to(ring.modulus(prime), largest);
                integers.iter().map(|&x| powers.residue(x)).collect()
            })?)
        })
    }

    /// The integers `round(r_i s)` for ciphertexts of a level, and the largest magnitude.
    fn integers(&self, level: usize, (r, s): (&[f64], f64)) -> Result<(Vec<f64>, f64), CkksError> {
        let modulus_bits = self.params.ring().log2_product(self.params.row(level)?);
        let integers = r.iter().map(|r| scaled(r * s, modulus_bits));
        let integers = integers.collect::<Result<Vec<f64>, CkksError>>()?;
        let largest = integers.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        Ok((integers, largest))
    }

    /// The sum of products `sum_i a_i p_i` of ciphertexts of one level and form with plaintexts, slot by slot.
    ///
    /// # Errors
    /// When the lists are empty or of different lengths, ciphertexts differ in level or form, or a plaintext lacks a prime.
    pub fn dot<'p, F: Into<Factor<'p>> + Copy>(
        &self,
        a: &[&Ciphertext],
        p: &[F],
    ) -> Result<Ciphertext, CkksError> {
        let first = self.expect_products(a, p.len())?;
        let basis = first.form().basis(&self.params, first.level())?;
        let ring = self.params.ring();
        let (mut terms, mut messages) = (Vec::new(), Vec::new());
        for (a, &factor) in a.iter().zip(p) {
            match factor.into() {
                Factor::Plaintext(p) => terms.push((a.parts(), Multiplier::Values(p.short()))),
                Factor::Message(message) => messages.push((a.parts(), message)),
            }
        }
        let messages = Messages::new(ring, &messages);
        terms.extend(messages.ones());
        let parts = ring.dot_parts(basis, &messages.twos(), &terms)?;
        Ok(Ciphertext::new(parts, first.level(), first.form()))
    }

    /// The first ciphertext of products, one with each of so many plaintexts.
    fn expect_products<'a>(
        &self,
        a: &[&'a Ciphertext],
        plaintexts: usize,
    ) -> Result<&'a Ciphertext, CkksError> {
        if a.len() != plaintexts {
            return Err(CkksError::DotLengths {
                ciphertexts: a.len(),
                plaintexts,
            });
        }
        let first = *a.first().ok_or(CkksError::NoOperands { op: "dot" })?;
        a.iter()
            .try_for_each(|term| self.expect_alike("dot", first, term))?;
        Ok(first)
    }

    /// What [`Self::dot`] gives for the same ciphertexts and each list of factors. The ciphertexts are read once for all plaintexts
    /// whose slots repeat.
    ///
    /// # Errors
    /// When [`Self::dot`] has an error for one of the lists.
    pub fn dots<'p, F: Into<Factor<'p>> + Copy>(
        &self,
        a: &[&Ciphertext],
        p: &[&[F]],
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let Some(first) = a.first().filter(|_| !p.is_empty()) else {
            return p.iter().map(|p| self.dot(a, p)).collect();
        };
        let ring = self.params.ring();
        let (mut weights, mut terms, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        for p in p {
            self.expect_products(a, p.len())?;
            let (mut of_row, mut others, mut to_transform) = (Vec::new(), Vec::new(), Vec::new());
            for (a, &factor) in a.iter().zip(*p) {
                let factor = factor.into();
                of_row.push(match factor {
                    Factor::Plaintext(p) if ring.is_short(p.short()) => Weight::Short(p.short()),
                    _ => Weight::None,
                });
                match factor {
                    Factor::Plaintext(p) if !ring.is_short(p.short()) => {
                        others.push((a.parts(), Multiplier::Values(p.short())));
                    }
                    Factor::Plaintext(_) => {}
                    Factor::Message(message) => to_transform.push((a.parts(), message)),
                }
            }
            weights.push(of_row);
            terms.push(others);
            messages.push(Messages::new(ring, &to_transform));
        }
        for (terms, messages) in terms.iter_mut().zip(&messages) {
            terms.extend(messages.ones());
        }
        let twos: Vec<_> = messages.iter().map(Messages::twos).collect();
        let rows = weights.iter().zip(&twos).zip(&terms);
        let rows = rows.map(|((weights, twos), terms)| Row {
            weights,
            twos,
            terms,
        });
        self.rows(first, a, &rows.collect::<Vec<_>>())
    }

    /// What [`Self::dot_scalar`] gives for the same ciphertexts and each list of scalars with its scale. The ciphertexts are read
    /// once for all of them.
    ///
    /// # Errors
    /// When [`Self::dot_scalar`] has an error for one of the lists, or ciphertexts differ in form.
    pub fn dot_scalars(
        &self,
        a: &[&Ciphertext],
        r: &[(&[f64], f64)],
    ) -> Result<Vec<Ciphertext>, CkksError> {
        const OP: &str = "dot_scalar";
        let first = *a.first().ok_or(CkksError::NoOperands { op: OP })?;
        a.iter()
            .try_for_each(|term| self.expect_alike(OP, first, term))?;
        let ring = self.params.ring();
        let primes = first.form().basis(&self.params, first.level())?.primes();
        let mut residues = Vec::with_capacity(r.len());
        for &numbers in r {
            expect_as_many(a, numbers.0)?;
            let (integers, largest) = self.integers(first.level(), numbers)?;
            let powers = primes
                .iter()
                .map(|&p| PowersOfTwo::up_to(ring.modulus(p), largest));
            let powers: Vec<PowersOfTwo<'_>> = powers.collect();
            let residue = |x: &f64| powers.iter().map(|powers| powers.residue(*x)).collect();
            residues.push(integers.iter().map(residue).collect::<Vec<Vec<u64>>>());
        }
        let weights = residues.iter().map(|residues| {
            let weights = residues.iter();
            weights.map(|x| Weight::Number(x)).collect()
        });
        let weights: Vec<Vec<Weight<'_>>> = weights.collect();
        let rows = weights.iter().map(|weights| Row {
            weights,
            twos: &[],
            terms: &[],
        });
        self.rows(first, a, &rows.collect::<Vec<_>>())
    }

    /// Sums over the parts of ciphertexts that are like the first.
    fn rows(
        &self,
        first: &Ciphertext,
        a: &[&Ciphertext],
        rows: &[Row<'_>],
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let basis = first.form().basis(&self.params, first.level())?;
        let operands: Vec<Parts<'_>> = a.iter().map(|a| a.parts()).collect();
        let sums = self.params.ring().dots(basis, &operands, rows)?;
        let sums = sums.into_iter();
        Ok(sums
            .map(|parts| Ciphertext::new(parts, first.level(), first.form()))
            .collect())
    }
}
