//! Which axes Resize changes, and by how much: its scales, sizes and regions, in the forms of every opset.
#![deny(clippy::indexing_slicing)]

use super::coordinates::Line;
use crate::onnx::build::{Call, extents};
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;

/// The axes that change and how.
pub(in crate::onnx) fn lines(
    call: &Call,
    dims: &[u32],
) -> Result<(Vec<usize>, Vec<Line>), Problem> {
    let axes = match call.ints("axes")? {
        Some(list) => rank::axes(list, dims.len())?,
        None => (0..dims.len()).collect(),
    };
    let picked: Vec<u32> = (axes.iter())
        .filter_map(|&a| dims.get(a).copied())
        .collect();
    let policy = Policy::new(call)?;
    let mut lines = match (sizes(call)?, scales(call)?) {
        (Some(sizes), None) => by_size(policy, &picked, &sizes)?,
        (None, Some(scales)) if policy == Policy::Stretch => by_scale(call, &picked, &scales)?,
        (None, Some(_)) => {
            return Err(Problem::Attribute {
                name: "keep_aspect_ratio_policy",
                found: "set, next to scales".to_owned(),
                supported: "stretch there",
            });
        }
        (Some(_), Some(_)) => return Err(given("both given")),
        (None, None) => return Err(given("missing")),
    };
    regions(call, &mut lines)?;
    Ok((axes, lines))
}

fn given(found: &str) -> Problem {
    Problem::Mismatch {
        what: "the scales and the sizes",
        found: found.to_owned(),
        expected: "one of them".to_owned(),
    }
}

/// The sizes asked for, if they are.
fn sizes(call: &Call) -> Result<Option<Vec<u32>>, Problem> {
    match call.optional_constant(3, "the sizes")? {
        Some(c) if c.len() > 0 => extents(call, 3, "the sizes").map(Some),
        _ => Ok(None),
    }
}

/// Whether coordinates are those of Upsample, which the first Resize shares.
pub(super) fn is_old(call: &Call) -> bool {
    call.opset < 11 || call.node.op_type == "Upsample"
}

/// The scales, if there are: an attribute, the second operand of old opsets, the third of new ones.
fn scales(call: &Call) -> Result<Option<Vec<f32>>, Problem> {
    if let Some(list) = call.floats("scales")? {
        return Ok(Some(list.to_vec()));
    }
    let operand = if is_old(call) { 1 } else { 2 };
    let scales = call.optional_constant(operand, "the scales")?;
    let Some(scales) = scales.filter(|c| c.len() > 0) else {
        return Ok(None);
    };
    if scales.len() > 64 {
        return Err(Problem::Operand {
            role: "the scales",
            found: format!("{} numbers", scales.len()),
            expected: "one per axis",
        });
    }
    Ok(Some(scales.values().map(|s| s as f32).collect()))
}

fn check_count(found: usize, expected: usize) -> Result<(), Problem> {
    if found == expected {
        return Ok(());
    }
    Err(Problem::Mismatch {
        what: "the number of scales or sizes",
        found: found.to_string(),
        expected: expected.to_string(),
    })
}

fn by_scale(call: &Call, dims: &[u32], scales: &[f32]) -> Result<Vec<Line>, Problem> {
    check_count(scales.len(), dims.len())?;
    let enlarges = call.node.op_type == "Upsample";
    (dims.iter().zip(scales))
        .map(|(&input, &scale)| {
            // In single precision, as other implementations do: 10 * 0.7 is 7.
            let output = (input as f32 * scale).floor();
            let expected = if enlarges && scale < 1.0 {
                "at least 1"
            } else {
                "one that leaves at least one pixel"
            };
            let least = if enlarges { 1.0 } else { f32::MIN_POSITIVE };
            if !(scale >= least && (1.0..1e9).contains(&output)) {
                return Err(Problem::Operand {
                    role: "a scale",
                    found: scale.to_string(),
                    expected,
                });
            }
            Ok(Line {
                input,
                output: output as u32,
                scale,
                region: [0.0, 1.0],
            })
        })
        .collect()
}

/// What happens to sizes that do not have the image's proportions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Stretch,
    NotLarger,
    NotSmaller,
}

impl Policy {
    fn new(call: &Call) -> Result<Self, Problem> {
        let name = call.string_or("keep_aspect_ratio_policy", "stretch")?;
        match name.as_str() {
            "stretch" => Ok(Self::Stretch),
            "not_larger" => Ok(Self::NotLarger),
            "not_smaller" => Ok(Self::NotSmaller),
            _ => Err(Problem::Attribute {
                name: "keep_aspect_ratio_policy",
                found: name,
                supported: "stretch, not_larger, not_smaller",
            }),
        }
    }

    /// The scale of all axes, when it is one.
    fn common(self, scales: impl Iterator<Item = f32>) -> Option<f32> {
        match self {
            Self::Stretch => None,
            Self::NotLarger => Some(scales.fold(f32::INFINITY, f32::min)),
            Self::NotSmaller => Some(scales.fold(0.0, f32::max)),
        }
    }
}

fn by_size(policy: Policy, dims: &[u32], sizes: &[u32]) -> Result<Vec<Line>, Problem> {
    check_count(sizes.len(), dims.len())?;
    let scales = || (dims.iter().zip(sizes)).map(|(&d, &s)| s as f32 / d as f32);
    let common = policy.common(scales());
    let line = |((&input, &size), scale): ((&u32, &u32), f32)| Line {
        input,
        output: common.map_or(size, |scale| (scale * input as f32).round() as u32),
        scale: common.unwrap_or(scale),
        region: [0.0, 1.0],
    };
    Ok(dims.iter().zip(sizes).zip(scales()).map(line).collect())
}

/// Reads the regions of interest, all starts before all ends; only tf_crop_and_resize looks at them.
fn regions(call: &Call, lines: &mut [Line]) -> Result<(), Problem> {
    if is_old(call) {
        return Ok(());
    }
    let Some(region) = call.optional_constant(1, "the region")? else {
        return Ok(());
    };
    let count = region.len() as usize;
    if count == 0 {
        return Ok(());
    }
    if count != 2 * lines.len() {
        return Err(Problem::Mismatch {
            what: "the region",
            found: format!("{count} numbers"),
            expected: format!("{}, two per axis", 2 * lines.len()),
        });
    }
    let ends = lines.len();
    for (axis, line) in lines.iter_mut().enumerate() {
        line.region = [region.at(axis) as f32, region.at(axis + ends) as f32];
    }
    Ok(())
}
