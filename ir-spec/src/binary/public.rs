//! The public part: what a client may see.

use super::error::DecodeError;
use super::fields::{array, range};
use super::{expectation, finish, wire};
use crate::circuit::{Circuit, Keys, Port};
use crate::entity::{Arena, Entity, Prime, RingId, SpecialPrime};
use crate::interface::{InterfacePort, PublicPart};
use crate::key::{Key, KeyKind};
use crate::layout::{Layout, LayoutParts};
use crate::ring::{Level, LevelSpec, RingSpec, RingTable, Rotation, SecretKind, Security};
use crate::scale::Scale;
use crate::shape::Shape;
use prost::Message;

/// The public part of a circuit. Ports of a verified circuit have a layout and a type; ports that lack one are left
/// out.
pub(super) fn extract(circuit: &Circuit) -> PublicPart {
    let ports = |ports: &[Port]| {
        ports
            .iter()
            .filter_map(|p| extract_port(circuit, p))
            .collect()
    };
    PublicPart {
        name: circuit.name.clone(),
        security: circuit.security,
        rings: circuit.rings.clone(),
        keys: circuit.keys.clone(),
        inputs: ports(&circuit.inputs),
        outputs: ports(&circuit.outputs),
    }
}

fn extract_port(circuit: &Circuit, port: &Port) -> Option<InterfacePort> {
    let ty = circuit.type_of(*port.values.first()?)?;
    Some(InterfacePort {
        name: port.name.clone(),
        shape: port.shape.clone(),
        layout: *circuit.layouts.get(port.layout)?,
        level: ty.level(),
        scale: ty.scale()?.clone(),
        finish: port.finish.clone(),
        prepare: port.prepare.clone(),
        range: port.range,
        expectation: port.expectation,
        imaginary: port.imaginary,
    })
}

pub(super) fn encode(part: &PublicPart) -> Vec<u8> {
    let PublicPart {
        name,
        security,
        rings: ring,
        keys,
        inputs,
        outputs,
    } = part;
    let message = wire::Public {
        name: name.clone(),
        security: match security {
            Security::Classical128 => 1,
            Security::None => 2,
        },
        rings: Some(encode_rings(ring)),
        keys: keys
            .levels
            .iter()
            .map(|(key, level)| encode_key(*key, *level))
            .collect(),
        inputs: inputs.iter().map(encode_port).collect(),
        outputs: outputs.iter().map(encode_port).collect(),
    };
    message.encode_to_vec()
}

