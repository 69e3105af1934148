//! An attempt to compile a network whose values are refreshed, at one ring degree.
//!
//! Cuts, rows and special primes depend on each other: more special primes make key switches cheaper and leave fewer bits, so stretches are
//! shorter; shorter stretches make everything cheaper but ask for more refreshes. So several numbers of special primes are tried, each
//! with the fewest cuts and with some more, and the circuit is made of what is predicted to be fastest.

use super::CompileError;
use super::Plan;
use super::attempt::{Attempt, Candidate};
use super::offers::{Offer, Way};
use crate::layout::{LayoutPlan, Quotes};
use crate::manage::parameters::Planner;
use crate::manage::rescales::Policy;
use crate::manage::{Settled, emit_refreshed, settle};
use crate::optimisation::Optimisation;
use crate::passes::run_all;
use crate::placement::{
    NextPlan, Placement, PlacementError, Problem, RefreshReport, Refreshing, longest, place,
    weights,
};
use crate::refresh::choices::{Choices, Packing};
use crate::refresh::plan::RefreshPlan;
use crate::slots::lower_refreshed;
use crate::tensor::{Graph, PerNode};
use peregrine_ir::cost::CostModel;
use peregrine_ir::{RingTable, Security};
use rayon::prelude::*;
use std::ops::RangeInclusive;

/// The numbers of special primes that are tried.
const SPECIAL: RangeInclusive<usize> = 5..=8;
/// How often stretches are made shorter without a faster circuit before the search for one ends.
const PATIENCE: usize = 3;
/// How often stretches are made shorter because they need more bits than estimated.
const MOST_TRIALS: usize = 8;
/// The share of the room that is taken at most when stretches are made shorter.
const SPARED: f64 = 0.99;
/// The values of reluctance that are tried in spending levels on conversions.
const RELUCTANCE: [f64; 3] = [0.5, 1.0, 2.0];
/// The share of the time of a circuit without refreshes above which one refresh is not worth a try.
const WORTH_A_TRY: f64 = 0.25;

/// Why a circuit has no refreshes.
pub(super) enum Unrefreshed {
    /// A single refresh takes too large a share of the time without.
    Slow,
    /// No ring has room for the values.
    Room,
    /// There are no cuts.
    Placement(PlacementError),
}

impl From<PlacementError> for Unrefreshed {
    fn from(error: PlacementError) -> Self {
        Self::Placement(error)
    }
}

/// Refreshes of a packing with so many special primes that gain as much as the limit allows.
struct Highest {
    special: usize,
    packing: Packing,
    plan: RefreshPlan,
    /// Predicted seconds of a refresh of one ciphertext, and of two.
    seconds: [f64; 2],
}

impl Highest {
    /// Predicted seconds of refreshes that gain less, by those of a key switch at their highest levels.
    fn seconds_of(&self, plan: &RefreshPlan, cost: &CostModel) -> [f64; 2] {
        let switches = |plan: &RefreshPlan| {
            let [_, top] = plan.refresh.raise;
            let levels = [top, plan.refresh.levels.out];
            let each = levels.map(|level| cost.phases(&plan.rings, level).key_switch());
            each[0] + each[1]
        };
        let share = switches(plan) / switches(&self.plan);
        self.seconds.map(|seconds| seconds * share)
    }
}

/// A program with refreshes, and parameters that hold it.
struct Trial {
    settled: Settled,
    plan: RefreshPlan,
    report: RefreshReport,
    /// Bits of the longest stretch, as estimated.
    longest: f64,
    /// Predicted seconds of the refreshes and of the work between them, before rotations share decompositions.
    seconds: f64,
    /// The fastest of the trials that were slower and have other cuts.
    next: Option<Other>,
}

/// What is kept of a slower trial.
#[derive(Clone)]
struct Other {
    before: Vec<String>,
    ciphertexts: u32,
    seconds: f64,
}

impl Trial {
    /// Keeps what is to be known of a slower trial, and of those that were slower than that.
    fn pass_over(&mut self, slower: Self) {
        let itself = Other {
            before: slower.report.before(),
            ciphertexts: slower.report.ciphertexts,
            seconds: slower.seconds,
        };
        let own = self.report.before();
        let others = [Some(itself), slower.next, self.next.take()];
        let others = others.into_iter().flatten();
        let others = others.filter(|other| other.before != own);
        self.next = others.min_by(|a, b| a.seconds.total_cmp(&b.seconds));
    }

    /// The report, with the next best plan.
    fn reported(&mut self) -> RefreshReport {
        let mut report = self.report.clone();
        report.next = self.next.take().map(|other| NextPlan {
            before: other.before,
            ciphertexts: other.ciphertexts,
            ratio: other.seconds / self.seconds,
        });
        report
    }
}

