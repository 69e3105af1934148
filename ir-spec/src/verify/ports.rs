//! Rules of input and output tensors.

use super::error::{Report, Subject};
use super::tables::{check_name, check_rank, check_slots};
use crate::circuit::{Circuit, Port};
use crate::entity::{LayoutId, Value};
use crate::expectation::{Expectation, ExpectationError, InputRange};
use crate::finish::{Finish, FinishError, FinishStep, Prepare, PrepareError};
use crate::inst::Inst;
use crate::layout::Layout;
use crate::ring::{SecretId, SecretKind};
use crate::shape::Shape;
use crate::types::{Form, Type};
use std::collections::BTreeSet;

pub(crate) fn check(circuit: &Circuit, report: &mut Report) {
    check_side(circuit, &circuit.inputs, Subject::Input, report);
    check_side(circuit, &circuit.outputs, Subject::Output, report);
    check_inputs(circuit, report);
    if circuit.outputs.is_empty() && circuit.exports().is_empty() {
        report.push(Subject::Circuit, PortError::NoOutputs);
    }
}

fn check_side(circuit: &Circuit, ports: &[Port], subject: fn(u32) -> Subject, report: &mut Report) {
    let names = ports.iter().map(|port| port.name.as_str());
    check_names(names, subject, report);
    for (i, port) in ports.iter().enumerate() {
        let subject = subject(i as u32);
        check_rank(subject, &port.shape, report);
        check_finish(subject, &port.shape, &port.finish, report);
        check_prepare(subject, &port.shape, port.prepare.as_ref(), report);
        check_expected(subject, port.range, port.expectation, report);
        check_imaginary(subject, port.imaginary, report);
        match circuit.layouts.get(port.layout) {
            None => report.push(
                subject,
                PortError::NoLayout {
                    layout: port.layout,
                },
            ),
            Some(layout) => {
                check_packing(subject, &port.shape, layout, report);
                let ty = port.values.first().and_then(|&v| circuit.type_of(v));
                if let Some(ty) = ty.filter(|_| circuit.rings.has_slots(layout.slots())) {
                    let slots = circuit.rings.at(ty.level()).slots();
                    check_slots(subject, layout, slots, report);
                    check_secret(subject, circuit.rings.at(ty.level()).secret(), report);
                }
                let (found, expected) = (port.values.len(), layout.ciphertexts() as usize);
                if found != expected {
                    report.push(subject, PortError::Count { found, expected });
                }
            }
        }
        if let Err(error) = check_values(circuit, &port.values) {
            report.push(subject, error);
        }
    }
}

/// Checks that an input is not encrypted under a sparse secret, which is secure for the modulus of the keys that lead to it only.
pub(crate) fn check_secret(subject: Subject, secret: SecretId, report: &mut Report) {
    if matches!(subject, Subject::Input(_)) && secret.kind != SecretKind::Ternary {
        report.push(subject, PortError::SparseInput { secret });
    }
}

/// Checks that the names of one side are there, differ and are not too long.
pub(crate) fn check_names<'a>(
    names: impl Iterator<Item = &'a str>,
    subject: fn(u32) -> Subject,
    report: &mut Report,
) {
    let mut seen = BTreeSet::new();
    for (i, name) in names.enumerate() {
        let subject = subject(i as u32);
        check_name(subject, name, report);
        if name.is_empty() {
            report.push(subject, PortError::NoName);
        }
        if !seen.insert(name) {
            report.push(subject, PortError::NameTwice);
        }
    }
}

pub(crate) fn check_packing(subject: Subject, shape: &Shape, layout: &Layout, report: &mut Report) {
    let packed = layout.parts().shape;
    // Row-major order is all they share: a renamed tensor keeps the packing it had.
    if shape.elements() != layout.elements() {
        let shape = shape.clone();
        report.push(subject, PortError::Packing { shape, packed });
    }
}

/// Checks that the steps after decryption fit the tensor; an input has none.
pub(crate) fn check_finish(subject: Subject, shape: &Shape, finish: &Finish, report: &mut Report) {
    if matches!(subject, Subject::Input(_)) && !finish.is_empty() {
        report.push(subject, PortError::FinishedInput);
    }
    check_ranks(subject, finish, report);
    if let Err(error) = finish.result_shape(shape) {
        report.push(subject, PortError::Finish(error));
    }
}

fn check_ranks(subject: Subject, steps: &Finish, report: &mut Report) {
    for step in &steps.0 {
        if let FinishStep::Reshape { shape } = step {
            check_rank(subject, shape, report);
        }
    }
}

/// Checks that the steps before encryption give the tensor that is packed; an output has none.
pub(crate) fn check_prepare(
    subject: Subject,
    packed: &Shape,
    prepare: Option<&Prepare>,
    report: &mut Report,
) {
    let Some(prepare) = prepare else {
        return;
    };
    if matches!(subject, Subject::Output(_)) {
        report.push(subject, PortError::PreparedOutput);
    }
    check_rank(subject, &prepare.shape, report);
    check_ranks(subject, &prepare.steps, report);
    match prepare.packed_shape() {
        Ok(shape) if shape == *packed => {}
        Ok(found) => {
            let shape = packed.clone();
            report.push(subject, PortError::Prepared { shape, found });
        }
        Err(error) => report.push(subject, PortError::Prepare(error)),
    }
}

