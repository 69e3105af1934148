//! The walk: the values alive, and the one place that maps instructions to methods of the back end.

use super::cache::Cache;
use super::control::Control;
use super::error::ExecError;
use super::evaluator::{Encoding, Evaluator, ScaleValue, Site};
use super::wave::Wave;
use peregrine_ir::{Circuit, Const, Definition, Entity, Filler, Inst, Key, Scale, Value};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::ops::Deref;

/// A run in progress.
pub(super) struct Walk<'r, E: Evaluator> {
    circuit: &'r Circuit,
    evaluator: &'r E,
    filler: Filler<'r>,
    cache: &'r Cache<E::Plain>,
    control: &'r Control<'r>,
    held: Vec<Option<Held<E>>>,
    /// The evaluation keys that were brought into memory and have not left it.
    keys: BTreeSet<Key>,
}

/// A value alive.
enum Held<E: Evaluator> {
    Cipher(E::Cipher),
    Plain(E::Plain),
    Digits(E::Digits),
}

/// A plaintext for one consumer.
enum Lent<'w, P> {
    Kept(&'w P),
    Made(P),
}

impl<P> Deref for Lent<'_, P> {
    type Target = P;
    fn deref(&self) -> &P {
        match self {
            Self::Kept(p) => p,
            Self::Made(p) => p,
        }
    }
}

/// A method that encodes slots.
type Encode<E> =
    fn(&E, &[f64], Encoding<'_>) -> Result<<E as Evaluator>::Plain, <E as Evaluator>::Error>;

type Outcome<T, E> = Result<T, ExecError<<E as Evaluator>::Error>>;

impl<'r, E: Evaluator> Walk<'r, E> {
    /// Starts with the inputs, which must be of the types of their ports; the observer is asked whether to go on.
    pub(super) fn new(
        circuit: &'r Circuit,
        evaluator: &'r E,
        cache: &'r Cache<E::Plain>,
        (inputs, control): (Vec<Vec<E::Cipher>>, &'r Control<'r>),
    ) -> Outcome<Self, E> {
        let mut walk = Self {
            circuit,
            evaluator,
            filler: Filler::new(circuit)?,
            cache,
            control,
            keys: BTreeSet::new(),
            held: (0..circuit.values.len()).map(|_| None).collect(),
        };
        for (port, ciphers) in circuit.inputs.iter().zip(inputs) {
            for (&value, cipher) in port.values.iter().zip(ciphers) {
                let definition = walk.definition(value)?;
                let sealed = evaluator.seal(walk.site(value, definition), cipher);
                let sealed = sealed.map_err(|e| walk.failed(value, e))?;
                walk.put(value, Held::Cipher(sealed));
            }
        }
        Ok(walk)
    }

    /// Runs one wave and frees what it was the last to use.
    ///
    /// # Errors
    /// When an instruction fails or the observer cancels the run.
    pub(super) fn wave(&mut self, wave: &Wave) -> Outcome<(), E> {
        self.control.check()?;
        self.keys.extend(wave.keys.iter().chain(&wave.ahead));
        let keys = self.evaluator.prepare(&wave.keys);
        keys.map_err(ExecError::Refused)?;
        let made = wave.plains.par_iter();
        let made: Vec<_> = made.map(|&v| self.shared(v)).collect();
        for (&value, plain) in wave.plains.iter().zip(made) {
            self.put(value, Held::Plain(plain?));
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
        for value in &wave.dead {
            if let Some(slot) = self.held.get_mut(value.index()) {
                *slot = None;
            }
        }
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

    /// Encodes a constant for several instructions.
    fn shared(&self, value: Value) -> Outcome<E::Plain, E> {
        self.control.check()?;
        let node = self.definition(value)?.node;
        let encode = || self.encode(value, E::encode);
        self.control.time((value, node), encode)
    }

    /// Computes a value.
    fn step(&self, value: Value) -> Outcome<Held<E>, E> {
        self.control.check()?;
        let definition = self.definition(value)?;
        let compute = || self.compute(value, definition);
        let held = self.control.time((value, definition.node), compute)?;
        self.control.finished();
        Ok(held)
    }

    fn compute(&self, value: Value, definition: &'r Definition) -> Outcome<Held<E>, E> {
        let operands = Operands {
            walk: self,
            site: self.site(value, definition),
        };
        match operands.compute()? {
            Held::Cipher(cipher) => {
                let sealed = self.evaluator.seal(operands.site, cipher);
                sealed.map(Held::Cipher).map_err(|e| self.failed(value, e))
            }
            other => Ok(other),
        }
    }

    /// Fills and encodes a constant.
    fn encode(&self, value: Value, how: Encode<E>) -> Outcome<E::Plain, E> {
        let Inst::Encode {
            constant,
            level,
            scale,
            basis,
        } = &self.definition(value)?.inst
        else {
            return Err(missing(value, "a plaintext"));
        };
        let slots = self.filler.fill(*constant)?;
        let at = Encoding {
            value,
            level: *level,
            basis: *basis,
            scale: self.scale(value, scale)?,
        };
        let plain = how(self.evaluator, &slots, at);
        plain.map_err(|e| self.failed(value, e))
    }

    fn scale<'s>(&self, value: Value, exact: &'s Scale) -> Outcome<ScaleValue<'s>, E> {
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
        }
    }

    fn held(&self, value: Value) -> Option<&Held<E>> {
        self.held.get(value.index()).and_then(Option::as_ref)
    }

    fn put(&mut self, value: Value, held: Held<E>) {
        if let Some(slot) = self.held.get_mut(value.index()) {
            *slot = Some(held);
        }
    }

    fn cipher(&self, value: Value) -> Outcome<&E::Cipher, E> {
        match self.held(value) {
            Some(Held::Cipher(cipher)) => Ok(cipher),
            _ => Err(missing(value, "a ciphertext")),
        }
    }

    fn failed(&self, value: Value, source: E::Error) -> ExecError<E::Error> {
        let definition = self.circuit.values.get(value);
        let node = definition
            .and_then(|d| d.node)
            .and_then(|n| self.circuit.nodes.get(n));
        ExecError::Instruction {
            value,
            op: definition.map_or("", |d| d.inst.keyword()),
            node: node.map(|n| n.name.clone()),
            source,
        }
    }
}

