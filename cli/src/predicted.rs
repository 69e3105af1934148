//! The predicted time of a run.

use peregrine_ir::Circuit;
use peregrine_ir::cost::{CostModel, Machine, Prediction};
use serde::Serialize;

/// The time that a run of a circuit is predicted to take, and on what machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PredictedRun {
    /// The machine that the time is predicted for.
    pub machine: Machine,
    /// Threads that share the work.
    pub threads: usize,
    /// Predicted seconds, all together and by node of the model.
    #[serde(flatten)]
    pub prediction: Prediction,
}

impl PredictedRun {
    /// Predicts a run of a circuit on the machine of a cost model.
    pub fn new(model: &CostModel, circuit: &Circuit) -> Self {
        Self {
            machine: model.machine().clone(),
            threads: model.threads(),
            prediction: model.predict(circuit),
        }
    }
}
