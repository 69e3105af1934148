//! Demand: the bits that each rescale of a program must drop, and the work at each place.
//!
//! Bits are not known before the ring degree is. A [`Need`] therefore counts what shares a rescale: working scales that leave,
//! and the scales of the weights, scalars and masks that were multiplied with.

use super::raw::{Raw, masked, raw};
use super::regions::{Place, Region};
use super::rescales::Rescales;
use super::scales::{Scales, units};
use crate::moduli::scale_bits::{ARGUMENT_BITS, ScaleBits};
use crate::slots::{Program, SlotOp, SlotValue};
use peregrine_ir::{Arena, Rotation, cost};
use std::collections::{BTreeMap, BTreeSet};

/// Bits of the constant that brings a value to the bound of a refresh.
const BOUND_BITS: i64 = 3;

/// What one rescale must drop, in scales of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Working scales beyond that of the result.
    pub units: i32,
    /// Whether the scale of encoded weights is dropped.
    pub weights: bool,
    /// Whether the scale of scalars is dropped.
    pub numbers: bool,
    /// Whether the scale of a mask is dropped.
    pub mask: bool,
    /// log2 of the bound by which a value is divided to be refreshed, rounded up.
    pub bounded: Option<i32>,
    /// log2 of the bound by which a refreshed value is multiplied, rounded down.
    pub refreshed: Option<i32>,
}

impl Need {
    /// The need of a linear operator with encoded weights on values at the working scale.
    pub const LINEAR: Self = Self {
        units: 0,
        weights: true,
        numbers: false,
        mask: false,
        bounded: None,
        refreshed: None,
    };
    /// The need of a product of two ciphertexts.
    pub const PRODUCT: Self = Self {
        units: 1,
        weights: false,
        numbers: false,
        mask: false,
        bounded: None,
        refreshed: None,
    };

    /// This need, for an operand that is a product of ciphertexts and was not rescaled.
    #[must_use]
    pub const fn of_product(self) -> Self {
        Self {
            units: self.units + 1,
            ..self
        }
    }

    /// Bits that a rescale must drop.
    pub fn bits(&self, scales: &ScaleBits) -> u32 {
        let shares = [
            (self.weights, scales.weights),
            (self.numbers, scales.numbers),
            (self.mask, scales.mask),
        ];
        let shares = shares.into_iter().filter(|share| share.0);
        let shared: u32 = shares.map(|share| share.1).sum();
        let [argument, result] = [ARGUMENT_BITS, scales.result].map(i64::from);
        // Whatever is lost of a bound is made up for when the value comes back, so a few bits suffice.
        let bounded = self
            .bounded
            .map_or(0, |bound| i64::from(bound) + BOUND_BITS - argument);
        let refreshed = self.refreshed.map_or(0, |bound| {
            result + i64::from(scales.numbers) - i64::from(bound)
        });
        let units = i64::from(self.units) * i64::from(scales.unit);
        (units + i64::from(shared) + bounded + refreshed).max(0) as u32
    }
}

/// The work at one depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Key switches.
    pub switches: u32,
    /// Products with encoded weights or masks.
    pub products: u32,
    /// Evaluation keys that are first used here, at their highest level.
    pub keys: u32,
}

impl Work {
    /// About how many passes there are over every limb of the level.
    fn passes(&self) -> f64 {
        let switches = cost::PASSES_OF_KEY_SWITCH * f64::from(self.switches);
        1.0 + switches + cost::PASSES_OF_PRODUCT * f64::from(self.products)
    }
}

/// The demand of the values of one region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegionDemand {
    /// The needs of each rescale, the first rescale first.
    pub rescales: Vec<BTreeSet<Need>>,
    /// The work by depth, one entry more than rescales.
    pub work: Vec<Work>,
}

/// The demand of a program on the moduli, region by region. Each region is in a ring of half the degree of the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The regions in the order in which values go through them; at least one.
    pub regions: Arena<Region, RegionDemand>,
}

impl Default for Demand {
    /// The demand of a program without rescales or work.
    fn default() -> Self {
        let work = vec![Work::default()];
        let rescales = Vec::new();
        Self::of_one_region(RegionDemand { rescales, work })
    }
}

impl Demand {
    fn of_one_region(region: RegionDemand) -> Self {
        Self {
            regions: std::iter::once(region).collect(),
        }
    }

