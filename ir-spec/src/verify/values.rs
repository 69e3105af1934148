//! Rules of instructions: definition order, types, provenance, digits, constants, magnitudes.

use super::error::{Report, Subject};
use super::functions::check_scope;
use crate::circuit::{Circuit, Constant, Definition, Operator};
use crate::entity::{Arena, Const, Node, OperatorId, TensorId, Value};
use crate::function::Body;
use crate::inst::{Inst, Rounded, RoundedValue};
use crate::ring::Level;
use crate::scale::Scale;
use crate::typing::{TypeError, result_type};

/// The largest number of instructions of a circuit.
pub const MAX_VALUES: usize = 1 << 24;

pub(crate) fn check(circuit: &Circuit, report: &mut Report) {
    if circuit.values.len() > MAX_VALUES {
        let found = circuit.values.len();
        report.push(Subject::Circuit, ValueError::TooMany { found });
        return;
    }
    let magnitudes = Magnitudes::new(circuit);
    for body in circuit.bodies() {
        for (value, definition) in circuit.definitions(body) {
            let mut note = |result: Result<(), ValueError>| {
                if let Err(error) = result {
                    report.push(Subject::Value(value), error);
                }
            };
            note(check_type(circuit, value, definition));
            note(check_node(circuit, body, definition));
            note(check_inst(circuit, &magnitudes, definition));
            if let Err(error) = check_scope(circuit, body, (value, definition)) {
                report.push(Subject::Value(value), error);
            }
        }
    }
}

/// Checks that operands are earlier values, and that the type stated is the one that the typing rules give.
fn check_type(circuit: &Circuit, value: Value, definition: &Definition) -> Result<(), ValueError> {
    let earlier = |v: Value| (v < value).then(|| circuit.type_of(v)).flatten();
    let derived = result_type(&definition.inst, circuit, earlier)?;
    if derived != definition.ty {
        let unit = circuit.rings.unit_bits;
        return Err(ValueError::Stated {
            op: definition.inst.keyword(),
            stated: definition.ty.display(unit),
            derived: derived.display(unit),
        });
    }
    match derived.scale() {
        Some(scale) if scale.value(&circuit.rings.primes).is_none() => Err(ValueError::Scale {
            scale: scale.display(circuit.rings.unit_bits),
        }),
        _ => Ok(()),
    }
}

/// Checks that instructions of the main program serve a node, and those of a function none: they serve the nodes of its
/// calls.
fn check_node(circuit: &Circuit, body: Body, definition: &Definition) -> Result<(), ValueError> {
    let (inst, op) = (&definition.inst, definition.inst.keyword());
    let serves = body.function.is_none() && !inst.is_input();
    match (serves, definition.node) {
        (false, None) => Ok(()),
        (false, Some(node)) if inst.is_input() => Err(ValueError::InputNode { node }),
        (false, Some(node)) => Err(ValueError::FunctionNode { op, node }),
        (true, None) => Err(ValueError::NoProvenance { op }),
        (true, Some(node)) => match circuit.nodes.get(node) {
            Some(_) => Ok(()),
            None => Err(ValueError::NoNode { op, node }),
        },
    }
}

/// Checks the rules of single instructions that typing cannot see.
fn check_inst(
    circuit: &Circuit,
    magnitudes: &Magnitudes,
    definition: &Definition,
) -> Result<(), ValueError> {
    let (inst, op) = (&definition.inst, definition.inst.keyword());
    if let Inst::RelinearizeExt { a, digits } | Inst::RotateExt { a, digits, .. } = inst {
        check_digits(circuit, op, *a, *digits)?;
    }
    let Some(Rounded { what, scale }) = inst.rounded() else {
        return Ok(());
    };
    let operand = inst.operands().into_iter().find_map(|v| circuit.type_of(v));
    let level = operand.unwrap_or(&definition.ty).level();
    let magnitude = |constant, uniform| -> Result<f64, ValueError> {
        let found = find_constant(circuit, op, constant, uniform)?;
        check_slots(circuit, op, (constant, found), level)?;
        Ok(magnitudes.of(found.operator()))
    };
    match what {
        RoundedValue::Number(factor) => fits(circuit, factor.abs(), scale, level),
        RoundedValue::Slots { re, im } => {
            let im = im.map_or(Ok(0.0), |im| magnitude(im, false))?;
            fits(circuit, magnitude(re, false)?.hypot(im), scale, level)
        }
        RoundedValue::Uniform(constants) => constants
            .iter()
            .try_for_each(|&c| fits(circuit, magnitude(c, true)?, scale, level)),
    }
}

/// Checks that digits are those of the ciphertext they are used with.
fn check_digits(
    circuit: &Circuit,
    op: &'static str,
    a: Value,
    digits: Value,
) -> Result<(), ValueError> {
    match circuit.digits_of(digits) {
        Some(of) if of != a => Err(ValueError::ForeignDigits { op, a, digits, of }),
        // Anything but digits is a type error.
        _ => Ok(()),
    }
}

