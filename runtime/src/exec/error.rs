//! Errors of a run.

use peregrine_ir::{FillError, Fingerprint, Value};

/// A run that its observer has cancelled. It leaves nothing behind: the next run begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run was cancelled after {done} of {total} instructions")]
pub struct Cancelled {
    /// The number of instructions that were done.
    pub done: usize,
    /// The number of instructions of the run.
    pub total: usize,
}

/// Why a run ends without outputs.
#[derive(Debug, thiserror::Error)]
pub enum ExecError<E> {
    /// The back end does not accept the circuit.
    #[error("{0}")]
    Refused(#[source] E),
    /// The number of input tensors is wrong.
    #[error("{found} input tensors, the circuit has {expected}")]
    Ports {
        /// Number of tensors given.
        found: usize,
        /// Number of tensors of the circuit.
        expected: usize,
    },
    /// The number of ciphertexts of an input is wrong.
    #[error("input `{port}`: {found} ciphertexts, the circuit takes {expected}")]
    Ciphertexts {
        /// Name of the input.
        port: String,
        /// Number of ciphertexts given.
        found: usize,
        /// Number of ciphertexts of its layout.
        expected: usize,
    },
    /// Inputs were given to a fragment, which has imports.
    #[error(
        "the circuit is a fragment of circuit {whole}: it runs on values of other fragments, not on inputs"
    )]
    Fragment {
        /// The circuit that was cut.
        whole: Fingerprint,
    },
    /// Imports were given to a whole circuit, which has inputs.
    #[error("the circuit is no fragment: it runs on inputs, not on values of fragments")]
    Whole,
    /// The number of imports of a fragment is wrong.
    #[error("{found} imports, the fragment takes {expected}")]
    Imports {
        /// Number of values given.
        found: usize,
        /// Number of imports of the fragment.
        expected: usize,
    },
    /// An import is not of the kind of its type.
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
        /// The keyword of the instruction.
        op: &'static str,
        /// The ONNX node it serves.
        node: Option<String>,
        /// The error of the back end.
        source: E,
    },
    /// The observer cancelled the run.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A constant cannot be evaluated; does not happen for verified circuits.
    #[error("internal error: {0}")]
    Fill(#[from] FillError),
    /// A value is missing or not of the kind that its user needs; does not happen for verified circuits.
    #[error("internal error: {value} is not held as {expected}")]
    Internal {
        /// The value.
        value: Value,
        /// What was needed.
        expected: &'static str,
    },
}
