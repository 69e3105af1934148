//! Operators as messages.

use super::column::{Column, Differences};
use super::error::DecodeError;
use super::fields::array;
use super::wire;
use crate::circuit::Operator;
use crate::entity::{LayoutId, TensorId};
use crate::linear::{AxisMap, FamilyId, LinearKind, LinearMap, ReadFields, Window, WriteFields};
use crate::shape::Shape;
use prost::encoding::{self, DecodeContext, WireType};
use std::convert::Infallible;

pub(super) fn encode_operator(operator: &Operator) -> wire::Operator {
    match operator {
        Operator::Linear {
            map,
            input,
            output,
            fold,
            period,
        } => wire::Operator {
            input_shape: map.input.dims().to_vec(),
            output_shape: map.output.dims().to_vec(),
            input_layout: input.0,
            output_layout: output.0,
            fold: *fold,
            period: period.unwrap_or_default(),
            kind: Some(encode_map(map)),
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
            period: 0,
            kind: Some(wire::OperatorKind::Number(wire::BROADCAST, tensor.0)),
        },
    }
}

pub(super) fn decode_operator(operator: wire::Operator) -> Result<Operator, DecodeError> {
    let missing = |field| DecodeError::Missing { field };
    let output = Shape::new(operator.output_shape)?;
    let kind = operator.kind.ok_or(missing("kind of operator"))?;
    if let wire::OperatorKind::Number(wire::BROADCAST, tensor) = kind {
        return Ok(Operator::Broadcast {
            tensor: TensorId(tensor),
            shape: output,
            layout: LayoutId(operator.output_layout),
        });
    }
    let kind = decode_kind(&kind)?.ok_or(missing("kind of operator"))?;
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
        period: (operator.period != 0).then_some(operator.period),
    })
}

/// The field of a bare family: its weight tensor, which stands in the place of a message.
const BARE: u32 = 1;

fn encode_map(map: &LinearMap) -> wire::OperatorKind {
    let family = map.family();
    if family.is_bare() {
        let weight = map.weight().map_or(0, |weight| weight.0);
        return wire::OperatorKind::Number(family.tag(), weight);
    }
    let mut message = Encoder(Vec::new());
    match map.write_fields(&mut message) {
        Ok(()) => wire::OperatorKind::Message(family.tag(), message.0),
    }
}

/// The attributes of a map; none for a field that names no family.
fn decode_kind(kind: &wire::OperatorKind) -> Result<Option<LinearKind>, DecodeError> {
    let mut bare = Vec::new();
    let (tag, message, is_bare) = match kind {
        wire::OperatorKind::Message(tag, message) => (tag, message, false),
        wire::OperatorKind::Number(tag, number) => {
            encoding::uint32::encode(BARE, number, &mut bare);
            (tag, &bare, true)
        }
    };
    let mut families = FamilyId::ALL.iter();
    let family = families.find(|f| f.tag() == *tag && f.is_bare() == is_bare);
    family.map(|f| f.read(&mut Decoder(message))).transpose()
}

/// Writes fields as those of a protobuf message; zeros are left out.
struct Encoder(Vec<u8>);

impl WriteFields for Encoder {
    type Error = Infallible;

    fn weight(&mut self, tag: u32, weight: TensorId) -> Result<(), Infallible> {
        self.number(tag, "weight", weight.0)
    }

    fn number(&mut self, tag: u32, _: &'static str, number: u32) -> Result<(), Infallible> {
        if number != 0 {
            encoding::uint32::encode(tag, &number, &mut self.0);
        }
        Ok(())
    }

    fn window(&mut self, tag: u32, window: &Window) -> Result<(), Infallible> {
        encoding::message::encode(tag, &encode_window(window), &mut self.0);
        Ok(())
    }

    fn optional_pair(
        &mut self,
        tag: u32,
        _: &'static str,
        pair: Option<[u32; 2]>,
    ) -> Result<(), Infallible> {
        encoding::uint32::encode_packed(tag, pair.as_ref().map_or(&[], |p| p), &mut self.0);
        Ok(())
    }

