//! Rules of names, nodes, remarks, layouts, tensors, operators and constants.

use super::error::{Report, Subject};
use crate::circuit::{Circuit, Constant, Operator, Remark};
use crate::entity::{LayoutId, Node, OperatorId, RingId, TensorId};
use crate::layout::Layout;
use crate::linear::LinearError;
use crate::ring::RingTable;
use crate::shape::Shape;

/// The largest length of a name, in bytes.
pub const MAX_NAME: usize = 4096;
/// The largest length of a remark, in characters.
pub const MAX_REMARK: usize = 1000;
/// The largest number of axes of a tensor.
pub const MAX_RANK: usize = 32;
/// The largest number of ciphertexts of all layouts of a circuit together.
pub const MAX_CIPHERTEXTS: u64 = 1 << 24;
/// The largest number of entries of the tables of all gathers together.
pub const MAX_TABLE: usize = 1 << 24;

pub(crate) fn check(circuit: &Circuit, report: &mut Report) {
    check_circuit_name(&circuit.name, report);
    for (id, node) in circuit.nodes.iter() {
        check_name(Subject::Node(id), &node.name, report);
        check_name(Subject::Node(id), &node.op, report);
    }
    for (i, remark) in (0..).zip(&circuit.remarks) {
        if let Err(error) = check_remark(circuit, remark) {
            report.push(Subject::Remark(i), error);
        }
    }
    check_layouts(circuit, report);
    for (id, tensor) in circuit.tensors.iter() {
        check_name(Subject::Tensor(id), &tensor.name, report);
        check_rank(Subject::Tensor(id), tensor.shape(), report);
    }
    check_operators(circuit, report);
    for (id, constant) in circuit.constants.iter() {
        if let Err(error) = check_constant(circuit, constant) {
            report.push(Subject::Constant(id), error);
        }
    }
}

/// Whether a name is an identifier, which the text form spells without quotes: a letter or `_`, then letters, digits
/// and `_`.
pub fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let first = chars.next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

pub(crate) fn check_circuit_name(name: &str, report: &mut Report) {
    check_name(Subject::Circuit, name, report);
    if !is_identifier(name) {
        report.push(Subject::Circuit, TableError::NotIdentifier);
    }
}

pub(crate) fn check_name(subject: Subject, name: &str, report: &mut Report) {
    if name.len() > MAX_NAME {
        let found = name.len();
        report.push(subject, TableError::LongName { found });
    }
}

pub(crate) fn check_rank(subject: Subject, shape: &Shape, report: &mut Report) {
    if shape.rank() > MAX_RANK {
        let found = shape.rank();
        report.push(subject, TableError::Rank { found });
    }
}

fn check_remark(circuit: &Circuit, Remark { node, text }: &Remark) -> Result<(), TableError> {
    if let Some(node) = node.filter(|&node| circuit.nodes.get(node).is_none()) {
        return Err(TableError::NoNode { node });
    }
    let found = text.chars().count();
    if found > MAX_REMARK {
        return Err(TableError::LongRemark { found });
    }
    match text.chars().find(|c| c.is_control()) {
        Some(found) => Err(TableError::Control { found }),
        None => Ok(()),
    }
}

fn check_layouts(circuit: &Circuit, report: &mut Report) {
    let mut ciphertexts = 0u64;
    for (id, layout) in circuit.layouts.iter() {
        ciphertexts += u64::from(layout.ciphertexts());
        check_any_slots(Subject::Layout(id), layout, &circuit.rings, report);
    }
    check_ciphertexts(ciphertexts, report);
}

pub(crate) fn check_ciphertexts(found: u64, report: &mut Report) {
    if found > MAX_CIPHERTEXTS {
        report.push(Subject::Circuit, TableError::Ciphertexts { found });
    }
}

/// Checks that a layout has the slots of one of the rings.
fn check_any_slots(subject: Subject, layout: &Layout, ring: &RingTable, report: &mut Report) {
    if !ring.has_slots(layout.slots()) {
        check_slots(subject, layout, ring.view(RingId(0)).slots(), report);
    }
}

pub(crate) fn check_slots(subject: Subject, layout: &Layout, slots: u32, report: &mut Report) {
    if layout.slots() != slots {
        let found = layout.slots();
        report.push(subject, TableError::Slots { found, slots });
    }
}