/// Checks that inputs have ranges, outputs expectations, and both meaningful numbers.
pub(crate) fn check_expected(
    subject: Subject,
    range: Option<InputRange>,
    expectation: Option<Expectation>,
    report: &mut Report,
) {
    let input = matches!(subject, Subject::Input(_));
    if range.is_some() && !input {
        report.push(subject, PortError::OutputRange);
    }
    if expectation.is_some() && input {
        report.push(subject, PortError::ExpectedInput);
    }
    let range = range.map_or(Ok(()), |range| range.check());
    let expectation = expectation.map_or(Ok(()), |expected| expected.check());
    for error in [range, expectation].into_iter().filter_map(Result::err) {
        report.push(subject, PortError::Expectation(error));
    }
}

/// Checks that only outputs have imaginary parts that mean something, and that these have a limit.
pub(crate) fn check_imaginary(subject: Subject, imaginary: Option<f64>, report: &mut Report) {
    let Some(limit) = imaginary else {
        return;
    };
    if matches!(subject, Subject::Input(_)) {
        report.push(subject, PortError::ImaginaryInput);
    }
    if !(limit.is_finite() && limit > 0.0) {
        report.push(subject, PortError::Imaginary { limit });
    }
}

/// Checks that the values of a port are ciphertexts of two parts and of one type.
fn check_values(circuit: &Circuit, values: &[Value]) -> Result<(), PortError> {
    let unit = circuit.rings.unit_bits;
    let mut first: Option<(Value, &Type)> = None;
    for &value in values {
        let ty = circuit.type_of(value).ok_or(PortError::NoValue { value })?;
        if !circuit.main().contains(value) {
            return Err(PortError::OtherBody { value });
        }
        let Type::Cipher {
            form: Form::Normal, ..
        } = ty
        else {
            let found = ty.display(unit);
            return Err(PortError::NotCiphertext { value, found });
        };
        let (other, other_type) = *first.get_or_insert((value, ty));
        if ty != other_type {
            return Err(PortError::Types {
                value,
                found: ty.display(unit),
                other,
                expected: other_type.display(unit),
            });
        }
    }
    Ok(())
}

/// Checks that the values of input ports, or the imports of a fragment, are exactly the inputs of the main program,
/// each once.
fn check_inputs(circuit: &Circuit, report: &mut Report) {
    let imports = circuit.imports().iter().map(|link| link.value);
    let mut listed: BTreeSet<Value> = imports.collect();
    for (i, port) in circuit.inputs.iter().enumerate() {
        let subject = Subject::Input(i as u32);
        for &value in &port.values {
            let Some(definition) = circuit.values.get(value) else {
                continue;
            };
            if !matches!(definition.inst, Inst::Input { .. }) {
                report.push(subject, PortError::NotInput { value });
            }
            if !listed.insert(value) {
                report.push(subject, PortError::Twice { value });
            }
        }
    }
    for (value, definition) in circuit.definitions(circuit.main()) {
        if definition.inst.is_input() && !listed.contains(&value) {
            report.push(Subject::Value(value), PortError::Unlisted);
        }
    }
}

/// A rule of ports that is broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum PortError {
    #[error("the circuit has no outputs")]
    NoOutputs,
    #[error("has no name")]
    NoName,
    #[error("another port has the same name")]
    NameTwice,
    #[error("layout {layout} does not exist")]
    NoLayout { layout: LayoutId },
    #[error("has shape {shape}, but its layout packs {packed:?}")]
    Packing { shape: Shape, packed: [u32; 3] },
    #[error("has {found} ciphertexts, its layout wants {expected}")]
    Count { found: usize, expected: usize },
    #[error("{value} does not exist")]
    NoValue { value: Value },
    #[error("{value} is a value of a function")]
    OtherBody { value: Value },
    #[error("{value} is {found}, expected a two-part ciphertext")]
    NotCiphertext { value: Value, found: String },
    #[error(
        "{value} is {found}, but {other} is {expected}: the ciphertexts of a port have one type"
    )]
    Types {
        value: Value,
        found: String,
        other: Value,
        expected: String,
    },
    #[error("{value} is not an input instruction")]
    NotInput { value: Value },
    #[error("{value} is listed twice")]
    Twice { value: Value },
    #[error("input: no input port or import lists it")]
    Unlisted,
    #[error("is encrypted at {secret}: inputs are encrypted under ternary secrets")]
    SparseInput { secret: SecretId },
    #[error("an input is not decrypted, but has steps that follow decryption")]
    FinishedInput,
    #[error(transparent)]
    Finish(#[from] FinishError),
    #[error("an output is not encrypted, but has steps that precede encryption")]
    PreparedOutput,
    #[error("has shape {shape}, but is prepared as {found}")]
    Prepared { shape: Shape, found: Shape },
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error("a range is for inputs")]
    OutputRange,
    #[error("an expectation is for outputs")]
    ExpectedInput,
    #[error("a limit of imaginary parts is for outputs")]
    ImaginaryInput,
    #[error("imaginary parts cannot stay below {limit}")]
    Imaginary { limit: f64 },
    #[error(transparent)]
    Expectation(#[from] ExpectationError),
}
