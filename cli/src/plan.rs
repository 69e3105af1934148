//! What `compile` and `infer` share: from a model and what was asked for to a circuit, what is known of its values, the precision
//! that is predicted, and the choices that were made on the way.

use crate::args::Choices;
use crate::costs;
use crate::error::Error;
use crate::expectations;
use crate::measured::{InputRange, Measured, Origin};
use crate::precision::{Goal, Precision};
use crate::progress::Bar;
use crate::report;
use crate::verbs::model;
use peregrine_compiler::advice::WaysOut;
use peregrine_compiler::manage::possible::macs;
use peregrine_compiler::passes::keys::KeyBudget;
use peregrine_compiler::pipeline::{CompileError, Compiled, Config, Session};
use peregrine_compiler::precision::LEAST_BITS;
use peregrine_compiler::tensor::Graph;
use peregrine_ir::Security;
use peregrine_ir::stats::KeyStats;
use peregrine_runtime::simulate::Prediction;
use std::collections::BTreeSet;
use std::path::Path;

/// Bits of the largest output that are right when nobody asks for more or fewer.
const PRECISION_BITS: u32 = 8;

/// Networks with more multiplications are simulated on request only: it takes longer than to compile them.
const MOST_SIMULATED: u64 = 300_000_000;

/// A circuit and how it came about.
#[derive(Debug)]
pub struct Plan {
    /// What the circuit was made for.
    pub config: Config,
    /// The circuit.
    pub compiled: Compiled,
    /// What simulated noise leaves of the samples, or of inputs that were drawn; none for large circuits without samples.
    pub prediction: Option<Prediction>,
    /// What is known of the values of the model.
    pub measured: Measured,
    /// Of the outputs; none where it was not simulated.
    pub precision: Option<Precision>,
}

impl Plan {
    /// Compiles a model for what was asked; warns when the circuit is not secure.
    pub fn new(path: &Path, graph: &Graph, choices: &Choices) -> Result<Self, Error> {
        let mut config = model::config(path, choices)?;
        let session = Session::new(graph, &config.without);
        let mut session = session.map_err(|source| Error::Rewrite {
            path: path.to_owned(),
            source,
        })?;
        refuse_hopeless(path, &session, &config, choices)?;
        let measured = Measured::new(path, choices, graph, session.graph())?;
        measured.settle(choices.headroom_bits, &mut config)?;
        let made = make((path, graph), &mut session, &mut config, choices, &measured);
        let (mut compiled, precision) = made.map_err(|error| {
            let error = measured.explain(error, config.headroom_bits);
            with_ways_out(error, &session, &config)
        })?;
        report::meet(&config.name, config.security);
        let prediction = expectations::fill(path, graph, &mut compiled, &measured)?;
        Ok(Self {
            config,
            compiled,
            prediction,
            measured,
            precision,
        })
    }

    /// What was chosen and why, with the options that change it.
    pub fn choices(&self) -> [[String; 2]; 5] {
        let rows = [
            ("ring", self.ring()),
            ("range", self.range()),
            ("headroom", self.headroom()),
            ("precision", self.precision()),
            ("keys", self.keys()),
        ];
        rows.map(|(what, text)| [what.to_owned(), text])
    }

    fn ring(&self) -> String {
        let ring = &self.compiled.circuit.ring;
        let degrees = ring.descent().into_iter().map(|id| ring.view(id).log_n());
        let degrees: Vec<String> = degrees.map(|log_n| format!("2^{log_n}")).collect();
        let security = match self.config.security {
            Security::Classical128 => "128-bit security",
            Security::None => "no security",
        };
        let why = match self.config.log_n.start() == self.config.log_n.end() {
            _ if self.config.like.is_some() => "that of the other circuit",
            true => "as asked for",
            false => "the smallest that holds the network",
        };
        format!(
            "degree {}, {security}: {why} (--log-n, --security)",
            degrees.join(", then ")
        )
    }

    fn range(&self) -> String {
        let inputs = self.measured.inputs();
        let first = inputs.values().next();
        let alike = inputs.values().all(|range| Some(range) == first);
        let described = |range: &InputRange| {
            let InputRange { low, high, .. } = range;
            format!("{low:.4} to {high:.4}")
        };
        let ranges: Vec<String> = match (alike, first) {
            (true, Some(range)) => vec![described(range)],
            _ => inputs
                .iter()
                .take(3)
                .map(|(name, range)| format!("`{}` {}", report::plain(name), described(range)))
                .collect(),
        };
        let origins: BTreeSet<Origin> = inputs.values().map(|range| range.origin).collect();
        let origins: Vec<&str> = origins.into_iter().map(origin).collect();
        format!(
            "inputs {}: {} (--calibrate, --input-range)",
            ranges.join(", "),
            origins.join(", ")
        )
    }

