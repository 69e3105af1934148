//! Where a pixel of a resized image lies in the image: the coordinate transformations of Resize.
//!
//! Precision and order of operations are those of ONNX Runtime: single precision, but for two modes in parts. Next to a half,
//! the last bit decides which pixel is the nearest.
#![deny(clippy::indexing_slicing)]

use crate::onnx::build::Call;
use crate::onnx::problems::Problem;

/// One axis: `input` pixels become `output`, `scale` apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::onnx) struct Line {
    pub(in crate::onnx) input: u32,
    pub(in crate::onnx) output: u32,
    pub(in crate::onnx) scale: f32,
    /// Start and end of the region of interest, as fractions of the image.
    pub(in crate::onnx) region: [f32; 2],
}

/// A coordinate transformation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::onnx) enum Coordinates {
    Asymmetric,
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    TfHalfPixel,
    AlignCorners,
    TfCropAndResize,
}

const ATTRIBUTE: &str = "coordinate_transformation_mode";

impl Coordinates {
    /// The transformation that a node asks for, `default` when it does not.
    pub(in crate::onnx) fn new(call: &Call, default: &str) -> Result<Self, Problem> {
        let name = call.string_or(ATTRIBUTE, default)?;
        Ok(match name.as_str() {
            "asymmetric" => Self::Asymmetric,
            "half_pixel" => Self::HalfPixel,
            "half_pixel_symmetric" => Self::HalfPixelSymmetric,
            "pytorch_half_pixel" => Self::PytorchHalfPixel,
            "tf_half_pixel_for_nn" => Self::TfHalfPixel,
            "align_corners" => Self::AlignCorners,
            "tf_crop_and_resize" => Self::TfCropAndResize,
            _ => {
                return Err(Problem::Attribute {
                    name: ATTRIBUTE,
                    found: name,
                    supported: "half_pixel, half_pixel_symmetric, pytorch_half_pixel, tf_half_pixel_for_nn, align_corners, asymmetric, tf_crop_and_resize",
                });
            }
        })
    }

    /// The point of the image that pixel `i` of the result looks at.
    pub(in crate::onnx) fn source(self, line: &Line, i: u32) -> f32 {
        let (input, output) = (line.input as f32, line.output as f32);
        let (i, scale) = (i as f32, line.scale);
        let half_pixel = (i + 0.5) / scale - 0.5;
        match self {
            Self::Asymmetric => i / scale,
            Self::TfHalfPixel => (i + 0.5) / scale,
            Self::AlignCorners if output > 1.0 => i * (input - 1.0) / (output - 1.0),
            Self::AlignCorners => 0.0,
            Self::PytorchHalfPixel if output <= 1.0 => 0.0,
            Self::HalfPixel | Self::PytorchHalfPixel => half_pixel,
            Self::HalfPixelSymmetric => {
                let adjustment = output / (scale * input);
                let offset = input / 2.0 * (1.0 - adjustment);
                let half_pixel = (f64::from(i) + 0.5) / f64::from(scale);
                (f64::from(offset) + half_pixel - 0.5) as f32
            }
            Self::TfCropAndResize => {
                let [start, end] = line.region;
                if output > 1.0 {
                    start * (input - 1.0) + i * (end - start) * (input - 1.0) / (output - 1.0)
                } else {
                    (0.5 * f64::from(start + end) * f64::from(input - 1.0)) as f32
                }
            }
        }
    }
}
