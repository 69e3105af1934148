//! Rescales: which values are rescaled at once, and which together with the product that uses them.
//!
//! A product with constants is rescaled once its sums and rotations are done, so its result is one deeper in its region. A
//! product of ciphertexts is either rescaled likewise or *lazy*: as deep as its operands, at the product of their scales, until
//! the product with constants that takes it is rescaled by both (tower reuse: Chielle et al., *PAPER*, arXiv 2509.22857). That
//! halves rescales, and where both fit one prime also limbs; but what lies between is computed at the larger modulus.

use super::regions::{Place, Regions};
use crate::slots::{Program, SlotOp, SlotValue};
use peregrine_ir::SecondaryMap;

/// The policy by which products of ciphertexts are rescaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Every product of ciphertexts is rescaled at once.
    Eager,
    /// A product of ciphertexts is lazy if it has uses and all of them go, through sums, rotations and added constants, to
    /// products with constants.
    Lazy,
}

/// The place of every value of a program, and which products of ciphertexts are lazy.
#[derive(Clone, Debug)]
pub struct Rescales {
    places: SecondaryMap<SlotValue, Place>,
    regions: Regions,
    lazy: SecondaryMap<SlotValue, bool>,
}

impl Rescales {
    /// Decides where the values of a program are rescaled.
    ///
    /// Lazy products are found by striking out: a product that must be rescaled deepens what follows, which may strike out
    /// others. Linear for each round; rounds are few, at most one for each product.
    pub fn new(program: &Program, policy: Policy) -> Self {
        let is_product = |op: &SlotOp| matches!(op, SlotOp::Mul(..)) && policy == Policy::Lazy;
        let mut this = Self {
            places: SecondaryMap::filled(&program.values, Place::default()),
            regions: Regions::default(),
            lazy: SecondaryMap::from_fn(&program.values, |_, inst| is_product(&inst.op)),
        };
        loop {
            this.places = this.places(program);
            this.regions = Regions::of(this.reached(program));
            let rescaled = this.wanted_rescaled(program);
            let mut struck = false;
            for (lazy, rescaled) in this.lazy.values_mut().zip(rescaled.values()) {
                struck |= *lazy && *rescaled;
                *lazy &= !rescaled;
            }
            if !struck {
                return this;
            }
        }
    }

    /// The place of a value.
    pub fn place(&self, value: SlotValue) -> Place {
        self.places[value]
    }

    /// The regions of the program, with their depths.
    pub fn regions(&self) -> &Regions {
        &self.regions
    }

    /// Whether a product of ciphertexts is lazy: left at the product of its operands' scales.
    pub fn is_lazy(&self, value: SlotValue) -> bool {
        self.lazy[value]
    }

    /// The places that a program comes to: those of its values, and those after a value is brought to the bound of a refresh.
    fn reached<'a>(&'a self, program: &'a Program) -> impl Iterator<Item = Place> + 'a {
        let refreshed = program.values.values().flat_map(|inst| match &inst.op {
            SlotOp::Refresh(..) => inst.op.operands(),
            _ => Vec::new(),
        });
        let bounded = refreshed.map(|v| self.places[v].deeper(1));
        self.places.values().copied().chain(bounded)
    }

    /// The place of every value. Values that are taken to another ring wait for the last of them, so the next region begins
    /// after everything before.
    fn places(&self, program: &Program) -> SecondaryMap<SlotValue, Place> {
        type Places = SecondaryMap<SlotValue, Place>;
        SecondaryMap::in_order(&program.values, |places: &Places, value, inst| {
            let operands = inst.op.operands().into_iter();
            // Inputs have no operands and lie where the program begins.
            let before = operands.map(|v| places[v]).max().unwrap_or_default();
            let own = inst.op.multiplies() && !self.is_lazy(value);
            match inst.op {
                SlotOp::SwitchRing(_) => Place::beginning(before.region.next()),
                SlotOp::Refresh(..) => Place::refreshed(before.region),
                _ => before.deeper(u32::from(own)),
            }
        })
    }

    /// For each value, whether it must be rescaled for one of its users, because that cannot take a lazy product. A deeper sum
    /// can: it brings its terms to its scale. A value without users has none to share a rescale with, so it is rescaled.
    fn wanted_rescaled(&self, program: &Program) -> SecondaryMap<SlotValue, bool> {
        let mut wanted = SecondaryMap::filled(&program.values, true);
        for operand in program.values.values().flat_map(|inst| inst.op.operands()) {
            wanted[operand] = false;
        }
        for port in &program.outputs {
            for &value in &port.packed.values {
                wanted[value] = true;
            }
        }
        for (value, inst) in program.values.iter().rev() {
            let passes = match &inst.op {
                SlotOp::Mul(..) | SlotOp::Mask(_) => true,
                SlotOp::Rotate(..)
                | SlotOp::AddConst(..)
                | SlotOp::Negate(_)
                | SlotOp::Add(_)
                | SlotOp::SwitchRing(_) => wanted[value],
                SlotOp::Input
                | SlotOp::Dot(_)
                | SlotOp::Scalars(..)
                | SlotOp::MulScalar(..)
                | SlotOp::Refresh(..) => false,
            };
            let sum = matches!(inst.op, SlotOp::Add(_));
            let operands = inst.op.operands().into_iter().filter(|_| passes);
            for operand in operands.filter(|&o| !sum || self.place(o) == self.place(value)) {
                wanted[operand] = true;
            }
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peregrine_ir::Node;

    #[test]
    fn a_product_that_nobody_takes_is_rescaled() {
        let mut program = Program::default();
        let x = program.push(SlotOp::Input, Node(0));
        let [dead, used] = [(); 2].map(|()| program.push(SlotOp::Mul(x, x), Node(0)));
        let half = program.push(SlotOp::MulScalar(used, 0.5), Node(0));
        let rescales = Rescales::new(&program, Policy::Lazy);
        assert!(rescales.is_lazy(used) && !rescales.is_lazy(dead));
        let depths = [used, half, dead].map(|v| rescales.place(v).depth);
        assert_eq!(depths, [0, 1, 1]);
    }
}
