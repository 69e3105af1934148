//! The walk over a plan: waves one after the other, and the frames of calls.
//!
//! A function runs in the part of the table of values that its body has: no function calls itself, and calls are made one after the
//! other, so each has at most one frame at a time.

use super::cache::Cache;
use super::control::Control;
use super::dots;
use super::error::ExecError;
use super::evaluator::Evaluator;
use super::held::{Held, missing};
use super::live::{Frame, Live, Outcome};
use super::memory::moved;
use super::operands::Operands;
use super::wave::Wave;
use peregrine_ir::{Circuit, Definition, FunctionId, Key, Value};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What one thread begins with in a wave.
enum Task<'w> {
    One(Value),
    /// Sums of products over the same ciphertexts.
    Dots(&'w [Value]),
}

/// All steps of a wave, each in one task.
fn tasks(wave: &Wave) -> Vec<Task<'_>> {
    let together: BTreeSet<Value> = wave.dots.iter().flatten().copied().collect();
    let alone = wave.steps.iter().filter(|step| !together.contains(step));
    let groups = wave.dots.iter().map(|group| Task::Dots(group));
    groups.chain(alone.map(|&step| Task::One(step))).collect()
}

/// A run in progress.
pub(super) struct Walk<'r, E: Evaluator> {
    live: Live<'r, E>,
    /// The evaluation keys that are in memory for the run.
    keys: BTreeSet<Key>,
    /// The number of calls that have begun.
    calls: u64,
}

impl<'r, E: Evaluator> Walk<'r, E> {
    /// A run with nothing alive; the observer is asked whether to go on.
    pub(super) fn new(
        circuit: &'r Circuit,
        evaluator: &'r E,
        cache: &'r Cache<E::Plain>,
        control: &'r Control<'r>,
    ) -> Outcome<Self, E> {
        Ok(Self {
            live: Live::new(circuit, evaluator, cache, control)?,
            keys: BTreeSet::new(),
            calls: 0,
        })
    }

    /// The call that is being made; none in the main program.
    pub(super) fn frame(&self) -> Option<Frame> {
        self.live.frame
    }

    /// Takes in a value that comes from outside, which must have its type.
    pub(super) fn bring(&mut self, value: Value, held: Held<E>) -> Outcome<(), E> {
        let definition = self.live.definition(value)?;
        let held = self.live.sealed(value, definition, held)?;
        self.live.put(value, held);
        Ok(())
    }

    /// Begins a call: its arguments become the parameters of the function.
    pub(super) fn enter(&mut self, wave: &Wave, function: FunctionId) -> Outcome<Option<Frame>, E> {
        self.live.control.check()?;
        let call = wave.steps.first().copied().unwrap_or_default();
        let definition = self.live.definition(call)?;
        let moved = moved(self.live.circuit, call, &wave.dead);
        let parameters = self.live.circuit.parameters(function);
        for (parameter, argument) in parameters.zip(definition.inst.operands()) {
            let held = match moved.contains(&argument) {
                true => self.live.take(argument),
                false => self.live.held(argument).cloned(),
            };
            let held = match held {
                Some(held) => held,
                // Not alive: a plaintext that is encoded for this call.
                None => Held::Plain(self.live.plain(argument, E::encode)?.into_shared()),
            };
            self.live.put(parameter, held);
        }
        self.calls += 1;
        let node = self.live.frame.map_or(definition.node, |frame| frame.node);
        let frame = Frame {
            number: self.calls,
            node,
            call,
            function,
        };
        Ok(self.live.frame.replace(frame))
    }

    /// Ends a call: its results become values of the caller, and nothing else of the body stays.
    pub(super) fn leave(&mut self, wave: &Wave, caller: Option<Frame>) -> Outcome<(), E> {
        let Some(Frame { call, function, .. }) = std::mem::replace(&mut self.live.frame, caller)
        else {
            return Ok(());
        };
        let called = self.live.circuit.functions.get(function);
        let results = called.map_or(&[][..], |function| function.results.as_slice());
        let circuit = self.live.circuit;
        let taken = circuit.further_results(call);
        for (value, index) in taken.chain([(call, 0)]) {
            let result = results
                .get(index as usize)
                .and_then(|&result| self.live.held(result));
            let result = result.ok_or_else(|| missing(value, "a result"))?.clone();
            let definition = self.live.definition(value)?;
            let sealed = self.live.sealed(value, definition, result)?;
            self.live.put(value, sealed);
        }
        for value in circuit
            .body(function)
            .into_iter()
            .flat_map(|body| body.values())
        {
            drop(self.live.take(value));
        }
        wave.dead
            .iter()
            .for_each(|&value| drop(self.live.take(value)));
        Ok(())
    }

    /// Loads the keys of a wave.
    pub(super) fn bring_keys(&mut self, wave: &Wave) -> Outcome<(), E> {
        self.live.control.check()?;
        self.keys.extend(wave.keys.iter().chain(&wave.prefetch));
        let keys = self.live.evaluator.prepare(&wave.keys);
        keys.map_err(ExecError::Refused)
    }

