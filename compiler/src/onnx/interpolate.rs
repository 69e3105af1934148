//! Resize and Upsample by linear and cubic interpolation: a matrix of weights per axis.
#![deny(clippy::indexing_slicing)]

use super::along::{Matrix, multiply};
use super::builder::Builder;
use super::call::{Call, Value};
use super::problem::Problem;
use super::resize::{Plan, Sampling};

/// How pixels between those of the image are made.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filter {
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
    pub(super) fn new(call: &Call, mode: &str) -> Result<Self, Problem> {
        match mode {
            "linear" | "bilinear" => Ok(Self::Linear),
            "cubic" => Ok(Self::Cubic {
                a: call.float_or("cubic_coeff_a", -0.75)?,
                exclude_outside: call.flag("exclude_outside", false)?,
            }),
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

/// The image with these axes interpolated.
pub(super) fn resize(
    b: &mut Builder,
    call: &Call,
    filter: Filter,
    (axes, plans): (&[usize], &[Plan]),
) -> Result<Value, Problem> {
    let x = call.encrypted(0, "the image")?;
    let shrinks = plans.iter().any(|plan| plan.scale < 1.0);
    if call.flag("antialias", false)? && shrinks {
        return Err(Problem::Attribute {
            name: "antialias",
            found: "1".to_owned(),
            supported: "0",
        });
    }
    let sampling = Sampling::new(call)?;
    let mut target = b.dims(x);
    let mut matrices = Vec::new();
    for (&axis, plan) in axes.iter().zip(plans) {
        if let Some(dim) = target.get_mut(axis) {
            *dim = plan.output;
        }
        if plan.input == plan.output && plan.scale == 1.0 {
            continue;
        }
        let matrix = Matrix::new(b, [plan.output, plan.input], |row| {
            filter.taps(sampling.coordinate(plan, f64::from(row)), plan.input)
        })?;
        matrices.push((axis, matrix));
    }
    b.check_size(&target)?;
    matrices.sort_by_key(|(axis, _)| *axis);
    let y = multiply(b, x, matrices)?;
    b.reshaped(&Value::Encrypted(y), &target)
}
