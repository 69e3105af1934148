//! Weights that repeat from pixel to pixel: a patch embedding, depthwise convolutions and mixing of channels.

use peregrine_compiler::optimisation::Optimisation;
use peregrine_compiler::pipeline::{Compiled, Config, compile};
use peregrine_compiler::tensor::{Op, Polynomial};
use peregrine_ir::linear::{Conv2d, LinearKind, Window};
use peregrine_ir::{Operator, Security};
use peregrine_tests::builder::Builder;
use peregrine_tests::flow::{self, Encrypted, error_bits};
use petgraph::graph::NodeIndex;

/// Channels of everything but images.
pub(super) const CHANNELS: u32 = 16;

/// A convolution with its kernel, stride and padding, and a quadratic behind it.
pub(super) fn convolution(
    b: &mut Builder,
    x: NodeIndex,
    (kernel, stride, pad): (u32, u32, u32),
    groups: u32,
) -> NodeIndex {
    let [_, channels, height, _] = b.image(x).unwrap();
    let each = channels / groups;
    let size = (f64::from(each * kernel * kernel)).sqrt().recip();
    let weight = b.weights(&[CHANNELS, each, kernel, kernel], size);
    let window = Window {
        kernel: [kernel; 2],
        strides: [stride; 2],
        pads: [pad; 2],
        dilations: [1; 2],
    };
    let kind = LinearKind::Conv2d(Conv2d {
        weight,
        window,
        groups,
    });
    let extent = height / stride;
    let y = b.linear(kind, x, &[1, CHANNELS, extent, extent], None);
    let coefficients = [0.1, 0.5, 0.25].map(|c| b.tensor(&[], |_| c));
    let dims = b.dims(y).to_vec();
    let shape = b.graph.node(y).shape.clone();
    let square = Polynomial::new(coefficients.to_vec(), &shape, &b.graph.tensors).unwrap();
    b.node(Op::Polynomial(square), &dims, &[y])
}

fn mixer() -> Builder {
    let mut b = Builder::default();
    let image = b.input("image", &[1, 3, 24, 24]);
    let mut x = convolution(&mut b, image, (2, 2, 0), 1);
    for _ in 0..2 {
        let spread = convolution(&mut b, x, (5, 1, 2), CHANNELS);
        let sum = b.sum(&[x, spread]);
        x = convolution(&mut b, sum, (1, 1, 0), 1);
    }
    b.output("y", x);
    b
}

fn compiled(b: &Builder, without: &[Optimisation]) -> Compiled {
    let mut config = Config::new("mixer");
    config.security = Security::None;
    config.log_n = 12..=12;
    config.without = without.iter().copied().collect();
    compile(&b.graph, &config).unwrap()
}

fn periods(compiled: &Compiled) -> Vec<u32> {
    let operators = compiled.circuit.operators.values();
    let periods = operators.filter_map(|operator| match operator {
        Operator::Linear { period, .. } => *period,
        Operator::Broadcast { .. } => None,
    });
    periods.collect()
}

#[test]
fn a_network_of_depthwise_convolutions_has_them() {
    let b = mixer();
    let with = compiled(&b, &[]);
    let periods = periods(&with);
    assert!(
        periods.len() >= 3 && periods.iter().all(|&period| period == 8),
        "{periods:?}"
    );
    agrees(&b, &with, 3 * 24 * 24);
}

/// The circuit computes what the network does, of an image of so many elements, in the clear and on ciphertexts.
pub(super) fn agrees(b: &Builder, compiled: &Compiled, elements: u32) {
    let image: Vec<f64> = (0..elements).map(|i| (f64::from(i) * 1.3).cos()).collect();
    let inputs = flow::inputs(&b.graph, &[image]).unwrap();
    let want = flow::reference(&b.graph, &inputs).unwrap();
    let clear = flow::simulated(&compiled.circuit, &inputs, None).unwrap();
    assert!(error_bits(&clear, &want) < -14.0);
    let encrypted = Encrypted::new(&compiled.circuit).unwrap();
    let bits = error_bits(&encrypted.run(&inputs).unwrap(), &want);
    assert!(bits < -7.0, "2^{bits:.1}");
}

#[test]
fn without_them_no_weight_repeats() {
    let less = compiled(&mixer(), &[Optimisation::PeriodicWeights]);
    assert_eq!(periods(&less), [0; 0]);
}