    /// The demand of a program with one region whose rescales all have one need, with a key switch at every depth.
    pub fn uniform(rescales: u32, need: Need) -> Self {
        let work = Work {
            switches: 1,
            products: 0,
            keys: 0,
        };
        Self::of_one_region(RegionDemand {
            rescales: vec![[need].into(); rescales as usize],
            work: vec![work; rescales as usize + 1],
        })
    }

    /// The number of levels of all regions together.
    pub(super) fn levels(&self) -> usize {
        self.regions.values().map(|region| region.work.len()).sum()
    }

    /// For each region but the first, the number of levels from its first level down: rings are switched above these.
    pub(super) fn switches(&self) -> Vec<usize> {
        let mut left = self.levels();
        let passed = self.regions.values().map(|region| {
            left -= region.work.len();
            left
        });
        passed.filter(|&left| left > 0).collect()
    }

    /// The needs of each step to a lower level, the first step first; empty for a step to another ring, which drops nothing.
    pub(super) fn steps(&self) -> Vec<BTreeSet<Need>> {
        let mut steps = Vec::new();
        for (i, region) in self.regions.values().enumerate() {
            if i > 0 {
                steps.push(BTreeSet::new());
            }
            steps.extend(region.rescales.iter().cloned());
        }
        steps
    }

    /// The work at each level, the highest level first.
    pub(super) fn work(&self) -> Vec<Work> {
        let work = self.regions.values().flat_map(|region| &region.work);
        work.copied().collect()
    }

    /// About how many passes there are over every limb of each level, the highest level first, in passes over limbs of the first
    /// region's ring.
    pub(super) fn passes(&self) -> Vec<f64> {
        let regions = (0i32..).zip(self.regions.values());
        let passes = regions.flat_map(|(halved, region)| {
            let work = region.work.iter();
            work.map(move |work| work.passes() * f64::from(-halved).exp2())
        });
        passes.collect()
    }

    /// This demand with a switch to another ring after `depth` rescales of the last region, and a new region for what follows.
    #[must_use]
    pub fn switched_after(mut self, depth: u32) -> Self {
        if let Some(last) = self.regions.values_mut().next_back() {
            let at = (depth as usize).min(last.rescales.len());
            let next = RegionDemand {
                rescales: last.rescales.split_off(at),
                work: last.work.split_off(at),
            };
            last.work.extend(next.work.first());
            self.regions.push(next);
        }
        self
    }

    /// The demand of a program whose values have scales.
    pub(super) fn new(program: &Program, rescales: &Rescales, scales: &Scales) -> Self {
        let regions = rescales.regions();
        let empty = |region| {
            let deepest = regions.last(region).depth as usize;
            RegionDemand {
                rescales: vec![BTreeSet::new(); deepest],
                work: vec![Work::default(); deepest + 1],
            }
        };
        let mut gather = Gather {
            rescales,
            scales,
            demand: Self {
                regions: regions.all().map(empty).collect(),
            },
        };
        let masks = masked(program);
        let mut refreshes = program.values.values();
        let refreshes = refreshes.any(|inst| matches!(inst.op, SlotOp::Refresh(..)));
        for (value, inst) in program.values.iter() {
            gather.product(value, &inst.op, masks[value]);
            gather.switch(&inst.op);
            gather.refresh(value, &inst.op);
            gather.alignments(value, &inst.op);
        }
        for port in &program.outputs {
            let values = &port.packed.values;
            if let Some(&deepest) = values.iter().max_by_key(|&&v| rescales.place(v)) {
                // Where there are refreshes, outputs leave from the last place.
                let place = rescales.place(deepest);
                let last = regions.last(place.region);
                let leaves = if refreshes { last } else { place };
                gather.aligned(values, deepest, leaves);
            }
        }
        gather.work(program);
        gather.demand
    }
}

/// Collects needs by the place that their rescale leads to.
struct Gather<'a> {
    rescales: &'a Rescales,
    scales: &'a Scales,
    demand: Demand,
}

