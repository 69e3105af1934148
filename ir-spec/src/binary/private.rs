//! The private part: nodes, remarks, layouts, weights, operators, constants and the program.

use super::column::{Column, Differences};
use super::error::DecodeError;
use super::operator::{decode_operator, encode_operator};
use super::public::{decode_layout, encode_layout};
use super::{bodies, program, wire};
use crate::circuit::{Circuit, Constant, Port, Remark, SourceNode};
use crate::entity::{Arena, Const, LayoutId, Node, OperatorId, Value};
use crate::interface::{InterfacePort, PublicPart};
use crate::shape::Shape;
use crate::tensor::Tensor;
use prost::Message;

pub(super) fn encode(circuit: &Circuit) -> Vec<u8> {
    let Circuit {
        name: _, // these four are public
        security: _,
        rings: _,
        keys: _,
        nodes,
        remarks,
        layouts,
        tensors,
        operators,
        constants,
        inputs,
        outputs,
        fragment,
        functions,
        values,
    } = circuit;
    let message = wire::Private {
        nodes: nodes.values().map(encode_node).collect(),
        layouts: layouts.values().map(encode_layout).collect(),
        tensors: tensors.values().map(encode_tensor).collect(),
        operators: operators.values().map(encode_operator).collect(),
        constants: Some(encode_constants(constants)),
        inputs: inputs.iter().map(encode_port).collect(),
        outputs: outputs.iter().map(encode_port).collect(),
        program: Some(program::encode(values)),
        remarks: remarks.iter().map(encode_remark).collect(),
        functions: functions.values().map(bodies::encode_function).collect(),
        fragment: fragment.as_ref().map(bodies::encode_fragment),
    };
    message.encode_to_vec()
}

pub(super) fn decode(bytes: &[u8], public: PublicPart) -> Result<Circuit, DecodeError> {
    let message = wire::Private::decode(bytes)?;
    let missing = |field| DecodeError::Missing { field };
    let mut circuit = Circuit::new(public.name, public.security, public.rings);
    circuit.keys = public.keys;
    circuit.nodes = message
        .nodes
        .into_iter()
        .map(|wire::SourceNode { name, op }| SourceNode { name, op })
        .collect();
    circuit.remarks = message.remarks.into_iter().map(decode_remark).collect();
    circuit.layouts = message
        .layouts
        .iter()
        .map(decode_layout)
        .collect::<Result<_, _>>()?;
    circuit.tensors = message
        .tensors
        .into_iter()
        .map(decode_tensor)
        .collect::<Result<_, _>>()?;
    circuit.operators = message
        .operators
        .into_iter()
        .map(decode_operator)
        .collect::<Result<_, _>>()?;
    let constants = message.constants.ok_or(missing("constants"))?;
    circuit.constants = decode_constants(&constants)?;
    circuit.inputs = decode_ports(public.inputs, &message.inputs)?;
    circuit.outputs = decode_ports(public.outputs, &message.outputs)?;
    let fragment = message.fragment.map(bodies::decode_fragment);
    circuit.fragment = fragment.transpose()?;
    let functions = message.functions.into_iter();
    circuit.functions = functions
        .map(bodies::decode_function)
        .collect::<Result<_, _>>()?;
    program::decode(&message.program.ok_or(missing("program"))?, &mut circuit)?;
    Ok(circuit)
}

fn encode_node(node: &SourceNode) -> wire::SourceNode {
    let SourceNode { name, op } = node.clone();
    wire::SourceNode { name, op }
}

fn encode_remark(Remark { node, text }: &Remark) -> wire::Remark {
    wire::Remark {
        node: node.map_or(0, |node| node.0.saturating_add(1)),
        text: text.clone(),
    }
}

fn decode_remark(wire::Remark { node, text }: wire::Remark) -> Remark {
    let node = node.checked_sub(1).map(Node);
    Remark { node, text }
}

fn encode_tensor(tensor: &Tensor) -> wire::Tensor {
    let (mut floats, mut doubles) = (Vec::new(), Vec::new());
    if tensor.fits_f32() {
        floats.reserve_exact(4 * tensor.data().len());
        let bytes = tensor.data().iter().flat_map(|&x| (x as f32).to_le_bytes());
        floats.extend(bytes);
    } else {
        doubles.reserve_exact(8 * tensor.data().len());
        doubles.extend(tensor.data().iter().flat_map(|x| x.to_le_bytes()));
    }
    wire::Tensor {
        name: tensor.name.clone(),
        shape: tensor.shape().dims().to_vec(),
        floats,
        doubles,
    }
}

fn decode_tensor(tensor: wire::Tensor) -> Result<Tensor, DecodeError> {
    let (floats, float_rest) = tensor.floats.as_chunks::<4>();
    let (doubles, double_rest) = tensor.doubles.as_chunks::<8>();
    let odd = float_rest.len() + double_rest.len();
    if odd != 0 || (!floats.is_empty() && !doubles.is_empty()) {
        return Err(DecodeError::Length {
            field: "tensor data",
            found: tensor.floats.len() + tensor.doubles.len(),
            expected: 0,
        });
    }
    let data = if doubles.is_empty() {
        let float = |b: &[u8; 4]| f64::from(f32::from_le_bytes(*b));
        floats.iter().map(float).collect()
    } else {
        doubles.iter().map(|b| f64::from_le_bytes(*b)).collect()
    };
    Ok(Tensor::new(tensor.name, Shape::new(tensor.shape)?, data)?)
}

