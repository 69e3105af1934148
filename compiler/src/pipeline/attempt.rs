//! An attempt to compile a network at one ring degree, or at one degree and half of it.

use super::{CompileError, Config, Plan, Watch};
use crate::layout::{Cut, LayoutPlan, LayoutPlanError, Place, Planning, Quotes, cuts, depth};
use crate::manage::demand::{Demand, Need};
use crate::manage::parameters::{ParameterError, Planner};
use crate::manage::rescales::Policy;
use crate::manage::{emit, settle};
use crate::optimisation::Optimisation;
use crate::passes::run_all;
use crate::slots::lower;
use crate::tensor::Graph;
use peregrine_ir::{Circuit, Remark, RingTable};
use rayon::prelude::*;

/// The values of reluctance that are tried in spending levels on conversions. The price of a level is an estimate, so several
/// plans are compared.
const RELUCTANCE: [f64; 5] = [0.5, 0.7, 1.0, 2.0, 4.0];

/// The number of places at which half the degree is tried first; then come those beside the fastest.
const MAX_CUTS: usize = 24;

/// About the number of instructions of all circuits that are made to find the place; [`LEAST_CUTS`] places are tried nevertheless.
const CUT_INSTRUCTIONS: usize = 2_000_000;
const LEAST_CUTS: usize = 6;
/// The number of places that are tried side by side, on any machine.
const SIDE_BY_SIDE: usize = 4;

/// An attempt at one ring degree, with a cut or without.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) graph: &'a Graph,
    pub(super) config: &'a Config,
    pub(super) planner: &'a Planner<'a>,
    pub(super) log_n: u32,
    /// The node after which the degree is half of that, if there is one.
    pub(super) cut: Option<Cut>,
    pub(super) watch: Watch<'a>,
}

/// A circuit before its passes, and its predicted seconds after them.
pub(super) struct Candidate {
    pub(super) circuit: Circuit,
    pub(super) seconds: f64,
    pub(super) plan: Plan,
}

/// A circuit; or the demand of one, and why no parameters hold that.
pub(super) type Found = Result<Candidate, (Demand, ParameterError)>;

/// Of two refusals the one that misses fewer bits; the first where they cannot be compared.
fn nearer(a: (Demand, ParameterError), b: (Demand, ParameterError)) -> (Demand, ParameterError) {
    match (a.1.missing_bits(), b.1.missing_bits()) {
        (Some(missing), Some(others)) if others < missing => b,
        _ => a,
    }
}

impl Candidate {
    /// The faster of two candidates; the first where they are equal.
    pub(super) fn faster(self, other: Self) -> Self {
        match self.seconds <= other.seconds {
            true => self,
            false => other,
        }
    }
}

/// Shares of the search at one degree: up to plans that spend no level on conversions, and up to those that spend some; the rest is
/// for half the degree.
const PLANNED: f64 = 0.3;
const SPENT: f64 = 0.5;

impl<'a> Attempt<'a> {
    /// An attempt without a cut.
    pub(super) fn new(
        graph: &'a Graph,
        (config, planner): (&'a Config, &'a Planner<'a>),
        log_n: u32,
        watch: Watch<'a>,
    ) -> Self {
        Self {
            graph,
            config,
            planner,
            log_n,
            cut: None,
            watch,
        }
    }

    /// Tells the observer which part of the search comes next.
    pub(super) fn begin(&self, share: f64, what: &str) {
        (self.watch)(share, &format!("degree 2^{}: {what}", self.log_n));
    }

    /// A table of rings for the expected depth of the network, at whose levels layouts are priced.
    pub(super) fn priced(&self) -> Result<RingTable, ParameterError> {
        // A linear operator on products that were not rescaled is what most levels hold.
        let need = Need::LINEAR.of_product();
        let expected = Demand::uniform(depth::expected(self.graph), need);
        let expected = match self.cut {
            Some(cut) => expected.switched_after(depth::before(self.graph, cut)),
            None => expected,
        };
        self.planner.ring(self.log_n, &expected)
    }

    pub(super) fn planning<'q>(
        &self,
        priced: &RingTable,
        quotes: &'q mut Quotes,
    ) -> Result<Planning<'q>, LayoutPlanError>
    where
        'a: 'q,
    {
        let place = Place {
            graph: self.graph,
            log_slots: self.log_n - 1,
            cut: self.cut,
            without: &self.config.without,
        };
        Planning::new(place, self.config.cost.prices(priced), quotes)
    }

