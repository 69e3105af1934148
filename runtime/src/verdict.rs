//! When an answer is garbage: one rule for everything that computes or decrypts one.
//!
//! An answer is garbage when one of these holds of one of its outputs, each as it is decrypted:
//!
//! 1. **Precision.** Less than [`LEAST_BITS`] of its largest value are right, or [`TOLERANCE_BITS`] fewer than predicted.
//!    Predictions by simulated noise are within 2 bits of what is measured; 2 more are the margin that headroom has above
//!    samples, because noise grows with messages, and 2 are for draws of the noise that nobody has seen. A message that wraps
//!    around its modulus costs all the bits there are.
//! 2. **Headroom.** A value is too large for the modulus that it has to be read from. A client that sees zeros where they should be
//!    knows better: a message that wraps around leaves few.
//! 3. **Noise**, where only the client's key tells: slots that the packing declares zero are not, or replicas of one element
//!    differ, by [`TOLERANCE_BITS`] more than predicted. Both hold whatever a circuit does with the imaginary parts of slots;
//!    those count only where a packing has neither zeros nor replicas.
//! 4. **Range.** A value is beyond what the output is expected to reach, by the margin that headroom has; and somebody vouches
//!    for what is expected, or the value is so close to the modulus that others may have wrapped around.
//!
//! 5. **Refreshes**, where the interface says that imaginary parts tell of them: these are beyond their limit. Some value was refreshed that
//!    was far outside its bound, and what came back is a number like any other.
//!
//! Everything here is a function of numbers.

use crate::ckks::Complex64;
use crate::simulate::Deviation;
use peregrine_ir::{Expectation, Layout, Origin, Place as SlotPlace};
use std::fmt;
use std::ops::Deref;

/// Bits of the largest value of an output that must be right.
pub const LEAST_BITS: f64 = 1.0;
/// By how many bits precision and noise may miss what is predicted.
pub const TOLERANCE_BITS: f64 = 6.0;
/// By how many bits values may exceed what is expected: what headroom has above samples.
pub const MARGIN_BITS: f64 = 2.0;
/// What part of the modulus is close to it.
const CLOSE: f64 = 1.0 / 16.0;
/// How far below what the modulus holds zeros have to be to show that nothing wrapped around.
const WHOLE_BITS: f64 = -12.0;
/// Slots from which noise is judged, at least.
const FEWEST_SLOTS: usize = 8;

/// Why an answer is garbage.
#[derive(Clone, Debug, PartialEq, thiserror::Error, serde::Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum Fault {
    #[error(
        "output `{output}`: less than one bit is right, the largest value is {} and the largest error {}",
        number(*.largest), number(*.error)
    )]
    Drowned {
        output: String,
        largest: f64,
        error: f64,
    },
    #[error(
        "output `{output}`: {} bits of the largest value are right, {predicted_bits:.1} are predicted", bits(*.measured_bits)
    )]
    Imprecise {
        output: String,
        measured_bits: f64,
        predicted_bits: f64,
    },
    #[error("output `{output}`: {reason}")]
    Unreadable { output: String, reason: String },
    #[error("{place} reaches {}, the modulus holds values below {}", number(*.value), number(*.limit))]
    Overflow {
        place: Place,
        value: f64,
        limit: f64,
    },
    #[error(
        "output `{output}`: noise of {} in {source_of}{}", number(*.measured), instead(*.predicted)
    )]
    Noise {
        output: String,
        source_of: NoiseSource,
        measured: f64,
        predicted: Option<f64>,
    },
    #[error(
        "output `{output}`: a refresh changed values, by {} where right ones leave less than {}: some value was far outside the range \
         that was known when the model was compiled", number(*.measured), number(*.limit)
    )]
    Refresh {
        output: String,
        measured: f64,
        limit: f64,
    },
    #[error(
        "output `{output}` reaches {}, no more than {} is expected ({origin})", number(*.value), number(*.expected)
    )]
    Range {
        output: String,
        value: f64,
        expected: f64,
        origin: Origin,
    },
}

/// The place of a value that is too large.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A value that a node of the model computes, by the node's name.
    Node(String),
    /// A value of an input, by its name.
    Input(String),
    /// A value of an output, by its name.
    Output(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node `{name}`"),
            Self::Input(name) => write!(f, "input `{name}`"),
            Self::Output(name) => write!(f, "output `{name}`"),
        }
    }
}

