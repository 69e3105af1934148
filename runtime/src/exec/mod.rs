//! Running a circuit: one walk over its instructions, whatever computes them.
//!
//! 1. The back end accepts the circuit or says why not: keys, parameters, inputs are checked before any work.
//! 2. A [`Plan`] groups instructions into waves of independent ones; each wave runs in parallel.
//! 3. Constants are filled and encoded right before their consumer, in parallel, and dropped after it, unless the plan
//!    keeps them for the next run.
//! 4. Values are freed after the wave of their last use.
//!
//! The result does not depend on the plan or the number of threads. A verified circuit never makes the executor panic.

mod cache;
mod ckks;
mod evaluator;
mod key_plan;
mod keys;
pub mod memory;
mod plan;
mod progress;
mod walk;

pub use cache::Cache;
pub use ckks::{CkksEvaluator, CkksRunError, Plain};
pub use evaluator::{Encoding, Evaluator, ScaleValue, Site};
pub use keys::{HeldKeys, KeyForm, KeyResidence, KeySource};
pub use plan::{Plan, PlanOptions, SharedPlains, Wave};
pub use progress::{Progress, Silent, Step};

use peregrine_ir::{Circuit, FillError, Value, Verified};

/// Runs a circuit on `inputs`, the ciphertexts of each input port; gives those of each output port.
///
/// # Errors
/// Before any work when the back end does not accept the circuit or the inputs; otherwise when an instruction fails.
pub fn run<E: Evaluator>(
    circuit: &Verified,
    evaluator: &E,
    plan: &Plan,
    inputs: Vec<Vec<E::Cipher>>,
    progress: &dyn Progress,
) -> Result<Vec<Vec<E::Cipher>>, ExecError<E::Error>> {
    run_again(circuit, evaluator, plan, &Cache::none(), inputs, progress)
}

/// The same, with plaintexts that earlier runs of this plan on this back end have encoded.
///
/// # Errors
/// As for [`run`].
pub fn run_again<E: Evaluator>(
    circuit: &Verified,
    evaluator: &E,
    plan: &Plan,
    cache: &Cache<E::Plain>,
    inputs: Vec<Vec<E::Cipher>>,
    progress: &dyn Progress,
) -> Result<Vec<Vec<E::Cipher>>, ExecError<E::Error>> {
    let circuit: &Circuit = circuit;
    evaluator.accept(circuit).map_err(ExecError::Refused)?;
    check_ports(circuit, &inputs)?;
    let mut walk = walk::Walk::new(circuit, evaluator, cache, inputs)?;
    let report = Reporter::new(circuit, plan);
    let mut state = (0, 0);
    for wave in plan.waves() {
        walk.wave(wave)?;
        state = report.after(wave, state, progress);
    }
    walk.outputs()
}

/// Whether the right number of ciphertexts came for each port.
fn check_ports<C, R>(circuit: &Circuit, inputs: &[Vec<C>]) -> Result<(), ExecError<R>> {
    if inputs.len() != circuit.inputs.len() {
        return Err(ExecError::Ports {
            found: inputs.len(),
            expected: circuit.inputs.len(),
        });
    }
    for (port, ciphers) in circuit.inputs.iter().zip(inputs) {
        if ciphers.len() != port.values.len() {
            return Err(ExecError::Ciphertexts {
                port: port.name.clone(),
                found: ciphers.len(),
                expected: port.values.len(),
            });
        }
    }
    Ok(())
}

/// Turns waves into progress reports.
struct Reporter<'c> {
    circuit: &'c Circuit,
    sizes: memory::Sizes,
    total: usize,
    work: u64,
}

impl<'c> Reporter<'c> {
    fn new(circuit: &'c Circuit, plan: &Plan) -> Self {
        let sizes = memory::Sizes::new(&circuit.ring);
        let steps = plan.waves().iter().flat_map(|wave| &wave.steps);
        let work = steps.map(|&v| progress::work(circuit, &sizes, v)).sum();
        Self {
            circuit,
            total: plan.waves().iter().map(|wave| wave.steps.len()).sum(),
            sizes,
            work,
        }
    }

    /// Reports a finished wave; `(done, work)` before and after it.
    fn after(&self, wave: &Wave, (done, work): (usize, u64), to: &dyn Progress) -> (usize, u64) {
        let done = done + wave.steps.len();
        let steps = wave.steps.iter();
        let work = work
            + steps
                .map(|&v| progress::work(self.circuit, &self.sizes, v))
                .sum::<u64>();
        let last = wave
            .steps
            .iter()
            .rev()
            .find_map(|v| self.circuit.values.get(*v)?.node);
        to.advance(&Step {
            done,
            total: self.total,
            fraction: work as f64 / self.work.max(1) as f64,
            node: last.and_then(|node| Some((node, self.circuit.nodes.get(node)?))),
        });
        (done, work)
    }
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
