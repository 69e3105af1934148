//! From a model and what was asked for to a circuit, what is known of its values, the precision that is predicted, and the
//! choices that were made on the way.

use super::chosen::Chosen;
use super::error::CompileError;
use super::expectations;
use super::precision::{Goal, PrecisionReport};
use super::report::CompileReport;
use crate::calibrate::KnownRanges;
use crate::model::Model;
use crate::options::CompileOptions;
use crate::predicted::PredictedRun;
use crate::summary::CircuitSummary;
use crate::verdict::DrownedNode;
use crate::watch::Watcher;
use peregrine_compiler::ablation::ablate;
use peregrine_compiler::advice::WaysOut;
use peregrine_compiler::manage::like::Like;
use peregrine_compiler::manage::possible::macs;
use peregrine_compiler::pipeline::{self, Config, Session, contained};
use peregrine_compiler::precision::LEAST_BITS;
use peregrine_compiler::tensor::Graph;
use peregrine_ir::cost::CostModel;
use peregrine_ir::stats::Stats;
use peregrine_ir::{Circuit, Interface, Origin, Verified};
use peregrine_runtime::simulate::Prediction;

/// Networks with more multiplications are simulated on request only: it takes longer than to compile them.
const MOST_SIMULATED: u64 = 300_000_000;

/// What compiling a model gives.
///
/// The circuit is the server's. The interface is the client's: parameters, packings and the list of keys, no weights.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The circuit, for the server.
    pub circuit: Verified,
    /// The client interface of the circuit.
    pub interface: Interface,
    /// The choices that were made, and what they lead to.
    pub report: CompileReport,
    /// The graph that the circuit computes, after rewriting.
    pub graph: Graph,
    /// Nodes whose values drown in noise on samples that were given; nothing is said of inputs that were drawn.
    pub drowned: Vec<DrownedNode>,
}

/// Compiles a model to a circuit for encrypted inputs.
///
/// Deterministic: the same model, options and profile give the same circuit. What takes long is simulating the noise of the
/// circuit, which is done only where it finds parameters: see [`CompileOptions::precision_bits`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use peregrine::{CompileOptions, Model, compile};
///
/// let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/digits.onnx"))?;
/// let options = CompileOptions {
///     precision_bits: Some(10),
///     ..CompileOptions::default()
/// };
/// let compiled = compile(&model, &options)?;
/// assert_eq!(compiled.interface.name(), "digits");
/// let precision = compiled.report.precision.unwrap();
/// assert!(precision.predicted_bits >= Some(10.0));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When options are none, samples are not those of the model, or no parameters have the room or the precision that it takes:
/// says what is missing, and which node asks for it where one does.
pub fn compile(model: &Model, options: &CompileOptions) -> Result<Compiled, CompileError> {
    compile_watched(model, options.clone(), &())
}

/// Compiles a model as [`compile()`] does, and tells a watcher how far it is. Samples are dropped once they are evaluated. Tasks are `evaluate samples`, `compile` and
/// `simulate`, each perhaps several times.
///
/// # Errors
/// As for [`compile()`].
pub fn compile_watched(
    model: &Model,
    options: CompileOptions,
    watcher: &dyn Watcher,
) -> Result<Compiled, CompileError> {
    options.check()?;
    let Some(threads) = options.threads else {
        return contained(|| made(model, options, watcher));
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get());
    let pool = pool.build();
    let pool = pool.map_err(|error| CompileError::Threads(error.to_string()))?;
    contained(|| pool.install(|| made(model, options, watcher)))
}

fn made(
    model: &Model,
    mut options: CompileOptions,
    watcher: &dyn Watcher,
) -> Result<Compiled, CompileError> {
    let graph = model.graph();
    let mut config = config(model, &options)?;
    let mut session = Session::new(graph, &config.without)?;
    refuse_hopeless(&session, &config, &options)?;
    let known = KnownRanges::new(model, session.graph(), &options, watcher)?;
    // They may be larger than the model.
    options.calibrate = Vec::new();
    known.settle(options.headroom_bits, &mut config)?;
    let making = Making {
        graph,
        options: &options,
        known: &known,
        watcher,
    };
    let made = making.circuit(&mut session, &mut config);
    let (mut compiled, precision, judged) =
        made.map_err(|error| explained(error, &known, (&session, &config)))?;
    let prediction = expectations::fill((graph, &mut compiled), judged, &known, watcher)?;
    let ablate = |circuit: &Circuit| ablate(graph, &config, circuit);
    let interface = Interface::of(&compiled.circuit);
    let predicted = PredictedRun::new(&config.cost, &compiled.circuit);
    let chosen = Chosen {
        refreshes: compiled.refreshes.as_ref(),
        seconds: predicted.prediction.seconds,
        config: &config,
        circuit: &compiled.circuit,
        known: &known,
        precision: precision.as_ref(),
    };
    let report = CompileReport {
        circuit: CircuitSummary::new(&interface),
        chosen: chosen.sentences(),
        precision_bits: config.precision_bits,
        headroom_bits: config.headroom_bits,
        calibration: known.samples(),
        metadata: known.metadata(),
        inputs: known.inputs().clone(),
        ranges: known.report(config.headroom_bits),
        rewrites: compiled.rewrites.counts(),
        remarks: compiled.circuit.remarks.clone(),
        files: Vec::new(),
        stats: Stats::of(&compiled.circuit),
        predicted,
        refreshes: compiled.refreshes,
        key_choices: compiled.key_choices,
        precision,
        ablations: options.ablate.then(|| ablate(&compiled.circuit)),
    };
    Ok(Compiled {
        drowned: drowned(&compiled.circuit, &known, prediction),
        circuit: compiled.circuit,
        interface,
        report,
        graph: compiled.graph,
    })
}

