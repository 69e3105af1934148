//! Waves of instructions, and the options by which a plan makes them.

use peregrine_ir::{FunctionId, Key, Value};

/// Where a source has its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum KeyResidence {
    /// In memory, all of them expanded.
    Held,
    /// Packed in a file, and in memory only where they are used.
    Stored,
}

/// The form of a key in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// Expanded once, for all uses.
    Expanded,
    /// Packed as it is stored, and expanded block by block at each use.
    Streamed,
}

/// The treatment of a plaintext that several instructions use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedPlains {
    /// Encode it once and keep it in memory until its last use.
    Keep,
    /// Encode it anew for each use.
    Reencode,
}

/// The treatment of sums of products over the same ciphertexts, which are faster together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedSums {
    /// Bring those ahead into the wave of the first one, from where their results wait for their uses.
    Gather,
    /// Compute together what is in one wave anyway.
    AsTheyCome,
}

/// The options of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// The largest number of instructions side by side, at least 1.
    pub window: usize,
    /// The treatment of plaintexts that several instructions use.
    pub plains: SharedPlains,
    /// The treatment of sums of products over the same ciphertexts.
    pub sums: SharedSums,
    /// Where the source of the evaluation keys has them.
    pub keys: KeyResidence,
}

/// Instructions that run side by side, with what is loaded before them and freed after them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wave {
    /// Evaluation keys to load first.
    pub keys: Vec<Key>,
    /// Plaintexts to encode first, which several instructions use.
    pub plains: Vec<Value>,
    /// Evaluation keys to prefetch meanwhile, for the next wave.
    pub prefetch: Vec<Key>,
    /// The values to compute, in definition order.
    pub steps: Vec<Value>,
    /// Those of the steps that are sums of products over the same ciphertexts, which are computed together: groups of two or more.
    pub dots: Vec<Vec<Value>>,
    /// The function that is called, where the only step is a call.
    pub call: Option<FunctionId>,
    /// The values that nobody needs afterwards.
    pub dead: Vec<Value>,
    /// The evaluation keys to release afterwards.
    pub released: Vec<Key>,
}
