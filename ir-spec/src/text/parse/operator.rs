//! Operators.

use super::cursor::{Cursor, Parsed};
use crate::circuit::Operator;
use crate::linear::{
    AveragePool, AxisMap, Contract, Conv2d, Gather, LinearKind, LinearMap, Window,
};
use crate::text::error::ParseCause;
use crate::text::lexer::Kind;
use crate::verify::MAX_TABLE;

/// What follows `op0 =`. Gather tables add to `entries`, which is bounded.
pub(super) fn parse_operator(cursor: &mut Cursor<'_>, entries: &mut usize) -> Parsed<Operator> {
    let at = cursor.token();
    let Kind::Word(keyword) = at.kind else {
        return Err(cursor.expected("an operator"));
    };
    cursor.advance();
    match keyword {
        "broadcast" => Ok(Operator::Broadcast {
            tensor: cursor.entity()?,
            shape: cursor.shape()?,
            layout: cursor.entity()?,
        }),
        "conv2d" => {
            let weight = cursor.entity()?;
            linear(cursor, |cursor| {
                Ok(LinearKind::Conv2d(Conv2d {
                    weight,
                    window: window(cursor)?,
                    groups: cursor.number_attribute("groups")?,
                }))
            })
        }
        "average_pool" => linear(cursor, |cursor| {
            Ok(LinearKind::AveragePool(AveragePool {
                window: window(cursor)?,
                padding_counts: end_pads(cursor)?,
            }))
        }),
        "contract" => {
            let weight = cursor.entity()?;
            linear(cursor, |cursor| {
                Ok(LinearKind::Contract(Contract {
                    weight,
                    outer: cursor.number_attribute("outer")?,
                    groups: cursor.number_attribute("groups")?,
                    rows: cursor.number_attribute("rows")?,
                    m: cursor.number_attribute("m")?,
                    k: cursor.number_attribute("k")?,
                    inner: cursor.number_attribute("inner")?,
                }))
            })
        }
        "scale" => {
            let weight = cursor.entity()?;
            linear(cursor, |_| Ok(LinearKind::Scale(weight)))
        }
        "gather" => linear(cursor, |cursor| gather(cursor, entries)),
        _ => Err(cursor.expected_at(at, "an operator")),
    }
}

/// `[1, 1, 4, 4] l0 -> [1, 1, 4, 4] l0` and the attributes.
fn linear<'s>(
    cursor: &mut Cursor<'s>,
    kind: impl FnOnce(&mut Cursor<'s>) -> Parsed<LinearKind>,
) -> Parsed<Operator> {
    let (input_shape, input) = (cursor.shape()?, cursor.entity()?);
    cursor.mark("->")?;
    let (output_shape, output) = (cursor.shape()?, cursor.entity()?);
    let map = LinearMap {
        kind: kind(cursor)?,
        input: input_shape,
        output: output_shape,
    };
    let fold = match cursor.token().kind {
        Kind::Word("fold") => cursor.number_attribute("fold")?,
        _ => 1,
    };
    Ok(Operator::Linear {
        map,
        input,
        output,
        fold,
    })
}

fn window(cursor: &mut Cursor<'_>) -> Parsed<Window> {
    Ok(Window {
        kernel: cursor.array_attribute("kernel")?,
        strides: cursor.array_attribute("strides")?,
        pads: cursor.array_attribute("pads")?,
        dilations: cursor.array_attribute("dilations")?,
    })
}

fn end_pads(cursor: &mut Cursor<'_>) -> Parsed<Option<[u32; 2]>> {
    if cursor.token().kind != Kind::Word("end_pads") {
        return Ok(None);
    }
    cursor.array_attribute("end_pads").map(Some)
}

/// `axes=[0(0..=3), 2(_*1, 0..=3, _*1)]`.
fn gather(cursor: &mut Cursor<'_>, entries: &mut usize) -> Parsed<LinearKind> {
    cursor.attribute("axes")?;
    let axes = cursor.list(|cursor| {
        let output_axis = cursor.u32()?;
        cursor.mark("(")?;
        let mut table = Vec::new();
        cursor.until(")", |cursor| run(cursor, &mut table, entries))?;
        Ok(AxisMap { output_axis, table })
    })?;
    Ok(LinearKind::Gather(Gather { axes }))
}

/// `7`, `7*3` (three times), `0..=7`, `7..=1/2` (from 7 down in steps of 2), `_` and `_*3` (zeros).
fn run(cursor: &mut Cursor<'_>, table: &mut Vec<Option<u32>>, entries: &mut usize) -> Parsed<()> {
    let at = cursor.token();
    let first = if cursor.accept_word("_") {
        None
    } else {
        Some(cursor.number::<u32>("a coordinate or `_`")?)
    };
    let (last, step, count) = match first {
        Some(first) if cursor.accept("..=") => {
            let last = cursor.u32()?;
            let step = if cursor.accept("/") { cursor.u32()? } else { 1 };
            let distance = first.abs_diff(last);
            if step == 0 || distance % step != 0 {
                return Err(cursor.expected_at(at, "a range of whole steps"));
            }
            (Some(last), step, u64::from(distance / step) + 1)
        }
        _ if cursor.accept("*") => (first, 0, u64::from(cursor.u32()?)),
        _ => (first, 0, 1),
    };
    let room = MAX_TABLE.saturating_sub(*entries) as u64;
    if count > room {
        return Err(cursor.error(at, ParseCause::Tables));
    }
    *entries += count as usize;
    let down = last < first;
    let entry = |i: u32| {
        let offset = i.saturating_mul(step);
        first.map(|at| {
            if down {
                at.saturating_sub(offset)
            } else {
                at.saturating_add(offset)
            }
        })
    };
    table.extend((0..count as u32).map(entry));
    Ok(())
}
