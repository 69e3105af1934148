//! The pipeline: from a tensor graph to a verified circuit.

mod attempt;
mod defect;
mod error;
mod like;
mod offers;
mod refreshed;

pub use defect::contained;
pub use error::CompileError;

use crate::layout::{Cut, Quotes};
use crate::magnitude;
use crate::manage::demand::Demand;
use crate::manage::like::Like;
use crate::manage::parameters::{ParameterError, Planner};
use crate::manage::rescales::Policy;
use crate::optimisation::{Optimisation, Without};
use crate::passes::keys::{Having, KeyBudget, KeyChoice, KeyedCircuit};
use crate::placement::RefreshReport;
use crate::refresh::choices::WEIGHT;
use crate::rewrite::{self, RewriteError, simplify_without};
use crate::tensor::Graph;
use attempt::Attempt;
use offers::{Offer, Taken, Way, with_keys};
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Remark, RingTable, Security, Verified, VerifyErrors, verify};
use refreshed::Unrefreshed;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Bits of a modulus, special primes included, of which a refresh leaves something for a network.
const LEAST_REFRESHED_BITS: u32 = 1000;

/// The configuration of a compilation: what the compiler must keep, and what it may choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The name of the circuit.
    pub name: String,
    /// The security that the parameters must promise.
    pub security: Security,
    /// The longest modulus where no security is promised, special primes included; none where it may have any length. With toy
    /// rings it makes networks as deep as with real ones.
    pub modulus_bits: Option<u32>,
    /// Bits after the point that the noise of every operation must leave, in the units of the model's values: where the compiler
    /// stores values scaled down, operations get more.
    pub precision_bits: u32,
    /// Bits by which refreshes are finer than those that leave 13 bits of a value's bound in the worst value: see
    /// [`Choices::finer`](crate::refresh::choices::Choices::finer).
    pub refresh_bits: u32,
    /// log2 of the largest magnitude of any value, plus a bit for the sign and the margin.
    pub headroom_bits: u32,
    /// log2 of the ring degrees to try; the smallest that holds the network is taken.
    pub log_n: RangeInclusive<u32>,
    /// The budget for all evaluation keys together.
    pub key_budget: KeyBudget,
    /// The cost model of the machine that will run the circuit, by which the compiler chooses.
    pub cost: CostModel,
    /// Optimisations that are left out, to see what they buy.
    pub without: Without,
    /// The magnitude that the values of each node of the rewritten graph stay below, in node order; none where nothing bounds them.
    /// Values are refreshed only where they have a bound.
    pub bounds: Vec<Option<f64>>,
    /// A circuit whose keys are to serve this one, too: its rings, primes and levels are used, and rotations for which it has
    /// keys need no new ones. The range of ring degrees then does not matter.
    pub like: Option<Like>,
}

impl Config {
    /// A configuration with a name: 128-bit security, errors of about 2^-12, outputs up to 2^9 in magnitude, no limit to keys, and
    /// the built-in cost model.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            security: Security::Classical128,
            modulus_bits: None,
            precision_bits: 12,
            refresh_bits: 0,
            headroom_bits: 10,
            log_n: 11..=17,
            key_budget: KeyBudget::Unlimited,
            cost: CostModel::default(),
            without: Without::new(),
            bounds: Vec::new(),
            like: None,
        }
    }

    /// Whether values may be refreshed in rings of a degree.
    fn may_refresh(&self, log_n: u32) -> bool {
        let modulus = match self.security {
            Security::None => self.modulus_bits,
            Security::Classical128 => Security::max_modulus_bits(log_n),
        };
        let raises = match self.security {
            Security::None => true,
            Security::Classical128 => Security::max_sparse_bits(log_n, WEIGHT).is_some(),
        };
        raises
            && modulus.is_some_and(|bits| bits >= LEAST_REFRESHED_BITS)
            && self.like.is_none()
            && !self.without.contains(&Optimisation::Bootstrapping)
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
            modulus_bits: self.modulus_bits,
            precision_bits: self.precision_bits,
            refresh_bits: self.refresh_bits,
            headroom_bits: self.headroom_bits,
            cost: &self.cost,
            without: &self.without,
            like: self.like.as_ref(),
        }
    }
}

/// The result of a compilation: a verified circuit, and what the compiler did.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The circuit.
    pub circuit: Verified,
    /// The rewritten graph that the circuit computes, which is the reference for its results.
    pub graph: Graph,
    /// The rewrites that were applied.
    pub rewrites: rewrite::Report,
    /// The keys that several budgets would lead to, with the chosen one.
    pub key_choices: Vec<KeyChoice>,
    /// The refreshes of the circuit, if it has any.
    pub refreshes: Option<RefreshReport>,
}

