//! The packings considered for inputs and for the result of a linear operator.
//!
//! - *kept*: the pixels of the result stay where those of the operand are: a stride divides phases while it can, then gaps grow
//!   by it and channels multiplex into them; upsampling multiplies phases, or divides gaps; pitch and plane stay.
//! - *dense*: one channel after the other without gaps.
//! - *split*: dense with more phases than it needs, for an input: each stride of the network takes phases away before it widens gaps, and
//!   a convolution whose stride takes phases away makes no more products than its taps.
//! - *lowest*: some channels, a power of two, at the lowest index, so that weights repeat (`slots::periodic`), and one plane of such pixels
//!   to a ciphertext, with guard zeros around it. Where a stride widens the gaps of these, rows move apart and channels fill the gaps of columns
//!   only. Not without [`Optimisation::PeriodicWeights`].
//! - *planes*: one plane fills a ciphertext, with guard zeros around it, so that weights are scalars (`slots::scalars`).
//! - *skewed*: each of these that has replicas, with the replicas rotated against each other, so that one product of the next
//!   operator does several displacements (`slots::diagonals`). Not without [`Optimisation::SkewedReplicas`].

use crate::optimisation::{Optimisation, Without};
use peregrine_ir::linear::{AxisMap, LinearKind, LinearMap};
use peregrine_ir::{Layout, LayoutError, LayoutParts};

/// The largest factor by which a layout whose pixels stay may have more ciphertexts than a dense packing and the operand have: one
/// pixel that is broadcast to a large image would have a ciphertext for each pixel of it.
const MOST_SPREAD: u32 = 16;

/// The most phases along an axis that an input is split into without need: there is a ciphertext for each pair of phases.
const MOST_SPLIT: u32 = 8;

/// Distinct layouts in the order of discovery.
#[derive(Debug, Default)]
struct Found(Vec<Layout>);

impl Found {
    fn push(&mut self, layout: impl Into<Option<Layout>>) {
        if let Some(layout) = layout.into()
            && !self.0.contains(&layout)
        {
            self.0.push(layout);
        }
    }

    fn with_skewed(mut self, without: &Without) -> Vec<Layout> {
        for layout in self.0.clone() {
            skewed(&layout, without)
                .into_iter()
                .for_each(|l| self.push(l));
        }
        self.0
    }
}

/// What a network asks of the layouts of its inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Pixels by which windows reach beyond the border of an image.
    pub pixels: u32,
    /// The largest number of channels of a tensor.
    pub channels: u32,
    /// The largest product of the strides of windows that follow each other.
    pub stride: u32,
}

/// The layouts in which a client may pack an input.
///
/// # Errors
/// Never for a shape with positive extents.
pub fn of_input(
    shape: [u32; 3],
    log_slots: u32,
    reach: Reach,
    without: &Without,
) -> Result<Vec<Layout>, LayoutError> {
    let mut found = Found::default();
    found.push(dense(shape, log_slots)?);
    planes(shape, log_slots, reach.pixels)
        .into_iter()
        .for_each(|layout| found.push(layout));
    for layout in split(shape, log_slots, reach.stride) {
        found.push(layout);
    }
    let mut found = found.with_skewed(without);
    if !without.contains(&Optimisation::PeriodicWeights) {
        // Strides take away phases, or widen the gaps of columns, into which channels go.
        let stride = reach.stride;
        let phases = [[1, 1], [stride, 1], [stride, stride]];
        let of = phases.map(|phases| lowest(shape, log_slots, phases, reach));
        found.extend(of.into_iter().flatten());
        found.dedup();
    }
    Ok(found)
}