/// The constant, after checking that it exists and is of the kind that the instruction takes: a scalar, or slots.
fn find_constant<'c>(
    circuit: &'c Circuit,
    op: &'static str,
    constant: Const,
    uniform: bool,
) -> Result<&'c Constant, ValueError> {
    let found = circuit.constants.get(constant);
    let found = found.ok_or(ValueError::NoConstant { op, constant })?;
    match (found.is_uniform(), uniform) {
        (true, false) => Err(ValueError::OneNumber { op, constant }),
        (false, true) => Err(ValueError::Slots { op, constant }),
        (true, true) | (false, false) => Ok(found),
    }
}

/// Checks that a constant has the slots of the ring it is used in.
fn check_slots(
    circuit: &Circuit,
    op: &'static str,
    (constant, found): (Const, &Constant),
    level: Level,
) -> Result<(), ValueError> {
    let expected = circuit.rings.at(level).slots();
    match circuit.slots_of(found) {
        Some(found) if found != expected && circuit.rings.has_slots(found) => {
            Err(ValueError::OtherSlots {
                op,
                constant,
                found,
                level,
                expected,
            })
        }
        // Without a layout that suits a ring there is an error of the tables.
        _ => Ok(()),
    }
}

/// Checks that a number times its scale stays below the modulus, so that it does not wrap, and is a finite double, so
/// that it can be encoded.
fn fits(circuit: &Circuit, number: f64, scale: &Scale, level: Level) -> Result<(), ValueError> {
    let (Some(bits), Some(limit)) = (
        scale.bits(&circuit.rings.primes),
        circuit.rings.level_bits(level),
    ) else {
        return Ok(()); // a type error
    };
    let text = || scale.display(circuit.rings.unit_bits);
    if scale.value(&circuit.rings.primes).is_none() {
        return Err(ValueError::Scale { scale: text() });
    }
    let bits = bits + number.log2();
    if bits > limit.min(MAX_NUMBER_BITS) {
        return Err(ValueError::TooLarge {
            number,
            scale: text(),
            bits,
            limit: limit.min(MAX_NUMBER_BITS),
        });
    }
    Ok(())
}

/// log2 of the largest scaled number, so that it is a finite double.
const MAX_NUMBER_BITS: f64 = 1000.0;

/// The largest coefficient of each operator, in magnitude.
struct Magnitudes {
    by_operator: Arena<OperatorId, f64>,
}

impl Magnitudes {
    fn new(circuit: &Circuit) -> Self {
        let by_tensor: Arena<TensorId, f64> = circuit
            .tensors
            .values()
            .map(|tensor| tensor.data().iter().fold(0.0, |m: f64, x| m.max(x.abs())))
            .collect();
        let by_operator = circuit
            .operators
            .values()
            .map(|operator| {
                let tensor = match operator {
                    Operator::Linear { map, .. } => map.weight(),
                    Operator::Broadcast { tensor, .. } => Some(*tensor),
                };
                // Maps without weights have coefficients of at most 1.
                tensor.map_or(1.0, |t| by_tensor.get(t).copied().unwrap_or(0.0))
            })
            .collect();
        Self { by_operator }
    }

    fn of(&self, operator: OperatorId) -> f64 {
        self.by_operator.get(operator).copied().unwrap_or(0.0)
    }
}

/// A rule of instructions that is broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum ValueError {
    #[error("{found} instructions, expected at most {MAX_VALUES}")]
    TooMany { found: usize },
    #[error(transparent)]
    Type(#[from] TypeError),
    #[error("{op}: states {stated}, but the operation gives {derived}")]
    Stated {
        op: &'static str,
        stated: String,
        derived: String,
    },
    #[error("scale {scale} is too large or too small to be computed with")]
    Scale { scale: String },
    #[error("input: states {node}, inputs serve no node")]
    InputNode { node: Node },
    #[error("{op}: states {node}, what a function computes serves the nodes of its calls")]
    FunctionNode { op: &'static str, node: Node },
    #[error("{op}: does not say which node it serves")]
    NoProvenance { op: &'static str },
    #[error("{op}: node {node} does not exist")]
    NoNode { op: &'static str, node: Node },
    #[error("{op}: {digits} holds the digits of {of}, not of {a}")]
    ForeignDigits {
        op: &'static str,
        a: Value,
        digits: Value,
        of: Value,
    },
    #[error("{op}: constant {constant} does not exist")]
    NoConstant { op: &'static str, constant: Const },
    #[error("{op}: constant {constant} is one number; only a diagonal or a fill has slots")]
    OneNumber { op: &'static str, constant: Const },
    #[error("{op}: constant {constant} has slots; only a uniform constant is one number")]
    Slots { op: &'static str, constant: Const },
    #[error(
        "{op}: constant {constant} is for {found} slots, a ciphertext of level {level} has {expected}"
    )]
    OtherSlots {
        op: &'static str,
        constant: Const,
        found: u32,
        level: Level,
        expected: u32,
    },
    #[error("{number:e} at scale {scale} has {bits:.1} bits, the modulus carries {limit:.1}")]
    TooLarge {
        number: f64,
        scale: String,
        bits: f64,
        limit: f64,
    },
}
