//! Displacements of windows, axis by axis: sums of a part for rows, one for columns and one for channels.

use super::pairs::Displacements;
use crate::slots::sets::{NumberSet, PairSets, steps};
use peregrine_ir::linear::{BoundMap, LinearKind, Window};
use peregrine_ir::{Layout, LayoutParts};
use std::collections::BTreeMap;

/// The displacements of windows over images whose packing has their shape; `None` for other maps.
pub(in crate::slots) fn by_axes(
    map: &BoundMap<'_>,
    joined: &[Joined],
    input: &Layout,
    output: &Layout,
) -> Option<Displacements> {
    let (x, y) = (map.map().input.chw(), map.map().output.chw());
    if input.parts().shape != x || output.parts().shape != y {
        return None;
    }
    let window = map.map().window()?;
    let sides = (input, output);
    let [rows, columns] = [0, 1].map(|axis| {
        let taps = 0..window.kernel[axis];
        taps.map(|tap| spatial(sides, window, axis, tap))
            .collect::<Vec<_>>()
    });
    // The numbers of ciphertexts along rows count whole rows of phases.
    let [to, from] = [output, input].map(|layout| layout.parts().phases[1]);
    let mut sets = PairSets::new(input.slots());
    for (taps, channels) in channels(joined, sides) {
        let mut spatial = PairSets::new(input.slots());
        for [i, j] in taps {
            let (row, column) = (&rows[i as usize], &columns[j as usize]);
            spatial.insert_sums(row, column, |row, column| {
                (row.0 * to + column.0, row.1 * from + column.1)
            });
        }
        sets.insert_sums(&channels, &spatial, |a, b| (a.0 + b.0, a.1 + b.1));
    }
    Some(Displacements {
        pairs: sets.finish(),
    })
}

/// Elements of a window that join the same channels with weights that are not zero.
#[derive(Debug)]
pub(in crate::slots) struct Joined {
    taps: Vec<[u32; 2]>,
    pairs: Pairs,
}

/// Pairs of an output channel and an input channel.
#[derive(Debug, PartialEq)]
enum Pairs {
    /// All pairs but these, which are few.
    AllBut(Vec<(u32, u32)>),
    /// These pairs.
    Only(Vec<(u32, u32)>),
}

impl Joined {
    /// The number of weights among which one zero counts as few.
    pub(super) const FEW: usize = 64;

    /// The taps of a map in groups that join the same channels, where one zero in `share` weights counts as few; empty where the
    /// map has no window.
    pub(in crate::slots) fn all_of(map: &BoundMap<'_>, share: usize) -> Vec<Self> {
        let Some(window) = map.map().window() else {
            return Vec::new();
        };
        let [rows, columns] = window.kernel;
        let taps = (0..rows).flat_map(|i| (0..columns).map(move |j| [i, j]));
        let only = |tap: [u32; 2]| {
            let mut pairs = Vec::new();
            map.for_each_channel_pair(tap, |m, c| pairs.push((m, c)));
            Pairs::Only(pairs)
        };
        let is_dense = matches!(&map.map().kind, LinearKind::Conv2d(conv) if conv.groups == 1)
            && map.map().input.dims().first() == Some(&1);
        // Without zeros all taps join the same channels.
        if map.is_full() {
            let pairs = match is_dense {
                true => Pairs::AllBut(Vec::new()),
                false => only([0, 0]),
            };
            let taps = taps.collect();
            return vec![Self { taps, pairs }];
        }
        // The zeros of each tap, as long as they are few.
        let channels = [map.map().output.chw()[0], map.map().input.chw()[0]];
        let all: usize = channels.iter().map(|&c| c as usize).product();
        let most = if is_dense { all / share } else { 0 };
        let mut zeros: BTreeMap<[u32; 2], Vec<(u32, u32)>> = BTreeMap::new();
        map.for_each_zero(|tap, m, c| {
            let zeros = zeros.entry(tap).or_default();
            if zeros.len() <= most {
                zeros.push((m, c));
            }
        });
        // Taps that join the same channels form one group.
        let mut groups: Vec<Self> = Vec::new();
        for tap in taps {
            let zeros = zeros.remove(&tap).unwrap_or_default();
            let pairs = match is_dense && zeros.len() <= most {
                true => Pairs::AllBut(zeros),
                false => only(tap),
            };
            match groups.iter_mut().find(|group| group.pairs == pairs) {
                Some(group) => group.taps.push(tap),
                None => groups.push(Self {
                    taps: vec![tap],
                    pairs,
                }),
            }
        }
        groups
    }
}

/// The phase of a coordinate and its contribution to the slot, along rows (0) or columns (1).
fn place(layout: &Layout, axis: usize, coordinate: u32) -> (u32, u32) {
    let LayoutParts {
        phases,
        gaps,
        pitch,
        ..
    } = *layout.parts();
    let (phase, position) = (
        coordinate % phases[axis],
        coordinate / phases[axis] * gaps[axis],
    );
    (
        phase,
        if axis == 0 {
            position * pitch
        } else {
            position
        },
    )
}

