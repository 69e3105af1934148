//! What ports expect: `range [0.0, 1.0] asked`, `expect magnitude=7.5 noise=0.001 calibrated`.

use super::cursor::{Cursor, Parsed};
use crate::expectation::{Expectation, InputRange, Origin};
use crate::text::error::ParseCause;

/// The range that the word `range` announces, if it does.
pub(super) fn parse_range(cursor: &mut Cursor<'_>) -> Parsed<Option<InputRange>> {
    if !cursor.accept_word("range") {
        return Ok(None);
    }
    let at = cursor.token();
    let ends = cursor.list(Cursor::f64)?;
    let &[low, high] = ends.as_slice() else {
        let cause = ParseCause::Expected {
            expected: "2 numbers".into(),
            found: ends.len().to_string(),
        };
        return Err(cursor.error(at, cause));
    };
    let origin = origin(cursor)?;
    Ok(Some(InputRange { low, high, origin }))
}

/// The expectation that the word `expect` announces, if it does.
pub(super) fn parse_expectation(cursor: &mut Cursor<'_>) -> Parsed<Option<Expectation>> {
    if !cursor.accept_word("expect") {
        return Ok(None);
    }
    cursor.attribute("magnitude")?;
    let magnitude = cursor.f64()?;
    cursor.attribute("noise")?;
    let noise = cursor.f64()?;
    let origin = origin(cursor)?;
    Ok(Some(Expectation {
        magnitude,
        noise,
        origin,
    }))
}

fn origin(cursor: &mut Cursor<'_>) -> Parsed<Origin> {
    let mut known = Origin::ALL.into_iter();
    let found = known.find(|origin| cursor.accept_word(origin.keyword()));
    found.ok_or_else(|| cursor.expected("`assumed`, `asked`, `stated` or `calibrated`"))
}
