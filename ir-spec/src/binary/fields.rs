//! What reading asks of single fields.

use super::error::DecodeError;

/// A number that is out of range.
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

/// A list of fixed length.
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
