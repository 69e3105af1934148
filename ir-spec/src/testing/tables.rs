//! Random nodes, remarks, layouts, tensors, operators and constants.

use super::Draw;
use crate::circuit::{Circuit, Constant, Operator, Remark, SourceNode};
use crate::entity::{LayoutId, Node, RingId, TensorId};
use crate::layout::{Layout, LayoutParts};
use crate::linear::{
    AveragePool, AxisMap, Contract, Conv2d, ElementScale, Gather, LinearKind, LinearMap, Window,
};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Names that try the printers.
const NAMES: [&str; 12] = [
    "conv1",
    "",
    "a b",
    "quote\" and back\\slash",
    "line\nbreak\ttab\r",
    "semi;colon",
    "v0",
    "/layer1/layer1.0/conv1/Conv",
    "ünï✓ \u{2028}\u{0}\u{7f}",
    "\\u{41}",
    "]) -> {",
    "%@",
];

pub(super) fn name(draw: &mut Draw<'_>) -> String {
    (*draw.pick(&NAMES)).into()
}

pub(super) fn fill(draw: &mut Draw<'_>, circuit: &mut Circuit) {
    for _ in 0..draw.between(1, 4) {
        let op = *draw.pick(&["Conv", "Relu Poly", "_", "n1", ""]);
        circuit.nodes.push(SourceNode {
            name: name(draw),
            op: op.into(),
        });
    }
    for _ in 0..draw.below(3) {
        let nodes: Vec<Node> = circuit.nodes.keys().collect();
        circuit.remarks.push(Remark {
            node: draw.pick_from(&nodes).filter(|_| !draw.sometimes(3)),
            text: (*draw.pick(&REMARKS)).into(),
        });
    }
    for _ in 0..draw.between(1, 4) {
        operator(draw, circuit);
    }
}

/// Remarks that try the printers.
const REMARKS: [&str; 6] = [
    "4 replicas: a channel shift within the period disappears",
    "",
    "\"quoted\", back\\slash; and } a brace",
    "n0",
    "why: ünï✓ \u{2028}",
    "@n0 v0 = add v0, v0",
];

/// One of the rings.
fn any_ring(draw: &mut Draw<'_>, circuit: &Circuit) -> RingId {
    let rings: Vec<RingId> = circuit.rings.rings.keys().collect();
    *draw.pick(&rings)
}

/// A packing of any shape: more phases until a plane fits.
pub(super) fn layout(
    draw: &mut Draw<'_>,
    circuit: &mut Circuit,
    ring: RingId,
    shape: [u32; 3],
) -> LayoutId {
    let log_slots = circuit.rings.view(ring).log_n() - 1;
    let mut phases = [draw.between(1, 2), draw.between(1, 2)];
    let gaps = [draw.between(1, 2), draw.between(1, 2)];
    let mut replicas = 1 << draw.below(3);
    let (guard, spare) = (draw.below(2), draw.below(2));
    let (skew, jump) = (draw.below(5), draw.below(3));
    loop {
        let pitch = shape[2].div_ceil(phases[1]) * gaps[1] + guard;
        let plane = shape[1].div_ceil(phases[0]) * gaps[0] * pitch + spare;
        let fits = |turn: u32| {
            if turn < (1 << log_slots) / replicas {
                turn
            } else {
                0
            }
        };
        let jump = if replicas > 2 { fits(jump) } else { 0 };
        let parts = LayoutParts {
            log_slots,
            shape,
            phases,
            gaps,
            pitch,
            plane,
            replicas,
            skew: fits(skew),
            jump,
            run: if jump > 0 { 2 } else { 1 },
        };
        if let Ok(layout) = Layout::new(parts) {
            return circuit.layouts.push(layout);
        }
        match () {
            () if replicas > 1 => replicas /= 2,
            () if phases[0] < shape[1] => phases[0] += 1,
            () if phases[1] < shape[2] => phases[1] += 1,
            // One pixel per plane: guards and gaps are at most 2 each, so 4 slots may be too few for them alone.
            () => return circuit.layouts.push(bare(log_slots, shape)),
        }
    }
}

