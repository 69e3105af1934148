//! Linear operators as text.

use super::List;
use crate::entity::{LayoutId, TensorId};
use crate::linear::{AxisMap, LinearMap, Window, WriteFields};
use std::fmt::{self, Formatter};

/// `conv2d w0 [1, 1, 4, 4] l0 -> [1, 1, 4, 4] l0 kernel=[3, 3] ...`.
pub(super) fn linear(
    map: &LinearMap,
    input: LayoutId,
    output: LayoutId,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    f.write_str(map.keyword())?;
    if let Some(weight) = map.weight() {
        write!(f, " {weight}")?;
    }
    write!(f, " {} {input} -> {} {output}", map.input, map.output)?;
    map.write_fields(&mut Attributes(f))
}

/// Writes fields as ` name=value`; the weight stands before the shapes.
struct Attributes<'f, 'w>(&'f mut Formatter<'w>);

impl WriteFields for Attributes<'_, '_> {
    type Error = fmt::Error;

    fn weight(&mut self, _: u32, _: TensorId) -> fmt::Result {
        Ok(())
    }

    fn number(&mut self, _: u32, name: &'static str, number: u32) -> fmt::Result {
        write!(self.0, " {name}={number}")
    }

    fn window(&mut self, _: u32, window: &Window) -> fmt::Result {
        let Window {
            kernel,
            strides,
            pads,
            dilations,
        } = window;
        write!(self.0, " kernel={} strides={}", List(kernel), List(strides))?;
        write!(self.0, " pads={} dilations={}", List(pads), List(dilations))
    }

    fn optional_pair(&mut self, _: u32, name: &'static str, pair: Option<[u32; 2]>) -> fmt::Result {
        match pair {
            Some(pair) => write!(self.0, " {name}={}", List(&pair)),
            None => Ok(()),
        }
    }

    fn axes(&mut self, _: u32, name: &'static str, axes: &[AxisMap]) -> fmt::Result {
        write_axes(name, axes, self.0)
    }
}

/// `axes=[0(0..=3), 2(_*1, 0..=3, _*1)]`.
fn write_axes(name: &str, axes: &[AxisMap], f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, " {name}=[")?;
    for (i, axis) in axes.iter().enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        write!(f, "{separator}{}(", axis.output_axis)?;
        write_table(&axis.table, f)?;
        f.write_str(")")?;
    }
    f.write_str("]")
}

fn write_table(table: &[Option<u32>], f: &mut Formatter<'_>) -> fmt::Result {
    let mut rest = table;
    while let Some((run, tail)) = Run::split_first(rest) {
        let separator = if tail.is_empty() { "" } else { ", " };
        match run {
            Run::Zeros { count: 1 } => f.write_str("_")?,
            Run::Zeros { count } => write!(f, "_*{count}")?,
            Run::Constant { at, count: 1 } => write!(f, "{at}")?,
            Run::Constant { at, count } => write!(f, "{at}*{count}")?,
            Run::Range {
                first,
                last,
                step: 1,
            } => write!(f, "{first}..={last}")?,
            Run::Range { first, last, step } => write!(f, "{first}..={last}/{step}")?,
        }
        f.write_str(separator)?;
        rest = tail;
    }
    Ok(())
}

/// A stretch of a table with one spelling.
enum Run {
    Zeros { count: usize },
    Constant { at: u32, count: usize },
    Range { first: u32, last: u32, step: u32 },
}

impl Run {
    /// The longest run the table begins with, and what follows.
    fn split_first(table: &[Option<u32>]) -> Option<(Self, &[Option<u32>])> {
        let &first = table.first()?;
        let same = table.iter().take_while(|&&e| e == first).count();
        let Some(at) = first else {
            return Some((Self::Zeros { count: same }, table.get(same..)?));
        };
        let step = match table.get(1) {
            Some(&Some(next)) if same == 1 => i64::from(next) - i64::from(at),
            _ => 0,
        };
        let expected = |i: usize| i64::from(at) + step * i as i64;
        let length = table
            .iter()
            .enumerate()
            .take_while(|(i, e)| e.is_some_and(|e| i64::from(e) == expected(*i)))
            .count();
        // Two numbers alone are clearer than a range with a step.
        if step == 0 || (length == 2 && step != 1) {
            return Some((Self::Constant { at, count: same }, table.get(same..)?));
        }
        let last = table.get(length - 1).copied().flatten()?;
        let run = Self::Range {
            first: at,
            last,
            step: step.unsigned_abs() as u32,
        };
        Some((run, table.get(length..)?))
    }
}
