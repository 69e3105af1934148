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
    /// Bits after the point that the noise of every operation must leave.
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
    let Settled {
        mut circuit,
        table: key_choices,
        ..
    } = fastest(emitted(&graph, config)?, config)?;
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

/// The fastest of these circuits once their keys are chosen; the first one between equals.
fn fastest(emitted: Vec<Circuit>, config: &Config) -> Result<Settled, KeyError> {
    let settle = |circuit| keys::settle(circuit, &config.cost, config.key_budget, &config.without);
    let mut best: Option<Result<Settled, KeyError>> = None;
    for found in emitted.into_iter().map(settle) {
        best = Some(match (best, found) {
            (None, found) => found,
            (Some(Ok(known)), Ok(found)) => Ok(faster(known, found)),
            (Some(Err(_)), found @ Ok(_)) => found,
            (Some(known), Err(_)) => known,
        });
    }
    best.unwrap_or(Err(KeyError::NoCircuit))
}

/// The faster of two circuits with their keys, the first one between equals; it says if half the degree was the slower one.
fn faster(one: Settled, other: Settled) -> Settled {
    let (mut best, slower) = match one.shared_seconds() <= other.shared_seconds() {
        true => (one, other),
        false => (other, one),
    };
    let reason = slower.circuit.remarks.first();
    if let Some(reason) = reason.filter(|_| slower.circuit.ring.small.is_some()) {
        let text = format!(
            "not taken, because with keys it takes {:.2} s: {}",
            slower.chosen.seconds, reason.text
        );
        best.circuit.remarks.push(Remark { node: None, text });
    }
    best
}

/// What a circuit says of optimisations that it was made without.
fn left_out(without: &Without) -> Option<Remark> {
    let names: Vec<&str> = without.iter().map(|o| o.name()).collect();
    let text = format!("made without {}", names.join(", "));
    (!names.is_empty()).then_some(Remark { node: None, text })
}

/// How reluctantly levels are spent on conversions. What they cost is an estimate, so several answers are compared.
const RELUCTANCE: [f64; 5] = [0.5, 0.7, 1.0, 2.0, 4.0];

/// The circuits, before circuit passes, that are worth a closer look: the fastest at the smallest ring degree whose modulus holds
/// the depth, and one that goes on at half that degree, where there is a fast one.
fn emitted(graph: &Graph, config: &Config) -> Result<Vec<Circuit>, CompileError> {
    let planner = Planner {
        security: config.security,
        precision_bits: config.precision_bits,
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
                let switched = attempt.switched(&best, &mut quotes)?;
                let circuits = std::iter::once(best).chain(switched);
                return Ok(circuits.map(|candidate| candidate.circuit).collect());
            }
            Err((demand, error)) => (known, refused) = (demand, Some(error)),
        }
    }
    Err(refused.map_or(CompileError::NoDegree, CompileError::Parameters))
}

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

    /// Says first why it was chosen.
    fn explained(mut self, text: String) -> Self {
        self.circuit.remarks.insert(0, Remark { node: None, text });
        self
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
        for reluctance in RELUCTANCE {
            let Some(plan) = planning.worthwhile_levels(reluctance)? else {
                break;
            };
            if let Ok(found) = self.fastest(&plan)? {
                let reluctance = Some(reluctance);
                best = best.faster(Candidate {
                    reluctance,
                    ..found
                });
            }
        }
        let seconds = best.seconds;
        Ok(best.explained(match seconds < without {
            true => format!(
                "levels or longer primes are spent on turning copies: {seconds:.2} s predicted, {without:.2} s without"
            ),
            false => format!("no level is spent on turning copies: {without:.2} s predicted"),
        }))
    }

    /// The fastest circuit that goes on at half the degree after some node, planned as the best one that does not; none where
    /// none is secure. The later the node the more secure.
    fn switched(
        &self,
        best: &Candidate,
        quotes: &mut Quotes,
    ) -> Result<Option<Candidate>, CompileError> {
        if self.config.without.contains(&Optimisation::RingSwitching)
            || self.log_n == *Ring::LOG_N.start()
        {
            return Ok(None);
        }
        let mut fastest: Option<Candidate> = None;
        for cut in cuts(self.graph).into_iter().rev() {
            let cut = Some(cut);
            let attempt = Self { cut, ..*self };
            let Ok(priced) = attempt.priced() else {
                break;
            };
            match attempt.like(best, &priced, quotes)? {
                Some(Ok(found)) => {
                    fastest = Some(match fastest {
                        Some(known) => known.faster(found),
                        None => found,
                    });
                }
                Some(Err(_)) => break,
                None => {}
            }
        }
        Ok(fastest)
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
        let found = self.candidate(&plan, other.policy)?;
        Ok(Some(found.map(|found| {
            let node = self.cut.map(|Cut(index)| self.graph.node(index).source.0);
            let name = node.and_then(|source| self.graph.sources.get(source as usize));
            let name = name.map_or("", |source| source.name.as_str());
            let (half, seconds, before) = (self.log_n - 1, found.seconds, other.seconds);
            found.explained(format!(
                "from `{name}` on the degree is 2^{half}: {seconds:.2} s predicted, {before:.2} s with one ring, both before keys \
                 are chosen"
            ))
        })))
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
