//! The pipeline: from a tensor graph to a verified circuit.

mod attempt;
mod defect;
mod error;
mod like;

pub use defect::contained;
pub use error::CompileError;

use crate::layout::{Cut, Quotes};
use crate::magnitude;
use crate::manage::demand::Demand;
use crate::manage::like::Like;
use crate::manage::parameters::{ParameterError, Planner};
use crate::manage::rescales::Policy;
use crate::optimisation::Without;
use crate::passes::keys::{self, Having, KeyBudget, KeyChoice, KeyError, Settled};
use crate::rewrite::{self, RewriteError, simplify_without};
use crate::tensor::Graph;
use attempt::Attempt;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Circuit, Remark, RingTable, Security, Verified, VerifyErrors, verify};
use std::collections::BTreeMap;
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
    pub key_budget: KeyBudget,
    /// What the machine that will run the circuit takes for what: layouts are chosen by it.
    pub cost: CostModel,
    /// What is left out, to see what it is good for.
    pub without: Without,
    /// A circuit whose keys are to serve this one, too: its rings, primes and levels are used, and of rotations those it has keys
    /// for cost none. The range of ring degrees is then of no concern.
    pub like: Option<Like>,
}

impl Config {
    /// 128-bit security; errors about 2^-12; outputs up to 2^9 in magnitude; keys without limit; the built-in cost model.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            security: Security::Classical128,
            precision_bits: 12,
            headroom_bits: 10,
            log_n: 11..=17,
            key_budget: KeyBudget::Unlimited,
            cost: CostModel::default(),
            without: Without::new(),
            like: None,
        }
    }

    /// The ring degrees to try.
    fn degrees(&self) -> RangeInclusive<u32> {
        match &self.like {
            Some(like) => like.log_n()..=like.log_n(),
            None => self.log_n.clone(),
        }
    }

    fn having(&self) -> Having<'_> {
        Having {
            cost: &self.cost,
            without: &self.without,
            like: self.like.as_ref(),
        }
    }

    fn planner(&self) -> Planner<'_> {
        Planner {
            security: self.security,
            precision_bits: self.precision_bits,
            headroom_bits: self.headroom_bits,
            cost: &self.cost,
            without: &self.without,
            like: self.like.as_ref(),
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
/// When no ring degree in the configured range holds the depth of the network. A panic of the compiler is an error, too.
pub fn compile(graph: &Graph, config: &Config) -> Result<Compiled, CompileError> {
    contained(|| Session::new(graph, &config.without)?.compile(config, &|_, _| {}))
}

/// Told what share of the search at one ring degree is done, and what comes next.
pub type Watch<'w> = &'w (dyn Fn(f64, &str) + Sync);

/// A network that is compiled for one configuration after another: what does not depend on them is found once.
#[derive(Debug)]
pub struct Session<'g> {
    /// As it was given: what refusals speak of.
    model: &'g Graph,
    graph: Graph,
    rewrites: rewrite::Report,
    quotes: Quotes,
    /// What circuits demanded for which rings of these degrees were too small.
    demanded: BTreeMap<u32, Demand>,
}

impl<'g> Session<'g> {
    /// Simplifies a graph with all but these optimisations.
    ///
    /// # Errors
    /// When the graph is not well formed.
    pub fn new(model: &'g Graph, without: &Without) -> Result<Self, RewriteError> {
        let (graph, rewrites) = simplify_without(model, without)?;
        Ok(Self {
            model,
            graph,
            rewrites,
            quotes: Quotes::default(),
            demanded: BTreeMap::new(),
        })
    }

    /// The graph after rewriting.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Compiles the network. The configuration leaves out what was left out of the session.
    ///
    /// # Errors
    /// As for [`compile`].
    pub fn compile(&mut self, config: &Config, watch: Watch<'_>) -> Result<Compiled, CompileError> {
        magnitude::check(self.model)?;
        let settled = match &config.like {
            Some(like) => self.settled_like(like, config, watch)?,
            None => {
                let emitted = self.emitted(config, watch)?;
                watch(1.0, "choosing keys");
                settled(emitted, config)?
            }
        };
        let Settled {
            mut circuit,
            table: key_choices,
            ..
        } = settled;
        circuit.remarks.extend(left_out(&config.without));
        let like = config.like.as_ref().map(|like| like.remark(&circuit));
        circuit.remarks.extend(like);
        for (port, output) in circuit.outputs.iter_mut().zip(&self.graph.outputs) {
            port.finish.clone_from(&output.finish);
        }
        for port in &mut circuit.inputs {
            port.prepare = self.graph.prepare.get(&port.name).cloned();
        }
        Ok(Compiled {
            circuit: verify(circuit).map_err(|errors| refusal(self.model, errors))?,
            graph: self.graph.clone(),
            rewrites: self.rewrites.clone(),
            key_choices,
        })
    }

