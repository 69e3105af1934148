//! What a program asks of the modulus: how many bits each rescale must drop, and how much is computed at each depth.
//!
//! Bits are not known before the ring degree is, so a [`Need`] counts what shares a rescale: working scales that leave, and the
//! scales of weights, numbers and masks that were multiplied with.

use super::levels::{Raw, masked, raw};
use super::rescales::Rescales;
use super::scales::{Scales, units};
use crate::slots::{Program, SlotOp, SlotValue};
use peregrine_ir::Rotation;
use std::collections::{BTreeMap, BTreeSet};

/// What one rescale must drop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Working scales beyond that of the result.
    pub units: i32,
    /// The scale of encoded weights.
    pub weights: bool,
    /// The scale of numbers.
    pub numbers: bool,
    /// The scale of a mask.
    pub mask: bool,
}

impl Need {
    /// A linear operator with encoded weights on values at the working scale.
    pub const LINEAR: Self = Self {
        units: 0,
        weights: true,
        numbers: false,
        mask: false,
    };
    /// A product of ciphertexts.
    pub const PRODUCT: Self = Self {
        units: 1,
        weights: false,
        numbers: false,
        mask: false,
    };

    /// This on a product of ciphertexts that was not rescaled.
    #[must_use]
    pub const fn of_product(self) -> Self {
        Self {
            units: self.units + 1,
            ..self
        }
    }
}

/// What is computed at one depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Key switches.
    pub switches: u32,
    /// Products with encoded weights and masks.
    pub products: u32,
    /// Evaluation keys used here first, so at their highest level.
    pub keys: u32,
}

impl Work {
    /// About how often every limb of the level is passed through.
    fn passes(&self) -> f64 {
        const SWITCH: f64 = 24.0;
        const PRODUCT: f64 = 3.0;
        1.0 + SWITCH * f64::from(self.switches) + PRODUCT * f64::from(self.products)
    }
}

/// What a program asks of the modulus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// What each rescale must hold, the first one first.
    pub rescales: Vec<BTreeSet<Need>>,
    /// By depth, one more than rescales.
    pub work: Vec<Work>,
    /// The least depth in the small ring; the rescale to it drops nothing.
    pub small: Option<u32>,
}

impl Demand {
    /// As many rescales that all hold the same, with a key switch at every depth.
    pub fn uniform(rescales: u32, need: Need) -> Self {
        let work = Work {
            switches: 1,
            products: 0,
            keys: 0,
        };
        Self {
            rescales: vec![[need].into(); rescales as usize],
            work: vec![work; rescales as usize + 1],
            small: None,
        }
    }

    /// How many levels are in the small ring, if any are.
    pub(super) fn small_levels(&self) -> Option<usize> {
        let small = self.small?;
        Some(self.work.len().saturating_sub(small as usize))
    }

    /// About how often every limb of the level of a depth is passed through, in passes of the main ring.
    pub(super) fn passes(&self, depth: u32) -> f64 {
        let passes = self.work.get(depth as usize).map_or(0.0, Work::passes);
        match self.small {
            Some(small) if depth >= small => passes / 2.0,
            _ => passes,
        }
    }

    /// This with one more step at a depth, to the small ring.
    #[must_use]
    pub fn switched_after(mut self, depth: u32) -> Self {
        let at = (depth as usize).min(self.rescales.len());
        self.rescales.insert(at, BTreeSet::new());
        if let Some(&work) = self.work.last() {
            self.work.insert(at, work);
        }
        self.small = Some(at as u32 + 1);
        self
    }

    /// Of a settled program.
    pub(super) fn new(program: &Program, rescales: &Rescales, scales: &Scales) -> Self {
        let deepest = rescales.deepest() as usize;
        let mut gather = Gather {
            rescales,
            scales,
            demand: Self {
                rescales: vec![BTreeSet::new(); deepest],
                work: vec![Work::default(); deepest + 1],
                small: None,
            },
        };
        let masks = masked(program);
        for (value, inst) in program.values.iter() {
            gather.product(value, &inst.op, masks.get(value) == Some(&true));
            gather.switch(value, &inst.op);
            gather.alignments(value, &inst.op);
        }
        for port in &program.outputs {
            let values = &port.packed.values;
            if let Some(&deepest) = values.iter().max_by_key(|&&v| rescales.depth(v)) {
                gather.aligned(values, deepest, rescales.depth(deepest));
            }
        }
        gather.work(program);
        gather.demand
    }
}

