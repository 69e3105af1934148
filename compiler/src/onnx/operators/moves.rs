//! Operators that move elements along axes: Transpose, Expand, Tile, Slice, Pad, Gather.
#![deny(clippy::indexing_slicing)]

use super::row::{Client, Operator};
use crate::onnx::build::{Builder, Call, Movement, Value, broadcast, dims, extents};
use crate::onnx::format::Constant;
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::any("Transpose", transpose).at_client(Client::Moves),
        Operator::any("Slice", slice).at_client(Client::Moves),
        Operator::any("Gather", gather).at_client(Client::Moves),
        Operator::any("Expand", expand),
        Operator::any("Tile", tile),
        Operator::any("Pad", pad),
    ]
}

/// Transpose; the default reverses all axes.
pub(in crate::onnx) fn transpose(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    let permutation = match call.ints("perm")? {
        Some(list) => rank::axes(list, dims.len())?,
        None => (0..dims.len()).rev().collect(),
    };
    if permutation.len() != dims.len() {
        return Err(Problem::Mismatch {
            what: "attribute `perm`",
            found: format!("{permutation:?}"),
            expected: format!("{} axes", dims.len()),
        });
    }
    b.moved(x, Movement::transpose(&dims, &permutation)?)
}

/// Expand: broadcasts to a known shape, in either direction.
pub(in crate::onnx) fn expand(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let shape = extents(call, 1, "the new shape")?;
    let target = broadcast(&dims(b, x), &shape)?;
    b.expanded(x, &target)
}

/// Tile: repeats whole axes.
pub(in crate::onnx) fn tile(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    let repeats = extents(call, 1, "the repeats")?;
    if repeats.len() != dims.len() {
        return Err(Problem::Mismatch {
            what: "the repeats",
            found: format!("{repeats:?}"),
            expected: format!("one per axis of {dims:?}"),
        });
    }
    let target: Vec<u32> = (dims.iter().zip(&repeats))
        .map(|(d, r)| d.saturating_mul(*r))
        .collect();
    b.check_size(&target)?;
    let tables = (dims.iter().zip(&target).enumerate())
        .map(|(i, (&d, &t))| (i, (0..t).map(|j| Some(j % d.max(1))).collect()))
        .collect();
    b.moved(x, Movement::along(&dims, tables)?)
}

/// Slice, with any step but 0.
pub(in crate::onnx) fn slice(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    let missing = |role| Problem::MissingOperand { role };
    // A constant that is one number everywhere is cut without tables.
    let splat = match x {
        Value::Known(c) if c.is_splat() => Some(c),
        _ => None,
    };
    if splat.is_none() {
        b.check_size(&dims)?;
    }
    let starts = call
        .list("starts", 1, "the starts")?
        .ok_or(missing("the starts"))?;
    let ends = call
        .list("ends", 2, "the ends")?
        .ok_or(missing("the ends"))?;
    let all: Vec<i64> = (0..starts.len() as i64).collect();
    let named = call.list("axes", 3, "the axes")?.unwrap_or(all);
    let axes = rank::axes(&named, dims.len())?;
    let steps = match call.optional_constant(4, "the steps")? {
        Some(c) => c.list_of_integers("the steps")?,
        None => vec![1; starts.len()],
    };
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Problem::Mismatch {
            what: "the slice",
            found: format!("{starts:?} to {ends:?} by {steps:?} on {named:?}"),
            expected: "lists of equal length".to_owned(),
        });
    }
    let mut tables = Vec::new();
    let mut target = dims.clone();
    for (((&axis, &start), &end), &step) in axes.iter().zip(&starts).zip(&ends).zip(&steps) {
        let extent = dims.get(axis).copied().unwrap_or(1);
        let cut = Cut::new(extent, start, end, step)?;
        if let Some(dim) = target.get_mut(axis) {
            *dim = cut.count;
        }
        if splat.is_none() {
            tables.push((axis, cut.table()));
        }
    }
    if let Some(c) = splat {
        let cut = Constant::splat(c.name.clone(), c.element, target, c.at(0));
        return Ok(Value::Known(cut));
    }
    b.moved(x, Movement::along(&dims, tables)?)
}

/// The coordinates that a slice keeps along an axis.
struct Cut {
    start: i64,
    step: i64,
    count: u32,
}

impl Cut {
    fn new(extent: u32, start: i64, end: i64, step: i64) -> Result<Self, Problem> {
        if step == 0 {
            return Err(Problem::Operand {
                role: "a step",
                found: "0".to_owned(),
                expected: "a number other than 0",
            });
        }
        let n = i64::from(extent);
        let from_front = |v: i64| if v < 0 { v.saturating_add(n) } else { v };
        let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
        let start = from_front(start).clamp(low.max(0), high.max(0));
        let end = from_front(end).clamp(low, high.max(low));
        let distance = if step > 0 { end - start } else { start - end };
        let count = match extent {
            0 => 0,
            _ => (distance.max(0) as u64).div_ceil(step.unsigned_abs()) as u32,
        };
        Ok(Self { start, step, count })
    }

    fn table(&self) -> Vec<Option<u32>> {
        let at = |i: u32| {
            self.start
                .saturating_add(self.step.saturating_mul(i64::from(i)))
        };
        (0..self.count).map(|i| Some(at(i) as u32)).collect()
    }
}

