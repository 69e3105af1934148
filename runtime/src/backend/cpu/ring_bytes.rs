//! Bytes of the buffers of each ring: a buffer of one ring is of no use to another.

use crate::exec::Pools;
use peregrine_ir::{Entity, RingId};
use std::ops::{Add, AddAssign, SubAssign};

/// Bytes of buffers for each ring; 0 for rings beyond the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingBytes(Vec<u64>);

impl RingBytes {
    /// A number of bytes in one ring.
    pub(super) fn of(ring: RingId, bytes: u64) -> Self {
        let mut all = vec![0; ring.index()];
        all.push(bytes);
        Self(all)
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

impl Pools for RingBytes {
    fn larger(self, other: Self) -> Self {
        self.joined(&other, u64::max)
    }

    fn total(self) -> u64 {
        self.0.iter().sum()
    }
}

impl Add for RingBytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.joined(&other, |a, b| a + b)
    }
}

impl AddAssign for RingBytes {
    fn add_assign(&mut self, other: Self) {
        *self = std::mem::take(self) + other;
    }
}

impl SubAssign for RingBytes {
    fn sub_assign(&mut self, other: Self) {
        for (own, &other) in self.0.iter_mut().zip(&other.0) {
            *own -= other;
        }
    }
}

impl std::iter::Sum for RingBytes {
    fn sum<I: Iterator<Item = Self>>(bytes: I) -> Self {
        bytes.fold(Self::default(), Self::add)
    }
}
