//! The values that are alive in a run, with look-ups about them: definitions, plaintexts, scales, the node they serve.

use super::cache::Cache;
use super::control::Control;
use super::error::ExecError;
use super::evaluator::{Encoding, Evaluator, ScaleValue, Site};
use super::held::{Held, Lent, missing};
use peregrine_ir::{
    Circuit, Definition, Entity, Filler, FunctionId, Inst, Node, Scale, Slots, Value,
};
use std::sync::Arc;

/// A method of a back end that encodes slots.
pub(super) type Encode<E> =
    fn(&E, Slots, Encoding<'_>) -> Result<<E as Evaluator>::Plain, <E as Evaluator>::Error>;

pub(super) type Outcome<T, E> = Result<T, ExecError<<E as Evaluator>::Error>>;

/// The values that are alive in a run.
pub(super) struct Live<'r, E: Evaluator> {
    pub(super) circuit: &'r Circuit,
    pub(super) evaluator: &'r E,
    pub(super) filler: Filler<'r>,
    cache: &'r Cache<E::Plain>,
    pub(super) control: &'r Control<'r>,
    held: Vec<Option<Held<E>>>,
    /// The call that is being made; none in the main program.
    pub(super) frame: Option<Frame>,
}

/// A call that is being made: the frame in which a function runs.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Its number, counted from 1.
    pub(super) number: u64,
    /// The node that the call serves.
    pub(super) node: Option<Node>,
    pub(super) call: Value,
    pub(super) function: FunctionId,
}

impl<'r, E: Evaluator> Live<'r, E> {
    /// A run in which no value is alive yet.
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
            held: (0..circuit.values.len()).map(|_| None).collect(),
            frame: None,
        })
    }

    /// A value as the back end accepts it, after it came in or was computed.
    pub(super) fn sealed(
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

    /// The node that an instruction serves; within a function, the node of the call.
    pub(super) fn node_of(&self, definition: &Definition) -> Option<Node> {
        self.frame.map_or(definition.node, |frame| frame.node)
    }

    /// A plaintext for an instruction. If only this instruction needs it, it is encoded by `how`.
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

    /// Evaluates and encodes a constant.
    pub(super) fn encode(&self, value: Value, how: Encode<E>) -> Outcome<E::Plain, E> {
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
        let plain = how(self.evaluator, slots, at);
        plain.map_err(|e| self.failed(value, e))
    }

    pub(super) fn scale<'s>(&self, value: Value, exact: &'s Scale) -> Outcome<ScaleValue<'s>, E> {
        let number = exact.value(&self.circuit.rings.primes);
        let value = number.ok_or_else(|| missing(value, "a scale that is a normal number"))?;
        Ok(ScaleValue { exact, value })
    }

    pub(super) fn definition(&self, value: Value) -> Outcome<&'r Definition, E> {
        let definition = self.circuit.values.get(value);
        definition.ok_or_else(|| missing(value, "a definition"))
    }

    pub(super) fn site(&self, value: Value, definition: &'r Definition) -> Site<'r> {
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

    /// Takes out a value that nobody needs any more.
    pub(super) fn take(&mut self, value: Value) -> Option<Held<E>> {
        self.held.get_mut(value.index()).and_then(Option::take)
    }

    pub(super) fn put(&mut self, value: Value, held: Held<E>) {
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
