//! Values of any type as files, on their way from one fragment of a circuit to another.

use super::error::{WireError, expect};
use super::inputs_id::InputsId;
use super::messages::{BODY, HEADER, ValuesHeader};
use super::words::{PolyReader, put_poly};
use crate::binding;
use crate::ckks::Ciphertext;
use crate::params::{Parameters, Rings};
use crate::ring::{Ntt, RnsBasis, RnsPoly};
use crate::rlwe::Digits;
use peregrine_ir::binary::{Container, FileKind, Fingerprint, KeyPairId, container};
use peregrine_ir::{Basis, Form, Type, Value};
use prost::Message;
use std::collections::BTreeMap;

/// A value of a circuit in the memory of the host.
#[derive(Clone, Debug, PartialEq)]
pub enum HostValue {
    /// A ciphertext in any form.
    Cipher(Ciphertext),
    /// The polynomial of a plaintext, with the level that it is encoded at.
    Plain(usize, RnsPoly<Ntt>),
    /// The digits of a ciphertext.
    Digits(Digits),
}

impl HostValue {
    fn level(&self) -> usize {
        match self {
            Self::Cipher(cipher) => cipher.level(),
            Self::Plain(level, _) => *level,
            Self::Digits(digits) => digits.level(),
        }
    }

    /// The polynomials of the value, in file order.
    fn polys(&self) -> Vec<&RnsPoly<Ntt>> {
        match self {
            Self::Cipher(cipher) => cipher.parts().iter().collect(),
            Self::Plain(_, poly) => vec![poly],
            Self::Digits(digits) => digits.polys().map(|(_, poly)| poly).collect(),
        }
    }
}

/// Values of one run of a circuit, by their names in it, which its fragments take and give.
#[derive(Clone, Debug, PartialEq)]
pub struct FragmentValues {
    pub(crate) whole: Fingerprint,
    pub(crate) key_pair: KeyPairId,
    pub(crate) inputs: InputsId,
    pub(crate) values: BTreeMap<Value, HostValue>,
}

impl FragmentValues {
    /// The circuit that was cut.
    pub fn whole(&self) -> Fingerprint {
        self.whole
    }

    /// The key pair that the values are encrypted under.
    pub fn key_pair(&self) -> KeyPairId {
        self.key_pair
    }

    /// The inputs that the values are computed from.
    pub fn inputs(&self) -> InputsId {
        self.inputs
    }

    /// The names of the values, ascending.
    pub fn names(&self) -> impl Iterator<Item = Value> {
        self.values.keys().copied()
    }

    /// The value of that name in the circuit that was cut; `None` where it is not there.
    pub fn get(&self, name: Value) -> Option<&HostValue> {
        self.values.get(&name)
    }

    /// Leaves only the values whose names fit.
    pub fn retain(&mut self, mut fits: impl FnMut(Value) -> bool) {
        self.values.retain(|&name, _| fits(name));
    }

    /// The bytes that the values take in memory.
    pub fn bytes(&self) -> u64 {
        let polys = self.values.values().flat_map(|value| value.polys());
        polys.map(|poly| poly.bytes() as u64).sum()
    }

    /// Adds the values of another set, of the same circuit, key pair and inputs.
    ///
    /// # Errors
    /// When they are of another circuit, key pair or inputs, or two values with one name differ; the values stay as they were.
    pub fn join(&mut self, others: Self) -> Result<(), WireError> {
        if others.whole != self.whole {
            return Err(WireError::Name {
                what: "the circuit that was cut",
                found: others.whole.to_string(),
                expected: self.whole.to_string(),
            });
        }
        if others.key_pair != self.key_pair {
            return Err(WireError::ValuePairs {
                first: self.key_pair,
                other: others.key_pair,
            });
        }
        if others.inputs != self.inputs {
            return Err(WireError::ValueInputs {
                first: self.inputs,
                other: others.inputs,
            });
        }
        let differs = |(name, other): (&Value, &HostValue)| {
            let own = self.values.get(name);
            own.is_some_and(|own| own != other).then_some(*name)
        };
        if let Some(value) = others.values.iter().find_map(differs) {
            return Err(WireError::ValueDiffers { value });
        }
        self.values.extend(others.values);
        Ok(())
    }
}

