//! Models built in memory, and tract as the oracle of what they compute.

use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::tensor_shape_proto::{Dimension, dimension};
use onnx_protobuf::{
    AttributeProto, GraphProto, Message, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use peregrine_compiler::onnx::{self, NoExternalData, Options};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tract_onnx::prelude::*;

/// Builds a model of a chain of nodes with weights drawn from a fixed sequence.
pub struct Chain {
    pub graph: GraphProto,
    pub last: String,
    pub opset: i64,
    /// The element type of the result, by its ONNX number.
    pub element: i32,
    state: u64,
}

impl Chain {
    pub fn new(dims: &[u32]) -> Self {
        let mut graph = GraphProto::new();
        graph.input = vec![declared("x", dims)];
        Self {
            graph,
            last: "x".to_owned(),
            opset: 13,
            element: 1,
            state: 7,
        }
    }

    /// Numbers between -1 and 1.
    pub fn numbers(&mut self, count: u32) -> Vec<f32> {
        (0..count)
            .map(|_| {
                self.state = self
                    .state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (self.state >> 40) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    pub fn weight(&mut self, dims: &[u32]) -> String {
        let mut tensor = TensorProto::new();
        tensor.name = format!("w{}", self.graph.initializer.len());
        tensor.data_type = 1;
        tensor.dims = dims.iter().map(|&d| i64::from(d)).collect();
        tensor.float_data = self.numbers(dims.iter().product());
        self.graph.initializer.push(tensor);
        format!("w{}", self.graph.initializer.len() - 1)
    }

    /// A list of integers known at compile time.
    pub fn list(&mut self, values: &[i64]) -> String {
        let mut tensor = TensorProto::new();
        tensor.name = format!("w{}", self.graph.initializer.len());
        tensor.data_type = 7;
        tensor.dims = vec![values.len() as i64];
        tensor.int64_data = values.to_vec();
        let name = tensor.name.clone();
        self.graph.initializer.push(tensor);
        name
    }

    /// Appends a node that reads the last value and these weights.
    pub fn node(&mut self, op: &str, weights: &[String], attributes: Vec<AttributeProto>) {
        let mut node = NodeProto::new();
        node.op_type = op.to_owned();
        node.input = [std::slice::from_ref(&self.last), weights].concat();
        self.last = format!("v{}", self.graph.node.len());
        node.output = vec![self.last.clone()];
        node.attribute = attributes;
        self.graph.node.push(node);
    }

    /// The model whose result is the last value.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes_with(&[])
    }

    /// The model whose results are the last value and these, with the numbers of their element types.
    pub fn bytes_with(mut self, more: &[(&str, i32)]) -> Vec<u8> {
        let last = output(&self.last, self.element);
        let more = more.iter().map(|(name, element)| output(name, *element));
        self.graph.output = std::iter::once(last).chain(more).collect();
        let mut opset = OperatorSetIdProto::new();
        opset.version = self.opset;
        let mut model = ModelProto::new();
        model.ir_version = 7;
        model.opset_import = vec![opset];
        model.graph = Some(self.graph).into();
        model.write_to_bytes().unwrap()
    }
}

/// A result of unknown shape.
pub fn output(name: &str, element: i32) -> ValueInfoProto {
    let mut output = ValueInfoProto::new();
    output.name = name.to_owned();
    let mut ty = TypeProto::new();
    let mut tensor = type_proto::Tensor::new();
    tensor.elem_type = element;
    ty.value = Some(type_proto::Value::TensorType(tensor));
    output.type_ = Some(ty).into();
    output
}

pub fn declared(name: &str, dims: &[u32]) -> ValueInfoProto {
    let mut shape = TensorShapeProto::new();
    for &d in dims {
        let mut dim = Dimension::new();
        dim.value = Some(dimension::Value::DimValue(i64::from(d)));
        shape.dim.push(dim);
    }
    let mut tensor = type_proto::Tensor::new();
    tensor.elem_type = 1;
    tensor.shape = Some(shape).into();
    let mut ty = TypeProto::new();
    ty.value = Some(type_proto::Value::TensorType(tensor));
    let mut info = ValueInfoProto::new();
    info.name = name.to_owned();
    info.type_ = Some(ty).into();
    info
}

pub fn ints<T: Copy + Into<i64>>(name: &str, values: &[T]) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::INTS.into();
    a.ints = values.iter().map(|&v| v.into()).collect();
    a
}

pub fn int(name: &str, value: impl Into<i64>) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::INT.into();
    a.i = value.into();
    a
}

pub fn string(name: &str, value: &str) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::STRING.into();
    a.s = value.as_bytes().to_vec();
    a
}

pub fn float(name: &str, value: f32) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::FLOAT.into();
    a.f = value;
    a
}

pub fn floats(name: &str, values: &[f32]) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::FLOATS.into();
    a.floats = values.to_vec();
    a
}

/// The result of tract.
fn tract(bytes: &[u8], dims: &[u32], x: &[f32]) -> TractResult<Vec<f32>> {
    let shape: Vec<usize> = dims.iter().map(|&d| d as usize).collect();
    let model = tract_onnx::onnx()
        .model_for_read(&mut &*bytes)?
        .into_typed()?
        .into_runnable()?;
    let output = model.run(tvec!(Tensor::from_shape(&shape, x)?.into()))?;
    Ok(output[0]
        .cast_to::<f32>()?
        .to_plain_array_view::<f32>()?
        .iter()
        .copied()
        .collect())
}

pub fn agree(mut chain: Chain, dims: &[u32]) -> Result<(), TestCaseError> {
    let x = chain.numbers(dims.iter().product());
    let bytes = chain.bytes();
    let expected = tract(&bytes, dims, &x)
        .map_err(|e| TestCaseError::fail(format!("tract refuses: {e:?}")))?;
    computes(&bytes, &x, &expected)
}

/// As [`agree`], but a model that tract refuses is left out: whether it was compared.
pub fn agree_where_tract_computes(mut chain: Chain, dims: &[u32]) -> Result<bool, TestCaseError> {
    let x = chain.numbers(dims.iter().product());
    let bytes = chain.bytes();
    match tract(&bytes, dims, &x) {
        Ok(expected) => computes(&bytes, &x, &expected).map(|()| true),
        Err(_) => Ok(false),
    }
}

/// Whether the front end gives the model these results.
fn computes(bytes: &[u8], x: &[f32], expected: &[f32]) -> Result<(), TestCaseError> {
    let graph = onnx::import(bytes, &NoExternalData, &Options::new("random"))
        .map_err(|e| TestCaseError::fail(e.to_string()))?;
    let inputs = BTreeMap::from([("x".to_owned(), x.iter().map(|&v| f64::from(v)).collect())]);
    let y = graph.evaluate(&inputs).unwrap().remove(0);
    prop_assert_eq!(y.len(), expected.len());
    let largest = expected
        .iter()
        .fold(1e-3f64, |m, &v| m.max(f64::from(v).abs()));
    for (i, (y, &e)) in y.iter().zip(expected).enumerate() {
        let off = (y - f64::from(e)).abs() / largest;
        prop_assert!(off < 1e-5, "element {}: {} instead of {}", i, y, e);
    }
    Ok(())
}
