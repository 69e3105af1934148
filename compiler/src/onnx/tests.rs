//! Tests of the front end on models built in memory.

mod client;
mod constants;
mod definitions;
mod finish;
mod hostile;
mod linear;
mod stated;

use super::*;
use crate::tensor::{Graph, Op};
use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::tensor_shape_proto::{Dimension, dimension};
use onnx_protobuf::{
    AttributeProto, GraphProto, Message as _, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_proto,
    type_proto,
};
use std::collections::BTreeMap;
use std::ops::Range;

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::INTS.into();
    a.ints = values.to_vec();
    a
}

fn int(name: &str, value: i64) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::INT.into();
    a.i = value;
    a
}

fn node(
    op: &str,
    inputs: &[&str],
    output: &str,
    attributes: impl Into<Vec<AttributeProto>>,
) -> NodeProto {
    let mut n = NodeProto::new();
    n.op_type = op.to_owned();
    n.input = inputs.iter().map(|&i| i.to_owned()).collect();
    n.output = vec![output.to_owned()];
    n.attribute = attributes.into();
    n
}

fn floats(name: &str, dims: &[i64], data: &[f32]) -> TensorProto {
    let mut t = TensorProto::new();
    (t.name, t.data_type) = (name.to_owned(), 1);
    (t.dims, t.float_data) = (dims.to_vec(), data.to_vec());
    t
}

fn integers(name: &str, data: &[i64]) -> TensorProto {
    let mut t = TensorProto::new();
    (t.name, t.data_type) = (name.to_owned(), 7);
    (t.dims, t.int64_data) = (vec![data.len() as i64], data.to_vec());
    t
}

fn size(value: i64) -> Dimension {
    let mut d = Dimension::new();
    d.value = Some(dimension::Value::DimValue(value));
    d
}

fn symbol(name: &str) -> Dimension {
    let mut d = Dimension::new();
    d.value = Some(dimension::Value::DimParam(name.to_owned()));
    d
}

fn declared(name: &str, element: i32, dims: Vec<Dimension>) -> ValueInfoProto {
    let mut shape = TensorShapeProto::new();
    shape.dim = dims;
    let mut tensor = type_proto::Tensor::new();
    tensor.elem_type = element;
    tensor.shape = Some(shape).into();
    let mut ty = TypeProto::new();
    ty.value = Some(type_proto::Value::TensorType(tensor));
    let mut info = ValueInfoProto::new();
    (info.name, info.type_) = (name.to_owned(), Some(ty).into());
    info
}

/// A model with one float input `x` and output `y`.
fn model(
    dims: Vec<Dimension>,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
) -> ModelProto {
    let mut graph = GraphProto::new();
    graph.input = vec![declared("x", 1, dims)];
    graph.output = vec![declared("y", 0, vec![])];
    (graph.node, graph.initializer) = (nodes, initializers);
    let mut opset = OperatorSetIdProto::new();
    opset.version = 17;
    let mut model = ModelProto::new();
    model.ir_version = 8;
    model.opset_import = vec![opset];
    model.graph = Some(graph).into();
    model
}

fn try_import(model: &ModelProto) -> Result<Graph, ImportErrors> {
    import(
        &model.write_to_bytes().unwrap(),
        &NoExternalData,
        &Options::new("m.onnx"),
    )
}

fn run(model: &ModelProto, x: &[f64]) -> Vec<f64> {
    let graph = try_import(model).unwrap_or_else(|e| panic!("{e}"));
    let inputs = BTreeMap::from([("x".to_owned(), x.to_vec())]);
    graph.evaluate(&inputs).unwrap().remove(0)
}

fn errors(model: &ModelProto) -> String {
    try_import(model).unwrap_err().to_string()
}

fn dims(values: &[i64]) -> Vec<Dimension> {
    values.iter().map(|&v| size(v)).collect()
}