/// The bytes of a file of values.
pub fn write_values(values: &FragmentValues, rings: &Rings) -> Vec<u8> {
    let FragmentValues {
        whole,
        key_pair,
        inputs,
        values,
    } = values;
    let header = ValuesHeader {
        key_pair: key_pair.0.to_vec(),
        inputs: inputs.0.to_vec(),
        values: values.keys().map(|value| value.0).collect(),
    };
    let header = header.encode_to_vec();
    let bodies = values.values().map(|value| {
        let (params, mut body) = (rings.at(value.level()), Vec::new());
        for poly in value.polys() {
            put_poly(&mut body, params, poly);
        }
        body
    });
    let bodies: Vec<Vec<u8>> = bodies.collect();
    let mut chunks = vec![(HEADER, header.as_slice())];
    chunks.extend((BODY..).zip(bodies.iter().map(Vec::as_slice)));
    container::encode(FileKind::Values, *whole, &chunks)
}

/// Reads from a file of values, which have their names in the circuit `whole`, those for which `wanted` has a type. Others are skipped.
///
/// # Errors
/// When the file is damaged, of another kind or circuit, or a value is not of its type.
pub fn read_values(
    file: &[u8],
    whole: Fingerprint,
    wanted: impl Fn(Value) -> Option<Type>,
    rings: &Rings,
) -> Result<FragmentValues, WireError> {
    let container = Container::parse(file)?;
    container.expect_kind(FileKind::Values)?;
    container.expect_fingerprint(whole)?;
    let header = ValuesHeader::decode(container.chunk(HEADER)?)?;
    let ValuesHeader {
        key_pair,
        inputs,
        values,
    } = header;
    let found = key_pair.len();
    let key_pair = key_pair.try_into();
    let key_pair = key_pair.map_err(|_| WireError::KeyPairBytes { found })?;
    let inputs = inputs
        .try_into()
        .map_err(|inputs: Vec<u8>| WireError::Number {
            what: "the bytes of the identity of the inputs",
            found: inputs.len() as u64,
            expected: 32,
        })?;
    let chunks = container.tags().len() as u64;
    expect("the number of chunks", chunks, values.len() as u64 + 1)?;
    let mut there = BTreeMap::new();
    for (tag, value) in (BODY..).zip(values) {
        if there.insert(Value(value), tag).is_some() {
            let value = Value(value);
            return Err(WireError::ValueTwice { value });
        }
    }
    let mut read = BTreeMap::new();
    for (name, tag) in there {
        if let Some(ty) = wanted(name) {
            let body = container.chunk(tag)?;
            let level = binding::level(ty.level());
            let value = read_value(rings.at(level), (&ty, level), body);
            read.insert(name, value?);
        }
    }
    Ok(FragmentValues {
        whole,
        key_pair: KeyPairId(key_pair),
        inputs: InputsId(inputs),
        values: read,
    })
}

fn read_value(
    params: &Parameters,
    (ty, level): (&Type, usize),
    body: &[u8],
) -> Result<HostValue, WireError> {
    let polys = |basis: &RnsBasis, count: usize| -> Result<Vec<RnsPoly<Ntt>>, WireError> {
        let mut reader = PolyReader::new(params, basis, count, body)?;
        Ok((0..count).map(|_| reader.poly()).collect())
    };
    let (row, raised) = (params.row(level)?, || params.extended_row(level));
    Ok(match ty {
        Type::Cipher { form, .. } => {
            let (basis, parts) = match form {
                Form::Normal => (row, 2),
                Form::Product => (row, 3),
                Form::Extended => (raised()?, 2),
            };
            let (parts, extended) = (polys(basis, parts)?, *form == Form::Extended);
            HostValue::Cipher(Ciphertext::from_parts(params, parts, level, extended)?)
        }
        Type::Plain { basis, .. } => {
            let basis = match basis {
                Basis::Normal => row,
                Basis::Extended => raised()?,
            };
            let poly = polys(basis, 1)?.into_iter().next();
            let poly = poly.ok_or(WireError::Number {
                what: "the number of polynomials",
                found: 0,
                expected: 1,
            })?;
            HostValue::Plain(level, poly)
        }
        Type::Digits { .. } => {
            let digits: Vec<usize> = params.digits_of(row).map(|(digit, _)| digit).collect();
            let polys = polys(raised()?, digits.len())?;
            let polys = digits.into_iter().zip(polys).collect();
            HostValue::Digits(Digits::from_polys(level, polys))
        }
    })
}