/// The candidate layouts for the result of `map` when its operand is packed as `from`; at least one, unless channels lie at the lowest index
/// there.
///
/// # Errors
/// Never for shapes that the front end accepts.
pub fn of(map: &LinearMap, from: &Layout, without: &Without) -> Result<Vec<Layout>, LayoutError> {
    let shape = map.output.chw();
    let dense = dense(shape, from.parts().log_slots)?;
    let mut found = Found::default();
    if from.parts().shape == map.input.chw() {
        let most = dense
            .ciphertexts()
            .max(from.ciphertexts())
            .saturating_mul(MOST_SPREAD);
        let gaps = match is_lowest(from) {
            true => Gaps::Columns,
            false => Gaps::Both,
        };
        for moves in movements(map) {
            let kept = kept(shape, from, (moves, gaps));
            found.push(kept.filter(|kept| kept.ciphertexts() <= most));
        }
    }
    if matches!(map.kind, LinearKind::Scale(_)) {
        found.push(*from);
    }
    // On the way to other layouts weights do not repeat, and few displacements are equal: that is for what has no pixels any more.
    if !is_lowest(from) || shape[1] * shape[2] == 1 {
        found.push(dense);
    }
    Ok(found.with_skewed(without))
}

/// The dense layout, one channel after the other: phases until a plane fits a ciphertext, planes padded to a power of two where
/// that costs no ciphertext, then replicas.
///
/// # Errors
/// Never for a shape with positive extents.
pub fn dense(shape: [u32; 3], log_slots: u32) -> Result<Layout, LayoutError> {
    dense_in(shape, log_slots, [1, 1])
}

/// The dense layout with at least so many phases.
fn dense_in(shape: [u32; 3], log_slots: u32, mut phases: [u32; 2]) -> Result<Layout, LayoutError> {
    let slots = 1u64 << log_slots;
    let extent = |phases: [u32; 2]| [shape[1].div_ceil(phases[0]), shape[2].div_ceil(phases[1])];
    let area = |phases| {
        extent(phases)
            .iter()
            .map(|&e| u64::from(e))
            .product::<u64>()
    };
    // Both axes are split until one plane fits a ciphertext.
    while area(phases) > slots {
        let [rows, columns] = extent(phases);
        if columns > 1 {
            phases[1] *= 2;
        }
        if rows > 1 {
            phases[0] *= 2;
        }
    }
    let [rows, columns] = extent(phases);
    let parts = LayoutParts {
        log_slots,
        shape,
        phases,
        gaps: [1, 1],
        pitch: columns,
        plane: rows * columns,
        replicas: 1,
        skew: 0,
        jump: 0,
        run: 1,
    };
    repeated(padded(parts)?)
}

/// Dense layouts with as many phases as strides take away, and with fewer. Only where a whole plane takes at least a quarter of a
/// ciphertext: smaller images have ciphertexts for phases only if these are nearly empty.
fn split(shape: [u32; 3], log_slots: u32, stride: u32) -> Vec<Layout> {
    let [_, height, width] = shape;
    if 4 * u64::from(height) * u64::from(width) < 1 << log_slots {
        return Vec::new();
    }
    let most = stride.min(MOST_SPLIT).min(height).min(width);
    let powers = (1..).map(|log| 1u32 << log).take_while(|&t| t <= most);
    let layouts = powers.filter_map(|t| dense_in(shape, log_slots, [t, t]).ok());
    layouts.collect()
}

/// Layouts with one guarded plane to a ciphertext: the fewest phases along each axis, for every number of phases along the other.
/// Only where a plane takes at least a quarter of a ciphertext.
fn planes(shape: [u32; 3], log_slots: u32, reach: u32) -> Vec<Layout> {
    let slots = 1u64 << log_slots;
    let area = |phases: [u32; 2]| {
        u64::from(shape[1].div_ceil(phases[0])) * u64::from(shape[2].div_ceil(phases[1]))
    };
    let powers = || (0..16).map(|log| 1u32 << log);
    let pairs = powers().flat_map(|rows| powers().map(move |columns| [rows, columns]));
    let filled = |phases: &[u32; 2]| area(*phases) <= slots && 4 * area(*phases) >= slots;
    let layouts = pairs.filter(filled).filter_map(|phases| {
        let [rows, columns] = [0, 1].map(|axis| shape[axis + 1].div_ceil(phases[axis]));
        let pitch = columns + reach.div_ceil(phases[1]);
        let guarded = u64::from(rows + reach.div_ceil(phases[0])) * u64::from(pitch);
        let parts = LayoutParts {
            log_slots,
            shape,
            phases,
            gaps: [1, 1],
            pitch,
            plane: 1 << log_slots,
            replicas: 1,
            skew: 0,
            jump: 0,
            run: 1,
        };
        (guarded <= slots)
            .then(|| Layout::new(parts).ok())
            .flatten()
    });
    layouts.collect()
}