/// The steps of one tap along rows or columns: their contributions to the indices of the ciphertexts, and to the slot.
fn spatial(
    (input, output): (&Layout, &Layout),
    window: &Window,
    axis: usize,
    tap: u32,
) -> PairSets {
    let extent = input.parts().shape[axis + 1];
    let mut steps = PairSets::new(input.slots());
    for at in 0..output.parts().shape[axis + 1] {
        if let Some(source) = window.input(axis, at, tap, extent) {
            let ((to, y), (from, x)) = (place(output, axis, at), place(input, axis, source));
            steps.insert((to, from), x.wrapping_sub(y));
        }
    }
    steps
}

/// The channels of a layout by their places: the contribution of a channel to ciphertext and slot is the sum of one for the
/// plane that it is in and one for its position between the pixels of that plane.
struct Channels {
    /// The contribution of each plane.
    planes: Vec<(u32, u32)>,
    /// The contribution of each position within a plane.
    gaps: Vec<u32>,
}

impl Channels {
    /// All channels of a layout; the last plane may have only some.
    fn of(layout: &Layout) -> Vec<Self> {
        let LayoutParts { shape, gaps, .. } = *layout.parts();
        let share = gaps[0] * gaps[1];
        let part = |planes: std::ops::Range<u32>, within: u32| {
            let plane = |block: u32| channel(layout, block * share);
            let first = channel(layout, 0).1;
            Self {
                planes: planes.map(plane).collect(),
                gaps: (0..within).map(|c| channel(layout, c).1 - first).collect(),
            }
        };
        let whole = shape[0] / share;
        vec![
            part(0..whole, share),
            part(whole..whole + 1, shape[0] % share),
        ]
    }
}

/// Steps between channels that are all joined with each other.
fn all_channels((input, output): (&Layout, &Layout)) -> PairSets {
    let mut steps = PairSets::new(input.slots());
    let froms = Channels::of(input);
    for (to, from) in Channels::of(output)
        .iter()
        .flat_map(|to| froms.iter().map(move |from| (to, from)))
    {
        let mut planes = PairSets::new(input.slots());
        for &(o, y) in &to.planes {
            for &(i, x) in &from.planes {
                planes.insert((o, i), x.wrapping_sub(y));
            }
        }
        let mut within = PairSets::new(input.slots());
        for y in &to.gaps {
            for x in &from.gaps {
                within.insert((0, 0), x.wrapping_sub(*y));
            }
        }
        steps.insert_sums(&planes, &within, |planes, _| planes);
    }
    steps
}

/// The first ciphertext of a channel, and its contribution to the slot.
fn channel(layout: &Layout, c: u32) -> (u32, u32) {
    let place = layout.place([c, 0, 0]);
    (place.ciphertext, place.slot)
}

/// The steps between these channels only.
fn only(
    steps: impl Iterator<Item = ((u32, u32), u32)>,
    (input, output): (&Layout, &Layout),
) -> PairSets {
    /// The largest number of sets in a table, which is quick and small.
    const TABLE: usize = 1 << 16;
    let slots = input.slots();
    let (rows, columns) = (output.ciphertexts() as usize, input.ciphertexts() as usize);
    if rows * columns > TABLE {
        let mut sets = PairSets::new(slots);
        steps.for_each(|(pair, by)| sets.insert(pair, by));
        return sets;
    }
    let mut table = vec![NumberSet::default(); rows * columns];
    for ((to, from), by) in steps {
        table[to as usize * columns + from as usize].insert(by, slots);
    }
    PairSets::of_table(table, columns, slots)
}

/// Steps between channels, each with its taps; channels with equal steps together.
fn channels(
    joined: &[Joined],
    (input, output): (&Layout, &Layout),
) -> Vec<(Vec<[u32; 2]>, PairSets)> {
    let places = |layout: &Layout| -> Vec<(u32, u32)> {
        let channels = 0..layout.parts().shape[0];
        channels.map(|c| channel(layout, c)).collect()
    };
    let (from, to) = (places(input), places(output));
    let mut groups: Vec<(Vec<[u32; 2]>, PairSets)> = Vec::new();
    for Joined { taps, pairs } in joined {
        let steps = match pairs {
            Pairs::Only(pairs) => {
                let steps = steps(pairs, (&to, &from), input.slots());
                only(steps, (input, output))
            }
            Pairs::AllBut(pairs) => {
                let mut steps = all_channels((input, output));
                steps.remove_pairs(pairs, (&to, &from));
                steps
            }
        };
        match groups.iter_mut().find(|(_, known)| *known == steps) {
            Some((known, _)) => known.extend(taps),
            None => groups.push((taps.clone(), steps)),
        }
    }
    groups
}
