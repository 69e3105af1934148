//! Inputs with a ciphertext for each phase of the strides to come.

use super::periodic_weights::{CHANNELS, agrees, convolution};
use peregrine_compiler::pipeline::{Config, compile};
use peregrine_ir::{LayoutParts, Security};
use peregrine_tests::builder::Builder;

#[test]
fn strides_of_depthwise_convolutions_take_phases_away() {
    let mut b = Builder::default();
    let mut x = b.input("image", &[1, 3, 64, 64]);
    for (stride, groups) in [(2, 1), (1, CHANNELS), (2, CHANNELS), (1, 1)] {
        x = convolution(&mut b, x, (3, stride, 1), groups);
    }
    b.output("y", x);
    let mut config = Config::new("strides");
    config.security = Security::None;
    config.log_n = 12..=12;
    let compiled = compile(&b.graph, &config).unwrap();

    let layout = compiled.circuit.inputs.first().map(|port| port.layout);
    let LayoutParts { phases, gaps, .. } = *compiled.circuit.layouts[layout.unwrap()].parts();
    assert_eq!((phases, gaps), ([4, 4], [1, 1]));
    agrees(&b, &compiled, 3 * 64 * 64);
}
