//! Layouts: how a tensor lies in the slots of ciphertexts (generalized interleaved packing, GIP).
//!
//! Notation: `S` slots per ciphertext; a map of `C` channels, `H` rows, `W` columns; per axis (rows, columns)
//! *phases* `p`, *gaps* `z`; row *pitch*, *plane* size, *replicas* `r`, *skew* `k`.
//!
//! Element `(c, h, w)` lies at
//! ```text
//! h = p_h h' + f_h      w = p_w w' + f_w              split by residue: each (f_h, f_w) is a ciphertext of its own
//! c = (z_h z_w) b + z_w i + j                         z_h z_w channels fill the gaps between pixels
//! ciphertext = ((b div B) p_h + f_h) p_w + f_w        B = floor(S / r / plane) planes per ciphertext
//! slot       = (b mod B) plane + (h' z_h + i) pitch + (w' z_w + j)
//! ```
//! and again in replica `x = 1 .. r-1`, in the block of `S / r` slots that starts at `x S / r`, there rotated right by
//! `x k` within its block (and by `j` more for every `m` replicas: *jump* `j`, *run* `m`). Every other slot holds zero; the
//! operators rely on it. A pitch or plane larger than needed leaves guard zeros.
//!
//! Published packings are special cases: one channel after the other (`p = z = 1`), multiplexed packing (`z > 1`),
//! interleaved decomposition (`p > 1`).

use crate::shape::Shape;
use std::fmt;

/// The free choices of a [`Layout`]; see the module for what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct LayoutParts {
    /// log2 of the slots per ciphertext.
    pub log_slots: u32,
    /// `[C, H, W]`.
    pub shape: [u32; 3],
    /// `[p_h, p_w]`.
    pub phases: [u32; 2],
    /// `[z_h, z_w]`.
    pub gaps: [u32; 2],
    /// Slots from one row of the plane to the next.
    pub pitch: u32,
    /// Slots from one plane to the next.
    pub plane: u32,
    /// Number of replicas of the block of planes; a power of two.
    pub replicas: u32,
    /// Rotation from one replica to the next; 0 for aligned replicas.
    pub skew: u32,
    /// Rotation that is added once for every `run` replicas; 0 where the skew alone says all.
    pub jump: u32,
    /// Replicas between two jumps, a power of two; 1 where there is no jump.
    pub run: u32,
}

impl LayoutParts {
    /// Checks how far replicas are rotated within a block of `block` slots.
    fn check_turns(&self, block: u64) -> Result<(), LayoutError> {
        for (part, value) in [("skew", self.skew), ("jump", self.jump)] {
            if u64::from(value) >= block {
                return fail(part, value.into(), format!("below {block}"));
            }
        }
        let runs = match self.jump {
            0 => 1..=1,
            _ => 2..=self.replicas / 2,
        };
        if !self.run.is_power_of_two() || !runs.contains(&self.run) {
            let expected = format!("a power of two from {} to {}", runs.start(), runs.end());
            return fail("run", self.run.into(), expected);
        }
        Ok(())
    }
}

/// A checked packing of a `[C, H, W]` tensor into slots: every element has a place, and no two elements share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Layout {
    parts: LayoutParts,
}

/// The place of an element: a slot of a ciphertext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The ciphertext, by index.
    pub ciphertext: u32,
    /// The slot of that ciphertext.
    pub slot: u32,
}

impl Layout {
    /// log2 of the largest number of slots: rings above degree 2^17 are not supported.
    pub const MAX_LOG_SLOTS: u32 = 16;

