//! The slots of a diagonal: coefficients where the rotation brings an element of the input to one of the output that it counts for.

use super::Reach;
use crate::layout::{Layout, Place};
use crate::linear::BoundMap;
use std::ops::Range;

/// Stands for no element.
pub(super) const NONE: u32 = u32::MAX;

/// What the slots of one ciphertext of a layout hold.
#[derive(Debug)]
pub(super) struct Elements {
    /// The element in each slot, [`NONE`] where there is none.
    in_slots: Vec<u32>,
    /// Bit by bit, whether the element in a slot is the right neighbour, in its row, of the one that is the column gap before it.
    neighbours: Vec<u64>,
}

impl Elements {
    pub(super) fn of(layout: &Layout, ciphertext: u32) -> Self {
        let element = |slot| layout.element_flat(Place { ciphertext, slot });
        let in_slots = (0..layout.slots()).map(|slot| element(slot).map_or(NONE, |e| e as u32));
        let in_slots: Vec<u32> = in_slots.collect();
        let [_, _, width] = layout.parts().shape;
        let mut neighbours = vec![0; in_slots.len().div_ceil(64)];
        let gap = column_gap(layout);
        let pairs = in_slots.iter().zip(in_slots.iter().skip(gap));
        for (slot, (&left, &right)) in (gap..).zip(pairs) {
            let next = right != NONE && right.checked_sub(1) == Some(left);
            if let Some(bits) = neighbours.get_mut(slot / 64)
                && next
                && !right.is_multiple_of(width)
            {
                *bits |= 1 << (slot % 64);
            }
        }
        Self {
            in_slots,
            neighbours,
        }
    }

    /// The element in each slot, [`NONE`] where there is none.
    pub(super) fn in_slots(&self) -> &[u32] {
        &self.in_slots
    }

    fn is_neighbour(&self, slot: usize) -> bool {
        let bits = self.neighbours.get(slot / 64);
        bits.is_some_and(|bits| bits >> (slot % 64) & 1 == 1)
    }
}

/// Slots between two neighbours of a row.
fn column_gap(layout: &Layout) -> usize {
    let [_, gap] = layout.parts().gaps;
    gap as usize
}

/// One ciphertext of a packed tensor.
pub(super) struct Side<'a> {
    pub(super) layout: &'a Layout,
    pub(super) elements: &'a Elements,
}

impl Side<'_> {
    /// The column gap, where rows of the tensor have the width that a map sees.
    fn gap(&self, width: u32) -> Option<usize> {
        let [_, _, own] = self.layout.parts().shape;
        (width == own).then(|| column_gap(self.layout))
    }
}

