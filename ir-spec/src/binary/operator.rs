//! Operators as messages.

use super::column::{Column, Differences};
use super::error::DecodeError;
use super::fields::array;
use super::wire;
use crate::circuit::Operator;
use crate::entity::{LayoutId, TensorId};
use crate::linear::{
    AveragePool, AxisMap, Contract, Conv2d, Gather, LinearKind, LinearMap, Window,
};
use crate::shape::Shape;

pub(super) fn encode_operator(operator: &Operator) -> wire::Operator {
    match operator {
        Operator::Linear {
            map,
            input,
            output,
            fold,
        } => wire::Operator {
            input_shape: map.input.dims().to_vec(),
            output_shape: map.output.dims().to_vec(),
            input_layout: input.0,
            output_layout: output.0,
            fold: *fold,
            kind: Some(encode_kind(&map.kind)),
        },
        Operator::Broadcast {
            tensor,
            shape,
            layout,
        } => wire::Operator {
            input_shape: Vec::new(),
            output_shape: shape.dims().to_vec(),
            input_layout: 0,
            output_layout: layout.0,
            fold: 1,
            kind: Some(wire::OperatorKind::Broadcast(tensor.0)),
        },
    }
}

pub(super) fn decode_operator(operator: wire::Operator) -> Result<Operator, DecodeError> {
    let missing = |field| DecodeError::Missing { field };
    let output = Shape::new(operator.output_shape)?;
    let kind = match operator.kind.ok_or(missing("kind of operator"))? {
        wire::OperatorKind::Broadcast(tensor) => {
            return Ok(Operator::Broadcast {
                tensor: TensorId(tensor),
                shape: output,
                layout: LayoutId(operator.output_layout),
            });
        }
        wire::OperatorKind::Conv2d(conv) => LinearKind::Conv2d(Conv2d {
            weight: TensorId(conv.weight),
            window: decode_window(&conv.window.ok_or(missing("window"))?)?,
            groups: conv.groups,
        }),
        wire::OperatorKind::AveragePool(pool) => LinearKind::AveragePool(AveragePool {
            window: decode_window(&pool.window.ok_or(missing("window"))?)?,
            padding_counts: match pool.end_pads.as_slice() {
                [] => None,
                pads => Some(array("end pads", pads)?),
            },
        }),
        wire::OperatorKind::Contract(contract) => LinearKind::Contract(decode_contract(contract)),
        wire::OperatorKind::Scale(weight) => LinearKind::Scale(TensorId(weight)),
        wire::OperatorKind::Gather(gather) => LinearKind::Gather(decode_gather(gather)?),
    };
    let input = Shape::new(operator.input_shape)?;
    Ok(Operator::Linear {
        map: LinearMap {
            kind,
            input,
            output,
        },
        input: LayoutId(operator.input_layout),
        output: LayoutId(operator.output_layout),
        fold: operator.fold,
    })
}

fn encode_kind(kind: &LinearKind) -> wire::OperatorKind {
    match kind {
        LinearKind::Conv2d(conv) => {
            let Conv2d {
                weight,
                window,
                groups,
            } = conv;
            wire::OperatorKind::Conv2d(wire::Conv2d {
                weight: weight.0,
                window: Some(encode_window(window)),
                groups: *groups,
            })
        }
        LinearKind::AveragePool(pool) => {
            let AveragePool {
                window,
                padding_counts,
            } = pool;
            wire::OperatorKind::AveragePool(wire::AveragePool {
                window: Some(encode_window(window)),
                end_pads: padding_counts.map_or(Vec::new(), Vec::from),
            })
        }
        LinearKind::Contract(contract) => wire::OperatorKind::Contract(encode_contract(contract)),
        LinearKind::Scale(weight) => wire::OperatorKind::Scale(weight.0),
        LinearKind::Gather(gather) => wire::OperatorKind::Gather(encode_gather(gather)),
    }
}

fn encode_window(window: &Window) -> wire::Window {
    let Window {
        kernel,
        strides,
        pads,
        dilations,
    } = window;
    wire::Window {
        kernel: kernel.to_vec(),
        strides: strides.to_vec(),
        pads: pads.to_vec(),
        dilations: dilations.to_vec(),
    }
}

fn decode_window(window: &wire::Window) -> Result<Window, DecodeError> {
    Ok(Window {
        kernel: array("kernel", &window.kernel)?,
        strides: array("strides", &window.strides)?,
        pads: array("pads", &window.pads)?,
        dilations: array("dilations", &window.dilations)?,
    })
}

fn encode_contract(contract: &Contract) -> wire::Contract {
    let Contract {
        weight,
        outer,
        groups,
        rows,
        m,
        k,
        inner,
    } = *contract;
    wire::Contract {
        weight: weight.0,
        outer,
        groups,
        rows,
        m,
        k,
        inner,
    }
}

fn decode_contract(contract: wire::Contract) -> Contract {
    let wire::Contract {
        weight,
        outer,
        groups,
        rows,
        m,
        k,
        inner,
    } = contract;
    Contract {
        weight: TensorId(weight),
        outer,
        groups,
        rows,
        m,
        k,
        inner,
    }
}

fn encode_gather(gather: &Gather) -> wire::Gather {
    let entry = |e: &Option<u32>| e.map_or(0, |e| e.saturating_add(1));
    let axis = |axis: &AxisMap| wire::Axis {
        output_axis: axis.output_axis,
        table: Differences::of(axis.table.iter().map(entry)),
    };
    wire::Gather {
        axes: gather.axes.iter().map(axis).collect(),
    }
}

fn decode_gather(gather: wire::Gather) -> Result<Gather, DecodeError> {
    let axis = |axis: wire::Axis| {
        let mut column = Column::new("gather table", &axis.table);
        let table = (0..axis.table.len())
            .map(|_| column.next_number().map(|e| e.checked_sub(1)))
            .collect::<Result<_, _>>()?;
        Ok(AxisMap {
            output_axis: axis.output_axis,
            table,
        })
    };
    let axes: Result<Vec<AxisMap>, DecodeError> = gather.axes.into_iter().map(axis).collect();
    Ok(Gather { axes: axes? })
}