/// Pad by a constant, or with elements of the operand.
pub(in crate::onnx) fn pad(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    let pads = call
        .list("pads", 1, "the pads")?
        .ok_or(Problem::MissingOperand { role: "the pads" })?;
    let fill = match call.float("value")? {
        Some(value) => value,
        None => match call.optional_constant(2, "the value")? {
            Some(c) if c.len() == 1 => c.at(0),
            Some(c) => {
                return Err(Problem::Operand {
                    role: "the value",
                    found: format!("{} numbers", c.len()),
                    expected: "one number",
                });
            }
            None => 0.0,
        },
    };
    let axes = match call.optional_constant(3, "the axes")? {
        Some(c) => rank::axes(&c.list_of_integers("the axes")?, dims.len())?,
        None => (0..dims.len()).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(Problem::Mismatch {
            what: "the pads",
            found: format!("{pads:?}"),
            expected: "two per axis".to_owned(),
        });
    }
    let mode = Mode::new(call)?;
    let (begins, ends) = pads.split_at(axes.len());
    let mut target = dims.clone();
    let mut paddings = Vec::new();
    for ((&axis, &begin), &end) in axes.iter().zip(begins).zip(ends) {
        if let Some(dim) = target.get_mut(axis) {
            let padding = Padding::new(*dim, begin, end)?;
            *dim = u32::try_from(padding.extent()).unwrap_or(u32::MAX);
            paddings.push((axis, padding));
        }
    }
    b.check_size(&target)?;
    let mut tables = Vec::new();
    for (axis, padding) in paddings {
        tables.push((axis, padding.table(mode)?));
    }
    b.moved_onto(x, Movement::along(&dims, tables)?, fill)
}

/// How an axis goes on where it is padded.
#[derive(Clone, Copy)]
enum Mode {
    Constant,
    Edge,
    Reflect,
    Wrap,
}

impl Mode {
    fn new(call: &Call) -> Result<Self, Problem> {
        let name = call.string_or("mode", "constant")?;
        match name.as_str() {
            "constant" => Ok(Self::Constant),
            "edge" => Ok(Self::Edge),
            "reflect" => Ok(Self::Reflect),
            "wrap" => Ok(Self::Wrap),
            _ => Err(Problem::Attribute {
                name: "mode",
                found: name,
                supported: "constant, edge, wrap, reflect",
            }),
        }
    }
}

/// What Pad does to one axis: negative paddings cut pixels off first, the others continue what is left.
struct Padding {
    /// The first pixel that is left.
    start: i64,
    /// How many are.
    left: i64,
    before: i64,
    after: i64,
}

impl Padding {
    fn new(extent: u32, begin: i64, end: i64) -> Result<Self, Problem> {
        let cut = begin.min(0).saturating_add(end.min(0));
        let left = i64::from(extent).saturating_add(cut);
        if left < 0 {
            return Err(Problem::Mismatch {
                what: "the pads",
                found: format!("{begin} and {end}"),
                expected: format!("to cut off at most {extent}"),
            });
        }
        Ok(Self {
            start: -begin.min(0),
            left,
            before: begin.max(0),
            after: end.max(0),
        })
    }

    fn extent(&self) -> i64 {
        self.left
            .saturating_add(self.before)
            .saturating_add(self.after)
    }

    fn table(&self, mode: Mode) -> Result<Vec<Option<u32>>, Problem> {
        let source = |i: i64| -> Result<Option<u32>, Problem> {
            let at = self.source(mode, i.saturating_sub(self.before))?;
            Ok(at.map(|at| (self.start + at) as u32))
        };
        (0..self.extent()).map(source).collect()
    }

    /// Which of the pixels that are left is continued to coordinate `at`; `None` for the constant.
    fn source(&self, mode: Mode, at: i64) -> Result<Option<i64>, Problem> {
        let left = self.left;
        if (0..left).contains(&at) {
            return Ok(Some(at));
        }
        match mode {
            Mode::Constant => Ok(None),
            Mode::Edge if left > 0 => Ok(Some(at.clamp(0, left - 1))),
            Mode::Wrap if left > 0 => Ok(Some(at.rem_euclid(left))),
            // Reflected once only: further implementations do not agree.
            Mode::Reflect if at > -left && at < 2 * left - 1 => {
                Ok(Some(if at < 0 { -at } else { 2 * (left - 1) - at }))
            }
            Mode::Reflect => Err(Problem::Mismatch {
                what: "the pads",
                found: format!("{} and {}", self.before, self.after),
                expected: format!("less than the {left} pixels to reflect"),
            }),
            Mode::Edge | Mode::Wrap => Err(Problem::Mismatch {
                what: "number of pixels to pad with",
                found: "0".to_owned(),
                expected: "at least 1".to_owned(),
            }),
        }
    }
}

/// Gather with known indices.
pub(in crate::onnx) fn gather(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the operand")?;
    let dims = dims(b, x);
    let axis = rank::axis(call.int_or("axis", 0)?, dims.len(), "axis")?;
    let indices = call.constant(1, "the indices")?;
    let extent = dims.get(axis).copied().unwrap_or(1);
    let table: Result<Vec<Option<u32>>, Problem> = (indices.integers("the indices")?.iter())
        .map(|&i| {
            let from_front = if i < 0 {
                i.saturating_add(i64::from(extent))
            } else {
                i
            };
            u32::try_from(from_front)
                .ok()
                .filter(|&i| i < extent)
                .map(Some)
                .ok_or(Problem::Mismatch {
                    what: "an index",
                    found: i.to_string(),
                    expected: format!("below {extent}"),
                })
        })
        .collect();
    let (before, after) = dims.split_at(axis);
    let after = after.get(1..).unwrap_or(&[]);
    let target = [before, &indices.dims, after].concat();
    let moved = b.moved(x, Movement::along(&dims, vec![(axis, table?)])?)?;
    b.reshaped(&moved, &target)
}