    /// Checks the parts of a packing.
    ///
    /// # Errors
    /// When a part is out of range; the error names it, with the bound that the others set.
    pub fn new(parts: LayoutParts) -> Result<Self, LayoutError> {
        let LayoutParts {
            log_slots,
            shape,
            phases,
            gaps,
            pitch,
            plane,
            replicas,
            ..
        } = parts;
        if log_slots > Self::MAX_LOG_SLOTS {
            return fail(
                "log_slots",
                log_slots.into(),
                format!("at most {}", Self::MAX_LOG_SLOTS),
            );
        }
        let slots = 1u64 << log_slots;
        if Shape::new(shape).is_err() {
            return fail("shape", 0, "positive extents".into());
        }
        for (part, values, bound) in [("phases", phases, 1 << 16), ("gaps", gaps, slots)] {
            if let Some(&bad) = values.iter().find(|&&v| v == 0 || u64::from(v) > bound) {
                return fail(part, bad.into(), format!("1 to {bound}"));
            }
        }
        if replicas == 0 || !replicas.is_power_of_two() || u64::from(replicas) > slots {
            return fail(
                "replicas",
                replicas.into(),
                format!("a power of two up to {slots}"),
            );
        }
        // A plane must lie in the block of a replica, and rows and columns in the plane.
        let block = slots / u64::from(replicas);
        let columns = u64::from(shape[2].div_ceil(phases[1])) * u64::from(gaps[1]);
        let rows = u64::from(shape[1].div_ceil(phases[0])) * u64::from(gaps[0]);
        if u64::from(pitch) < columns || u64::from(pitch) > block {
            return fail("pitch", pitch.into(), format!("{columns} to {block}"));
        }
        let least = (rows - 1) * u64::from(pitch) + columns;
        if u64::from(plane) < least || u64::from(plane) > block {
            return fail("plane", plane.into(), format!("{least} to {block}"));
        }
        parts.check_turns(block)?;
        let layout = Self { parts };
        if layout.try_ciphertexts().is_none() {
            return fail("shape", shape[0].into(), "at most 2^24 ciphertexts".into());
        }
        Ok(layout)
    }

    /// The row-major packing: one channel after the other, row by row, in as few ciphertexts as that takes (`p = z = 1`).
    ///
    /// # Errors
    /// When one channel does not fit a ciphertext.
    pub fn row_major(log_slots: u32, shape: [u32; 3]) -> Result<Self, LayoutError> {
        let plane = u64::from(shape[1]) * u64::from(shape[2]);
        let plane = u32::try_from(plane).unwrap_or(u32::MAX);
        let (phases, gaps) = ([1, 1], [1, 1]);
        Self::new(LayoutParts {
            log_slots,
            shape,
            phases,
            gaps,
            pitch: shape[2],
            plane,
            replicas: 1,
            skew: 0,
            jump: 0,
            run: 1,
        })
    }

    /// The parts that the packing is made of.
    pub fn parts(&self) -> &LayoutParts {
        &self.parts
    }

    /// Slots per ciphertext.
    pub fn slots(&self) -> u32 {
        1 << self.parts.log_slots
    }

    /// Slots of one replica. The content repeats with this period where the replicas are aligned.
    pub fn block(&self) -> u32 {
        self.slots() / self.parts.replicas
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.parts.shape.iter().map(|&d| d as usize).product()
    }

    /// Number of ciphertexts.
    pub fn ciphertexts(&self) -> u32 {
        self.try_ciphertexts().unwrap_or(u32::MAX)
    }

    fn try_ciphertexts(&self) -> Option<u32> {
        let channel_blocks =
            self.parts.shape[0].div_ceil(self.parts.gaps[0].checked_mul(self.parts.gaps[1])?);
        let count = channel_blocks.div_ceil(self.planes());
        let phases = self.parts.phases[0].checked_mul(self.parts.phases[1])?;
        count.checked_mul(phases).filter(|&n| n <= 1 << 24)
    }

    /// Planes per ciphertext, `B`.
    pub fn planes(&self) -> u32 {
        self.block() / self.parts.plane
    }

    /// Share of the slots that hold an element (replicas count), 0 to 1.
    pub fn fill(&self) -> f64 {
        let used = self.elements() as f64 * f64::from(self.parts.replicas);
        used / (f64::from(self.ciphertexts()) * f64::from(self.slots()))
    }

