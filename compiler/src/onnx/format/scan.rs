//! A walk over the protobuf wire format that refuses what the parser must not see.
//!
//! rust-protobuf 3.4 skips unknown groups by recursion, so nested groups overflow its stack (RUSTSEC-2024-0437). ONNX
//! has no groups: [`scan`] refuses them, and with them every varint, length and depth that no exporter writes. It
//! follows the message-typed fields of the ONNX schema with an explicit stack.
//!
//! Cost: O(bytes) time, O(depth) memory.
#![deny(clippy::indexing_slicing)]

/// Message types of the ONNX schema; [`Message::child`] says which fields lead from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::onnx) enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    ValueInfo,
    Type,
    TensorType,
    ElementType,
    MapType,
    Shape,
    TrainingInfo,
    Function,
    Annotation,
    /// A message without message-typed fields.
    Leaf,
}

impl Message {
    /// The message type of field `number`, or `None` for a scalar, a string or an unknown field.
    fn child(self, number: u64) -> Option<Message> {
        use Message::*;
        Some(match (self, number) {
            (Model, 7) => Graph,
            (Model, 20) => TrainingInfo,
            (Model, 25) => Function,
            (Model, 8 | 14) => Leaf,
            (Graph, 1) => Node,
            (Graph, 5) => Tensor,
            (Graph, 15) => SparseTensor,
            (Graph, 11..=13) => ValueInfo,
            (Graph, 14) => Annotation,
            (Graph, 16) => Leaf,
            (Node, 5) => Attribute,
            (Node, 9) => Leaf,
            (Attribute, 5 | 10) => Tensor,
            (Attribute, 6 | 11) => Graph,
            (Attribute, 22 | 23) => SparseTensor,
            (Attribute, 14 | 15) => Type,
            (Tensor, 3 | 13 | 16) => Leaf,
            (SparseTensor, 1 | 2) => Tensor,
            (ValueInfo, 2) => Type,
            (ValueInfo, 4) => Leaf,
            (Type, 1 | 8) => TensorType,
            (Type, 4 | 9) => ElementType,
            (Type, 5) => MapType,
            (TensorType, 2) => Shape,
            (ElementType, 1) => Type,
            (MapType, 2) => Type,
            (Shape, 1) => Leaf,
            (TrainingInfo, 1 | 2) => Graph,
            (TrainingInfo, 3 | 4) => Leaf,
            (Function, 11) => Attribute,
            (Function, 7) => Node,
            (Function, 12) => ValueInfo,
            (Function, 9 | 14) => Leaf,
            (Annotation, 2) => Leaf,
            _ => return None,
        })
    }
}

/// How deep messages may nest; a subgraph in a node costs three levels.
const MAX_DEPTH: usize = 64;

/// Refuses bytes that are not the wire format of a `root` message, or that the parser could not take.
pub(in crate::onnx) fn scan(bytes: &[u8], root: Message) -> Result<(), ScanError> {
    let mut at = 0;
    let mut open: Vec<(usize, Message)> = vec![(bytes.len(), root)];
    while let Some(&(end, message)) = open.last() {
        if at == end {
            open.pop();
            continue;
        }
        let start = at;
        let tag = varint(bytes, &mut at, end)?;
        let number = tag >> 3;
        if number == 0 || tag > u64::from(u32::MAX) {
            return Err(ScanError::FieldNumber { offset: start });
        }
        match tag & 7 {
            0 => {
                varint(bytes, &mut at, end)?;
            }
            1 => at = advance(at, 8, end)?,
            2 => {
                let length = varint(bytes, &mut at, end)?;
                let close = advance(at, length, end)?;
                match message.child(number) {
                    Some(_) if open.len() >= MAX_DEPTH => {
                        return Err(ScanError::Depth { offset: start });
                    }
                    Some(child) => open.push((close, child)),
                    None => at = close,
                }
            }
            5 => at = advance(at, 4, end)?,
            3 | 4 => return Err(ScanError::Group { offset: start }),
            wire_type => {
                return Err(ScanError::WireType {
                    offset: start,
                    wire_type,
                });
            }
        }
    }
    Ok(())
}

/// `at + length`, when that does not pass `end`.
fn advance(at: usize, length: u64, end: usize) -> Result<usize, ScanError> {
    let available = end.saturating_sub(at) as u64;
    if length > available {
        return Err(ScanError::Length {
            offset: at,
            length,
            available,
        });
    }
    Ok(at + length as usize)
}

