//! The vocabulary of a plan: waves of instructions, and the choices that lead to them.

use peregrine_ir::{FunctionId, Key, Value};

/// What a source does with its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum KeyResidence {
    /// Holds all of them in memory, expanded.
    Held,
    /// Has them packed, and in memory only where they are used.
    Stored,
}

/// How a key is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// Expanded once, for all uses.
    Expanded,
    /// As it is stored, and expanded block by block at each use.
    Streamed,
}

/// What to do with a plaintext that several instructions use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedPlains {
    /// Encode it once and keep it in memory until its last use.
    Keep,
    /// Encode it anew for each use.
    Reencode,
}

/// The choices of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Most instructions side by side, at least 1.
    pub window: usize,
    /// Plaintexts used several times.
    pub plains: SharedPlains,
    /// Evaluation keys.
    pub keys: KeyResidence,
}

/// Instructions that run side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wave {
    /// Evaluation keys to bring into memory first.
    pub keys: Vec<Key>,
    /// Shared plaintexts to encode first.
    pub plains: Vec<Value>,
    /// Evaluation keys to bring into memory meanwhile, for the next wave.
    pub ahead: Vec<Key>,
    /// The values to compute, in definition order.
    pub steps: Vec<Value>,
    /// The function that the only step calls.
    pub call: Option<FunctionId>,
    /// The values nobody needs afterwards.
    pub dead: Vec<Value>,
    /// The evaluation keys that leave memory afterwards.
    pub spent: Vec<Key>,
}
