//! ONNX's functions of one number, with their parameters.
#![deny(clippy::indexing_slicing)]

use super::call::Call;
use crate::onnx::format::Constant;
use crate::onnx::problems::Problem;
use peregrine_ir::{ElementFunction, FunctionKind};

/// The operators that are functions of one number, whatever their other operands.
pub(in crate::onnx) fn names() -> impl Iterator<Item = &'static str> {
    let plain = PLAIN.iter().map(|(name, _)| *name);
    let others = PARAMETERS.iter().map(|(name, ..)| *name);
    plain.chain(others).chain(["Clip", "Gelu"])
}

/// Whether the operator is a function of one number.
pub(in crate::onnx) fn is_function(op: &str) -> bool {
    names().any(|name| name == op)
}

/// Operators without parameters.
const PLAIN: [(&str, FunctionKind); 26] = [
    ("Relu", FunctionKind::Relu),
    ("HardSwish", FunctionKind::HardSwish),
    ("Mish", FunctionKind::Mish),
    ("Softplus", FunctionKind::Softplus),
    ("Softsign", FunctionKind::Softsign),
    ("Erf", FunctionKind::Erf),
    ("Abs", FunctionKind::Abs),
    ("Sign", FunctionKind::Sign),
    ("Floor", FunctionKind::Floor),
    ("Ceil", FunctionKind::Ceil),
    ("Round", FunctionKind::Round),
    ("Exp", FunctionKind::Exp),
    ("Log", FunctionKind::Log),
    ("Sqrt", FunctionKind::Sqrt),
    ("Reciprocal", FunctionKind::Reciprocal),
    ("Sin", FunctionKind::Sin),
    ("Cos", FunctionKind::Cos),
    ("Tan", FunctionKind::Tan),
    ("Asin", FunctionKind::Asin),
    ("Acos", FunctionKind::Acos),
    ("Atan", FunctionKind::Atan),
    ("Sinh", FunctionKind::Sinh),
    ("Cosh", FunctionKind::Cosh),
    ("Asinh", FunctionKind::Asinh),
    ("Acosh", FunctionKind::Acosh),
    ("Atanh", FunctionKind::Atanh),
];

fn plain(op: &str) -> Option<FunctionKind> {
    let mut rows = PLAIN.iter();
    rows.find(|(name, _)| *name == op).map(|(_, kind)| *kind)
}

type Parameter = (&'static str, f32);

/// Operators with attributes and what these are when they are left out: numbers in single precision, as ONNX has them.
const PARAMETERS: [(&str, FunctionKind, &[Parameter]); 8] = [
    ("LeakyRelu", FunctionKind::LeakyRelu, &[("alpha", 0.01)]),
    ("Elu", FunctionKind::Elu, &[("alpha", 1.0)]),
    ("Celu", FunctionKind::Celu, &[("alpha", 1.0)]),
    (
        "ThresholdedRelu",
        FunctionKind::ThresholdedRelu,
        &[("alpha", 1.0)],
    ),
    ("Swish", FunctionKind::Swish, &[("alpha", 1.0)]),
    (
        "HardSigmoid",
        FunctionKind::HardSigmoid,
        &[("alpha", 0.2), ("beta", 0.5)],
    ),
    (
        "Selu",
        FunctionKind::Selu,
        &[("alpha", 1.673_263_2), ("gamma", 1.050_701)],
    ),
    (
        "Shrink",
        FunctionKind::Shrink,
        &[("bias", 0.0), ("lambd", 0.5)],
    ),
];

/// The function that a node applies to its first operand; `None` where the operator is none, or a parameter is not known.
pub(in crate::onnx) fn function(call: &Call) -> Result<Option<ElementFunction>, Problem> {
    let op = call.node.op_type.as_str();
    if let Some(kind) = plain(op) {
        return Ok(Some(kind.plain()));
    }
    match op {
        "Clip" => return clip(call).map(Some),
        "Gelu" => return gelu(call).map(Some),
        "PRelu" => return slope(call),
        _ => {}
    }
    let Some((_, kind, listed)) = PARAMETERS.iter().find(|(name, ..)| *name == op) else {
        return Ok(None);
    };
    let mut parameters = [0.0; 2];
    for (parameter, (name, default)) in parameters.iter_mut().zip(*listed) {
        *parameter = call.float_or(name, f64::from(*default))?;
    }
    let kind = *kind;
    Ok(Some(ElementFunction { kind, parameters }))
}

/// Clip: bounds are attributes before opset 11, operands since; one that is left out does not bound.
fn clip(call: &Call) -> Result<ElementFunction, Problem> {
    let bound = |name, i, role, open: f64| match call.float(name)? {
        Some(value) => Ok(value),
        None => match call.optional_constant(i, role)? {
            Some(c) => single(c, role),
            None => Ok(open),
        },
    };
    let min = bound("min", 1, "the lower bound", f64::NEG_INFINITY)?;
    let max = bound("max", 2, "the upper bound", f64::INFINITY)?;
    Ok(ElementFunction {
        kind: FunctionKind::Clip,
        parameters: [min, max],
    })
}

/// A constant of one element.
fn single(constant: &Constant, role: &'static str) -> Result<f64, Problem> {
    if constant.len() == 1 {
        return Ok(constant.at(0));
    }
    Err(Problem::Operand {
        role,
        found: format!("{} numbers", constant.len()),
        expected: "one number",
    })
}

fn gelu(call: &Call) -> Result<ElementFunction, Problem> {
    match call.string_or("approximate", "none")?.as_str() {
        "none" => Ok(FunctionKind::Gelu.plain()),
        "tanh" => Ok(FunctionKind::GeluTanh.plain()),
        other => Err(Problem::Attribute {
            name: "approximate",
            found: other.to_owned(),
            supported: "none, tanh",
        }),
    }
}

/// PRelu with the same slope everywhere; other slopes are weights, which clients do not see.
fn slope(call: &Call) -> Result<Option<ElementFunction>, Problem> {
    let slope = call
        .optional_constant(1, "the slope")?
        .and_then(Constant::uniform);
    Ok(slope.map(|alpha| ElementFunction {
        kind: FunctionKind::LeakyRelu,
        parameters: [alpha, 0.0],
    }))
}
