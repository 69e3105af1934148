//! Models with odd attributes against what ONNX Runtime computed for them, as `onnx/generate.py` stored it: every nearest
//! Resize, windows with all kinds of padding, Pad that cuts, short networks at every opset, and models that are refused.

use super::oracle::{declared, float, floats, int, ints, output, string};
use onnx_protobuf::{
    AttributeProto, GraphProto, Message as _, ModelProto, NodeProto, OperatorSetIdProto,
    TensorProto,
};
use peregrine_compiler::onnx::{self, NoExternalData, Options};
use serde_json::Value;
use std::collections::BTreeMap;

/// Largest difference, relative to the largest magnitude of the output.
const TOLERANCE: f64 = 1e-5;

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|v| v.as_f64().unwrap()).collect()
}

fn extents(value: &Value) -> Vec<u32> {
    numbers(value).iter().map(|&v| v as u32).collect()
}

fn words(value: &Value) -> Vec<String> {
    let list = value.as_array().unwrap();
    list.iter()
        .map(|v| v.as_str().unwrap().to_owned())
        .collect()
}

fn attribute(name: &str, value: &Value) -> AttributeProto {
    match value {
        Value::String(text) => string(name, text),
        Value::Number(number) if number.is_i64() => int(name, number.as_i64().unwrap()),
        Value::Number(number) => float(name, number.as_f64().unwrap() as f32),
        Value::Array(list) if list.iter().all(Value::is_i64) => {
            let list: Vec<i64> = list.iter().map(|v| v.as_i64().unwrap()).collect();
            ints(name, &list)
        }
        Value::Array(_) => {
            let list: Vec<f32> = numbers(value).iter().map(|&v| v as f32).collect();
            floats(name, &list)
        }
        other => panic!("attribute `{name}` is {other}"),
    }
}

fn node(value: &Value) -> NodeProto {
    let mut node = NodeProto::new();
    node.op_type = value["op"].as_str().unwrap().to_owned();
    node.input = words(&value["in"]);
    node.output = words(&value["out"]);
    let attributes = value["attributes"].as_object().unwrap();
    node.attribute = attributes.iter().map(|(n, v)| attribute(n, v)).collect();
    node
}

fn constant(name: &str, value: &Value) -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.name = name.to_owned();
    tensor.dims = extents(&value["dims"]).iter().map(|&d| d.into()).collect();
    let data = numbers(&value["data"]);
    match value["type"].as_str().unwrap() {
        "float32" => {
            tensor.data_type = 1;
            tensor.float_data = data.iter().map(|&v| v as f32).collect();
        }
        "float64" => (tensor.data_type, tensor.double_data) = (11, data),
        "float16" => {
            // Only types matter where these occur.
            tensor.data_type = 10;
            tensor.int32_data = vec![0; data.len()];
        }
        "int64" => {
            tensor.data_type = 7;
            tensor.int64_data = data.iter().map(|&v| v as i64).collect();
        }
        "int32" => {
            tensor.data_type = 6;
            tensor.int32_data = data.iter().map(|&v| v as i32).collect();
        }
        other => panic!("elements of type {other}"),
    }
    tensor
}

fn model(case: &Value) -> ModelProto {
    let mut graph = GraphProto::new();
    graph.input = vec![declared("x", &extents(&case["dims"]))];
    graph.output = vec![output("y", 1)];
    let nodes = case["nodes"].as_array().unwrap();
    graph.node = nodes.iter().map(node).collect();
    let constants = case["constants"].as_object().unwrap();
    graph.initializer = constants.iter().map(|(n, v)| constant(n, v)).collect();
    let mut opset = OperatorSetIdProto::new();
    opset.version = case["opset"].as_i64().unwrap();
    let mut model = ModelProto::new();
    model.ir_version = 8;
    model.opset_import = vec![opset];
    model.graph = Some(graph).into();
    model
}

/// What is wrong with a case, if anything is.
fn check(case: &Value) -> Result<(), String> {
    let bytes = model(case).write_to_bytes().unwrap();
    let imported = onnx::import(&bytes, &NoExternalData, &Options::new("case"));
    let expected = &case["y"];
    let graph = match (imported, expected.is_null()) {
        (Err(_), true) => return Ok(()),
        (Ok(_), true) => return Err("compiles, ONNX Runtime refuses it".to_owned()),
        (Err(errors), false) => return Err(errors.to_string()),
        (Ok(graph), false) => graph,
    };
    let count: u32 = extents(&case["dims"]).iter().product();
    let x = (0..count).map(|i| (f64::from(37 * i % 101) - 50.0) / 16.0);
    let inputs = BTreeMap::from([("x".to_owned(), x.collect())]);
    let y = graph
        .evaluate(&inputs)
        .map_err(|e| e.to_string())?
        .remove(0);
    let end = &graph.outputs[0];
    let shape = end.finish.result_shape(&graph.node(end.node).shape);
    let shape = shape.map_err(|e| e.to_string())?.dims().to_vec();
    if shape != extents(&expected["dims"]) {
        return Err(format!("shape {shape:?}, expected {}", expected["dims"]));
    }
    let wanted = numbers(&expected["data"]);
    let largest = wanted.iter().fold(1e-3f64, |m, v| m.max(v.abs()));
    let differs = |(a, b): (&f64, &f64)| (a - b).abs() > TOLERANCE * largest;
    match y.iter().zip(&wanted).position(differs) {
        Some(i) => Err(format!("element {i} is {}, expected {}", y[i], wanted[i])),
        None => Ok(()),
    }
}

#[test]
fn stored_cases_compute_what_onnx_runtime_computes() {
    let lines = include_str!("../../../onnx/cases.jsonl").lines();
    let mut failures = Vec::new();
    let mut count = 0;
    for line in lines {
        let case: Value = serde_json::from_str(line).unwrap();
        if let Err(why) = check(&case) {
            failures.push(format!("{why}\n  {line}"));
        }
        count += 1;
    }
    println!("{count} cases, {} of them fail", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count > 500, "only {count} cases");
}