    /// The fastest circuit of a plan; or what it demands, and why no parameters hold that.
    pub(super) fn fastest(&self, plan: &LayoutPlan) -> Result<Found, CompileError> {
        let eager = || self.candidate(plan, Policy::Eager);
        if self.config.without.contains(&Optimisation::TowerReuse) {
            return eager();
        }
        let (eager, lazy) = rayon::join(eager, || self.candidate(plan, Policy::Lazy));
        Ok(match (lazy?, eager?) {
            (Ok(lazy), Ok(eager)) => Ok(lazy.faster(eager)),
            (Ok(found), Err(_)) | (_, Ok(found)) => Ok(found),
            (Err(lazy), Err(eager)) => Err(nearer(lazy, eager)),
        })
    }

    fn candidate(&self, plan: &LayoutPlan, policy: Policy) -> Result<Found, CompileError> {
        let settled = settle(lower(self.graph, plan)?, policy)?;
        let ring = match self.planner.ring(self.log_n, &settled.demand) {
            Ok(ring) => ring,
            Err(error) => {
                let error = error.named(|rescale| settled.rescaled_node(rescale));
                return Ok(Err((settled.demand, error)));
            }
        };
        let Config {
            security,
            name,
            cost,
            without,
            ..
        } = self.config;
        let bits = self.planner.scale_bits(self.log_n);
        let circuit = emit(settled, ring, bits, *security, name)?;
        let seconds = cost
            .predict(&run_all(circuit.clone(), cost, without)?)
            .seconds;
        Ok(Ok(Candidate {
            circuit,
            seconds,
            plan: Plan {
                policy,
                reluctance: None,
            },
        }))
    }

    /// The fastest of a circuit that spends no level on conversions and circuits that spend some.
    pub(super) fn with_more_levels(
        &self,
        planning: &mut Planning<'_>,
        fewest: Candidate,
    ) -> Result<Candidate, CompileError> {
        let without = fewest.seconds;
        let mut best = fewest;
        self.begin(PLANNED, "levels for conversions");
        let mut plans: Vec<(f64, LayoutPlan)> = Vec::new();
        for reluctance in RELUCTANCE {
            let Some(plan) = planning.worthwhile_levels(reluctance)? else {
                break;
            };
            if !plans.iter().any(|(_, known)| known.chooses_as(&plan)) {
                plans.push((reluctance, plan));
            }
        }
        let found = plans.par_iter();
        let found = found.map(|(reluctance, plan)| (*reluctance, self.fastest(plan)));
        for (reluctance, found) in found.collect::<Vec<_>>() {
            if let Ok(found) = found? {
                let plan = Plan {
                    reluctance: Some(reluctance),
                    ..found.plan
                };
                best = best.faster(Candidate { plan, ..found });
            }
        }
        let seconds = best.seconds;
        let text = match seconds < without {
            true => format!(
                "levels or longer primes are spent on turning copies: {seconds:.2} s predicted, {without:.2} s without"
            ),
            false => format!("no level is spent on turning copies: {without:.2} s predicted"),
        };
        best.circuit.remarks.insert(0, Remark { node: None, text });
        Ok(best)
    }

    /// The fastest circuit that goes on at half the degree after some node, planned like the best circuit that does not, with a
    /// remark; `None` where none is secure. The later the node, the shorter the modulus at half the degree, so the more secure.
    pub(super) fn switched(
        &self,
        best: &Candidate,
        quotes: &mut Quotes,
    ) -> Result<Option<(Candidate, Cut, String)>, CompileError> {
        if self.config.without.contains(&Optimisation::RingSwitching)
            || self.log_n == *RingTable::LOG_N.start()
        {
            return Ok(None);
        }
        let mut late: Vec<Cut> = cuts(self.graph);
        late.reverse();
        let mut fastest: Option<(Candidate, usize)> = None;
        let affordable = (CUT_INSTRUCTIONS / best.circuit.values.len().max(1)).max(LEAST_CUTS);
        let mut stride = late.len().div_ceil(affordable.min(MAX_CUTS)).max(1);
        // From the last cut to the first, by strides, while parameters hold the network that is cut there.
        let strides: Vec<usize> = (0..late.len()).step_by(stride).collect();
        for (i, places) in strides.chunks(SIDE_BY_SIDE).enumerate() {
            let done = (i * SIDE_BY_SIDE) as f64 / strides.len() as f64;
            self.begin(SPENT + (1.0 - SPENT) * done, "half of it");
            if !self.cut_at(&late, places, (best, &mut *quotes), &mut fastest)? {
                break;
            }
        }
        // Of many cuts, those beside the fastest, nearer and nearer.
        while stride > 1 {
            stride = stride.div_ceil(2);
            let Some(&(_, at)) = fastest.as_ref() else {
                break;
            };
            let near = [at.checked_sub(stride), at.checked_add(stride)];
            let near: Vec<usize> = near.into_iter().flatten().collect();
            self.cut_at(&late, &near, (best, &mut *quotes), &mut fastest)?;
        }
        Ok(fastest.map(|(found, at)| {
            let cut = late[at];
            let reason = self.half_the_degree(cut, &found, best);
            (found, cut, reason)
        }))
    }