pub(super) fn decode(bytes: &[u8]) -> Result<PublicPart, DecodeError> {
    let message = wire::Public::decode(bytes)?;
    let rings = message.rings;
    let ring = decode_rings(rings.ok_or(DecodeError::Missing { field: "rings" })?)?;
    let ports = |ports: Vec<wire::Port>| {
        ports
            .into_iter()
            .map(|port| decode_port(port, &ring))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(PublicPart {
        name: message.name,
        security: match message.security {
            1 => Security::Classical128,
            2 => Security::None,
            other => return Err(range("security", other, "1 or 2")),
        },
        keys: decode_keys(&message.keys, &ring)?,
        inputs: ports(message.inputs)?,
        outputs: ports(message.outputs)?,
        rings: ring,
    })
}

fn encode_rings(ring: &RingTable) -> wire::Rings {
    let RingTable {
        unit_bits,
        primes,
        special,
        rings,
        levels,
    } = ring;
    let numbers = |primes: &[Prime]| primes.iter().map(|p| p.0).collect();
    let rings = rings.values().map(|spec| wire::Ring {
        log_n: spec.log_n,
        special: spec.special.iter().map(|p| p.0).collect(),
        digits: spec
            .digits
            .iter()
            .map(|digit| wire::PrimeSet {
                primes: numbers(digit),
            })
            .collect(),
        secret_weight: match spec.secret {
            SecretKind::Ternary => 0,
            SecretKind::Sparse { weight } => weight,
        },
    });
    let levels = levels.iter().map(|level| wire::Level {
        ring: level.ring.0,
        primes: numbers(&level.primes),
    });
    wire::Rings {
        unit_bits: *unit_bits,
        primes: primes.values().copied().collect(),
        special: special.values().copied().collect(),
        rings: rings.collect(),
        levels: levels.collect(),
    }
}

/// Decodes the table of rings. Degrees and the rings of levels are checked, because typing relies on them; everything
/// else is left to the verifier.
fn decode_rings(message: wire::Rings) -> Result<RingTable, DecodeError> {
    let digits = message.rings.iter().map(|ring| ring.digits.len()).max();
    for (field, found) in [
        ("rings", message.rings.len()),
        ("primes", message.primes.len()),
        ("special primes", message.special.len()),
        ("levels", message.levels.len()),
        ("digits", digits.unwrap_or(0)),
    ] {
        if found > crate::verify::MAX_ROWS {
            return Err(range(field, found as i64, "at most 256 entries"));
        }
    }
    let row = |primes: Vec<u32>| -> Vec<Prime> { primes.into_iter().map(Prime::new).collect() };
    let mut rings = Arena::new();
    for ring in message.rings {
        if !RingTable::LOG_N.contains(&ring.log_n) {
            return Err(range("log_n", ring.log_n, "3 to 17"));
        }
        let digits = ring.digits.into_iter().map(|digit| row(digit.primes));
        rings.push(RingSpec {
            log_n: ring.log_n,
            secret: match ring.secret_weight {
                0 => SecretKind::Ternary,
                weight => SecretKind::Sparse { weight },
            },
            special: ring.special.into_iter().map(SpecialPrime::new).collect(),
            digits: digits.collect(),
        });
    }
    if rings.is_empty() {
        return Err(DecodeError::Missing { field: "rings" });
    }
    let mut levels = Vec::with_capacity(message.levels.len());
    for level in message.levels {
        levels.push(LevelSpec {
            ring: decode_ring_id("ring of a level", level.ring, &rings)?,
            primes: row(level.primes),
        });
    }
    Ok(RingTable {
        unit_bits: message.unit_bits,
        primes: message.primes.into_iter().collect(),
        special: message.special.into_iter().collect(),
        rings,
        levels,
    })
}

fn decode_ring_id(
    field: &'static str,
    found: u32,
    rings: &Arena<RingId, RingSpec>,
) -> Result<RingId, DecodeError> {
    match rings.get(RingId(found)) {
        Some(_) => Ok(RingId(found)),
        None => Err(range(field, found, "one of the table of rings")),
    }
}

fn encode_key(key: Key, level: Level) -> wire::Key {
    let (kind, rotation, from) = match key.kind {
        KeyKind::Relinearization => (1, 0, 0),
        KeyKind::Conjugation => (2, 0, 0),
        KeyKind::Rotation(rotation) => (3, rotation.0, 0),
        KeyKind::RingSwitch => (4, 0, key.from.0),
        KeyKind::Raise(rotation) => (5, rotation.0, key.from.0),
    };
    wire::Key {
        kind,
        rotation,
        level: level.0,
        from,
    }
}

fn decode_keys(rows: &[wire::Key], ring: &RingTable) -> Result<Keys, DecodeError> {
    let mut keys = Keys::default();
    for row in rows {
        let level = Level(row.level);
        let to = ring.ring_of(level);
        let key = match row.kind {
            1 => Key::within(to, KeyKind::Relinearization),
            2 => Key::within(to, KeyKind::Conjugation),
            3 => Key::within(to, KeyKind::Rotation(Rotation(row.rotation))),
            4 => {
                let from = decode_ring_id("ring of a key", row.from, &ring.rings)?;
                Key::switching(from, to)
            }
            5 => {
                let from = decode_ring_id("ring of a key", row.from, &ring.rings)?;
                Key::raising((from, to), Rotation(row.rotation))
            }
            other => return Err(range("kind of key", other, "1 to 5")),
        };
        if keys.levels.insert(key, level).is_some() {
            return Err(DecodeError::KeyTwice { key });
        }
    }
    Ok(keys)
}

fn encode_port(port: &InterfacePort) -> wire::Port {
    let InterfacePort {
        name,
        shape,
        layout,
        level,
        scale,
        finish,
        prepare,
        range,
        expectation,
        imaginary,
    } = port;
    wire::Port {
        name: name.clone(),
        shape: shape.dims().to_vec(),
        layout: Some(encode_layout(layout)),
        level: level.0,
        scale: Some(encode_scale(scale)),
        finish: finish::encode(finish),
        prepare: prepare.as_ref().map(finish::encode_prepare),
        range: range.map(expectation::encode_range),
        expectation: expectation.map(expectation::encode),
        imaginary: *imaginary,
    }
}

fn decode_port(port: wire::Port, ring: &RingTable) -> Result<InterfacePort, DecodeError> {
    let missing = |field| DecodeError::Missing { field };
    Ok(InterfacePort {
        name: port.name,
        shape: Shape::new(port.shape)?,
        layout: decode_layout(&port.layout.ok_or(missing("layout"))?)?,
        level: Level(port.level),
        scale: decode_scale(&port.scale.ok_or(missing("scale"))?, ring)?,
        finish: finish::decode(port.finish)?,
        prepare: port.prepare.map(finish::decode_prepare).transpose()?,
        range: port.range.map(expectation::decode_range).transpose()?,
        expectation: port.expectation.map(expectation::decode).transpose()?,
        imaginary: port.imaginary,
    })
}

pub(super) fn encode_layout(layout: &Layout) -> wire::Layout {
    let LayoutParts {
        log_slots,
        shape,
        phases,
        gaps,
        pitch,
        plane,
        replicas,
        skew,
        jump,
        run,
    } = *layout.parts();
    wire::Layout {
        log_slots,
        shape: shape.to_vec(),
        phases: phases.to_vec(),
        gaps: gaps.to_vec(),
        pitch,
        plane,
        replicas,
        skew,
        jump,
        run,
    }
}

pub(super) fn decode_layout(layout: &wire::Layout) -> Result<Layout, DecodeError> {
    Ok(Layout::new(LayoutParts {
        log_slots: layout.log_slots,
        shape: array("layout shape", &layout.shape)?,
        phases: array("phases", &layout.phases)?,
        gaps: array("gaps", &layout.gaps)?,
        pitch: layout.pitch,
        plane: layout.plane,
        replicas: layout.replicas,
        skew: layout.skew,
        jump: layout.jump,
        run: layout.run,
    })?)
}

pub(super) fn encode_scale(scale: &Scale) -> wire::Scale {
    let (primes, exponents) = scale.prime_part().iter().map(|(p, e)| (p.0, *e)).unzip();
    wire::Scale {
        log2: scale.log2_part(),
        primes,
        exponents,
    }
}

pub(super) fn decode_scale(scale: &wire::Scale, ring: &RingTable) -> Result<Scale, DecodeError> {
    if scale.primes.len() != scale.exponents.len() {
        return Err(DecodeError::Length {
            field: "exponents",
            found: scale.exponents.len(),
            expected: scale.primes.len(),
        });
    }
    if let Some(&bad) = scale
        .primes
        .iter()
        .find(|p| **p as usize >= ring.primes.len())
    {
        return Err(range("prime of a scale", bad, "one of the pool"));
    }
    let factors = scale.primes.iter().map(|&p| Prime(p));
    Scale::new(scale.log2, factors.zip(scale.exponents.iter().copied())).ok_or(range(
        "scale",
        scale.log2,
        "exponents up to 4096, not zero, primes in order",
    ))
}
