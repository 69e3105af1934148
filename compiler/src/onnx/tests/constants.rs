//! Constants are evaluated, whatever operator makes them.

use super::*;

/// A tensor of this ONNX type, its bytes given.
fn raw(name: &str, data_type: i32, dims: &[i64], bytes: &[u8]) -> TensorProto {
    let mut t = TensorProto::new();
    (t.name, t.data_type) = (name.to_owned(), data_type);
    (t.dims, t.raw_data) = (dims.to_vec(), bytes.to_vec());
    t
}

fn string(name: &str, value: &str) -> AttributeProto {
    let mut a = AttributeProto::new();
    (a.name, a.s) = (name.to_owned(), value.as_bytes().to_vec());
    a.type_ = AttributeType::STRING.into();
    a
}

/// What `c`, made of these constants, is: the results for ones times it.
fn made(count: i64, nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Vec<f64> {
    made_at(17, count, nodes, constants)
}

fn made_at(
    opset: i64,
    count: i64,
    mut nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
) -> Vec<f64> {
    nodes.push(node("Reshape", &["c", "flat"], "weight", []));
    nodes.push(node("Mul", &["x", "weight"], "y", []));
    let constants = [constants, vec![integers("flat", &[-1])]].concat();
    let mut model = model(dims(&[count]), nodes, constants);
    model.opset_import[0].version = opset;
    run(&model, &vec![1.0; count as usize])
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (x, y) in found.iter().zip(expected) {
        assert!(
            (x - y).abs() <= 1e-6 * y.abs().max(1.0),
            "{found:?} instead of {expected:?}"
        );
    }
}

#[test]
fn clipped_weights() {
    let nodes = vec![node("Clip", &["w", "low", "high"], "c", [])];
    let constants = vec![
        floats("w", &[4], &[-2.0, -0.25, 0.5, 3.0]),
        floats("low", &[], &[-1.0]),
        floats("high", &[], &[1.0]),
    ];
    close(&made(4, nodes, constants), &[-1.0, -0.25, 0.5, 1.0]);
}

#[test]
fn dequantized_weights() {
    let bytes = raw("q", 3, &[2, 2], &[1, 0xff, 127, 0x80]);
    let one = vec![bytes.clone(), floats("s", &[], &[0.5])];
    let nodes = || vec![node("DequantizeLinear", &["q", "s"], "c", [])];
    assert_eq!(made(4, nodes(), one), [0.5, -0.5, 63.5, -64.0]);
    // Per channel, unsigned, with zero points.
    let bytes = raw("q", 2, &[2, 2], &[0, 255, 128, 10]);
    let channels = vec![
        bytes,
        floats("s", &[2], &[0.5, 0.25]),
        raw("z", 2, &[2], &[128, 10]),
    ];
    let nodes = |axis| {
        vec![node(
            "DequantizeLinear",
            &["q", "s", "z"],
            "c",
            [int("axis", axis)],
        )]
    };
    assert_eq!(
        made(4, nodes(0), channels.clone()),
        [-64.0, 63.5, 29.5, 0.0]
    );
    assert_eq!(made(4, nodes(-1), channels), [-64.0, 61.25, 0.0, 0.0]);
}

#[test]
fn dequantized_blocks_and_nibbles() {
    // 1, -2, 7, -8, 3 in four bits each, the first in the lower half.
    let nibbles = raw("q", 22, &[1, 5], &[0xe1, 0x87, 0x03]);
    let scales = floats("s", &[1, 3], &[1.0, 10.0, 0.5]);
    let blocks = [int("axis", 1), int("block_size", 2)];
    let nodes = vec![node("DequantizeLinear", &["q", "s"], "c", blocks)];
    let found = made_at(21, 5, nodes, vec![nibbles, scales]);
    assert_eq!(found, [1.0, -2.0, 70.0, -80.0, 1.5]);
    let unsigned = raw("q", 21, &[3], &[0xf0, 0x09]);
    let nodes = vec![node("DequantizeLinear", &["q", "s", "z"], "c", [])];
    let constants = vec![unsigned, floats("s", &[], &[2.0]), raw("z", 21, &[], &[8])];
    assert_eq!(made_at(21, 3, nodes, constants), [-16.0, 14.0, 2.0]);
}

#[test]
fn quantized_and_back() {
    let nodes = vec![
        node("QuantizeLinear", &["w", "s", "z"], "q", []),
        node("DequantizeLinear", &["q", "s", "z"], "c", []),
    ];
    let constants = vec![
        floats("w", &[5], &[0.25, 0.75, -0.25, 100.0, -100.0]),
        floats("s", &[], &[0.5]),
        raw("z", 3, &[], &[1]),
    ];
    // Halves go to the even number; the ends of the type bound.
    assert_eq!(made(5, nodes, constants), [0.0, 1.0, 0.0, 63.0, -64.5]);
}

#[test]
fn normalised_weights() {
    let nodes = vec![
        node(
            "ReduceL2",
            &["v"],
            "norm",
            [ints("axes", &[1]), int("keepdims", 1)],
        ),
        node("Div", &["v", "norm"], "unit", []),
        node("Mul", &["unit", "g"], "c", []),
    ];
    let constants = vec![
        floats("v", &[2, 2], &[3.0, 4.0, 5.0, 12.0]),
        floats("g", &[2, 1], &[10.0, 13.0]),
    ];
    close(&made(4, nodes, constants), &[6.0, 8.0, 5.0, 12.0]);
}

#[test]
fn a_long_chain_of_many_operators() {
    let nodes = vec![
        node("MatMul", &["a", "b"], "c0", []),
        node("Tanh", &["c0"], "c1", []),
        node(
            "Einsum",
            &["c1", "b"],
            "c2",
            [string("equation", "ij,kj->ik")],
        ),
        node("Softmax", &["c2"], "c3", [int("axis", 1)]),
        node("Less", &["c3", "half"], "mask", []),
        node("Where", &["mask", "c3", "half"], "c4", []),
        node("CumSum", &["c4", "one"], "c5", []),
        node("Erf", &["c5"], "c6", []),
        node("Trilu", &["c6"], "c7", []),
        node("LayerNormalization", &["c7", "gain"], "c8", []),
        node("GatherElements", &["c8", "index"], "c9", [int("axis", 1)]),
        node(
            "ReduceMax",
            &["c9"],
            "c10",
            [ints("axes", &[0]), int("keepdims", 0)],
        ),
        node("Sigmoid", &["c10"], "c", []),
    ];
    let mut index = integers("index", &[1, 0, 0, 1]);
    index.dims = vec![2, 2];
    let mut one = integers("one", &[1]);
    one.dims = vec![];
    let constants = vec![
        floats("a", &[2, 2], &[0.5, -0.25, 1.0, 2.0]),
        floats("b", &[2, 2], &[0.3, -0.7, 0.2, 0.9]),
        floats("half", &[], &[0.5]),
        floats("gain", &[2], &[1.0, 2.0]),
        index,
        one,
    ];
    close(&made(2, nodes, constants), &EXPECTED);
}

/// Computed with onnxruntime.
const EXPECTED: [f64; 2] = [0.8807122707366943, 0.8807884454727173];

#[test]
fn reductions_and_choices_of_constants() {
    let v = || floats("v", &[2, 3], &[1.0, -2.0, 3.0, -4.0, 5.0, -6.0]);
    let reduce = |op: &str| {
        let attributes = [ints("axes", &[1]), int("keepdims", 0)];
        made(2, vec![node(op, &["v"], "c", attributes)], vec![v()])
    };
    close(&reduce("ReduceL1"), &[6.0, 15.0]);
    close(&reduce("ReduceProd"), &[-6.0, 120.0]);
    close(&reduce("ReduceMin"), &[-2.0, -6.0]);
    close(&reduce("ReduceMean"), &[2.0 / 3.0, -5.0 / 3.0]);
    let top = vec![NodeProto {
        output: vec!["c".to_owned(), "at".to_owned()],
        ..node("TopK", &["v", "k"], "c", [])
    }];
    close(
        &made(4, top, vec![v(), integers("k", &[2])]),
        &[3.0, 1.0, 5.0, -4.0],
    );
}

#[test]
fn what_is_not_folded_is_told_as_a_constant() {
    let nodes = vec![
        node("StringNormalizer", &["w"], "a", []),
        node("Mul", &["x", "a"], "y", []),
    ];
    let text = errors(&model(
        dims(&[2]),
        nodes,
        vec![floats("w", &[2], &[1.0, 2.0])],
    ));
    assert!(text.contains("all operands are constants"), "{text}");
    assert!(
        text.contains("onnx-simplifier") && !text.contains("encrypted"),
        "{text}"
    );
    // Nobody knows what random numbers the model wants.
    let nodes = vec![
        node("RandomNormalLike", &["w"], "a", []),
        node("Mul", &["x", "a"], "y", []),
    ];
    let text = errors(&model(
        dims(&[2]),
        nodes,
        vec![floats("w", &[2], &[1.0, 2.0])],
    ));
    assert!(text.contains("all operands are constants"), "{text}");
}

#[test]
fn a_huge_constant_may_be_cut() {
    let nodes = vec![
        node("ConstantOfShape", &["huge"], "w", []),
        node("Slice", &["w", "from", "to"], "c", []),
    ];
    let constants = vec![
        integers("huge", &[1 << 30]),
        integers("from", &[-4]),
        integers("to", &[i64::MAX]),
    ];
    assert_eq!(made(4, nodes, constants), [0.0; 4]);
}
