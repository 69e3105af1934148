//! Calibration: the extremes of all nodes over samples.

use super::planes::Planes;
use crate::tensor::{EvaluateError, Graph, PerNode};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The extremes of all nodes over some samples.
#[derive(Clone, Debug)]
pub struct Calibration {
    samples: usize,
    /// The extremes of each node; none without a sample.
    pub(super) reached: Option<PerNode<Reached>>,
}

/// The extremes of a node.
#[derive(Clone, Debug)]
pub(super) struct Reached {
    /// The extremes of each plane.
    pub(super) planes: Planes,
    /// The index of the first sample in which the node is largest.
    pub(super) worst: usize,
}

impl Calibration {
    /// Evaluates `graph` on samples, several at a time. `inputs(i)` returns all inputs of sample `i` by name; `done(count)`
    /// is told how many samples have been evaluated. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// When a sample lacks an input or has one of another size, or the graph is not well formed.
    pub fn new(
        graph: &Graph,
        samples: usize,
        inputs: impl Fn(usize) -> BTreeMap<String, Vec<f64>> + Sync,
        done: impl Fn(usize),
    ) -> Result<Self, EvaluateError> {
        let mut found = Self {
            samples: 0,
            reached: None,
        };
        let batch = 2 * rayon::current_num_threads();
        for first in (0..samples).step_by(batch) {
            let batch = first..samples.min(first + batch);
            let extremes: Result<Vec<_>, _> = batch
                .into_par_iter()
                .map(|sample| extremes(graph, &inputs(sample)))
                .collect();
            extremes?.into_iter().for_each(|sample| found.join(sample));
            done(found.samples);
        }
        Ok(found)
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    fn join(&mut self, sample: PerNode<Reached>) {
        match &mut self.reached {
            None => self.reached = Some(sample),
            Some(reached) => {
                for (known, new) in reached.values_mut().zip(sample.values()) {
                    if new.planes.hull().largest() > known.planes.hull().largest() {
                        known.worst = self.samples;
                    }
                    known.planes.join(&new.planes);
                }
            }
        }
        self.samples += 1;
    }
}

/// The extremes of all nodes for one sample.
fn extremes(
    graph: &Graph,
    inputs: &BTreeMap<String, Vec<f64>>,
) -> Result<PerNode<Reached>, EvaluateError> {
    let mut found = Vec::with_capacity(graph.len());
    graph.evaluate_each(inputs, |index, values| {
        found.push(Reached {
            planes: Planes::around(&graph.node(index).shape, values),
            worst: 0,
        });
    })?;
    Ok(found.into())
}