fn missing<R>(value: Value, expected: &'static str) -> ExecError<R> {
    ExecError::Internal { value, expected }
}

/// One instruction with access to its operands.
struct Operands<'w, 'r, E: Evaluator> {
    walk: &'w Walk<'r, E>,
    site: Site<'r>,
}

impl<E: Evaluator> Operands<'_, '_, E> {
    /// Delegates to the back end.
    fn compute(&self) -> Outcome<Held<E>, E> {
        let e = self.walk.evaluator;
        let cipher = match self.site.inst {
            Inst::Add(terms) => e.add(&self.ciphers(terms)?),
            Inst::Sub(a, b) => e.sub(self.cipher(a)?, self.cipher(b)?),
            Inst::Negate(a) => e.negate(self.cipher(a)?),
            Inst::AddPlain(a, p) => e.add_plain(self.cipher(a)?, &*self.plain(p, E::encode)?),
            Inst::MulPlain(a, p) => e.mul_plain(self.cipher(a)?, &*self.plain(p, E::encode)?),
            Inst::MulScalar { a, factor, scale } => {
                let scale = self.walk.scale(self.site.value, scale)?;
                e.mul_scalar(self.cipher(a)?, *factor, scale)
            }
            Inst::DotScalar {
                ciphers,
                constants,
                scale,
            } => {
                let scale = self.walk.scale(self.site.value, scale)?;
                e.dot_scalar(&self.ciphers(ciphers)?, &self.numbers(constants)?, scale)
            }
            Inst::Dot { ciphers, plains } => return self.dot(ciphers, plains),
            Inst::Mul(a, b) => e.mul(self.cipher(a)?, self.cipher(b)?),
            Inst::Square(a) => e.square(self.cipher(a)?),
            Inst::Relinearize(a) => e.relinearize(self.cipher(a)?),
            Inst::RelinearizeExt { a, digits } => {
                e.relinearize_ext(self.cipher(a)?, self.digits(digits)?)
            }
            Inst::Rescale { a, to } => e.rescale(self.cipher(a)?, *to),
            Inst::DropLevel { a, to } => e.drop_level(self.cipher(a)?, *to),
            Inst::SwitchRing { a, to } => e.switch_ring(self.cipher(a)?, *to),
            Inst::Decompose(a) => return self.decompose(a),
            Inst::RotateExt {
                a,
                digits,
                rotation,
            } => e.rotate_ext(self.cipher(a)?, self.digits(digits)?, *rotation),
            Inst::ModDown(a) => e.mod_down(self.cipher(a)?),
            Inst::Rotate { a, rotation } => e.rotate(self.cipher(a)?, *rotation),
            Inst::Conjugate(a) => e.conjugate(self.cipher(a)?),
            Inst::MulMonomial { a, exponent } => e.mul_monomial(self.cipher(a)?, *exponent),
            // Inputs and plaintexts are not steps.
            Inst::Input { .. } | Inst::Encode { .. } => {
                return Err(missing(self.site.value, "something that can be computed"));
            }
        };
        cipher.map(Held::Cipher).map_err(|e| self.failed(e))
    }