    /// Runs one wave, and frees the values and keys that it is the last to use.
    ///
    /// # Errors
    /// When an instruction fails or the observer cancels the run.
    pub(super) fn wave(&mut self, wave: &Wave) -> Outcome<(), E> {
        self.bring_keys(wave)?;
        let made = wave.plains.par_iter();
        let made: Vec<_> = made.map(|&v| self.shared(v)).collect();
        for (&value, plain) in wave.plains.iter().zip(made) {
            self.live.put(value, Held::Plain(Arc::new(plain?)));
        }
        // Reading a key is mostly one thread's work, which would leave the others idle.
        let (made, keys): (Vec<Vec<_>>, _) = rayon::join(
            || {
                let made = tasks(wave).into_par_iter().map(|task| match task {
                    Task::One(value) => vec![(value, self.step(value))],
                    Task::Dots(values) => self.dots(values),
                });
                made.collect()
            },
            || self.live.evaluator.prepare(&wave.prefetch),
        );
        keys.map_err(ExecError::Refused)?;
        let mut made: Vec<_> = made.into_iter().flatten().collect();
        made.sort_by_key(|(value, _)| *value);
        for (value, result) in made {
            self.live.put(value, result?);
        }
        wave.dead
            .iter()
            .for_each(|&value| drop(self.live.take(value)));
        self.live.evaluator.release(&wave.released);
        wave.released.iter().for_each(|key| {
            self.keys.remove(key);
        });
        Ok(())
    }

    /// Ends a run that failed, and releases the keys that are in memory.
    pub(super) fn abandon(self) {
        let keys: Vec<Key> = self.keys.into_iter().collect();
        self.live.evaluator.release(&keys);
    }

    /// The ciphertexts of the output ports.
    pub(super) fn outputs(self) -> Outcome<Vec<Vec<E::Cipher>>, E> {
        let ports = self.live.circuit.outputs.iter();
        ports
            .map(|port| {
                let values = port.values.iter();
                values.map(|&v| self.live.cipher(v).cloned()).collect()
            })
            .collect()
    }

    /// The exports of a fragment.
    pub(super) fn exports(mut self) -> Outcome<Vec<Held<E>>, E> {
        let exports = self.live.circuit.exports().iter();
        exports
            .map(|link| match self.live.take(link.value) {
                Some(held) => Ok(held),
                None => {
                    let plain = self.live.plain(link.value, E::encode)?;
                    Ok(Held::Plain(plain.into_shared()))
                }
            })
            .collect()
    }

    /// Encodes a plaintext that several instructions use.
    fn shared(&self, value: Value) -> Outcome<E::Plain, E> {
        self.live.control.check()?;
        let node = self.live.node_of(self.live.definition(value)?);
        let encode = || self.live.encode(value, E::encode);
        self.live.control.time((value, node), encode)
    }

    /// Computes the value of an instruction.
    fn step(&self, value: Value) -> Outcome<Held<E>, E> {
        self.live.control.check()?;
        let definition = self.live.definition(value)?;
        let compute = || self.compute(value, definition);
        let held = self
            .live
            .control
            .time((value, self.live.node_of(definition)), compute)?;
        self.live.control.finished();
        Ok(held)
    }

    /// Computes the values of sums of products over the same ciphertexts.
    fn dots(&self, values: &[Value]) -> Vec<(Value, Outcome<Held<E>, E>)> {
        let values = values.iter().copied();
        match self.together(values.clone()) {
            Ok(held) => values.zip(held.into_iter().map(Ok)).collect(),
            // Each by itself says which of them it is.
            Err(_) => values.map(|value| (value, self.step(value))).collect(),
        }
    }

    fn together(&self, values: impl Iterator<Item = Value>) -> Outcome<Vec<Held<E>>, E> {
        let (mut rows, mut defined, mut timed) = (Vec::new(), Vec::new(), Vec::new());
        for value in values {
            self.live.control.check()?;
            let definition = self.live.definition(value)?;
            rows.push(Operands {
                live: &self.live,
                site: self.live.site(value, definition),
            });
            defined.push((value, definition));
            timed.push((value, self.live.node_of(definition)));
        }
        let compute = || {
            let made = defined.iter().zip(dots::together(&rows)?);
            let sealed = made.map(|(&(value, definition), cipher)| {
                self.live.sealed(value, definition, Held::Cipher(cipher))
            });
            sealed.collect::<Outcome<Vec<_>, E>>()
        };
        let held = self.live.control.time_all(&timed, compute)?;
        held.iter().for_each(|_| self.live.control.finished());
        Ok(held)
    }

    fn compute(&self, value: Value, definition: &'r Definition) -> Outcome<Held<E>, E> {
        let operands = Operands {
            live: &self.live,
            site: self.live.site(value, definition),
        };
        let held = operands.compute()?;
        self.live.sealed(value, definition, held)
    }
}
