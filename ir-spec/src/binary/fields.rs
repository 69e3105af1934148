//! Checks of single fields that were read.

use super::error::DecodeError;

/// The error for a number that is out of its range.
pub(super) fn range(
    field: &'static str,
    found: impl Into<i64>,
    expected: &'static str,
) -> DecodeError {
    DecodeError::Range {
        field,
        found: found.into(),
        expected,
    }
}

/// A list as an array of fixed length.
pub(super) fn array<const N: usize>(
    field: &'static str,
    list: &[u32],
) -> Result<[u32; N], DecodeError> {
    list.try_into().map_err(|_| DecodeError::Length {
        field,
        found: list.len(),
        expected: N,
    })
}
