//! Resize and Upsample: by nearest neighbour a table of source pixels per axis; `interpolate` has the others.
#![deny(clippy::indexing_slicing)]

use super::coordinates::{Coordinates, Line};
use super::interpolate;
use super::lines::{is_old, lines};
use super::row::{Lowering, Operator};
use crate::onnx::build::{Builder, Call, Movement, Value, dims};
use crate::onnx::fold::library;
use crate::onnx::problems::Problem;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::encrypted("Resize", resize).of_constants(Lowering::Many(of_constants)),
        Operator::encrypted("Upsample", resize).of_constants(Lowering::Many(of_constants)),
    ]
}

/// Resize; before opset 11 and as Upsample with fixed coordinates.
pub(in crate::onnx) fn resize(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
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

/// Constants are moved as encrypted values are, and interpolated by the library.
fn of_constants(b: &mut Builder, call: &Call) -> Result<Vec<Value>, Problem> {
    match call.string_or("mode", "nearest") {
        Ok(mode) if mode != "nearest" => library::evaluate(b, call),
        _ => resize(b, call).map(|value| vec![value]),
    }
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
    /// not round in the same order: half_pixel_symmetric with a scale that moves the centre or is no short binary fraction.
    fn check_decided(&self, line: &Line, at: f32) -> Result<(), Problem> {
        let whole = f64::from(line.scale) * f64::from(line.input) == f64::from(line.output);
        let exact = whole && (64.0 * line.scale).fract() == 0.0;
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
