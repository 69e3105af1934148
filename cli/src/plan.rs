//! What `compile` and `infer` share: from a model and what was asked for to a circuit, the ranges that were measured on the
//! way, and the precision that is predicted.

use crate::args::Choices;
use crate::error::Error;
use crate::expectations;
use crate::precision::{self, Precision};
use crate::ranges::Measured;
use crate::verbs::model;
use peregrine_compiler::pipeline::{Compiled, Config};
use peregrine_compiler::tensor::Graph;
use peregrine_runtime::simulate::Prediction;
use std::path::Path;

/// A circuit and how it came about.
#[derive(Debug)]
pub struct Plan {
    /// What the circuit was made for.
    pub config: Config,
    /// The circuit.
    pub compiled: Compiled,
    /// What simulated noise leaves of the samples, or of inputs that were drawn; none for large circuits without samples.
    pub prediction: Option<Prediction>,
    /// What is known of the values of the model.
    pub measured: Option<Measured>,
    /// Of the outputs, where there are samples.
    pub precision: Option<Precision>,
}

impl Plan {
    /// Compiles a model for what was asked; warns when the circuit is not secure.
    pub fn new(path: &Path, graph: &Graph, choices: &Choices) -> Result<Self, Error> {
        let mut config = model::config(path, choices)?;
        let measured = Measured::new(path, choices, graph, &config.without)?;
        if let Some(measured) = &measured {
            measured.settle(choices.headroom_bits, &mut config)?;
        }
        let (mut compiled, precision) = compile(path, graph, &mut config, measured.as_ref())?;
        let prediction = expectations::fill(path, graph, &mut compiled, measured.as_ref())?;
        Ok(Self {
            config,
            compiled,
            prediction,
            measured,
            precision,
        })
    }
}

/// Compiles for the precision that is asked of the outputs on samples, or of operations when there are none.
fn compile(
    path: &Path,
    graph: &Graph,
    config: &mut Config,
    measured: Option<&Measured>,
) -> Result<(Compiled, Option<Precision>), Error> {
    let Some(measured) = measured else {
        return Ok((model::compile(path, graph, config)?, None));
    };
    let compiled = match measured.images() {
        [] => model::compile(path, graph, config).map(|compiled| (compiled, None)),
        images => precision::compile(path, graph, config, images)
            .map(|(compiled, precision)| (compiled, Some(precision))),
    };
    compiled.map_err(|error| measured.explain(error, config.headroom_bits))
}