/// A layout with a ciphertext for every pixel, which fits any ring.
fn bare(log_slots: u32, shape: [u32; 3]) -> Layout {
    let parts = LayoutParts {
        log_slots,
        shape,
        phases: [shape[1], shape[2]].map(|d| d.min(1 << log_slots)),
        gaps: [1, 1],
        pitch: 1,
        plane: 1,
        replicas: 1,
        skew: 0,
        jump: 0,
        run: 1,
    };
    match Layout::new(parts) {
        Ok(layout) => layout,
        Err(error) => unreachable!("{error}"),
    }
}

fn tensor(draw: &mut Draw<'_>, circuit: &mut Circuit, dims: &[u32]) -> TensorId {
    const VALUES: [f64; 9] = [0.5, -0.25, 1.0, 0.0, -0.0, 0.1, 1e-30, -1.0 / 3.0, 5e-324];
    let shape = shape(dims);
    let data = (0..shape.elements()).map(|_| *draw.pick(&VALUES)).collect();
    match Tensor::new(name(draw), shape, data) {
        Ok(tensor) => circuit.tensors.push(tensor),
        Err(error) => unreachable!("{error}"),
    }
}

pub(super) fn shape(dims: &[u32]) -> Shape {
    match Shape::new(dims) {
        Ok(shape) => shape,
        Err(error) => unreachable!("{error}"),
    }
}

fn operator(draw: &mut Draw<'_>, circuit: &mut Circuit) {
    match draw.below(6) {
        0 => conv(draw, circuit),
        1 => pool(draw, circuit),
        2 => contract(draw, circuit),
        3 => scale(draw, circuit),
        4 => gather(draw, circuit),
        _ => broadcast(draw, circuit),
    }
}

fn window(draw: &mut Draw<'_>) -> Window {
    let mut pair = |low, high| [draw.between(low, high), draw.between(low, high)];
    Window {
        kernel: pair(1, 3),
        strides: pair(1, 2),
        pads: pair(0, 1),
        dilations: pair(1, 2),
    }
}

fn image(draw: &mut Draw<'_>, channels: u32) -> [u32; 4] {
    [1, channels, draw.between(1, 4), draw.between(1, 4)]
}

fn conv(draw: &mut Draw<'_>, circuit: &mut Circuit) {
    let window = window(draw);
    let groups = draw.between(1, 2);
    let (c, m) = (groups * draw.between(1, 2), groups * draw.between(1, 2));
    // One weight per element of the kernel, or one for all.
    let [kh, kw] = window.kernel.map(|k| if draw.sometimes(2) { k } else { 1 });
    let weight = tensor(draw, circuit, &[m, c / groups, kh, kw]);
    let kind = LinearKind::Conv2d(Conv2d {
        weight,
        window,
        groups,
    });
    let (input, output) = (image(draw, c), image(draw, m));
    linear(draw, circuit, kind, (&input, &output));
}

fn pool(draw: &mut Draw<'_>, circuit: &mut Circuit) {
    let window = window(draw);
    let padding_counts = draw.sometimes(2).then(|| [draw.below(3), draw.below(3)]);
    let kind = LinearKind::AveragePool(AveragePool {
        window,
        padding_counts,
    });
    let channels = draw.between(1, 3);
    let (input, output) = (image(draw, channels), image(draw, channels));
    linear(draw, circuit, kind, (&input, &output));
}

fn contract(draw: &mut Draw<'_>, circuit: &mut Circuit) {
    let [outer, groups, rows, m, k, inner] = std::array::from_fn(|_| draw.between(1, 2));
    let weight = tensor(draw, circuit, &[groups, m, k]);
    let kind = LinearKind::Contract(Contract {
        weight,
        outer,
        groups,
        rows,
        m,
        k,
        inner,
    });
    let around = outer * groups * rows;
    linear(
        draw,
        circuit,
        kind,
        (&[around * k, inner], &[around, m * inner]),
    );
}

