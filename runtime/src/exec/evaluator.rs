//! What a back end must offer to run a circuit: one method per operation.
//!
//! The executor decides what runs when and what is freed; a back end only computes. Levels, scales and forms are promised by
//! the verified circuit, so a method may rely on its operands having the types that [`peregrine_ir::typing`] gave them.

use peregrine_ir::{Basis, Circuit, Inst, Key, Level, Rotation, Scale, Slots, Type, Value};
use std::num::NonZeroUsize;

/// Where and how large a plaintext is encoded.
#[derive(Clone, Copy, Debug)]
pub struct Encoding<'c> {
    /// The plaintext.
    pub value: Value,
    /// Modulus.
    pub level: Level,
    /// Whether also modulo P.
    pub basis: Basis,
    /// Scale.
    pub scale: ScaleValue<'c>,
}

/// A scale together with its value as a number.
#[derive(Clone, Copy, Debug)]
pub struct ScaleValue<'c> {
    /// Exactly.
    pub exact: &'c Scale,
    /// Rounded.
    pub value: f64,
}

/// The instruction that defines a value.
#[derive(Clone, Copy, Debug)]
pub struct Site<'c> {
    /// The value.
    pub value: Value,
    /// What defines it.
    pub inst: &'c Inst,
    /// The type it must have.
    pub ty: &'c Type,
    /// The circuit it belongs to.
    pub circuit: &'c Circuit,
    /// The number of the call in whose body it stands, in the order in which a run makes them; 0 in the main program.
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
/// use peregrine_runtime::exec::{self, Evaluator, KeyResidence, Plan, PlanOptions, SharedPlains, Silent};
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
    /// What can go wrong.
    type Error: std::error::Error + Send + 'static;

    /// Refuses a circuit this back end cannot run: other parameters, missing keys, unsupported operations.
    ///
    /// # Errors
    /// All reasons that can be known before any work.
    fn accept(&self, circuit: &Circuit) -> Result<(), Self::Error>;

    /// Estimated work of each value of a circuit, in any unit and in the order of definition: what a progress report weighs
    /// instructions by. Without an estimate all are alike. What it says of calls does not count: what they run does.
    fn work(&self, circuit: &Circuit) -> Vec<u64> {
        vec![1; circuit.values.len()]
    }

    /// How many plaintexts of one [`Self::dot`] the executor has encoded at a time; it adds up the parts of a longer one.
    fn dot_chunk(&self) -> NonZeroUsize;

    /// Brings evaluation keys into memory, before the instructions that need them run side by side.
    ///
    /// # Errors
    /// When a key cannot be read.
    fn prepare(&self, keys: &[Key]) -> Result<(), Self::Error>;

    /// These evaluation keys can leave memory; instructions that need them again prepare them again.
    fn release(&self, keys: &[Key]);

    /// Called once for every ciphertext that enters or is computed, with the instruction that defines it.
    ///
    /// # Errors
    /// When the ciphertext is not of the site's type.
    fn seal(&self, site: Site<'_>, a: Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// Encodes slots, real or complex.
    ///
    /// # Errors
    /// When the scaled values do not fit.
    fn encode(&self, slots: &Slots, at: Encoding<'_>) -> Result<Self::Plain, Self::Error>;

    /// Encodes slots for a single [`Self::dot`], which may be left some of the work.
    ///
    /// # Errors
    /// As for [`Self::encode`].
    fn encode_for_dot(&self, slots: &Slots, at: Encoding<'_>) -> Result<Self::Plain, Self::Error> {
        self.encode(slots, at)
    }

    /// Sum of one or more ciphertexts.
    ///
    /// # Errors
    /// Only for operands of wrong types, as of all methods that take ciphertexts.
    fn add(&self, terms: &[&Self::Cipher]) -> Result<Self::Cipher, Self::Error>;

    /// `a - b`.
    fn sub(&self, a: &Self::Cipher, b: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// `-a`.
    fn negate(&self, a: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// `a + p`.
    fn add_plain(&self, a: &Self::Cipher, p: &Self::Plain) -> Result<Self::Cipher, Self::Error>;

    /// `a * p`.
    fn mul_plain(&self, a: &Self::Cipher, p: &Self::Plain) -> Result<Self::Cipher, Self::Error>;

    /// `round(factor * scale) * a`.
    fn mul_scalar(
        &self,
        a: &Self::Cipher,
        factor: f64,
        scale: ScaleValue<'_>,
    ) -> Result<Self::Cipher, Self::Error>;

    /// `a_1 * p_1 + a_2 * p_2 + ...`, equally many of both, at least one.
    fn dot(
        &self,
        ciphers: &[&Self::Cipher],
        plains: &[&Self::Plain],
    ) -> Result<Self::Cipher, Self::Error>;

    /// `round(r_1 * scale) * a_1 + round(r_2 * scale) * a_2 + ...`, equally many of both, at least one.
    fn dot_scalar(
        &self,
        ciphers: &[&Self::Cipher],
        factors: &[f64],
        scale: ScaleValue<'_>,
    ) -> Result<Self::Cipher, Self::Error>;

    /// `a * b`, three parts.
    fn mul(&self, a: &Self::Cipher, b: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// `a * a`, three parts.
    fn square(&self, a: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// Three parts to two.
    fn relinearize(&self, a: &Self::Cipher) -> Result<Self::Cipher, Self::Error>;

    /// Three parts to an extended ciphertext, from the digits of the third.
    fn relinearize_ext(
        &self,
        a: &Self::Cipher,
        digits: &Self::Digits,
    ) -> Result<Self::Cipher, Self::Error>;

    /// Divides by `Q_l / Q_to`.
    fn rescale(&self, a: &Self::Cipher, to: Level) -> Result<Self::Cipher, Self::Error>;

    /// Forgets the primes that level `to` lacks.
    fn drop_level(&self, a: &Self::Cipher, to: Level) -> Result<Self::Cipher, Self::Error>;

    /// Takes a ciphertext to a level of a ring of smaller degree: slots that repeat there are averaged.
    fn switch_ring(&self, a: &Self::Cipher, to: Level) -> Result<Self::Cipher, Self::Error>;

    /// Digits of the last part.
    fn decompose(&self, a: &Self::Cipher) -> Result<Self::Digits, Self::Error>;

    /// Rotates to the left, from the digits of `a`; the result is extended.
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
