//! QuantizeLinear and DequantizeLinear of constants: one scale and zero point for all, for each position along an axis, or
//! for each block of an axis.
#![deny(clippy::indexing_slicing)]

use crate::onnx::build::{Builder, Call, Value};
use crate::onnx::format::{Constant, Element};
use crate::onnx::model::rank;
use crate::onnx::problems::Problem;

/// DequantizeLinear: `(x - zero point) * scale`.
pub(in crate::onnx) fn dequantize(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let (x, grid) = (call.constant(0, "the operand")?, Grid::new(call)?);
    b.spend(x.len())?;
    let data = (x.values().enumerate())
        .map(|(i, x)| (x - grid.zero(i)) * grid.scale(i))
        .collect();
    let constant = Constant::new(x.name.clone(), grid.scale.element, x.dims.clone(), data);
    Ok(Value::Known(constant))
}

/// QuantizeLinear: the nearest integer to `x / scale`, of two the even one, plus the zero point, kept inside the type.
pub(in crate::onnx) fn quantize(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let (x, grid) = (call.constant(0, "the operand")?, Grid::new(call)?);
    let element = match (grid.zero, call.int_or("output_dtype", 0)?) {
        (Some(zero), _) => zero.element,
        (None, 0) => Element::from_onnx(2),
        (None, number) => Element::from_onnx(i32::try_from(number).unwrap_or(0)),
    };
    let Element::Integer { signed, bits } = element else {
        return Err(Problem::Attribute {
            name: "output_dtype",
            found: element.to_string(),
            supported: "integers",
        });
    };
    let power = |bits: u8| 2f64.powi(i32::from(bits));
    let (least, most) = match signed {
        true => (-power(bits - 1), power(bits - 1) - 1.0),
        false => (0.0, power(bits) - 1.0),
    };
    b.spend(x.len())?;
    let data = (x.values().enumerate())
        .map(|(i, x)| {
            // In single precision, as the operator is defined: ties must be those of other implementations.
            let quotient = f64::from(x as f32 / grid.scale(i) as f32).round_ties_even();
            (quotient + grid.zero(i)).clamp(least, most)
        })
        .collect();
    let constant = Constant::new(x.name.clone(), element, x.dims.clone(), data);
    Ok(Value::Known(constant))
}

/// Scale and zero point of every element.
struct Grid<'c> {
    scale: &'c Constant,
    zero: Option<&'c Constant>,
    /// Elements behind one position along the axis, the axis' extent, and how many of its positions share a scale.
    inner: usize,
    extent: usize,
    block: usize,
}

impl<'c> Grid<'c> {
    fn new(call: &'c Call) -> Result<Self, Problem> {
        let x = call.constant(0, "the operand")?;
        let scale = call.constant(1, "the scale")?;
        let zero = call.optional_constant(2, "the zero point")?;
        let (named, block) = (call.int_or("axis", 1)?, call.int_or("block_size", 0)?);
        // These are about 8-bit floats, and about the type of what is computed in double precision.
        for name in ["saturate", "output_dtype", "precision"] {
            call.int(name)?;
        }
        let wrong = |c: &Constant| Problem::Mismatch {
            what: "the shape of scale or zero point",
            found: format!("{:?}", c.dims),
            expected: format!("one for {:?}", x.dims),
        };
        if let Some(zero) = zero.filter(|zero| zero.len() != scale.len()) {
            return Err(wrong(zero));
        }
        let mut grid = Self {
            scale,
            zero,
            inner: 1,
            extent: 1,
            block: 1,
        };
        if scale.len() == 1 {
            return Ok(grid);
        }
        let axis = rank::axis(named, x.dims.len(), "attribute `axis`")?;
        let behind = x.dims.iter().skip(axis + 1);
        grid.inner = behind.map(|&d| d as usize).product();
        grid.extent = x.dims.get(axis).map_or(1, |&d| d as usize);
        let block = usize::try_from(block).unwrap_or(0);
        if block == 0 {
            let fits = scale.dims.len() == 1 && scale.len() == grid.extent as u64;
            return if fits { Ok(grid) } else { Err(wrong(scale)) };
        }
        grid.block = block;
        let mut blocks = x.dims.clone();
        if let Some(d) = blocks.get_mut(axis) {
            *d = grid.blocks() as u32;
        }
        if scale.dims != blocks {
            return Err(wrong(scale));
        }
        Ok(grid)
    }

    fn blocks(&self) -> usize {
        self.extent.div_ceil(self.block)
    }

    /// The position of the scale of element `i`.
    fn index(&self, i: usize) -> usize {
        let (outer, position) = (i / self.inner / self.extent, i / self.inner % self.extent);
        match self.scale.dims.len() {
            _ if self.scale.len() == 1 => 0,
            1 if self.block == 1 => position,
            _ => (outer * self.blocks() + position / self.block) * self.inner + i % self.inner,
        }
    }

    fn scale(&self, i: usize) -> f64 {
        self.scale.at(self.index(i))
    }

    fn zero(&self, i: usize) -> f64 {
        self.zero.map_or(0.0, |zero| zero.at(self.index(i)))
    }
}