/// The slots of the diagonal for a rotation, rotated left by `pre`.
pub(super) fn diagonal(
    map: &BoundMap<'_>,
    (from, to): (&Side<'_>, &Side<'_>),
    (reach, rotation): (&Reach<'_>, u32),
    pre: u32,
) -> Vec<f64> {
    let (x, y) = (from.elements, to.elements);
    let mut out = vec![0.0; y.in_slots.len()];
    let mask = out.len() - 1;
    let rotated = |at: usize| at.wrapping_sub(pre as usize) & mask;
    // Neighbours that see neighbours have the same coefficient, if both are as far apart.
    let widths = map.row_widths();
    let gaps = widths.and_then(|[input, output]| from.gap(input).zip(to.gap(output)));
    let gap = gaps.filter(|(x, y)| x == y).map(|(gap, _)| gap);
    for range in counted(reach, rotation) {
        let first = range.start as usize;
        for at in first..range.end as usize {
            let source = (at + rotation as usize) & mask;
            let (Some(&row), Some(&column)) = (y.in_slots.get(at), x.in_slots.get(source)) else {
                continue;
            };
            if row == NONE || column == NONE {
                continue;
            }
            let known = gap
                .and_then(|gap| at.checked_sub(gap))
                .filter(|&left| left >= first && y.is_neighbour(at) && x.is_neighbour(source));
            out[rotated(at)] = match known {
                Some(left) => out[rotated(left)],
                None => map.coefficient(row as usize, column as usize),
            };
        }
    }
    out
}

/// The slots of a diagonal that repeats, rotated left by `pre`: those that are equal modulo the period hold the coefficient of the first
/// one of them where both sides hold an element.
pub(super) fn repeated(
    map: &BoundMap<'_>,
    (from, to): (&Side<'_>, &Side<'_>),
    (reach, rotation): (&Reach<'_>, u32),
    (pre, period): (u32, u32),
) -> Vec<f64> {
    let (x, y) = (&from.elements.in_slots, &to.elements.in_slots);
    let (slots, period) = (y.len(), period as usize);
    let mut ranges = counted(reach, rotation);
    ranges.sort_unstable_by_key(|range| range.start);
    let counts = |at: usize| ranges.iter().any(|r| r.contains(&(at as u32)));
    let coefficient = |at: usize| {
        let source = (at + rotation as usize) & (slots - 1);
        let (&row, &column) = (y.get(at)?, x.get(source)?);
        let both = row != NONE && column != NONE && counts(at);
        both.then(|| map.coefficient(row as usize, column as usize))
    };
    let first = |residue: usize| (residue..slots).step_by(period).find_map(coefficient);
    let mut values: Vec<f64> = (0..period).map(|r| first(r).unwrap_or(0.0)).collect();
    values.rotate_left(pre as usize % period.max(1));
    values.repeat(slots / period.max(1))
}

/// The slots of the result for which the elements that a rotation brings there count, as ranges without an order: where the rotation
/// is [`Reach::rotation`], and there in the lowest of the slots that are equal modulo the period.
fn counted(reach: &Reach<'_>, rotation: u32) -> Vec<Range<u32>> {
    let Reach { input, period } = *reach;
    let (slots, block) = (input.slots(), input.block());
    if rotation >= reach.bound() {
        return Vec::new();
    }
    if input.is_aligned() {
        // Copies lie a block apart, the slots that are summed a period.
        let end = match period < slots {
            true => period.max(block),
            false => slots,
        };
        return std::iter::once(0..end).collect();
    }
    let turns: Vec<u32> = (0..input.parts().replicas).map(|r| input.turn(r)).collect();
    let starts = || (0..).step_by(block as usize).zip(&turns);
    // Of the elements of a block, by the slot in replica 0: where any replica of the next one begins anew, or it or the slot that it is
    // brought to does in the ciphertext.
    let within = |slot: u32| slot & (block - 1);
    let ends = starts().flat_map(|(start, turn)| {
        [turn.wrapping_neg(), rotation.wrapping_sub(start + turn)].map(within)
    });
    let mut ends: Vec<u32> = ends.chain([0]).collect();
    ends.sort_unstable();
    ends.dedup();
    let mut ranges = Vec::new();
    for (start, own) in starts() {
        for (i, &slot) in ends.iter().enumerate() {
            let length = ends.get(i + 1).copied().unwrap_or(block) - slot;
            let source = start + within(slot.wrapping_add(*own));
            let at = source.wrapping_sub(rotation) & (slots - 1);
            // A copy that is nearer, or as near and brought to a lower slot.
            let hidden = |(start, turn): (u32, &u32)| {
                let copy = start + within(slot.wrapping_add(*turn));
                let distance = copy.wrapping_sub(at) & (period - 1);
                let from = copy.wrapping_sub(rotation) & (slots - 1);
                distance < rotation || (distance == rotation && from < at)
            };
            if !starts().any(hidden) {
                ranges.push(at..at + length);
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::LayoutParts;
    use crate::linear::{Conv2d, LinearKind, LinearMap, Window};
    use crate::shape::Shape;
    use crate::tensor::{Tensor, Tensors};
    use proptest::prelude::*;

    /// Whether the element in slot `source` of the input counts in slot `at`, by the definition.
    fn counts(reach: &Reach<'_>, source: u32, at: u32) -> bool {
        let (input, period) = (reach.input, reach.period);
        let (slots, rotation) = (input.slots(), source.wrapping_sub(at) & (input.slots() - 1));
        let replica = source / input.block();
        let slot = (0..input.block()).find(|&slot| input.replica(slot, replica) == source);
        let slot = slot.unwrap();
        let copies: Vec<u32> = match input.is_aligned() {
            true => (0..slots / input.block())
                .map(|r| r * input.block() + slot)
                .collect(),
            false => (0..input.parts().replicas)
                .map(|r| input.replica(slot, r))
                .collect(),
        };
        let lowest = (0..slots).find(|&t| {
            let reached = copies.contains(&((t + rotation) & (slots - 1)));
            reached && t & (period - 1) == at & (period - 1)
        });
        rotation == reach.rotation(slot, at) && lowest == Some(at)
    }

    fn layout() -> impl Strategy<Value = Layout> {
        let parts = (2..9u32, 0..5u32, [1..3u32, 1..5, 1..5], [1..3u32, 1..3]);
        let turns = (0..64u32, 0..64u32, 0..4u32, any::<bool>());
        (parts, turns).prop_filter_map("does not fit", |(parts, turns)| {
            let ((log_slots, log_replicas, shape, gaps), (skew, jump, log_run, jumps)) =
                (parts, turns);
            let (jump, run) = if jumps { (jump, 1 << log_run) } else { (0, 1) };
            let pitch = shape[2] * gaps[1];
            Layout::new(LayoutParts {
                log_slots,
                shape,
                phases: [1, 1],
                gaps,
                pitch,
                plane: shape[1] * gaps[0] * pitch,
                replicas: 1 << log_replicas,
                skew,
                jump,
                run,
            })
            .ok()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn ranges_are_the_slots_that_count(input in layout(), log_fold in 0..4u32, rotation in 0..64u32) {
            let slots = input.slots();
            let reach = Reach::new(&input, 1 << log_fold);
            let rotation = rotation & (slots - 1);
            let mut found: Vec<u32> = counted(&reach, rotation).into_iter().flatten().collect();
            found.sort_unstable();
            let expected = (0..slots).filter(|at| counts(&reach, (at + rotation) & (slots - 1), *at));
            prop_assert_eq!(found, expected.collect::<Vec<u32>>(), "{} rotated by {}", input, rotation);
        }

        /// Coefficients of neighbours are those that the map gives for each.
        #[test]
        fn neighbours_have_coefficients_of_their_own(
            [height, width] in [1..6u32, 1..9u32],
            [channels, outputs] in [1..5u32, 1..5u32],
            stride in 1..3u32,
            [gap, other] in [1..3u32, 1..3u32],
            rotation in 0..256u32,
            pre in 0..256u32,
        ) {
            let gip = |shape: [u32; 3], gap: u32| {
                let pitch = shape[2] * gap;
                let plane = shape[1] * gap * pitch;
                let (phases, gaps) = ([1, 1], [gap, gap]);
                let parts = LayoutParts {
                    log_slots: 8, shape, phases, gaps, pitch, plane, replicas: 1, skew: 0, jump: 0, run: 1,
                };
                Layout::new(parts).ok()
            };
            let [rows, columns] = [height, width].map(|extent| (extent - 1) / stride + 1);
            let layouts = gip([channels, height, width], gap).zip(gip([outputs, rows, columns], other));
            prop_assume!(layouts.is_some());
            let (input, output) = layouts.unwrap();
            let mut tensors = Tensors::default();
            let values = (1..=outputs * channels * 9).map(f64::from).collect();
            let weight = Tensor::new("w", Shape::new([outputs, channels, 3, 3]).unwrap(), values);
            let weight = tensors.push(weight.unwrap());
            let window = Window {
                kernel: [3, 3], strides: [stride; 2], pads: [1, 1], dilations: [1, 1],
            };
            let map = LinearMap {
                kind: LinearKind::Conv2d(Conv2d { weight, window, groups: 1 }),
                input: Shape::new([1, channels, height, width]).unwrap(),
                output: Shape::new([1, outputs, rows, columns]).unwrap(),
            };
            let bound = map.bind(&tensors).unwrap();
            let (x, y) = (Elements::of(&input, 0), Elements::of(&output, 0));
            let from = Side { layout: &input, elements: &x };
            let to = Side { layout: &output, elements: &y };
            let reach = Reach::new(&input, 1);
            let found = diagonal(&bound, (&from, &to), (&reach, rotation), pre);
            for (t, &found) in (0..).zip(&found) {
                let at = (t + pre) & 255;
                let source = (at + rotation) & 255;
                let pair = (y.in_slots[at as usize], x.in_slots[source as usize]);
                let expected = match pair {
                    (NONE, _) | (_, NONE) => 0.0,
                    (row, column) => bound.coefficient(row as usize, column as usize),
                };
                prop_assert_eq!(found, expected, "slot {}", t);
            }
        }
    }
}