impl Gather<'_> {
    fn units(&self, value: SlotValue) -> i32 {
        units(self.scales.known(value))
    }

    /// Adds a need to the rescale to a place.
    fn note(&mut self, place: Place, need: Need) {
        let rescales = &mut self.demand.regions[place.region].rescales;
        rescales[place.depth as usize - 1].insert(need);
    }

    /// The work at a place.
    fn work_at(&mut self, place: Place) -> &mut Work {
        &mut self.demand.regions[place.region].work[place.depth as usize]
    }

    fn product(&mut self, value: SlotValue, op: &SlotOp, masked: bool) {
        let target = self.units(value);
        let deepest = |terms: &[SlotValue]| {
            let deepest = terms.iter().max_by_key(|&&v| self.rescales.place(v));
            deepest.map(|&v| self.units(v))
        };
        let (units, weights, numbers, mask) = match op {
            SlotOp::Dot(_) => (deepest(&op.operands()), true, false, masked),
            SlotOp::Scalars(_, mask) => (deepest(&op.operands()), false, true, mask.is_some()),
            SlotOp::MulScalar(a, _) => (Some(self.units(*a)), false, true, masked),
            SlotOp::Mul(a, b) if !self.rescales.is_lazy(value) => {
                let units = self.units(*a) + self.units(*b);
                (Some(units), false, false, false)
            }
            _ => return,
        };
        // A sum of no products is refused where it is emitted.
        let Some(units) = units else {
            return;
        };
        let need = Need {
            units: units - target,
            weights,
            numbers,
            mask,
            ..Need::default()
        };
        self.note(self.rescales.place(value), need);
    }

    /// Notes that values are brought to the argument of a refresh, and that one of them comes back from it.
    fn refresh(&mut self, value: SlotValue, op: &SlotOp) {
        let SlotOp::Refresh(values, of) = op else {
            return;
        };
        let place = self.rescales.place(value);
        let last = self.rescales.regions().last(place.region);
        for &(operand, bound) in values {
            let need = Need {
                units: self.units(operand),
                bounded: Some(bound.log2().ceil() as i32),
                ..Need::default()
            };
            self.note(last, need);
        }
        let bound = values.get(*of).map_or(1.0, |&(_, bound)| bound);
        let need = Need {
            units: -self.units(value),
            refreshed: Some(bound.log2().floor() as i32),
            ..Need::default()
        };
        self.note(place, need);
    }

    /// Notes that the operands of a switch to another ring leave their region at its last level.
    fn switch(&mut self, op: &SlotOp) {
        if let SlotOp::SwitchRing(a) = op {
            let region = self.rescales.place(*a).region;
            self.aligned(&[*a], *a, self.rescales.regions().last(region));
        }
    }

    /// Notes the products with 1 that bring operands to the level and scale of other operands.
    fn alignments(&mut self, value: SlotValue, op: &SlotOp) {
        match op {
            SlotOp::Add(terms) => self.aligned(terms, value, self.rescales.place(value)),
            SlotOp::Dot(terms) | SlotOp::Scalars(terms, _) => {
                let terms: Vec<SlotValue> = terms.iter().map(|&(a, _)| a).collect();
                let deepest = terms.iter().max_by_key(|&&v| self.rescales.place(v));
                if let Some(&deepest) = deepest {
                    self.aligned(&terms, deepest, self.rescales.place(deepest));
                }
            }
            _ => {}
        }
    }

    fn aligned(&mut self, terms: &[SlotValue], to: SlotValue, place: Place) {
        let target = self.units(to);
        for &term in terms.iter().filter(|&&t| self.rescales.place(t) < place) {
            let need = Need {
                units: self.units(term) - target,
                numbers: true,
                ..Need::default()
            };
            self.note(place, need);
        }
    }

    fn work(&mut self, program: &Program) {
        let raw = raw(program, self.rescales);
        let mut first: BTreeMap<(Region, Option<Rotation>), Place> = BTreeMap::new();
        for (value, inst) in program.values.iter() {
            let products = match &inst.op {
                SlotOp::Dot(terms) | SlotOp::Mask(terms) => terms.len(),
                SlotOp::Scalars(_, mask) => usize::from(mask.is_some()),
                _ => 0,
            };
            let place = self.rescales.place(value);
            let before = place.before_rescale().unwrap_or(place);
            self.work_at(before).products += products as u32;
            let (key, early) = match &inst.op {
                SlotOp::Rotate(_, rotation) => (Some(*rotation), raw[value] == Raw::Constants),
                SlotOp::Mul(..) => (None, !self.rescales.is_lazy(value)),
                _ => continue,
            };
            let at = if early { before } else { place };
            self.work_at(at).switches += 1;
            let first = first.entry((at.region, key)).or_insert(at);
            *first = at.min(*first);
        }
        for place in first.into_values() {
            self.work_at(place).keys += 1;
        }
    }
}
