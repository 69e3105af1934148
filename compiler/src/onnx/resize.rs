//! Resize and Upsample: by nearest neighbour a table of source pixels per axis; `interpolate` has the others.
#![deny(clippy::indexing_slicing)]

use super::arithmetic::dims;
use super::builder::Builder;
use super::call::{self, Call, Value};
use super::interpolate::{self, Filter};
use super::movement::Movement;
use super::moves::extents;
use super::problem::Problem;

/// Resize; before opset 11 and as Upsample with fixed coordinates.
pub(super) fn resize(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the image")?;
    let dims = dims(b, x);
    let mode = call.string_or("mode", "nearest")?;
    let axes = match call.ints("axes")? {
        Some(list) => call::axes(list, dims.len())?,
        None => (0..dims.len()).collect(),
    };
    let picked: Vec<u32> = (axes.iter())
        .filter_map(|&a| dims.get(a).copied())
        .collect();
    let plans = match sizes(call)? {
        Some(sizes) => by_size(call, &picked, &sizes)?,
        None => by_scale(&picked, &scales(call)?)?,
    };
    if mode != "nearest" {
        let filter = Filter::new(call, &mode)?;
        return interpolate::resize(b, call, filter, (&axes, &plans));
    }
    let mut target = dims.clone();
    for (&axis, plan) in axes.iter().zip(&plans) {
        if let Some(dim) = target.get_mut(axis) {
            *dim = plan.output;
        }
    }
    b.check_size(&target)?;
    let sampling = Sampling::new(call)?;
    let tables = (axes.iter().zip(&plans))
        .map(|(&axis, plan)| (axis, sampling.table(plan)))
        .collect();
    b.moved(x, Movement::along(&dims, tables)?)
}

/// One axis: `input` pixels become `output`, `scale` apart.
pub(super) struct Plan {
    pub(super) input: u32,
    pub(super) output: u32,
    pub(super) scale: f64,
}

/// The sizes asked for, if they are.
fn sizes(call: &Call) -> Result<Option<Vec<u32>>, Problem> {
    match call.optional_constant(3, "the sizes")? {
        Some(c) if c.len() > 0 => extents(call, 3, "the sizes").map(Some),
        _ => Ok(None),
    }
}

/// The scales: an attribute, the second operand of old opsets, the third of new ones.
fn scales(call: &Call) -> Result<Vec<f64>, Problem> {
    if let Some(list) = call.floats("scales")? {
        return Ok(list.iter().map(|&s| f64::from(s)).collect());
    }
    let operand = if call.opset < 11 || call.node.op_type == "Upsample" {
        1
    } else {
        2
    };
    let scales = call.constant(operand, "the scales")?;
    if scales.len() > 64 {
        return Err(Problem::Operand {
            role: "the scales",
            found: format!("{} numbers", scales.len()),
            expected: "one per axis",
        });
    }
    Ok(scales.values().collect())
}

fn wrong_count(found: usize, expected: usize) -> Problem {
    Problem::Mismatch {
        what: "the number of scales or sizes",
        found: found.to_string(),
        expected: expected.to_string(),
    }
}

fn by_scale(dims: &[u32], scales: &[f64]) -> Result<Vec<Plan>, Problem> {
    if scales.len() != dims.len() {
        return Err(wrong_count(scales.len(), dims.len()));
    }
    (dims.iter().zip(scales))
        .map(|(&input, &scale)| {
            // In single precision, as other implementations do: 10 * 0.7 is 7.
            let output = (input as f32 * scale as f32).floor();
            if !(scale > 0.0 && (1.0..1e9).contains(&output)) {
                return Err(Problem::Operand {
                    role: "a scale",
                    found: scale.to_string(),
                    expected: "one that leaves at least one pixel",
                });
            }
            Ok(Plan {
                input,
                output: output as u32,
                scale,
            })
        })
        .collect()
}