/// The layout with channels at the lowest index and one guarded plane to a ciphertext, with as many channels as there is room for; `None`
/// where a plane takes less than a quarter of a ciphertext.
fn lowest(shape: [u32; 3], log_slots: u32, phases: [u32; 2], reach: Reach) -> Option<Layout> {
    let slots = 1u64 << log_slots;
    let [_, height, width] = shape;
    let [rows, columns] = phases;
    if rows > height || columns > width {
        return None;
    }
    let [rows, columns] = [0, 1].map(|axis| shape[axis + 1].div_ceil(phases[axis]));
    let [below, right] = phases.map(|phases| reach.pixels.div_ceil(phases));
    let guarded = u64::from(rows + below) * u64::from(columns + right);
    let room = u32::try_from(slots / guarded.max(1)).ok()?;
    let room = room.min(reach.channels.next_power_of_two());
    let channels = (room > 1).then(|| 1 << room.ilog2())?;
    let filled = 4 * u64::from(rows) * u64::from(columns) * u64::from(channels) >= slots;
    let parts = LayoutParts {
        log_slots,
        shape,
        phases,
        gaps: [1, channels],
        pitch: (columns + right) * channels,
        plane: 1 << log_slots,
        replicas: 1,
        skew: 0,
        jump: 0,
        run: 1,
    };
    filled.then(|| Layout::new(parts).ok()).flatten()
}

/// Whether channels lie at the lowest index, with one plane to a ciphertext.
fn is_lowest(layout: &Layout) -> bool {
    let LayoutParts {
        gaps: [rows, columns],
        plane,
        ..
    } = *layout.parts();
    rows == 1 && columns > 1 && plane == layout.slots()
}

/// Where channels go when pixels move apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gaps {
    /// Into the gaps of rows and columns.
    Both,
    /// Into those of columns; between rows there is nothing.
    Columns,
}

/// How pixels move along an axis: `by` pixels of the operand become `of` pixels of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    /// Pixels of the operand.
    by: u32,
    /// Pixels of the result.
    of: u32,
}

impl Pace {
    const SAME: Self = Self { by: 1, of: 1 };
}

/// The ways in which the pixels of the result may stay near those of the operand.
fn movements(map: &LinearMap) -> Vec<[Pace; 2]> {
    match &map.kind {
        LinearKind::Conv2d(conv) => vec![conv.window.strides.map(|by| Pace { by, of: 1 })],
        LinearKind::AveragePool(pool) => vec![pool.window.strides.map(|by| Pace { by, of: 1 })],
        LinearKind::Gather(gather) => {
            let ([_, h, w], [_, rows, columns]) = (map.input.chw(), map.output.chw());
            let rank = map.input.rank();
            let axis = |from_end: usize, extent: u32, outputs: u32| {
                let axis = rank.checked_sub(from_end).and_then(|a| gather.axes.get(a));
                axis.and_then(pace).unwrap_or(match extent == outputs {
                    true => Pace::SAME,
                    false => Pace {
                        by: (extent / outputs).max(1),
                        of: (outputs / extent).max(1),
                    },
                })
            };
            let paces = [axis(2, h, rows), axis(1, w, columns)];
            match paces == [Pace::SAME; 2] {
                true => vec![paces],
                false => vec![paces, [Pace::SAME; 2]],
            }
        }
        _ => Vec::new(),
    }
}

