//! Constants computed by tract, an implementation of ONNX: what none of our own rules covers.
//!
//! 1. The node becomes a model of its own. Operands of numbers are its inputs, of which only type and shape are told; integers
//!    that say how much is computed are constants. From that tract tells the shapes of the results.
//! 2. These, and the work behind them, are checked against budgets: a few bytes of model ask for any amount of either.
//! 3. The same model with all operands as constants is evaluated, in single precision unless the model has doubles.
//!
//! Only operators that are registered so get here. A panic of the library is a refusal like any other.
#![deny(clippy::indexing_slicing)]

use crate::onnx::build::{Builder, Call, Value};
use crate::onnx::format::{Constant, Element, FloatType, elements};
use crate::onnx::problems::Problem;
use onnx_protobuf::tensor_shape_proto::{Dimension, dimension};
use onnx_protobuf::{
    GraphProto, Message as _, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::*;

/// Evaluates a node whose operands are all constants.
pub(in crate::onnx) fn evaluate(b: &mut Builder, call: &Call) -> Result<Vec<Value>, Problem> {
    let operands: Vec<Option<&Constant>> = (0..call.inputs.len())
        .map(|i| call.optional_constant(i, "an operand"))
        .collect::<Result<_, _>>()?;
    let known = || operands.iter().flatten();
    // The library's rules for tensors without elements are not ONNX's.
    if known().any(|c| c.len() == 0) {
        return Err(Problem::Constants);
    }
    let expanded: u64 = known().map(|c| c.len()).sum();
    b.spend(expanded.saturating_add(generated(call, &operands)))?;
    let sizes = run(|| sizes(call, &operands))?;
    b.spend(sizes.iter().copied().fold(0, u64::saturating_add))?;
    b.work(work(call, &operands, sizes.first().copied().unwrap_or(0)))?;
    call.hand_on();
    let results = run(|| results(call, &operands))?;
    // Halves are computed with as singles, and stay what they are.
    let float = known().find(|c| c.element.is_float()).map(|c| c.element);
    let stays = |c: Constant| match float {
        Some(half @ Element::Float(FloatType::Half | FloatType::BFloat16))
            if c.element.is_float() =>
        {
            c.with_element(half)
        }
        _ => c,
    };
    Ok(results
        .into_iter()
        .map(|c| c.map_or(Value::Unavailable, |c| Value::Known(stays(c))))
        .collect())
}

/// What `f` gives, unless it fails or panics.
fn run<T>(f: impl FnOnce() -> TractResult<T>) -> Result<T, Problem> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) | Err(_) => Err(Problem::Constants),
    }
}

/// Elements that a node makes by the value of an operand, not by the shape of one.
fn generated(call: &Call, operands: &[Option<&Constant>]) -> u64 {
    let operand = |i: usize| operands.get(i).copied().flatten();
    match (call.node.op_type.as_str(), operand(0), operand(1)) {
        ("OneHot", Some(indices), Some(depth)) => indices.len().saturating_mul(depth.at(0) as u64),
        ("Resize" | "Upsample", Some(x), _) => {
            let factors = operands.iter().skip(1).flatten().filter(|c| c.len() <= 64);
            let grown = factors.map(|c| {
                c.values()
                    .fold(x.len() as f64, |n, factor| n * factor.max(1.0))
            });
            grown.fold(0.0, f64::max) as u64
        }
        _ => 0,
    }
}

/// Multiplications, at most, of the operators that need more than a few per element.
fn work(call: &Call, operands: &[Option<&Constant>], result: u64) -> u64 {
    let dims = |i: usize| {
        operands
            .get(i)
            .copied()
            .flatten()
            .map_or(&[][..], |c| c.dims.as_slice())
    };
    let each = match call.node.op_type.as_str() {
        "MatMul" | "MatMulInteger" | "Gemm" => {
            u64::from(dims(0).iter().copied().max().unwrap_or(1))
        }
        "Conv" | "ConvInteger" => elements(dims(1).get(1..).unwrap_or(&[])),
        "ConvTranspose" => elements(dims(1)),
        "Einsum" => {
            operands
                .iter()
                .flatten()
                .fold(1, |n: u64, c| n.saturating_mul(c.len()))
                / result.max(1)
        }
        "AveragePool" | "MaxPool" => 1 << 10,
        "LRN" => call.int_or("size", 1).unwrap_or(1).unsigned_abs(),
        _ => 1,
    };
    result.max(1).saturating_mul(each.max(1))
}

/// The longest list of integers that is told before sizes are asked for.
const LIST: u64 = 64;

/// How many elements the results have.
fn sizes(call: &Call, operands: &[Option<&Constant>]) -> TractResult<Vec<u64>> {
    let told = |c: &Constant| !c.element.is_float() && c.len() <= LIST;
    let mut model = model(call, operands, told)?;
    model.analyse(false)?;
    let mut sizes = Vec::new();
    for outlet in model.output_outlets()?.to_vec() {
        let shape = model.outlet_fact(outlet)?.shape.concretize();
        let mut dims = Vec::new();
        for dim in shape.iter().flatten() {
            dims.push(dim.to_usize()? as u64);
        }
        // Sizes that depend on numbers, as of NonZero, are bounded by those of the operands.
        sizes.push(dims.iter().copied().fold(1, u64::saturating_mul));
    }
    Ok(sizes)
}

/// The results, with gaps where an output has no name.
fn results(call: &Call, operands: &[Option<&Constant>]) -> TractResult<Vec<Option<Constant>>> {
    let mut model = model(call, operands, |_| true)?;
    model.analyse(false)?;
    let plan = model.into_typed()?.into_runnable()?;
    let mut values = plan.run(tvec![])?.into_iter();
    let mut results = Vec::new();
    for name in &call.node.output {
        let value = if name.is_empty() { None } else { values.next() };
        results.push(value.map(|value| received(name, &value)).transpose()?);
    }
    Ok(results)
}

