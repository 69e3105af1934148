//! What samples reach.

use super::planes::Planes;
use crate::tensor::{EvaluateError, Graph};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The extremes of all nodes over some samples.
#[derive(Clone, Debug)]
pub struct Calibration {
    samples: usize,
    /// By node.
    pub(super) nodes: Vec<Planes>,
    /// By node: the first sample in which it is largest.
    pub(super) worst: Vec<usize>,
}

impl Calibration {
    /// Evaluates `graph` on samples, several side by side. `inputs(i)` gives all inputs by name of sample `i`, `done(count)`
    /// is told how many have been seen. The result does not depend on the number of threads.
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
            nodes: Vec::new(),
            worst: Vec::new(),
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

    /// How many samples there were.
    pub fn samples(&self) -> usize {
        self.samples
    }

    fn join(&mut self, sample: Vec<Planes>) {
        if self.samples == 0 {
            self.worst = vec![0; sample.len()];
            self.nodes = sample;
        } else {
            let known = self.nodes.iter_mut().zip(&mut self.worst);
            for ((known, worst), new) in known.zip(sample) {
                if new.hull().largest() > known.hull().largest() {
                    *worst = self.samples;
                }
                known.join(&new);
            }
        }
        self.samples += 1;
    }
}

/// The extremes of all nodes for one sample.
fn extremes(
    graph: &Graph,
    inputs: &BTreeMap<String, Vec<f64>>,
) -> Result<Vec<Planes>, EvaluateError> {
    let mut found = Vec::with_capacity(graph.len());
    graph.evaluate_each(inputs, |index, values| {
        found.push(Planes::around(&graph.node(index).shape, values));
    })?;
    Ok(found)
}
