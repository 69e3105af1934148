//! Bytes of the buffers of each ring: those of one are of no use to the other.

use crate::exec::Pools;
use peregrine_ir::RingPart;
use std::ops::{Add, AddAssign, SubAssign};

/// Bytes of the buffers of each ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingBytes {
    main: u64,
    small: u64,
}

impl RingBytes {
    /// Of one ring.
    pub(super) fn of(part: RingPart, bytes: u64) -> Self {
        match part {
            RingPart::Main => Self {
                main: bytes,
                small: 0,
            },
            RingPart::Small => Self {
                main: 0,
                small: bytes,
            },
        }
    }
}

impl Pools for RingBytes {
    fn larger(self, other: Self) -> Self {
        Self {
            main: self.main.max(other.main),
            small: self.small.max(other.small),
        }
    }

    fn total(self) -> u64 {
        self.main + self.small
    }
}

impl Add for RingBytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            main: self.main + other.main,
            small: self.small + other.small,
        }
    }
}

impl AddAssign for RingBytes {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for RingBytes {
    fn sub_assign(&mut self, other: Self) {
        self.main -= other.main;
        self.small -= other.small;
    }
}

impl std::iter::Sum for RingBytes {
    fn sum<I: Iterator<Item = Self>>(bytes: I) -> Self {
        bytes.fold(Self::default(), Self::add)
    }
}