#[test]
fn all_problems_are_reported_in_node_order_and_dead_nodes_are_not() {
    let nodes = vec![
        node("Relu", &["x"], "a", []),
        node("MaxPool", &["a"], "b", [ints("kernel_shape", &[2, 2])]),
        node("Tanh", &["a"], "unused", []),
        node("Conv", &["b", "w"], "c", [int("group", 0)]),
        node("Frobnicate", &["c"], "y", []),
    ];
    let w = floats("w", &[1, 1, 1, 1], &[1.0]);
    let text = errors(&model(dims(&[1, 1, 4, 4]), nodes, vec![w]));
    assert_eq!(
        text,
        "\
error: Relu `Relu_1`: this activation is not a polynomial and is not supported
  --> m.onnx, node 1 of 5, output `a`
   = note: encrypted values can only be added and multiplied; what is not a polynomial cannot be computed on them
   = help: fine-tune the model with a polynomial activation of low degree (x*x, or a quadratic per channel) in its place

error: MaxPool `MaxPool_2`: a maximum over encrypted values is not supported, only averages
  --> m.onnx, node 2 of 5, output `b`
   = note: encrypted values can only be added and multiplied; what is not a polynomial cannot be computed on them
   = help: use AveragePool or a strided convolution in its place and fine-tune

error: Conv `Conv_4`: attribute `group` is 0, supported is a positive number
  --> m.onnx, node 4 of 5, output `c`

error: Frobnicate `Frobnicate_5`: this operator is not supported
  --> m.onnx, node 5 of 5, output `y`
   = help: remove it from the model and do it before encryption or after decryption"
    );
}

#[test]
fn shapes_computed_by_exporters_fold_away() {
    // view(x.size(0), -1) as PyTorch writes it.
    let nodes = vec![
        node("Shape", &["x"], "shape", []),
        node("Gather", &["shape", "zero"], "n", [int("axis", 0)]),
        node("Unsqueeze", &["n", "axes"], "n1", []),
        node("Concat", &["n1", "rest"], "target", [int("axis", 0)]),
        node("Reshape", &["x", "target"], "y", []),
    ];
    let mut zero = integers("zero", &[0]);
    zero.dims = vec![];
    let constants = vec![zero, integers("axes", &[0]), integers("rest", &[-1])];
    let batch = [vec![symbol("batch")], dims(&[2, 3])].concat();
    let graph = try_import(&model(batch, nodes, constants)).unwrap();
    let result = graph.node(graph.outputs[0].node);
    assert_eq!((graph.len(), &result.op), (2, &Op::Reshape));
    assert_eq!(result.shape.dims(), [1, 6]);
    assert_eq!(graph.sources[result.source.0 as usize].op, "Reshape");
}

#[test]
fn symbols_other_than_the_batch_need_a_size() {
    let shape = || vec![symbol("batch"), symbol("width")];
    let model = model(shape(), vec![node("Neg", &["x"], "y", [])], vec![]);
    let text = errors(&model);
    assert!(
        text.starts_with("error: axis 1 of input `x` is the symbol `width`\n  --> m.onnx\n"),
        "{text}"
    );
    let mut options = Options::new("m.onnx");
    options.dimensions.insert("width".to_owned(), 3);
    let bytes = model.write_to_bytes().unwrap();
    let graph = import(&bytes, &NoExternalData, &options).unwrap();
    let (input, _) = graph.inputs().next().unwrap();
    assert_eq!(graph.node(input).shape.dims(), [1, 3]);
}

#[test]
fn weights_that_are_not_finite_are_named() {
    let w = floats("gain", &[2], &[1.0, f32::NAN]);
    let text = errors(&model(
        dims(&[1, 2]),
        vec![node("Mul", &["x", "gain"], "y", [])],
        vec![w],
    ));
    assert!(
        text.contains(
            "Mul `Mul_1`: tensor `gain` holds a value that is not finite at flat index 1"
        ),
        "{text}"
    );
}

#[test]
fn versions_out_of_range_are_refused() {
    let mut old = model(dims(&[1]), vec![node("Neg", &["x"], "y", [])], vec![]);
    old.opset_import[0].version = 99;
    assert!(errors(&old).contains("opset 99 is not supported, only 6 to 28"));
    old.opset_import[0].version = 17;
    old.ir_version = 0;
    assert!(errors(&old).contains("ONNX IR version 0 is not supported"));
    old.ir_version = 8;
    old.opset_import.clear();
    assert!(errors(&old).contains("no version of the default operator set"));
}

