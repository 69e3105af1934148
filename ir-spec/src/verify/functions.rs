//! Rules of functions: their table, and the borders of their bodies.

use super::error::{Report, Subject};
use super::tables::{check_name, is_identifier};
use crate::circuit::{Circuit, Definition};
use crate::entity::{Entity, FunctionId, Value};
use crate::function::Body;
use crate::inst::Inst;
use crate::types::Type;
use std::collections::BTreeSet;

/// The largest number of functions of a circuit.
pub const MAX_FUNCTIONS: usize = 1 << 16;
/// The largest number of instructions that one run may execute, those of every call counted.
pub const MAX_EXECUTED: u64 = 1 << 32;
/// The largest depth of calls: a call within the body of a called function is at depth two.
pub const MAX_NESTING: u32 = 64;

/// Checks the table of functions; returns whether the bodies can be told apart.
pub(crate) fn check(circuit: &Circuit, report: &mut Report) -> bool {
    let found = circuit.functions.len();
    if found > MAX_FUNCTIONS {
        report.push(Subject::Circuit, FunctionError::TooMany { found });
        return false;
    }
    let mut end = Value(0);
    for (id, function) in circuit.functions.iter() {
        let (found, last) = (function.end, circuit.values.next_key());
        if found <= end || found > last {
            let error = FunctionError::End { found, end, last };
            report.push(Subject::Function(id), error);
            return false;
        }
        end = found;
    }
    check_names(circuit, report);
    for body in circuit.bodies() {
        if let Some(id) = body.function {
            check_results(circuit, (id, body), report);
            check_parameters(circuit, body, report);
        }
    }
    check_executed(circuit, report);
    check_nesting(circuit, report);
    true
}

fn check_names(circuit: &Circuit, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for (id, function) in circuit.functions.iter() {
        let subject = Subject::Function(id);
        check_name(subject, &function.name, report);
        if !is_identifier(&function.name) {
            report.push(subject, FunctionError::NotIdentifier);
        }
        if !seen.insert(&function.name) {
            report.push(subject, FunctionError::NameTwice);
        }
    }
}

fn check_results(circuit: &Circuit, (id, body): (FunctionId, Body), report: &mut Report) {
    let subject = Subject::Function(id);
    let results = circuit.results_of(body);
    if results.is_empty() {
        report.push(subject, FunctionError::NoResults);
    }
    for value in results {
        match circuit.type_of(value).filter(|_| body.contains(value)) {
            None => report.push(subject, FunctionError::ForeignResult { value }),
            Some(Type::Cipher { .. }) => {}
            Some(ty) => {
                let found = ty.display(circuit.rings.unit_bits);
                report.push(subject, FunctionError::Result { value, found });
            }
        }
    }
}

fn check_parameters(circuit: &Circuit, body: Body, report: &mut Report) {
    let definitions = circuit.definitions(body);
    let behind = definitions.skip_while(|(_, definition)| definition.inst.is_input());
    for (value, definition) in behind {
        if definition.inst.is_input() {
            report.push(Subject::Value(value), FunctionError::LateParameter);
        }
    }
}

fn check_executed(circuit: &Circuit, report: &mut Report) {
    let runs = circuit.runs_of_functions().into_iter();
    let executed = circuit.bodies().zip(runs.chain([1])).map(|(body, runs)| {
        let values = body.values().len() as u64;
        values.saturating_mul(runs)
    });
    let executed = executed.fold(0, u64::saturating_add);
    if executed > MAX_EXECUTED {
        report.push(Subject::Circuit, FunctionError::Executed { executed });
    }
}

fn check_nesting(circuit: &Circuit, report: &mut Report) {
    let mut nesting: Vec<u32> = Vec::with_capacity(circuit.functions.len());
    for body in circuit.bodies() {
        let calls = circuit.definitions(body).filter_map(|(_, d)| match d.inst {
            Inst::Call { function, .. } => nesting.get(function.index()),
            _ => None,
        });
        let found = calls.max().map_or(0, |inner| inner.saturating_add(1));
        if found > MAX_NESTING {
            let subject = body.function.map_or(Subject::Circuit, Subject::Function);
            report.push(subject, FunctionError::Nesting { found });
            return;
        }
        nesting.push(found);
    }
}

