//! Cleartext slots: real numbers, and imaginary parts only once something makes them.

use super::tape::{Errors, PIECE, Part};
use crate::ckks::Complex64;
use std::ops::Range;

/// The number of elements of a sum of products that are finished before the next ones: what fits the smallest cache.
const BLOCK: usize = PIECE;

/// The slots of a simulated ciphertext. Those of several images lie one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slots {
    pub(super) re: Vec<f64>,
    /// `None` while every slot is real.
    pub(super) im: Option<Vec<f64>>,
}

impl From<peregrine_ir::Slots> for Slots {
    fn from(slots: peregrine_ir::Slots) -> Self {
        let peregrine_ir::Slots { re, im } = slots;
        Self { re, im }
    }
}

impl Slots {
    pub(super) fn real(re: Vec<f64>) -> Self {
        Self { re, im: None }
    }

    /// The sum of several slot vectors.
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

    /// The difference `a - b`.
    pub(super) fn sub(&self, b: &Self) -> Self {
        Self::sum(&[self, &b.scaled(-1.0)])
    }

    /// Every slot times a scalar.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        self.each_part(|part| part.iter().map(|x| factor * x).collect())
    }

    /// The sum `a + p` with a plaintext.
    pub(super) fn add_plain(&self, p: Factor<'_>) -> Self {
        let mut sum = self.clone();
        add_all(&mut sum.re, p.re());
        if let Some(im) = p.im() {
            add_all(sum.imaginary(), im);
        }
        sum
    }

    /// The sum of products `a_1 * p_1 + a_2 * p_2 + ...` with plaintexts.
    pub(super) fn dot(ciphers: &[&Self], plains: &[Factor<'_>]) -> Self {
        let slots = ciphers.first().map_or(0, |a| a.re.len());
        let mut sum = Self::real(vec![0.0; slots]);
        let terms = || ciphers.iter().zip(plains);
        let real: Vec<_> = terms().map(|(a, p)| (a.re.as_slice(), p.re())).collect();
        multiply_add_all(&mut sum.re, &real);
        let lost = terms().filter_map(|(a, p)| Some((a.im.as_deref()?, p.im()?)));
        let lost: Vec<_> = lost.collect();
        if !lost.is_empty() {
            let mut squares = vec![0.0; slots];
            multiply_add_all(&mut squares, &lost);
            zip(&mut sum.re, &squares, |x, y| *x -= y);
        }
        let imaginary = terms().filter_map(|(a, p)| Some((a.im.as_deref()?, p.re())));
        let turned = terms().filter_map(|(a, p)| Some((a.re.as_slice(), p.im()?)));
        let imaginary: Vec<_> = imaginary.chain(turned).collect();
        if !imaginary.is_empty() {
            multiply_add_all(sum.imaginary(), &imaginary);
        }
        sum
    }

    /// The product `a * b`, slot by slot.
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

    /// The slots of each image, `width` slots long, rotated to the left.
    pub(super) fn rotate(&self, by: usize, width: usize) -> Self {
        let width = width.max(1);
        self.each_part(|part| {
            let mut rotated = Vec::with_capacity(part.len());
            for image in part.chunks(width) {
                let (front, back) = image.split_at(by % image.len());
                rotated.extend_from_slice(back);
                rotated.extend_from_slice(front);
            }
            rotated
        })
    }

    /// The slots in another ring. In a smaller one slot `j` of each image becomes the mean of its slots `j + i * to`, of which there
    /// are `from` now; in a larger one they repeat.
    pub(super) fn switched(&self, (from, to): (usize, usize)) -> Self {
        let (from, to) = (from.max(1), to.max(1));
        if to > from {
            return self.each_part(|part| {
                let images = part.chunks(from);
                images.flat_map(|image| image.repeat(to / from)).collect()
            });
        }
        let share = to as f64 / from as f64;
        self.each_part(|part| {
            let mut means = vec![0.0; part.len() / from * to];
            for (mean, image) in means.chunks_mut(to).zip(part.chunks(from)) {
                image
                    .chunks(to)
                    .for_each(|slots| zip(mean, slots, |x, y| *x += share * y));
            }
            means
        })
    }

    /// The complex conjugate of every slot.
    pub(super) fn conjugate(&self) -> Self {
        let im = self.im.as_ref();
        Self {
            re: self.re.clone(),
            im: im.map(|im| im.iter().map(|x| -x).collect()),
        }
    }

    /// The product with `X^exponent`: slot `j` of each image of `width` slots times `zeta^(5^j * exponent)`, `zeta =
    /// exp(i pi / N)`.
    pub(super) fn mul_monomial(&self, exponent: u32, width: usize) -> Self {
        let slots = width as u64;
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
        let images = self.re.len() / width.max(1);
        self.mul(&Self {
            re: cos.repeat(images),
            im: Some(sin.repeat(images)),
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

    /// The largest magnitude of any real or imaginary part.
    pub(super) fn magnitude(&self) -> f64 {
        let largest = |part: &[f64]| part.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        largest(&self.re).max(self.im.as_deref().map_or(0.0, largest))
    }

    /// Some of the slots as complex numbers.
    pub(super) fn complex(&self, at: Range<usize>) -> impl Iterator<Item = Complex64> + '_ {
        at.map(|i| {
            let im = self.im.as_ref().and_then(|im| im.get(i));
            Complex64::new(self.re[i], im.copied().unwrap_or(0.0))
        })
    }

    /// The smallest power of two after which all slots repeat; their number, where there is none.
    pub(super) fn period(&self) -> usize {
        let parts = || [Some(&self.re), self.im.as_ref()].into_iter().flatten();
        let repeats = |period: usize| {
            parts().all(|part| {
                let first = part.get(..2 * period).unwrap_or_default();
                let (low, high) = first.split_at(first.len() / 2);
                low == high
            })
        };
        let mut period = self.re.len().max(1);
        while period.is_multiple_of(2) && repeats(period / 2) {
            period /= 2;
        }
        period
    }

    pub(super) fn imaginary(&mut self) -> &mut Vec<f64> {
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

/// A plaintext as a factor: slots that all images share, and the errors that they have for all but the first ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor<'p> {
    pub(super) slots: &'p Slots,
    /// The errors of the slots, where they have any.
    pub(super) errors: Option<&'p Errors>,
    /// The number of first images, for which slots have no errors.
    pub(super) twins: usize,
}

impl<'p> Factor<'p> {
    /// The real parts of the factor.
    fn re(self) -> RealFactor<'p> {
        RealFactor {
            slots: &self.slots.re,
            part: Part::Real,
            of: self,
        }
    }

    /// The imaginary parts of the factor; `None` where all slots are real.
    fn im(self) -> Option<RealFactor<'p>> {
        Some(RealFactor {
            slots: self.slots.im.as_deref()?,
            part: Part::Imaginary,
            of: self,
        })
    }
}

/// The real or the imaginary parts of a plaintext.
#[derive(Clone, Copy, Debug)]
struct RealFactor<'p> {
    slots: &'p [f64],
    part: Part,
    of: Factor<'p>,
}