    fn axes(&mut self, tag: u32, _: &'static str, axes: &[AxisMap]) -> Result<(), Infallible> {
        for axis in axes {
            encoding::message::encode(tag, &encode_axis(axis), &mut self.0);
        }
        Ok(())
    }
}

/// Reads fields of a protobuf message, each by going through the whole message.
struct Decoder<'m>(&'m [u8]);

impl<'m> Decoder<'m> {
    /// What `merge` makes of all fields of a number.
    fn field<T: Default>(
        &self,
        tag: u32,
        merge: impl Fn(WireType, &mut T, &mut &'m [u8], DecodeContext) -> Result<(), prost::DecodeError>,
    ) -> Result<T, DecodeError> {
        let mut value = T::default();
        let mut rest = self.0;
        while !rest.is_empty() {
            let (found, wire_type) = encoding::decode_key(&mut rest)?;
            if found == tag {
                merge(wire_type, &mut value, &mut rest, DecodeContext::default())?;
            } else {
                encoding::skip_field(wire_type, found, &mut rest, DecodeContext::default())?;
            }
        }
        Ok(value)
    }
}

impl ReadFields for Decoder<'_> {
    type Error = DecodeError;

    fn weight(&mut self, tag: u32) -> Result<TensorId, DecodeError> {
        self.number(tag, "weight").map(TensorId)
    }

    fn number(&mut self, tag: u32, _: &'static str) -> Result<u32, DecodeError> {
        self.field(tag, encoding::uint32::merge)
    }

    fn window(&mut self, tag: u32) -> Result<Window, DecodeError> {
        let window = self.field(
            tag,
            |wire_type, window: &mut Option<wire::Window>, rest, c| {
                encoding::message::merge(wire_type, window.get_or_insert_default(), rest, c)
            },
        )?;
        decode_window(&window.ok_or(DecodeError::Missing { field: "window" })?)
    }

    fn optional_pair(
        &mut self,
        tag: u32,
        name: &'static str,
    ) -> Result<Option<[u32; 2]>, DecodeError> {
        let numbers = self.field(tag, encoding::uint32::merge_repeated)?;
        match numbers.as_slice() {
            [] => Ok(None),
            numbers => array(name, numbers).map(Some),
        }
    }

    fn axes(&mut self, tag: u32, _: &'static str) -> Result<Vec<AxisMap>, DecodeError> {
        let axes: Vec<wire::Axis> = self.field(tag, encoding::message::merge_repeated)?;
        axes.into_iter().map(decode_axis).collect()
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

fn encode_axis(axis: &AxisMap) -> wire::Axis {
    let entry = |e: &Option<u32>| e.map_or(0, |e| e.saturating_add(1));
    wire::Axis {
        output_axis: axis.output_axis,
        table: Differences::of(axis.table.iter().map(entry)),
    }
}

fn decode_axis(axis: wire::Axis) -> Result<AxisMap, DecodeError> {
    let mut column = Column::new("gather table", &axis.table);
    let table = (0..axis.table.len())
        .map(|_| column.next_number().map(|e| e.checked_sub(1)))
        .collect::<Result<_, _>>()?;
    Ok(AxisMap {
        output_axis: axis.output_axis,
        table,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn every_family_has_its_field_in_the_message_of_an_operator() {
        for family in FamilyId::ALL {
            assert_ne!(family.tag(), wire::BROADCAST);
            let kind = match family.is_bare() {
                true => wire::OperatorKind::Number(family.tag(), 3),
                false => wire::OperatorKind::Message(family.tag(), vec![8, 3]),
            };
            let operator = wire::Operator {
                kind: Some(kind),
                ..wire::Operator::default()
            };
            let read = wire::Operator::decode(operator.encode_to_vec().as_slice());
            assert_eq!(read, Ok(operator), "{}", family.keyword());
        }
    }
}