impl Attempt<'_> {
    /// The fastest circuit with refreshes; or why there is none. `known` has the predicted seconds of a circuit without.
    pub(super) fn refreshed(
        &self,
        quotes: &mut Quotes,
        known: f64,
    ) -> Result<Result<Offer, Unrefreshed>, CompileError> {
        // What is cheapest, whatever layouts allow.
        let log_values = self.log_n - 2;
        let cheapest = self.all_highest(Packing::Sparse { log_values })?;
        let Some(most) = cheapest.first() else {
            return Ok(Err(Unrefreshed::Room));
        };
        if self.cheapest_refresh(most)? > known * WORTH_A_TRY {
            return Ok(Err(Unrefreshed::Slow));
        }
        let room = most.plan.gained_bits();
        self.begin(0.0, "layouts between refreshes");
        // Layouts are priced by a table without limit: prices depend on each other, not on the modulus.
        let boundless = Planner {
            security: Security::None,
            modulus_bits: None,
            ..*self.planner
        };
        let unlimited = Attempt {
            planner: &boundless,
            ..*self
        };
        let Ok(priced) = unlimited.priced() else {
            return Ok(Err(Unrefreshed::Room));
        };
        let layouts = self.layouts(&priced, room, quotes)?;
        let mut highest = cheapest;
        if layouts
            .iter()
            .any(|plan| self.packing(plan) == Packing::Full)
        {
            highest.extend(self.all_highest(Packing::Full)?);
        }
        let found = self.fastest_refreshed(&layouts, &highest)?;
        Ok(found.map_err(Unrefreshed::from))
    }

    /// The fastest circuit of some layouts, of which the first spend no levels.
    fn fastest_refreshed(
        &self,
        layouts: &[LayoutPlan],
        highest: &[Highest],
    ) -> Result<Result<Offer, PlacementError>, CompileError> {
        let Some((first, others)) = layouts.split_first() else {
            return Ok(Err(PlacementError::Unsettled));
        };
        // First special primes and packing, with the first layouts.
        let of = |packing| highest.iter().filter(move |known| known.packing == packing);
        let one: Vec<&Highest> = of(self.packing(first)).collect();
        let (best, chosen) = match self.with_special(first, &one)? {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        };
        // Where several ciphertexts are refreshed at once, two may share the way up.
        let several = best.report.cuts.iter().any(|cut| cut.ciphertexts() > 1);
        let full = match several && chosen.packing != Packing::Full {
            true => self.all_highest(Packing::Full)?,
            false => Vec::new(),
        };
        let alone = chosen.packing;
        let two: Vec<&Highest> = full.iter().collect();
        let (best, chosen) = match self.with_special(first, &two)? {
            Ok(found) => faster(Some((best, chosen)), found),
            Err(_) => (best, chosen),
        };
        // Then other layouts. Trials leave out what constants cost, in which layouts differ, so circuits are compared.
        self.begin(0.5, "refreshes");
        let others = others.par_iter().map(|other| {
            let known: Vec<&Highest> = match chosen.packing == alone {
                true => of(self.packing(other)).collect(),
                false => full.iter().collect(),
            };
            let near = known.into_iter();
            let near = near.filter(|known| known.special.abs_diff(chosen.special) <= 1);
            let found = self.with_special(other, &near.collect::<Vec<_>>())?;
            found.ok().map(|(trial, _)| self.offered(trial)).transpose()
        });
        let (best, others) = rayon::join(|| self.offered(best), || others.collect::<Vec<_>>());
        let mut fastest = best?;
        for found in others {
            if let Some(found) = found?
                && found.seconds() < fastest.seconds()
            {
                fastest = found;
            }
        }
        Ok(Ok(fastest))
    }

    /// Plans of layouts: the one with the fewest levels, then others that spend levels on conversions. A level is priced as if all that
    /// comes before ran one level higher, but it does so up to the last refresh only, which leaves `room` bits.
    fn layouts(
        &self,
        priced: &RingTable,
        room: f64,
        quotes: &mut Quotes,
    ) -> Result<Vec<LayoutPlan>, CompileError> {
        let weights = weights(self.graph, &self.planner.scale_bits(self.log_n));
        let share = (room / longest(self.graph, &weights).max(1.0)).min(1.0);
        let mut planning = self.planning(priced, quotes)?;
        let mut plans = vec![planning.fewest_levels()?];
        for reluctance in RELUCTANCE {
            let Some(plan) = planning.worthwhile_levels(reluctance * share)? else {
                break;
            };
            if !plans.iter().any(|known| known.chooses_as(&plan)) {
                plans.push(plan);
            }
        }
        Ok(plans)
    }

    /// The fastest trial of those with several numbers of special primes, and its refreshes.
    fn with_special<'h>(
        &self,
        layouts: &LayoutPlan,
        highest: &[&'h Highest],
    ) -> Result<Result<(Trial, &'h Highest), PlacementError>, CompileError> {
        let trials = highest.par_iter();
        let trials = trials.map(|highest| (self.with_cuts(layouts, highest), *highest));
        let trials: Vec<_> = trials.collect();
        let (mut best, mut refused) = (None, PlacementError::Unsettled);
        for (found, highest) in trials {
            match found? {
                Ok(found) => best = Some(faster(best, (found, highest))),
                Err(error) => refused = error,
            }
        }
        Ok(best.ok_or(refused))
    }

    /// How single ciphertexts of these layouts are refreshed: as what repeats where all do.
    fn packing(&self, layouts: &LayoutPlan) -> Packing {
        let periods = self
            .graph
            .nodes()
            .map(|node| layouts.layout(node).log_period());
        let log_values = self.log_n - 2;
        match periods.max() <= Some(log_values) {
            true => Packing::Sparse { log_values },
            false => Packing::Full,
        }
    }

    /// The refreshes with each number of special primes for which the limit leaves room.
    fn all_highest(&self, packing: Packing) -> Result<Vec<Highest>, CompileError> {
        let highest = SPECIAL.into_par_iter();
        let highest = highest.map(|special| self.highest(special, packing));
        let highest: Vec<Result<Option<Highest>, _>> = highest.collect();
        highest.into_iter().filter_map(Result::transpose).collect()
    }

    /// The refreshes with so many special primes; none where the limit is too low for them.
    fn highest(&self, special: usize, packing: Packing) -> Result<Option<Highest>, CompileError> {
        let Ok(plan) = self.choices(special, packing)?.plan() else {
            return Ok(None);
        };
        let seconds = seconds(&plan, &self.config.cost)?;
        Ok(Some(Highest {
            special,
            packing,
            plan,
            seconds,
        }))
    }

    /// The fastest trial with so many special primes: with the fewest cuts, or with some more.
    fn with_cuts(
        &self,
        layouts: &LayoutPlan,
        highest: &Highest,
    ) -> Result<Result<Trial, PlacementError>, CompileError> {
        let (mut best, mut shorter): (Option<Trial>, _) = (None, f64::INFINITY);
        let mut patience = PATIENCE;
        while patience > 0 {
            let found = match self.trial(layouts, highest, shorter)? {
                Ok(found) => found,
                Err(error) => return Ok(best.ok_or(error)),
            };
            shorter = found.longest - 1.0;
            patience = match &best {
                Some(known) if known.seconds <= found.seconds => patience - 1,
                _ => PATIENCE,
            };
            let known = best.map(|known| (known, ()));
            best = Some(faster(known, (found, ())).0);
        }
        Ok(best.ok_or(PlacementError::Unsettled))
    }

    fn policy(&self) -> Policy {
        match self.config.without.contains(&Optimisation::TowerReuse) {
            true => Policy::Eager,
            false => Policy::Lazy,
        }
    }

    /// Predicted seconds of a refresh of one ciphertext with the shortest modulus.
    fn cheapest_refresh(&self, most: &Highest) -> Result<f64, CompileError> {
        let shortest = self.choices(most.special, most.packing)?.plan_for(&[]);
        let [one, _] = shortest.map_or(most.seconds, |plan| {
            most.seconds_of(&plan, &self.config.cost)
        });
        Ok(one)
    }

    fn choices(&self, special: usize, packing: Packing) -> Result<Choices, CompileError> {
        let choices = self.planner.refresh(self.log_n, (special, packing));
        choices.map_err(CompileError::Parameters)
    }

    /// The fewest and shortest stretches, of at most `shorter` bits, that parameters with so many special primes hold.
    fn trial(
        &self,
        layouts: &LayoutPlan,
        highest: &Highest,
        shorter: f64,
    ) -> Result<Result<Trial, PlacementError>, CompileError> {
        let (kind, most) = (
            (highest.special, highest.packing),
            highest.plan.gained_bits(),
        );
        let bits = self.planner.scale_bits(self.log_n);
        let problem = Problem {
            graph: self.graph,
            weights: weights(self.graph, &bits),
            ciphertexts: PerNode::from_fn(self.graph, |node| layouts.layout(node).ciphertexts()),
            bounds: bounds(self.graph, &self.config.bounds),
        };
        let unit = f64::from(bits.unit);
        let mut refreshing = Refreshing {
            seconds: highest.seconds,
            room: shorter.min(most),
            spent: [unit, f64::from(bits.numbers + bits.result) - unit],
        };
        for _ in 0..MOST_TRIALS {
            let found = match place(&problem, &refreshing) {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            // Where nothing has to be refreshed, refreshes may save time nevertheless.
            if found.placement.cuts.is_empty() {
                refreshing.room = found.longest - 1.0;
                continue;
            }
            match self.held(layouts, &found.placement, kind)? {
                Ok((settled, plan)) => {
                    refreshing.seconds = highest.seconds_of(&plan, &self.config.cost);
                    refreshing.room = most;
                    let report = RefreshReport::new(&problem, &found, &refreshing, &plan);
                    let work = self.planner.seconds_between(&plan, &settled.demand);
                    return Ok(Ok(Trial {
                        seconds: report.seconds + work,
                        longest: found.longest,
                        settled,
                        plan,
                        report,
                        next: None,
                    }));
                }
                // The estimate was short by this share.
                Err(missing) => refreshing.room = found.longest * most / (most + missing) * SPARED,
            }
        }
        Ok(Err(PlacementError::Unsettled))
    }

    /// The program with refreshes at some cuts, and parameters that hold it; or the bits that are missing.
    fn held(
        &self,
        layouts: &LayoutPlan,
        placement: &Placement,
        kind: (usize, Packing),
    ) -> Result<Result<(Settled, RefreshPlan), f64>, CompileError> {
        let program = lower_refreshed(self.graph, layouts, placement)?;
        let settled = settle(program, self.policy())?;
        match self.planner.refreshed(self.log_n, kind, &settled.demand) {
            Ok(plan) => Ok(Ok((settled, plan))),
            Err(error) => match error.missing_bits() {
                Some(missing) => Ok(Err(missing)),
                None => Err(CompileError::Parameters(error)),
            },
        }
    }

    /// The circuit of a trial.
    fn offered(&self, mut trial: Trial) -> Result<Offer, CompileError> {
        let report = trial.reported();
        let Trial { settled, plan, .. } = trial;
        let (config, bits) = (self.config, self.planner.scale_bits(self.log_n));
        let bounds = bounds(self.graph, &config.bounds);
        // Whatever bounds an output, and else what every value has room for.
        let room = f64::from(config.headroom_bits).exp2();
        let outputs = self.graph.outputs.iter();
        let magnitudes = outputs.map(|output| bounds[output.node].unwrap_or(room));
        let magnitudes: Vec<f64> = magnitudes.collect();
        let refreshes = (&plan, magnitudes.as_slice());
        let circuit = emit_refreshed(settled, refreshes, bits, config.security, &config.name)?;
        let passed = run_all(circuit.clone(), &config.cost, &config.without)?;
        let candidate = Candidate {
            seconds: config.cost.predict(&passed).seconds,
            circuit,
            plan: Plan {
                policy: self.policy(),
                reluctance: None,
            },
        };
        Ok(Offer::new(candidate, Way::Refreshed(Box::new(report))))
    }
}