fn check_operators(circuit: &Circuit, report: &mut Report) {
    let mut entries = 0usize;
    for (id, operator) in circuit.operators.iter() {
        let subject = Subject::Operator(id);
        let mut note = |result: Result<(), TableError>| {
            if let Err(error) = result {
                report.push(subject, error);
            }
        };
        match operator {
            Operator::Linear {
                map,
                input,
                output,
                fold,
                period,
            } => {
                entries = entries.saturating_add(map.table_entries());
                note(map.check(&circuit.tensors).map_err(TableError::from));
                note(check_packing(circuit, "input", *input, &map.input));
                note(check_packing(circuit, "output", *output, &map.output));
                note(check_fold(circuit, *output, *fold));
                note(check_period(circuit, *output, (*fold, *period)));
                note(check_sides(circuit, *input, *output));
            }
            Operator::Broadcast {
                tensor,
                shape,
                layout,
            } => {
                note(check_broadcast(circuit, *tensor, shape));
                note(check_packing(circuit, "result", *layout, shape));
            }
        }
    }
    if entries > MAX_TABLE {
        report.push(Subject::Circuit, TableError::Tables { found: entries });
    }
}

/// Checks that both sides of an operator have the slots of one ring.
fn check_sides(circuit: &Circuit, input: LayoutId, output: LayoutId) -> Result<(), TableError> {
    let slots = |layout| circuit.layouts.get(layout).map(Layout::slots);
    match (slots(input), slots(output)) {
        (Some(from), Some(to)) if from != to => Err(TableError::Sides { from, to }),
        _ => Ok(()),
    }
}

/// Checks that the packing of a folded result repeats with the period `S / fold`.
fn check_fold(circuit: &Circuit, output: LayoutId, fold: u32) -> Result<(), TableError> {
    let Some(layout) = circuit.layouts.get(output) else {
        return Err(TableError::NoLayout { layout: output });
    };
    let repeats = layout.is_aligned() && layout.parts().replicas.is_multiple_of(fold.max(1));
    if fold == 1 || (fold.is_power_of_two() && repeats) {
        return Ok(());
    }
    Err(TableError::Fold {
        found: fold,
        layout: output,
    })
}

/// Checks that diagonals repeat after a power of two of slots, and that nothing is folded after them: partial sums would be
/// cleared where they are needed.
fn check_period(
    circuit: &Circuit,
    output: LayoutId,
    (fold, period): (u32, Option<u32>),
) -> Result<(), TableError> {
    let slots = circuit.layouts.get(output).map_or(0, Layout::slots);
    match period {
        Some(found) if !found.is_power_of_two() || found > slots => {
            Err(TableError::Period { found, slots })
        }
        Some(period) if fold != 1 => Err(TableError::FoldedPeriod { fold, period }),
        _ => Ok(()),
    }
}

fn check_packing(
    circuit: &Circuit,
    what: &'static str,
    layout: LayoutId,
    shape: &Shape,
) -> Result<(), TableError> {
    if shape.rank() > MAX_RANK {
        let found = shape.rank();
        return Err(TableError::Rank { found });
    }
    let packing = circuit
        .layouts
        .get(layout)
        .ok_or(TableError::NoLayout { layout })?;
    // Row-major order is all they share: a renamed tensor keeps the packing it had.
    if packing.elements() != shape.elements() {
        return Err(TableError::Packing {
            what,
            shape: shape.clone(),
            layout,
            packed: packing.parts().shape,
        });
    }
    Ok(())
}

fn check_broadcast(circuit: &Circuit, tensor: TensorId, shape: &Shape) -> Result<(), TableError> {
    let weight = circuit
        .tensors
        .get(tensor)
        .ok_or(TableError::NoTensor { tensor })?;
    if weight.shape().broadcasts_to(shape) {
        return Ok(());
    }
    Err(TableError::Broadcast {
        tensor,
        from: weight.shape().clone(),
        to: shape.clone(),
    })
}