#[test]
fn values_are_defined_once_and_before_their_use() {
    let undefined = model(dims(&[1]), vec![node("Neg", &["z"], "y", [])], vec![]);
    assert!(errors(&undefined).contains("value `z` is not computed by any node"));
    let nodes = vec![node("Neg", &["x"], "y", []), node("Neg", &["x"], "y", [])];
    assert!(errors(&model(dims(&[1]), nodes, vec![])).contains("value `y` is computed twice"));
}

#[test]
fn powers_may_differ_by_element() {
    let exponents = floats("e", &[3], &[0.0, 1.0, 3.0]);
    let nodes = vec![node("Pow", &["x", "e"], "y", [])];
    let y = run(
        &model(dims(&[1, 3]), nodes, vec![exponents]),
        &[5.0, 6.0, 2.0],
    );
    assert_eq!(y, [1.0, 6.0, 8.0]);
}

#[test]
fn encrypted_operands_broadcast_both_ways() {
    let nodes = vec![
        node("Transpose", &["x"], "t", [ints("perm", &[1, 0])]),
        node("Sub", &["x", "t"], "y", []),
    ];
    let y = run(&model(dims(&[1, 2]), nodes, vec![]), &[1.0, 10.0]);
    assert_eq!(y, [0.0, 9.0, -9.0, 0.0]);
}

/// One file of external data.
struct OneFile(&'static str, Vec<u8>);

impl ExternalData for OneFile {
    fn read(&self, location: &Location, range: Range<u64>) -> Result<Vec<u8>, ExternalError> {
        assert_eq!(location.to_string(), self.0);
        Ok(self.1[range.start as usize..range.end as usize].to_vec())
    }
}

#[test]
fn external_weights_are_read_at_their_offset() {
    let mut w = floats("w", &[2], &[]);
    w.data_location = tensor_proto::DataLocation::EXTERNAL.into();
    for (key, value) in [("location", "w.bin"), ("offset", "4"), ("length", "8")] {
        let mut entry = StringStringEntryProto::new();
        (entry.key, entry.value) = (key.to_owned(), value.to_owned());
        w.external_data.push(entry);
    }
    let model = model(
        dims(&[1, 2]),
        vec![node("Mul", &["x", "w"], "y", [])],
        vec![w],
    );
    let file = OneFile(
        "w.bin",
        [9.0f32, 2.0, 3.0]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect(),
    );
    let bytes = model.write_to_bytes().unwrap();
    let graph = import(&bytes, &file, &Options::new("m.onnx")).unwrap();
    let inputs = BTreeMap::from([("x".to_owned(), vec![1.0, 1.0])]);
    assert_eq!(graph.evaluate(&inputs).unwrap(), [[2.0, 3.0]]);
    assert!(errors(&model).contains("external data file `w.bin` was not found"));
}

#[test]
fn a_weight_used_twice_is_stored_once() {
    let w = floats("w", &[2], &[2.0, 3.0]);
    let nodes = vec![
        node("Mul", &["x", "w"], "a", []),
        node("Mul", &["a", "w"], "b", []),
        node("Add", &["b", "w"], "y", []),
    ];
    let graph = try_import(&model(dims(&[1, 2]), nodes, vec![w])).unwrap();
    let named = graph.tensors.values().filter(|t| t.name == "w").count();
    assert_eq!(named, 1);
}

#[test]
fn polynomial_activations_of_nn_tools_follow_their_formula() {
    let mut float = AttributeProto::new();
    (float.name, float.f) = ("scale_before".to_owned(), 0.5);
    float.type_ = AttributeType::FLOAT.into();
    let mut op = node("Simple_Polyrelu", &["x"], "y", [int("degree", 4), float]);
    op.domain = "nn_tools".to_owned();
    let y = run(&model(dims(&[1, 1]), vec![op], vec![]), &[3.0]);
    let t: f64 = 1.5;
    let (a2, a4) = (0.28209479 / 2f64.sqrt(), -0.08143375 / 24f64.sqrt());
    let he4 = t.powi(4) - 6.0 * t * t + 3.0;
    let expected = 0.39894228 + 0.5 * t + a2 * (t * t - 1.0) + a4 * he4;
    assert!((y[0] - expected).abs() < 1e-12, "{y:?}");
}

#[test]
fn a_few_bytes_cannot_ask_for_any_amount_of_memory() {
    let nodes = vec![
        node("ConstantOfShape", &["huge"], "w", []),
        node("ReduceSum", &["w"], "s", []),
        node("Add", &["x", "s"], "y", []),
    ];
    for huge in [vec![1 << 31, 1 << 31], vec![1; 100_000]] {
        let model = model(dims(&[1]), nodes.clone(), vec![integers("huge", &huge)]);
        let text = errors(&model);
        assert!(text.contains("the limit is"), "{text}");
    }
}

/// A model that uses most of the front end.
fn varied() -> ModelProto {
    let nodes = vec![
        node(
            "Conv",
            &["x", "w", "b"],
            "c",
            [ints("pads", &[1, 0, 0, 1]), ints("strides", &[2, 1])],
        ),
        node("Pow", &["c", "two"], "p", []),
        node("AveragePool", &["p"], "q", [ints("kernel_shape", &[2, 2])]),
        node("Shape", &["q"], "s", []),
        node("Slice", &["s", "zero", "one"], "n", []),
        node("Concat", &["n", "minus"], "t", [int("axis", 0)]),
        node("Reshape", &["q", "t"], "r", []),
        node("ReduceMean", &["r"], "m", [ints("axes", &[1])]),
        node("Sub", &["r", "m"], "d", []),
        node("Tile", &["d", "twice"], "e", []),
        node("MatMul", &["e", "g"], "y", []),
    ];
    let weights = vec![
        floats("w", &[2, 1, 2, 2], &[0.5; 8]),
        floats("b", &[2], &[1.0, -1.0]),
        floats("two", &[], &[2.0]),
        integers("zero", &[0]),
        integers("one", &[1]),
        integers("minus", &[-1]),
        integers("twice", &[1, 2]),
        floats("g", &[40, 3], &[0.25; 120]),
    ];
    model(dims(&[1, 1, 6, 6]), nodes, weights)
}

#[test]
fn damaged_models_are_refused_without_a_panic() {
    let bytes = varied().write_to_bytes().unwrap();
    let options = Options::new("m.onnx");
    let attempt = |bytes: &[u8]| {
        if let Err(errors) = import(bytes, &NoExternalData, &options) {
            assert!(!errors.diagnostics.is_empty() && !errors.to_string().is_empty());
        }
    };
    assert!(import(&bytes, &NoExternalData, &options).is_ok());
    for length in 0..bytes.len() {
        attempt(&bytes[..length]);
    }
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let mut damaged = bytes.clone();
        for _ in 0..=random(3) {
            let at = random(damaged.len());
            match random(3) {
                0 => damaged[at] = random(256) as u8,
                1 => damaged[at] ^= 1 << random(8),
                _ => drop(damaged.splice(at..at + 1, [0xff, 0xff, 0x7f])),
            }
        }
        attempt(&damaged);
    }
}

