//! Functions, and the imports and exports of fragments.

use super::column::{Column, Differences};
use super::error::DecodeError;
use super::wire;
use crate::entity::Value;
use crate::fingerprint::Fingerprint;
use crate::fragment::{Fragment, Link};
use crate::function::Function;

pub(super) fn encode_function(function: &Function) -> wire::Function {
    let Function { name, end, results } = function;
    wire::Function {
        name: name.clone(),
        end: end.0,
        results: Differences::of(results.iter().map(|value| value.0)),
    }
}

pub(super) fn decode_function(function: wire::Function) -> Result<Function, DecodeError> {
    let wire::Function { name, end, results } = function;
    Ok(Function {
        name,
        end: Value(end),
        results: values("results", &results)?,
    })
}

pub(super) fn encode_fragment(fragment: &Fragment) -> wire::Fragment {
    let Fragment {
        whole,
        imports,
        exports,
    } = fragment;
    wire::Fragment {
        whole: whole.0.to_vec(),
        imports: Some(encode_links(imports)),
        exports: Some(encode_links(exports)),
    }
}

pub(super) fn decode_fragment(fragment: wire::Fragment) -> Result<Fragment, DecodeError> {
    let wire::Fragment {
        whole,
        imports,
        exports,
    } = fragment;
    let whole: [u8; 32] = whole
        .try_into()
        .map_err(|whole: Vec<u8>| DecodeError::Length {
            field: "fingerprint of the circuit that was cut",
            found: whole.len(),
            expected: 32,
        })?;
    Ok(Fragment {
        whole: Fingerprint(whole),
        imports: decode_links(imports)?,
        exports: decode_links(exports)?,
    })
}

fn encode_links(links: &[Link]) -> wire::Links {
    let column = |part: fn(&Link) -> Value| Differences::of(links.iter().map(|link| part(link).0));
    wire::Links {
        values: column(|link| link.value),
        wholes: column(|link| link.whole),
    }
}

fn decode_links(links: Option<wire::Links>) -> Result<Vec<Link>, DecodeError> {
    let wire::Links {
        values: inner,
        wholes,
    } = links.unwrap_or_default();
    if inner.len() != wholes.len() {
        return Err(DecodeError::Length {
            field: "links",
            found: wholes.len(),
            expected: inner.len(),
        });
    }
    let inner = values("values of links", &inner)?.into_iter();
    let wholes = values("values of links", &wholes)?.into_iter();
    let link = |(value, whole)| Link { value, whole };
    Ok(inner.zip(wholes).map(link).collect())
}

fn values(name: &'static str, column: &[i64]) -> Result<Vec<Value>, DecodeError> {
    let mut numbers = Column::new(name, column);
    let values = column.iter().map(|_| numbers.next_number().map(Value));
    values.collect()
}
