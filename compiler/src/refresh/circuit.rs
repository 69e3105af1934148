//! A circuit that does nothing but refresh: one or two real vectors with little modulus left come back with much. For prices,
//! measurements and tests.

use super::choices::Packing;
use super::error::RefreshError;
use super::plan::RefreshPlan;
use crate::optimisation::Without;
use crate::passes;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{
    Builder, Circuit, Finish, FinishStep, Layout, LayoutParts, Security, Shape, SourceNode,
};

/// The names of the inputs.
pub const INPUTS: [&str; 2] = ["x", "y"];
/// The names of the outputs.
pub const OUTPUTS: [&str; 2] = ["x refreshed", "y refreshed"];

impl RefreshPlan {
    /// The values of one vector.
    pub fn values(&self) -> u32 {
        match self.refresh.packing {
            Packing::Full => 1 << self.refresh.log_slots,
            Packing::Sparse { log_values } => 1 << log_values,
        }
    }

    /// The circuit: inputs `x` and, of two vectors, `y` of shape `[1, values]`, values in `-1..=1`; outputs are what they were, at the
    /// level that the refresh reaches. It has been through the passes.
    ///
    /// # Errors
    /// When the levels or scales of the plan do not suit each other.
    pub fn circuit(
        &self,
        vectors: usize,
        security: Security,
        cost: &CostModel,
    ) -> Result<Circuit, RefreshError> {
        let refresh = &self.refresh;
        let mut builder = Builder::new(Circuit::new("refresh", security, self.rings.clone()));
        let functions = refresh.functions(&mut builder, vectors > 1)?;
        let values = self.values();
        let once = Layout::row_major(refresh.log_slots, [values, 1, 1])?;
        let layout = Layout::new(LayoutParts {
            replicas: (1 << refresh.log_slots) / values,
            ..*once.parts()
        });
        let circuit = builder.circuit();
        let layout = circuit.layouts.push(layout?);
        let node = circuit.nodes.push(SourceNode {
            name: "refresh".into(),
            op: "Refresh".into(),
        });
        let shape = Shape::new([1, values])?;
        builder.serve(node);
        let mut given = Vec::new();
        for name in INPUTS.into_iter().take(vectors) {
            given.extend(builder.input(name, shape.clone(), layout, refresh.from.clone())?);
        }
        let results = functions.call(&mut builder, &given)?;
        for (name, value) in OUTPUTS.iter().zip(results) {
            builder.output(name, shape.clone(), layout, vec![value]);
        }
        for port in &mut builder.circuit().outputs {
            port.finish = Finish(vec![FinishStep::Affine {
                axis: 0,
                factor: vec![self.gain],
                offset: vec![0.0],
            }]);
        }
        Ok(passes::run_all(builder.finish(), cost, &Without::new())?)
    }
}
