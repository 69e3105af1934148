//! The refresh as a function of a circuit: from a ciphertext of `x + i y` with little modulus to ciphertexts of `x` and `y` with much.
//!
//! 1. *Slots to coefficients*, where everything is cheap: groups of butterfly stages at the lowest levels.
//! 2. *Raise*: to the sparse secret at the lowest modulus `q_0`, and to the modulus of the top on the way back to the ternary secret. The
//!    message becomes `m + q_0 I`.
//! 3. *Coefficients to slots*: inverse groups at the top, the last of which divides by the bound of `|I + m / q_0|`.
//! 4. *Split*: one conjugation gives `i` times the real and the imaginary parts.
//! 5. *Exponential* of each, see [`super::exponential`]: powers `W_2`, `W_3`, `W_4`, `W_8`, giant steps, squarings, and the correction,
//!    of whose square only the imaginary part is kept.
//!
//! Where one ciphertext of reals that repeat is refreshed, the group of the topmost stage folds a period into complex numbers of half of it,
//! and unfolds it on the way back: no other stage leads from one half of a period to the other. Slots become coefficients in a ring of half
//! the degree, and the modulus is raised there, so every second coefficient never wraps. Of what wraps, the rest that does not repeat like the
//! values goes in a sum of rotations.
//!
//! Every scale is exact: constants are encoded at whatever scale makes the result have the scale that is wanted.
//!
//! # References
//! - \[BTH22\] Bossuat, Troncoso-Pastoriza, Hubaux, *Bootstrapping for approximate homomorphic encryption with negligible
//!   failure-probability by using sparse-secret encapsulation*. <https://eprint.iacr.org/2022/024>

use super::choices::Packing;
use super::error::RefreshError;
use super::exponential::Exponential;
use super::fourier::{Diagonals, Direction};
pub use super::writer::{ExponentialLevels, Group};
use super::writer::{Half, Writer};
use peregrine_ir::{Builder, FunctionId, Inst, Level, Scale, Type, TypeError, Value};
use std::collections::BTreeMap;

/// Everything that a refresh is made of.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// Level and scale of the argument.
    pub from: (Level, Scale),
    /// What it takes.
    pub packing: Packing,
    /// log2 of the slots of its ring.
    pub log_slots: u32,
    /// Butterfly stages in each direction.
    pub stages: u32,
    /// The level at which slots to coefficients begin: that of the argument, or one in a smaller ring.
    pub descent: Level,
    /// Slots to coefficients, in the order in which the groups run.
    pub to_coefficients: Vec<Group>,
    /// The level of the sparse ring, with modulus `q_0`, and the top.
    pub raise: [Level; 2],
    /// How often the sum of a value and its rotation makes what was raised repeat like the argument.
    pub doublings: u32,
    /// Coefficients to slots, in the order in which the groups run.
    pub to_slots: Vec<Group>,
    /// The polynomial.
    pub exponential: Exponential,
    /// Where it runs.
    pub levels: ExponentialLevels,
}

/// The functions of a refresh in a circuit.
#[derive(Clone, Copy, Debug)]
pub struct RefreshFunctions {
    /// A ciphertext of `x` with little modulus to one with much.
    one: FunctionId,
    /// A ciphertext of `x + i y` with little modulus to ciphertexts of `x` and of `y` with much; none where nobody asked for it.
    two: Option<FunctionId>,
    /// log2 of the slots.
    log_slots: u32,
}

impl RefreshFunctions {
    /// Appends the refresh of one or two ciphertexts of real values, in the order given, each as the argument of the refresh is; gives them
    /// divided by the gain.
    ///
    /// # Errors
    /// When the arguments have other levels or scales than [`Refresh::from`].
    pub fn call(&self, builder: &mut Builder, values: &[Value]) -> Result<Vec<Value>, TypeError> {
        match (values, self.two) {
            (&[x, y], Some(two)) => {
                let exponent = 1 << self.log_slots;
                let turned = builder.push(Inst::MulMonomial { a: y, exponent })?;
                let both = builder.push(Inst::Add(vec![x, turned]))?;
                builder.call(two, vec![both])
            }
            _ => {
                let one = |&x: &Value| builder.call(self.one, vec![x]);
                let each: Result<Vec<_>, _> = values.iter().map(one).collect();
                Ok(each?.concat())
            }
        }
    }
}

