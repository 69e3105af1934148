//! Ranges of inputs and expectations of outputs in the public part.

use super::error::DecodeError;
use super::fields::range;
use super::wire;
use crate::expectation::{Expectation, InputRange, Origin};

pub(super) fn encode_range(range: InputRange) -> wire::InputRange {
    let InputRange { low, high, origin } = range;
    wire::InputRange {
        low,
        high,
        origin: encode_origin(origin),
    }
}

pub(super) fn decode_range(range: wire::InputRange) -> Result<InputRange, DecodeError> {
    let wire::InputRange { low, high, origin } = range;
    Ok(InputRange {
        low,
        high,
        origin: decode_origin(origin)?,
    })
}

pub(super) fn encode(expectation: Expectation) -> wire::Expectation {
    let Expectation {
        magnitude,
        noise,
        origin,
    } = expectation;
    wire::Expectation {
        magnitude,
        noise,
        origin: encode_origin(origin),
    }
}

pub(super) fn decode(expectation: wire::Expectation) -> Result<Expectation, DecodeError> {
    let wire::Expectation {
        magnitude,
        noise,
        origin,
    } = expectation;
    Ok(Expectation {
        magnitude,
        noise,
        origin: decode_origin(origin)?,
    })
}

fn encode_origin(origin: Origin) -> u32 {
    match origin {
        Origin::Assumed => 1,
        Origin::Asked => 2,
        Origin::Stated => 3,
        Origin::Calibrated => 4,
    }
}

fn decode_origin(origin: u32) -> Result<Origin, DecodeError> {
    match origin {
        1 => Ok(Origin::Assumed),
        2 => Ok(Origin::Asked),
        3 => Ok(Origin::Stated),
        4 => Ok(Origin::Calibrated),
        other => Err(range("origin of an expectation", other, "1 to 4")),
    }
}
