//! What a model may end with and the client applies: numbers as tract has them, and once on ciphertexts.

use super::oracle::{Chain, agree, int, ints};
use onnx_protobuf::{AttributeProto, type_proto};
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
    chain.element = 7;
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

#[test]
fn bytes_in_nhwc_become_numbers_before_and_channels_last_after_the_ciphertexts() {
    let dims = [1, 4, 4, 3];
    let mut chain = Chain::new(&dims);
    set_bytes(&mut chain);
    chain.node("Cast", &[], vec![int("to", 1)]);
    let (scale, mean) = (chain.weight(&[]), chain.weight(&[3]));
    chain.node("Mul", &[scale], vec![]);
    chain.node("Add", &[mean], vec![]);
    chain.node("Transpose", &[], vec![ints("perm", &[0i64, 3, 1, 2])]);
    let weight = chain.weight(&[2, 3, 3, 3]);
    chain.node("Conv", &[weight], vec![ints("pads", &[1i64; 4])]);
    chain.node("Transpose", &[], vec![ints("perm", &[0i64, 2, 3, 1])]);
    chain.node("Relu", &[], vec![]);
    let graph = onnx::import(&chain.bytes(), &NoExternalData, &Options::new("m.onnx")).unwrap();
    assert_eq!(graph.len(), 2, "an input and a convolution");

    let mut config = Config::new("bytes");
    config.security = Security::None;
    config.log_n = 9..=9;
    config.precision_bits = 18;
    config.headroom_bits = 14;
    let circuit = compile(&graph, &config).unwrap().circuit;
    assert_eq!(text::parse(&text::print(&circuit)).unwrap(), *circuit);
    let interface = Interface::of(&circuit);
    let file = binary::write_interface(&interface);
    assert_eq!(binary::read_interface(&file).unwrap(), interface);
    assert_eq!(interface.inputs()[0].given_shape().dims(), dims);

    let x: Vec<f64> = (0..48).map(|i| f64::from(i * 37 % 256)).collect();
    let inputs = flow::inputs(&graph, &[x]).unwrap();
    let expected = flow::reference(&graph, &inputs).unwrap();
    let simulated = flow::simulated(&circuit, &inputs, Some(1)).unwrap();
    let decrypted = Encrypted::new(&circuit).unwrap().run(&inputs).unwrap();
    for found in [simulated, decrypted] {
        assert!(error_bits(&found, &expected) < -9.0, "{found:?}");
        let y = found.values().next().unwrap();
        assert_eq!(y.shape().dims(), [1, 4, 4, 2]);
        assert!(y.data().iter().all(|&y| y >= 0.0));
    }
    let half = flow::inputs(&graph, &[vec![0.5; 48]]).unwrap();
    let refused = Encrypted::new(&circuit).unwrap().run(&half);
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("is not of type uint8"), "{message}");
}

/// Declares the input as bytes.
fn set_bytes(chain: &mut Chain) {
    let ty = chain.graph.input[0].type_.as_mut().unwrap();
    let Some(type_proto::Value::TensorType(tensor)) = &mut ty.value else {
        panic!("an input is a tensor");
    };
    tensor.elem_type = 2;
}
