//! Cutting a circuit into fragments, each of which is a circuit of its own.
//!
//! 1. Every instruction of the main program has a fragment; plaintexts may be encoded wherever they are used. Functions belong to every
//!    fragment that calls them.
//! 2. A fragment imports the operands that it does not define, inputs of the circuit among them, and exports what other fragments or
//!    output ports use of it. Digits come with the ciphertext they belong to.
//! 3. What it needs of the tables, and the keys that it uses, go with it.
//!
//! Which cuts are good is up to whoever distributes the fragments. Fragments are numbered in an order in which they can run: a
//! fragment imports values of fragments with smaller numbers only.

use crate::binary;
use crate::build::Builder;
use crate::circuit::{Circuit, Definition};
use crate::compact::compact_tables;
use crate::entity::{FunctionId, Value};
use crate::fingerprint::Fingerprint;
use crate::fragment::{Fragment, Link};
use crate::inst::Inst;
use crate::typing::TypeError;
use crate::verify::{Verified, VerifyErrors, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

/// Cuts a circuit into fragments. `place` gives, for each instruction of the main program, the number of its fragment; `None` for
/// an `encode` that every fragment which uses its plaintext repeats. It is not asked for inputs, which every fragment that uses
/// them imports, nor for further results of a call. Returns the fragments that other fragments or the outputs need, in the order
/// of their numbers.
///
/// A fragment can run when its imports are there; together the fragments compute the ciphertexts of the circuit, bit for bit. The
/// values of the output ports are among the exports, or among the inputs of the circuit where a port passes an input on.
///
/// Cost: O(size of the circuit) for each fragment.
///
/// # Errors
/// When the circuit is itself a fragment, an instruction other than `encode` has no fragment, or an instruction uses a value of a
/// fragment with a larger number.
pub fn cut(
    circuit: &Verified,
    place: impl Fn(Value) -> Option<u32>,
) -> Result<Vec<Verified>, CutError> {
    if circuit.fragment.is_some() {
        return Err(CutError::Fragment);
    }
    let plan = Plan::new(circuit, place)?;
    let numbers: BTreeSet<u32> = plan.homes.values().copied().collect();
    let exported = plan.exported(circuit);
    let needed = numbers
        .into_iter()
        .filter(|number| exported.contains_key(number));
    let whole = binary::fingerprint(circuit);
    let fragments = needed.map(|number| {
        let exports = exported.get(&number).cloned().unwrap_or_default();
        let fragment = Cutter::new(circuit, &plan).fragment(whole, number, &exports)?;
        Ok(verify(fragment)?)
    });
    fragments.collect()
}

/// The assignment of instructions to fragments.
struct Plan {
    /// The fragment of each instruction that has one.
    homes: BTreeMap<Value, u32>,
    /// The values that each fragment imports.
    imports: BTreeMap<u32, BTreeSet<Value>>,
}

impl Plan {
    fn new(circuit: &Circuit, place: impl Fn(Value) -> Option<u32>) -> Result<Self, CutError> {
        let mut plan = Self {
            homes: BTreeMap::new(),
            imports: BTreeMap::new(),
        };
        for (value, definition) in circuit.definitions(circuit.main()) {
            let home = match definition.inst {
                Inst::Input { .. } | Inst::InputDigits(_) => continue,
                Inst::Result { call, .. } => plan.homes.get(&call).copied(),
                _ => place(value),
            };
            match (home, &definition.inst) {
                (Some(home), inst) => {
                    plan.homes.insert(value, home);
                    for operand in inst.operands() {
                        plan.uses(circuit, (value, home), operand)?;
                    }
                }
                (None, Inst::Encode { .. }) => {}
                (None, _) => return Err(CutError::Unplaced { value }),
            }
        }
        Ok(plan)
    }

    /// Records that an instruction of a fragment uses a value.
    fn uses(
        &mut self,
        circuit: &Circuit,
        (user, home): (Value, u32),
        value: Value,
    ) -> Result<(), CutError> {
        match self.homes.get(&value) {
            Some(&other) if other == home => return Ok(()),
            Some(&other) if other > home => {
                return Err(CutError::Order {
                    user,
                    home,
                    value,
                    other,
                });
            }
            Some(_) => {}
            None if circuit.is_input(value) => {}
            // Encoded wherever it is used.
            None => return Ok(()),
        }
        let imports = self.imports.entry(home).or_default();
        imports.insert(value);
        imports.extend(circuit.digits_of(value));
        Ok(())
    }

    /// The values that each fragment exports to other fragments and to the output ports.
    fn exported(&self, circuit: &Circuit) -> BTreeMap<u32, BTreeSet<Value>> {
        let mut exported: BTreeMap<u32, BTreeSet<Value>> = BTreeMap::new();
        let imported = self.imports.values().flatten().copied();
        for value in imported.chain(circuit.leaving()) {
            if let Some(&home) = self.homes.get(&value) {
                exported.entry(home).or_default().insert(value);
            }
        }
        exported
    }
}

/// A fragment that is being built.
struct Cutter<'c> {
    whole: &'c Circuit,
    plan: &'c Plan,
    builder: Builder,
    renamed: BTreeMap<Value, Value>,
    functions: BTreeMap<FunctionId, FunctionId>,
}

impl<'c> Cutter<'c> {
    fn new(whole: &'c Circuit, plan: &'c Plan) -> Self {
        let mut empty = whole.clone();
        take(&mut empty.values);
        take(&mut empty.functions);
        take(&mut empty.inputs);
        take(&mut empty.outputs);
        Self {
            whole,
            plan,
            builder: Builder::new(empty),
            renamed: BTreeMap::new(),
            functions: BTreeMap::new(),
        }
    }

