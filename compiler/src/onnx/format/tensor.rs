//! From `TensorProto` to [`Constant`]: every storage form of the types that are read.
#![deny(clippy::indexing_slicing)]

use super::constant::{Constant, elements};
use super::element::{Element, FloatType};
use super::external::{ExternalData, ExternalError, Location, NoExternalData};
use super::scan;
use super::scan::{Message, ScanError};
use half::{bf16, f16};
use onnx_protobuf::tensor_proto::DataLocation;
use onnx_protobuf::{Message as _, TensorProto};

/// A tensor read from a `.pb` file.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorValue {
    /// Name of the tensor, possibly empty.
    pub name: String,
    /// Dimensions of the tensor, possibly zero.
    pub dims: Vec<u32>,
    /// Elements of the tensor in row-major order.
    pub data: Vec<f64>,
}

/// Reads a serialized `TensorProto`, which is how ONNX stores test data.
///
/// # Errors
/// When the bytes are not one, or its type is not a float, integer or truth value.
pub fn read_tensor(bytes: &[u8]) -> Result<TensorValue, TensorReadError> {
    scan::scan(bytes, Message::Tensor)?;
    let proto = TensorProto::parse_from_bytes(bytes).map_err(|e| TensorReadError::Parse {
        reason: e.to_string(),
    })?;
    let constant = constant(&proto, &NoExternalData)?;
    Ok(TensorValue {
        name: proto.name,
        data: constant.values().collect(),
        dims: constant.dims,
    })
}

/// The elements of `proto`, wherever it keeps them.
pub(in crate::onnx) fn constant(
    proto: &TensorProto,
    external: &dyn ExternalData,
) -> Result<Constant, TensorReadError> {
    let element = Element::from_onnx(proto.data_type);
    let size = element
        .bytes()
        .ok_or(TensorReadError::Element { element })?;
    let dims = dims(proto)?;
    let count = elements(&dims);
    let stored = match element.shared_bits() {
        Some(bits) => count.div_ceil(u64::from(8 / bits)),
        None => count.saturating_mul(size as u64),
    };
    let data = if proto.data_location.enum_value() == Ok(DataLocation::EXTERNAL) {
        let range = external_range(proto, stored)?;
        decode(element, &external.read(&range.0, range.1)?)
    } else if proto.raw_data.is_empty() {
        fields(proto, element)
    } else {
        if !proto.raw_data.len().is_multiple_of(size) {
            return Err(TensorReadError::Partial {
                bytes: proto.raw_data.len(),
                element,
            });
        }
        decode(element, &proto.raw_data)
    };
    let data = match element.shared_bits() {
        // The last byte may hold elements too many.
        Some(_) if data.len() as u64 - data.len().min(count as usize) as u64 <= 3 => {
            data.into_iter().take(count as usize).collect()
        }
        _ => data,
    };
    if data.len() as u64 != count {
        return Err(TensorReadError::Length {
            dims,
            expected: count,
            found: data.len(),
        });
    }
    Ok(Constant::new(proto.name.as_str(), element, dims, data))
}

fn dims(proto: &TensorProto) -> Result<Vec<u32>, TensorReadError> {
    proto
        .dims
        .iter()
        .map(|&d| u32::try_from(d).map_err(|_| TensorReadError::Dimension { found: d }))
        .collect()
}

/// Elements kept in typed fields; narrow types hide in wider ones.
fn fields(proto: &TensorProto, element: Element) -> Vec<f64> {
    match element {
        Element::Float(FloatType::Single) => {
            proto.float_data.iter().map(|&x| f64::from(x)).collect()
        }
        Element::Float(FloatType::Double) => proto.double_data.clone(),
        Element::Float(FloatType::Half) => narrow(proto, |bits| f16::from_bits(bits).to_f64()),
        Element::Float(FloatType::BFloat16) => narrow(proto, |bits| bf16::from_bits(bits).to_f64()),
        Element::INT64 => proto.int64_data.iter().map(|&x| x as f64).collect(),
        Element::Integer {
            signed: false,
            bits: 32 | 64,
        } => proto.uint64_data.iter().map(|&x| x as f64).collect(),
        Element::Integer { bits: 2 | 4, .. } => {
            let bytes: Vec<u8> = proto.int32_data.iter().map(|&x| x as u8).collect();
            decode(element, &bytes)
        }
        Element::Integer { .. } | Element::Bool => {
            proto.int32_data.iter().map(|&x| f64::from(x)).collect()
        }
        Element::Other(_) => Vec::new(),
    }
}