impl RealFactor<'_> {
    /// Calls `f` with pieces of every image and the factors for them.
    fn for_each_piece(&self, images: usize, mut f: impl FnMut(Range<usize>, &[f64])) {
        let width = self.slots.len();
        for start in (0..width).step_by(BLOCK) {
            self.for_images((start, images), &mut f);
        }
    }

    /// The same for the pieces that begin at slot `start`.
    fn for_images(
        &self,
        (start, images): (usize, usize),
        f: &mut impl FnMut(Range<usize>, &[f64]),
    ) {
        let width = self.slots.len();
        let length = BLOCK.min(width.saturating_sub(start));
        let Some(exact) = self.slots.get(start..start + length) else {
            return;
        };
        let Factor { errors, twins, .. } = self.of;
        let mut disturbed = [0.0; BLOCK];
        let noisy = match (errors, disturbed.get_mut(..length)) {
            (Some(errors), Some(disturbed)) => {
                disturbed.copy_from_slice(exact);
                errors.add_to(disturbed, self.part, start);
                disturbed
            }
            _ => exact,
        };
        for image in 0..images {
            let at = image * width + start;
            f(at..at + length, if image < twins { exact } else { noisy });
        }
    }
}

/// Adds `p`, as long as one image, to every image.
fn add_all(into: &mut [f64], p: RealFactor<'_>) {
    let images = into.len() / p.slots.len().max(1);
    p.for_each_piece(images, |at, p| {
        if let Some(sum) = into.get_mut(at) {
            zip(sum, p, |x, y| *x += y);
        }
    });
}

