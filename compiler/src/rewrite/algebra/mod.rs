//! Recognise polynomials of one variable, by equality saturation over the whole graph.
//!
//! 1. Every node becomes a term: sums and products of two, polynomials, anything else an opaque operator on its
//!    operands. Equal terms are one class, so repeated computations merge.
//! 2. The [`rules`] run to saturation, in class order, bounded by iterations and nodes (never by time).
//! 3. [`extract`] reads one term per needed class back: the graph has at most as many nodes as before.
//!
//! A classical extractor costs trees and would copy shared values; here a class is emitted once however often it is
//! used, and its term is chosen by a rule that knows which values are needed anyway.

mod extract;
mod language;
mod rules;

use super::draft::{Draft, Item, Place};
use super::report::Report;
use super::univariate::Univariate;
use crate::tensor::Op;
use egg::{EGraph, Id, Rewrite, RewriteScheduler, Runner, SearchMatches};
use language::{Expr, Tables};
use peregrine_ir::SecondaryMap;
use std::time::Duration;

/// Out of reach: output must not depend on the speed of the machine.
const NO_TIME_LIMIT: Duration = Duration::from_secs(u64::MAX / 4);

/// More e-nodes per node than [`rules`] make.
const E_NODES: usize = 1000;

/// What an operator became.
struct Term {
    class: Id,
    expr: Expr,
    /// Whether the operator is the term as it stands, rather than another spelling of it.
    faithful: bool,
}

/// The terms of live operators.
type Terms = SecondaryMap<Place, Option<Term>>;

/// Rewrites every spelling of a polynomial into one node; says whether anything changed.
pub(super) fn recognise(draft: &mut Draft, report: &mut Report) -> bool {
    let mut egraph = EGraph::new(Tables::default());
    let terms = SecondaryMap::in_order(&draft.items, |terms, place, _| {
        let is_live = draft.is_live(place);
        is_live.then(|| add(&mut egraph, draft, place, terms))
    });
    let nodes = draft.items.len();
    let runner: Runner<Expr, Tables> = Runner::new(Tables::default())
        .with_egraph(egraph)
        .with_scheduler(InOrder)
        .with_iter_limit(nodes + 8)
        .with_node_limit(E_NODES * (nodes + 8))
        .with_time_limit(NO_TIME_LIMIT)
        .run(&rules::rules());
    let searched = runner.iterations.iter().map(|done| done.egraph_nodes);
    report.work(searched.sum());
    extract::read_back(&runner.egraph, &terms, draft, report)
}

/// The term of an operator whose operands have theirs.
fn add(egraph: &mut EGraph<Expr, Tables>, draft: &Draft, place: Place, terms: &Terms) -> Term {
    let item = &draft.items[place];
    let operands = item.operands.iter();
    let operands: Vec<Id> = operands.map(|&o| terms.known(o).class).collect();
    let mut other_spelling = None;
    let expr = match (&item.op, operands.as_slice(), as_polynomial(draft, item)) {
        (Op::Add, &[a, b], _) => Expr::Add([a, b]),
        (Op::Multiply, &[a, b], _) => Expr::Multiply([a, b]),
        (_, &[x], Some((p, rule))) => {
            let p = egraph.analysis.intern(p);
            other_spelling = rule;
            Expr::Polynomial([egraph.add(Expr::Coefficients(p)), x])
        }
        _ => Expr::Operator(egraph.analysis.operator(&item.op, &item.shape), operands),
    };
    let class = egraph.add(expr.clone());
    if let Some(rule) = other_spelling {
        egraph.analysis.events.push((rule, class));
    }
    Term {
        class,
        expr,
        faithful: other_spelling.is_none(),
    }
}

/// A polynomial operator as a polynomial, with the rule that applies where its leading coefficients vanish.
fn as_polynomial(draft: &Draft, item: &Item) -> Option<(Univariate, Option<&'static str>)> {
    let Op::Polynomial(p) = &item.op else {
        return None;
    };
    let read = Univariate::read(p, &draft.tensors)?;
    let lowered = read.degree() < p.degree();
    Some((read, lowered.then_some("lower-degree")))
}

/// Applies matches in the order of their classes: egg's own order follows a hash table.
struct InOrder;

impl RewriteScheduler<Expr, Tables> for InOrder {
    fn search_rewrite<'a>(
        &mut self,
        _iteration: usize,
        egraph: &EGraph<Expr, Tables>,
        rewrite: &'a Rewrite<Expr, Tables>,
    ) -> Vec<SearchMatches<'a, Expr>> {
        let mut matches = rewrite.search(egraph);
        matches.sort_by_key(|m| m.eclass);
        matches
    }
}
