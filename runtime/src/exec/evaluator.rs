//! The evaluator: what a back end must offer to run a circuit, one method for each operation.
//!
//! The executor decides which instruction runs when and which value is freed; a back end only computes. The verified circuit
//! promises levels, scales and forms, so a method may rely on the types of its operands, which [`peregrine_ir::typing`] gave
//! them.

use peregrine_ir::{Basis, Circuit, Inst, Key, Level, Rotation, Scale, Slots, Type, Value};
use rayon::prelude::*;
use std::num::NonZeroUsize;

/// Level, basis and scale at which a plaintext is encoded.
#[derive(Clone, Copy, Debug)]
pub struct Encoding<'c> {
    /// The plaintext.
    pub value: Value,
    /// The level, which determines the modulus.
    pub level: Level,
    /// Whether it is encoded modulo P, too.
    pub basis: Basis,
    /// The scale.
    pub scale: ScaleValue<'c>,
}

/// A scale together with its value as a double.
#[derive(Clone, Copy, Debug)]
pub struct ScaleValue<'c> {
    /// The exact scale.
    pub exact: &'c Scale,
    /// The scale, rounded to a double.
    pub value: f64,
}

/// A place in a run: the instruction that defines a value, and the call within which it runs.
#[derive(Clone, Copy, Debug)]
pub struct Site<'c> {
    /// The value.
    pub value: Value,
    /// The instruction that defines the value.
    pub inst: &'c Inst,
    /// The type it must have.
    pub ty: &'c Type,
    /// The circuit it belongs to.
    pub circuit: &'c Circuit,
    /// The number of the call that runs the instruction, counted from 1 in the order in which a run makes calls; 0 in the main
    /// program.
    pub call: u64,
}

