//! Exact scales for every value.
//!
//! Values that must share a scale (sums at one depth, rotations, added constants) form classes, found by union-find. A
//! class lies at one depth. Inputs have scale `D`; a product of ciphertexts has the product of its operands' scales
//! divided by the modulus its rescale drops; both *fix* the scale of their class. A class without fixed members gets
//! `D`. Classes are settled from the top down: a fixed scale depends on smaller depths only.
//!
//! Two members of one class may be fixed at different scales. Then the later of them is multiplied by 1 and the analysis
//! starts again: that product is free in its scale. It costs a level, and happens only where two products of different
//! history meet ([`settle`]).

use super::ManageError;
use crate::slots::{Program, SlotInst, SlotOp, SlotPort, SlotValue};
use peregrine_ir::{Arena, Entity, Prime, Scale};
use petgraph::unionfind::UnionFind;
use std::collections::BTreeMap;

/// The working scale, symbolically: the ring gives `D = 2^d` its size. Stands for `2^1` until then.
const UNIT: i32 = 1;

/// Scales by value, as monomials in `2 = D` and in `Prime(depth)`, the ratio `r` that the rescale *to* that depth drops.
#[derive(Clone, Debug)]
pub struct Scales {
    classes: Vec<usize>,
    scales: BTreeMap<usize, Scale>,
}

impl Scales {
    /// The symbolic scale of a value.
    pub fn of(&self, value: SlotValue) -> Option<&Scale> {
        self.scales.get(self.classes.get(value.index())?)
    }
}

/// A program with a scale for every value.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The program, with products by 1 where scales did not meet.
    pub program: Program,
    /// The scales of its values.
    pub scales: Scales,
}

/// Gives every value a scale, realigning products until no class is fixed twice.
///
/// # Errors
/// When exponents run away; not for polynomials of supported degree.
pub fn settle(mut program: Program) -> Result<Settled, ManageError> {
    for _ in 0..=program.values.len() {
        match analyse(&program)? {
            Analysis::Settled(scales) => return Ok(Settled { program, scales }),
            Analysis::Conflict(value) => program = realign(&program, value),
        }
    }
    Err(ManageError::Internal {
        what: "scales do not settle",
    })
}

/// The outcome of one analysis.
enum Analysis {
    /// Every value has a scale.
    Settled(Scales),
    /// This product must be brought to another scale first.
    Conflict(SlotValue),
}

/// Scales of all values, or the first conflict.
///
/// # Errors
/// When exponents run away.
fn analyse(program: &Program) -> Result<Analysis, ManageError> {
    let depths = program.depths();
    let depth = |v: SlotValue| depths.get(v).copied().unwrap_or(0);
    let classes = classes(program, &depth);
    let mut by_depth: BTreeMap<u32, Vec<SlotValue>> = BTreeMap::new();
    for value in program.values.keys() {
        by_depth.entry(depth(value)).or_default().push(value);
    }
    let mut scales = Scales {
        classes,
        scales: BTreeMap::new(),
    };
    for (depth, values) in by_depth {
        for &value in &values {
            let Some(fixed) = fixed(program, value, depth, &scales)? else {
                continue;
            };
            let Some(&class) = scales.classes.get(value.index()) else {
                continue;
            };
            match scales.scales.get(&class) {
                Some(known) if *known != fixed => return Ok(Analysis::Conflict(value)),
                _ => scales.scales.insert(class, fixed),
            };
        }
        for &value in &values {
            if let Some(&class) = scales.classes.get(value.index()) {
                scales
                    .scales
                    .entry(class)
                    .or_insert_with(|| Scale::power_of_two(UNIT));
            }
        }
    }
    Ok(Analysis::Settled(scales))
}

/// The class of each value: its representative's number.
fn classes(program: &Program, depth: &impl Fn(SlotValue) -> u32) -> Vec<usize> {
    let mut sets = UnionFind::<usize>::new(program.values.len());
    for (value, inst) in program.values.iter() {
        match &inst.op {
            SlotOp::Rotate(a, _) | SlotOp::AddConst(a, _) | SlotOp::Negate(a) => {
                sets.union(value.index(), a.index());
            }
            SlotOp::Mask(terms) => {
                for &(term, _) in terms {
                    sets.union(value.index(), term.index());
                }
            }
            SlotOp::Add(terms) => {
                for &term in terms.iter().filter(|&&t| depth(t) == depth(value)) {
                    sets.union(value.index(), term.index());
                }
            }
            SlotOp::Dot(terms) | SlotOp::Scalars(terms, _) => {
                let deepest = terms.iter().map(|&(t, _)| depth(t)).max().unwrap_or(0);
                let mut level = terms
                    .iter()
                    .map(|&(t, _)| t)
                    .filter(|&t| depth(t) == deepest);
                if let Some(first) = level.next() {
                    level.for_each(|t| {
                        sets.union(first.index(), t.index());
                    });
                }
            }
            SlotOp::Input | SlotOp::MulScalar(..) | SlotOp::Mul(..) => {}
        }
    }
    for port in program.inputs.iter().chain(&program.outputs) {
        if let [first, rest @ ..] = port.packed.values.as_slice() {
            rest.iter()
                .filter(|&&v| depth(v) == depth(*first))
                .for_each(|v| {
                    sets.union(first.index(), v.index());
                });
        }
    }
    sets.into_labeling()
}

