//! A run of a circuit from inputs to outputs.

use super::cache::Cache;
use super::control::Control;
use super::error::{Cancelled, ExecError};
use super::evaluator::Evaluator;
use super::plan::Plan;
use super::progress::{Progress, Step};
use super::walk::Walk;
use super::wave::Wave;
use peregrine_ir::{Circuit, Entity, Value, Verified};

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

/// Runs a circuit as [`run`] does, with plaintexts that earlier runs on this back end have encoded.
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
    let report = Reporter::new(circuit, evaluator.work(circuit), plan);
    let control = Control::new(progress, report.total);
    let mut walk = Walk::new(circuit, evaluator, cache, (inputs, &control))?;
    let mut state = (0, 0);
    for wave in plan.waves() {
        let done = walk.wave(wave).and_then(|()| {
            state = report.after(wave, state, &control)?;
            Ok(())
        });
        if let Err(error) = done {
            walk.abandon();
            return Err(match error {
                // Other threads finished some instructions meanwhile.
                ExecError::Cancelled(_) => control.cancelled().into(),
                error => error,
            });
        }
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
    /// By value.
    work: Vec<u64>,
    total: usize,
    total_work: u64,
}

impl<'c> Reporter<'c> {
    fn new(circuit: &'c Circuit, work: Vec<u64>, plan: &Plan) -> Self {
        let mut report = Self {
            circuit,
            total: plan.waves().iter().map(|wave| wave.steps.len()).sum(),
            work,
            total_work: 0,
        };
        report.total_work = plan.waves().iter().map(|wave| report.work(wave)).sum();
        report
    }

    fn work(&self, wave: &Wave) -> u64 {
        let work = |value: &Value| self.work.get(value.index()).copied();
        wave.steps.iter().filter_map(work).sum()
    }

    /// Reports a finished wave; `(done, work)` before and after it.
    ///
    /// # Errors
    /// When the observer cancels the run.
    fn after(
        &self,
        wave: &Wave,
        (done, work): (usize, u64),
        to: &Control<'_>,
    ) -> Result<(usize, u64), Cancelled> {
        let (done, work) = (done + wave.steps.len(), work + self.work(wave));
        let last = wave
            .steps
            .iter()
            .rev()
            .find_map(|v| self.circuit.values.get(*v)?.node);
        to.advance(&Step {
            done,
            total: self.total,
            fraction: work as f64 / self.total_work.max(1) as f64,
            node: last.and_then(|node| Some((node, self.circuit.nodes.get(node)?))),
        })?;
        Ok((done, work))
    }
}