/// The node as a model; operands for which `told` says so are constants, the others inputs.
fn model(
    call: &Call,
    operands: &[Option<&Constant>],
    told: impl Fn(&Constant) -> bool,
) -> TractResult<InferenceModel> {
    let mut node: NodeProto = call.node.clone();
    let mut graph = GraphProto::new();
    for (i, operand) in operands.iter().enumerate() {
        let name = operand.map_or(String::new(), |_| format!("i{i}"));
        if let Some(constant) = operand {
            if told(constant) {
                graph.initializer.push(tensor(&name, constant));
            } else {
                graph.input.push(declared(&name, constant));
            }
        }
        if let Some(input) = node.input.get_mut(i) {
            *input = name;
        }
    }
    for (i, output) in node
        .output
        .iter_mut()
        .enumerate()
        .filter(|(_, o)| !o.is_empty())
    {
        *output = format!("o{i}");
        let mut info = ValueInfoProto::new();
        info.name.clone_from(output);
        graph.output.push(info);
    }
    graph.node.push(node);
    let mut opset = OperatorSetIdProto::new();
    opset.version = call.opset;
    let mut model = ModelProto::new();
    model.ir_version = 8;
    model.opset_import.push(opset);
    model.graph = Some(graph).into();
    let bytes = model.write_to_bytes()?;
    tract_onnx::onnx()
        .with_ignore_output_shapes(true)
        .with_ignore_output_types(true)
        .model_for_read(&mut bytes.as_slice())
}

/// The number by which ONNX knows the type in which a constant is computed with: halves as singles.
fn number(element: Element) -> i32 {
    match element {
        Element::Float(FloatType::Double) => 11,
        Element::Float(_) => 1,
        Element::Bool => 9,
        Element::Integer { signed, bits } => match (signed, bits) {
            (false, 0..=8) => 2,
            (true, 0..=8) => 3,
            (false, 16) => 4,
            (true, 16) => 5,
            (true, 32) => 6,
            (false, 32) => 12,
            (true, _) => 7,
            (false, _) => 13,
        },
        Element::Other(number) => number,
    }
}

fn tensor(name: &str, constant: &Constant) -> TensorProto {
    let mut tensor = TensorProto::new();
    tensor.name = name.to_owned();
    tensor.dims = constant.dims.iter().map(|&d| i64::from(d)).collect();
    tensor.data_type = number(constant.element);
    let values = constant.values();
    tensor.raw_data = match tensor.data_type {
        1 => values.flat_map(|x| (x as f32).to_le_bytes()).collect(),
        11 => values.flat_map(f64::to_le_bytes).collect(),
        2 => values.map(|x| x as u8).collect(),
        3 => values.map(|x| x as i8 as u8).collect(),
        4 => values.flat_map(|x| (x as u16).to_le_bytes()).collect(),
        5 => values.flat_map(|x| (x as i16).to_le_bytes()).collect(),
        6 => values.flat_map(|x| (x as i32).to_le_bytes()).collect(),
        9 => values.map(|x| u8::from(x != 0.0)).collect(),
        12 => values.flat_map(|x| (x as u32).to_le_bytes()).collect(),
        13 => values.flat_map(|x| (x as u64).to_le_bytes()).collect(),
        _ => values.flat_map(|x| (x as i64).to_le_bytes()).collect(),
    };
    tensor
}

fn declared(name: &str, constant: &Constant) -> ValueInfoProto {
    let mut shape = TensorShapeProto::new();
    for &d in &constant.dims {
        let mut dim = Dimension::new();
        dim.value = Some(dimension::Value::DimValue(i64::from(d)));
        shape.dim.push(dim);
    }
    let mut tensor = type_proto::Tensor::new();
    tensor.elem_type = number(constant.element);
    tensor.shape = Some(shape).into();
    let mut ty = TypeProto::new();
    ty.value = Some(type_proto::Value::TensorType(tensor));
    let mut info = ValueInfoProto::new();
    info.name = name.to_owned();
    info.type_ = Some(ty).into();
    info
}

/// A tensor of the library as a constant.
fn received(name: &str, value: &Tensor) -> TractResult<Constant> {
    let integer = |signed, bits| Element::Integer { signed, bits };
    let element = match value.datum_type() {
        DatumType::F64 => Element::Float(FloatType::Double),
        DatumType::F32 | DatumType::F16 => Element::FLOAT32,
        DatumType::Bool => Element::Bool,
        DatumType::I8 => integer(true, 8),
        DatumType::U8 => integer(false, 8),
        DatumType::I16 => integer(true, 16),
        DatumType::U16 => integer(false, 16),
        DatumType::I32 => integer(true, 32),
        DatumType::U32 => integer(false, 32),
        DatumType::U64 => integer(false, 64),
        DatumType::I64 | DatumType::TDim => Element::INT64,
        other => bail!("results of type {other:?} are not read"),
    };
    let dims: Vec<u32> = value
        .shape()
        .iter()
        .map(|&d| u32::try_from(d))
        .collect::<Result<_, _>>()?;
    let data = match element.is_float() || element == Element::Bool {
        true => {
            let numbers = value.cast_to::<f64>()?;
            numbers
                .to_plain_array_view::<f64>()?
                .iter()
                .copied()
                .collect()
        }
        false => {
            let numbers = value.cast_to::<i64>()?;
            numbers
                .to_plain_array_view::<i64>()?
                .iter()
                .map(|&x| x as f64)
                .collect()
        }
    };
    Ok(Constant::new(name, element, dims, data))
}
