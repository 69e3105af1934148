//! Windows over images whose channels lie at the lowest index: diagonals that repeat.
//!
//! Where `z` channels of a pixel follow each other and a ciphertext holds no other plane, slot `pixel z + c` of a diagonal has the weight of
//! channel `c`, whatever the pixel: the diagonal repeats after `z` slots, is encoded in a ring of degree `2 z`, and multiplies as fast
//! as a scalar. As with [scalars](super::scalars), a read across the border of the image must find a zero, for which there are *guard* columns and
//! rows, and what falls into the guards of the result is cleared by a mask of ones for each output ciphertext, in the same level.
//!
//! A rotation by `d` slots leads from channel `c` to `c + d`, and beyond the last channel to the first ones of the next pixel. For these the
//! weight is that of a tap one pixel further, or zero: of taps that are neighbours no product is lost, of a lone one half.

use super::taps::{AxisTaps, is_uniform, positions};
use peregrine_ir::Layout;
use peregrine_ir::cost::{LARGEST_SHARE, LinearCost};
use peregrine_ir::linear::BoundMap;

/// How the diagonals of a map between two layouts repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Slots after which they do, a power of two above 1.
    pub period: u32,
    /// Whether something falls into slots of the result without an element, so that a mask is needed.
    pub masked: bool,
}

impl Repeat {
    /// How the diagonals of `map` repeat; `None` where they do not, or too late for short transforms.
    pub fn of(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Option<Self> {
        let window = map.map().window()?;
        let (x, y) = (map.map().input.chw(), map.map().output.chw());
        let fits = input.parts().shape == x && output.parts().shape == y;
        let (from, to) = (Grid::of(input)?, Grid::of(output)?);
        let share = to.channels as f64 / f64::from(output.slots());
        let is_short = to.channels > 1 && share <= LARGEST_SHARE;
        if !fits || !is_short || !is_uniform(map, window) {
            return None;
        }
        let [rows, columns] = [0, 1].map(|axis| AxisTaps::of(window, (input, output), axis));
        let (rows, columns) = (rows?, columns?);
        let follows = to.channels == i64::from(columns.spread) * from.channels
            && to.pitch == i64::from(rows.spread) * from.pitch;
        let sides = Sides {
            from,
            to,
            rows: &rows,
            columns: &columns,
            slots: i64::from(input.slots()),
        };
        if !follows || !sides.are_separate() {
            return None;
        }
        let spread = rows.spread.max(columns.spread);
        let stays = |taps: &AxisTaps, axis| {
            let mut taps = taps.taps.iter();
            taps.all(|tap| tap.stays((input, output), axis))
        };
        Some(Self {
            period: u32::try_from(to.channels).ok()?,
            masked: spread != 1 || !stays(&rows, 0) || !stays(&columns, 1),
        })
    }

    /// What operations cost with constants that repeat: a product is as fast as one with a scalar.
    pub fn cost(&self, cost: &LinearCost) -> LinearCost {
        LinearCost {
            product: cost.scalar,
            ..*cost
        }
    }

    /// Predicted seconds of the masks.
    pub fn price(&self, output: &Layout, cost: &LinearCost) -> f64 {
        match self.masked {
            true => f64::from(output.ciphertexts()) * cost.product,
            false => 0.0,
        }
    }
}

/// Pixels with their channels at the lowest index, in slots.
#[derive(Clone, Copy, Debug)]
struct Grid {
    /// Slots from a pixel to the next, each with a channel.
    channels: i64,
    /// Slots from a row to the next.
    pitch: i64,
    /// Rows and columns of the largest phase.
    extents: [i64; 2],
}

impl Grid {
    /// The grid of a layout without replicas, with one plane in a ciphertext and rows that begin at a multiple of its channels.
    fn of(layout: &Layout) -> Option<Self> {
        let parts = layout.parts();
        let [gap, channels] = parts.gaps;
        let is_alone = layout.planes() == 1 || parts.shape[0] <= channels;
        let suits = gap == 1
            && channels.is_power_of_two()
            && parts.pitch.is_multiple_of(channels)
            && parts.replicas == 1
            && is_alone;
        suits.then(|| Self {
            channels: channels.into(),
            pitch: parts.pitch.into(),
            extents: [0, 1].map(|axis| positions(layout, axis, 0)),
        })
    }

    /// The slot of the first channel of the last pixel.
    fn last(&self) -> i64 {
        let [rows, columns] = self.extents;
        (rows - 1) * self.pitch + (columns - 1) * self.channels
    }
}

/// Both sides of a map with its taps.
struct Sides<'t> {
    from: Grid,
    to: Grid,
    rows: &'t AxisTaps,
    columns: &'t AxisTaps,
    slots: i64,
}

impl Sides<'_> {
    /// Whether no two pixels have the distance of a tap for another reason: between the end of a row and the beginning of the
    /// next, or around the end of the ciphertext.
    fn are_separate(&self) -> bool {
        let Self {
            from,
            to,
            rows,
            columns,
            slots,
        } = *self;
        let ([_, wide], [_, result]) = (from.extents, to.extents);
        let row = from.pitch / from.channels;
        let last = i64::from(columns.spread) * (result - 1);
        let apart = |by: i64| by + row >= wide && last + by < row;
        let ends = |by: i64| {
            by + slots > from.last() + from.channels - 1 && to.last() + by + from.channels <= slots
        };
        let mut pairs = rows
            .taps
            .iter()
            .flat_map(|r| columns.taps.iter().map(move |c| (r.by, c.by)));
        let reach = |taps: &AxisTaps| {
            let (least, most) = taps.taps.iter().fold((0, 0), |(least, most), tap| {
                (tap.by.min(least), tap.by.max(most))
            });
            most - least
        };
        columns.taps.iter().all(|tap| apart(tap.by))
            && pairs.all(|(r, c)| ends(r * from.pitch + c * from.channels))
            // A weight that belongs to no tap is zero, in whichever row the pixel is that it would lead to.
            && reach(columns) + 2 <= row
            && (reach(rows) + 2) * from.pitch <= slots
    }
}