/// Compiles a tensor graph into a verified circuit. The compilation is deterministic: equal graphs and configurations give equal
/// circuits.
///
/// # Errors
/// When no ring degree in the configured range holds the network. A panic of the compiler is an error, too.
pub fn compile(graph: &Graph, config: &Config) -> Result<Compiled, CompileError> {
    contained(|| Session::new(graph, &config.without)?.compile(config, &|_, _| {}))
}

/// An observer of a compilation: it is called with the share of the search at one ring degree that is done, and with what comes
/// next.
pub type Watch<'w> = &'w (dyn Fn(f64, &str) + Sync);

/// A network that is compiled for one configuration after another. What does not depend on the configuration is found once.
#[derive(Debug)]
pub struct Session<'g> {
    /// The network as it was given, whose nodes errors name.
    model: &'g Graph,
    graph: Graph,
    rewrites: rewrite::Report,
    quotes: Quotes,
    /// The demands of circuits, by log2 of the degree at which the rings were too small for them.
    demanded: BTreeMap<u32, Demand>,
    /// A configuration for which refreshes did not pay.
    unrefreshed: Option<Config>,
}

impl<'g> Session<'g> {
    /// Begins a session: rewrites a graph with all optimisations but those in `without`.
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
            unrefreshed: None,
        })
    }

    /// The graph after rewriting.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Compiles the network for a configuration, without the optimisations that the session leaves out.
    ///
    /// # Errors
    /// When [`compile`] has an error.
    pub fn compile(&mut self, config: &Config, watch: Watch<'_>) -> Result<Compiled, CompileError> {
        magnitude::check(self.model)?;
        let taken = match &config.like {
            Some(like) => Taken {
                keyed: self.keyed_like(like, config, watch)?,
                refreshes: None,
            },
            None => {
                let emitted = self.emitted(config, watch)?;
                watch(1.0, "choosing keys");
                let taken = with_keys(emitted.offers, config)?;
                if taken.refreshes.is_none() {
                    self.unrefreshed = Some(config.clone());
                }
                taken
            }
        };
        let Taken { keyed, refreshes } = taken;
        let KeyedCircuit {
            mut circuit,
            table: key_choices,
            ..
        } = keyed;
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
            refreshes,
        })
    }

    /// Refuses a network that no ring of the configuration can hold, in the time that it takes to look at every node.
    ///
    /// # Errors
    /// The error says which bits are missing at the largest degree.
    pub fn possible(&self, config: &Config) -> Result<(), CompileError> {
        let planner = self.planner(config);
        let mut refused = None;
        for log_n in config.degrees() {
            match planner.possible(&self.graph, log_n) {
                Err(_) if config.may_refresh(log_n) => return Ok(()),
                Ok(()) => return Ok(()),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.map_or(CompileError::NoDegree, CompileError::Parameters))
    }

    /// Checks whether there are parameters for a configuration at a degree, as far as is known: by the demand of a circuit that
    /// did not fit, otherwise by the bits that every circuit needs.
    pub(crate) fn fits(&self, config: &Config, log_n: u32) -> Result<(), ParameterError> {
        let planner = self.planner(config);
        planner.possible(&self.graph, log_n)?;
        match self.demanded.values().next_back() {
            Some(demand) => planner.ring(log_n, demand).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The planner for a configuration, whose precision makes up for the bits that the rewritten graph loses.
    fn planner<'c>(&self, config: &'c Config) -> Planner<'c> {
        let planner = config.planner();
        let bits = planner.precision_bits;
        Planner {
            precision_bits: bits.saturating_add(self.rewrites.noise_bits()),
            ..planner
        }
    }

    /// Whether a circuit was made whose demand is known.
    pub(crate) fn is_tried(&self) -> bool {
        !self.demanded.is_empty()
    }
}

/// The error for a circuit that does not verify: a defect of the compiler, unless all that is wrong are weights of the model.
fn refusal(model: &Graph, errors: VerifyErrors) -> CompileError {
    match magnitude::explain(model, &errors) {
        Some(error) => CompileError::Magnitude(error),
        None => CompileError::Verify(errors),
    }
}

/// The circuits of a network that may be the fastest.
struct Emitted {
    offers: Vec<Offer>,
    /// The plans of those that have no refreshes, each with the node after which the degree is half.
    plans: Vec<(Plan, Option<Cut>)>,
}

impl Emitted {
    /// Predicted seconds of the fastest circuit, with a key for each rotation.
    fn seconds(&self) -> f64 {
        let seconds = self.offers.iter().map(Offer::seconds);
        seconds.fold(f64::INFINITY, f64::min)
    }
}

/// The plan of a circuit.
#[derive(Clone, Copy, Debug)]
struct Plan {
    policy: Policy,
    /// The reluctance with which levels were spent on conversions, if any were.
    reluctance: Option<f64>,
}

