//! Simplify a tensor graph so that the circuit spends few levels: polynomials recognised, affine maps folded, leading
//! coefficients made one.
//!
//! Notation: `P` an element-wise polynomial of degree `d`, `A x + b` a linear operator; a polynomial is *monic* when its
//! leading coefficient is 1 (or -1) everywhere; an operator is *solely used* by another when that is its one use.
//!
//! 1. **Local rules** (`local`, a table of named rules on one operator and its neighbours): affine polynomials into
//!    the linear operators around them, padding and means into the windows after them, reshapes out of the way,
//!    identities away, like terms together.
//! 2. **Equality saturation** (`algebra`, egg with a table of named rules): any spelling in sums, products and
//!    polynomials of one variable becomes one polynomial node.
//! 3. **Gauge** (`gauge`): every value `v` may be stored as `v / g` with `g` constant on what linear operators mix
//!    freely; the solver picks `g` so that polynomials become monic, and the factors vanish in weights.
//! 4. **Shifts** (`shift`, a second table of local rules): squares completed, constants moved into biases.
//!
//! The four are repeated until none applies. Which is which, and why: polynomial algebra is where a term has many
//! equal spellings and the order of rewriting matters, so it is done on an e-graph, whose read-back emits each class
//! at most once and therefore never duplicates a shared node. Folding depends on *who else uses a value*, which an
//! e-graph does not know; it is exact and confluent, so plain rules in node order suffice. The gauge is a global
//! system of equations, not a rewrite of terms.
//!
//! Every rule keeps the value of every output up to rounding in f64, never adds a node, and is refused when a weight
//! would stop being finite. Cost: a few passes over the nodes and weights, none over images where coefficients are per
//! channel; the e-graph grows linearly with the nodes.
//! Deterministic: node order, ordered maps, iteration and node limits only.

mod algebra;
mod draft;
mod field;
mod gauge;
mod image;
mod local;
mod report;
mod scaling;
mod shift;
mod univariate;

pub use report::{Report, Step};

use crate::optimisation::{Optimisation, Without};
use crate::tensor::Graph;
use draft::Draft;
use peregrine_ir::Shape;
use peregrine_ir::linear::LinearError;

/// More rounds than any network needs: each one but the last removes a node or makes a polynomial monic.
const MAX_ROUNDS: usize = 1000;

/// The largest number that may be added to a value so that a constant vanishes elsewhere, in units of the value: it costs
/// weights after it four bits.
const MAX_SHIFT: f64 = 16.0;

/// Rewrites a graph into an equal one that is cheaper to evaluate under encryption; returns it with a report of the rules that
/// were applied.
///
/// Inputs and outputs keep names and order. When no rule applies the graph is returned as it is.
///
/// # Errors
/// When the graph is not well formed; names the node.
pub fn simplify(graph: &Graph) -> Result<(Graph, Report), RewriteError> {
    simplify_without(graph, &Without::new())
}

/// Rewrites a graph as [`simplify`] does, without some optimisations: steps 1 and 2 of the module are
/// [`Optimisation::NodeFusing`], steps 3 and 4 [`Optimisation::Redistribution`].
///
/// # Errors
/// As [`simplify`].
pub fn simplify_without(graph: &Graph, without: &Without) -> Result<(Graph, Report), RewriteError> {
    let fuses = !without.contains(&Optimisation::NodeFusing);
    let redistributes = !without.contains(&Optimisation::Redistribution);
    let mut draft = Draft::new(graph)?;
    let mut report = Report::default();
    for _ in 0..MAX_ROUNDS {
        let changed = (fuses && fuse(&mut draft, &mut report))
            || (redistributes && redistribute(&mut draft, &mut report));
        if !changed {
            break;
        }
    }
    if report.is_empty() && draft.live().len() == graph.len() {
        return Ok((graph.clone(), report));
    }
    Ok((draft.finish(), report))
}

/// Makes fewer nodes of more; says whether it did.
fn fuse(draft: &mut Draft, report: &mut Report) -> bool {
    local::apply(local::CHAINS, draft, report)
        | local::apply(local::EARLY, draft, report)
        | algebra::recognise(draft, report)
        | local::apply(local::LATE, draft, report)
}

/// Moves factors or, where none is left to move, constants; says whether it did.
fn redistribute(draft: &mut Draft, report: &mut Report) -> bool {
    gauge::normalise(draft, report) || local::apply(shift::RULES, draft, report)
}

/// Why a graph cannot be simplified: how it is not well formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// An operator with the wrong number of operands.
    #[error("`{node}` has {found} operands")]
    Operands {
        /// The node of the model.
        node: String,
        /// How many it has.
        found: usize,
    },
    /// An operand with the wrong number of elements.
    #[error("`{node}` reads an operand of shape {found} where {expected} is expected")]
    Size {
        /// The node of the model.
        node: String,
        /// Shape of the operand.
        found: Shape,
        /// A shape with the right number of elements.
        expected: Shape,
    },
    /// A linear map that is not well formed.
    #[error("`{node}`: {source}")]
    Linear {
        /// The node of the model.
        node: String,
        /// What is wrong with the map.
        source: LinearError,
    },
}

#[cfg(test)]
mod tests;
