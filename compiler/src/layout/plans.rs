//! Prices of linear operators between layouts.

use super::error::LayoutPlanError;
use crate::slots::{Displaced, LinearOptions};
use crate::tensor::Graph;
use peregrine_ir::cost::LinearCost;
use peregrine_ir::linear::{BoundMap, LinearError, LinearMap};
use peregrine_ir::{Entity, Layout, TensorId, Tensors};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

/// The cost of an operator between two layouts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quote {
    /// Predicted seconds.
    pub seconds: f64,
    /// Levels that the operator takes.
    pub depth: u32,
    /// Whether a mask makes the prime of its level longer.
    pub longer: bool,
}

/// The ways to compute operators between layouts, found once for each operator and layouts. They do not depend on
/// prices.
#[derive(Debug, Default)]
pub struct Quotes {
    /// Operators that need equal steps, whatever their weights.
    alike: BTreeMap<String, usize>,
    known: BTreeMap<(usize, Layout, Layout, bool), Option<LinearOptions>>,
    /// The displacements of the operator that was asked for last.
    displaced: (usize, Displaced),
}

/// A linear map for which quotes are asked.
#[derive(Clone, Debug)]
pub struct Quoted<'a> {
    bound: BoundMap<'a>,
    alike: usize,
}

impl Quotes {
    /// Prepares the map of a node of a graph.
    ///
    /// # Errors
    /// When the map is not well formed; the error names the node.
    pub fn at<'a>(
        &mut self,
        graph: &'a Graph,
        index: NodeIndex,
        map: &'a LinearMap,
    ) -> Result<Quoted<'a>, LayoutPlanError> {
        let quoted = self.map(map, &graph.tensors);
        quoted.map_err(|source| LayoutPlanError::Linear {
            node: graph.name(index),
            source: source.into(),
        })
    }

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

    /// The cost of a map between two layouts; infinite seconds where they do not suit each other. With `turned`, the
    /// map is computed into aligned replicas, which masks then skew, as in [`super::Choice`].
    pub fn of(
        &mut self,
        map: &Quoted<'_>,
        (from, to): (&Layout, &Layout),
        turned: bool,
        cost: &LinearCost,
    ) -> Quote {
        let key = (map.alike, *from, *to, turned);
        let options = self.known.entry(key).or_insert_with(|| {
            if self.displaced.0 != map.alike {
                self.displaced = (map.alike, Displaced::default());
            }
            let displaced = &mut self.displaced.1;
            match turned {
                false => LinearOptions::regular(&map.bound, from, to, displaced),
                true => LinearOptions::turned(&map.bound, from, to, displaced),
            }
        });
        match options {
            Some(options) => Quote {
                seconds: options.price(to, cost),
                depth: options.depth(),
                longer: options.is_masked(),
            },
            None => Quote {
                seconds: f64::INFINITY,
                depth: 1,
                longer: false,
            },
        }
    }
}