/// Collects needs by the rescale they are part of.
struct Gather<'a> {
    rescales: &'a Rescales,
    scales: &'a Scales,
    demand: Demand,
}

impl Gather<'_> {
    fn units(&self, value: SlotValue) -> i32 {
        self.scales.of(value).map_or(1, units)
    }

    /// Adds to what the rescale to a depth must hold.
    fn note(&mut self, depth: u32, need: Need) {
        let index = (depth as usize).checked_sub(1);
        if let Some(needs) = index.and_then(|i| self.demand.rescales.get_mut(i)) {
            needs.insert(need);
        }
    }

    fn product(&mut self, value: SlotValue, op: &SlotOp, masked: bool) {
        let target = self.units(value);
        let deepest = |terms: &[SlotValue]| {
            let deepest = terms.iter().max_by_key(|&&v| self.rescales.depth(v));
            deepest.map_or(1, |&v| self.units(v))
        };
        let (units, weights, numbers, mask) = match op {
            SlotOp::Dot(_) => (deepest(&op.operands()), true, false, masked),
            SlotOp::Scalars(_, mask) => (deepest(&op.operands()), false, true, mask.is_some()),
            SlotOp::MulScalar(a, _) => (self.units(*a), false, true, masked),
            SlotOp::Mul(a, b) if !self.rescales.is_lazy(value) => {
                (self.units(*a) + self.units(*b), false, false, false)
            }
            _ => return,
        };
        let need = Need {
            units: units - target,
            weights,
            numbers,
            mask,
        };
        self.note(self.rescales.depth(value), need);
    }

    /// What is taken to the small ring leaves the main one at the last level there.
    fn switch(&mut self, value: SlotValue, op: &SlotOp) {
        if let SlotOp::SwitchRing(a) = op {
            let depth = self.rescales.depth(value);
            self.aligned(&[*a], *a, depth.saturating_sub(1));
            self.demand.small = Some(depth);
        }
    }

    /// Operands that are brought to the level and scale of others by a product with 1.
    fn alignments(&mut self, value: SlotValue, op: &SlotOp) {
        match op {
            SlotOp::Add(terms) => self.aligned(terms, value, self.rescales.depth(value)),
            SlotOp::Dot(terms) | SlotOp::Scalars(terms, _) => {
                let terms: Vec<SlotValue> = terms.iter().map(|&(a, _)| a).collect();
                let deepest = terms.iter().max_by_key(|&&v| self.rescales.depth(v));
                if let Some(&deepest) = deepest {
                    self.aligned(&terms, deepest, self.rescales.depth(deepest));
                }
            }
            _ => {}
        }
    }

    fn aligned(&mut self, terms: &[SlotValue], to: SlotValue, depth: u32) {
        let target = self.units(to);
        for &term in terms.iter().filter(|&&t| self.rescales.depth(t) < depth) {
            let need = Need {
                units: self.units(term) - target,
                numbers: true,
                ..Need::default()
            };
            self.note(depth, need);
        }
    }

    fn work(&mut self, program: &Program) {
        let raw = raw(program, self.rescales);
        let small = self.demand.small.unwrap_or(u32::MAX);
        let mut first: BTreeMap<(bool, Option<Rotation>), u32> = BTreeMap::new();
        for (value, inst) in program.values.iter() {
            let products = match &inst.op {
                SlotOp::Dot(terms) | SlotOp::Mask(terms) => terms.len(),
                SlotOp::Scalars(_, mask) => usize::from(mask.is_some()),
                _ => 0,
            };
            let before = self.rescales.depth(value).saturating_sub(1);
            if let Some(work) = self.demand.work.get_mut(before as usize) {
                work.products += products as u32;
            }
            let (key, early) = match &inst.op {
                SlotOp::Rotate(_, rotation) => {
                    (Some(*rotation), raw.get(value) == Some(&Raw::Constants))
                }
                SlotOp::Mul(..) => (None, !self.rescales.is_lazy(value)),
                _ => continue,
            };
            let depth = self.rescales.depth(value).saturating_sub(u32::from(early));
            if let Some(work) = self.demand.work.get_mut(depth as usize) {
                work.switches += 1;
            }
            let first = first.entry((depth >= small, key)).or_insert(depth);
            *first = (*first).min(depth);
        }
        for depth in first.into_values() {
            if let Some(work) = self.demand.work.get_mut(depth as usize) {
                work.keys += 1;
            }
        }
    }
}
