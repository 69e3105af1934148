//! Prices of linear operators between layouts, each computed once.

use crate::cost::LinearCost;
use crate::slots::LinearPlan;
use peregrine_ir::linear::{BoundMap, LinearError, LinearMap};
use peregrine_ir::{Entity, Layout, TensorId, Tensors};
use std::collections::BTreeMap;

/// What an operator between two layouts costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quote {
    /// Predicted seconds.
    pub seconds: f64,
    /// Levels.
    pub depth: u32,
}

/// Quotes by operator, layouts and level.
#[derive(Debug, Default)]
pub struct Quotes {
    /// Operators that need the same steps, whatever their weights.
    alike: BTreeMap<String, usize>,
    known: BTreeMap<(usize, Layout, Layout, u32, bool), Quote>,
}

/// A linear map that quotes are asked for.
#[derive(Clone, Debug)]
pub struct Quoted<'a> {
    bound: BoundMap<'a>,
    alike: usize,
}

impl Quotes {
    /// Prepares a map.
    ///
    /// # Errors
    /// When the map is not well formed.
    pub fn map<'a>(
        &mut self,
        map: &'a LinearMap,
        tensors: &'a Tensors,
    ) -> Result<Quoted<'a>, LinearError> {
        let bound = map.bind(tensors)?;
        // Weights matter where they are zero.
        let shape = map.with_weight(TensorId::new(0));
        let own = map.weight().filter(|_| !bound.is_full());
        let next = self.alike.len();
        let alike = *self
            .alike
            .entry(format!("{shape:?} {own:?}"))
            .or_insert(next);
        Ok(Quoted { bound, alike })
    }

    /// The price of a map between two layouts, infinite where they do not suit each other; `turned` as in
    /// [`super::Choice`]; `depth` names the level that `cost` is of.
    pub fn of(
        &mut self,
        map: &Quoted<'_>,
        (from, to): (&Layout, &Layout),
        turned: bool,
        (depth, cost): (u32, &LinearCost),
    ) -> Quote {
        let key = (map.alike, *from, *to, depth, turned);
        *self.known.entry(key).or_insert_with(|| {
            let plan = match turned {
                false => LinearPlan::regular(&map.bound, from, to, cost),
                true => LinearPlan::turned(&map.bound, from, to, cost),
            };
            match plan {
                Some(plan) => Quote {
                    seconds: plan.price(to, cost),
                    depth: plan.depth(),
                },
                None => Quote {
                    seconds: f64::INFINITY,
                    depth: 1,
                },
            }
        })
    }
}
