//! Ablation: what each optimisation buys on a network, by compiling the network without it and all others unchanged.

use crate::optimisation::{Optimisation, Without};
use crate::pipeline::{CompileError, Config, compile};
use crate::tensor::Graph;
use peregrine_ir::stats::Stats;
use peregrine_ir::{Circuit, Level};

/// A compilation without one of the optimisations.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Ablation {
    /// The optimisation that was left out, beside those that the configuration leaves out; none for the compilation as
    /// configured.
    pub without: Option<Optimisation>,
    /// The result of the compilation.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The result of a compilation: the figures of a circuit, or the reason why there is none.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// The network compiles to a circuit.
    Compiled {
        /// The figures of the circuit.
        #[serde(flatten)]
        figures: Figures,
        /// Predicted seconds of a run beyond those of the circuit as configured; negative where it is faster.
        more_seconds: f64,
    },
    /// The network does not compile.
    Refused {
        /// The reason, for people.
        refused: String,
        /// Bits by which the modulus would exceed the security limit, if that is the reason.
        missing_bits: Option<f64>,
    },
}

/// The figures of a circuit: degrees, modulus, operations, keys and predicted time.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Figures {
    /// log2 of the degree of the ring of the highest level.
    pub log_n: u32,
    /// log2 of the degree of the second ring, if there is one.
    pub small_log_n: Option<u32>,
    /// Number of levels.
    pub levels: usize,
    /// Number of primes of the highest level.
    pub primes: usize,
    /// log2 of the largest modulus, special primes included, on which security depends.
    pub modulus_bits: f64,
    /// Products of a ciphertext with weights or masks.
    pub plaintext_products: u64,
    /// Inner products with evaluation keys.
    pub key_switches: u64,
    /// Decompositions of a ciphertext into gadget digits.
    pub decompositions: u64,
    /// Number of evaluation keys.
    pub keys: usize,
    /// Bytes of all evaluation keys in a file.
    pub key_bytes: u64,
    /// Predicted seconds of a run with keys in memory.
    pub seconds: f64,
}

impl Figures {
    /// The figures of a circuit that was compiled for the machine of `config`.
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

/// Compiles a network without each optimisation that `config` has, one at a time, and compares the circuits with `full`, the
/// circuit that `config` leads to, which comes first in the result. It takes one compilation for each optimisation.
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
