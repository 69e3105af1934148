//! What a model may end with and the client applies: numbers as tract has them, and once on ciphertexts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod oracle;

use onnx_protobuf::AttributeProto;
use oracle::{Chain, agree, int};
use peregrine_compiler::onnx::{self, NoExternalData, Options};
use peregrine_compiler::pipeline::{Config, compile};
use peregrine_ir::{Interface, Security, binary, text};
use peregrine_tests::flow::{self, Encrypted, error_bits};
use proptest::prelude::*;

/// A model of `dims` that ends with this operator.
fn closing(dims: &[u32], opset: i64, op: &str, attributes: Vec<AttributeProto>) -> Chain {
    let mut chain = Chain::new(dims);
    chain.opset = opset;
    let factor = chain.weight(&[1]);
    chain.node("Mul", &[factor], vec![]);
    chain.node(op, &[], attributes);
    if op.starts_with("Arg") {
        chain.element = 7;
    }
    chain
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_global_rejects: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn exponentials_along_an_axis(dims in [1..4u32, 1..5u32, 1..4u32], axis in -3..3i64, log in any::<bool>(),
                                  opset in 11..15i64) {
        let op = if log { "LogSoftmax" } else { "Softmax" };
        agree(closing(&dims, opset, op, vec![int("axis", axis)]), &dims)?;
    }

    #[test]
    fn functions_of_one_element(dims in [1..4u32, 1..5u32], tanh in any::<bool>()) {
        agree(closing(&dims, 13, if tanh { "Tanh" } else { "Sigmoid" }, vec![]), &dims)?;
    }

    #[test]
    fn positions_along_an_axis(dims in [1..4u32, 1..5u32, 1..4u32], axis in -3..3i64, least in any::<bool>(),
                               keep in 0..2i64, last in 0..2i64) {
        let op = if least { "ArgMin" } else { "ArgMax" };
        let attributes = vec![int("axis", axis), int("keepdims", keep), int("select_last_index", last)];
        agree(closing(&dims, 13, op, attributes), &dims)?;
    }
}

#[test]
fn a_classifier_gives_probabilities_and_a_class_from_ciphertexts() {
    let dims = [2, 3];
    let mut chain = Chain::new(&dims);
    let weight = chain.weight(&[3, 4]);
    chain.node("MatMul", &[weight], vec![]);
    let logits = chain.last.clone();
    chain.node("Softmax", &[], vec![int("axis", 1)]);
    let probabilities = chain.last.clone();
    chain.node("ArgMax", &[], vec![int("axis", 1), int("keepdims", 0)]);
    let x: Vec<f64> = chain.numbers(6).into_iter().map(f64::from).collect();
    let model = chain.bytes_with(&[(&logits, 1), (&probabilities, 1)]);
    let graph = onnx::import(&model, &NoExternalData, &Options::new("m.onnx")).unwrap();

    let mut config = Config::new("classifier");
    config.security = Security::None;
    config.log_n = 9..=9;
    config.precision_bits = 18;
    let circuit = compile(&graph, &config).unwrap().circuit;
    assert_eq!(text::parse(&text::print(&circuit)).unwrap(), *circuit);
    let file = binary::write_interface(&Interface::of(&circuit));
    assert_eq!(
        binary::read_interface(&file).unwrap(),
        Interface::of(&circuit)
    );

    let inputs = flow::inputs(&graph, &[x]).unwrap();
    let expected = flow::reference(&graph, &inputs).unwrap();
    let simulated = flow::simulated(&circuit, &inputs, Some(1)).unwrap();
    let decrypted = Encrypted::new(&circuit).unwrap().run(&inputs).unwrap();
    for found in [simulated, decrypted] {
        assert!(error_bits(&found, &expected) < -12.0, "{found:?}");
        let class = &graph.outputs[0].name;
        assert!(found[class].is_integer() && found[class].shape().dims() == [2]);
        assert_eq!(found[class].data(), expected[class]);
        let rows = found[&probabilities].data().chunks(4);
        for row in rows {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
