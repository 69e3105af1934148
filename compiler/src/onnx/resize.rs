//! Resize and Upsample: by nearest neighbour a table of source pixels per axis; `interpolate` has the others.
#![deny(clippy::indexing_slicing)]

use super::arithmetic::dims;
use super::builder::Builder;
use super::call::{self, Call, Value};
use super::coordinates::{Coordinates, Line};
use super::interpolate;
use super::movement::Movement;
use super::moves::extents;
use super::problem::Problem;

/// Resize; before opset 11 and as Upsample with fixed coordinates.
pub(super) fn resize(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.value(0, "the image")?;
    let dims = dims(b, x);
    let mode = call.string_or("mode", "nearest")?;
    if mode != "nearest" {
        return interpolate::resize(b, call, &mode);
    }
    no_filter(call)?;
    let (axes, lines) = lines(call, &dims)?;
    let mut target = dims.clone();
    for (&axis, line) in axes.iter().zip(&lines) {
        if let Some(dim) = target.get_mut(axis) {
            *dim = line.output;
        }
    }
    b.check_size(&target)?;
    if target == dims && lines.iter().any(|line| line.scale != 1.0) {
        return Err(copied(&lines));
    }
    let sampling = Sampling::new(call)?;
    let fill = call.float_or("extrapolation_value", 0.0)?;
    let mut tables = Vec::new();
    for (&axis, line) in axes.iter().zip(&lines) {
        tables.push((axis, sampling.table(line)?));
    }
    b.moved_onto(x, Movement::along(&dims, tables)?, fill)
}

/// Scales that leave every size as it is: ONNX Runtime copies the image then, others sample it.
fn copied(lines: &[Line]) -> Problem {
    let scales: Vec<f32> = lines.iter().map(|line| line.scale).collect();
    Problem::Operand {
        role: "the scales",
        found: format!("{scales:?}, which keep the image's size"),
        expected: "scales of 1 there",
    }
}

/// Refuses what only interpolation has.
fn no_filter(call: &Call) -> Result<(), Problem> {
    for name in ["antialias", "exclude_outside"] {
        if call.flag(name, false)? {
            return Err(Problem::Attribute {
                name,
                found: "1 with `mode` nearest".to_owned(),
                supported: "0 there",
            });
        }
    }
    Ok(())
}

/// The axes that change and how.
pub(super) fn lines(call: &Call, dims: &[u32]) -> Result<(Vec<usize>, Vec<Line>), Problem> {
    let axes = match call.ints("axes")? {
        Some(list) => call::axes(list, dims.len())?,
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
fn is_old(call: &Call) -> bool {
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

/// How a pixel of the result finds its source.
struct Sampling {
    coordinates: Coordinates,
    nearest: Nearest,
}

/// Which of the pixels around a point is taken.
#[derive(Clone, Copy)]
enum Nearest {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
    /// The pixel before when enlarging, after when not: what came before there was a choice.
    Simple,
}

impl Sampling {
    fn new(call: &Call) -> Result<Self, Problem> {
        if is_old(call) {
            return Ok(Self {
                coordinates: Coordinates::Asymmetric,
                nearest: Nearest::Simple,
            });
        }
        let mode = call.string_or("nearest_mode", "round_prefer_floor")?;
        let nearest = match mode.as_str() {
            "round_prefer_floor" => Nearest::PreferFloor,
            "round_prefer_ceil" => Nearest::PreferCeil,
            "floor" => Nearest::Floor,
            "ceil" => Nearest::Ceil,
            _ => {
                return Err(Problem::Attribute {
                    name: "nearest_mode",
                    found: mode,
                    supported: "round_prefer_floor, round_prefer_ceil, floor, ceil",
                });
            }
        };
        Ok(Self {
            coordinates: Coordinates::new(call, "half_pixel")?,
            nearest,
        })
    }

    /// The source of every pixel of an axis; `None` outside of the image, which only a region reaches.
    fn table(&self, line: &Line) -> Result<Vec<Option<u32>>, Problem> {
        let crops = self.coordinates == Coordinates::TfCropAndResize;
        if line.scale == 1.0 {
            // Implementations do not agree whether a region of the same size is cut out.
            if crops && line.region != [0.0, 1.0] {
                return Err(Problem::Operand {
                    role: "the region",
                    found: format!("{:?} of an axis that keeps its size", line.region),
                    expected: "[0, 1] there",
                });
            }
            return Ok((0..line.output).map(Some).collect());
        }
        let last = line.input.saturating_sub(1) as f32;
        let source = |i: u32| {
            let at = self.coordinates.source(line, i);
            self.check_decided(line, at)?;
            let inside = (0.0..=last).contains(&at) || !crops;
            let pixel = self.nearest.pixel(at, line.scale < 1.0);
            Ok(inside.then_some(pixel.clamp(0.0, last) as u32))
        };
        (0..line.output).map(source).collect()
    }

    /// Refuses points so close to the boundary between two pixels that rounding errors decide, where implementations do
    /// not round in the same order: half_pixel_symmetric with a scale that moves the centre or is no binary fraction.
    fn check_decided(&self, line: &Line, at: f32) -> Result<(), Problem> {
        let whole = f64::from(line.scale) * f64::from(line.input) == f64::from(line.output);
        let exact = whole && (0.5 / line.scale).fract() % 0.125 == 0.0;
        if self.coordinates != Coordinates::HalfPixelSymmetric || exact {
            return Ok(());
        }
        let boundary = match self.nearest {
            Nearest::PreferFloor | Nearest::PreferCeil => 0.5,
            Nearest::Floor | Nearest::Ceil | Nearest::Simple => 0.0,
        };
        let distance = (at - boundary) - (at - boundary).round();
        if distance.abs() > 1e-4 {
            return Ok(());
        }
        Err(Problem::Attribute {
            name: "coordinate_transformation_mode",
            found: format!(
                "half_pixel_symmetric with scale {}, where a pixel looks at {at}, between two",
                line.scale
            ),
            supported: "half_pixel there",
        })
    }
}

impl Nearest {
    fn pixel(self, at: f32, shrinks: bool) -> f32 {
        match self {
            Self::PreferFloor if at - at.trunc() == 0.5 => at.trunc(),
            Self::PreferFloor | Self::PreferCeil => at.round(),
            Self::Floor => at.floor(),
            Self::Ceil => at.ceil(),
            Self::Simple if shrinks => at.ceil(),
            Self::Simple => at.trunc(),
        }
    }
}
