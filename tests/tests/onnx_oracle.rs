//! Small random models through the front end and through tract, an implementation of ONNX of its own: numbers agree.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

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
struct Chain {
    graph: GraphProto,
    last: String,
    state: u64,
}

impl Chain {
    fn new(dims: &[u32]) -> Self {
        let mut graph = GraphProto::new();
        graph.input = vec![declared("x", dims)];
        Self {
            graph,
            last: "x".to_owned(),
            state: 7,
        }
    }

    /// Numbers between -1 and 1.
    fn numbers(&mut self, count: u32) -> Vec<f32> {
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

    fn weight(&mut self, dims: &[u32]) -> String {
        let mut tensor = TensorProto::new();
        tensor.name = format!("w{}", self.graph.initializer.len());
        tensor.data_type = 1;
        tensor.dims = dims.iter().map(|&d| i64::from(d)).collect();
        tensor.float_data = self.numbers(dims.iter().product());
        self.graph.initializer.push(tensor);
        format!("w{}", self.graph.initializer.len() - 1)
    }

    /// Appends a node that reads the last value and these weights.
    fn node(&mut self, op: &str, weights: &[String], attributes: Vec<AttributeProto>) {
        let mut node = NodeProto::new();
        node.op_type = op.to_owned();
        node.input = [std::slice::from_ref(&self.last), weights].concat();
        self.last = format!("v{}", self.graph.node.len());
        node.output = vec![self.last.clone()];
        node.attribute = attributes;
        self.graph.node.push(node);
    }

    fn bytes(mut self) -> Vec<u8> {
        let mut output = ValueInfoProto::new();
        output.name = self.last.clone();
        let mut ty = TypeProto::new();
        let mut tensor = type_proto::Tensor::new();
        tensor.elem_type = 1;
        ty.value = Some(type_proto::Value::TensorType(tensor));
        output.type_ = Some(ty).into();
        self.graph.output = vec![output];
        let mut opset = OperatorSetIdProto::new();
        opset.version = 13;
        let mut model = ModelProto::new();
        model.ir_version = 7;
        model.opset_import = vec![opset];
        model.graph = Some(self.graph).into();
        model.write_to_bytes().unwrap()
    }
}

fn declared(name: &str, dims: &[u32]) -> ValueInfoProto {
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

fn ints(name: &str, values: &[u32]) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::INTS.into();
    a.ints = values.iter().map(|&v| i64::from(v)).collect();
    a
}

fn int(name: &str, value: u32) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::INT.into();
    a.i = i64::from(value);
    a
}

fn float(name: &str, value: f32) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::FLOAT.into();
    a.f = value;
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
        .to_plain_array_view::<f32>()?
        .iter()
        .copied()
        .collect())
}

fn agree(mut chain: Chain, dims: &[u32]) -> Result<(), TestCaseError> {
    let x = chain.numbers(dims.iter().product());
    let bytes = chain.bytes();
    let expected = tract(&bytes, dims, &x)
        .map_err(|e| TestCaseError::reject(format!("tract refuses: {e:?}")))?;
    let graph = onnx::import(&bytes, &NoExternalData, &Options::new("random"))
        .map_err(|e| TestCaseError::fail(e.to_string()))?;
    let inputs = BTreeMap::from([("x".to_owned(), x.iter().map(|&v| f64::from(v)).collect())]);
    let y = graph.evaluate(&inputs).unwrap().remove(0);
    prop_assert_eq!(y.len(), expected.len());
    let largest = expected
        .iter()
        .fold(1e-3f64, |m, &v| m.max(f64::from(v).abs()));
    for (i, (y, &e)) in y.iter().zip(&expected).enumerate() {
        let off = (y - f64::from(e)).abs() / largest;
        prop_assert!(off < 1e-5, "element {}: {} instead of {}", i, y, e);
    }
    Ok(())
}

#[derive(Clone, Debug)]
struct Window {
    kernel: [u32; 2],
    strides: [u32; 2],
    dilations: [u32; 2],
    pads: [u32; 4],
}

fn window() -> impl Strategy<Value = Window> {
    (
        [1..4u32, 1..4u32],
        [1..4u32, 1..4u32],
        [1..3u32, 1..3u32],
        [0..3u32, 0..3u32, 0..3u32, 0..3u32],
    )
        .prop_map(|(kernel, strides, dilations, pads)| Window {
            kernel,
            strides,
            dilations,
            pads,
        })
}

impl Window {
    fn attributes(&self) -> Vec<AttributeProto> {
        vec![
            ints("kernel_shape", &self.kernel),
            ints("strides", &self.strides),
            ints("pads", &self.pads),
        ]
    }