    /// Refuses what no ring of the configuration can hold, in the time that it takes to look at every node.
    ///
    /// # Errors
    /// Says what is missing at the largest ring.
    pub fn possible(&self, config: &Config) -> Result<(), CompileError> {
        let planner = self.planner(config);
        let mut refused = None;
        for log_n in config.degrees() {
            match planner.possible(&self.graph, log_n) {
                Ok(()) => return Ok(()),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.map_or(CompileError::NoDegree, CompileError::Parameters))
    }

    /// Whether a configuration has parameters at a degree, as far as is known: by what a circuit demanded that did not fit, or
    /// else by what no circuit can do without.
    pub(crate) fn fits(&self, config: &Config, log_n: u32) -> Result<(), ParameterError> {
        let planner = self.planner(config);
        planner.possible(&self.graph, log_n)?;
        match self.demanded.values().next_back() {
            Some(demand) => planner.ring(log_n, demand).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Finds parameters that also make up for the bits that the simplified graph loses.
    fn planner<'c>(&self, config: &'c Config) -> Planner<'c> {
        let planner = config.planner();
        let bits = planner.precision_bits;
        Planner {
            precision_bits: bits.saturating_add(self.rewrites.noise_bits()),
            ..planner
        }
    }

    /// Whether any circuit was made whose demands are known.
    pub(crate) fn is_tried(&self) -> bool {
        !self.demanded.is_empty()
    }
}

/// What does not verify is a defect of the compiler, unless all that is wrong is a number of the model.
fn refusal(model: &Graph, errors: VerifyErrors) -> CompileError {
    match magnitude::explain(model, &errors) {
        Some(error) => CompileError::Magnitude(error),
        None => CompileError::Verify(errors),
    }
}

/// Circuits before circuit passes that are worth having their keys chosen.
struct Emitted {
    /// The fastest with one ring, and its predicted seconds with a key for each rotation.
    one: (Circuit, f64),
    /// The fastest that goes on at half the degree, if any is secure, and what is said of it.
    half: Option<(Circuit, String)>,
    /// How they came about.
    plans: Plans,
}

/// How a circuit is planned.
#[derive(Clone, Copy, Debug)]
struct Plan {
    policy: Policy,
    /// How reluctantly levels were spent on conversions, if any were.
    reluctance: Option<f64>,
}

/// How the circuits of [`Emitted`] were planned.
#[derive(Clone, Copy, Debug)]
struct Plans {
    one: Plan,
    half: Option<(Plan, Cut)>,
}

/// The faster circuit once keys are chosen, and of two that are as fast that with one ring; where only one of them fits the
/// budget for keys, that one.
fn settled(emitted: Emitted, config: &Config) -> Result<Settled, KeyError> {
    let Emitted { one, half, .. } = emitted;
    let settle = |circuit| keys::settle(circuit, config.having(), config.key_budget);
    let (one, seconds) = one;
    let Some((half, reason)) = half else {
        return settle(one);
    };
    let half = match settle(half) {
        // Fewer keys make no run faster.
        Ok(half) if half.shared_seconds() < seconds => return Ok(remarked(half, reason)),
        half => half,
    };
    match (settle(one), half) {
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

impl Session<'_> {
    /// The fastest circuits at the smallest ring degree whose modulus holds the depth.
    fn emitted(&mut self, config: &Config, watch: Watch<'_>) -> Result<Emitted, CompileError> {
        let planner = self.planner(config);
        let mut refused = None;
        for log_n in config.degrees() {
            let least = match self.promising(&planner, log_n) {
                Ok(ring) => ring,
                Err(error) => {
                    refused = Some(error);
                    continue;
                }
            };
            let attempt = Attempt {
                graph: &self.graph,
                config,
                planner: &planner,
                log_n,
                cut: None,
                watch,
            };
            attempt.begin(0.0, "layouts");
            let priced = attempt.priced().unwrap_or(least);
            let mut planning = attempt.planning(&priced, &mut self.quotes)?;
            let plan = planning.fewest_levels()?;
            match attempt.fastest(&plan)? {
                Ok(fewest) => {
                    let best = attempt.with_more_levels(&mut planning, fewest)?;
                    let half = attempt.switched(&best, &mut self.quotes)?;
                    let plans = Plans {
                        one: best.plan,
                        half: half.as_ref().map(|(found, cut, _)| (found.plan, *cut)),
                    };
                    let half = half.map(|(found, _, reason)| (found.circuit, reason));
                    let one = (best.circuit, best.seconds);
                    return Ok(Emitted { one, half, plans });
                }
                Err((demand, error)) => {
                    self.demanded.insert(log_n, demand);
                    refused = Some(error);
                }
            }
        }
        Err(refused.map_or(CompileError::NoDegree, CompileError::Parameters))
    }

    /// A ring for what is known of the network at a degree, before its layouts there. The demand hardly depends on the degree: a
    /// ring too small for an earlier lowering needs no new one.
    fn promising(&self, planner: &Planner<'_>, log_n: u32) -> Result<RingTable, ParameterError> {
        planner.possible(&self.graph, log_n)?;
        let known = self.demanded.range(..=log_n).next_back();
        let known = known.map(|(_, demand)| demand.clone());
        planner.ring(log_n, &known.unwrap_or_default())
    }
}
