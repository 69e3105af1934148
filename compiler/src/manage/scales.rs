//! The exact scale of every value.
//!
//! Values that must share a scale (sums at one place, rotations, added constants) form classes, found by union-find. A class lies
//! at one place. Two kinds of values *fix* the scale of their class: inputs, at scale `D`, and products of ciphertexts, at the
//! product of their operands' scales, divided by the modulus that the rescale drops unless the product is lazy. A value that is
//! taken to another ring keeps its scale. A class without fixed members gets `D`. Classes are settled from the top down, since a
//! fixed scale depends on earlier places only.
//!
//! Two members of one class may be fixed at different scales. Then the later of them is multiplied by 1 and the analysis starts
//! again: that product is free in its scale. It costs a level, and happens only where two products of different history meet, or
//! where the exponents of a product become large: powers of powers with no linear operator between ([`super::settle`]). The
//! members of a class that conflict in the same scale are realigned together, so the number of analyses does not grow with the
//! number of ciphertexts.

use super::regions::Place;
use super::rescales::Rescales;
use super::{Defect, ManageError};
use crate::moduli::bits::spare_bits;
use crate::slots::{Program, SlotOp, SlotValue};
use peregrine_ir::{Entity, Level, Prime, RingTable, Scale, SecondaryMap};
use petgraph::unionfind::UnionFind;
use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;

/// The largest sum of exponents that the scale of a product of ciphertexts may have.
const MAX_EXPONENTS: u64 = 128;

/// The exponent of two of the working scale. Symbolic scales count `D` as 2; the ring gives `D = 2^d` its size.
const UNIT: i32 = 1;

/// The scale of every value as a monomial in `D`, written as 2, and in `Prime(n)`, which stands for the ratio that the rescale
/// *to* place number `n` drops.
#[derive(Clone, Debug)]
pub struct Scales {
    classes: SecondaryMap<SlotValue, usize>,
    scales: BTreeMap<usize, Scale>,
}

impl Scales {
    /// The symbolic scale of a value; `None` before the analysis has come to its place.
    pub fn of(&self, value: SlotValue) -> Option<&Scale> {
        self.scales.get(&self.classes[value])
    }

    /// The symbolic scale of a value of a program whose analysis is done.
    pub fn known(&self, value: SlotValue) -> &Scale {
        &self.scales[&self.classes[value]]
    }

    /// Gives the working scale to the classes of values that nothing has fixed.
    fn settle_freely(&mut self, values: Vec<SlotValue>) {
        for value in values {
            self.scales
                .entry(self.classes[value])
                .or_insert_with(|| Scale::power_of_two(UNIT));
        }
    }

    /// The scales in a ring, in place of symbolic ones, where the first place is the level `highest`; see [`concrete`].
    pub fn in_ring(&self, ring: &RingTable, highest: Level) -> Option<Self> {
        let real =
            |(&class, scale): (&usize, &Scale)| Some((class, concrete(scale, (ring, highest))?));
        Some(Self {
            classes: self.classes.clone(),
            scales: self.scales.iter().map(real).collect::<Option<_>>()?,
        })
    }
}

/// The result of one analysis of a program's scales.
pub(super) enum Analysis {
    /// Every value has a scale.
    Complete(Scales),
    /// These products must be brought to another scale, and the program analysed again.
    Conflicts(BTreeSet<SlotValue>),
}

/// Analyses the scales of a program: gives all scales, or the conflicts at the first place that has any.
///
/// # Errors
/// When exponents leave their range.
pub(super) fn analyse(program: &Program, rescales: &Rescales) -> Result<Analysis, ManageError> {
    let place = |v: SlotValue| rescales.place(v);
    let classes = classes(program, &place);
    let mut by_place: BTreeMap<Place, Vec<SlotValue>> = BTreeMap::new();
    for value in program.values.keys() {
        by_place.entry(place(value)).or_default().push(value);
    }
    let mut scales = Scales {
        classes,
        scales: BTreeMap::new(),
    };
    // From the top down, place by place: a scale that is fixed depends on earlier places only.
    for values in by_place.into_values() {
        // What is rescaled comes first: lazy products are as deep as their operands.
        let (lazy, others): (Vec<_>, Vec<_>) = values.iter().partition(|&&v| rescales.is_lazy(v));
        let mut conflicts = Conflicts::default();
        for &value in others.iter().chain(&lazy) {
            if rescales.is_lazy(value) {
                scales.settle_freely(program.values[value].op.operands());
            }
            let of_node = |defect: Defect| {
                let node = program.values[value].node;
                defect.at(program.nodes.get(node))
            };
            // The scale that the operation determines, if it determines one.
            let fixed = match fixed(program, value, rescales, &scales).map_err(of_node)? {
                Fixed::Scale(scale) => scale,
                Fixed::Free => continue,
                Fixed::Long(operands) => {
                    conflicts.values.extend(operands);
                    continue;
                }
            };
            // The first fixed scale is that of the class; another one is a conflict.
            let class = scales.classes[value];
            match scales.scales.get(&class) {
                Some(known) if *known != fixed => conflicts.note(class, fixed, value),
                Some(_) => {}
                None => {
                    scales.scales.insert(class, fixed);
                }
            }
        }
        // Later places depend on these scales, so the first conflicts end the analysis.
        if !conflicts.values.is_empty() {
            return Ok(Analysis::Conflicts(conflicts.values));
        }
        scales.settle_freely(values);
    }
    Ok(Analysis::Complete(scales))
}

