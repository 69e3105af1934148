//! Named rules on one operator and its neighbours, applied in node order until none fires.
//!
//! A rule gets a draft and a position; it either edits operators in place and says so, or leaves the draft as it was.
//! It may add tensors but no operators, and keeps operands before users.

mod affine;
mod gathers;
mod sums;
mod tidy;
mod windows;

pub(super) use affine::linear_op;

use super::draft::{Draft, Place};
use super::report::Report;

/// A rule and the name under which the report lists it.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// Edits the neighbourhood of an operator; `None` when the rule does not apply, the draft then being as before.
    pub(super) apply: fn(&mut Draft, Place) -> Option<()>,
}

/// Rules that run first: chains of factors and constants become one before anything is folded into weights, so that this is
/// done once and the e-graph sees none of them.
#[rustfmt::skip]
pub(super) const CHAINS: &[Rule] = &[
    Rule { name: "reshape-of-reshape",            apply: tidy::reshape_of_reshape },
    Rule { name: "drop-reshape",                  apply: tidy::drop_reshape },
    Rule { name: "drop-identity-map",             apply: tidy::drop_identity_map },
    Rule { name: "merge-gathers",                 apply: gathers::merge_gathers },
    Rule { name: "diagonal-map-to-polynomial",    apply: tidy::diagonal_map_to_polynomial },
    Rule { name: "compact-coefficients",          apply: tidy::compact_coefficients },
    Rule { name: "fold-affine-chain",             apply: affine::fold_chain },
];

/// Rules that run before polynomials are recognised: what they fold away is not worth composing into a polynomial.
#[rustfmt::skip]
pub(super) const EARLY: &[Rule] = &[
    Rule { name: "reshape-of-reshape",            apply: tidy::reshape_of_reshape },
    Rule { name: "drop-reshape",                  apply: tidy::drop_reshape },
    Rule { name: "drop-identity-map",             apply: tidy::drop_identity_map },
    Rule { name: "merge-gathers",                 apply: gathers::merge_gathers },
    Rule { name: "padding-into-window",           apply: windows::padding_into_window },
    Rule { name: "diagonal-map-to-polynomial",    apply: tidy::diagonal_map_to_polynomial },
    Rule { name: "compact-coefficients",          apply: tidy::compact_coefficients },
    Rule { name: "fold-affine-into-map-before",   apply: affine::fold_into_map_before },
];

/// Rules that run once polynomials are single nodes.
#[rustfmt::skip]
pub(super) const LATE: &[Rule] = &[
    Rule { name: "reshape-of-reshape",            apply: tidy::reshape_of_reshape },
    Rule { name: "merge-gathers",                 apply: gathers::merge_gathers },
    Rule { name: "fold-affine-chain",             apply: affine::fold_chain },
    Rule { name: "reshape-after-polynomial",      apply: tidy::reshape_after_polynomial },
    Rule { name: "reshape-after-operation",       apply: sums::reshape_after_operation },
    Rule { name: "reshape-into-map",              apply: tidy::reshape_into_map },
    Rule { name: "flatten-sum",                   apply: sums::flatten_sum },
    Rule { name: "collect-like-terms",            apply: sums::collect_like_terms },
    Rule { name: "fold-affine-into-map-after",    apply: affine::fold_into_map_after },
    Rule { name: "affine-after-map",              apply: affine::move_after_map },
    Rule { name: "mean-into-map",                 apply: windows::mean_into_map },
];

/// Applies the rules of a table at every live operator until none fires; says whether one did.
///
/// Cost: a few passes over the nodes; passes without an application end the loop.
pub(super) fn apply(rules: &[Rule], draft: &mut Draft, report: &mut Report) -> bool {
    let mut any = false;
    loop {
        let mut changed = false;
        for place in draft.items.keys() {
            for rule in rules {
                while draft.is_live(place) {
                    report.work(1);
                    let source = draft.items[place].source;
                    if (rule.apply)(draft, place).is_none() {
                        break;
                    }
                    let edges = draft.refresh();
                    report.work(edges);
                    report.record(rule.name, &draft.sources, source);
                    changed = true;
                }
            }
        }
        if !changed {
            return any;
        }
        any = true;
    }
}
