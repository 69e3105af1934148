//! Hostile inputs for readers, made from sound ones: damage that respects their structure, so that it reaches behind the first check.
//!
//! | file | what it takes apart and puts together again |
//! |---|---|
//! | `container` | this program's own files: chunks, with checksums that are right again |
//! | `protobuf` | messages: fields, with the lengths of all messages around them right again |
//! | `words` | text: lines, numbers, brackets |
//! | `npy` | arrays: the header, with its length right again; archives of them |
//!
//! Everything follows from the number that [`Dice`] starts with.

mod container;
mod npy;
mod protobuf;
mod words;

pub use container::container;
pub use npy::{npy, npz};
pub use protobuf::protobuf;
pub use words::words;

/// A small reproducible generator.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The generator of this number.
    pub fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        dice.roll(1);
        dice.roll(1);
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `sides`; 0 when there are none.
    pub fn roll(&mut self, sides: usize) -> usize {
        (self.next() >> 11) as usize % sides.max(1)
    }

    /// Whether something happens that happens once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }

    /// One of several things.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> Option<T> {
        things.get(self.roll(things.len())).copied()
    }

    /// A number that readers get wrong, near `old` or near a limit.
    pub fn telling(&mut self, old: u64) -> u64 {
        let bit = 1u64 << self.roll(64);
        let near = [
            old.wrapping_add(1),
            old.wrapping_sub(1),
            old ^ bit,
            old.wrapping_mul(2),
            old / 2,
            old.wrapping_neg(),
        ];
        let limits = [
            0,
            1,
            2,
            0x7f,
            0xff,
            1 << 16,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            1 << 40,
            1 << 60,
            u64::MAX / 8,
            1 << 63,
            u64::MAX,
            bit,
        ];
        let of: &[u64] = if self.once_in(2) { &near } else { &limits };
        self.pick(of).unwrap_or(old)
    }
}

/// Flips, removes, adds, repeats or overwrites bytes.
pub fn bytes(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let at = dice.roll(bytes.len());
    let end = (at + 1 + dice.roll(40)).min(bytes.len());
    match dice.roll(9) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, dice.roll(256) as u8),
        2 => drop(bytes.drain(at.min(end)..end)),
        3 => bytes.iter_mut().take(end).skip(at).for_each(|b| *b = 0xff),
        4 => bytes.iter_mut().take(end).skip(at).for_each(|b| *b = 0),
        5 => {
            let stretch = bytes.get(at..end).unwrap_or_default().to_vec();
            let to = dice.roll(bytes.len());
            drop(bytes.splice(to..to, stretch));
        }
        _ => {
            let flip = 1 << dice.roll(8);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= flip;
            }
        }
    }
}