    fn fragment(
        mut self,
        whole: Fingerprint,
        number: u32,
        exports: &BTreeSet<Value>,
    ) -> Result<Circuit, CutError> {
        self.copy_functions(number)?;
        let imports = self.plan.imports.get(&number).into_iter().flatten();
        let imports: Vec<Value> = imports.copied().collect();
        for &value in &imports {
            self.import(value)?;
        }
        // Its own instructions, in the order of the circuit, after the imports.
        let own = self.plan.homes.iter().filter(|&(_, &home)| home == number);
        for (&value, _) in own {
            if let Some(definition) = self.whole.values.get(value) {
                self.copy(value, definition)?;
            }
        }
        let link = |&whole: &Value| {
            Ok(Link {
                value: self.name(whole)?,
                whole,
            })
        };
        let imports: Result<_, TypeError> = imports.iter().map(link).collect();
        let exports: Result<_, TypeError> = exports.iter().map(link).collect();
        let circuit = self.builder.circuit();
        circuit.name = format!("{}_{number}", circuit.name);
        circuit.fragment = Some(Fragment {
            whole,
            imports: imports?,
            exports: exports?,
        });
        Ok(compact_tables(self.builder.finish()))
    }

    /// Copies the functions that a fragment calls, and those that these call.
    fn copy_functions(&mut self, number: u32) -> Result<(), TypeError> {
        let whole = self.whole;
        let mut called = BTreeSet::new();
        for body in whole.bodies().rev() {
            let runs = |value: &Value| match body.function {
                Some(function) => called.contains(&function),
                None => self.plan.homes.get(value) == Some(&number),
            };
            let running = whole.definitions(body).filter(|(value, _)| runs(value));
            let calls = running.filter_map(|(_, definition)| match definition.inst {
                Inst::Call { function, .. } => Some(function),
                _ => None,
            });
            let calls: Vec<FunctionId> = calls.collect();
            called.extend(calls);
        }
        for id in called {
            let (Some(body), Some(function)) = (whole.body(id), whole.functions.get(id)) else {
                continue;
            };
            self.builder.begin_function();
            for (value, definition) in whole.definitions(body) {
                self.copy(value, definition)?;
            }
            let results = function.results.iter().map(|&value| self.name(value));
            let results = results.collect::<Result<_, _>>()?;
            let copy = self.builder.end_function(&function.name, results);
            self.functions.insert(id, copy);
        }
        Ok(())
    }

    fn import(&mut self, value: Value) -> Result<(), TypeError> {
        let inst = match (self.whole.digits_of(value), self.whole.type_of(value)) {
            (Some(of), _) => Inst::InputDigits(self.name(of)?),
            (None, Some(ty)) => Inst::Input { ty: ty.clone() },
            (None, None) => return Err(undefined(value)),
        };
        let new = self.builder.push(inst)?;
        self.renamed.insert(value, new);
        Ok(())
    }

    /// Copies an instruction, after the plaintexts it uses that are encoded in every fragment.
    fn copy(&mut self, value: Value, definition: &Definition) -> Result<(), TypeError> {
        for operand in definition.inst.operands() {
            let inst = self.whole.values.get(operand);
            if let (false, Some(encode)) = (self.renamed.contains_key(&operand), inst) {
                self.append(operand, encode)?;
            }
        }
        self.append(value, definition)
    }

    fn append(&mut self, value: Value, definition: &Definition) -> Result<(), TypeError> {
        let mut inst = definition.inst.try_map_operands(|old| self.name(old))?;
        if let Inst::Call { function, .. } = &mut inst {
            let (op, old) = ("cut", *function);
            let known = self.functions.get(&old);
            *function = *known.ok_or(TypeError::NoFunction { op, function: old })?;
        }
        self.builder.serve(definition.node);
        let new = self.builder.push_known(inst, &definition.ty)?;
        self.renamed.insert(value, new);
        Ok(())
    }

    fn name(&self, whole: Value) -> Result<Value, TypeError> {
        let known = self.renamed.get(&whole);
        known.copied().ok_or_else(|| undefined(whole))
    }
}

fn undefined(value: Value) -> TypeError {
    let op = "cut";
    TypeError::Undefined { op, value }
}

/// Why a circuit cannot be cut as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CutError {
    /// The circuit is itself a fragment: its values have names of the circuit that it was cut from.
    #[error("the circuit is a fragment of another one; cut that one otherwise")]
    Fragment,
    /// An instruction other than `encode` has no fragment.
    #[error("{value} has no fragment; only plaintexts are encoded wherever they are used")]
    Unplaced {
        /// The value.
        value: Value,
    },
    /// An instruction uses a value of a fragment with a larger number, so that fragments could wait for each other.
    #[error(
        "{user} of fragment {home} uses {value} of fragment {other}; a fragment takes values of fragments before it only"
    )]
    Order {
        /// The instruction.
        user: Value,
        /// Its fragment.
        home: u32,
        /// The operand.
        value: Value,
        /// The fragment of the operand.
        other: u32,
    },
    /// An instruction of a fragment does not type: a defect of the cutting.
    #[error("internal error: {0}")]
    Type(#[from] TypeError),
    /// A fragment does not verify: a defect of the cutting.
    #[error("internal error: {0}")]
    Invalid(#[from] VerifyErrors),
}