fn narrow(proto: &TensorProto, widen: impl Fn(u16) -> f64) -> Vec<f64> {
    proto.int32_data.iter().map(|&x| widen(x as u16)).collect()
}

/// Elements in little-endian bytes.
fn decode(element: Element, bytes: &[u8]) -> Vec<f64> {
    match element {
        Element::Float(FloatType::Single) => {
            each(bytes, |b: [u8; 4]| f64::from(f32::from_le_bytes(b)))
        }
        Element::Float(FloatType::Double) => each(bytes, f64::from_le_bytes),
        Element::Float(FloatType::Half) => each(bytes, |b| f16::from_le_bytes(b).to_f64()),
        Element::Float(FloatType::BFloat16) => each(bytes, |b| bf16::from_le_bytes(b).to_f64()),
        Element::Integer {
            signed,
            bits: bits @ (2 | 4),
        } => shared(bytes, bits, signed),
        Element::Integer { signed, bits } => match (signed, bits) {
            (true, 8) => each(bytes, |b| f64::from(i8::from_le_bytes(b))),
            (false, 8) => each(bytes, |b| f64::from(u8::from_le_bytes(b))),
            (true, 16) => each(bytes, |b| f64::from(i16::from_le_bytes(b))),
            (false, 16) => each(bytes, |b| f64::from(u16::from_le_bytes(b))),
            (true, 32) => each(bytes, |b| f64::from(i32::from_le_bytes(b))),
            (false, 32) => each(bytes, |b| f64::from(u32::from_le_bytes(b))),
            (true, _) => each(bytes, |b| i64::from_le_bytes(b) as f64),
            (false, _) => each(bytes, |b| u64::from_le_bytes(b) as f64),
        },
        Element::Bool => each(bytes, |b: [u8; 1]| {
            f64::from(u8::from(u8::from_le_bytes(b) != 0))
        }),
        Element::Other(_) => Vec::new(),
    }
}

/// Integers of few bits, the first in the lowest bits of a byte.
fn shared(bytes: &[u8], bits: u8, signed: bool) -> Vec<f64> {
    let place = move |byte: u8, i: u8| {
        let low = byte << (8 - bits * (i + 1));
        match signed {
            true => f64::from((low as i8) >> (8 - bits)),
            false => f64::from(low >> (8 - bits)),
        }
    };
    let of = |&byte: &u8| (0..8 / bits).map(move |i| place(byte, i));
    bytes.iter().flat_map(of).collect()
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|&chunk| read(chunk))
        .collect()
}

/// The file and byte range of an external tensor of `expected` bytes.
fn external_range(
    proto: &TensorProto,
    expected: u64,
) -> Result<(Location, std::ops::Range<u64>), TensorReadError> {
    let entry = |key: &str| {
        proto
            .external_data
            .iter()
            .find(|e| e.key == key)
            .map(|e| e.value.as_str())
    };
    let number = |key: &'static str| match entry(key) {
        None => Ok(None),
        Some(text) => text
            .parse::<u64>()
            .map(Some)
            .map_err(|_| ExternalError::Entry {
                key,
                found: text.to_owned(),
                expected: "a number of bytes".to_owned(),
            }),
    };
    let location = Location::new(entry("location").unwrap_or_default())?;
    let start = number("offset")?.unwrap_or(0);
    if let Some(length) = number("length")?
        && length != expected
    {
        return Err(TensorReadError::External(ExternalError::Entry {
            key: "length",
            found: length.to_string(),
            expected: format!("{expected}, the size of the tensor"),
        }));
    }
    let end = start.checked_add(expected).ok_or(ExternalError::Entry {
        key: "offset",
        found: start.to_string(),
        expected: "an offset inside a file".to_owned(),
    })?;
    Ok((location, start..end))
}