/// The pace of a gather table along an axis, read off its first pixels.
fn pace(axis: &AxisMap) -> Option<Pace> {
    let mut known = (0u32..)
        .zip(&axis.table)
        .filter_map(|(at, source)| Some((at, (*source)?)));
    let (first_at, first) = known.next()?;
    let (at, source) = known.find(|(_, source)| *source != first)?;
    let (by, of) = (source.abs_diff(first), at - first_at);
    match (by, of) {
        (by, 1) => Some(Pace { by, of: 1 }),
        (1, of) => Some(Pace { by: 1, of }),
        _ => None,
    }
}

/// The layout in which the pixels of the result stay where they are.
fn kept(shape: [u32; 3], from: &Layout, (paces, gaps): ([Pace; 2], Gaps)) -> Option<Layout> {
    let mut parts = LayoutParts {
        shape,
        replicas: 1,
        skew: 0,
        jump: 0,
        run: 1,
        ..*from.parts()
    };
    // A stride takes phases away while it can, then widens gaps; an upsampling closes gaps while it can, then adds phases.
    for (Pace { by, of }, (phases, gaps)) in paces
        .into_iter()
        .zip(parts.phases.iter_mut().zip(&mut parts.gaps))
    {
        if phases.is_multiple_of(by) {
            *phases /= by;
        } else if *phases == 1 {
            *gaps = gaps.checked_mul(by)?;
        } else {
            return None;
        }
        if gaps.is_multiple_of(of) {
            *gaps /= of;
        } else {
            *phases = phases.checked_mul(of)?;
        }
    }
    if gaps == Gaps::Columns {
        let rows = std::mem::replace(&mut parts.gaps[0], 1);
        parts.pitch = parts.pitch.checked_mul(rows)?;
    }
    // Pitch and plane stay, unless the result needs more of either.
    let columns = shape[2]
        .div_ceil(parts.phases[1])
        .checked_mul(parts.gaps[1])?;
    let rows = shape[1]
        .div_ceil(parts.phases[0])
        .checked_mul(parts.gaps[0])?;
    parts.pitch = parts.pitch.max(columns);
    parts.plane = parts.plane.max(rows.checked_mul(parts.pitch)?);
    repeated(Layout::new(parts).ok()?).ok()
}

/// The layout with planes padded to the next power of two, where that needs no more ciphertexts.
fn padded(parts: LayoutParts) -> Result<Layout, LayoutError> {
    let tight = Layout::new(parts)?;
    let plane = parts.plane.next_power_of_two();
    match Layout::new(LayoutParts { plane, ..parts }) {
        Ok(padded) if padded.ciphertexts() == tight.ciphertexts() => Ok(padded),
        _ => Ok(tight),
    }
}

/// The layout with as many replicas as fit, where it needs one ciphertext for each phase.
fn repeated(layout: Layout) -> Result<Layout, LayoutError> {
    let parts = *layout.parts();
    if layout.ciphertexts() != parts.phases[0] * parts.phases[1] {
        return Ok(layout);
    }
    let planes = parts.shape[0].div_ceil(parts.gaps[0] * parts.gaps[1]);
    let used = (planes * parts.plane).next_power_of_two();
    Layout::new(LayoutParts {
        replicas: (layout.slots() / used).max(1),
        ..parts
    })
}

