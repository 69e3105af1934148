//! ONNX's functions of one number, with their parameters.
#![deny(clippy::indexing_slicing)]

use super::call::Call;
use super::constant::Constant;
use super::problem::Problem;
use peregrine_ir::{Function, FunctionKind};

/// Whether the operator is a function of one number.
pub(super) fn is_function(op: &str) -> bool {
    plain(op).is_some()
        || PARAMETERS.iter().any(|(name, ..)| *name == op)
        || op == "Clip"
        || op == "Gelu"
}

/// Operators without parameters.
fn plain(op: &str) -> Option<FunctionKind> {
    use FunctionKind as F;
    Some(match op {
        "Relu" => F::Relu,
        "HardSwish" => F::HardSwish,
        "Mish" => F::Mish,
        "Softplus" => F::Softplus,
        "Softsign" => F::Softsign,
        "Erf" => F::Erf,
        "Abs" => F::Abs,
        "Sign" => F::Sign,
        "Floor" => F::Floor,
        "Ceil" => F::Ceil,
        "Round" => F::Round,
        "Exp" => F::Exp,
        "Log" => F::Log,
        "Sqrt" => F::Sqrt,
        "Reciprocal" => F::Reciprocal,
        "Sin" => F::Sin,
        "Cos" => F::Cos,
        "Tan" => F::Tan,
        "Asin" => F::Asin,
        "Acos" => F::Acos,
        "Atan" => F::Atan,
        "Sinh" => F::Sinh,
        "Cosh" => F::Cosh,
        "Asinh" => F::Asinh,
        "Acosh" => F::Acosh,
        "Atanh" => F::Atanh,
        _ => return None,
    })
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
pub(super) fn function(call: &Call) -> Result<Option<Function>, Problem> {
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
    Ok(Some(Function { kind, parameters }))
}

/// Clip: bounds are attributes before opset 11, operands since; one that is left out does not bound.
fn clip(call: &Call) -> Result<Function, Problem> {
    let bound = |name, i, role, open: f64| match call.float(name)? {
        Some(value) => Ok(value),
        None => match call.optional_constant(i, role)? {
            Some(c) => single(c, role),
            None => Ok(open),
        },
    };
    let min = bound("min", 1, "the lower bound", f64::NEG_INFINITY)?;
    let max = bound("max", 2, "the upper bound", f64::INFINITY)?;
    Ok(Function {
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

fn gelu(call: &Call) -> Result<Function, Problem> {
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
fn slope(call: &Call) -> Result<Option<Function>, Problem> {
    let slope = call
        .optional_constant(1, "the slope")?
        .and_then(Constant::uniform);
    Ok(slope.map(|alpha| Function {
        kind: FunctionKind::LeakyRelu,
        parameters: [alpha, 0.0],
    }))
}
