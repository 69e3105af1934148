//! Maps that move elements along channels, rows and columns, each axis by itself: the identity, a slice, nearest upsampling, padding,
//! a part's place in a concatenation.
//!
//! Ciphertext and slot of an element are sums of a part for each axis ([`Layout::place`]), so what holds for all elements follows from
//! the coordinates along each axis, in time that does not grow with their product.

use super::pairs::Displacements;
use crate::slots::sets::PairSets;
use peregrine_ir::Layout;
use peregrine_ir::linear::{AxisMap, LinearKind, LinearMap};
use std::collections::BTreeMap;

/// What a coordinate adds to the ciphertext and to the slot of an element.
type Part = (u32, u32);

/// The moves of a map between two layouts.
pub(in crate::slots) struct Moves<'l> {
    input: &'l Layout,
    output: &'l Layout,
    /// For channels, rows and columns: the part of each coordinate of the output that is read from somewhere, and of the coordinate of
    /// the input that it is read from.
    axes: [Vec<(Part, Part)>; 3],
}

impl<'l> Moves<'l> {
    /// The moves of a map between layouts of its shapes; `None` for maps that do not move each axis by itself.
    pub(in crate::slots) fn of(
        map: &LinearMap,
        input: &'l Layout,
        output: &'l Layout,
    ) -> Option<Self> {
        let LinearKind::Gather(gather) = &map.kind else {
            return None;
        };
        let own = |(axis, moved): (usize, &AxisMap)| moved.output_axis as usize == axis;
        let each = gather.axes.iter().enumerate().all(own);
        let ranks = gather.axes.len() == map.output.rank();
        let shapes = [input, output].map(|layout| layout.parts().shape);
        if !each || !ranks || shapes != [map.input.chw(), map.output.chw()] {
            return None;
        }
        let (lead, [rows, columns]) = match gather.axes.as_slice() {
            [lead @ .., rows, columns] if !lead.is_empty() => {
                (lead, [rows, columns].map(|axis| moved(&axis.table)))
            }
            lead => (lead, [vec![(0, 0)], vec![(0, 0)]]),
        };
        let extents = map.input.dims();
        let channels = lead.iter().zip(extents).fold(vec![(0, 0)], joined);
        let parts = |axis: usize, pairs: Vec<(u32, u32)>| {
            let parts = pairs.into_iter();
            let parts = parts.map(|(to, from)| (part(output, axis, to), part(input, axis, from)));
            parts.collect()
        };
        Some(Self {
            input,
            output,
            axes: [parts(0, channels), parts(1, rows), parts(2, columns)],
        })
    }

    /// The displacements of the elements that move.
    pub(super) fn displacements(&self) -> Displacements {
        let slots = self.input.slots();
        let [channels, rows, columns] = [0, 1, 2].map(|axis| {
            let mut sets = PairSets::new(slots);
            for &((o, y), (i, x)) in &self.axes[axis] {
                sets.insert((o, i), x.wrapping_sub(y));
            }
            sets
        });
        let sum = |a: (u32, u32), b: (u32, u32)| (a.0 + b.0, a.1 + b.1);
        let mut spatial = PairSets::new(slots);
        spatial.insert_sums(&rows, &columns, sum);
        let mut sets = PairSets::new(slots);
        sets.insert_sums(&channels, &spatial, sum);
        Displacements {
            pairs: sets.finish(),
        }
    }

    /// For each ciphertext of the output, the one of the input that it is, if any, where the map passes whole ciphertexts on; `None` where
    /// elements change their slots, ciphertexts are mixed, or zeros or replicas are not where the result wants them.
    pub(in crate::slots) fn wiring(&self) -> Option<Vec<Option<u32>>> {
        let mut sources = vec![None; self.output.ciphertexts() as usize];
        if self.axes.iter().any(Vec::is_empty) {
            return Some(sources);
        }
        if !self.keeps_slots() || !self.keeps_replicas() {
            return None;
        }
        let held = elements(self.input);
        for ((to, from), moved) in self.moved() {
            let source = sources.get_mut(to as usize)?;
            // Elements that are left behind would be where the result promises zeros.
            if source.replace(from).is_some() || held.get(&from) != Some(&moved) {
                return None;
            }
        }
        Some(sources)
    }