    fn decompose(&self, a: &Value) -> Outcome<Held<E>, E> {
        let digits = self.walk.evaluator.decompose(self.cipher(a)?);
        digits.map(Held::Digits).map_err(|e| self.failed(e))
    }

    /// In pieces, so that only a few plaintexts are encoded at a time.
    fn dot(&self, ciphers: &[Value], plains: &[Value]) -> Outcome<Held<E>, E> {
        let e = self.walk.evaluator;
        let chunk = e.dot_chunk().get();
        let mut sum: Option<E::Cipher> = None;
        for (ciphers, plains) in ciphers.chunks(chunk).zip(plains.chunks(chunk)) {
            self.walk.control.check()?;
            let lent = plains
                .par_iter()
                .map(|p| self.plain(p, E::encode_for_dot))
                .collect::<Vec<_>>()
                .into_iter()
                .collect::<Outcome<Vec<_>, E>>()?;
            let plains: Vec<&E::Plain> = lent.iter().map(|p| &**p).collect();
            let part = e.dot(&self.ciphers(ciphers)?, &plains);
            let part = part.map_err(|e| self.failed(e))?;
            sum = Some(match sum {
                None => part,
                Some(sum) => e.add(&[&sum, &part]).map_err(|e| self.failed(e))?,
            });
        }
        sum.map(Held::Cipher)
            .ok_or_else(|| missing(self.site.value, "a product"))
    }

    fn numbers(&self, constants: &[Const]) -> Outcome<Vec<f64>, E> {
        let filler = &self.walk.filler;
        let numbers = constants.iter().map(|&c| Ok(filler.scalar(c)?));
        numbers.collect()
    }

    fn ciphers(&self, values: &[Value]) -> Outcome<Vec<&E::Cipher>, E> {
        values.iter().map(|v| self.cipher(v)).collect()
    }

    fn cipher(&self, value: &Value) -> Outcome<&E::Cipher, E> {
        self.walk.cipher(*value)
    }

    fn digits(&self, value: &Value) -> Outcome<&E::Digits, E> {
        match self.walk.held(*value) {
            Some(Held::Digits(digits)) => Ok(digits),
            _ => Err(missing(*value, "digits")),
        }
    }

    /// A plaintext, encoded in this way if only this instruction needs it.
    fn plain(&self, value: &Value, how: Encode<E>) -> Outcome<Lent<'_, E::Plain>, E> {
        let walk = self.walk;
        if let Some(Held::Plain(plain)) = walk.held(*value) {
            return Ok(Lent::Kept(plain));
        }
        let made = || walk.encode(*value, E::encode);
        match walk.cache.get_or_make(*value, made) {
            Some(kept) => kept.map(Lent::Kept),
            None => walk.encode(*value, how).map(Lent::Made),
        }
    }

    fn failed(&self, source: E::Error) -> ExecError<E::Error> {
        self.walk.failed(self.site.value, source)
    }
}