/// Slots from which the holder of the secret key can see the noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseSource {
    /// Slots that the packing declares zero.
    Zeros,
    /// Slots that hold replicas of one element.
    Replicas,
    /// The imaginary parts of slots.
    ImaginaryParts,
}

impl fmt::Display for NoiseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zeros => "slots that hold nothing",
            Self::Replicas => "replicas of the same values",
            Self::ImaginaryParts => "imaginary parts",
        })
    }
}

/// Root mean square deviation of some slots from what they should hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Spread {
    /// The deviation.
    pub deviation: f64,
    /// Number of slots, less those that the means of replicas take away.
    pub slots: usize,
}

impl Spread {
    /// The spread of deviations with this sum of squares in so many slots.
    pub fn from_squares(squares: f64, slots: usize) -> Self {
        Self {
            deviation: (squares / slots.max(1) as f64).sqrt(),
            slots,
        }
    }

    /// The spread of the slots of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let squares = |spread: Self| spread.deviation.powi(2) * spread.slots as f64;
        Self::from_squares(squares(self) + squares(other), self.slots + other.slots)
    }

    fn enough(self, source: NoiseSource) -> Option<(f64, NoiseSource)> {
        (self.slots >= FEWEST_SLOTS).then_some((self.deviation, source))
    }
}

/// The replicas of one element, by Welford's sums.
#[derive(Clone, Copy, Debug, Default)]
struct Replicas {
    count: usize,
    mean: f64,
    /// Sum of squared differences to the mean.
    squares: f64,
    /// The largest magnitude; NaN when there is one.
    largest: f64,
}

impl Replicas {
    fn add(&mut self, x: f64) {
        self.count += 1;
        let before = x - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (x - self.mean);
        // Of a NaN and a number `max` would make the number.
        self.largest = match x.is_nan() || self.largest.is_nan() {
            true => f64::NAN,
            false => self.largest.max(x.abs()),
        };
    }
}

/// What the slots of a decrypted output show about it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Reading {
    /// Number of elements of the output.
    pub elements: usize,
    /// The largest magnitude of an element.
    pub largest: f64,
    /// The magnitude that the modulus holds.
    pub limit: f64,
    /// Spread of the slots that the packing declares zero.
    pub zeros: Spread,
    /// Spread of the replicas of elements around their mean.
    pub replicas: Spread,
    /// Spread of the imaginary parts of all slots.
    pub imaginary: Spread,
    /// The largest magnitude of an imaginary part.
    pub largest_imaginary: f64,
    /// The magnitude below which imaginary parts stay; none where they tell of nothing but noise.
    pub imaginary_limit: Option<f64>,
}

impl Reading {
    /// The reading of the slots of an output's ciphertexts, in a modulus that holds values below `limit`. Imaginary parts stay below
    /// `imaginary_limit`, if they tell of refreshes.
    pub(crate) fn of(
        layout: &Layout,
        ciphertexts: &[impl Deref<Target = [Complex64]>],
        limit: f64,
        imaginary_limit: Option<f64>,
    ) -> Self {
        let elements = layout.elements();
        let mut replicas = vec![Replicas::default(); elements];
        let (mut zeros, mut zero_slots) = (0.0, 0);
        let (mut imaginary, mut slots, mut largest_imaginary): (f64, usize, f64) = (0.0, 0, 0.0);
        for (ciphertext, values) in ciphertexts.iter().enumerate() {
            for (slot, z) in values.iter().enumerate() {
                imaginary += z.im * z.im;
                largest_imaginary = match z.im.is_nan() || largest_imaginary.is_nan() {
                    true => f64::NAN,
                    false => largest_imaginary.max(z.im.abs()),
                };
                slots += 1;
                let (ciphertext, slot) = (ciphertext as u32, slot as u32);
                let element = layout.element_flat(SlotPlace { ciphertext, slot });
                match element.and_then(|element| replicas.get_mut(element)) {
                    Some(replicas) => replicas.add(z.re),
                    None => {
                        zeros += z.re * z.re;
                        zero_slots += 1;
                    }
                }
            }
        }
        let largest = replicas.iter().map(|replicas| replicas.largest);
        let spread: f64 = replicas.iter().map(|replicas| replicas.squares).sum();
        let freedom = replicas.iter().map(|c| c.count.saturating_sub(1)).sum();
        Self {
            elements,
            largest: largest.fold(0.0, |m: f64, x| match m.is_nan() || x.is_nan() {
                true => f64::NAN,
                false => m.max(x),
            }),
            limit,
            zeros: Spread::from_squares(zeros, zero_slots),
            replicas: Spread::from_squares(spread, freedom),
            imaginary: Spread::from_squares(imaginary, slots),
            largest_imaginary,
            imaginary_limit,
        }
    }

