//! Maps larger than a ciphertext: single layers at the resolutions of real cameras and detectors, in rings of full size.

use peregrine_compiler::pipeline::{Config, compile};
use peregrine_ir::linear::{AveragePool, Conv2d, LinearKind, Window};
use peregrine_ir::stats::Stats;
use peregrine_ir::{Circuit, Constant, Inst, Security, Verified};
use peregrine_tests::builder::Builder;
use peregrine_tests::flow::{self, error_bits};
use std::time::Instant;

const RESOLUTIONS: [u32; 3] = [224, 416, 640];

/// Compiled for 2^15 slots.
fn compiled(builder: &Builder) -> Verified {
    let mut config = Config::new("large");
    config.security = Security::None;
    config.log_n = 16..=16;
    compile(&builder.graph, &config).unwrap().circuit
}

/// The circuit computes the graph.
fn check(what: &str, builder: &Builder) {
    let started = Instant::now();
    let circuit = compiled(builder);
    let compiling = started.elapsed();
    let graph = &builder.graph;
    let image = |index| {
        let elements = graph.node(index).shape.elements();
        (0..elements).map(|i| (i as f64 * 1.3).cos()).collect()
    };
    let images: Vec<Vec<f64>> = graph.inputs().map(|(index, _)| image(index)).collect();
    let inputs = flow::inputs(graph, &images).unwrap();
    let got = flow::simulated(&circuit, &inputs, None).unwrap();
    let simulating = started.elapsed() - compiling;
    let bits = error_bits(&got, &flow::reference(graph, &inputs).unwrap());
    println!(
        "{what}: 2^{bits:.1}, compiled in {compiling:.1?}, simulated in {simulating:.1?}, {}",
        figures(&circuit)
    );
    assert!(bits < -14.0, "{what}: 2^{bits:.1}");
}

fn figures(circuit: &Circuit) -> String {
    let total = Stats::of(circuit).total;
    let inputs: usize = circuit.inputs.iter().map(|p| p.values.len()).sum();
    format!(
        "{inputs} input ciphertexts, {} rotations, {} products with plaintexts, {} of them weights",
        rotations(circuit),
        total.plaintext_products,
        encoded_weights(circuit)
    )
}

fn rotations(circuit: &Circuit) -> u64 {
    let total = Stats::of(circuit).total;
    total.hoisted_rotations + total.full_rotations
}

/// Plaintexts with the coefficients of a linear operator.
fn encoded_weights(circuit: &Circuit) -> usize {
    let weights = |inst: &Inst| match inst {
        Inst::Encode { constant, .. } => {
            let constant = circuit.constants.get(*constant);
            matches!(constant, Some(Constant::Diagonal { .. }))
        }
        _ => false,
    };
    let values = circuit.values.values();
    values.filter(|d| weights(&d.inst)).count()
}

/// A square window with the same numbers along both axes.
fn window(kernel: u32, stride: u32, pad: u32) -> Window {
    Window {
        kernel: [kernel; 2],
        strides: [stride; 2],
        pads: [pad; 2],
        dilations: [1; 2],
    }
}

/// A convolution of three channels to four that leaves `size` divided by the stride.
fn convolution(size: u32, kernel: u32, stride: u32) -> Builder {
    let mut b = Builder::default();
    let x = b.input("x", &[1, 3, size, size]);
    let fan_in = f64::from(3 * kernel * kernel);
    let weight = b.weights(&[4, 3, kernel, kernel], 1.0 / fan_in.sqrt());
    let kind = LinearKind::Conv2d(Conv2d {
        weight,
        window: window(kernel, stride, kernel / 2),
        groups: 1,
    });
    let y = b.linear(kind, x, &[1, 4, size / stride, size / stride], None);
    b.output("y", y);
    b
}

#[test]
fn convolutions_of_stride_1() {
    for size in RESOLUTIONS {
        check(&format!("3x3 on {size}x{size}"), &convolution(size, 3, 1));
    }
}

#[test]
fn convolutions_of_stride_2() {
    for size in RESOLUTIONS {
        check(&format!("7x7/2 on {size}x{size}"), &convolution(size, 7, 2));
    }
}

#[test]
fn average_pools() {
    for size in RESOLUTIONS {
        let mut b = Builder::default();
        let x = b.input("x", &[1, 3, size, size]);
        let kind = LinearKind::AveragePool(AveragePool {
            window: window(2, 2, 0),
            padding_counts: None,
        });
        let y = b.linear(kind, x, &[1, 3, size / 2, size / 2], None);
        b.output("y", y);
        check(&format!("pool on {size}x{size}"), &b);
    }
}

#[test]
fn nearest_upsampling() {
    for size in RESOLUTIONS {
        let mut b = Builder::default();
        let x = b.input("x", &[1, 3, size / 2, size / 2]);
        let table: Vec<_> = (0..size).map(|i| Some(i / 2)).collect();
        let y = b.along(x, vec![(2, table.clone()), (3, table)]);
        b.output("y", y);
        check(&format!("upsampling to {size}x{size}"), &b);
    }
}

#[test]
fn joined_channels() {
    for size in RESOLUTIONS {
        let mut b = Builder::default();
        let three = b.input("three", &[1, 3, size, size]);
        let two = b.input("two", &[1, 2, size, size]);
        let y = b.joined(&[three, two], 1);
        b.output("y", y);
        check(&format!("3 and 2 channels of {size}x{size}"), &b);
    }
}

/// A kernel on maps that fill their ciphertexts rotates what it reads past the edges, and multiplies by numbers.
#[test]
fn a_large_convolution_rotates_little_and_encodes_no_weights() {
    for size in RESOLUTIONS {
        let circuit = compiled(&convolution(size, 3, 1));
        let layout = circuit.layouts.get(circuit.inputs[0].layout).unwrap();
        let phases: u32 = layout.parts().phases.iter().product();
        let figures = format!("{size}x{size}, {phases} phases: {}", figures(&circuit));
        println!("{figures}");
        assert!(
            rotations(&circuit) <= 3 * u64::from(4 * phases + 4),
            "{figures}"
        );
        assert_eq!(encoded_weights(&circuit), 0, "{figures}");
    }
}