    /// Whether every element keeps its slot: the differences along the axes are constant, and cancel each other.
    fn keeps_slots(&self) -> bool {
        let difference = |&((_, y), (_, x)): &(Part, Part)| x.wrapping_sub(y);
        let constant = |axis: &Vec<(Part, Part)>| {
            let mut differences = axis.iter().map(difference);
            let first = differences.next()?;
            differences.all(|other| other == first).then_some(first)
        };
        let mut all = self.axes.iter().map(constant);
        all.try_fold(0u32, |sum, shift| Some(sum.wrapping_add(shift?))) == Some(0)
    }

    fn keeps_replicas(&self) -> bool {
        let (input, output) = (self.input, self.output);
        let turns = |replica| input.turn(replica) == output.turn(replica);
        input.block() == output.block() && (0..output.parts().replicas).all(turns)
    }

    /// By ciphertext of the output and of the input, how many elements move.
    fn moved(&self) -> BTreeMap<(u32, u32), usize> {
        let ciphertexts = |axis: &Vec<(Part, Part)>| {
            let pairs = axis.iter().map(|&((o, _), (i, _))| (o, i));
            counted(pairs)
        };
        let [channels, rows, columns] = self.axes.each_ref().map(ciphertexts);
        products(&products(&channels, &rows), &columns)
    }
}

/// The number of elements in each ciphertext that has some.
fn elements(layout: &Layout) -> BTreeMap<u32, usize> {
    let extents = layout.parts().shape;
    let [channels, rows, columns] = [0, 1, 2].map(|axis| {
        let coordinates = 0..extents[axis];
        counted(coordinates.map(|at| (part(layout, axis, at).0, 0)))
    });
    let all = products(&products(&channels, &rows), &columns);
    all.into_iter()
        .map(|((at, _), count)| (at, count))
        .collect()
}

fn counted(pairs: impl Iterator<Item = (u32, u32)>) -> BTreeMap<(u32, u32), usize> {
    let mut counts = BTreeMap::new();
    pairs.for_each(|pair| *counts.entry(pair).or_insert(0) += 1);
    counts
}

/// The counts of the sums of a pair of each.
fn products(
    one: &BTreeMap<(u32, u32), usize>,
    other: &BTreeMap<(u32, u32), usize>,
) -> BTreeMap<(u32, u32), usize> {
    let mut counts = BTreeMap::new();
    for (a, x) in one {
        for (b, y) in other {
            *counts.entry((a.0 + b.0, a.1 + b.1)).or_insert(0) += x * y;
        }
    }
    counts
}

/// The pairs of output and input coordinate that a table has.
fn moved(table: &[Option<u32>]) -> Vec<(u32, u32)> {
    let pairs = (0..).zip(table);
    pairs
        .filter_map(|(to, from)| Some((to, (*from)?)))
        .collect()
}

/// Pairs of coordinates along some axes, taken as one, and one axis more, whose input has a given extent.
fn joined(pairs: Vec<(u32, u32)>, (axis, &extent): (&AxisMap, &u32)) -> Vec<(u32, u32)> {
    let length = axis.table.len() as u32;
    let inner = moved(&axis.table);
    let all = pairs.into_iter().flat_map(|(to, from)| {
        let inner = inner.iter();
        inner.map(move |&(y, x)| (to * length + y, from * extent + x))
    });
    all.collect()
}

fn part(layout: &Layout, axis: usize, coordinate: u32) -> Part {
    let mut at = [0; 3];
    at[axis] = coordinate;
    let place = layout.place(at);
    (place.ciphertext, place.slot)
}
