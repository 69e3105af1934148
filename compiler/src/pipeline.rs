//! The pipeline: from a tensor graph to a verified circuit.

use crate::cost::CostModel;
use crate::layout::{Cut, LayoutPlan, LayoutPlanError, Place, Planning, Quotes, cuts, depth};
use crate::manage::demand::{Demand, Need};
use crate::manage::parameters::{ParameterError, Planner};
use crate::manage::rescales::Policy;
use crate::manage::{ManageError, emit, settle};
use crate::optimisation::{Optimisation, Without};
use crate::passes::keys::{self, KeyChoice, KeyError, Settled};
use crate::passes::{PassError, run_all};
use crate::rewrite::{self, RewriteError, simplify_without};
use crate::slots::{LowerError, lower};
use crate::tensor::Graph;
use peregrine_ir::{Circuit, Remark, Ring, Security, Verified, VerifyErrors, verify};
use std::ops::RangeInclusive;

/// What the compiler may choose and what it must keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What the circuit is called.
    pub name: String,
    /// What its parameters must promise.
    pub security: Security,
    /// Bits after the point that the noise of every operation must leave, in the units in which the model has its values: where
    /// the compiler stores them smaller, operations get more.
    pub precision_bits: u32,
    /// log2 of the largest magnitude of any value, sign and margin included.
    pub headroom_bits: u32,
    /// Ring degrees to try, as logarithms; the smallest that holds the depth is taken.
    pub log_n: RangeInclusive<u32>,
    /// Most bytes that all evaluation keys may take together, in a file.
    pub key_budget: Option<u64>,
    /// What the machine that will run the circuit takes for what: layouts are chosen by it.
    pub cost: CostModel,
    /// What is left out, to see what it is good for.
    pub without: Without,
}

impl Config {
    /// 128-bit security; errors about 2^-12; outputs up to 2^9 in magnitude; the built-in cost model.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            security: Security::Classical128,
            precision_bits: 12,
            headroom_bits: 10,
            log_n: 11..=16,
            key_budget: None,
            cost: CostModel::default(),
            without: Without::new(),
        }
    }
}

/// What a compilation gives.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The program.
    pub circuit: Verified,
    /// The graph it computes, after rewriting: the reference for its results.
    pub graph: Graph,
    /// Which rewrites were applied.
    pub rewrites: rewrite::Report,
    /// What other budgets for evaluation keys would lead to; the chosen one is among them.
    pub key_choices: Vec<KeyChoice>,
}

/// Compiles a tensor graph. Deterministic: the same graph and configuration give the same circuit.
///
/// # Errors
/// When no ring degree in the configured range holds the depth of the network.
pub fn compile(graph: &Graph, config: &Config) -> Result<Compiled, CompileError> {
    let (graph, rewrites) = simplify_without(graph, &config.without)?;
    let precision_bits = config.precision_bits.saturating_add(rewrites.noise_bits());
    let Settled {
        mut circuit,
        table: key_choices,
        ..
    } = settled(emitted(&graph, config, precision_bits)?, config)?;
    circuit.remarks.extend(left_out(&config.without));
    for (port, output) in circuit.outputs.iter_mut().zip(&graph.outputs) {
        port.finish.clone_from(&output.finish);
    }
    Ok(Compiled {
        circuit: verify(circuit)?,
        graph,
        rewrites,
        key_choices,
    })
}

/// Circuits before circuit passes that are worth having their keys chosen.
struct Emitted {
    /// The fastest with one ring.
    one: Circuit,
    /// The fastest that goes on at half the degree, if any is secure, and what is said of it.
    half: Option<(Circuit, String)>,
}

