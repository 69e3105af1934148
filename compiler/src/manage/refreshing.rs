//! The refreshes of a circuit while it is emitted: the functions that do it, and what has been refreshed.

use super::Defect;
use crate::refresh::function::RefreshFunctions;
use crate::refresh::plan::RefreshPlan;
use crate::slots::{Program, SlotOp, SlotValue};
use peregrine_ir::{Builder, Level, Scale, Value};
use std::collections::BTreeMap;

/// The refreshes of a circuit.
pub(super) struct Refreshing {
    pub(super) functions: RefreshFunctions,
    /// Level and scale of the argument.
    pub(super) from: (Level, Scale),
    /// The level of the results.
    pub(super) out: Level,
    /// The message divided by what a refresh gives.
    pub(super) gain: f64,
    /// The level below that of the argument that outputs leave at.
    pub(super) leaving: Level,
    /// The magnitude that the values of each output stay below.
    pub(super) magnitudes: Vec<f64>,
    /// What refreshes changed: results less arguments, at the level and scale of the argument.
    pub(super) changes: Vec<Value>,
    /// Twice the real part of the sum of all changes, once it is made.
    pub(super) changed: Option<Value>,
    /// What is refreshed together, with the results and what they are to be multiplied with.
    pub(super) done: BTreeMap<Vec<SlotValue>, Vec<(Value, f64)>>,
}

impl Refreshing {
    /// Adds the functions of refreshes to a circuit.
    pub(super) fn new(
        builder: &mut Builder,
        plan: &RefreshPlan,
        program: &Program,
        magnitudes: &[f64],
    ) -> Result<Self, Defect> {
        let pair = |op: &SlotOp| matches!(op, SlotOp::Refresh(values, _) if values.len() > 1);
        let pairs = program.values.values().any(|inst| pair(&inst.op));
        let functions = plan.refresh.functions(builder, pairs).map_err(Box::new)?;
        Ok(Self {
            functions,
            from: plan.refresh.from.clone(),
            out: plan.refresh.levels.out,
            gain: plan.gain,
            leaving: plan.leaving,
            magnitudes: magnitudes.to_vec(),
            changes: Vec::new(),
            changed: None,
            done: BTreeMap::new(),
        })
    }
}
