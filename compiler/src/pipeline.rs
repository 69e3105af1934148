//! The pipeline: from a tensor graph to a verified circuit.

use crate::cost::CostModel;
use crate::layout::{LayoutPlan, LayoutPlanError, depth};
use crate::manage::parameters::{ParameterError, Planner};
use crate::manage::{ManageError, Settled, emit, settle};
use crate::passes::{PassError, run_all};
use crate::rewrite::{self, RewriteError, simplify};
use crate::slots::{LowerError, lower};
use crate::tensor::Graph;
use peregrine_ir::{Ring, Security, Verified, VerifyErrors, verify};
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
    /// What the machine that will run the circuit takes for what: layouts are chosen by it.
    pub cost: CostModel,
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
            cost: CostModel::default(),
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
}

/// Compiles a tensor graph. Deterministic: the same graph and configuration give the same circuit.
///
/// # Errors
/// When no ring degree in the configured range holds the depth of the network.
pub fn compile(graph: &Graph, config: &Config) -> Result<Compiled, CompileError> {
    let (graph, rewrites) = simplify(graph)?;
    let planner = Planner {
        security: config.security,
        precision_bits: config.precision_bits,
        headroom_bits: config.headroom_bits,
    };
    let (program, ring) = smallest_ring(&graph, &planner, config)?;
    let circuit = emit(program, ring, config.security, &config.name)?;
    let circuit = run_all(circuit, &config.cost)?;
    Ok(Compiled {
        circuit: verify(circuit)?,
        graph,
        rewrites,
    })
}

/// The slot program at the smallest ring degree whose modulus holds its depth, and that ring.
fn smallest_ring(
    graph: &Graph,
    planner: &Planner,
    config: &Config,
) -> Result<(Settled, Ring), CompileError> {
    let (mut known_depth, expected_depth) = (0, depth::expected(graph));
    let mut refused = None;
    for log_n in config.log_n.clone() {
        // The depth hardly depends on the degree: a ring too small for an earlier lowering needs no new one.
        let least = match planner.ring(log_n, known_depth) {
            Ok(ring) => ring,
            Err(error) => {
                refused = Some(error);
                continue;
            }
        };
        let priced = planner.ring(log_n, expected_depth.max(known_depth));
        let prices = config.cost.prices(&priced.unwrap_or(least));
        let plan = LayoutPlan::choose(graph, log_n - 1, prices)?;
        let settled = settle(lower(graph, &plan, log_n - 1)?)?;
        known_depth = settled.program.depth();
        match planner.ring(log_n, known_depth) {
            Ok(ring) => return Ok((settled, ring)),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.map_or(CompileError::NoDegree, CompileError::Parameters))
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
    /// A circuit pass failed.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// The result does not verify: a defect of the compiler.
    #[error("internal error: the compiled circuit does not verify\n{0}")]
    Verify(#[from] VerifyErrors),
}
