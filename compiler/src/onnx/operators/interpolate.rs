//! Resize and Upsample by linear and cubic interpolation: a matrix of weights per axis.
#![deny(clippy::indexing_slicing)]

use super::along::{Matrix, multiply};
use super::coordinates::Coordinates;
use super::lines::lines;
use crate::onnx::build::{Builder, Call, Value};
use crate::onnx::format::elements;
use crate::onnx::problems::Problem;
use petgraph::graph::NodeIndex;

/// How pixels between those of the image are made.
#[derive(Clone, Copy, Debug)]
pub(in crate::onnx) enum Filter {
    /// Between two neighbours, along a line.
    Linear,
    /// Between four neighbours.
    Cubic {
        /// The coefficient a of [Keys 1981](https://doi.org/10.1109/TASSP.1981.1163711).
        a: f64,
        /// Whether pixels beyond the image have no weight, instead of the value at the border.
        exclude_outside: bool,
    },
}

impl Filter {
    pub(in crate::onnx) fn new(call: &Call, mode: &str) -> Result<Self, Problem> {
        match mode {
            // The other attributes of Resize are about the other modes.
            "linear" | "bilinear" => {
                call.float("cubic_coeff_a")?;
                call.flag("exclude_outside", false)?;
                call.string_or("nearest_mode", "")?;
                Ok(Self::Linear)
            }
            "cubic" => {
                call.string_or("nearest_mode", "")?;
                Ok(Self::Cubic {
                    a: call.float_or("cubic_coeff_a", -0.75)?,
                    exclude_outside: call.flag("exclude_outside", false)?,
                })
            }
            other => Err(Problem::Attribute {
                name: "mode",
                found: other.to_owned(),
                supported: "nearest, linear, cubic",
            }),
        }
    }

    /// The pixels around a point and their weights.
    fn taps(self, at: f64, extent: u32) -> Vec<(u32, f64)> {
        let last = f64::from(extent) - 1.0;
        let inside = |pixel: f64| pixel.clamp(0.0, last) as u32;
        match self {
            Self::Linear => {
                let at = at.clamp(0.0, last);
                let part = at - at.floor();
                vec![
                    (inside(at.floor()), 1.0 - part),
                    (inside(at.floor() + 1.0), part),
                ]
            }
            Self::Cubic { a, exclude_outside } => {
                let pixels = [-1.0, 0.0, 1.0, 2.0].map(|offset| at.floor() + offset);
                let kept = |pixel: &f64| !exclude_outside || (0.0..=last).contains(pixel);
                let pixels = pixels.into_iter().filter(kept);
                let weights: Vec<(f64, f64)> = pixels.map(|p| (p, cubic(a, at - p))).collect();
                let total: f64 = weights.iter().map(|(_, w)| w).sum();
                weights
                    .iter()
                    .map(|&(p, w)| (inside(p), w / total))
                    .collect()
            }
        }
    }
}

/// The weight of a pixel at a distance.
fn cubic(a: f64, distance: f64) -> f64 {
    let x = distance.abs();
    if x <= 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
    } else {
        0.0
    }
}

/// The image with its axes interpolated.
pub(in crate::onnx) fn resize(b: &mut Builder, call: &Call, mode: &str) -> Result<Value, Problem> {
    let filter = Filter::new(call, mode)?;
    let x = call.encrypted(0, "the image")?;
    let (axes, lines) = lines(call, &b.dims(x))?;
    let shrinks = lines.iter().any(|line| line.scale < 1.0);
    if call.flag("antialias", false)? && shrinks {
        return Err(Problem::Attribute {
            name: "antialias",
            found: "1".to_owned(),
            supported: "0",
        });
    }
    let old = call.opset < 11 || call.node.op_type == "Upsample";
    let coordinates = match old {
        true => Coordinates::Asymmetric,
        false => Coordinates::new(call, "half_pixel")?,
    };
    let crops = coordinates == Coordinates::TfCropAndResize;
    let fill = call.float_or("extrapolation_value", 0.0)?;
    let mut target = b.dims(x);
    let (mut matrices, mut outside) = (Vec::new(), Vec::new());
    for (&axis, line) in axes.iter().zip(&lines) {
        if let Some(dim) = target.get_mut(axis) {
            *dim = line.output;
        }
        b.check_size(&target)?;
        if line.input == line.output && line.scale == 1.0 && !crops {
            continue;
        }
        let at = |row| f64::from(coordinates.source(line, row));
        let inside = |row| !crops || (0.0..=f64::from(line.input) - 1.0).contains(&at(row));
        let matrix = Matrix::new(b, [line.output, line.input], |row| match inside(row) {
            true => filter.taps(at(row), line.input),
            false => Vec::new(),
        })?;
        let beyond: Vec<u32> = (0..line.output).filter(|&row| !inside(row)).collect();
        outside.push((axis, beyond));
        matrices.push((axis, matrix));
    }
    matrices.sort_by_key(|(axis, _)| *axis);
    let y = multiply(b, x, matrices)?;
    let y = b.reshaped(&Value::Encrypted(y), &target)?;
    match (
        y,
        fill != 0.0 && outside.iter().any(|(_, rows)| !rows.is_empty()),
    ) {
        (Value::Encrypted(y), true) => filled(b, y, (&target, &outside), fill),
        (y, _) => Ok(y),
    }
}

/// `y` with a value where a coordinate is outside of the image.
fn filled(
    b: &mut Builder,
    y: NodeIndex,
    (dims, outside): (&[u32], &[(usize, Vec<u32>)]),
    fill: f64,
) -> Result<Value, Problem> {
    let fills = |flat: usize| {
        let mut rest = flat;
        let mut is_outside = false;
        for (axis, &dim) in dims.iter().enumerate().rev() {
            let at = (rest % dim as usize) as u32;
            rest /= dim as usize;
            is_outside |= outside
                .iter()
                .any(|(a, rows)| *a == axis && rows.contains(&at));
        }
        if is_outside { fill } else { 0.0 }
    };
    let data = || (0..elements(dims) as usize).map(fills).collect();
    let coefficients = vec![b.tensor("extrapolation", dims, data)?, b.scalar(1.0)?];
    Ok(Value::Encrypted(b.polynomial(y, coefficients)?))
}