/// Checks that an instruction uses values of its own body, calls functions before it, and passes digits only with their
/// ciphertext.
pub(super) fn check_scope(
    circuit: &Circuit,
    body: Body,
    (value, definition): (Value, &Definition),
) -> Result<(), FunctionError> {
    let op = definition.inst.keyword();
    let mut foreign = None;
    definition.inst.for_each_operand(|operand| {
        if operand < value && !body.contains(operand) {
            foreign = Some(operand);
        }
    });
    if let Some(operand) = foreign {
        return Err(FunctionError::OtherBody { op, operand });
    }
    match &definition.inst {
        Inst::Call {
            function,
            arguments,
        } => check_call(circuit, body, *function, arguments),
        Inst::Result { call, index } => check_place(circuit, value, (*call, *index)),
        _ => Ok(()),
    }
}

fn check_call(
    circuit: &Circuit,
    body: Body,
    function: FunctionId,
    arguments: &[Value],
) -> Result<(), FunctionError> {
    if body.function.is_some_and(|own| own <= function) {
        return Err(FunctionError::CalledBefore { function });
    }
    let parameters: Vec<Value> = circuit.parameters(function).collect();
    for (&parameter, &digits) in parameters.iter().zip(arguments) {
        let of = circuit.digits_of(parameter);
        let Some(place) = parameters.iter().position(|&p| Some(p) == of) else {
            continue;
        };
        let (expected, of) = (arguments.get(place), circuit.digits_of(digits));
        if let (Some(&a), Some(of)) = (expected, of)
            && a != of
        {
            return Err(FunctionError::ForeignDigits { digits, of, a });
        }
    }
    Ok(())
}

/// Checks that a further result follows its call, or another result of the call with a smaller index.
fn check_place(
    circuit: &Circuit,
    value: Value,
    (call, index): (Value, u32),
) -> Result<(), FunctionError> {
    let before = value.0.checked_sub(1).map(Value);
    let follows = match before.and_then(|before| circuit.values.get(before)) {
        Some(_) if before == Some(call) => index > 0,
        Some(Definition {
            inst:
                Inst::Result {
                    call: of,
                    index: last,
                },
            ..
        }) => *of == call && *last < index,
        _ => false,
    };
    match follows {
        true => Ok(()),
        false => Err(FunctionError::Place { call, index }),
    }
}

/// A rule of functions and calls that is broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum FunctionError {
    #[error("{found} functions, expected at most {MAX_FUNCTIONS}")]
    TooMany { found: usize },
    #[error("its name is no identifier")]
    NotIdentifier,
    #[error("another function has the same name")]
    NameTwice,
    #[error(
        "its body ends before {found}, expected an end behind {end}, at most {last}: bodies stand one after the other and are not empty"
    )]
    End {
        found: Value,
        end: Value,
        last: Value,
    },
    #[error("it has no results")]
    NoResults,
    #[error("its result {value} is no value of its body")]
    ForeignResult { value: Value },
    #[error("its result {value} is {found}, expected a ciphertext")]
    Result { value: Value, found: String },
    #[error("a parameter stands behind the first instruction; a body begins with its parameters")]
    LateParameter,
    #[error(
        "a run would execute {executed} instructions, those of every call counted, expected at most {MAX_EXECUTED}"
    )]
    Executed { executed: u64 },
    #[error("calls stand {found} deep within each other, expected at most {MAX_NESTING}")]
    Nesting { found: u32 },
    #[error("{op}: {operand} is a value of another body")]
    OtherBody { op: &'static str, operand: Value },
    #[error("call: {function} is not defined before the function that calls it")]
    CalledBefore { function: FunctionId },
    #[error("call: {digits} holds the digits of {of}, not of the argument {a}")]
    ForeignDigits { digits: Value, of: Value, a: Value },
    #[error(
        "result {index} does not stand directly behind {call}, in the order of the results of this call"
    )]
    Place { call: Value, index: u32 },
}