    fn headroom(&self) -> String {
        let largest = self.measured.largest();
        let who = match self.measured.origin() {
            Origin::Calibrated => "samples reach",
            Origin::Stated => "the model states",
            Origin::Asked | Origin::Assumed => "drawn inputs reach",
        };
        format!(
            "values below 2^{}: {who} {largest:.3} (--headroom-bits)",
            self.config.headroom_bits.saturating_sub(1)
        )
    }

    fn precision(&self) -> String {
        match &self.precision {
            Some(precision) => format!("{} (--precision-bits)", precision.line()),
            None => format!(
                "{} bits after the point in every operation, not simulated (--precision-bits, --operation-bits)",
                self.config.precision_bits
            ),
        }
    }

    fn keys(&self) -> String {
        let circuit = &self.compiled.circuit;
        let keys = costs::keys(&KeyStats::all(&circuit.ring, &circuit.keys));
        let why = match self.config.key_budget {
            KeyBudget::Unlimited => "as many as make the run fastest".to_owned(),
            KeyBudget::AtMost(bytes) => format!("at most {} are allowed", report::bytes(bytes)),
            KeyBudget::Knee { slower, most } => format!(
                "as few as make the run at most {:.0} % longer, never more than {}",
                (slower - 1.0) * 100.0,
                report::bytes(most)
            ),
        };
        format!("{keys}: {why} (--key-budget)")
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Assumed => "assumed",
        Origin::Asked => "asked for",
        Origin::Stated => "stated by the model",
        Origin::Calibrated => "in the samples",
    }
}

/// Refuses what no parameters can hold, with the fewest bits and the least headroom, before anything that takes long.
fn refuse_hopeless(
    path: &Path,
    session: &Session,
    config: &Config,
    choices: &Choices,
) -> Result<(), Error> {
    let least = Config {
        precision_bits: choices.operation_bits.unwrap_or(LEAST_BITS),
        headroom_bits: choices.headroom_bits.unwrap_or(2),
        ..config.clone()
    };
    session.possible(&least).map_err(|source| {
        let path = path.to_owned();
        with_ways_out(Error::Compile { path, source }, session, &least)
    })
}

/// Compiles for the precision that is asked of the outputs on samples, or of operations.
fn make(
    (path, graph): (&Path, &Graph),
    session: &mut Session,
    config: &mut Config,
    choices: &Choices,
    measured: &Measured,
) -> Result<(Compiled, Option<Precision>), Error> {
    let bar = Bar::new("compile");
    let images = measured.images();
    let is_asked = choices.precision_bits.is_some() || measured.origin() == Origin::Calibrated;
    let is_simulated = is_asked || macs(session.graph()) <= MOST_SIMULATED;
    if choices.operation_bits.is_some() || images.is_empty() || !is_simulated {
        let compiled = session.compile(config, &|share, what| bar.set(share, what));
        let compiled = compiled.map_err(|source| Error::Compile {
            path: path.to_owned(),
            source,
        })?;
        return Ok((compiled, None));
    }
    let goal = Goal {
        bits: choices.precision_bits.unwrap_or(PRECISION_BITS),
        images,
        are_drawn: measured.origin() != Origin::Calibrated,
    };
    let made = match (&config.like, choices.precision_bits) {
        // What the other circuit's parameters have is taken, and said.
        (Some(like), None) => {
            config.precision_bits = like.precision_bits(config.headroom_bits);
            goal.compile_once((path, graph), session, config, &bar)
        }
        _ => goal.compile((path, graph), session, config, &bar),
    };
    let (compiled, precision) = made?;
    Ok((compiled, Some(precision)))
}

/// A refusal with what would help, which is searched for.
fn with_ways_out(error: Error, session: &Session, config: &Config) -> Error {
    match error {
        Error::Compile {
            path,
            source: CompileError::Parameters(source),
        } => {
            let ways_out = WaysOut::search(session, config, &source);
            Error::NoParameters {
                path,
                source,
                ways_out,
            }
        }
        error => error,
    }
}