fn check_constant(circuit: &Circuit, constant: &Constant) -> Result<(), TableError> {
    let operator = constant.operator();
    let found = circuit.operators.get(operator);
    let found = found.ok_or(TableError::NoOperator { operator })?;
    let parts = |layout: LayoutId| circuit.layouts.get(layout).map_or(0, Layout::ciphertexts);
    let below = |what, found: u32, bound: u32| {
        if found < bound {
            return Ok(());
        }
        Err(TableError::Index { what, found, bound })
    };
    let kind = |expected| TableError::Kind { operator, expected };
    let slots = |layout: LayoutId| circuit.layouts.get(layout).map_or(0, Layout::slots);
    let taken = |(x, y): (&LayoutId, &LayoutId), input, output, rotation, fold: u32| {
        below("in", input, parts(*x))?;
        below("out", output, parts(*y))?;
        below("rotation", rotation, slots(*y) / fold.max(1))
    };
    match (*constant, found) {
        (
            Constant::Diagonal {
                operator: _,
                input,
                output,
                rotation,
                pre,
            },
            Operator::Linear {
                input: x,
                output: y,
                fold,
                ..
            },
        ) => {
            taken((x, y), input, output, rotation, *fold)?;
            below("pre", pre, slots(*y))
        }
        (
            Constant::Uniform {
                operator: _,
                input,
                output,
                rotation,
            },
            Operator::Linear {
                input: x,
                output: y,
                fold,
                ..
            },
        ) => taken((x, y), input, output, rotation, *fold),
        (Constant::Fill { part, .. }, Operator::Broadcast { layout, .. }) => {
            below("part", part, parts(*layout))
        }
        (Constant::Diagonal { .. } | Constant::Uniform { .. }, Operator::Broadcast { .. }) => {
            Err(kind("a linear operator"))
        }
        (Constant::Fill { .. }, Operator::Linear { .. }) => Err(kind("a broadcast")),
    }
}

/// A rule of table rows that is broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum TableError {
    #[error("the name of the circuit is not an identifier")]
    NotIdentifier,
    #[error("a name is {found} bytes long, expected at most {MAX_NAME}")]
    LongName { found: usize },
    #[error("is about node {node}, which does not exist")]
    NoNode { node: Node },
    #[error("has {found} characters, expected at most {MAX_REMARK}")]
    LongRemark { found: usize },
    #[error("has the control character {found:?}; a remark is one line of plain text")]
    Control { found: char },
    #[error("a shape has {found} axes, expected at most {MAX_RANK}")]
    Rank { found: usize },
    #[error("has {found} slots per ciphertext, the ring has {slots}")]
    Slots { found: u32, slots: u32 },
    #[error("leads from {from} slots per ciphertext to {to}: an operator stays in one ring")]
    Sides { from: u32, to: u32 },
    #[error("the layouts have {found} ciphertexts together, expected at most {MAX_CIPHERTEXTS}")]
    Ciphertexts { found: u64 },
    #[error("the gather tables have {found} entries together, expected at most {MAX_TABLE}")]
    Tables { found: usize },
    #[error(
        "fold={found} is not a power of two by which the replicas of {layout} divide as exact copies"
    )]
    Fold { found: u32, layout: LayoutId },
    #[error("period={found} is not a power of two up to {slots}")]
    Period { found: u32, slots: u32 },
    #[error("has fold={fold} and period={period}; sums of diagonals that repeat cannot be folded")]
    FoldedPeriod { fold: u32, period: u32 },
    #[error("layout {layout} does not exist")]
    NoLayout { layout: LayoutId },
    #[error("tensor {tensor} does not exist")]
    NoTensor { tensor: TensorId },
    #[error("operator {operator} does not exist")]
    NoOperator { operator: OperatorId },
    #[error("{what} has shape {shape}, but its layout {layout} packs {packed:?}")]
    Packing {
        what: &'static str,
        shape: Shape,
        layout: LayoutId,
        packed: [u32; 3],
    },
    #[error("{tensor} has shape {from}, which does not broadcast to {to}")]
    Broadcast {
        tensor: TensorId,
        from: Shape,
        to: Shape,
    },
    #[error(transparent)]
    Linear(#[from] LinearError),
    #[error("{operator} is not {expected}")]
    Kind {
        operator: OperatorId,
        expected: &'static str,
    },
    #[error("{what}={found} is not below {bound}")]
    Index {
        what: &'static str,
        found: u32,
        bound: u32,
    },
}
