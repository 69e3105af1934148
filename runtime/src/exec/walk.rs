//! The walk: the values alive, wave by wave, and the frames of calls.
//!
//! A function runs in the part of the table of values that its body has: no function calls itself, and calls are made one after the
//! other, so each has at most one frame at a time.

use super::cache::Cache;
use super::control::Control;
use super::error::ExecError;
use super::evaluator::{Encoding, Evaluator, ScaleValue, Site};
use super::held::{Held, Lent, missing};
use super::memory::moved;
use super::operands::Operands;
use super::wave::Wave;
use peregrine_ir::{
    Circuit, Definition, Entity, Filler, FunctionId, Inst, Key, Node, Scale, Slots, Value,
};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A run in progress.
pub(super) struct Walk<'r, E: Evaluator> {
    circuit: &'r Circuit,
    pub(super) evaluator: &'r E,
    pub(super) filler: Filler<'r>,
    cache: &'r Cache<E::Plain>,
    pub(super) control: &'r Control<'r>,
    held: Vec<Option<Held<E>>>,
    /// The evaluation keys that were brought into memory and have not left it.
    keys: BTreeSet<Key>,
    /// Calls begun so far.
    calls: u64,
    /// The call that is being made; none in the main program.
    frame: Option<Frame>,
}

/// A call that is being made.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Its number, counted from 1.
    number: u64,
    /// The node it serves.
    node: Option<Node>,
    call: Value,
    function: FunctionId,
}

