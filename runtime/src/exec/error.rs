//! Why a run ends without outputs.

use peregrine_ir::{FillError, Fingerprint, Value};

/// A run was cancelled by its observer. Nothing is left of it: the next run begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run was cancelled after {done} of {total} instructions")]
pub struct Cancelled {
    /// Instructions that were done.
    pub done: usize,
    /// Instructions of the run.
    pub total: usize,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum ExecError<E> {
    /// The back end does not accept the circuit.
    #[error("{0}")]
    Refused(#[source] E),
    /// Wrong number of input tensors.
    #[error("{found} input tensors, the circuit has {expected}")]
    Ports {
        /// Tensors given.
        found: usize,
        /// Tensors of the circuit.
        expected: usize,
    },
    /// Wrong number of ciphertexts for an input.
    #[error("input `{port}`: {found} ciphertexts, the circuit takes {expected}")]
    Ciphertexts {
        /// Name of the input.
        port: String,
        /// Ciphertexts given.
        found: usize,
        /// Ciphertexts of its layout.
        expected: usize,
    },
    /// A fragment has imports, and no inputs.
    #[error(
        "the circuit is a fragment of circuit {whole}: it runs on values of other fragments, not on inputs"
    )]
    Fragment {
        /// The circuit that was cut.
        whole: Fingerprint,
    },
    /// A whole circuit has inputs, and no imports.
    #[error("the circuit is no fragment: it runs on inputs, not on values of fragments")]
    Whole,
    /// Wrong number of imports of a fragment.
    #[error("{found} imports, the fragment takes {expected}")]
    Imports {
        /// Values given.
        found: usize,
        /// Imports of the fragment.
        expected: usize,
    },
    /// An import of the wrong kind.
    #[error("import {value}: expected {expected}")]
    Import {
        /// Its name in the fragment.
        value: Value,
        /// Its type.
        expected: String,
    },
    /// An instruction failed.
    #[error("{value} = {op}{}: {source}", node.as_ref().map_or(String::new(), |n| format!(" (node `{n}`)")))]
    Instruction {
        /// The value it defines.
        value: Value,
        /// Its keyword.
        op: &'static str,
        /// The ONNX node it serves.
        node: Option<String>,
        /// What went wrong.
        source: E,
    },
    /// The observer cancelled the run.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A constant could not be filled; does not happen for verified circuits.
    #[error("internal error: {0}")]
    Fill(#[from] FillError),
    /// A value is not there or not of the kind its consumer needs; does not happen for verified circuits.
    #[error("internal error: {value} is not held as {expected}")]
    Internal {
        /// The value.
        value: Value,
        /// What was needed.
        expected: &'static str,
    },
}