/// Products whose scale is not that of their class.
#[derive(Default)]
struct Conflicts {
    /// The first other scale in each class.
    first: BTreeMap<usize, Scale>,
    values: BTreeSet<SlotValue>,
}

impl Conflicts {
    /// Notes a conflict of a class, if it is the first one or has its scale. Others may be gone once these are realigned.
    fn note(&mut self, class: usize, scale: Scale, value: SlotValue) {
        if *self.first.entry(class).or_insert_with(|| scale.clone()) == scale {
            self.values.insert(value);
        }
    }
}

/// The class of each value: the number of its representative.
fn classes(
    program: &Program,
    place: &impl Fn(SlotValue) -> Place,
) -> SecondaryMap<SlotValue, usize> {
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
                for &term in terms.iter().filter(|&&t| place(t) == place(value)) {
                    sets.union(value.index(), term.index());
                }
            }
            SlotOp::Dot(terms) | SlotOp::Scalars(terms, _) => {
                join_deepest(&mut sets, terms.iter().map(|&(t, _)| t), place);
            }
            SlotOp::Input
            | SlotOp::MulScalar(..)
            | SlotOp::Mul(..)
            | SlotOp::SwitchRing(_)
            | SlotOp::Refresh(..) => {}
        }
    }
    // The ciphertexts of a port have one type: those that are not as deep as the others are brought to these.
    for port in program.inputs.iter().chain(&program.outputs) {
        join_deepest(&mut sets, port.packed.values.iter().copied(), place);
    }
    sets.into_labeling().into()
}

/// Puts into one class those of some values that are as deep as any of them.
fn join_deepest(
    sets: &mut UnionFind<usize>,
    values: impl Iterator<Item = SlotValue> + Clone,
    place: &impl Fn(SlotValue) -> Place,
) {
    let deepest = values.clone().map(place).max();
    let mut there = values.filter(|&v| Some(place(v)) == deepest);
    if let Some(first) = there.next() {
        there.for_each(|v| {
            sets.union(first.index(), v.index());
        });
    }
}

/// What an operation determines of the scale of its result.
enum Fixed {
    /// Nothing: a constant takes the scale that is wanted.
    Free,
    /// The scale is this one.
    Scale(Scale),
    /// The scale would have large exponents; these operands have them already.
    Long(Vec<SlotValue>),
}

/// The scale that an operation determines for its result.
fn fixed(
    program: &Program,
    value: SlotValue,
    rescales: &Rescales,
    scales: &Scales,
) -> Result<Fixed, Defect> {
    let known = |scale: Option<Scale>| scale.map_or(Fixed::Free, Fixed::Scale);
    match &program.values[value].op {
        SlotOp::Input => Ok(Fixed::Scale(Scale::power_of_two(UNIT))),
        SlotOp::SwitchRing(a) => Ok(known(scales.of(*a).cloned())),
        SlotOp::Mul(a, b) => {
            let (Some(of_a), Some(of_b)) = (scales.of(*a), scales.of(*b)) else {
                return Ok(Fixed::Free);
            };
            if exponents(of_a) + exponents(of_b) > MAX_EXPONENTS {
                let long = [(*a, of_a), (*b, of_b)].into_iter();
                let long = long.filter(|(_, scale)| 2 * exponents(scale) > MAX_EXPONENTS);
                return Ok(Fixed::Long(long.map(|(operand, _)| operand).collect()));
            }
            let product = of_a.checked_mul(of_b).ok_or(Defect::Exponent)?;
            if rescales.is_lazy(value) {
                return Ok(Fixed::Scale(product));
            }
            let number = rescales.regions().number(rescales.place(value));
            let dropped = Scale::prime(Prime(number));
            let rescaled = product.checked_div(&dropped).ok_or(Defect::Exponent)?;
            Ok(Fixed::Scale(rescaled))
        }
        _ => Ok(Fixed::Free),
    }
}

/// The sum of the magnitudes of the exponents of a scale.
fn exponents(scale: &Scale) -> u64 {
    let primes = scale.prime_part().iter().map(|&(_, e)| e);
    let all = primes.chain([scale.log2_part()]);
    all.map(|e| u64::from(e.unsigned_abs())).sum()
}

/// Lets every use of the values in `conflicts` go through a product with 1.
pub(super) fn realign(program: &mut Program, conflicts: &BTreeSet<SlotValue>) {
    let old = take(&mut program.values);
    let renamed = SecondaryMap::in_order(&old, |renamed, value, inst| {
        let new = program.push(inst.op.map_operands(|v| renamed[v]), inst.node);
        match conflicts.contains(&value) {
            true => program.push(SlotOp::MulScalar(new, 1.0), inst.node),
            false => new,
        }
    });
    for port in program.inputs.iter_mut().chain(&mut program.outputs) {
        for value in &mut port.packed.values {
            *value = renamed[*value];
        }
    }
}