/// A method that encodes slots.
pub(super) type Encode<E> =
    fn(&E, &Slots, Encoding<'_>) -> Result<<E as Evaluator>::Plain, <E as Evaluator>::Error>;

pub(super) type Outcome<T, E> = Result<T, ExecError<<E as Evaluator>::Error>>;

impl<'r, E: Evaluator> Walk<'r, E> {
    /// Starts with nothing alive; the observer is asked whether to go on.
    pub(super) fn new(
        circuit: &'r Circuit,
        evaluator: &'r E,
        cache: &'r Cache<E::Plain>,
        control: &'r Control<'r>,
    ) -> Outcome<Self, E> {
        Ok(Self {
            circuit,
            evaluator,
            filler: Filler::new(circuit)?,
            cache,
            control,
            keys: BTreeSet::new(),
            held: (0..circuit.values.len()).map(|_| None).collect(),
            calls: 0,
            frame: None,
        })
    }

    /// Takes a value that comes from outside, which must be of its type.
    pub(super) fn bring(&mut self, value: Value, held: Held<E>) -> Outcome<(), E> {
        let definition = self.definition(value)?;
        let held = self.sealed(value, definition, held)?;
        self.put(value, held);
        Ok(())
    }

    /// Begins a call: its arguments become the parameters of the function.
    pub(super) fn enter(&mut self, wave: &Wave, function: FunctionId) -> Outcome<Option<Frame>, E> {
        self.control.check()?;
        let call = wave.steps.first().copied().unwrap_or_default();
        let definition = self.definition(call)?;
        let moved = moved(self.circuit, call, &wave.dead);
        let parameters = self.circuit.parameters(function);
        for (parameter, argument) in parameters.zip(definition.inst.operands()) {
            let held = match moved.contains(&argument) {
                true => self.held.get_mut(argument.index()).and_then(Option::take),
                false => self.held(argument).cloned(),
            };
            let held = match held {
                Some(held) => held,
                // Not alive: a plaintext that is encoded for this call.
                None => Held::Plain(self.plain(argument, E::encode)?.into_shared()),
            };
            self.put(parameter, held);
        }
        self.calls += 1;
        let node = self.frame.map_or(definition.node, |frame| frame.node);
        let frame = Frame {
            number: self.calls,
            node,
            call,
            function,
        };
        Ok(self.frame.replace(frame))
    }

    /// Ends a call: its results become values of the caller, and nothing else of the body stays.
    pub(super) fn leave(&mut self, wave: &Wave, caller: Option<Frame>) -> Outcome<(), E> {
        let Some(Frame { call, function, .. }) = std::mem::replace(&mut self.frame, caller) else {
            return Ok(());
        };
        let called = self.circuit.functions.get(function);
        let results = called.map_or(&[][..], |function| function.results.as_slice());
        let circuit = self.circuit;
        let taken = circuit.further_results(call);
        for (value, index) in taken.chain([(call, 0)]) {
            let result = results
                .get(index as usize)
                .and_then(|&result| self.held(result));
            let result = result.ok_or_else(|| missing(value, "a result"))?.clone();
            let definition = self.definition(value)?;
            let sealed = self.sealed(value, definition, result)?;
            self.put(value, sealed);
        }
        for value in circuit
            .body(function)
            .into_iter()
            .flat_map(|body| body.values())
        {
            self.drop_value(value);
        }
        wave.dead.iter().for_each(|&value| self.drop_value(value));
        Ok(())
    }

    /// Brings the keys of a wave into memory.
    pub(super) fn bring_keys(&mut self, wave: &Wave) -> Outcome<(), E> {
        self.control.check()?;
        self.keys.extend(wave.keys.iter().chain(&wave.ahead));
        let keys = self.evaluator.prepare(&wave.keys);
        keys.map_err(ExecError::Refused)
    }

    /// Runs one wave and frees what it was the last to use.
    ///
    /// # Errors
    /// When an instruction fails or the observer cancels the run.
    pub(super) fn wave(&mut self, wave: &Wave) -> Outcome<(), E> {
        self.bring_keys(wave)?;
        let made = wave.plains.par_iter();
        let made: Vec<_> = made.map(|&v| self.shared(v)).collect();
        for (&value, plain) in wave.plains.iter().zip(made) {
            self.put(value, Held::Plain(Arc::new(plain?)));
        }
        // Reading a key is mostly one thread's work, which would leave the others idle.
        let (made, keys): (Vec<_>, _) = rayon::join(
            || wave.steps.par_iter().map(|&v| self.step(v)).collect(),
            || self.evaluator.prepare(&wave.ahead),
        );
        keys.map_err(ExecError::Refused)?;
        for (&value, result) in wave.steps.iter().zip(made) {
            self.put(value, result?);
        }
        wave.dead.iter().for_each(|&value| self.drop_value(value));
        self.evaluator.release(&wave.spent);
        wave.spent.iter().for_each(|key| {
            self.keys.remove(key);
        });
        Ok(())
    }

    /// Ends a run that failed: keys leave memory as they would have later on.
    pub(super) fn abandon(self) {
        let keys: Vec<Key> = self.keys.into_iter().collect();
        self.evaluator.release(&keys);
    }

    /// The ciphertexts of the output ports.
    pub(super) fn outputs(self) -> Outcome<Vec<Vec<E::Cipher>>, E> {
        let ports = self.circuit.outputs.iter();
        ports
            .map(|port| {
                let values = port.values.iter();
                values.map(|&v| self.cipher(v).cloned()).collect()
            })
            .collect()
    }

    /// The exports of a fragment.
    pub(super) fn exports(mut self) -> Outcome<Vec<Held<E>>, E> {
        let exports = self.circuit.exports().iter();
        exports
            .map(|link| {
                let held = self.held.get_mut(link.value.index());
                match held.and_then(Option::take) {
                    Some(held) => Ok(held),
                    None => {
                        let plain = self.plain(link.value, E::encode)?;
                        Ok(Held::Plain(plain.into_shared()))
                    }
                }
            })
            .collect()
    }

    /// Encodes a constant for several instructions.
    fn shared(&self, value: Value) -> Outcome<E::Plain, E> {
        self.control.check()?;
        let node = self.node_of(self.definition(value)?);
        let encode = || self.encode(value, E::encode);
        self.control.time((value, node), encode)
    }

    /// Computes a value.
    fn step(&self, value: Value) -> Outcome<Held<E>, E> {
        self.control.check()?;
        let definition = self.definition(value)?;
        let compute = || self.compute(value, definition);
        let held = self
            .control
            .time((value, self.node_of(definition)), compute)?;
        self.control.finished();
        Ok(held)
    }

    fn compute(&self, value: Value, definition: &'r Definition) -> Outcome<Held<E>, E> {
        let operands = Operands {
            walk: self,
            site: self.site(value, definition),
        };
        let held = operands.compute()?;
        self.sealed(value, definition, held)
    }

    /// A value as the back end wants it after it came in or was computed.
    fn sealed(
        &self,
        value: Value,
        definition: &'r Definition,
        held: Held<E>,
    ) -> Outcome<Held<E>, E> {
        match held {
            Held::Cipher(cipher) => {
                let sealed = self.evaluator.seal(self.site(value, definition), cipher);
                sealed.map(Held::Cipher).map_err(|e| self.failed(value, e))
            }
            other => Ok(other),
        }
    }

    /// The node that an instruction serves: that of the call, in a function.
    fn node_of(&self, definition: &Definition) -> Option<Node> {
        self.frame.map_or(definition.node, |frame| frame.node)
    }

    /// A plaintext, encoded in this way if only one consumer needs it.
    pub(super) fn plain(&self, value: Value, how: Encode<E>) -> Outcome<Lent<'_, E::Plain>, E> {
        if let Some(Held::Plain(plain)) = self.held(value) {
            return Ok(Lent::Kept(plain));
        }
        let made = || self.encode(value, E::encode).map(Arc::new);
        match self.cache.get_or_make(value, made) {
            Some(kept) => kept.map(Lent::Kept),
            None => Ok(Lent::Made(Arc::new(self.encode(value, how)?))),
        }
    }

    /// Fills and encodes a constant.
    fn encode(&self, value: Value, how: Encode<E>) -> Outcome<E::Plain, E> {
        let Inst::Encode {
            constant,
            imaginary,
            level,
            scale,
            basis,
        } = &self.definition(value)?.inst
        else {
            return Err(missing(value, "a plaintext"));
        };
        let slots = self.filler.slots(*constant, *imaginary)?;
        let at = Encoding {
            value,
            level: *level,
            basis: *basis,
            scale: self.scale(value, scale)?,
        };
        let plain = how(self.evaluator, &slots, at);
        plain.map_err(|e| self.failed(value, e))
    }

    pub(super) fn scale<'s>(&self, value: Value, exact: &'s Scale) -> Outcome<ScaleValue<'s>, E> {
        let number = exact.value(&self.circuit.rings.primes);
        let value = number.ok_or_else(|| missing(value, "a scale that is a normal number"))?;
        Ok(ScaleValue { exact, value })
    }

    fn definition(&self, value: Value) -> Outcome<&'r Definition, E> {
        let definition = self.circuit.values.get(value);
        definition.ok_or_else(|| missing(value, "a definition"))
    }

    fn site(&self, value: Value, definition: &'r Definition) -> Site<'r> {
        Site {
            value,
            inst: &definition.inst,
            ty: &definition.ty,
            circuit: self.circuit,
            call: self.frame.map_or(0, |frame| frame.number),
        }
    }

    pub(super) fn held(&self, value: Value) -> Option<&Held<E>> {
        self.held.get(value.index()).and_then(Option::as_ref)
    }

    fn drop_value(&mut self, value: Value) {
        if let Some(slot) = self.held.get_mut(value.index()) {
            *slot = None;
        }
    }

    fn put(&mut self, value: Value, held: Held<E>) {
        if let Some(slot) = self.held.get_mut(value.index()) {
            *slot = Some(held);
        }
    }

    pub(super) fn cipher(&self, value: Value) -> Outcome<&E::Cipher, E> {
        match self.held(value) {
            Some(Held::Cipher(cipher)) => Ok(cipher),
            _ => Err(missing(value, "a ciphertext")),
        }
    }

    pub(super) fn failed(&self, value: Value, source: E::Error) -> ExecError<E::Error> {
        let definition = self.circuit.values.get(value);
        let node = definition
            .and_then(|definition| self.node_of(definition))
            .and_then(|n| self.circuit.nodes.get(n));
        ExecError::Instruction {
            value,
            op: definition.map_or("", |d| d.inst.keyword()),
            node: node.map(|n| n.name.clone()),
            source,
        }
    }
}
