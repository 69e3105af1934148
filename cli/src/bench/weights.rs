//! A convolution whose constants are filled: 3 x 3 on images of 32 x 32, as many channels as two replicas leave room for.

use super::error::BenchError;
use peregrine_ir::linear::{Conv2d, LinearKind, LinearMap, Window};
use peregrine_ir::{
    Circuit, Const, Constant, Filler, Layout, LayoutParts, Operator, RingTable, Security, Shape,
    Tensor,
};

const EXTENT: u32 = 32;
const KERNEL: u32 = 3;
const PLANE: u32 = EXTENT * EXTENT;

/// A circuit with the operator of the convolution and so many of its constants, one for each rotation.
pub(super) fn convolution(log_n: u32, constants: usize) -> Result<Circuit, BenchError> {
    let channels = (1u32 << (log_n - 1)) / (2 * PLANE);
    let mut circuit = Circuit::new("weights", Security::None, RingTable::default());
    let layout = Layout::new(LayoutParts {
        log_slots: log_n - 1,
        shape: [channels, EXTENT, EXTENT],
        phases: [1, 1],
        gaps: [1, 1],
        pitch: EXTENT,
        plane: PLANE,
        replicas: 2,
        skew: PLANE % (channels * PLANE),
        jump: 0,
        run: 1,
    })?;
    let layout = circuit.layouts.push(layout);
    let shape = Shape::new([channels, channels, KERNEL, KERNEL])?;
    let data = (1..=shape.elements()).map(|i| i as f64).collect();
    let weight = circuit.tensors.push(Tensor::new("weight", shape, data)?);
    let image = Shape::new([1, channels, EXTENT, EXTENT])?;
    let window = Window {
        kernel: [KERNEL; 2],
        strides: [1; 2],
        pads: [1; 2],
        dilations: [1; 2],
    };
    let operator = circuit.operators.push(Operator::Linear {
        map: LinearMap {
            kind: LinearKind::Conv2d(Conv2d {
                weight,
                window,
                groups: 1,
            }),
            input: image.clone(),
            output: image,
        },
        input: layout,
        output: layout,
        fold: 1,
        period: None,
    });
    for at in 0..constants as u32 {
        circuit.constants.push(Constant::Diagonal {
            operator,
            input: 0,
            output: 0,
            rotation: (at / 2) * PLANE + at % 2,
            pre: 0,
        });
    }
    Ok(circuit)
}

/// Fills one of them.
pub(super) fn fill(filler: &Filler<'_>, at: usize) -> Result<Vec<f64>, BenchError> {
    Ok(filler.fill(Const(at as u32))?)
}
