//! Cleartext slots: real numbers, and imaginary parts only once something makes them.

/// The slots of a simulated ciphertext.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slots {
    pub(super) re: Vec<f64>,
    /// `None` while every slot is real.
    pub(super) im: Option<Vec<f64>>,
}

impl Slots {
    pub(super) fn real(re: Vec<f64>) -> Self {
        Self { re, im: None }
    }

    /// Sum of several.
    pub(super) fn sum(terms: &[&Self]) -> Self {
        let mut terms = terms.iter();
        let mut sum = terms.next().map_or(Self::real(Vec::new()), |&s| s.clone());
        for term in terms {
            zip(&mut sum.re, &term.re, |x, y| *x += y);
            if let Some(im) = &term.im {
                zip(sum.imaginary(), im, |x, y| *x += y);
            }
        }
        sum
    }

    /// `a - b`.
    pub(super) fn sub(&self, b: &Self) -> Self {
        Self::sum(&[self, &b.scaled(-1.0)])
    }

    /// Every slot times a real number.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        self.each_part(|part| part.iter().map(|x| factor * x).collect())
    }

    /// `a + p` with real `p`.
    pub(super) fn add_real(&self, p: &[f64]) -> Self {
        let mut sum = self.clone();
        zip(&mut sum.re, p, |x, y| *x += y);
        sum
    }

    /// `a_1 * p_1 + a_2 * p_2 + ...` with real `p`.
    pub(super) fn dot(ciphers: &[&Self], plains: &[&[f64]]) -> Self {
        let slots = ciphers.first().map_or(0, |a| a.re.len());
        let mut sum = Self::real(vec![0.0; slots]);
        for (a, p) in ciphers.iter().zip(plains) {
            multiply_add(&mut sum.re, &a.re, p);
            if let Some(im) = &a.im {
                multiply_add(sum.imaginary(), im, p);
            }
        }
        sum
    }

    /// `a * b`.
    pub(super) fn mul(&self, b: &Self) -> Self {
        let mut re = product(&self.re, &b.re);
        let im = match (&self.im, &b.im) {
            (None, None) => None,
            (Some(im), None) => Some(product(im, &b.re)),
            (None, Some(im)) => Some(product(&self.re, im)),
            (Some(x), Some(y)) => {
                zip(&mut re, &product(x, y), |r, xy| *r -= xy);
                let mut im = product(x, &b.re);
                multiply_add(&mut im, &self.re, y);
                Some(im)
            }
        };
        Self { re, im }
    }

    /// Rotates to the left.
    pub(super) fn rotate(&self, by: usize) -> Self {
        self.each_part(|part| {
            let mut part = part.to_vec();
            let by = by % part.len().max(1);
            part.rotate_left(by);
            part
        })
    }

    /// Conjugates every slot.
    pub(super) fn conjugate(&self) -> Self {
        let im = self.im.as_ref();
        Self {
            re: self.re.clone(),
            im: im.map(|im| im.iter().map(|x| -x).collect()),
        }
    }

    /// Multiplies slot `j` by `zeta^(5^j * exponent)`, `zeta = exp(i pi / N)`: what `X^exponent` is there.
    pub(super) fn mul_monomial(&self, exponent: u32) -> Self {
        let slots = self.re.len() as u64;
        let (quarter, full) = (slots, 4 * slots);
        let exponent = u64::from(exponent) % full.max(1);
        // Multiples of N / 2 are powers of i in every slot, because 5^j = 1 modulo 4.
        if quarter != 0 && exponent.is_multiple_of(quarter) {
            return (0..exponent / quarter).fold(self.clone(), |s, _| s.times_i());
        }
        let mut power = 1u64;
        let roots = (0..slots).map(|_| {
            let turn = (power * exponent) % full;
            power = power * 5 % full;
            (std::f64::consts::TAU * turn as f64 / full as f64).sin_cos()
        });
        let (sin, cos): (Vec<f64>, Vec<f64>) = roots.unzip();
        self.mul(&Self {
            re: cos,
            im: Some(sin),
        })
    }

    fn times_i(&self) -> Self {
        let minus = |part: &Vec<f64>| part.iter().map(|x| -x).collect();
        let zero = || vec![0.0; self.re.len()];
        let re = self.im.as_ref().map_or_else(zero, minus);
        if self.re.iter().all(|&x| x == 0.0) {
            return Self { re, im: None };
        }
        Self {
            re,
            im: Some(self.re.clone()),
        }
    }

    /// The largest magnitude of a real or imaginary part.
    pub(super) fn magnitude(&self) -> f64 {
        let largest = |part: &[f64]| part.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        largest(&self.re).max(self.im.as_deref().map_or(0.0, largest))
    }

    fn imaginary(&mut self) -> &mut Vec<f64> {
        let slots = self.re.len();
        self.im.get_or_insert_with(|| vec![0.0; slots])
    }

    fn each_part(&self, f: impl Fn(&[f64]) -> Vec<f64>) -> Self {
        Self {
            re: f(&self.re),
            im: self.im.as_deref().map(f),
        }
    }
}

fn zip(into: &mut [f64], from: &[f64], f: impl Fn(&mut f64, f64)) {
    into.iter_mut().zip(from).for_each(|(x, &y)| f(x, y));
}

fn product(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x * y).collect()
}

fn multiply_add(into: &mut [f64], a: &[f64], b: &[f64]) {
    let factors = a.iter().zip(b);
    into.iter_mut()
        .zip(factors)
        .for_each(|(s, (x, y))| *s += x * y);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_degree_multiplies_by_i() {
        let s = Slots::real(vec![1.0, 2.0, -3.0, 4.0]);
        let i = s.mul_monomial(4);
        assert_eq!(i.im, Some(s.re.clone()));
        assert_eq!(s.mul_monomial(8), s.scaled(-1.0));
        assert_eq!(i.mul_monomial(4), s.scaled(-1.0));
        assert_eq!(s.mul_monomial(12), i.scaled(-1.0));
    }

    #[test]
    fn monomials_compose() {
        let s = Slots::real(vec![1.0, 2.0, -3.0, 4.0]);
        let (once, twice) = (s.mul_monomial(3).mul_monomial(6), s.mul_monomial(9));
        for (x, y) in once.re.iter().zip(&twice.re) {
            assert!((x - y).abs() < 1e-12);
        }
    }

    #[test]
    fn rotation_is_to_the_left() {
        let s = Slots::real(vec![0.0, 1.0, 2.0, 3.0]);
        assert_eq!(s.rotate(1).re, [1.0, 2.0, 3.0, 0.0]);
    }
}
