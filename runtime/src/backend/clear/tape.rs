//! A tape of normal numbers, from which simulated noise is read: every value and image has a place of its own on it. Reading takes a
//! tenth of the time that drawing takes.

use super::random::Normal;
use std::sync::Arc;

/// How many numbers a tape has; places are taken modulo that.
const LENGTH: usize = 1 << 17;
/// The most numbers that are read in one piece.
pub(super) const PIECE: usize = 1024;

/// Normal numbers of mean 0 and standard deviation 1, whose beginning is repeated at the end.
#[derive(Debug)]
pub(super) struct Tape {
    numbers: Vec<f64>,
}

impl Tape {
    /// The tape of a seed. Mean and deviation are exact: all values share them, so an error of theirs would add up.
    pub(super) fn new(seed: u64) -> Self {
        let mut normal = Normal::new(seed, 0, 0);
        let mut numbers: Vec<f64> = (0..LENGTH).map(|_| normal.next()).collect();
        let mean = numbers.iter().sum::<f64>() / LENGTH as f64;
        numbers.iter_mut().for_each(|x| *x -= mean);
        let variance = numbers.iter().map(|x| x * x).sum::<f64>() / LENGTH as f64;
        let deviation = variance.sqrt();
        numbers.iter_mut().for_each(|x| *x /= deviation);
        numbers.extend_from_within(..PIECE);
        Self { numbers }
    }

    /// So many numbers from a place on, at most [`PIECE`].
    fn piece(&self, place: usize, length: usize) -> &[f64] {
        let place = place % LENGTH;
        self.numbers.get(place..place + length).unwrap_or_default()
    }
}

/// Errors of slots that repeat after a power of two, read from a tape.
#[derive(Clone, Debug)]
pub(super) struct Errors {
    pub(super) tape: Arc<Tape>,
    /// Where on the tape they begin: those of the real parts, then those of the imaginary parts.
    pub(super) place: usize,
    /// Their standard deviation.
    pub(super) deviation: f64,
    /// After how many slots they repeat.
    pub(super) period: usize,
}

/// Parts of complex slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Real,
    Imaginary,
}

impl Errors {
    /// Adds the errors of slots from `start` on, a multiple of [`PIECE`].
    pub(super) fn add_to(&self, slots: &mut [f64], part: Part, start: usize) {
        let place = match part {
            Part::Real => self.place,
            Part::Imaginary => self.place + self.period,
        };
        let length = self.period.clamp(1, PIECE);
        for (i, slots) in slots.chunks_mut(length).enumerate() {
            let at = (start + i * length) % self.period.max(1);
            let errors = self.tape.piece(place + at, slots.len());
            let slots = slots.iter_mut().zip(errors);
            slots.for_each(|(x, error)| *x += self.deviation * error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(place: usize, period: usize) -> Errors {
        Errors {
            tape: Arc::new(Tape::new(3)),
            place,
            deviation: 0.5,
            period,
        }
    }

    fn read(errors: &Errors, part: Part, slots: usize) -> Vec<f64> {
        let mut read = vec![0.0; slots];
        errors.add_to(&mut read, part, 0);
        read
    }

    #[test]
    fn a_tape_has_exact_moments_and_the_tails_of_normal_numbers() {
        let tape = Tape::new(7);
        let numbers = &tape.numbers[..LENGTH];
        let mean = numbers.iter().sum::<f64>() / LENGTH as f64;
        let variance = numbers.iter().map(|x| x * x).sum::<f64>() / LENGTH as f64;
        assert!(mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-12);
        let beyond = numbers.iter().filter(|x| x.abs() > 2.0).count();
        let share = beyond as f64 / LENGTH as f64;
        assert!((0.043..0.048).contains(&share), "{share}");
    }

    #[test]
    fn errors_repeat_and_those_of_both_parts_differ() {
        for period in [1, 8, 2048] {
            let errors = errors(LENGTH - 5, period);
            let (re, im) = (
                read(&errors, Part::Real, 4096),
                read(&errors, Part::Imaginary, 4096),
            );
            assert!((period..4096).all(|t| re[t] == re[t - period]), "{period}");
            assert!(re.iter().zip(&im).all(|(x, y)| x != y), "{period}");
            // Read from the middle, they are the same.
            let mut rest = vec![0.0; 2048];
            errors.add_to(&mut rest, Part::Real, 2048);
            assert_eq!(rest, re[2048..]);
        }
    }

    #[test]
    fn errors_of_different_places_have_nothing_in_common() {
        let slots = 1 << 14;
        let [x, y] = [100, 5_000].map(|place| read(&errors(place, slots), Part::Real, slots));
        let product: f64 = x.iter().zip(&y).map(|(x, y)| x * y).sum();
        let correlation = product / (slots as f64 * 0.25);
        assert!(correlation.abs() < 0.04, "{correlation}");
    }
}