    /// The noise that slots show, and in which slots: the larger one of zeros and replicas, else that of the imaginary parts, which show
    /// none where they tell of refreshes.
    pub fn noise(&self) -> (f64, NoiseSource) {
        let zeros = self.zeros.enough(NoiseSource::Zeros);
        let replicas = self.replicas.enough(NoiseSource::Replicas);
        let shown = [zeros, replicas].into_iter().flatten();
        let shown = shown.max_by(|a, b| a.0.total_cmp(&b.0));
        let imaginary = match self.imaginary_limit {
            Some(_) => 0.0,
            None => self.imaginary.deviation,
        };
        shown.unwrap_or((imaginary, NoiseSource::ImaginaryParts))
    }

    /// Whether zeros show that no coefficient wrapped around the modulus.
    ///
    /// One that did adds an element of the ring, times twice the limit, whose values in all slots multiply to at least 1 in
    /// magnitude: where it is tiny in half of them, it is huge in the others, beyond what the modulus has.
    fn is_whole(&self) -> bool {
        let enough = 2 * self.zeros.slots >= self.imaginary.slots;
        let zeros = self.zeros.enough(NoiseSource::Zeros).filter(|_| enough);
        zeros.is_some_and(|(deviation, _)| deviation < self.limit * WHOLE_BITS.exp2())
    }

    /// The fault of an output with this reading; none where it is an answer. The first cause is named, because values that are
    /// noise say nothing.
    pub fn fault(&self, output: &str, expected: Option<&Expectation>) -> Option<Fault> {
        let (largest, limit) = (self.largest, self.limit);
        let out_of_room = || {
            let place = Place::Output(output.to_owned());
            let whole = self.is_whole();
            let overflow = (!whole).then(|| overflow(place, largest, limit)).flatten();
            overflow.or_else(|| out_of_range(output, largest, expected?, (!whole).then_some(limit)))
        };
        let noise = || self.loud(output, expected.map(|expected| expected.noise));
        self.changed(output)
            .or_else(noise)
            .or_else(out_of_room)
            .or_else(|| self.drowned(output, expected))
    }

    /// Refreshes that gave back other values.
    fn changed(&self, output: &str) -> Option<Fault> {
        changed(output, self.largest_imaginary, self.imaginary_limit?)
    }

    /// Noise far above the predicted; where nothing is predicted, noise as large as only messages that wrap around leave it.
    fn loud(&self, output: &str, predicted: Option<f64>) -> Option<Fault> {
        let (measured, source_of) = self.noise();
        let most = predicted.map_or(self.limit / 4.0, |noise| noise * TOLERANCE_BITS.exp2());
        exceeds(measured, most).then(|| Fault::Noise {
            output: output.to_owned(),
            source_of,
            measured,
            predicted,
        })
    }

    /// The noise that is predicted for values like these. It grows with messages: inputs that were drawn from an assumed range may
    /// lead to values of any size, and the noise of those says nothing of far smaller ones.
    fn predicted_noise(&self, expected: &Expectation) -> f64 {
        let share = match expected.origin.is_known() || expected.magnitude == 0.0 {
            true => 1.0,
            false => (self.largest / expected.magnitude).min(1.0),
        };
        expected.noise * share
    }

