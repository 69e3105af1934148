//! Settling: analyses of a program's scales, with products realigned in between, until no scales conflict.

use super::demand::Demand;
use super::rescales::{Policy, Rescales};
use super::scales::{Analysis, Scales, analyse, realign};
use super::{Defect, ManageError};
use crate::slots::{Program, SlotInst, SlotValue};

/// A slot program with a place and a scale for every value.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The program, with products by 1 where scales did not agree.
    pub program: Program,
    /// The places of its values.
    pub rescales: Rescales,
    /// The scales of its values.
    pub scales: Scales,
    /// Its demand on the moduli.
    pub demand: Demand,
}

impl Settled {
    /// The name of the node that is rescaled first at a step to a lower level on the way from the inputs, the first step
    /// being 1.
    pub fn rescaled_node(&self, step: usize) -> Option<String> {
        let mut values = self.program.values.iter();
        let regions = self.rescales.regions();
        let rescaled = |&(value, inst): &(SlotValue, &SlotInst)| {
            let number = regions.number(self.rescales.place(value));
            inst.op.multiplies() && number as usize == step
        };
        let (_, inst) = values.find(rescaled)?;
        let node = self.program.nodes.get(inst.node)?;
        Some(node.name.clone())
    }
}

/// Gives every value a scale, realigning products until no class is fixed twice.
///
/// # Errors
/// When exponents leave their range; not for polynomials of supported degree.
pub fn settle(mut program: Program, policy: Policy) -> Result<Settled, ManageError> {
    let mut last = None;
    for _ in 0..=program.values.len() {
        let rescales = Rescales::new(&program, policy);
        match analyse(&program, &rescales)? {
            Analysis::Complete(scales) => {
                let demand = Demand::new(&program, &rescales, &scales);
                return Ok(Settled {
                    program,
                    rescales,
                    scales,
                    demand,
                });
            }
            Analysis::Conflicts(values) => {
                last = values.first().map(|&v| program.values[v].node);
                realign(&mut program, &values);
            }
        }
    }
    let node = last.and_then(|node| program.nodes.get(node));
    Err(Defect::Unsettled.at(node))
}