    /// The place in replica 0 of element `[c, h, w]`, which must be inside the shape.
    pub fn place(&self, [c, h, w]: [u32; 3]) -> Place {
        let LayoutParts {
            phases: [ph, pw],
            gaps: [zh, zw],
            pitch,
            plane,
            ..
        } = self.parts;
        let (block, inner) = (c / (zh * zw), c % (zh * zw));
        let (i, j) = (inner / zw, inner % zw);
        let ciphertext = ((block / self.planes()) * ph + h % ph) * pw + w % pw;
        let slot = block % self.planes() * plane + (h / ph * zh + i) * pitch + (w / pw * zw + j);
        Place { ciphertext, slot }
    }

    /// The place in replica 0 of the element with the row-major index `flat`.
    pub fn place_flat(&self, flat: usize) -> Place {
        let [_, h, w] = self.parts.shape;
        let (rest, x) = (flat / w as usize, flat % w as usize);
        self.place([
            (rest / h as usize) as u32,
            (rest % h as usize) as u32,
            x as u32,
        ])
    }

    /// Whether the replicas are aligned (not skewed), so that the content repeats with the period [`Layout::block`].
    pub fn is_aligned(&self) -> bool {
        self.parts.skew == 0 && self.parts.jump == 0
    }

    /// The packing with aligned replicas in place of skewed ones.
    #[must_use]
    pub fn untwisted(&self) -> Self {
        Self {
            parts: LayoutParts {
                skew: 0,
                jump: 0,
                run: 1,
                ..self.parts
            },
        }
    }

    /// The packing in a ring of half the slots, of a tensor whose content repeats with that period; `None` where it does
    /// not.
    pub fn halved(&self) -> Option<Self> {
        let parts = self.parts;
        let half = parts.replicas / 2;
        let repeats = (0..half).all(|x| self.turn(x) == self.turn(x + half));
        if half == 0 || !repeats {
            return None;
        }
        // A jump that comes after the first half is none.
        let (jump, run) = match parts.run < half {
            true => (parts.jump, parts.run),
            false => (0, 1),
        };
        let log_slots = parts.log_slots.checked_sub(1)?;
        let replicas = half;
        let halved = LayoutParts {
            log_slots,
            replicas,
            jump,
            run,
            ..parts
        };
        Self::new(halved).ok()
    }

    /// log2 of the least number of slots after which the content of each ciphertext repeats, of powers of two.
    pub fn log_period(&self) -> u32 {
        match self.halved() {
            Some(half) => half.log_period(),
            None => self.parts.log_slots,
        }
    }

    /// Slots by which `replica` is rotated right within its block.
    pub fn turn(&self, replica: u32) -> u32 {
        let LayoutParts {
            skew, jump, run, ..
        } = self.parts;
        let turn =
            u64::from(replica) * u64::from(skew) + u64::from(replica / run) * u64::from(jump);
        (turn % u64::from(self.block())) as u32
    }

    /// The slot in `replica` of the element that lies at `slot` in replica 0.
    pub fn replica(&self, slot: u32, replica: u32) -> u32 {
        let block = u64::from(self.block());
        let moved = (u64::from(slot) + u64::from(self.turn(replica))) % block;
        replica * self.block() + moved as u32
    }