/// The remark on optimisations that a circuit was made without.
fn left_out(without: &Without) -> Option<Remark> {
    let names: Vec<&str> = without.iter().map(|o| o.name()).collect();
    let text = format!("made without {}", names.join(", "));
    (!names.is_empty()).then_some(Remark { node: None, text })
}

impl Session<'_> {
    /// The fastest circuits at the smallest ring degree that holds the network, and the fastest one with refreshes.
    fn emitted(&mut self, config: &Config, watch: Watch<'_>) -> Result<Emitted, CompileError> {
        let planner = self.planner(config);
        let (mut refused, mut unplaced) = (None, None);
        let mut refreshed: Option<Offer> = None;
        for log_n in config.degrees() {
            let leveled = self.leveled(log_n, (config, &planner), watch)?;
            let may_refresh = config.may_refresh(log_n) && !self.is_faster_unrefreshed(config);
            if refreshed.is_none() && may_refresh {
                let attempt = Attempt::new(&self.graph, (config, &planner), log_n, watch);
                let known = leveled.as_ref().map_or(f64::INFINITY, Emitted::seconds);
                match attempt.refreshed(&mut self.quotes, known)? {
                    Ok(found) => refreshed = Some(found),
                    Err(Unrefreshed::Placement(error)) => unplaced = Some(error),
                    Err(Unrefreshed::Slow | Unrefreshed::Room) => {}
                }
            }
            match leveled {
                Ok(mut leveled) => {
                    leveled.offers.extend(refreshed);
                    return Ok(leveled);
                }
                Err(error) => refused = Some(error),
            }
        }
        match (refreshed, refused, unplaced) {
            (Some(found), ..) => Ok(Emitted {
                offers: vec![found],
                plans: Vec::new(),
            }),
            (None, Some(source), Some(refused)) => Err(CompileError::Placement {
                source: Box::new(source),
                refused: Box::new(refused),
            }),
            (None, Some(source), None) => Err(CompileError::Parameters(source)),
            (None, None, _) => Err(CompileError::NoDegree),
        }
    }

    /// Whether refreshes did not pay for the same configuration with as many bits of precision or more: with fewer bits the modulus
    /// is shorter, so a circuit without refreshes gains more than one with.
    fn is_faster_unrefreshed(&self, config: &Config) -> bool {
        let known = self.unrefreshed.as_ref();
        known.is_some_and(|known| {
            let precision_bits = known.precision_bits;
            config.precision_bits <= precision_bits
                && *known
                    == Config {
                        precision_bits,
                        ..config.clone()
                    }
        })
    }

    /// The fastest circuits without refreshes at a ring degree; or why there are none.
    fn leveled(
        &mut self,
        log_n: u32,
        (config, planner): (&Config, &Planner<'_>),
        watch: Watch<'_>,
    ) -> Result<Result<Emitted, ParameterError>, CompileError> {
        // What is known already may exclude the degree without a plan.
        let least = match self.promising(planner, log_n) {
            Ok(ring) => ring,
            Err(error) => return Ok(Err(error)),
        };
        let attempt = Attempt::new(&self.graph, (config, planner), log_n, watch);
        // The plan that spends no level decides whether the degree is large enough.
        attempt.begin(0.0, "layouts");
        let priced = attempt.priced().unwrap_or(least);
        let mut planning = attempt.planning(&priced, &mut self.quotes)?;
        let plan = planning.fewest_levels()?;
        let fewest = match attempt.fastest(&plan)? {
            Ok(fewest) => fewest,
            Err((demand, error)) => {
                self.demanded.insert(log_n, demand);
                return Ok(Err(error));
            }
        };
        // It is: levels may pay where they save work, and half the degree from some node on.
        let best = attempt.with_more_levels(&mut planning, fewest)?;
        let half = attempt.switched(&best, &mut self.quotes)?;
        let mut plans = vec![(best.plan, None)];
        let mut offers = vec![Offer::new(best, Way::OneRing)];
        if let Some((found, cut, reason)) = half {
            plans.insert(0, (found.plan, Some(cut)));
            offers.push(Offer::new(found, Way::HalfTheDegree(reason)));
        }
        Ok(Ok(Emitted { offers, plans }))
    }

    /// A table of rings for what is known of the network at a degree before its layouts there. The demand hardly depends on the
    /// degree: where a ring is too small for an earlier circuit, no new one is made.
    fn promising(&self, planner: &Planner<'_>, log_n: u32) -> Result<RingTable, ParameterError> {
        planner.possible(&self.graph, log_n)?;
        let known = self.demanded.range(..=log_n).next_back();
        let known = known.map(|(_, demand)| demand.clone());
        planner.ring(log_n, &known.unwrap_or_default())
    }
}
