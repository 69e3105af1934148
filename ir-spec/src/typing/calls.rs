//! Typing rules of instructions that cross the border of a body: inputs, calls and their results.

use super::{Rules, TypeError};
use crate::circuit::Circuit;
use crate::entity::{FunctionId, Value};
use crate::function::Function;
use crate::inst::Inst;
use crate::ring::RingTable;
use crate::types::{Basis, Form, Type};

/// Checks that an input may have a type.
///
/// # Errors
/// When its level or scale does not exist, or it is the type of digits, which come in by `input_digits`.
pub(crate) fn check_input(ty: &Type, ring: &RingTable) -> Result<(), TypeError> {
    let op = "input";
    let rules = Rules {
        op,
        ring,
        type_of: |_| None,
    };
    match ty {
        Type::Cipher { level, scale, form } => {
            rules.stated(*level, scale)?;
            match form {
                Form::Extended => rules.key_switched(*level),
                Form::Normal | Form::Product => Ok(()),
            }
        }
        Type::Plain {
            level,
            scale,
            basis,
        } => {
            rules.stated(*level, scale)?;
            match basis {
                Basis::Extended => rules.key_switched(*level),
                Basis::Normal => Ok(()),
            }
        }
        Type::Digits { .. } => Err(TypeError::InputDigits),
    }
}

impl<'t, F: Fn(Value) -> Option<&'t Type>> Rules<'_, F> {
    /// The type of digits that come from outside.
    pub(super) fn input_digits(&self, circuit: &Circuit, a: Value) -> Result<Type, TypeError> {
        match circuit.values.get(a).map(|definition| &definition.inst) {
            Some(Inst::Input { .. }) | None => self.decompose(a),
            Some(_) => Err(TypeError::NotInput { value: a }),
        }
    }

    pub(super) fn call(
        &self,
        circuit: &Circuit,
        function: FunctionId,
        arguments: &[Value],
    ) -> Result<Type, TypeError> {
        let called = self.function(circuit, function)?;
        let parameters: Vec<Value> = circuit.parameters(function).collect();
        if parameters.len() != arguments.len() {
            return Err(TypeError::Arguments {
                function,
                found: arguments.len(),
                expected: parameters.len(),
            });
        }
        for (&parameter, &value) in parameters.iter().zip(arguments) {
            let (expected, found) = (self.operand(parameter)?, self.operand(value)?);
            if found != expected {
                let unit = self.ring.unit_bits;
                return Err(TypeError::Argument {
                    function,
                    parameter,
                    value,
                    found: found.display(unit),
                    expected: expected.display(unit),
                });
            }
        }
        self.result_at(called, (function, 0))
    }

    pub(super) fn result(
        &self,
        circuit: &Circuit,
        call: Value,
        index: u32,
    ) -> Result<Type, TypeError> {
        self.operand(call)?;
        match circuit.values.get(call).map(|definition| &definition.inst) {
            Some(Inst::Call { function, .. }) => {
                let called = self.function(circuit, *function)?;
                self.result_at(called, (*function, index))
            }
            _ => Err(TypeError::NotCall { value: call }),
        }
    }

    fn function<'c>(
        &self,
        circuit: &'c Circuit,
        function: FunctionId,
    ) -> Result<&'c Function, TypeError> {
        let op = self.op;
        let called = circuit.functions.get(function);
        called.ok_or(TypeError::NoFunction { op, function })
    }

    fn result_at(
        &self,
        called: &Function,
        (function, index): (FunctionId, u32),
    ) -> Result<Type, TypeError> {
        let missing = TypeError::NoResult {
            function,
            index,
            results: called.results.len(),
        };
        let value = called.results.get(index as usize).ok_or(missing)?;
        self.operand(*value).cloned()
    }
}