    /// The element `[c, h, w]` at a place; `None` where the layout promises zero.
    pub fn element(&self, Place { ciphertext, slot }: Place) -> Option<[u32; 3]> {
        let LayoutParts {
            shape,
            phases: [ph, pw],
            gaps: [zh, zw],
            pitch,
            plane,
            ..
        } = self.parts;
        let block_size = u64::from(self.block());
        let replica = slot / self.block();
        let back = u64::from(self.turn(replica));
        let slot = ((u64::from(slot % self.block()) + block_size - back) % block_size) as u32;
        let (group, phase) = (ciphertext / (ph * pw), ciphertext % (ph * pw));
        let (in_group, at) = (slot / plane, slot % plane);
        let (row, column) = (at / pitch, at % pitch);
        if in_group >= self.planes()
            || row / zh >= shape[1].div_ceil(ph)
            || column / zw >= shape[2].div_ceil(pw)
        {
            return None;
        }
        let channel = u64::from(group) * u64::from(self.planes()) + u64::from(in_group);
        let channel = channel * u64::from(zh * zw) + u64::from(row % zh * zw + column % zw);
        let (h, w) = (row / zh * ph + phase / pw, column / zw * pw + phase % pw);
        (channel < u64::from(shape[0]) && h < shape[1] && w < shape[2]).then_some([
            channel as u32,
            h,
            w,
        ])
    }

    /// The row-major index of the element at a place; `None` where the layout promises zero.
    pub fn element_flat(&self, place: Place) -> Option<usize> {
        let [c, h, w] = self.element(place)?;
        let [_, height, width] = self.parts.shape;
        Some((c as usize * height as usize + h as usize) * width as usize + w as usize)
    }

    /// Packs a tensor in row-major order into slot vectors, one for each ciphertext, replicas included.
    pub fn pack(&self, tensor: &[f64]) -> Vec<Vec<f64>> {
        let mut ciphertexts = vec![vec![0.0; self.slots() as usize]; self.ciphertexts() as usize];
        for (flat, &value) in tensor.iter().enumerate().take(self.elements()) {
            let place = self.place_flat(flat);
            for replica in 0..self.parts.replicas {
                let slot = self.replica(place.slot, replica) as usize;
                if let Some(slot) = ciphertexts
                    .get_mut(place.ciphertext as usize)
                    .and_then(|ct| ct.get_mut(slot))
                {
                    *slot = value;
                }
            }
        }
        ciphertexts
    }

    /// Unpacks a tensor into row-major order from slot vectors, one for each ciphertext. It is read from replica 0; missing
    /// slots read as NaN.
    pub fn unpack(&self, ciphertexts: &[Vec<f64>]) -> Vec<f64> {
        let read = |place: Place| {
            ciphertexts
                .get(place.ciphertext as usize)?
                .get(place.slot as usize)
                .copied()
        };
        (0..self.elements())
            .map(|flat| read(self.place_flat(flat)).unwrap_or(f64::NAN))
            .collect()
    }
}

impl fmt::Display for Layout {
    /// Prints the layout as the text form spells it, without the keyword.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LayoutParts {
            log_slots: _,
            shape,
            phases,
            gaps,
            pitch,
            plane,
            replicas,
            skew,
            jump,
            run,
        } = self.parts;
        write!(
            f,
            "shape={shape:?} phases={phases:?} gaps={gaps:?} pitch={pitch} plane={plane}"
        )?;
        write!(f, " replicas={replicas} skew={skew}")?;
        match jump {
            0 => Ok(()),
            _ => write!(f, " jump={jump} run={run}"),
        }
    }
}

fn fail<T>(part: &'static str, found: u64, expected: String) -> Result<T, LayoutError> {
    Err(LayoutError {
        part,
        found,
        expected,
    })
}

