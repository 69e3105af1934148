//! The footprint of a back end: the memory that it takes for the parts of a circuit.
//!
//! The memory plan asks it, and knows nothing of where a back end has its values: on the processor or on a device, in buffers
//! that are kept or given back.

use super::wave::{KeyForm, Wave};
use peregrine_ir::{Key, Value};
use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, SubAssign};

/// Bytes of a back end's memory in several pools, where memory that one pool gives back is of no use to another.
///
/// The simplest is `u64`: one pool for everything.
pub trait Pools:
    Clone + Debug + Default + Add<Output = Self> + AddAssign + SubAssign + Sum
{
    /// The larger of two numbers of bytes, in each pool.
    #[must_use]
    fn larger(self, other: Self) -> Self;

    /// The bytes of all pools together.
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
    /// Bytes by pool of memory.
    type Pools: Pools;

    /// Bytes of the ciphertext, plaintext or decomposition that `value` is.
    fn value(&self, value: Value) -> Self::Pools;

    /// Bytes that the instructions of a wave take beside their operands and results while they run side by side: the plaintexts
    /// that they encode, and room to compute in.
    fn scratch(&self, wave: &Wave) -> Self::Pools;

    /// Bytes of an evaluation key in memory; 0 for one that the circuit does not declare.
    fn key(&self, key: Key, form: KeyForm) -> u64;

    /// Bytes that an evaluation key takes beside itself while it is brought into memory.
    fn reading(&self, key: Key, form: KeyForm) -> Self::Pools;

    /// Bytes that all runs of the circuit share: weights, instructions and tables.
    fn shared(&self) -> u64;

    /// Bytes of the inputs and outputs of one run in the form in which they come and go.
    fn transfer(&self) -> u64;

    /// Bytes of the process when each pool has had at most so many bytes in use.
    fn held(&self, most: Self::Pools) -> u64;

    /// The work of encoding a plaintext once, in any unit, which keeping it saves.
    fn encoding(&self, plain: Value) -> u64;
}
