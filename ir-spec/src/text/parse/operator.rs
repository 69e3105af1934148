//! Operators.

use super::cursor::{Cursor, Parsed};
use crate::circuit::Operator;
use crate::entity::TensorId;
use crate::linear::{AxisMap, FamilyId, LinearMap, ReadFields, Window};
use crate::text::error::{ParseCause, ParseError};
use crate::text::lexer::Kind;
use crate::verify::MAX_TABLE;

/// What follows `op0 =`. Gather tables add to `entries`, which is bounded.
pub(super) fn parse_operator(cursor: &mut Cursor<'_>, entries: &mut usize) -> Parsed<Operator> {
    let at = cursor.token();
    let Kind::Word(keyword) = at.kind else {
        return Err(cursor.expected("an operator"));
    };
    cursor.advance();
    if keyword == "broadcast" {
        return Ok(Operator::Broadcast {
            tensor: cursor.entity()?,
            shape: cursor.shape()?,
            layout: cursor.entity()?,
        });
    }
    let mut families = FamilyId::ALL.iter();
    match families.find(|family| family.keyword() == keyword) {
        Some(family) => linear(cursor, *family, entries),
        None => Err(cursor.expected_at(at, "an operator")),
    }
}

/// `w0 [1, 1, 4, 4] l0 -> [1, 1, 4, 4] l0` and the attributes.
fn linear(cursor: &mut Cursor<'_>, family: FamilyId, entries: &mut usize) -> Parsed<Operator> {
    let weight = if family.has_weight() {
        Some(cursor.entity()?)
    } else {
        None
    };
    let (input_shape, input) = (cursor.shape()?, cursor.entity()?);
    cursor.mark("->")?;
    let (output_shape, output) = (cursor.shape()?, cursor.entity()?);
    let kind = family.read(&mut Attributes {
        cursor,
        weight,
        entries,
    })?;
    let fold = match cursor.token().kind {
        Kind::Word("fold") => cursor.number_attribute("fold")?,
        _ => 1,
    };
    let period = match cursor.token().kind {
        Kind::Word("period") => Some(cursor.number_attribute("period")?),
        _ => None,
    };
    Ok(Operator::Linear {
        map: LinearMap {
            kind,
            input: input_shape,
            output: output_shape,
        },
        input,
        output,
        fold,
        period,
    })
}

/// Reads fields as `name=value`; the weight was read before the shapes.
struct Attributes<'c, 's> {
    cursor: &'c mut Cursor<'s>,
    weight: Option<TensorId>,
    entries: &'c mut usize,
}

impl ReadFields for Attributes<'_, '_> {
    type Error = Box<ParseError>;

    fn weight(&mut self, _: u32) -> Parsed<TensorId> {
        self.weight
            .ok_or_else(|| self.cursor.expected("a weight tensor"))
    }

    fn number(&mut self, _: u32, name: &'static str) -> Parsed<u32> {
        self.cursor.number_attribute(name)
    }

    fn window(&mut self, _: u32) -> Parsed<Window> {
        Ok(Window {
            kernel: self.cursor.array_attribute("kernel")?,
            strides: self.cursor.array_attribute("strides")?,
            pads: self.cursor.array_attribute("pads")?,
            dilations: self.cursor.array_attribute("dilations")?,
        })
    }

    fn optional_pair(&mut self, _: u32, name: &'static str) -> Parsed<Option<[u32; 2]>> {
        if self.cursor.token().kind != Kind::Word(name) {
            return Ok(None);
        }
        self.cursor.array_attribute(name).map(Some)
    }

    fn axes(&mut self, _: u32, name: &'static str) -> Parsed<Vec<AxisMap>> {
        self.cursor.attribute(name)?;
        axes(self.cursor, self.entries)
    }
}

/// `[0(0..=3), 2(_*1, 0..=3, _*1)]`.
fn axes(cursor: &mut Cursor<'_>, entries: &mut usize) -> Parsed<Vec<AxisMap>> {
    cursor.list(|cursor| {
        let output_axis = cursor.u32()?;
        cursor.mark("(")?;
        let mut table = Vec::new();
        cursor.until(")", |cursor| run(cursor, &mut table, entries))?;
        Ok(AxisMap { output_axis, table })
    })
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