/// A part of a layout that is out of range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layout: {part} is {found}, expected {expected}")]
pub struct LayoutError {
    /// The name of the part.
    pub part: &'static str,
    /// Its value.
    pub found: u64,
    /// The bound.
    pub expected: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    prop_compose! {
        fn layouts()(shape in [1..9u32, 1..14u32, 1..14u32], phases in [1..5u32, 1..5u32], gaps in [1..4u32, 1..4u32],
                     guard in 0..3u32, spare in 0..5u32, log_replicas in 0..4u32, skew in 0..40u32, jump in 0..9u32,
                     room in 0..3u32)
                    -> Layout {
            let pitch = shape[2].div_ceil(phases[1]) * gaps[1] + guard;
            let plane = shape[1].div_ceil(phases[0]) * gaps[0] * pitch + spare;
            let block = (plane << room).next_power_of_two();
            let log_slots = block.ilog2() + log_replicas;
            let (jump, run) = if log_replicas > 1 && jump % block > 0 { (jump % block, 2) } else { (0, 1) };
            let replicas = 1 << log_replicas;
            let parts = LayoutParts { log_slots, shape, phases, gaps, pitch, plane, replicas, skew: skew % block, jump, run };
            Layout::new(parts).unwrap()
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn total_and_injective(layout in layouts()) {
            let mut seen = BTreeSet::new();
            for flat in 0..layout.elements() {
                let place = layout.place_flat(flat);
                prop_assert!(place.ciphertext < layout.ciphertexts());
                for replica in 0..layout.parts().replicas {
                    let slot = layout.replica(place.slot, replica);
                    prop_assert!(slot < layout.slots());
                    prop_assert!(seen.insert((place.ciphertext, slot)), "two elements at one place");
                }
            }
        }

        #[test]
        fn inverse_is_right_everywhere(layout in layouts()) {
            let mut expected = vec![vec![None; layout.slots() as usize]; layout.ciphertexts() as usize];
            for flat in 0..layout.elements() {
                let place = layout.place_flat(flat);
                for replica in 0..layout.parts().replicas {
                    expected[place.ciphertext as usize][layout.replica(place.slot, replica) as usize] = Some(flat);
                }
            }
            for (ciphertext, slots) in expected.iter().enumerate() {
                for (slot, &flat) in slots.iter().enumerate() {
                    let place = Place { ciphertext: ciphertext as u32, slot: slot as u32 };
                    prop_assert_eq!(layout.element_flat(place), flat);
                }
            }
        }

        #[test]
        fn halves_hold_what_repeats(layout in layouts()) {
            let tensor: Vec<f64> = (0..layout.elements()).map(|i| i as f64 + 0.5).collect();
            let packed = layout.pack(&tensor);
            let half = layout.slots() as usize / 2;
            let repeats = layout.parts().replicas > 1 && packed.iter().all(|ct| ct[..half] == ct[half..]);
            let halved = layout.halved();
            prop_assert_eq!(halved.is_some(), repeats);
            if let Some(halved) = halved {
                let halves: Vec<Vec<f64>> = packed.iter().map(|ct| ct[..half].to_vec()).collect();
                prop_assert_eq!(halved.pack(&tensor), halves);
            }
        }

        #[test]
        fn unpack_inverts_pack(layout in layouts()) {
            let tensor: Vec<f64> = (0..layout.elements()).map(|i| i as f64 + 0.5).collect();
            prop_assert_eq!(layout.unpack(&layout.pack(&tensor)), tensor);
        }
    }

    #[test]
    fn multiplexed_packing_by_hand() {
        // Four channels of a 1x2 map interleave in a 2x4 block.
        let parts = LayoutParts {
            log_slots: 3,
            shape: [4, 1, 2],
            phases: [1, 1],
            gaps: [2, 2],
            pitch: 4,
            plane: 8,
            replicas: 1,
            skew: 0,
            jump: 0,
            run: 1,
        };
        let packed = Layout::new(parts)
            .unwrap()
            .pack(&[0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0]);
        assert_eq!(packed, [[0.0, 10.0, 1.0, 11.0, 20.0, 30.0, 21.0, 31.0]]);
    }

    #[test]
    fn a_part_out_of_range_is_named() {
        let parts = LayoutParts {
            log_slots: 3,
            shape: [1, 3, 3],
            phases: [1, 1],
            gaps: [1, 1],
            pitch: 3,
            plane: 9,
            replicas: 1,
            skew: 0,
            jump: 0,
            run: 1,
        };
        assert_eq!(
            Layout::new(parts).unwrap_err().to_string(),
            "layout: plane is 9, expected 9 to 8"
        );
    }
}