/// The scale that an operation leaves no choice about.
fn fixed(
    program: &Program,
    value: SlotValue,
    depth: u32,
    scales: &Scales,
) -> Result<Option<Scale>, ManageError> {
    let runaway = ManageError::Internal {
        what: "the exponents of a scale run away",
    };
    match program.values.get(value).map(|inst| &inst.op) {
        Some(SlotOp::Input) => Ok(Some(Scale::power_of_two(UNIT))),
        Some(SlotOp::Mul(a, b)) => {
            let (Some(a), Some(b)) = (scales.of(*a), scales.of(*b)) else {
                return Ok(None);
            };
            let product = a
                .checked_mul(b)
                .and_then(|p| p.checked_div(&Scale::prime(Prime(depth))));
            product.map(Some).ok_or(runaway)
        }
        _ => Ok(None),
    }
}

/// The program with every use of `value` going through a product with 1.
fn realign(program: &Program, value: SlotValue) -> Program {
    let mut out = program.clone();
    out.values = Arena::new();
    let mut renamed: Vec<SlotValue> = Vec::with_capacity(program.values.len() + 1);
    for (old, inst) in program.values.iter() {
        let map = |v: SlotValue| renamed.get(v.index()).copied().unwrap_or(v);
        let op = rename(&inst.op, map);
        let mut new = out.values.push(SlotInst {
            op,
            node: inst.node,
        });
        if old == value {
            new = out.values.push(SlotInst {
                op: SlotOp::MulScalar(new, 1.0),
                node: inst.node,
            });
        }
        renamed.push(new);
    }
    let port = |port: &SlotPort| {
        let mut port = port.clone();
        port.packed
            .values
            .iter_mut()
            .for_each(|v| *v = renamed.get(v.index()).copied().unwrap_or(*v));
        port
    };
    out.inputs = program.inputs.iter().map(port).collect();
    out.outputs = program.outputs.iter().map(port).collect();
    out
}

fn rename(op: &SlotOp, map: impl Fn(SlotValue) -> SlotValue) -> SlotOp {
    match op {
        SlotOp::Input => SlotOp::Input,
        SlotOp::Rotate(a, k) => SlotOp::Rotate(map(*a), *k),
        SlotOp::Dot(terms) => SlotOp::Dot(terms.iter().map(|&(a, c)| (map(a), c)).collect()),
        SlotOp::Mask(terms) => SlotOp::Mask(terms.iter().map(|&(a, c)| (map(a), c)).collect()),
        SlotOp::Scalars(terms, mask) => {
            SlotOp::Scalars(terms.iter().map(|&(a, c)| (map(a), c)).collect(), *mask)
        }
        SlotOp::AddConst(a, c) => SlotOp::AddConst(map(*a), *c),
        SlotOp::MulScalar(a, r) => SlotOp::MulScalar(map(*a), *r),
        SlotOp::Add(values) => SlotOp::Add(values.iter().map(|&v| map(v)).collect()),
        SlotOp::Negate(a) => SlotOp::Negate(map(*a)),
        SlotOp::Mul(a, b) => SlotOp::Mul(map(*a), map(*b)),
    }
}

/// A symbolic scale in a real ring: `D = 2^unit_bits`, and the ratio dropped on the way to a depth is the prime of the
/// level it leaves, `q_{L - depth + 1}` with `L = top`.
pub fn concrete(symbolic: &Scale, unit_bits: u32, top: u32) -> Option<Scale> {
    let mut scale = Scale::power_of_two(symbolic.log2_part().checked_mul(unit_bits as i32)?);
    for &(prime, exponent) in symbolic.prime_part() {
        let real = Scale::prime(Prime((top + 1).checked_sub(prime.0)?));
        for _ in 0..exponent.abs() {
            scale = if exponent > 0 {
                scale.checked_mul(&real)?
            } else {
                scale.checked_div(&real)?
            };
        }
    }
    Some(scale)
}
