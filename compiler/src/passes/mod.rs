//! Circuit passes: each is a plain function from circuit to circuit, which rebuilds the circuit through the builder.
//!
//! The driver runs the table in order; debug builds verify after every pass.

mod double_hoist;
mod hoist;
pub mod keys;
mod merge_divisions;
mod rebuild;
mod remove_dead;
mod sink_mod_down;

use crate::optimisation::{Optimisation, Without};
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Circuit, TypeError, VerifyErrors, verify};

/// A circuit pass: its name, what it does, and its function.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// The name of the pass in reports and file tests, a verb phrase.
    pub name: &'static str,
    /// What the pass does, in one phrase.
    pub summary: &'static str,
    /// The optimisation that the pass is left out with.
    pub part_of: Option<Optimisation>,
    /// The function of the pass. The cost model decides where it depends on the machine what is cheaper.
    pub run: fn(Circuit, &CostModel) -> Result<Circuit, TypeError>,
}

/// All passes in the order in which the compiler runs them.
pub const PASSES: &[Pass] = &[
    hoist::PASS,
    double_hoist::PASS,
    sink_mod_down::PASS,
    merge_divisions::PASS,
    remove_dead::PASS,
];

/// Runs all passes but those of the optimisations in `without`. Debug builds verify the circuit after each pass, if it verified
/// before the first: weights that are too large are refused later, by the names of their tensors.
///
/// # Errors
/// When a pass emits an instruction that does not type, or, in debug builds, a circuit that does not verify: a defect of the
/// pass, which the error names.
pub fn run_all(
    mut circuit: Circuit,
    cost: &CostModel,
    without: &Without,
) -> Result<Circuit, PassError> {
    let made = |pass: &&Pass| pass.part_of.is_none_or(|part| !without.contains(&part));
    let verifies = cfg!(debug_assertions) && verify(circuit.clone()).is_ok();
    for pass in PASSES.iter().filter(made) {
        let run = (pass.run)(circuit, cost).map_err(|source| PassError {
            pass: pass.name,
            defect: source.into(),
        })?;
        circuit = match verifies {
            true => verified(pass.name, run)?,
            false => run,
        };
    }
    Ok(circuit)
}

/// The circuit, after verifying it.
fn verified(pass: &'static str, circuit: Circuit) -> Result<Circuit, PassError> {
    let verified = verify(circuit).map_err(|source| PassError {
        pass,
        defect: source.into(),
    })?;
    Ok(verified.into_inner())
}

/// A pass that emitted a wrong circuit: a defect of the compiler.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("internal error in pass {pass}: {defect}")]
pub struct PassError {
    /// The pass.
    pub pass: &'static str,
    /// The defect.
    pub defect: Defect,
}

/// A defect of a circuit that a pass emitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Defect {
    /// An instruction does not type.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// A rule of the verifier is broken.
    #[error(transparent)]
    Invalid(#[from] VerifyErrors),
}