/// The configuration that options ask for.
fn config(model: &Model, options: &CompileOptions) -> Result<Config, CompileError> {
    let mut config = Config::new(model.name());
    config.security = options.security;
    config.precision_bits = options.operation_bits.unwrap_or(config.precision_bits);
    config.headroom_bits = options.headroom_bits.unwrap_or(config.headroom_bits);
    if let Some(log_n) = options.log_n {
        config.log_n = log_n..=log_n;
    }
    config.like = options.like.as_ref().map(Like::new);
    config.key_budget = options.key_budget;
    config.without = options.without.clone();
    let cost = options.profile.clone().map(CostModel::new).transpose()?;
    config.cost = cost.unwrap_or_default();
    Ok(config)
}

/// Refuses what no parameters can hold, with the fewest bits and the least headroom, before anything that takes long.
fn refuse_hopeless(
    session: &Session,
    config: &Config,
    options: &CompileOptions,
) -> Result<(), CompileError> {
    let least = Config {
        precision_bits: options.operation_bits.unwrap_or(LEAST_BITS),
        headroom_bits: options.headroom_bits.unwrap_or(2),
        ..config.clone()
    };
    let possible = session.possible(&least);
    possible.map_err(|error| with_ways_out(error.into(), session, &least))
}

/// What circuits are made of.
struct Making<'a> {
    graph: &'a Graph,
    options: &'a CompileOptions,
    known: &'a KnownRanges,
    watcher: &'a dyn Watcher,
}

/// A circuit, its precision, and what simulated noise leaves of its outputs, where it was judged by that.
type Judged = (
    pipeline::Compiled,
    Option<PrecisionReport>,
    Option<Prediction>,
);

impl Making<'_> {
    /// A circuit for the precision that is asked of the outputs on samples, or of operations; where it was judged by simulated noise,
    /// with the verdict.
    fn circuit(&self, session: &mut Session, config: &mut Config) -> Result<Judged, CompileError> {
        let Self { options, known, .. } = *self;
        let images = known.images();
        let is_given = known.origin() == Origin::Calibrated;
        let is_asked = options.precision_bits.is_some() || is_given;
        let is_simulated = is_asked || macs(session.graph()) <= MOST_SIMULATED;
        if options.operation_bits.is_some() || images.is_empty() || !is_simulated {
            let task = self.watcher.begin("compile");
            let compiled = session.compile(config, &|share, what| task.set(share, what))?;
            return Ok((compiled, None, None));
        }
        let bits = options.precision_bits;
        let goal = Goal {
            bits: bits.unwrap_or(CompileOptions::PRECISION_BITS),
            images,
            are_drawn: !is_given,
            graph: self.graph,
            watcher: self.watcher,
        };
        let (compiled, precision, prediction) = match (&config.like, bits) {
            // What the other circuit's parameters have is taken, and said.
            (Some(like), None) => {
                config.precision_bits = like.precision_bits(config.headroom_bits);
                goal.compile_once(session, config)?
            }
            _ => goal.compile(session, config)?,
        };
        Ok((compiled, Some(precision), Some(prediction)))
    }
}

/// A refusal of the compiler, or that of the node that asks for more than fits, with what would help.
fn explained(
    error: CompileError,
    known: &KnownRanges,
    (session, config): (&Session, &Config),
) -> CompileError {
    let too_long = match &error {
        CompileError::Circuit(pipeline::CompileError::Parameters(source)) => source.too_long(),
        _ => None,
    };
    match too_long.and_then(|excess| known.outgrown(excess, config.headroom_bits)) {
        Some(node) => node.into(),
        None => with_ways_out(error, session, config),
    }
}

/// A refusal with what would help, which is searched for.
fn with_ways_out(error: CompileError, session: &Session, config: &Config) -> CompileError {
    match error {
        CompileError::Circuit(pipeline::CompileError::Parameters(source)) => {
            let ways_out = WaysOut::search(session, config, &source);
            CompileError::NoParameters { source, ways_out }
        }
        error => error,
    }
}

/// Nodes that drown on samples; inputs that were drawn need not be like any image.
fn drowned(
    circuit: &Circuit,
    known: &KnownRanges,
    prediction: Option<Prediction>,
) -> Vec<DrownedNode> {
    let given = prediction.filter(|_| known.samples().is_some());
    given.map_or_else(Vec::new, |found| DrownedNode::all(circuit, &found.drowned))
}