/// The number of working scales that a symbolic scale is worth: a ratio that a rescale drops counts as one.
pub fn units(symbolic: &Scale) -> i32 {
    let dropped: i32 = symbolic.prime_part().iter().map(|&(_, e)| e).sum();
    symbolic.log2_part() + dropped
}

/// A symbolic scale in a ring: `D` becomes `2^unit_bits`, and the ratio of a place becomes that of two levels, without the bits
/// by which it is longer than `D`: products of ciphertexts are scaled up by these before their rescale.
fn concrete(symbolic: &Scale, (ring, highest): (&RingTable, Level)) -> Option<Scale> {
    let mut scale = Scale::power_of_two(symbolic.log2_part().checked_mul(ring.unit_bits as i32)?);
    for &(place, exponent) in symbolic.prime_part() {
        let to = Level(highest.0.checked_sub(place.0)?);
        let spare = Scale::power_of_two(spare_bits(ring, to)? as i32);
        let real = ring.ratio(Level(to.0 + 1), to)?.checked_div(&spare)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manage::rescales::Policy;
    use crate::manage::settled::settle;
    use crate::slots::{Full, SlotPort};
    use peregrine_ir::{LayoutId, Node, Shape};

    /// Sums of a fourth power and of the square of a product with a constant, in as many ciphertexts as asked.
    fn two_histories(parts: usize) -> Program {
        let mut program = Program::default();
        let node = Node(0);
        let port = |name: &str, values: Vec<SlotValue>| SlotPort {
            name: name.to_owned(),
            shape: Shape::new([1]).unwrap(),
            packed: Full {
                layout: LayoutId(0),
                values,
            },
        };
        let inputs: Vec<_> = (0..parts)
            .map(|_| program.push(SlotOp::Input, node))
            .collect();
        let sums = inputs.iter().map(|&x| {
            let square = program.push(SlotOp::Mul(x, x), node);
            let fourth = program.push(SlotOp::Mul(square, square), node);
            let half = program.push(SlotOp::MulScalar(x, 0.5), node);
            let other = program.push(SlotOp::Mul(half, half), node);
            program.push(SlotOp::Add(vec![fourth, other]), node)
        });
        let sums = sums.collect();
        program.inputs = vec![port("x", inputs)];
        program.outputs = vec![port("y", sums)];
        program
    }

    #[test]
    fn powers_of_powers_have_scales_of_bounded_length() {
        let mut program = Program::default();
        let x = program.push(SlotOp::Input, Node(0));
        let mut power = x;
        for _ in 0..30 {
            power = program.push(SlotOp::Mul(power, power), Node(0));
        }
        let settled = settle(program, Policy::Eager).unwrap();
        let values = settled.program.values.keys();
        let longest = values.filter_map(|v| settled.scales.of(v)).map(exponents);
        assert!(longest.max().unwrap() <= MAX_EXPONENTS + 1);
    }

    /// The first ciphertext of an output is not as deep as two others, whose scales differ.
    #[test]
    fn ciphertexts_of_an_output_share_a_scale_wherever_the_deepest_is() {
        let mut program = two_histories(1);
        let [input, .., sum] = program.values.keys().collect::<Vec<_>>()[..] else {
            panic!("an input and a sum");
        };
        let Some(SlotOp::Add(terms)) = program.values.get(sum).map(|inst| inst.op.clone()) else {
            panic!("a sum");
        };
        program.outputs[0].packed.values = [vec![input], terms].concat();
        program.remove_dead();
        let settled = settle(program, Policy::Eager).unwrap();
        let place = |v: SlotValue| settled.rescales.place(v);
        let values = &settled.program.outputs[0].packed.values;
        let deepest = values.iter().map(|&v| place(v)).max().unwrap();
        let there = values.iter().filter(|&&v| place(v) == deepest);
        let scales: Vec<_> = there.map(|&v| settled.scales.of(v).cloned()).collect();
        assert!(
            scales.iter().all(|s| s.is_some() && *s == scales[0]),
            "{scales:?}"
        );
    }

    #[test]
    fn all_ciphertexts_of_a_sum_are_realigned_at_once() {
        let program = two_histories(7);
        let eager = Rescales::new(&program, Policy::Eager);
        let Analysis::Conflicts(conflicts) = analyse(&program, &eager).unwrap() else {
            panic!("the histories differ");
        };
        assert_eq!(conflicts.len(), 7);
        let settled = settle(program.clone(), Policy::Eager).unwrap();
        assert_eq!(settled.program.values.len(), program.values.len() + 7);
        assert_eq!(settled.program.depth(), program.depth() + 1);
        let outputs = &settled.program.outputs[0].packed.values;
        let scales: Vec<_> = outputs.iter().map(|&v| settled.scales.of(v)).collect();
        assert!(scales.iter().all(|s| s.is_some() && *s == scales[0]));
    }
}