    /// Values as small as their noise.
    fn drowned(&self, output: &str, expected: Option<&Expectation>) -> Option<Fault> {
        let predicted = expected.map_or(0.0, |expected| self.predicted_noise(expected));
        let noise = self.noise().0.max(predicted);
        let deviation = Deviation {
            error: noise * largest_of(self.elements),
            // Of an output that is expected to be zero there are bits after the point.
            largest: match expected.is_some_and(|expected| expected.magnitude == 0.0) {
                true => 0.0,
                false => self.largest.max(f64::MIN_POSITIVE),
            },
        };
        exceeds(LEAST_BITS, deviation.bits()).then(|| Fault::Drowned {
            output: output.to_owned(),
            largest: self.largest,
            error: deviation.error,
        })
    }
}

/// The fault of an output that is further from what it should be than predicted; none where it is precise enough.
pub fn imprecise(output: &str, measured: Deviation, predicted: Option<Deviation>) -> Option<Fault> {
    let output = output.to_owned();
    let bits = measured.bits();
    if exceeds(LEAST_BITS, bits) {
        return Some(Fault::Drowned {
            output,
            largest: measured.largest,
            error: measured.error,
        });
    }
    let predicted_bits = predicted.map(Deviation::bits).filter(|b| b.is_finite())?;
    (bits < predicted_bits - TOLERANCE_BITS).then_some(Fault::Imprecise {
        output,
        measured_bits: bits,
        predicted_bits,
    })
}

/// The fault of an output whose imaginary parts tell that refreshes gave back other values; none where they are within their limit.
pub fn changed(output: &str, largest_imaginary: f64, limit: f64) -> Option<Fault> {
    exceeds(largest_imaginary, limit).then(|| Fault::Refresh {
        output: output.to_owned(),
        measured: largest_imaginary,
        limit,
    })
}

/// The fault of an output whose magnitude is beyond what is expected: by the margin that headroom has, where somebody vouches
/// for that; else where values have come close to a limit beyond which they wrap around unseen.
pub fn out_of_range(
    output: &str,
    largest: f64,
    expected: &Expectation,
    wraps: Option<f64>,
) -> Option<Fault> {
    let Expectation {
        magnitude,
        noise,
        origin,
    } = *expected;
    let most = magnitude * MARGIN_BITS.exp2() + noise * TOLERANCE_BITS.exp2();
    let known = origin.is_known() || wraps.is_some_and(|limit| largest > limit * CLOSE);
    (known && exceeds(largest, most)).then(|| Fault::Range {
        output: output.to_owned(),
        value: largest,
        expected: magnitude,
        origin,
    })
}

/// Whether a number is above a limit, or one of them is no number.
fn exceeds(value: f64, limit: f64) -> bool {
    let within = value <= limit;
    !within
}

/// The fault of a value in a modulus that holds magnitudes below a limit; none where it has room.
pub fn overflow(place: Place, value: f64, limit: f64) -> Option<Fault> {
    (value == limit || exceeds(value, limit)).then_some(Fault::Overflow {
        place,
        value,
        limit,
    })
}

/// Headroom bits that a value needs, the sign and a margin of [`MARGIN_BITS`] included; none for a value that no parameters
/// hold.
pub fn headroom_bits(value: f64) -> Option<u32> {
    let bits = (value.abs().log2() + MARGIN_BITS + 1.0).ceil().max(2.0);
    (bits <= MOST_HEADROOM_BITS).then_some(bits as u32)
}

/// What can be asked for.
const MOST_HEADROOM_BITS: f64 = 40.0;

/// What the largest of so many normal numbers of deviation 1 comes to.
fn largest_of(count: usize) -> f64 {
    (2.0 * (2.0 * count.max(1) as f64).ln()).sqrt()
}

/// What should be there.
fn instead(predicted: Option<f64>) -> String {
    predicted.map_or_else(
        || ": the message has wrapped around its modulus".to_owned(),
        |predicted| format!(", {} is predicted", number(predicted)),
    )
}

/// A number for reading: large and small ones as powers of two.
fn number(x: f64) -> String {
    match x.abs() {
        magnitude if !magnitude.is_finite() => "no number".to_owned(),
        0.0 => "0".to_owned(),
        magnitude if (1e-3..1e6).contains(&magnitude) => format!("{x:.4}"),
        magnitude => format!("2^{:.1}", magnitude.log2()),
    }
}

fn bits(bits: f64) -> String {
    match bits.is_finite() {
        true => format!("{bits:.1}"),
        false => "no".to_owned(),
    }
}

#[cfg(test)]
mod tests;