/// Adds `a_1 * p_1 + a_2 * p_2 + ...`, every `p` as long as one image, `into` and every `a` as long as all of them.
///
/// The sum is computed block by block, for all images at once: sums stay in the cache, and so do the plaintexts that the images share.
fn multiply_add_all(into: &mut [f64], terms: &[(&[f64], RealFactor<'_>)]) {
    let width = terms.first().map_or(1, |(_, p)| p.slots.len()).max(1);
    let images = into.len() / width;
    for start in (0..width).step_by(BLOCK) {
        for (a, p) in terms {
            p.for_images((start, images), &mut |at: Range<usize>, p: &[f64]| {
                if let (Some(sum), Some(a)) = (into.get_mut(at.clone()), a.get(at)) {
                    multiply_add(sum, a, p);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tape::Tape;
    use super::*;
    use std::sync::Arc;

    fn exact(slots: &Slots) -> Factor<'_> {
        Factor {
            slots,
            errors: None,
            twins: 0,
        }
    }

    #[test]
    fn half_the_degree_multiplies_by_i() {
        let s = Slots::real(vec![1.0, 2.0, -3.0, 4.0]);
        let i = s.mul_monomial(4, 4);
        assert_eq!(i.im, Some(s.re.clone()));
        assert_eq!(s.mul_monomial(8, 4), s.scaled(-1.0));
        assert_eq!(i.mul_monomial(4, 4), s.scaled(-1.0));
        assert_eq!(s.mul_monomial(12, 4), i.scaled(-1.0));
    }

    #[test]
    fn monomials_compose() {
        let s = Slots::real(vec![1.0, 2.0, -3.0, 4.0]);
        let (once, twice) = (
            s.mul_monomial(3, 4).mul_monomial(6, 4),
            s.mul_monomial(9, 4),
        );
        for (x, y) in once.re.iter().zip(&twice.re) {
            assert!((x - y).abs() < 1e-12);
        }
    }

    #[test]
    fn rotation_is_to_the_left() {
        let s = Slots::real(vec![0.0, 1.0, 2.0, 3.0]);
        assert_eq!(s.rotate(1, 4).re, [1.0, 2.0, 3.0, 0.0]);
    }

    #[test]
    fn slots_are_averaged_with_those_that_repeat() {
        let s = Slots::real(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(s.switched((8, 4)).re, [3.0, 4.0, 5.0, 6.0]);
        assert_eq!(s.switched((8, 2)).re, [4.0, 5.0]);
        assert_eq!(s.switched((4, 2)).re, [2.0, 3.0, 6.0, 7.0]);
        assert_eq!(
            s.switched((4, 8)).re,
            [s.re[..4].repeat(2), s.re[4..].repeat(2)].concat()
        );
        let i = s.mul_monomial(8, 8).switched((8, 4));
        assert_eq!(i.im, Some(s.switched((8, 4)).re));
    }

    #[test]
    fn images_side_by_side_do_not_meet() {
        let (one, two) = (vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0, 7.0, 8.0]);
        let both = Slots::real([one.clone(), two.clone()].concat());
        let (re, im) = (vec![0.5, 1.0, 2.0, -1.0], vec![0.0, -2.0, 1.0, 3.0]);
        let real = Slots::real(re.clone());
        let complex = Slots { re, im: Some(im) };
        let [plain, complex] = [&real, &complex].map(|slots| exact(slots));
        let apply = |f: &dyn Fn(&Slots) -> Slots| {
            let alone = [f(&Slots::real(one.clone())), f(&Slots::real(two.clone()))];
            let together = f(&both);
            assert_eq!(together.re, [&alone[0].re[..], &alone[1].re].concat());
            let im = |s: &Slots| s.im.clone().unwrap_or_default();
            assert_eq!(im(&together), [im(&alone[0]), im(&alone[1])].concat());
        };
        apply(&|s| s.rotate(3, 4));
        apply(&|s| s.switched((4, 2)));
        apply(&|s| s.mul_monomial(3, 4).switched((4, 1)));
        apply(&|s| s.add_plain(plain));
        apply(&|s| s.add_plain(complex));
        apply(&|s| Slots::dot(&[s, &s.mul_monomial(4, 4)], &[plain, plain]));
        apply(&|s| Slots::dot(&[s, &s.mul_monomial(3, 4)], &[complex, plain]));
        apply(&|s| s.mul_monomial(3, 4));
    }

    #[test]
    fn products_with_complex_plaintexts_are_complex_products() {
        // (1 + 2i)(3 - i) = 5 + 5i, (-2)(4i) = -8i.
        let a = Slots {
            re: vec![1.0, -2.0],
            im: Some(vec![2.0, 0.0]),
        };
        let p = Slots {
            re: vec![3.0, 0.0],
            im: Some(vec![-1.0, 4.0]),
        };
        let factor = exact(&p);
        let product = Slots::dot(&[&a], &[factor]);
        assert_eq!(product.re, [5.0, 0.0]);
        assert_eq!(product.im, Some(vec![5.0, -8.0]));
        let real = Slots::real(vec![1.0, -2.0]);
        let product = Slots::dot(&[&real, &a], &[factor, factor]);
        assert_eq!(product.re, [8.0, 0.0]);
        assert_eq!(product.im, Some(vec![4.0, -16.0]));
        let sum = real.add_plain(factor);
        assert_eq!((sum.re, sum.im), (vec![4.0, -2.0], p.im));
    }

    #[test]
    fn all_but_twins_have_errors() {
        let images = Slots {
            re: (0..9).map(f64::from).collect(),
            im: Some((0..9).map(|x| f64::from(x * x)).collect()),
        };
        // Two slots of which the errors repeat, in three images.
        let [twin, one, two] = [0, 1, 2].map(|i| Slots {
            re: images.re[2 * i..2 * i + 2].to_vec(),
            im: images.im.as_ref().map(|im| im[2 * i..2 * i + 2].to_vec()),
        });
        let three = Slots {
            re: [&twin.re[..], &one.re, &two.re].concat(),
            im: Some([&twin, &one, &two].map(|s| s.im.clone().unwrap()).concat()),
        };
        let plain = Slots {
            re: vec![10.0, 20.0],
            im: Some(vec![-1.0, 3.0]),
        };
        let errors = Errors {
            tape: Arc::new(Tape::new(1)),
            place: 77,
            deviation: 1.0,
            period: 1,
        };
        let mut disturbed = plain.clone();
        errors.add_to(&mut disturbed.re, Part::Real, 0);
        errors.add_to(disturbed.im.as_mut().unwrap(), Part::Imaginary, 0);
        let factor = Factor {
            slots: &plain,
            errors: Some(&errors),
            twins: 1,
        };
        let apart = |f: &dyn Fn(&Slots, Factor<'_>) -> Slots| {
            let together = f(&three, factor);
            let alone = [(&twin, &plain), (&one, &disturbed), (&two, &disturbed)];
            let alone = alone.map(|(image, plain)| f(image, exact(plain)));
            assert_eq!(together.re, alone.clone().map(|s| s.re).concat());
            assert_eq!(together.im.unwrap(), alone.map(|s| s.im.unwrap()).concat());
        };
        apart(&|s, p| s.add_plain(p));
        apart(&|s, p| Slots::dot(&[s, &s.times_i()], &[p, p]));
    }
}