/// The varint at `at`, which moves past it.
fn varint(bytes: &[u8], at: &mut usize, end: usize) -> Result<u64, ScanError> {
    let start = *at;
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = match bytes.get(*at) {
            Some(&byte) if *at < end => byte,
            _ => return Err(ScanError::Truncated { offset: start }),
        };
        *at += 1;
        if shift == 63 && byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(ScanError::Varint { offset: start })
}

/// Why bytes are not a protobuf message that this front end reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// A group, which ONNX does not have.
    #[error("byte {offset}: a protobuf group, which ONNX does not use")]
    Group {
        /// Offset of the group's tag in bytes.
        offset: usize,
    },
    /// A field of wire type 6 or 7, which do not exist.
    #[error("byte {offset}: protobuf wire type {wire_type} does not exist")]
    WireType {
        /// Offset of the field's tag in bytes.
        offset: usize,
        /// The wire type.
        wire_type: u64,
    },
    /// A field number of 0 or beyond 29 bits.
    #[error("byte {offset}: not a protobuf field number")]
    FieldNumber {
        /// Offset of the field's tag in bytes.
        offset: usize,
    },
    /// Bytes that end inside a number.
    #[error("byte {offset}: the file ends inside a number")]
    Truncated {
        /// Offset of the number in bytes.
        offset: usize,
    },
    /// A number of more than 64 bits.
    #[error("byte {offset}: a number of more than 64 bits")]
    Varint {
        /// Offset of the number in bytes.
        offset: usize,
    },
    /// A length beyond the end of the enclosing message.
    #[error("byte {offset}: a field of {length} bytes where {available} are left")]
    Length {
        /// Offset of the field's contents in bytes.
        offset: usize,
        /// The length that the field claims, in bytes.
        length: u64,
        /// Bytes left in the enclosing message.
        available: u64,
    },
    /// Messages nested too deeply.
    #[error("byte {offset}: messages nest deeper than {MAX_DEPTH}")]
    Depth {
        /// Offset of the innermost message in bytes.
        offset: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `payload` as length-delimited field `number`.
    fn field(number: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = payload.len();
        while length >= 0x80 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn a_bomb_of_nested_groups_is_refused_at_its_first_byte() {
        let bomb = vec![0x0b; 10_000_000];
        assert_eq!(
            scan(&bomb, Message::Model),
            Err(ScanError::Group { offset: 0 })
        );
        let inside = field(7, &bomb);
        assert_eq!(
            scan(&inside, Message::Model),
            Err(ScanError::Group { offset: 5 })
        );
    }

    #[test]
    fn groups_are_found_in_every_known_message() {
        let tensor_type = field(2, &field(1, &[0x0b]));
        let value_info = field(11, &field(2, &field(1, &tensor_type)));
        let error = scan(&field(7, &value_info), Message::Model).unwrap_err();
        assert!(matches!(error, ScanError::Group { .. }), "{error}");
    }

    #[test]
    fn subgraphs_nest_only_so_deep() {
        let mut graph = Vec::new();
        for _ in 0..100 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        let error = scan(&field(7, &graph), Message::Model).unwrap_err();
        assert!(matches!(error, ScanError::Depth { .. }), "{error}");
    }

    #[test]
    fn malformed_numbers_and_lengths_are_refused() {
        let error = |bytes: &[u8]| scan(bytes, Message::Model).unwrap_err();
        assert_eq!(error(&[0x08, 0x80]), ScanError::Truncated { offset: 1 });
        assert_eq!(
            error(&[[0x08].as_slice(), &[0xff; 10]].concat()),
            ScanError::Varint { offset: 1 }
        );
        assert_eq!(
            error(&[0x3a, 0x05, 0x00]),
            ScanError::Length {
                offset: 2,
                length: 5,
                available: 1
            }
        );
        assert_eq!(
            error(&[0x0f]),
            ScanError::WireType {
                offset: 0,
                wire_type: 7
            }
        );
        assert_eq!(error(&[0x02, 0x00]), ScanError::FieldNumber { offset: 0 });
        // A child may not reach past its parent.
        assert!(matches!(
            error(&[0x3a, 0x02, 0x0a, 0x05, 0, 0, 0, 0, 0]),
            ScanError::Length { .. }
        ));
    }
}
