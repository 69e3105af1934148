//! Messages of protocol buffers, without knowing what they mean.

use super::{Dice, bytes};

/// Messages within messages that are looked into.
const DEPTH: usize = 12;
/// Copies of a field that a hostile message has.
const MANY: usize = 500;

/// A field of a message.
#[derive(Clone, Debug)]
struct Field {
    number: u64,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Number(u64),
    Eight([u8; 8]),
    Four([u8; 4]),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
}

/// A message with one to three fields damaged, every length right again; any bytes where these are no message.
pub fn protobuf(dice: &mut Dice, message: &[u8]) -> Vec<u8> {
    let Some(mut fields) = parse(message, DEPTH).filter(|fields| !fields.is_empty()) else {
        let mut message = message.to_vec();
        bytes(dice, &mut message);
        return message;
    };
    for _ in 0..=dice.roll(3) {
        damage(dice, &mut fields);
    }
    let mut out = Vec::new();
    write(&mut out, &fields);
    if dice.once_in(12) {
        bytes(dice, &mut out);
    }
    out
}

/// Damages a field somewhere inside.
fn damage(dice: &mut Dice, fields: &mut Vec<Field>) {
    let at = dice.roll(fields.len());
    let deeper = !dice.once_in(6);
    if let (
        true,
        Some(Field {
            value: Value::Message(inner),
            ..
        }),
    ) = (deeper, fields.get_mut(at))
        && !inner.is_empty()
    {
        return damage(dice, inner);
    }
    let Some(field) = fields.get(at).cloned() else {
        return;
    };
    match dice.roll(12) {
        0 => drop(fields.remove(at)),
        1 => fields.insert(dice.roll(fields.len()), field),
        2 => {
            let copies = std::iter::repeat_n(field, dice.roll(MANY));
            drop(fields.splice(at..at, copies));
        }
        3 => {
            let other = dice.roll(fields.len());
            fields.swap(at, other);
        }
        4 => {
            let other = fields.get(dice.roll(fields.len())).cloned();
            if let (Some(other), Some(field)) = (other, fields.get_mut(at)) {
                field.value = other.value;
            }
        }
        5 => {
            if let Some(field) = fields.get_mut(at) {
                field.number = dice.telling(field.number) & 0x1fff_ffff;
            }
        }
        6 => {
            // A message in a message in a message.
            let nested = (0..dice.roll(200)).fold(vec![field.clone()], |inner, _| {
                let value = Value::Message(inner);
                vec![Field {
                    number: field.number,
                    value,
                }]
            });
            drop(fields.splice(at..at, nested));
        }
        _ => {
            if let Some(field) = fields.get_mut(at) {
                change(dice, &mut field.value);
            }
        }
    }
}

fn change(dice: &mut Dice, value: &mut Value) {
    match value {
        Value::Number(number) => *number = dice.telling(*number),
        Value::Eight(word) => {
            let floats = [f64::NAN, f64::INFINITY, 1e308, 5e-324, -0.0, 0.0];
            *word = match dice.pick(&floats) {
                Some(float) if dice.once_in(2) => float.to_le_bytes(),
                _ => dice.telling(u64::from_le_bytes(*word)).to_le_bytes(),
            };
        }
        Value::Four(word) => {
            let floats = [f32::NAN, f32::INFINITY, 3e38, 1e-45, -0.0, 0.0];
            *word = match dice.pick(&floats) {
                Some(float) if dice.once_in(2) => float.to_le_bytes(),
                _ => (dice.telling(u32::from_le_bytes(*word).into()) as u32).to_le_bytes(),
            };
        }
        Value::Bytes(of) => match dice.roll(4) {
            0 => of.clear(),
            // Packed numbers.
            1 => {
                of.clear();
                for _ in 0..=dice.roll(8) {
                    let number = dice.telling(0);
                    varint(of, number);
                }
            }
            _ => bytes(dice, of),
        },
        Value::Message(fields) => match dice.roll(2) {
            0 => fields.clear(),
            _ => fields.truncate(fields.len() / 2),
        },
    }
}

/// All fields, when these are exactly a message.
fn parse(mut bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = read_varint(&mut bytes)?;
        let number = key >> 3;
        if number == 0 {
            return None;
        }
        let value = match key & 7 {
            0 => Value::Number(read_varint(&mut bytes)?),
            1 => Value::Eight(take(&mut bytes)?),
            5 => Value::Four(take(&mut bytes)?),
            2 => {
                let length = usize::try_from(read_varint(&mut bytes)?).ok()?;
                let (inner, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                nested(inner, depth)
            }
            _ => return None,
        };
        fields.push(Field { number, value });
    }
    Some(fields)
}

/// What may be a message is taken for one, but for text and short lists of numbers.
fn nested(inner: &[u8], depth: usize) -> Value {
    let text = inner.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    let message = match depth.checked_sub(1) {
        Some(depth) if !text && inner.len() > 1 => parse(inner, depth),
        _ => None,
    };
    message.map_or_else(|| Value::Bytes(inner.to_vec()), Value::Message)
}

fn write(out: &mut Vec<u8>, fields: &[Field]) {
    for Field { number, value } in fields {
        let mut key = |wire: u64| varint(out, number << 3 | wire);
        match value {
            Value::Number(value) => {
                key(0);
                varint(out, *value);
            }
            Value::Eight(word) => {
                key(1);
                out.extend(word);
            }
            Value::Four(word) => {
                key(5);
                out.extend(word);
            }
            Value::Bytes(bytes) => {
                key(2);
                varint(out, bytes.len() as u64);
                out.extend(bytes);
            }
            Value::Message(fields) => {
                key(2);
                let mut inner = Vec::new();
                write(&mut inner, fields);
                varint(out, inner.len() as u64);
                out.extend(inner);
            }
        }
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx_bytes::Model;

    #[test]
    fn a_message_is_put_together_as_it_was() {
        let mut model = Model::default();
        model.input("x", &[1, 4]);
        let y = model.node("Mul", &["x", "x"], &[]);
        model.output(&y, &[1, 4]);
        let bytes = model.finish();
        let fields = parse(&bytes, DEPTH).unwrap();
        let mut again = Vec::new();
        write(&mut again, &fields);
        assert_eq!(again, bytes);
        assert!(
            fields
                .iter()
                .any(|f| matches!(&f.value, Value::Message(inner) if inner.len() > 2))
        );
        let mut dice = Dice::new(1);
        assert!((0..50).any(|_| protobuf(&mut dice, &bytes) != bytes));
    }
}
