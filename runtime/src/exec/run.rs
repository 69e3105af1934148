//! A run of a circuit from inputs to outputs.

use super::cache::Cache;
use super::control::Control;
use super::error::ExecError;
use super::evaluator::Evaluator;
use super::held::{Held, missing};
use super::live::{Frame, Outcome};
use super::plan::Plan;
use super::progress::{Progress, Step};
use super::walk::Walk;
use super::wave::Wave;
use peregrine_ir::{Circuit, Entity, Type, Value, Verified};

/// Runs a circuit on `inputs`, the ciphertexts of each input port, and returns the ciphertexts of each output port.
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

/// Runs a circuit like [`run`], with the plaintexts in `cache`, which earlier runs on this back end have encoded.
///
/// # Errors
/// When [`run`] has an error.
pub fn run_again<E: Evaluator>(
    circuit: &Verified,
    evaluator: &E,
    plan: &Plan,
    cache: &Cache<E::Plain>,
    inputs: Vec<Vec<E::Cipher>>,
    progress: &dyn Progress,
) -> Result<Vec<Vec<E::Cipher>>, ExecError<E::Error>> {
    let circuit: &Circuit = circuit;
    let given = || {
        check_ports(circuit, &inputs)?;
        let ports = circuit.inputs.iter().zip(inputs);
        let given = ports.flat_map(|(port, ciphers)| {
            let ciphers = ciphers.into_iter().map(Held::Cipher);
            port.values.iter().copied().zip(ciphers)
        });
        Ok(given.collect())
    };
    walk((circuit, evaluator), plan, cache, given, progress, |walk| {
        walk.outputs()
    })
}

/// Runs a fragment on its imports, in the order of [`Circuit::imports()`], and returns its exports, in the order of
/// [`Circuit::exports`].
///
/// # Errors
/// Before any work when the back end does not accept the circuit or the imports; otherwise when an instruction fails.
pub fn run_fragment<E: Evaluator>(
    circuit: &Verified,
    evaluator: &E,
    plan: &Plan,
    cache: &Cache<E::Plain>,
    imports: Vec<Held<E>>,
    progress: &dyn Progress,
) -> Result<Vec<Held<E>>, ExecError<E::Error>> {
    let circuit: &Circuit = circuit;
    let given = || {
        check_imports(circuit, &imports)?;
        let values = circuit.imports().iter().map(|link| link.value);
        Ok(values.zip(imports).collect())
    };
    walk((circuit, evaluator), plan, cache, given, progress, |walk| {
        walk.exports()
    })
}

/// Runs a plan on what is given, and gives what is taken from it.
fn walk<E: Evaluator, T>(
    (circuit, evaluator): (&Circuit, &E),
    plan: &Plan,
    cache: &Cache<E::Plain>,
    given: impl FnOnce() -> Outcome<Vec<(Value, Held<E>)>, E>,
    progress: &dyn Progress,
    taken: impl FnOnce(Walk<'_, E>) -> Outcome<T, E>,
) -> Outcome<T, E> {
    evaluator.accept(circuit).map_err(ExecError::Refused)?;
    let given = given()?;
    let report = Reporter::new(circuit, evaluator.work(circuit), plan);
    let control = Control::new(progress, report.total);
    let mut walk = Walk::new(circuit, evaluator, cache, &control)?;
    for (value, held) in given {
        walk.bring(value, held)?;
    }
    let mut run = Run {
        walk,
        plan,
        report,
        control: &control,
        done: (0, 0),
    };
    match run.body(plan.waves()) {
        Ok(()) => taken(run.walk),
        Err(error) => {
            run.walk.abandon();
            Err(match error {
                // Other threads finished some instructions meanwhile.
                ExecError::Cancelled(_) => control.cancelled().into(),
                error => error,
            })
        }
    }
}

/// A run of a plan.
struct Run<'r, E: Evaluator> {
    walk: Walk<'r, E>,
    plan: &'r Plan,
    report: Reporter<'r>,
    control: &'r Control<'r>,
    /// Instructions and work.
    done: (usize, u64),
}