    /// Compares the fastest circuit with those that are cut at some places of a list. Returns `false` where no parameters hold the
    /// network that is cut at one of them; they hold it no better when it is cut before.
    fn cut_at(
        &self,
        cuts: &[Cut],
        places: &[usize],
        (best, quotes): (&Candidate, &mut Quotes),
        fastest: &mut Option<(Candidate, usize)>,
    ) -> Result<bool, CompileError> {
        let (mut plans, mut holds) = (Vec::new(), true);
        for (&at, &cut) in places.iter().filter_map(|at| Some((at, cuts.get(*at)?))) {
            let attempt = Self {
                cut: Some(cut),
                ..*self
            };
            let Ok(priced) = attempt.priced() else {
                holds = false;
                break;
            };
            if let Some(plan) = attempt.layouts_of(best.plan, &priced, quotes)? {
                plans.push((at, attempt, plan));
            }
        }
        let found = plans.into_par_iter();
        let found =
            found.map(|(at, attempt, plan)| (at, attempt.candidate(&plan, best.plan.policy)));
        for (at, found) in found.collect::<Vec<_>>() {
            let Ok(found) = found? else {
                return Ok(false);
            };
            let found = Candidate {
                plan: best.plan,
                ..found
            };
            let known = fastest.take();
            let known = known.filter(|(known, _)| known.seconds <= found.seconds);
            *fastest = Some(known.unwrap_or((found, at)));
        }
        Ok(holds)
    }

    /// The remark on a circuit that goes on at half the degree.
    fn half_the_degree(&self, Cut(index): Cut, found: &Candidate, one: &Candidate) -> String {
        const SHOWN: usize = 120;
        let name = self.graph.source(index).map_or("", |s| &s.name);
        // A remark is a short line, a name may be anything.
        let name: String = name
            .chars()
            .flat_map(char::escape_debug)
            .take(SHOWN)
            .collect();
        let (half, seconds, before) = (self.log_n - 1, found.seconds, one.seconds);
        format!(
            "from `{name}` on the degree is 2^{half}: {seconds:.2} s predicted, {before:.2} s with one ring, both before keys are \
             chosen"
        )
    }

    /// The circuit for a plan and this attempt's cut; `None` where the tensor at the cut does not lie in two equal halves.
    pub(super) fn planned(
        &self,
        how: Plan,
        priced: &RingTable,
        quotes: &mut Quotes,
    ) -> Result<Option<Found>, CompileError> {
        let plan = self.layouts_of(how, priced, quotes)?;
        plan.map(|plan| self.candidate(&plan, how.policy))
            .transpose()
    }

    /// The layouts for a plan and this attempt's cut; `None` where the tensor at the cut does not lie in two equal halves.
    fn layouts_of(
        &self,
        how: Plan,
        priced: &RingTable,
        quotes: &mut Quotes,
    ) -> Result<Option<LayoutPlan>, CompileError> {
        let mut planning = match self.planning(priced, quotes) {
            Ok(planning) => planning,
            Err(LayoutPlanError::NoPlan { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let plan = match how.reluctance {
            Some(reluctance) => planning.worthwhile_levels(reluctance)?,
            None => None,
        };
        Ok(Some(match plan {
            Some(plan) => plan,
            None => planning.fewest_levels()?,
        }))
    }
}
