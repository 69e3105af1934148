//! What a back end says of the memory it takes.
//!
//! The memory plan asks it for the parts of a circuit, and knows nothing of where a back end has them: on the processor or on a
//! device, in buffers that are kept or given back.

use super::wave::{KeyForm, Wave};
use peregrine_ir::{Key, Value};
use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, SubAssign};

/// Bytes of a back end's memory, kept apart where memory that one thing gave back is of no use to another.
///
/// `u64` is the simplest one: all memory serves all.
pub trait Pools:
    Clone + Debug + Default + Add<Output = Self> + AddAssign + SubAssign + Sum
{
    /// The larger of two in each pool.
    #[must_use]
    fn larger(self, other: Self) -> Self;

    /// Bytes of all pools together.
    fn total(self) -> u64;
}

impl Pools for u64 {
    fn larger(self, other: Self) -> Self {
        self.max(other)
    }

    fn total(self) -> u64 {
        self
    }
}

/// The bytes that a back end takes for the parts of one circuit, known before it runs.
pub trait Footprint {
    /// Bytes by pool.
    type Pools: Pools;

    /// Bytes of a ciphertext, plaintext or decomposition.
    fn value(&self, value: Value) -> Self::Pools;

    /// Bytes that the instructions of a wave take beside their operands and results while they run side by side: what they
    /// encode, and room to compute in.
    fn scratch(&self, wave: &Wave) -> Self::Pools;

    /// Bytes of an evaluation key in memory; 0 for one that the circuit does not declare.
    fn key(&self, key: Key, form: KeyForm) -> u64;

    /// Bytes that an evaluation key takes beside itself while it is brought into memory.
    fn reading(&self, key: Key, form: KeyForm) -> Self::Pools;

    /// Bytes that all runs of the circuit share: its weights and instructions, and tables.
    fn shared(&self) -> u64;

    /// Bytes of inputs as they come and outputs as they go, of one run.
    fn transfer(&self) -> u64;

    /// Bytes of the process when so much is in use in each pool at its worst moment.
    fn held(&self, most: Self::Pools) -> u64;

    /// Work of encoding a plaintext once, in any unit: what keeping it saves.
    fn encoding(&self, plain: Value) -> u64;
}