/// Why a tensor could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorReadError {
    /// Bytes that are not protobuf that is taken.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// A message that the parser refuses.
    #[error("not a TensorProto: {reason}")]
    Parse {
        /// What the parser said.
        reason: String,
    },
    /// Elements of a type that is not read.
    #[error("elements of type {element} are not supported")]
    Element {
        /// The type of the elements.
        element: Element,
    },
    /// A negative or huge dimension.
    #[error("dimension {found} is not between 0 and {}", u32::MAX)]
    Dimension {
        /// The dimension.
        found: i64,
    },
    /// Data that do not fill the shape.
    #[error("shape {dims:?} wants {expected} elements, {found} are stored")]
    Length {
        /// Dimensions of the tensor.
        dims: Vec<u32>,
        /// Number of elements that the dimensions ask for.
        expected: u64,
        /// Number of elements in the data.
        found: usize,
    },
    /// Data that end inside an element.
    #[error("{bytes} bytes of raw data do not divide into elements of type {element}")]
    Partial {
        /// Length of the data in bytes.
        bytes: usize,
        /// The type of the elements.
        element: Element,
    },
    /// External data that could not be read.
    #[error(transparent)]
    External(#[from] ExternalError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(proto: &TensorProto) -> Vec<f64> {
        constant(proto, &NoExternalData).unwrap().values().collect()
    }

    fn tensor(data_type: i32, dims: &[i64]) -> TensorProto {
        let mut proto = TensorProto::new();
        proto.data_type = data_type;
        proto.dims = dims.to_vec();
        proto
    }

    #[test]
    fn half_precision_is_read_from_bytes_and_from_integers() {
        let mut raw = tensor(10, &[2]);
        raw.raw_data = [f16::from_f32(1.5), f16::from_f32(-2.0)]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        assert_eq!(read(&raw), [1.5, -2.0]);
        let mut typed = tensor(10, &[1]);
        typed.int32_data = vec![i32::from(f16::from_f32(0.25).to_bits())];
        assert_eq!(read(&typed), [0.25]);
        let mut brain = tensor(16, &[1]);
        brain.int32_data = vec![i32::from(bf16::from_f32(3.0).to_bits())];
        assert_eq!(read(&brain), [3.0]);
    }

    #[test]
    fn integers_of_every_width_are_read() {
        let mut wide = tensor(7, &[2]);
        wide.int64_data = vec![i64::MAX, -7];
        assert_eq!(read(&wide), [i64::MAX as f64, -7.0]);
        let mut bytes = tensor(3, &[2]);
        bytes.raw_data = vec![0xff, 0x01];
        assert_eq!(read(&bytes), [-1.0, 1.0]);
        let mut unsigned = tensor(13, &[1]);
        unsigned.uint64_data = vec![5];
        assert_eq!(read(&unsigned), [5.0]);
    }

    #[test]
    fn a_shape_that_the_data_do_not_fill_allocates_nothing() {
        let mut proto = tensor(1, &[1 << 31, 1 << 31, 1 << 31]);
        proto.raw_data = vec![0; 8];
        let error = constant(&proto, &NoExternalData).unwrap_err();
        assert!(matches!(error, TensorReadError::Length { found: 2, .. }));
    }

    #[test]
    fn external_lengths_are_checked() {
        let mut proto = tensor(1, &[4]);
        proto.data_location = DataLocation::EXTERNAL.into();
        let mut entry = |key: &str, value: &str| {
            let mut e = onnx_protobuf::StringStringEntryProto::new();
            (e.key, e.value) = (key.to_owned(), value.to_owned());
            proto.external_data.push(e);
        };
        entry("location", "w.bin");
        entry("length", "12");
        let error = constant(&proto, &NoExternalData).unwrap_err();
        assert_eq!(
            error.to_string(),
            "external data entry `length` is 12, expected 16, the size of the tensor"
        );
    }
}
