//! Columns: lists of numbers of one kind. A column of numbers that are close to their neighbours stores differences.

use super::error::DecodeError;

/// Reads the numbers of a column one after the other.
#[derive(Debug)]
pub(super) struct Column<'a, T> {
    name: &'static str,
    rest: std::slice::Iter<'a, T>,
    last: i64,
}

impl<'a, T: Copy> Column<'a, T> {
    pub(super) fn new(name: &'static str, values: &'a [T]) -> Self {
        Self {
            name,
            rest: values.iter(),
            last: 0,
        }
    }

    pub(super) fn next(&mut self) -> Result<T, DecodeError> {
        let column = self.name;
        let next = self.rest.next().copied();
        next.ok_or(DecodeError::ColumnEnds { column })
    }

    /// The number of entries that have not been read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// Checks that every entry has been read.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeError::ColumnLeft {
                column: self.name,
                left,
            }),
        }
    }
}

impl Column<'_, i64> {
    /// Sets the number to which the next difference is added.
    pub(super) fn rebase(&mut self, base: u32) {
        self.last = i64::from(base);
    }

    /// Reads a difference and returns the number that is so far from the number before.
    pub(super) fn next_number(&mut self) -> Result<u32, DecodeError> {
        let number = self.last.checked_add(self.next()?);
        let number = number.and_then(|n| u32::try_from(n).ok());
        let number = number.ok_or(DecodeError::Range {
            field: self.name,
            found: number.map_or(-1, i64::from),
            expected: "differences that lead to 32-bit numbers",
        })?;
        self.last = i64::from(number);
        Ok(number)
    }
}

/// Writes a column: of each number the difference to the number before.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub(super) values: Vec<i64>,
    last: i64,
}

impl Differences {
    pub(super) fn rebase(&mut self, base: u32) {
        self.last = i64::from(base);
    }

    pub(super) fn push(&mut self, number: u32) {
        self.values.push(i64::from(number) - self.last);
        self.last = i64::from(number);
    }

    pub(super) fn of(numbers: impl IntoIterator<Item = u32>) -> Vec<i64> {
        let mut differences = Self::default();
        numbers.into_iter().for_each(|n| differences.push(n));
        differences.values
    }
}
