//! Sums and products of several values: nested sums, like terms, common reshapes.

use super::super::draft::{Draft, Place};
use super::super::univariate::Univariate;
use crate::tensor::Op;

/// An operand that is itself a sum, solely used here, gives its operands.
pub(super) fn flatten_sum(draft: &mut Draft, place: Place) -> Option<()> {
    let outer = sum_operands(draft, place)?;
    let solely_here =
        |&&p: &&Place| sum_operands(draft, p).is_some() && draft.sole_user(p) == Some(place);
    let inner = *outer.iter().find(solely_here)?;
    let operands = outer.iter().flat_map(|&p| match p == inner {
        true => draft.items[inner].operands.clone(),
        false => vec![p],
    });
    draft.items[place].operands = operands.collect();
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
    let terms: Vec<_> = operands.iter().map(|&p| (p, term(p))).collect();
    let pairs = terms.iter().enumerate().flat_map(|(i, (p, first))| {
        let others = terms.iter().enumerate().filter(move |(j, _)| i != *j);
        others.filter_map(move |(j, (q, second))| {
            let (x, own) = first.as_ref()?;
            let other = match second {
                Some((y, other)) if y == x => other.clone(),
                _ if q == x => Univariate::identity(),
                _ => return None,
            };
            Some((*p, j, *x, own.sum(&other)?))
        })
    });
    let (kept, dropped, x, sum) = pairs.into_iter().next()?;
    let at = if operands.len() == 2 { place } else { kept };
    let op = draft.polynomial_op(at, &sum)?;
    draft.items[at].op = op;
    if at == place {
        draft.items[place].operands = vec![x];
    } else {
        draft.items[place].operands.remove(dropped);
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
    draft.items[last].op = draft.items[place].op.clone();
    draft.items[last].shape = inner;
    draft.items[last].source = draft.items[place].source;
    draft.items[last].operands = origins;
    draft.items[place].op = Op::Reshape;
    draft.items[place].operands = vec![last];
    Some(())
}

fn sum_operands(draft: &Draft, place: Place) -> Option<&[Place]> {
    match draft.items[place].op {
        Op::Add => Some(&draft.items[place].operands),
        _ => None,
    }
}