fn by_size(call: &Call, dims: &[u32], sizes: &[u32]) -> Result<Vec<Plan>, Problem> {
    if sizes.len() != dims.len() {
        return Err(wrong_count(sizes.len(), dims.len()));
    }
    let scales = dims
        .iter()
        .zip(sizes)
        .map(|(&d, &s)| f64::from(s) / f64::from(d));
    let common = match call
        .string_or("keep_aspect_ratio_policy", "stretch")?
        .as_str()
    {
        "stretch" => None,
        "not_larger" => Some(scales.clone().fold(f64::INFINITY, f64::min)),
        "not_smaller" => Some(scales.clone().fold(0.0, f64::max)),
        policy => {
            return Err(Problem::Attribute {
                name: "keep_aspect_ratio_policy",
                found: policy.to_owned(),
                supported: "stretch, not_larger, not_smaller",
            });
        }
    };
    let plan = |((&input, &size), scale): ((&u32, &u32), f64)| match common {
        None => Plan {
            input,
            output: size,
            scale,
        },
        Some(scale) => Plan {
            input,
            output: (f64::from(input) * scale + 0.5).floor() as u32,
            scale,
        },
    };
    Ok(dims.iter().zip(sizes).zip(scales).map(plan).collect())
}

/// How a pixel of the result finds its source.
pub(super) struct Sampling {
    coordinates: String,
    rounding: fn(f64) -> f64,
}

impl Sampling {
    pub(super) fn new(call: &Call) -> Result<Self, Problem> {
        let old = call.opset < 11 || call.node.op_type == "Upsample";
        let (coordinates, rounding) = if old {
            ("asymmetric", "floor")
        } else {
            ("half_pixel", "round_prefer_floor")
        };
        let coordinates = call.string_or("coordinate_transformation_mode", coordinates)?;
        let known = [
            "half_pixel",
            "half_pixel_symmetric",
            "pytorch_half_pixel",
            "align_corners",
            "asymmetric",
        ];
        if !known.contains(&coordinates.as_str()) {
            return Err(Problem::Attribute {
                name: "coordinate_transformation_mode",
                found: coordinates,
                supported: "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric",
            });
        }
        let rounding = match call.string_or("nearest_mode", rounding)?.as_str() {
            "round_prefer_floor" => |x: f64| (x - 0.5).ceil(),
            "round_prefer_ceil" => |x: f64| (x + 0.5).floor(),
            "floor" => f64::floor,
            "ceil" => f64::ceil,
            mode => {
                return Err(Problem::Attribute {
                    name: "nearest_mode",
                    found: mode.to_owned(),
                    supported: "round_prefer_floor, round_prefer_ceil, floor, ceil",
                });
            }
        };
        Ok(Self {
            coordinates,
            rounding,
        })
    }

    fn table(&self, plan: &Plan) -> Vec<Option<u32>> {
        let last = f64::from(plan.input) - 1.0;
        (0..plan.output)
            .map(|i| {
                let source = (self.rounding)(self.coordinate(plan, f64::from(i)));
                Some(source.clamp(0.0, last.max(0.0)) as u32)
            })
            .collect()
    }

    /// The point of the source that pixel `i` of the result looks at.
    pub(super) fn coordinate(&self, plan: &Plan, i: f64) -> f64 {
        let (input, output) = (f64::from(plan.input), f64::from(plan.output));
        let half_pixel = (i + 0.5) / plan.scale - 0.5;
        match self.coordinates.as_str() {
            "asymmetric" => i / plan.scale,
            "align_corners" if output > 1.0 => i * (input - 1.0) / (output - 1.0),
            "align_corners" => 0.0,
            "pytorch_half_pixel" if output <= 1.0 => 0.0,
            "half_pixel_symmetric" => {
                let adjustment = output / (plan.scale * input);
                input / 2.0 * (1.0 - adjustment) + half_pixel
            }
            _ => half_pixel,
        }
    }
}
