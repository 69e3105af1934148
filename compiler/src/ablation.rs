//! What each optimisation buys on a network: the network compiled without it, all else being equal.

use crate::optimisation::{Optimisation, Without};
use crate::pipeline::{CompileError, Config, compile};
use crate::tensor::Graph;
use peregrine_ir::stats::Stats;
use peregrine_ir::{Circuit, Level};

/// A compilation without one optimisation.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Ablation {
    /// What was left out beside what the configuration leaves out; none for the compiler as configured.
    pub without: Option<Optimisation>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A circuit or none.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// A circuit.
    Compiled {
        /// What it takes.
        #[serde(flatten)]
        figures: Figures,
        /// Predicted seconds beyond those of the compiler as configured; negative where it is faster.
        more_seconds: f64,
    },
    /// No circuit.
    Refused {
        /// Why, for people.
        refused: String,
        /// By how many bits the modulus would cross the security line, if that is why.
        missing_bits: Option<f64>,
    },
}

/// What a circuit takes.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Figures {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// log2 of the degree of the small ring, if there is one.
    pub small_log_n: Option<u32>,
    /// Levels.
    pub levels: usize,
    /// Primes of the highest level.
    pub primes: usize,
    /// log2 of everything that security depends on: all primes, P among them.
    pub modulus_bits: f64,
    /// Products with weights and masks.
    pub plaintext_products: u64,
    /// Inner products with evaluation keys.
    pub key_switches: u64,
    /// Ciphertexts decomposed into digits.
    pub decompositions: u64,
    /// Evaluation keys.
    pub keys: usize,
    /// Bytes of all of them in a file.
    pub key_bytes: u64,
    /// Predicted seconds of a run with keys in memory.
    pub seconds: f64,
}

impl Figures {
    /// Of a circuit that was compiled for the machine of `config`.
    pub fn of(circuit: &Circuit, config: &Config) -> Self {
        let stats = Stats::of(circuit);
        let ring = &circuit.rings;
        let top = ring.top().unwrap_or(Level(0));
        let descent = ring.descent();
        let smaller = descent.get(1..).and_then(<[_]>::last);
        Self {
            log_n: ring.view(ring.top_ring()).log_n(),
            small_log_n: smaller.map(|&id| ring.view(id).log_n()),
            levels: ring.levels.len(),
            primes: ring.row(top).map_or(0, <[_]>::len),
            modulus_bits: ring.total_bits(ring.top_ring()),
            plaintext_products: stats.total.plaintext_products,
            key_switches: stats.total.key_switches,
            decompositions: stats.total.decompositions,
            keys: stats.keys.len(),
            key_bytes: stats.key_bytes,
            seconds: config.cost.predict(circuit).seconds,
        }
    }
}

/// Compiles a network without each optimisation that `config` has, one at a time, and compares with `full`, the circuit that
/// `config` leads to; that comes first. Takes as long as there are optimisations to compile without.
pub fn ablate(graph: &Graph, config: &Config, full: &Circuit) -> Vec<Ablation> {
    let figures = Figures::of(full, config);
    let seconds = figures.seconds;
    let rest = Optimisation::ALL
        .into_iter()
        .filter(|each| !config.without.contains(each));
    let rest = rest.map(|each| {
        let mut without: Without = config.without.clone();
        without.insert(each);
        let config = Config {
            without,
            ..config.clone()
        };
        let outcome = match compile(graph, &config) {
            Ok(compiled) => Outcome::compared(Figures::of(&compiled.circuit, &config), seconds),
            Err(error) => Outcome::refused(&error),
        };
        Ablation {
            without: Some(each),
            outcome,
        }
    });
    let first = Ablation {
        without: None,
        outcome: Outcome::compared(figures, seconds),
    };
    std::iter::once(first).chain(rest).collect()
}

impl Outcome {
    fn compared(figures: Figures, seconds: f64) -> Self {
        let more_seconds = figures.seconds - seconds;
        Self::Compiled {
            figures,
            more_seconds,
        }
    }

    fn refused(error: &CompileError) -> Self {
        let missing_bits = match error {
            CompileError::Parameters(error) => error.missing_bits(),
            _ => None,
        };
        Self::Refused {
            refused: error.to_string(),
            missing_bits,
        }
    }
}
