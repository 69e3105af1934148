//! Functions of one number that are no polynomials: clients compute them, and the compiler where the number is a constant.
#![deny(clippy::indexing_slicing)]

use super::row::{Client, Lowering, One, Operator};
use crate::onnx::build::{Builder, Call, Value, functions, step};
use crate::onnx::fold::unary;
use crate::onnx::problems::{Problem, unsupported};
use peregrine_ir::FinishStep;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    let constants = |name| Operator::named(name).of_constants(Lowering::One(unary));
    let row = |name, lower: One| constants(name).at_client(Client::Applies(lower));
    let mut rows: Vec<Operator> = functions::names().map(|name| row(name, apply)).collect();
    rows.extend([row("Sigmoid", sigmoid), row("Tanh", tanh), constants("Not")]);
    // Slopes are one number for the client, and any constants for the library.
    let slopes = Operator::named("PRelu").by_library();
    rows.push(slopes.at_client(Client::Applies(apply)));
    rows
}

fn sigmoid(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    step(b, call.value(0, "the operand")?, FinishStep::Sigmoid)
}

fn tanh(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    step(b, call.value(0, "the operand")?, FinishStep::Tanh)
}

fn apply(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    match functions::function(call)? {
        Some(function) => {
            let x = call.value(0, "the operand")?;
            step(b, x, FinishStep::Elementwise(function))
        }
        None => Err(Problem::Operator(unsupported::reason(&call.node.op_type))),
    }
}