fn encode_constants(constants: &Arena<Const, Constant>) -> wire::Constants {
    let mut message = wire::Constants {
        operators: Differences::of(constants.values().map(|c| c.operator().0)),
        diagonals: bits(constants, |c| matches!(c, Constant::Diagonal { .. })),
        ..wire::Constants::default()
    };
    let [mut inputs, mut outputs, mut rotations, mut pres] =
        std::array::from_fn(|_| Differences::default());
    if constants.values().any(Constant::is_uniform) {
        message.uniforms = bits(constants, Constant::is_uniform);
    }
    for constant in constants.values() {
        match *constant {
            Constant::Diagonal {
                operator: _,
                input,
                output,
                rotation,
                pre,
            } => {
                inputs.push(input);
                outputs.push(output);
                rotations.push(rotation);
                pres.push(pre);
            }
            Constant::Fill { operator: _, part } => outputs.push(part),
            Constant::Uniform {
                operator: _,
                input,
                output,
                rotation,
            } => {
                inputs.push(input);
                outputs.push(output);
                rotations.push(rotation);
            }
        }
    }
    message.inputs = inputs.values;
    message.outputs = outputs.values;
    message.rotations = rotations.values;
    message.pres = pres.values;
    message
}

/// One bit for each constant, lowest first: whether `is` holds for it.
fn bits(constants: &Arena<Const, Constant>, is: impl Fn(&Constant) -> bool) -> Vec<u8> {
    let mut bytes = vec![0; constants.len().div_ceil(8)];
    for (i, constant) in constants.values().enumerate() {
        if let Some(byte) = bytes.get_mut(i / 8) {
            *byte |= u8::from(is(constant)) << (i % 8);
        }
    }
    bytes
}

/// Reads one bit for each of `count` constants.
fn read_bits<'a>(
    field: &'static str,
    bytes: &'a [u8],
    count: usize,
) -> Result<impl Fn(usize) -> bool + 'a, DecodeError> {
    let expected = count.div_ceil(8);
    if bytes.len() != expected {
        let found = bytes.len();
        return Err(DecodeError::Length {
            field,
            found,
            expected,
        });
    }
    Ok(|i: usize| {
        bytes
            .get(i / 8)
            .is_some_and(|byte| byte >> (i % 8) & 1 == 1)
    })
}

fn decode_constants(message: &wire::Constants) -> Result<Arena<Const, Constant>, DecodeError> {
    let wire::Constants {
        operators,
        diagonals,
        inputs,
        outputs,
        rotations,
        pres,
        uniforms,
    } = message;
    let count = operators.len();
    let is_diagonal = read_bits("diagonals", diagonals, count)?;
    let is_uniform = read_bits(
        "uniforms",
        uniforms,
        if uniforms.is_empty() { 0 } else { count },
    )?;
    let mut operators = Column::new("operators", operators);
    let mut inputs = Column::new("inputs", inputs);
    let mut outputs = Column::new("outputs", outputs);
    let mut rotations = Column::new("rotations", rotations);
    let mut pres = Column::new("pres", pres);
    let mut constants = Arena::new();
    for i in 0..count {
        let operator = OperatorId(operators.next_number()?);
        let constant = if is_diagonal(i) {
            Constant::Diagonal {
                operator,
                input: inputs.next_number()?,
                output: outputs.next_number()?,
                rotation: rotations.next_number()?,
                pre: pres.next_number()?,
            }
        } else if is_uniform(i) {
            Constant::Uniform {
                operator,
                input: inputs.next_number()?,
                output: outputs.next_number()?,
                rotation: rotations.next_number()?,
            }
        } else {
            let part = outputs.next_number()?;
            Constant::Fill { operator, part }
        };
        constants.push(constant);
    }
    for column in [inputs, outputs, rotations, pres] {
        column.finish()?;
    }
    Ok(constants)
}

fn encode_port(port: &Port) -> wire::PortValues {
    let Port {
        name: _, // these seven are public
        shape: _,
        finish: _,
        prepare: _,
        range: _,
        expectation: _,
        imaginary: _,
        layout,
        values,
    } = port;
    wire::PortValues {
        layout: layout.0,
        values: Differences::of(values.iter().map(|v| v.0)),
    }
}

/// Decodes ports. The level, scale and layout in the public part follow from the port's values; the fingerprint tells
/// whether they agree.
fn decode_ports(
    public: Vec<InterfacePort>,
    private: &[wire::PortValues],
) -> Result<Vec<Port>, DecodeError> {
    if public.len() != private.len() {
        return Err(DecodeError::Length {
            field: "ports",
            found: private.len(),
            expected: public.len(),
        });
    }
    let decode = |(public, private): (InterfacePort, &wire::PortValues)| {
        let mut values = Column::new("port values", &private.values);
        let values = (0..private.values.len())
            .map(|_| values.next_number().map(Value))
            .collect::<Result<_, _>>()?;
        Ok(Port {
            name: public.name,
            shape: public.shape,
            layout: LayoutId(private.layout),
            values,
            finish: public.finish,
            prepare: public.prepare,
            range: public.range,
            expectation: public.expectation,
            imaginary: public.imaginary,
        })
    };
    public.into_iter().zip(private).map(decode).collect()
}