/// The skewed variants of a layout with replicas: its replicas are rotated against each other by planes, and, where there are
/// more replicas than planes, by some rows too.
pub fn skewed(layout: &Layout, without: &Without) -> Vec<Layout> {
    let parts = *layout.parts();
    if without.contains(&Optimisation::SkewedReplicas) {
        return Vec::new();
    }
    if !layout.is_aligned() || parts.replicas == 1 || layout.ciphertexts() != 1 {
        return Vec::new();
    }
    // By planes: so many replicas as there are planes, each a whole number of planes from the one before.
    let block = layout.block();
    let planes = (block / parts.plane.next_power_of_two()).max(1);
    let turn = |replicas: u32| block / replicas.min(planes);
    let whole = parts.replicas.min(planes);
    let mut choices = Vec::new();
    if whole > 1 {
        // All replicas beyond the planes are copies again.
        choices.push((turn(whole), 0, 1));
    }
    // By rows, for the replicas beyond: one row of pixels further for each run of replicas, or two.
    if whole < parts.replicas {
        let runs = if whole > 1 { turn(whole) } else { 0 };
        let rows = [parts.gaps[0], 2 * parts.gaps[0]];
        for jump in rows.map(|rows| rows * parts.pitch) {
            match runs {
                0 => choices.push((jump, 0, 1)),
                skew => choices.push((skew, jump, whole)),
            }
        }
    }
    let layouts = choices.into_iter().filter_map(|(skew, jump, run)| {
        let parts = LayoutParts {
            skew,
            jump,
            run,
            ..parts
        };
        Layout::new(parts).ok()
    });
    layouts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_fills_the_ciphertext_with_copies() {
        let layout = dense([1, 8, 8], 12).unwrap();
        assert_eq!((layout.block(), layout.parts().replicas), (64, 64));
        assert_eq!(layout.fill(), 1.0);
    }

    #[test]
    fn a_map_larger_than_the_slots_is_split_into_phases() {
        let layout = dense([3, 224, 224], 12).unwrap();
        assert_eq!(layout.parts().phases, [4, 4]);
        assert_eq!(layout.ciphertexts(), 3 * 16);
    }

    #[test]
    fn large_images_are_split_by_the_strides_of_the_network() {
        let phases = |shape: [u32; 3], stride: u32| -> Vec<[u32; 2]> {
            let layouts = split(shape, 15, stride);
            layouts.iter().map(|l| l.parts().phases).collect()
        };
        assert_eq!(phases([3, 256, 256], 4), [[2, 2], [4, 4]]);
        assert_eq!(phases([3, 256, 256], 32), [[2, 2], [4, 4], [8, 8]]);
        assert!(phases([3, 256, 256], 1).is_empty());
        assert!(phases([3, 32, 32], 4).is_empty());
        // What is left of a ciphertext holds copies.
        let most = split([3, 256, 256], 15, 8)[2];
        assert_eq!((most.ciphertexts(), most.parts().replicas), (64, 8));
    }

    #[test]
    fn odd_planes_are_padded_when_that_is_free() {
        let layout = dense([3, 5, 7], 8).unwrap();
        assert_eq!(
            (layout.parts().pitch, layout.parts().plane, layout.block()),
            (7, 64, 256)
        );
    }

    #[test]
    fn planes_of_a_large_image_are_guarded() {
        let layouts = planes([3, 224, 224], 15, 1);
        let phases: Vec<[u32; 2]> = layouts.iter().map(|l| l.parts().phases).collect();
        assert_eq!(phases, [[1, 2], [1, 4], [2, 1], [2, 2], [4, 1]]);
        assert!(
            layouts
                .iter()
                .all(|l| l.parts().pitch > 224 / l.parts().phases[1])
        );
    }

    #[test]
    fn more_replicas_than_planes_turn_by_rows_too() {
        // Sixteen channels of 8x8 in each of four planes of 32x32.
        let parts = LayoutParts {
            shape: [64, 8, 8],
            gaps: [4, 4],
            pitch: 32,
            plane: 1024,
            replicas: 8,
            ..*dense([64, 8, 8], 15).unwrap().parts()
        };
        let skewed = skewed(&Layout::new(parts).unwrap(), &Without::new());
        let turns: Vec<_> = skewed
            .iter()
            .map(|l| (l.parts().skew, l.parts().jump, l.parts().run))
            .collect();
        assert_eq!(turns, [(1024, 0, 1), (1024, 128, 4), (1024, 256, 4)]);
    }
}
