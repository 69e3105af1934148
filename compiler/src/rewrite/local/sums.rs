//! Sums and products of several values: nested sums, like terms, common reshapes.

use super::super::draft::{Draft, Place};
use super::super::univariate::Univariate;
use crate::tensor::Op;
use std::collections::BTreeMap;

/// Operands that are themselves sums, solely used here, give their operands, and theirs do: all at once, at the outermost sum.
pub(super) fn flatten_sum(draft: &mut Draft, place: Place) -> Option<()> {
    let outer = sum_operands(draft, place)?;
    let is_inner = |p: Place| sum_operands(draft, p).is_some();
    if draft.sole_user(place).is_some_and(is_inner) {
        return None;
    }
    let mut pending: Vec<(Place, Place)> = outer.iter().rev().map(|&p| (p, place)).collect();
    let mut terms = Vec::with_capacity(outer.len());
    while let Some((term, user)) = pending.pop() {
        match sum_operands(draft, term) {
            Some(inner) if draft.sole_user(term) == Some(user) => {
                pending.extend(inner.iter().rev().map(|&p| (p, term)));
            }
            _ => terms.push(term),
        }
    }
    (terms.len() > outer.len()).then_some(())?;
    draft.edit(place).operands = terms;
    Some(())
}

/// `P(x) + y + Q(x)` becomes `(P + Q)(x) + y`; `P(x)` is solely used here, `Q(x)` may be `x` itself.
pub(super) fn collect_like_terms(draft: &mut Draft, place: Place) -> Option<()> {
    let operands = sum_operands(draft, place)?.to_vec();
    let term = |p: Place| match draft.polynomial(p) {
        Some(polynomial) if draft.sole_user(p) == Some(place) => {
            Some((draft.operand(p)?, polynomial))
        }
        _ => None,
    };
    let terms: Vec<_> = operands.iter().map(|&p| term(p)).collect();
    // Where each variable is: itself, or in a polynomial.
    let mut of: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
    for (i, (&p, term)) in operands.iter().zip(&terms).enumerate() {
        let x = term.as_ref().map_or(p, |(x, _)| *x);
        of.entry(x).or_default().push(i);
        if x != p {
            of.entry(p).or_default().push(i);
        }
    }
    let pair = |i: usize| {
        let (x, own) = terms.get(i)?.as_ref()?;
        let others = of.get(x)?.iter().filter(|&&j| j != i);
        let sum = |&j: &usize| {
            let other = match terms.get(j)? {
                Some((y, other)) if y == x => other.clone(),
                _ if operands.get(j) == Some(x) => Univariate::identity(),
                _ => return None,
            };
            Some((*operands.get(i)?, j, *x, own.sum(&other)?))
        };
        others.filter_map(sum).next()
    };
    let (kept, dropped, x, sum) = (0..operands.len()).find_map(pair)?;
    let at = if operands.len() == 2 { place } else { kept };
    let op = draft.polynomial_op(at, &sum)?;
    draft.edit(at).op = op;
    if at == place {
        draft.edit(place).operands = vec![x];
    } else {
        draft.edit(place).operands.remove(dropped);
    }
    Some(())
}

/// A sum or product of reshapes of values of one shape, all solely used here, is the reshape of the sum or product.
pub(super) fn reshape_after_operation(draft: &mut Draft, place: Place) -> Option<()> {
    if !matches!(draft.items[place].op, Op::Add | Op::Multiply) {
        return None;
    }
    let reshapes = draft.items[place].operands.clone();
    let last = *reshapes.iter().max()?;
    let mut origins = Vec::with_capacity(reshapes.len());
    for &reshape in &reshapes {
        let item = &draft.items[reshape];
        let removable = matches!(item.op, Op::Reshape)
            && !draft.is_output(reshape)
            && draft.users(reshape).iter().all(|&user| user == place);
        removable.then(|| origins.extend(item.operands.iter().copied()))?;
    }
    let inner = draft.items[*origins.first()?].shape.clone();
    if origins.iter().any(|&o| draft.items[o].shape != inner) {
        return None;
    }
    draft.edit(last).op = draft.items[place].op.clone();
    draft.edit(last).shape = inner;
    draft.edit(last).source = draft.items[place].source;
    draft.edit(last).operands = origins;
    draft.edit(place).op = Op::Reshape;
    draft.edit(place).operands = vec![last];
    Some(())
}

fn sum_operands(draft: &Draft, place: Place) -> Option<&[Place]> {
    match draft.items[place].op {
        Op::Add => Some(&draft.items[place].operands),
        _ => None,
    }
}
