//! Raw values: values that are kept before their rescale, so that sums and rotations share it.

use super::rescales::Rescales;
use crate::slots::{Program, SlotInst, SlotOp, SlotValue};
use peregrine_ir::SecondaryMap;
use std::collections::BTreeSet;

/// The steps that stand between a value as it is emitted and its working form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw {
    /// None: the value is at its working scale.
    No,
    /// A rescale: a product with constants, or a sum or rotation of such products.
    Constants,
    /// Relinearization and a rescale: a product of ciphertexts, or a sum of such products.
    Product,
    /// Relinearization: a lazy product of ciphertexts, which is not rescaled, or a sum of lazy products.
    Lazy,
}

/// Decides which values are kept before their rescale, so that sums share it.
///
/// A raw value that is rotated and has other uses is rescaled before: its rotations then share the rescale. Partial sums
/// that are folded stay raw, because the noise of an earlier rescale would be added up with them.
pub fn raw(program: &Program, rescales: &Rescales) -> SecondaryMap<SlotValue, Raw> {
    let uses = uses(program);
    let once = |v: SlotValue| uses[v] == 1;
    let masked = masked(program);
    let folded = folded(program, &uses);
    SecondaryMap::in_order(&program.values, |raw, value, inst| match &inst.op {
        SlotOp::Dot(_) | SlotOp::Mask(_) | SlotOp::Scalars(..) | SlotOp::MulScalar(..) => {
            Raw::Constants
        }
        SlotOp::Mul(..) if rescales.is_lazy(value) => Raw::Lazy,
        SlotOp::Mul(..) => Raw::Product,
        SlotOp::Input | SlotOp::AddConst(..) | SlotOp::SwitchRing(_) | SlotOp::Refresh(..) => {
            Raw::No
        }
        SlotOp::Negate(a) => raw[*a],
        SlotOp::Rotate(a, _)
            if raw[*a] == Raw::Constants
                && (once(*a) || masked[value] || folded.contains(&value)) =>
        {
            Raw::Constants
        }
        SlotOp::Rotate(..) => Raw::No,
        SlotOp::Add(values) => sum(values, value, |v| raw[v], rescales),
    })
}

/// For each value, whether it goes into masks and so must not be rescaled: products with constants, their rotations and
/// sums.
pub fn masked(program: &Program) -> SecondaryMap<SlotValue, bool> {
    let mut masked = SecondaryMap::filled(&program.values, false);
    for (value, inst) in program.values.iter().rev() {
        let passes = match &inst.op {
            SlotOp::Mask(_) => true,
            SlotOp::Rotate(..) | SlotOp::Add(_) => masked[value],
            _ => false,
        };
        for operand in inst.op.operands().into_iter().filter(|_| passes) {
            masked[operand] = true;
        }
    }
    masked
}

/// The rotations `r` of a value `a` whose only other use is the sum `a + r`.
fn folded(program: &Program, uses: &SecondaryMap<SlotValue, u32>) -> BTreeSet<SlotValue> {
    let fold = |inst: &SlotInst| {
        let SlotOp::Add(terms) = &inst.op else {
            return None;
        };
        let &[a, r] = terms.as_slice() else {
            return None;
        };
        let of_a = matches!(program.values[r].op, SlotOp::Rotate(of, _) if of == a);
        (of_a && uses[a] == 2 && uses[r] == 1).then_some(r)
    };
    program.values.values().filter_map(fold).collect()
}

/// The raw form of a sum: that of its terms, when all are raw in one way at one place.
fn sum(
    values: &[SlotValue],
    result: SlotValue,
    raw: impl Fn(SlotValue) -> Raw,
    rescales: &Rescales,
) -> Raw {
    let kind = values.first().map_or(Raw::No, |&v| raw(v));
    let alike = values
        .iter()
        .all(|&v| raw(v) == kind && rescales.place(v) == rescales.place(result));
    if alike { kind } else { Raw::No }
}

/// The number of uses of each value as an operand.
fn uses(program: &Program) -> SecondaryMap<SlotValue, u32> {
    let mut uses = SecondaryMap::filled(&program.values, 0);
    for operand in program.values.values().flat_map(|inst| inst.op.operands()) {
        uses[operand] += 1;
    }
    uses
}