    fn fits(&self, size: [u32; 2]) -> bool {
        (0..2).all(|a| {
            let reach = (self.kernel[a] - 1) * self.dilations[a] + 1;
            size[a] + self.pads[a] + self.pads[a + 2] >= reach
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_global_rejects: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn convolutions(w in window(), n in 1..3u32, groups in 1..4u32, ci in 1..3u32, co in 1..3u32,
                    size in [1..9u32, 1..9u32], bias in any::<bool>()) {
        prop_assume!(w.fits(size));
        let dims = [n, groups * ci, size[0], size[1]];
        let mut chain = Chain::new(&dims);
        let mut weights = vec![chain.weight(&[groups * co, ci, w.kernel[0], w.kernel[1]])];
        if bias {
            weights.push(chain.weight(&[groups * co]));
        }
        let mut attributes = w.attributes();
        attributes.extend([ints("dilations", &w.dilations), int("group", groups)]);
        chain.node("Conv", &weights, attributes);
        agree(chain, &dims)?;
    }

    #[test]
    fn poolings(mut w in window(), channels in 1..3u32, size in [1..9u32, 1..9u32], count in 0..2u32) {
        w.dilations = [1, 1];
        for (a, pad) in w.pads.iter_mut().enumerate() {
            *pad = (*pad).min(w.kernel[a % 2] - 1);
        }
        prop_assume!(w.fits(size));
        let dims = [1, channels, size[0], size[1]];
        let mut chain = Chain::new(&dims);
        let mut attributes = w.attributes();
        attributes.push(int("count_include_pad", count));
        chain.node("AveragePool", &[], attributes);
        agree(chain, &dims)?;
    }

    #[test]
    fn products(rows in 1..5u32, k in 1..6u32, m in 1..6u32, trans_a in 0..2u32, trans_b in 0..2u32,
                alpha in 0.5..2.0f32, beta in 0.5..2.0f32) {
        let dims = if trans_a == 1 { [k, rows] } else { [rows, k] };
        let mut chain = Chain::new(&dims);
        let b = if trans_b == 1 { [m, k] } else { [k, m] };
        let weights = vec![chain.weight(&b), chain.weight(&[m])];
        let attributes = vec![
            int("transA", trans_a),
            int("transB", trans_b),
            float("alpha", alpha),
            float("beta", beta),
        ];
        chain.node("Gemm", &weights, attributes);
        agree(chain, &dims)?;
    }

    #[test]
    fn batched_products(batch in [1..3u32, 1..4u32], n in 1..4u32, k in 1..5u32, m in 1..5u32,
                        weight_batch in 0..4u32) {
        let dims = [batch[0], batch[1], n, k];
        let mut chain = Chain::new(&dims);
        let weight = match weight_batch {
            0 => chain.weight(&[k, m]),
            1 => chain.weight(&[batch[1], k, m]),
            2 => chain.weight(&[batch[0], 1, k, m]),
            _ => chain.weight(&[1, 1, k, m]),
        };
        chain.node("MatMul", &[weight], vec![]);
        agree(chain, &dims)?;
    }

    #[test]
    fn networks(w in window(), size in [3..9u32, 3..9u32], channels in 1..4u32, perm in 0..2usize) {
        prop_assume!(w.fits(size));
        let dims = [1, 2, size[0], size[1]];
        let mut chain = Chain::new(&dims);
        let weights = vec![chain.weight(&[channels, 2, w.kernel[0], w.kernel[1]])];
        let mut attributes = w.attributes();
        attributes.push(ints("dilations", &w.dilations));
        chain.node("Conv", &weights, attributes);
        let statistics = (0..4).map(|i| {
            let name = chain.weight(&[channels]);
            if i == 3 {
                // A variance is not negative.
                let data = &mut chain.graph.initializer.last_mut().unwrap().float_data;
                data.iter_mut().for_each(|v| *v = v.abs() + 0.1);
            }
            name
        });
        let statistics: Vec<String> = statistics.collect();
        chain.node("BatchNormalization", &statistics, vec![]);
        let factor = chain.weight(&[channels, 1, 1]);
        chain.node("Mul", &[factor], vec![]);
        let square = chain.last.clone();
        chain.node("Mul", &[square], vec![]);
        let order = [[0, 2, 3, 1], [0, 1, 3, 2]][perm];
        chain.node("Transpose", &[], vec![ints("perm", &order)]);
        chain.node("GlobalAveragePool", &[], vec![]);
        chain.node("Flatten", &[], vec![int("axis", 1)]);
        agree(chain, &dims)?;
    }
}