/// The faster of two trials, each with what it is of.
fn faster<T>(known: Option<(Trial, T)>, found: (Trial, T)) -> (Trial, T) {
    let Some(known) = known else {
        return found;
    };
    let (mut faster, slower) = match known.0.seconds <= found.0.seconds {
        true => (known, found),
        false => (found, known),
    };
    faster.0.pass_over(slower.0);
    faster
}

/// Predicted seconds of a refresh of one ciphertext, and of two.
fn seconds(plan: &RefreshPlan, cost: &CostModel) -> Result<[f64; 2], CompileError> {
    let price = |vectors| -> Result<f64, CompileError> {
        let circuit = plan.circuit(vectors, Security::None, cost);
        let circuit = circuit.map_err(Box::new)?;
        Ok(cost.predict(&circuit).seconds)
    };
    let one = price(1)?;
    let two = match plan.refresh.packing {
        Packing::Full => price(2)?,
        Packing::Sparse { .. } => 2.0 * one,
    };
    Ok([one, two])
}

/// The bound of each node, where the configuration has one that is of use.
fn bounds(graph: &Graph, bounds: &[Option<f64>]) -> PerNode<Option<f64>> {
    PerNode::from_fn(graph, |node| {
        let bound = bounds.get(node.index()).copied().flatten();
        bound.filter(|bound| bound.is_finite() && *bound > 0.0)
    })
}
