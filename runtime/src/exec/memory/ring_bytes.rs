//! Bytes of the buffers of each ring: those of one are of no use to another.

use peregrine_ir::{Entity, RingId};
use std::ops::{AddAssign, SubAssign};

/// Bytes of buffers by ring; none of the rings that are not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RingBytes(Vec<u64>);

impl RingBytes {
    /// In one ring.
    pub(super) fn of(ring: RingId, bytes: u64) -> Self {
        let mut all = vec![0; ring.index()];
        all.push(bytes);
        Self(all)
    }

    /// The larger of two for each ring.
    pub(super) fn max(self, other: &Self) -> Self {
        self.joined(other, u64::max)
    }

    /// The sum of two for each ring.
    pub(super) fn plus(self, other: &Self) -> Self {
        self.joined(other, |a, b| a + b)
    }

    /// Those of all rings together.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn joined(mut self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, &other) in self.0.iter_mut().zip(&other.0) {
            *own = join(*own, other);
        }
        self
    }
}

impl AddAssign<&Self> for RingBytes {
    fn add_assign(&mut self, other: &Self) {
        *self = std::mem::take(self).plus(other);
    }
}

impl SubAssign<&Self> for RingBytes {
    fn sub_assign(&mut self, other: &Self) {
        for (own, &other) in self.0.iter_mut().zip(&other.0) {
            *own -= other;
        }
    }
}

impl std::iter::Sum for RingBytes {
    fn sum<I: Iterator<Item = Self>>(bytes: I) -> Self {
        bytes.fold(Self::default(), |sum, bytes| sum.plus(&bytes))
    }
}
