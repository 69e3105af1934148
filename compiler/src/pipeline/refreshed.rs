//! An attempt to compile a network whose values are refreshed, at one ring degree.

use super::attempt::{Attempt, Candidate};
use super::{CompileError, Plan};
use crate::layout::{LayoutPlan, Quotes};
use crate::manage::parameters::{ParameterError, Planner};
use crate::manage::rescales::Policy;
use crate::manage::{emit_refreshed, settle};
use crate::optimisation::Optimisation;
use crate::passes::run_all;
use crate::placement::{PlacementError, Problem, Refreshing, place, weights};
use crate::refresh::choices::Choices;
use crate::refresh::plan::RefreshPlan;
use crate::slots::lower_refreshed;
use crate::tensor::{Graph, PerNode};
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Remark, Security};

/// The numbers of special primes that are tried: more make key switches cheaper and leave less room.
const SPECIAL: [usize; 1] = [6];
/// How often stretches are made shorter, where they turn out to need more bits than estimated.
const MOST_TRIALS: usize = 8;
/// The share of the room that is taken at most when stretches are made shorter.
const SPARED: f64 = 0.99;

impl Attempt<'_> {
    /// The fastest circuit with refreshes; or why there is none.
    pub(super) fn refreshed(
        &self,
        quotes: &mut Quotes,
    ) -> Result<Result<Candidate, PlacementError>, CompileError> {
        self.begin(0.0, "layouts between refreshes");
        // Prices of layouts are those of a table without limit: they depend on each other, not on the modulus.
        let boundless = Planner {
            security: Security::None,
            ..*self.planner
        };
        let unlimited = Attempt {
            planner: &boundless,
            ..*self
        };
        let priced = unlimited.priced().map_err(CompileError::Parameters)?;
        let plan = self.planning(&priced, quotes)?.fewest_levels()?;
        let mut best: Option<Candidate> = None;
        let mut refused = None;
        for special in SPECIAL {
            for policy in self.policies() {
                match self.refreshed_by(&plan, special, policy)? {
                    Ok(found) => {
                        best = Some(match best {
                            Some(known) => known.faster(found),
                            None => found,
                        });
                    }
                    Err(error) => refused = Some(error),
                }
            }
        }
        Ok(match (best, refused) {
            (Some(best), _) => Ok(best),
            (None, Some(refused)) => Err(refused),
            (None, None) => return Err(CompileError::NoDegree),
        })
    }

    fn policies(&self) -> Vec<Policy> {
        match self.config.without.contains(&Optimisation::TowerReuse) {
            true => vec![Policy::Eager],
            false => vec![Policy::Lazy, Policy::Eager],
        }
    }

    /// The circuit of a layout plan with refreshes.
    fn refreshed_by(
        &self,
        plan: &LayoutPlan,
        special: usize,
        policy: Policy,
    ) -> Result<Result<Candidate, PlacementError>, CompileError> {
        let choices = Choices {
            special,
            ..self
                .planner
                .refresh_choices(self.log_n)
                .map_err(CompileError::Parameters)?
        };
        let log_n = self.log_n;
        let longest = choices
            .plan()
            .map_err(|error| CompileError::Parameters(ParameterError::Refresh { log_n, error }))?;
        let [least, most] = longest.modulus_bits;
        let bits = self.planner.scale_bits(self.log_n);
        let problem = Problem {
            graph: self.graph,
            weights: weights(self.graph, &bits),
            ciphertexts: PerNode::from_fn(self.graph, |node| plan.layout(node).ciphertexts()),
            bounds: bounds(self.graph, &self.config.bounds),
        };
        let spent = [
            f64::from(bits.unit),
            f64::from(bits.numbers + bits.refresh[1]) - f64::from(bits.unit),
        ];
        let mut refreshing = Refreshing {
            seconds: seconds(&longest, &self.config.cost)?,
            room: most - least,
            spent,
        };
        let mut refused = PlacementError::Unsettled;
        for _ in 0..MOST_TRIALS {
            let found = match place(&problem, &refreshing) {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            let settled = settle(lower_refreshed(self.graph, plan, &found.placement)?, policy)?;
            let missing = match self
                .planner
                .refreshed((self.log_n, special), &settled.demand)
            {
                Ok(refresh) => {
                    let cuts = found.placement.cuts.len();
                    let text = format!("{cuts} cuts, {:.0} bits", found.longest);
                    let (config, name) = (self.config, &self.config.name);
                    let circuit = emit_refreshed(settled, &refresh, bits, config.security, name)?;
                    let passed = run_all(circuit.clone(), &config.cost, &config.without)?;
                    let mut candidate = Candidate {
                        seconds: config.cost.predict(&passed).seconds,
                        circuit,
                        plan: Plan {
                            policy,
                            reluctance: None,
                        },
                    };
                    candidate
                        .circuit
                        .remarks
                        .insert(0, Remark { node: None, text });
                    return Ok(Ok(candidate));
                }
                Err(error) => error
                    .missing_bits()
                    .ok_or(CompileError::Parameters(error))?,
            };
            // The estimate was short by this share.
            let needed = most - least + missing;
            refreshing.room = found.longest * (most - least) / needed * SPARED;
            refused = PlacementError::Unsettled;
        }
        Ok(Err(refused))
    }
}

/// Predicted seconds of a refresh of one ciphertext, and of two.
fn seconds(plan: &RefreshPlan, cost: &CostModel) -> Result<[f64; 2], CompileError> {
    let price = |vectors| -> Result<f64, CompileError> {
        let circuit = plan.circuit(vectors, Security::None, cost)?;
        Ok(cost.predict(&circuit).seconds)
    };
    Ok([price(1)?, price(2)?])
}

/// The bound of each node, where the configuration has one that is of use.
fn bounds(graph: &Graph, bounds: &[Option<f64>]) -> PerNode<Option<f64>> {
    PerNode::from_fn(graph, |node| {
        let bound = bounds.get(node.index()).copied().flatten();
        bound.filter(|bound| bound.is_finite() && *bound > 0.0)
    })
}