impl Refresh {
    /// Adds the functions of this refresh to a circuit that has no instructions yet but those of functions. Where `pairs` are wanted and the
    /// packing takes two, two ciphertexts share the way up.
    ///
    /// # Errors
    /// When levels or scales do not suit each other.
    pub fn functions(
        &self,
        builder: &mut Builder,
        pairs: bool,
    ) -> Result<RefreshFunctions, RefreshError> {
        let mut layouts = BTreeMap::new();
        let lift = builder.function("refresh_lift", |builder| {
            let mut writer = Writer::new(builder, &mut layouts);
            Ok::<_, RefreshError>(vec![self.lift(&mut writer)?])
        })?;
        let ty = builder.circuit().functions.get(lift);
        let ty = ty.and_then(|f| f.results.first().copied());
        let ty = ty.and_then(|value| builder.type_of(value)).cloned();
        let lifted = ty.ok_or(RefreshError::Value(Value(0)))?;
        let reduce = builder.function("refresh_reduce", |builder| {
            let mut writer = Writer::new(builder, &mut layouts);
            let w1 = writer.builder.push(Inst::Input { ty: lifted })?;
            let reduced = writer.exponential(w1, &self.exponential, &self.levels)?;
            Ok::<_, RefreshError>(vec![reduced])
        })?;
        let mut halves = |name: &str, halves: &[Half]| {
            builder.function(name, |builder| {
                let mut writer = Writer::new(builder, &mut layouts);
                let (level, scale) = self.from.clone();
                let ty = Type::cipher(level, scale);
                let argument = writer.builder.push(Inst::Input { ty })?;
                let lifted = writer.builder.call(lift, vec![argument])?;
                let conjugate = writer.builder.push(Inst::Conjugate(lifted[0]))?;
                let mut results = Vec::new();
                for &half in halves {
                    let half = writer.half((lifted[0], conjugate), half)?;
                    results.extend(writer.builder.call(reduce, vec![half])?);
                }
                Ok::<_, RefreshError>(results)
            })
        };
        let one = halves("refresh_one", &[Half::Real])?;
        let two = match pairs && self.packing == Packing::Full {
            true => Some(halves("refresh_two", &[Half::Real, Half::Imaginary])?),
            false => None,
        };
        Ok(RefreshFunctions {
            one,
            two,
            log_slots: self.log_slots,
        })
    }

    /// Appends the parameter, and what leads from it to half its slots at the top, wrapped, in units of the bound of the argument.
    fn lift(&self, writer: &mut Writer<'_>) -> Result<Value, RefreshError> {
        let (level, scale) = self.from.clone();
        let ty = Type::cipher(level, scale);
        let mut at = writer.builder.push(Inst::Input { ty })?;
        if self.descent != level {
            let to = self.descent;
            at = writer.builder.push(Inst::SwitchRing { a: at, to })?;
        }
        for group in &self.to_coefficients {
            let matrix = self.matrix(Direction::ToSlots, group);
            at = writer.group(at, &matrix, group, 1.0)?;
        }
        let [low, top] = self.raise;
        let share = writer.share(at, low)?;
        at = writer.builder.push(Inst::SwitchRing { a: at, to: low })?;
        at = writer.raised(at, top, (self.stages, self.doublings))?;
        let copies = f64::from(self.doublings).exp2();
        let last = self.to_slots.len().saturating_sub(1);
        for (i, group) in self.to_slots.iter().enumerate() {
            let matrix = self.matrix(Direction::ToCoefficients, group);
            // First to units of q_0, then half for the split, which gives twice a part.
            let mut factor = if i == 0 { share / copies } else { 1.0 };
            if i == last {
                factor *= 0.5 / self.exponential.domain.bound();
            }
            at = writer.group(at, &matrix, group, factor)?;
        }
        Ok(at)
    }

    /// The matrix of a group. Where reals are folded, that of the topmost stage does it, and the others are for both halves of a period.
    fn matrix(&self, direction: Direction, group: &Group) -> Diagonals {
        let stages = |log_slots| Diagonals::group(direction, log_slots, group.stages);
        let topmost = group.stages.1 == self.stages;
        match (self.packing, direction) {
            (Packing::Full, _) => stages(self.stages),
            _ if !topmost => stages(self.stages + 1),
            (_, Direction::ToSlots) => stages(self.stages).after(&Diagonals::folding(self.stages)),
            (_, Direction::ToCoefficients) => {
                Diagonals::unfolding(self.stages).after(&stages(self.stages))
            }
        }
    }

    /// The message divided by what a refresh gives: the last square has the correction and the message ratio in it. `share` is the
    /// scale of the message before the raise over `q_0`.
    pub fn gain(&self, share: f64) -> f64 {
        let [_, a2] = self.exponential.correction;
        -0.5 * a2 / (std::f64::consts::TAU * share)
    }
}
