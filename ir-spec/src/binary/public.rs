//! The public part: what a client may see.

use super::error::DecodeError;
use super::fields::{array, range};
use super::{expectation, finish, wire};
use crate::circuit::{Circuit, Keys, Port};
use crate::entity::{Entity, Prime};
use crate::inst::{Key, KeyKind};
use crate::interface::{InterfacePort, PublicPart};
use crate::layout::{Layout, LayoutParts};
use crate::ring::{Level, Ring, Rotation, Security, SmallRing};
use crate::scale::Scale;
use crate::shape::Shape;
use prost::Message;

/// The public part of a circuit. Ports of a verified circuit have a layout and a type; others are left out.
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
        ring: circuit.ring.clone(),
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
    })
}

pub(super) fn encode(part: &PublicPart) -> Vec<u8> {
    let PublicPart {
        name,
        security,
        ring,
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
        ring: Some(encode_ring(ring)),
        keys: keys
            .levels
            .iter()
            .map(|(k, l)| encode_key(k.kind, *l))
            .collect(),
        inputs: inputs.iter().map(encode_port).collect(),
        outputs: outputs.iter().map(encode_port).collect(),
    };
    message.encode_to_vec()
}

pub(super) fn decode(bytes: &[u8]) -> Result<PublicPart, DecodeError> {
    let message = wire::Public::decode(bytes)?;
    let ring = message.ring.ok_or(DecodeError::Missing { field: "ring" })?;
    let ring = decode_ring(ring)?;
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
        ring,
    })
}

fn encode_ring(ring: &Ring) -> wire::Ring {
    let Ring {
        log_n,
        unit_bits,
        primes,
        special,
        levels,
        digits,
        small,
    } = ring;
    let sets = |rows: &[Vec<Prime>]| -> Vec<wire::PrimeSet> {
        rows.iter()
            .map(|row| wire::PrimeSet {
                primes: row.iter().map(|p| p.0).collect(),
            })
            .collect()
    };
    wire::Ring {
        log_n: *log_n,
        unit_bits: *unit_bits,
        primes: primes.values().copied().collect(),
        special: special.values().copied().collect(),
        levels: sets(levels),
        digits: sets(digits),
        small: small.as_ref().map(|small| wire::SmallRing {
            log_n: small.log_n,
            levels: small.levels,
            special: small.special,
            digits: sets(&small.digits),
        }),
    }
}

/// Degrees are checked here, because typing relies on it; the rest is the verifier's.
fn decode_ring(ring: wire::Ring) -> Result<Ring, DecodeError> {
    if !Ring::LOG_N.contains(&ring.log_n) {
        return Err(range("log_n", ring.log_n, "3 to 17"));
    }
    if let Some(small) = &ring.small
        && !(*Ring::LOG_N.start()..ring.log_n).contains(&small.log_n)
    {
        return Err(range(
            "log_n of the small ring",
            small.log_n,
            "3 to that of the main ring",
        ));
    }
    let small_digits = ring.small.as_ref().map_or(0, |small| small.digits.len());
    for (field, found) in [
        ("primes", ring.primes.len()),
        ("special primes", ring.special.len()),
        ("levels", ring.levels.len()),
        ("digits", ring.digits.len()),
        ("digits of the small ring", small_digits),
    ] {
        if found > crate::verify::MAX_ROWS {
            return Err(range(field, found as i64, "at most 256 entries"));
        }
    }
    let sets = |rows: Vec<wire::PrimeSet>| -> Vec<Vec<Prime>> {
        rows.into_iter()
            .map(|row| row.primes.into_iter().map(Prime::new).collect())
            .collect()
    };
    Ok(Ring {
        log_n: ring.log_n,
        unit_bits: ring.unit_bits,
        primes: ring.primes.into_iter().collect(),
        special: ring.special.into_iter().collect(),
        levels: sets(ring.levels),
        digits: sets(ring.digits),
        small: ring.small.map(|small| SmallRing {
            log_n: small.log_n,
            levels: small.levels,
            special: small.special,
            digits: sets(small.digits),
        }),
    })
}

fn encode_key(kind: KeyKind, level: Level) -> wire::Key {
    let (kind, rotation) = match kind {
        KeyKind::Relinearization => (1, 0),
        KeyKind::Conjugation => (2, 0),
        KeyKind::Rotation(rotation) => (3, rotation.0),
        KeyKind::RingSwitch => (4, 0),
    };
    wire::Key {
        kind,
        rotation,
        level: level.0,
    }
}

fn decode_keys(rows: &[wire::Key], ring: &Ring) -> Result<Keys, DecodeError> {
    let mut keys = Keys::default();
    for row in rows {
        let kind = match row.kind {
            1 => KeyKind::Relinearization,
            2 => KeyKind::Conjugation,
            3 => KeyKind::Rotation(Rotation(row.rotation)),
            4 => KeyKind::RingSwitch,
            other => return Err(range("kind of key", other, "1 to 4")),
        };
        let level = Level(row.level);
        let part = ring.part(level);
        let key = Key { part, kind };
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
    }
}

fn decode_port(port: wire::Port, ring: &Ring) -> Result<InterfacePort, DecodeError> {
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

pub(super) fn decode_scale(scale: &wire::Scale, ring: &Ring) -> Result<Scale, DecodeError> {
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