#[test]
fn wrapped_paddings_go_round() {
    let mut mode = AttributeProto::new();
    (mode.name, mode.s) = ("mode".to_owned(), b"wrap".to_vec());
    mode.type_ = AttributeType::STRING.into();
    let nodes = vec![node("Pad", &["x", "pads"], "y", [mode])];
    let mut model = model(dims(&[3]), nodes, vec![integers("pads", &[2, 5])]);
    model.opset_import[0].version = 19;
    let y = run(&model, &[1.0, 2.0, 3.0]);
    assert_eq!(y, [2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
}

#[test]
fn windows_that_two_formulas_count_differently_are_refused() {
    let pool = |size| {
        let mut valid = AttributeProto::new();
        (valid.name, valid.s) = ("auto_pad".to_owned(), b"VALID".to_vec());
        valid.type_ = AttributeType::STRING.into();
        let attributes = [
            valid,
            int("ceil_mode", 1),
            ints("kernel_shape", &[2, 2]),
            ints("strides", &[2, 2]),
        ];
        let nodes = vec![node("AveragePool", &["x"], "y", attributes)];
        try_import(&model(dims(&[1, 1, 4, size]), nodes, vec![]))
    };
    assert!(pool(4).is_ok());
    let text = pool(5).unwrap_err().to_string();
    assert!(
        text.contains("VALID where `ceil_mode` adds a window"),
        "{text}"
    );
}