/// The faster circuit once keys are chosen, and of two that are as fast that with one ring; where only one of them fits the
/// budget for keys, that one.
fn settled(Emitted { one, half }: Emitted, config: &Config) -> Result<Settled, KeyError> {
    let settle = |circuit| keys::settle(circuit, &config.cost, config.key_budget, &config.without);
    let one = settle(one);
    let Some((half, reason)) = half else {
        return one;
    };
    match (one, settle(half)) {
        (Ok(one), Ok(half)) => Ok(faster(one, (half, reason))),
        (Err(KeyError::Budget { .. }), Ok(half)) => Ok(remarked(half, reason)),
        (one, Err(KeyError::Budget { .. })) => one,
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// The faster of two circuits, which says what half the degree led to.
fn faster(one: Settled, (half, reason): (Settled, String)) -> Settled {
    match one.shared_seconds() <= half.shared_seconds() {
        true => {
            let seconds = half.chosen.seconds;
            let reason = format!("not taken, because with keys it takes {seconds:.2} s: {reason}");
            remarked(one, reason)
        }
        false => remarked(half, reason),
    }
}

/// A circuit that says this first.
fn remarked(mut settled: Settled, text: String) -> Settled {
    let remark = Remark { node: None, text };
    settled.circuit.remarks.insert(0, remark);
    settled
}

/// What a circuit says of optimisations that it was made without.
fn left_out(without: &Without) -> Option<Remark> {
    let names: Vec<&str> = without.iter().map(|o| o.name()).collect();
    let text = format!("made without {}", names.join(", "));
    (!names.is_empty()).then_some(Remark { node: None, text })
}

/// How reluctantly levels are spent on conversions. What they cost is an estimate, so several answers are compared.
const RELUCTANCE: [f64; 5] = [0.5, 0.7, 1.0, 2.0, 4.0];

/// The fastest circuits at the smallest ring degree whose modulus holds the depth, with so many bits after the point of every
/// operation.
fn emitted(graph: &Graph, config: &Config, precision_bits: u32) -> Result<Emitted, CompileError> {
    let planner = Planner {
        security: config.security,
        precision_bits,
        headroom_bits: config.headroom_bits,
        cost: &config.cost,
        without: &config.without,
    };
    let mut known = Demand::default();
    let mut refused = None;
    for log_n in config.log_n.clone() {
        // The demand hardly depends on the degree: a ring too small for an earlier lowering needs no new one.
        let least = match planner.ring(log_n, &known) {
            Ok(ring) => ring,
            Err(error) => {
                refused = Some(error);
                continue;
            }
        };
        let attempt = Attempt {
            graph,
            config,
            planner: &planner,
            log_n,
            cut: None,
        };
        let priced = attempt.priced().unwrap_or(least);
        let mut quotes = Quotes::default();
        let mut planning = attempt.planning(&priced, &mut quotes)?;
        let plan = planning.fewest_levels()?;
        match attempt.fastest(&plan)? {
            Ok(fewest) => {
                let best = attempt.with_more_levels(&mut planning, fewest)?;
                let half = attempt.switched(&best, &mut quotes)?;
                let one = best.circuit;
                return Ok(Emitted { one, half });
            }
            Err((demand, error)) => (known, refused) = (demand, Some(error)),
        }
    }
    Err(refused.map_or(CompileError::NoDegree, CompileError::Parameters))
}

/// The places at which half the degree is tried before those beside the fastest are.
const MAX_CUTS: usize = 24;

/// Instructions of all circuits, about, that are made to find the place; and the places that are tried nevertheless.
const CUT_INSTRUCTIONS: usize = 2_000_000;
const LEAST_CUTS: usize = 6;

/// Compiling at one ring degree, or from one to another.
#[derive(Clone, Copy)]
struct Attempt<'a> {
    graph: &'a Graph,
    config: &'a Config,
    planner: &'a Planner<'a>,
    log_n: u32,
    /// After which node the degree is half of that.
    cut: Option<Cut>,
}

/// A circuit before its passes, and what it is predicted to take after them.
struct Candidate {
    circuit: Circuit,
    seconds: f64,
    policy: Policy,
    /// How reluctantly levels were spent on conversions, if any were.
    reluctance: Option<f64>,
}

/// A circuit, or what it would have demanded and why no modulus holds that.
type Found = Result<Candidate, (Demand, ParameterError)>;

/// Of two refusals the one that misses fewer bits, the first one where there is nothing to compare.
fn nearer(a: (Demand, ParameterError), b: (Demand, ParameterError)) -> (Demand, ParameterError) {
    match (a.1.missing_bits(), b.1.missing_bits()) {
        (Some(missing), Some(others)) if others < missing => b,
        _ => a,
    }
}

impl Candidate {
    /// The faster of two, the first one between equals.
    fn faster(self, other: Self) -> Self {
        match self.seconds <= other.seconds {
            true => self,
            false => other,
        }
    }
}

impl<'a> Attempt<'a> {
    /// A ring for what is expected of the network before anyone knows its layouts: what layouts are priced in.
    fn priced(&self) -> Result<Ring, ParameterError> {
        // A linear operator on products that were not rescaled is what most levels hold.
        let need = Need::LINEAR.of_product();
        let expected = Demand::uniform(depth::expected(self.graph), need);
        let expected = match self.cut {
            Some(cut) => expected.switched_after(depth::before(self.graph, cut)),
            None => expected,
        };
        self.planner.ring(self.log_n, &expected)
    }

    fn planning<'q>(
        &self,
        priced: &Ring,
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

    /// The fastest circuit of a plan, or what it demands and why no modulus holds that.
    fn fastest(&self, plan: &LayoutPlan) -> Result<Found, CompileError> {
        let eager = self.candidate(plan, Policy::Eager)?;
        if self.config.without.contains(&Optimisation::TowerReuse) {
            return Ok(eager);
        }
        Ok(match (self.candidate(plan, Policy::Lazy)?, eager) {
            (Ok(lazy), Ok(eager)) => Ok(lazy.faster(eager)),
            (Ok(found), Err(_)) | (_, Ok(found)) => Ok(found),
            (Err(lazy), Err(eager)) => Err(nearer(lazy, eager)),
        })
    }

    fn candidate(&self, plan: &LayoutPlan, policy: Policy) -> Result<Found, CompileError> {
        let settled = settle(lower(self.graph, plan)?, policy)?;
        let ring = match self.planner.ring(self.log_n, &settled.demand) {
            Ok(ring) => ring,
            Err(error) => return Ok(Err((settled.demand, error))),
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
            policy,
            reluctance: None,
        }))
    }

    /// The fastest of a circuit that spends no level on conversions, and some that do.
    fn with_more_levels(
        &self,
        planning: &mut Planning<'_>,
        fewest: Candidate,
    ) -> Result<Candidate, CompileError> {
        let without = fewest.seconds;
        let mut best = fewest;
        let mut known: Vec<LayoutPlan> = Vec::new();
        for reluctance in RELUCTANCE {
            let Some(plan) = planning.worthwhile_levels(reluctance)? else {
                break;
            };
            if known.iter().any(|known| known.chooses_as(&plan)) {
                continue;
            }
            known.push(plan.clone());
            if let Ok(found) = self.fastest(&plan)? {
                let reluctance = Some(reluctance);
                best = best.faster(Candidate {
                    reluctance,
                    ..found
                });
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

    /// The fastest circuit that goes on at half the degree after some node, planned as the best one that does not, and what is
    /// said of it; none where none is secure. The later the node the more secure.
    fn switched(
        &self,
        best: &Candidate,
        quotes: &mut Quotes,
    ) -> Result<Option<(Circuit, String)>, CompileError> {
        if self.config.without.contains(&Optimisation::RingSwitching)
            || self.log_n == *Ring::LOG_N.start()
        {
            return Ok(None);
        }
        let mut late: Vec<Cut> = cuts(self.graph);
        late.reverse();
        let mut fastest: Option<(Candidate, usize)> = None;
        let affordable = (CUT_INSTRUCTIONS / best.circuit.values.len().max(1)).max(LEAST_CUTS);
        let mut stride = late.len().div_ceil(affordable.min(MAX_CUTS)).max(1);
        for at in (0..late.len()).step_by(stride) {
            if !self.cut_at(&late, at, (best, &mut *quotes), &mut fastest)? {
                break;
            }
        }
        // Of many cuts, those beside the fastest, nearer and nearer.
        while stride > 1 {
            stride = stride.div_ceil(2);
            let Some(&(_, at)) = fastest.as_ref() else {
                break;
            };
            for near in [at.checked_sub(stride), at.checked_add(stride)] {
                if let Some(near) = near {
                    self.cut_at(&late, near, (best, &mut *quotes), &mut fastest)?;
                }
            }
        }
        Ok(fastest.and_then(|(found, at)| {
            let reason = self.half_the_degree(*late.get(at)?, &found, best);
            Some((found.circuit, reason))
        }))
    }

    /// Compares the fastest circuit with the one that is cut at a place of a list; says whether one of less modulus may be secure.
    fn cut_at(
        &self,
        cuts: &[Cut],
        at: usize,
        (best, quotes): (&Candidate, &mut Quotes),
        fastest: &mut Option<(Candidate, usize)>,
    ) -> Result<bool, CompileError> {
        let Some(&cut) = cuts.get(at) else {
            return Ok(true);
        };
        let attempt = Self {
            cut: Some(cut),
            ..*self
        };
        let Ok(priced) = attempt.priced() else {
            return Ok(false);
        };
        match attempt.like(best, &priced, quotes)? {
            Some(Ok(found)) => {
                let known = fastest.take();
                let known = known.filter(|(known, _)| known.seconds <= found.seconds);
                *fastest = Some(known.unwrap_or((found, at)));
            }
            Some(Err(_)) => return Ok(false),
            None => {}
        }
        Ok(true)
    }

    /// What is said of going on at half the degree.
    fn half_the_degree(&self, Cut(index): Cut, found: &Candidate, one: &Candidate) -> String {
        const SHOWN: usize = 120;
        let source = self.graph.node(index).source.0 as usize;
        let name = self.graph.sources.get(source).map_or("", |s| &s.name);
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

    /// A circuit planned as another was; none where no tensor lies in two equal halves at the cut.
    fn like(
        &self,
        other: &Candidate,
        priced: &Ring,
        quotes: &mut Quotes,
    ) -> Result<Option<Found>, CompileError> {
        let mut planning = match self.planning(priced, quotes) {
            Ok(planning) => planning,
            Err(LayoutPlanError::NoPlan) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let plan = match other.reluctance {
            Some(reluctance) => planning.worthwhile_levels(reluctance)?,
            None => None,
        };
        let plan = match plan {
            Some(plan) => plan,
            None => planning.fewest_levels()?,
        };
        self.candidate(&plan, other.policy).map(Some)
    }
}

/// Why a graph does not compile.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// A rewrite failed.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// No layout.
    #[error(transparent)]
    Layout(#[from] LayoutPlanError),
    /// Lowering failed.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// Management failed.
    #[error(transparent)]
    Manage(#[from] ManageError),
    /// No ring degree in range holds the depth.
    #[error("{0}; use a shallower network, fewer precision bits, or a larger ring")]
    Parameters(ParameterError),
    /// The range of ring degrees is empty.
    #[error("the range of ring degrees to try is empty")]
    NoDegree,
    /// Keys that do not fit their budget.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A circuit pass failed.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// The result does not verify: a defect of the compiler.
    #[error("internal error: the compiled circuit does not verify\n{0}")]
    Verify(#[from] VerifyErrors),
}