/// A back end of the executor: computes ciphertexts from ciphertexts, wherever it has them.
///
/// Every method that takes ciphertexts returns a new one and leaves its operands as they are. Methods are called from
/// many threads at once, and the same call always gives the same result. The executor never looks into a ciphertext, a plaintext or
/// a decomposition, so they may stay on a device.
///
/// ```
/// # use peregrine_ir::{text, verify};
/// # let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/square.fhe"));
/// # let circuit = verify(text::parse(text)?)?;
/// use peregrine_ir::{Inst, Level, Scale};
/// use peregrine_runtime::backend::clear::Simulator;
/// use peregrine_runtime::exec::{self, Evaluator, KeyResidence, Plan, PlanOptions, SharedPlains, SharedSums, Silent};
///
/// /// Squares eight numbers with any back end.
/// fn square<E: Evaluator>(
///     circuit: &peregrine_ir::Verified,
///     evaluator: &E,
///     x: E::Cipher,
/// ) -> Result<E::Cipher, Box<dyn std::error::Error>>
/// where
///     E::Error: Sync,
/// {
///     let options = PlanOptions {
///         window: 4,
///         plains: SharedPlains::Keep,
///         sums: SharedSums::Gather,
///         keys: KeyResidence::Held,
///     };
///     let plan = Plan::new(circuit, options);
///     let outputs = exec::run(circuit, evaluator, &plan, vec![vec![x]], &Silent)?;
///     Ok(outputs.concat().remove(0))
/// }
///
/// let clear = Simulator::exact(&circuit);
/// let x = clear.encrypt(vec![0.5; 8], Level(1), Scale::power_of_two(30));
/// assert_eq!(square(&circuit, &clear, x)?.slots(), [0.25; 8]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Evaluator: Sync {
    /// A ciphertext in any form.
    type Cipher: Clone + Send + Sync;
    /// An encoded plaintext.
    type Plain: Send + Sync;
    /// The decomposed last part of a ciphertext.
    type Digits: Send + Sync;
    /// The error of an operation that cannot be computed.
    type Error: std::error::Error + Send + 'static;

    /// Refuses a circuit that this back end cannot run: other parameters, missing keys, unsupported operations.
    ///
    /// # Errors
    /// All reasons that are known before any work.
    fn accept(&self, circuit: &Circuit) -> Result<(), Self::Error>;

    /// The estimated work of each value of a circuit, in any unit and in the order of definition, by which progress reports weigh
    /// instructions. Without an estimate all weigh alike. The weight of a call does not count: what it runs does.
    fn work(&self, circuit: &Circuit) -> Vec<u64> {
        vec![1; circuit.values.len()]
    }

    /// The number of plaintexts of one [`Self::dot`] that the executor has encoded at a time. It splits a longer sum and adds up
    /// the parts.
    fn dot_chunk(&self) -> NonZeroUsize;

    /// Loads evaluation keys, before the instructions that need them run side by side.
    ///
    /// # Errors
    /// When a key cannot be read.
    fn prepare(&self, keys: &[Key]) -> Result<(), Self::Error>;

    /// Releases the memory of evaluation keys. Instructions that need them later prepare them again.
    fn release(&self, keys: &[Key]);

    /// Accepts a ciphertext into the run: called once for every ciphertext that is an input or has been computed, with the
    /// instruction that defines it.
    ///
    /// # Errors
    /// When the ciphertext does not have the site's type.
    fn seal(&self, site: Site<'_>, a: Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// Encodes slots, real or complex, as a plaintext.
    ///
    /// # Errors
    /// When the scaled values do not fit.
    fn encode(&self, slots: Slots, at: Encoding<'_>) -> Result<Self::Plain, Self::Error>;

    /// Encodes slots for a single [`Self::dot`], which may do some of the work itself.
    ///
    /// # Errors
    /// When [`Self::encode`] has an error.
    fn encode_for_dot(&self, slots: Slots, at: Encoding<'_>) -> Result<Self::Plain, Self::Error> {
        self.encode(slots, at)
    }

    /// The sum of one or more ciphertexts.
    ///
    /// # Errors
    /// Only for operands of wrong types, like all methods that take ciphertexts.
    fn add(&self, terms: &[&Self::Cipher]) -> Result<Self::Cipher, Self::Error>;

    /// The difference `a - b`.
    fn sub(&self, a: &Self::Cipher, b: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// The negative `-a`.
    fn negate(&self, a: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// The sum `a + p`.
    fn add_plain(&self, a: &Self::Cipher, p: &Self::Plain) -> Result<Self::Cipher, Self::Error>;

    /// The product `a * p`, slot by slot.
    fn mul_plain(&self, a: &Self::Cipher, p: &Self::Plain) -> Result<Self::Cipher, Self::Error>;

    /// The product with a scalar, `round(factor * scale) * a`.
    fn mul_scalar(
        &self,
        a: &Self::Cipher,
        factor: f64,
        scale: ScaleValue<'_>,
    ) -> Result<Self::Cipher, Self::Error>;

    /// The sum of products `a_1 * p_1 + a_2 * p_2 + ...`, with as many plaintexts as ciphertexts, at least one.
    fn dot(
        &self,
        ciphers: &[&Self::Cipher],
        plains: &[&Self::Plain],
    ) -> Result<Self::Cipher, Self::Error>;

    /// The sum of products with scalars `round(r_1 * scale) * a_1 + round(r_2 * scale) * a_2 + ...`, with as many scalars as
    /// ciphertexts, at least one.
    fn dot_scalar(
        &self,
        ciphers: &[&Self::Cipher],
        factors: &[f64],
        scale: ScaleValue<'_>,
    ) -> Result<Self::Cipher, Self::Error>;

    /// What [`Self::dot`] gives for the same ciphertexts and each list of plaintexts, the same to the last bit. A back end that reads
    /// the ciphertexts once for all of them is faster.
    fn dots(
        &self,
        ciphers: &[&Self::Cipher],
        plains: &[&[&Self::Plain]],
    ) -> Result<Vec<Self::Cipher>, Self::Error> {
        let sums = plains.par_iter().map(|plains| self.dot(ciphers, plains));
        sums.collect::<Vec<_>>().into_iter().collect()
    }

    /// What [`Self::dot_scalar`] gives for the same ciphertexts and each list of scalars with its scale, the same to the last bit. A
    /// back end that reads the ciphertexts once for all of them is faster.
    fn dot_scalars(
        &self,
        ciphers: &[&Self::Cipher],
        factors: &[(&[f64], ScaleValue<'_>)],
    ) -> Result<Vec<Self::Cipher>, Self::Error> {
        let sums = factors.par_iter();
        let sums = sums.map(|&(factors, scale)| self.dot_scalar(ciphers, factors, scale));
        sums.collect::<Vec<_>>().into_iter().collect()
    }

    /// The product `a * b` of three parts.
    fn mul(&self, a: &Self::Cipher, b: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// The square `a * a` of three parts.
    fn square(&self, a: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// Turns three parts into two.
    fn relinearize(&self, a: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// Turns three parts into two at level `to`, divided by `Q_l / Q_to`.
    fn relinearize_rescale(&self, a: &Self::Cipher, to: Level)
    -> Result<Self::Cipher, Self::Error>;

    /// Turns three parts into an extended ciphertext, from the digits of the third.
    fn relinearize_ext(
        &self,
        a: &Self::Cipher,
        digits: &Self::Digits,
    ) -> Result<Self::Cipher, Self::Error>;

    /// Divides by `Q_l / Q_to`, and an extended ciphertext by P, and moves to level `to`.
    fn rescale(&self, a: &Self::Cipher, to: Level) -> Result<Self::Cipher, Self::Error>;

    /// Moves to level `to` by leaving out the limbs of primes that it lacks.
    fn drop_level(&self, a: &Self::Cipher, to: Level) -> Result<Self::Cipher, Self::Error>;

    /// Moves a ciphertext to a level of another ring: in one of smaller degree slots that are equal modulo the slots there are averaged, in
    /// one of larger degree slots repeat.
    fn switch_ring(&self, a: &Self::Cipher, to: Level) -> Result<Self::Cipher, Self::Error>;

    /// Takes a ciphertext to a level with more modulus, of another ring, and rotates to the left: the message becomes `m + Q_l I`, and the
    /// result is extended.
    fn raise_ext(
        &self,
        a: &Self::Cipher,
        rotation: Rotation,
        to: Level,
    ) -> Result<Self::Cipher, Self::Error>;

    /// Decomposes the last part of a ciphertext into digits.
    fn decompose(&self, a: &Self::Cipher) -> Result<Self::Digits, Self::Error>;

    /// Rotates to the left by the digits of `a`; the result is extended.
    fn rotate_ext(
        &self,
        a: &Self::Cipher,
        digits: &Self::Digits,
        rotation: Rotation,
    ) -> Result<Self::Cipher, Self::Error>;

    /// Divides an extended ciphertext by P.
    fn mod_down(&self, a: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// Rotates to the left.
    fn rotate(&self, a: &Self::Cipher, rotation: Rotation) -> Result<Self::Cipher, Self::Error>;

    /// Conjugates every slot.
    fn conjugate(&self, a: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// Multiplies by `X^exponent`.
    fn mul_monomial(&self, a: &Self::Cipher, exponent: u32) -> Result<Self::Cipher, Self::Error>;
}