fn scale(draw: &mut Draw<'_>, circuit: &mut Circuit) {
    let dims = [draw.between(1, 3), draw.between(1, 4)];
    let columns = if draw.sometimes(2) { 1 } else { dims[1] };
    let weight = tensor(draw, circuit, &[columns]);
    linear(
        draw,
        circuit,
        LinearKind::Scale(ElementScale { weight }),
        (&dims, &dims),
    );
}

/// Two axes, swapped or not, with tables that repeat, reverse, shift and drop.
fn gather(draw: &mut Draw<'_>, circuit: &mut Circuit) {
    let input = [draw.between(1, 5), draw.between(1, 5)];
    let output = [draw.between(1, 9), draw.between(1, 4)];
    let swapped = draw.below(2);
    let axes = [0u32, 1].map(|axis| {
        let (extent, driver) = (input[axis as usize], axis ^ swapped);
        let length = output[driver as usize];
        let (start, step) = (draw.below(extent), draw.below(4));
        let entry = |i: u32| match step {
            0 => Some(start),
            1 => (start + i < extent).then_some(start + i),
            2 => start.checked_sub(i),
            _ => Some((start + 2 * i) % extent),
        };
        AxisMap {
            output_axis: driver,
            table: (0..length).map(entry).collect(),
        }
    });
    let kind = LinearKind::Gather(Gather { axes: axes.into() });
    linear(draw, circuit, kind, (&input, &output));
}

fn linear(
    draw: &mut Draw<'_>,
    circuit: &mut Circuit,
    kind: LinearKind,
    (input, output): (&[u32], &[u32]),
) {
    let map = LinearMap {
        kind,
        input: shape(input),
        output: shape(output),
    };
    let ring = any_ring(draw, circuit);
    let x = layout(draw, circuit, ring, map.input.chw());
    let y = layout(draw, circuit, ring, map.output.chw());
    let log_slots = circuit.rings.view(ring).slots().ilog2();
    let period = draw.sometimes(4).then(|| 1 << draw.between(0, log_slots));
    let operator = circuit.operators.push(Operator::Linear {
        fold: 1,
        period,
        map,
        input: x,
        output: y,
    });
    let parts = |id| circuit.layouts.get(id).map_or(1, Layout::ciphertexts);
    let slots = circuit.rings.view(ring).slots();
    let (inputs, outputs) = (parts(x), parts(y));
    for _ in 0..draw.between(1, 3) {
        let (input, output) = (draw.below(inputs), draw.below(outputs));
        let rotation = draw.below(slots);
        circuit.constants.push(if draw.sometimes(4) {
            Constant::Uniform {
                operator,
                input,
                output,
                rotation,
            }
        } else {
            Constant::Diagonal {
                operator,
                input,
                output,
                rotation,
                pre: draw.below(slots),
            }
        });
    }
}

fn broadcast(draw: &mut Draw<'_>, circuit: &mut Circuit) {
    let dims = [draw.between(1, 3), draw.between(1, 2), draw.between(1, 3)];
    let from = if draw.sometimes(2) {
        vec![dims[0], 1, 1]
    } else {
        vec![dims[2]]
    };
    let tensor = tensor(draw, circuit, &from);
    let shape = shape(&dims);
    let ring = any_ring(draw, circuit);
    let layout = layout(draw, circuit, ring, shape.chw());
    let parts = circuit.layouts.get(layout).map_or(1, Layout::ciphertexts);
    let operator = circuit.operators.push(Operator::Broadcast {
        tensor,
        shape,
        layout,
    });
    for _ in 0..draw.between(1, 2) {
        let part = draw.below(parts);
        circuit.constants.push(Constant::Fill { operator, part });
    }
}
