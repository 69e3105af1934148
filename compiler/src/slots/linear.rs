//! Lowering one linear operator: `y = A x + b` between two layouts, one multiplication deep.

use super::bsgs::Split;
use super::diagonals::Diagonals;
use super::{Packed, Program, SlotOp, SlotValue};
use crate::cost::LinearCost;
use peregrine_ir::linear::{BoundMap, LinearMap};
use peregrine_ir::{Constant, Layout, LayoutId, Node, Operator, OperatorId, Rotation};
use std::collections::BTreeMap;

/// How a linear operator will be computed.
#[derive(Clone, Debug)]
pub struct LinearPlan {
    /// The matrix as diagonals.
    pub diagonals: Diagonals,
    /// Their baby and giant steps.
    pub split: Split,
}

impl LinearPlan {
    /// The cheapest plan from `input` to `output`.
    pub fn new(map: &BoundMap<'_>, input: &Layout, output: &Layout, cost: &LinearCost) -> Self {
        let diagonals = Diagonals::of(map, input, output);
        let split = Split::choose(&diagonals, input, output, cost);
        Self { diagonals, split }
    }
}

/// Emits `A x` as planned and returns the packed result. A ciphertext that no input reaches is a product with zero.
pub fn emit(
    program: &mut Program,
    map: LinearMap,
    plan: &LinearPlan,
    x: &Packed,
    (layout, node): (LayoutId, Node),
) -> Packed {
    let operator = program.operators.push(Operator::Linear {
        map,
        input: x.layout,
        output: layout,
    });
    let count = program.layouts.get(layout).map_or(0, |l| l.ciphertexts());
    let values = (0..count)
        .filter_map(|output| {
            let sums = giant_steps(program, plan, x, operator, (output, node));
            program.sum(sums, node).or_else(|| {
                let any = *x.values.first()?;
                Some(program.push(SlotOp::MulScalar(any, 0.0), node))
            })
        })
        .collect();
    Packed { layout, values }
}

/// The partial sums of one output ciphertext, each already rotated into place.
fn giant_steps(
    program: &mut Program,
    plan: &LinearPlan,
    x: &Packed,
    operator: OperatorId,
    (output, node): (u32, Node),
) -> Vec<SlotValue> {
    let mut groups: BTreeMap<u32, Vec<(u32, u32, u32)>> = BTreeMap::new();
    for (&(_, input), rotations) in plan.diagonals.pairs.range((output, 0)..=(output, u32::MAX)) {
        for &rotation in rotations {
            let (baby, giant) = plan.split.steps(rotation);
            groups
                .entry(giant)
                .or_default()
                .push((input, baby, rotation));
        }
    }
    let slots = 1u32 << program.log_slots;
    let mut sums = Vec::with_capacity(groups.len());
    for (giant, terms) in groups {
        let pre = (slots - giant) % slots;
        let mut products = Vec::with_capacity(terms.len());
        for (input, baby, rotation) in terms {
            let Some(&value) = x.values.get(input as usize) else {
                continue;
            };
            let rotated = program.rotate(value, Rotation(baby), node);
            let constant = Constant::Diagonal {
                operator,
                input,
                output,
                rotation,
                pre,
            };
            products.push((rotated, program.constant(constant)));
        }
        let sum = program.push(SlotOp::Dot(products), node);
        sums.push(program.rotate(sum, Rotation(giant), node));
    }
    sums
}
