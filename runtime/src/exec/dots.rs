//! Sums of products over the same ciphertexts, computed together.
//!
//! What is encoded for them at a time is what each of them would have encoded by itself: the plaintexts of [`Evaluator::dot_chunk`]
//! ciphertexts. So they take no more memory than side by side.

use super::evaluator::Evaluator;
use super::held::missing;
use super::live::Outcome;
use super::operands::Operands;
use peregrine_ir::{Inst, Value};
use rayon::prelude::*;

/// The values of sums over the ciphertexts of the first one, which are of the same kind.
pub(super) fn together<E: Evaluator>(rows: &[Operands<'_, '_, E>]) -> Outcome<Vec<E::Cipher>, E> {
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    match first.site.inst {
        Inst::Dot { ciphers, .. } => with_plains(first, ciphers, rows),
        Inst::DotScalar { ciphers, .. } => with_scalars(first, ciphers, rows),
        _ => Err(missing(first.site.value, "a sum of products")),
    }
}

fn with_plains<E: Evaluator>(
    first: &Operands<'_, '_, E>,
    ciphers: &[Value],
    rows: &[Operands<'_, '_, E>],
) -> Outcome<Vec<E::Cipher>, E> {
    let e = first.live.evaluator;
    let chunk = e.dot_chunk().get();
    let mut sums: Vec<E::Cipher> = Vec::new();
    for (at, ciphers) in ciphers.chunks(chunk).enumerate() {
        first.live.control.check()?;
        let lent = rows.par_iter().map(|row| match row.site.inst {
            Inst::Dot { plains, .. } => row.lent(plains.chunks(chunk).nth(at).unwrap_or_default()),
            _ => Err(missing(row.site.value, "a sum of products")),
        });
        let lent: Vec<_> = lent.collect();
        let lent = lent.into_iter().collect::<Outcome<Vec<_>, E>>()?;
        let plains = lent.iter().map(|lent| lent.iter().map(|p| &**p).collect());
        let plains: Vec<Vec<&E::Plain>> = plains.collect();
        let plains: Vec<&[&E::Plain]> = plains.iter().map(Vec::as_slice).collect();
        let parts = e.dots(&first.ciphers(ciphers)?, &plains);
        let parts = parts.map_err(|e| first.failed(e))?;
        if sums.is_empty() {
            sums = parts;
            continue;
        }
        let added = sums.par_iter().zip(&parts);
        let added: Vec<_> = added.map(|(sum, part)| e.add(&[sum, part])).collect();
        let added = added.into_iter().collect::<Result<_, E::Error>>();
        sums = added.map_err(|e| first.failed(e))?;
    }
    Ok(sums)
}

fn with_scalars<E: Evaluator>(
    first: &Operands<'_, '_, E>,
    ciphers: &[Value],
    rows: &[Operands<'_, '_, E>],
) -> Outcome<Vec<E::Cipher>, E> {
    let e = first.live.evaluator;
    let factors = rows.iter().map(|row| match row.site.inst {
        Inst::DotScalar {
            constants, scale, ..
        } => {
            let scale = row.live.scale(row.site.value, scale)?;
            Ok((row.numbers(constants)?, scale))
        }
        _ => Err(missing(row.site.value, "a sum of products")),
    });
    let factors: Vec<_> = factors.collect::<Outcome<_, E>>()?;
    let factors = factors
        .iter()
        .map(|(numbers, scale)| (&numbers[..], *scale));
    let sums = e.dot_scalars(&first.ciphers(ciphers)?, &factors.collect::<Vec<_>>());
    sums.map_err(|e| first.failed(e))
}
