//! The model around the nodes: versions, encrypted inputs, sizes of symbolic dimensions.
#![deny(clippy::indexing_slicing)]

use super::rank;
use crate::onnx::format::{Element, Message, scan};
use crate::onnx::problems::Problem;
use onnx_protobuf::tensor_shape_proto::dimension;
use onnx_protobuf::{GraphProto, Message as _, ModelProto, TypeProto, ValueInfoProto, type_proto};
use std::collections::BTreeMap;

/// The first and the last version of the default operator set that is understood.
pub const OPSETS: (i64, i64) = (6, 28);

/// First and last version of the file format.
const IR_VERSIONS: (i64, i64) = (3, 14);

/// What the importer has to be told about a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The name of the model in messages, usually that of its file.
    pub model: String,
    /// Sizes of symbolic dimensions, by name; a batch dimension without one is 1.
    pub dimensions: BTreeMap<String, u32>,
}

impl Options {
    /// Options for a model of this name, without sizes of symbolic dimensions.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            dimensions: BTreeMap::new(),
        }
    }
}

/// The parsed model.
pub(in crate::onnx) fn parse(bytes: &[u8]) -> Result<ModelProto, Problem> {
    scan(bytes, Message::Model).map_err(Problem::Scan)?;
    ModelProto::parse_from_bytes(bytes).map_err(|error| Problem::Parse {
        reason: error.to_string(),
    })
}

/// The version of the default operator set.
pub(in crate::onnx) fn opset(model: &ModelProto) -> Result<i64, Problem> {
    let in_range = |what, found, range: (i64, i64)| {
        if (range.0..=range.1).contains(&found) {
            Ok(found)
        } else {
            Err(Problem::Version { what, found, range })
        }
    };
    in_range("ONNX IR version", model.ir_version, IR_VERSIONS)?;
    let default = (model.opset_import.iter())
        .find(|import| matches!(import.domain.as_str(), "" | "ai.onnx"))
        .ok_or(Problem::Missing {
            what: "version of the default operator set",
        })?;
    in_range("opset", default.version, OPSETS)
}

/// An input of the model that is not a weight.
pub(in crate::onnx) struct Input<'m> {
    pub(in crate::onnx) name: &'m str,
    pub(in crate::onnx) element: Element,
    pub(in crate::onnx) dims: Vec<u32>,
}

/// The inputs that are not initializers, and what is wrong with the others.
pub(in crate::onnx) fn inputs<'m>(
    graph: &'m GraphProto,
    is_weight: impl Fn(&str) -> bool,
    options: &Options,
) -> (Vec<Input<'m>>, Vec<Problem>) {
    let declared: Vec<&ValueInfoProto> = (graph.input.iter())
        .filter(|input| !is_weight(&input.name))
        .collect();
    let mut sizes = options.dimensions.clone();
    for input in &declared {
        if let Ok((_, dims)) = tensor_type(input)
            && let Some(Size::Symbol(batch)) = dims.first()
        {
            sizes.entry(batch.clone()).or_insert(1);
        }
    }
    let (mut inputs, mut problems) = (Vec::new(), Vec::new());
    for info in declared {
        match input(info, &sizes) {
            Ok(input) => inputs.push(input),
            Err(problem) => problems.push(problem),
        }
    }
    (inputs, problems)
}

fn input<'m>(
    info: &'m ValueInfoProto,
    sizes: &BTreeMap<String, u32>,
) -> Result<Input<'m>, Problem> {
    let (element, declared) = tensor_type(info)?;
    let mut dims = Vec::with_capacity(declared.len());
    for (axis, size) in declared.into_iter().enumerate() {
        let known = match &size {
            Size::Known(size) => Some(*size),
            Size::Symbol(name) => sizes.get(name).copied(),
            Size::Unknown if axis == 0 => Some(1),
            Size::Unknown => None,
        };
        dims.push(known.ok_or_else(|| Problem::Symbolic {
            input: info.name.clone(),
            axis,
            symbol: match size {
                Size::Symbol(name) => Some(name),
                Size::Known(_) | Size::Unknown => None,
            },
        })?);
    }
    Ok(Input {
        name: &info.name,
        element,
        dims,
    })
}

/// The element type that a tensor is declared with, if it is.
pub(in crate::onnx) fn element(info: &ValueInfoProto) -> Option<Element> {
    match &info.type_.as_ref()?.value {
        Some(type_proto::Value::TensorType(tensor)) if tensor.elem_type != 0 => {
            Some(Element::from_onnx(tensor.elem_type))
        }
        _ => None,
    }
}

/// A dimension as declared.
enum Size {
    Known(u32),
    Symbol(String),
    Unknown,
}

/// Element type and dimensions of a tensor. An optional is taken to be there, a sequence to have one element, which it
/// stacks.
fn tensor_type(info: &ValueInfoProto) -> Result<(Element, Vec<Size>), Problem> {
    let refused = |found| Problem::InputType {
        input: info.name.clone(),
        found,
    };
    let mut ty: &TypeProto = info.type_.as_ref().ok_or(refused("without a type"))?;
    let mut dims = Vec::new();
    let tensor = loop {
        match &ty.value {
            Some(type_proto::Value::TensorType(tensor)) => break tensor,
            Some(type_proto::Value::OptionalType(optional)) => {
                ty = (optional.elem_type.as_ref()).ok_or(refused("an optional of nothing"))?;
            }
            Some(type_proto::Value::SequenceType(sequence)) => {
                ty = (sequence.elem_type.as_ref()).ok_or(refused("a sequence of nothing"))?;
                dims.push(Size::Known(1));
            }
            _ => return Err(refused("not a dense tensor")),
        }
    };
    let shape = (tensor.shape.as_ref()).ok_or(refused("a tensor of unknown rank"))?;
    rank::check(shape.dim.len())?;
    for dim in &shape.dim {
        dims.push(match &dim.value {
            Some(dimension::Value::DimValue(size)) if *size >= 0 => {
                Size::Known(u32::try_from(*size).unwrap_or(u32::MAX))
            }
            Some(dimension::Value::DimParam(name)) if !name.is_empty() => {
                Size::Symbol(name.clone())
            }
            _ => Size::Unknown,
        });
    }
    Ok((Element::from_onnx(tensor.elem_type), dims))
}