impl<E: Evaluator> Run<'_, E> {
    /// Runs a body, and what it calls.
    fn body(&mut self, waves: &[Wave]) -> Outcome<(), E> {
        for wave in waves {
            match wave.call {
                None => {
                    self.walk.wave(wave)?;
                    let step = self.report.after(wave, self.walk.frame(), self.done);
                    self.done = (step.done, self.done.1 + self.report.work(wave));
                    self.control.advance(&step)?;
                }
                Some(function) => {
                    self.walk.bring_keys(wave)?;
                    let caller = self.walk.enter(wave, function)?;
                    self.body(self.plan.waves_of(function))?;
                    self.walk.leave(wave, caller)?;
                }
            }
        }
        Ok(())
    }
}

/// Checks that every port has its number of ciphertexts.
fn check_ports<C, R>(circuit: &Circuit, inputs: &[Vec<C>]) -> Result<(), ExecError<R>> {
    if let Some(fragment) = &circuit.fragment {
        let whole = fragment.whole;
        return Err(ExecError::Fragment { whole });
    }
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

/// Checks that the imports are as many and of the kinds that a fragment takes.
fn check_imports<E: Evaluator>(circuit: &Circuit, imports: &[Held<E>]) -> Outcome<(), E> {
    if circuit.fragment.is_none() {
        return Err(ExecError::Whole);
    }
    if imports.len() != circuit.imports().len() {
        return Err(ExecError::Imports {
            found: imports.len(),
            expected: circuit.imports().len(),
        });
    }
    for (link, held) in circuit.imports().iter().zip(imports) {
        let same = match (circuit.type_of(link.value), held) {
            (Some(Type::Cipher { .. }), Held::Cipher(_))
            | (Some(Type::Plain { .. }), Held::Plain(_))
            | (Some(Type::Digits { .. }), Held::Digits(_)) => true,
            (Some(ty), _) => {
                return Err(ExecError::Import {
                    value: link.value,
                    expected: ty.display(circuit.rings.unit_bits),
                });
            }
            (None, _) => false,
        };
        if !same {
            return Err(missing(link.value, "an import"));
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
            total: 0,
            work,
            total_work: 0,
        };
        for (waves, runs) in plan.all(circuit) {
            let own = waves.iter().filter(|wave| wave.call.is_none());
            let (steps, work) = own.fold((0, 0u64), |(steps, work), wave| {
                (
                    steps + wave.steps.len(),
                    work.saturating_add(report.work(wave)),
                )
            });
            let steps = steps.saturating_mul(usize::try_from(runs).unwrap_or(usize::MAX));
            report.total = report.total.saturating_add(steps);
            report.total_work = report.total_work.saturating_add(work.saturating_mul(runs));
        }
        report
    }

    fn work(&self, wave: &Wave) -> u64 {
        let work = |value: &Value| self.work.get(value.index()).copied();
        wave.steps.iter().filter_map(work).sum()
    }

    /// How far a run is after a wave; `(done, work)` before it.
    fn after(&self, wave: &Wave, frame: Option<Frame>, (done, work): (usize, u64)) -> Step<'c> {
        let circuit = self.circuit;
        let mut last = wave.steps.iter().rev();
        let node = match frame {
            Some(frame) => frame.node,
            None => last.find_map(|v| circuit.values.get(*v)?.node),
        };
        let function = frame.and_then(|frame| circuit.functions.get(frame.function));
        let work = work.saturating_add(self.work(wave));
        Step {
            done: done + wave.steps.len(),
            total: self.total,
            fraction: work as f64 / self.total_work.max(1) as f64,
            node: node.and_then(|node| Some((node, circuit.nodes.get(node)?))),
            function: function.map(|function| function.name.as_str()),
        }
    }
}
