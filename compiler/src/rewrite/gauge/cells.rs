//! Which elements of all values must have one factor: union-find over channels and elements.
//!
//! The values of an image `[N, C, ..]` start with one cell per channel, all others with one per element.

use super::super::draft::{Draft, Place};
use super::super::scaling::{Groups, column_groups, row_groups, takes_factors};
use crate::tensor::Op;
use peregrine_ir::linear::{AxisMap, Gather, LinearKind, LinearMap};
use peregrine_ir::{SecondaryMap, Shape};

/// The representative of a set of elements with one factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell(usize);

/// Cells of a value before any are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    first: usize,
    count: usize,
    inner: usize,
}

impl Grid {
    fn new(first: usize, shape: &Shape) -> Self {
        let (count, inner) = match shape.dims() {
            [_, channels, rest @ ..] if !rest.is_empty() => (
                *channels as usize,
                rest.iter().map(|&d| d as usize).product(),
            ),
            _ => (shape.elements(), 1),
        };
        Self {
            first,
            count,
            inner,
        }
    }

    fn cell(&self, flat: usize) -> usize {
        self.first + flat / self.inner % self.count
    }
}

/// The partition of all elements of all live values.
pub(super) struct Cells {
    grids: SecondaryMap<Place, Grid>,
    /// Parent of each cell; after construction, its representative.
    parents: Vec<usize>,
    pinned: Vec<Cell>,
}

impl Cells {
    /// The coarsest constraints that keep every operator but polynomials and weights as it is.
    pub(super) fn new(draft: &Draft) -> Option<Self> {
        let mut parents = Vec::new();
        let grids = SecondaryMap::from_fn(&draft.items, |_, item| {
            let grid = Grid::new(parents.len(), &item.shape);
            parents.extend(grid.first..grid.first + grid.count);
            grid
        });
        let mut cells = Self {
            grids,
            parents,
            pinned: Vec::new(),
        };
        let mut pinned: Vec<Place> = draft.outputs().iter().map(|&(_, place)| place).collect();
        for place in draft.live() {
            let operands = &draft.items[place].operands;
            match &draft.items[place].op {
                Op::Input { .. } => pinned.push(place),
                Op::Linear { map, .. } => {
                    cells.join_linear(draft, place, *operands.first()?, map)?
                }
                Op::Polynomial(_) => {}
                Op::Add | Op::Reshape => {
                    for &operand in operands {
                        cells.join_values(place, operand, draft.items[place].shape.elements());
                    }
                }
                Op::Multiply => pinned.extend(operands.iter().chain([&place])),
            }
        }
        for cell in 0..cells.parents.len() {
            cells.parents[cell] = cells.find(cell);
        }
        let pins = pinned.into_iter().flat_map(|place| {
            let grid = cells.grids[place];
            grid.first..grid.first + grid.count
        });
        cells.pinned = pins.map(|cell| Cell(cells.parents[cell])).collect();
        Some(cells)
    }

    /// The cell of an element.
    pub(super) fn cell(&self, place: Place, flat: usize) -> Cell {
        Cell(self.parents[self.grids[place].cell(flat)])
    }

    /// The cells of a value: one per channel of an image, one per element otherwise.
    pub(super) fn of_value(&self, place: Place) -> impl Iterator<Item = Cell> {
        let grid = self.grids[place];
        self.parents[grid.first..grid.first + grid.count]
            .iter()
            .map(|&parent| Cell(parent))
    }

    /// The number of elements of a channel, when both values have one cell per channel of that size.
    pub(super) fn channel_of_both(&self, a: Place, b: Place) -> Option<usize> {
        let (a, b) = (self.grids[a], self.grids[b]);
        let alike = (a.count, a.inner) == (b.count, b.inner) && a.inner > 1;
        alike.then_some(a.inner)
    }

    /// Cells whose factor is one.
    pub(super) fn pinned(&self) -> impl Iterator<Item = Cell> {
        self.pinned.iter().copied()
    }

    fn join_linear(
        &mut self,
        draft: &Draft,
        place: Place,
        operand: Place,
        map: &LinearMap,
    ) -> Option<()> {
        let images = self.are_images(draft, place, operand, map);
        match &map.kind {
            _ if takes_factors(map) => {
                self.join_groups(place, row_groups(map)?, map.output.elements());
                self.join_groups(operand, column_groups(map)?, map.input.elements());
            }
            LinearKind::AveragePool(_) if images => {
                let channels = 0..self.grids[place].count;
                self.join_channels(place, operand, channels.map(|c| (c, c)));
            }
            LinearKind::Gather(gather) if images && keeps_axes(gather) => {
                let sources = gather.axes[1].table.iter().enumerate();
                let pairs = sources.filter_map(|(to, from)| Some((to, (*from)? as usize)));
                self.join_channels(place, operand, pairs);
            }
            _ => {
                let bound = map.bind(&draft.tensors).ok()?;
                for output in 0..map.output.elements() {
                    let row = self.grids[place].cell(output);
                    bound.for_each_tap(output, |input, _| {
                        let column = self.grids[operand].cell(input);
                        self.join(row, column);
                    });
                }
            }
        }
        Some(())
    }

    /// Channels of a result get the cells of channels of its operand.
    fn join_channels(
        &mut self,
        place: Place,
        operand: Place,
        pairs: impl Iterator<Item = (usize, usize)>,
    ) {
        let (to, from) = (self.grids[place].first, self.grids[operand].first);
        pairs.for_each(|(row, column)| self.join(to + row, from + column));
    }

    /// Whether both sides of a map are images as the map sees them, with one cell per channel.
    fn are_images(&self, draft: &Draft, place: Place, operand: Place, map: &LinearMap) -> bool {
        let image = |at: Place, shape: &Shape| draft.items[at].shape == *shape && shape.rank() == 4;
        image(operand, &map.input) && image(place, &map.output)
    }

    /// Elements in one group get one cell.
    fn join_groups(&mut self, place: Place, groups: Groups, elements: usize) {
        if groups.are_channels(self.grids[place].count, self.grids[place].inner) {
            return;
        }
        let mut first = vec![None; groups.count()];
        for flat in 0..elements {
            let cell = self.grids[place].cell(flat);
            let other = *first[groups.group(flat)].get_or_insert(cell);
            self.join(cell, other);
        }
    }

    /// Equal flat indices of both values get one cell.
    fn join_values(&mut self, a: Place, b: Place, elements: usize) {
        let (a, b) = (self.grids[a], self.grids[b]);
        if (a.count, a.inner) == (b.count, b.inner) {
            for cell in 0..a.count {
                self.join(a.first + cell, b.first + cell);
            }
        } else {
            for flat in 0..elements {
                self.join(a.cell(flat), b.cell(flat));
            }
        }
    }

    fn join(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        let (a, b) = (self.find(a), self.find(b));
        // The smaller index represents, so that results do not depend on the order of joins.
        self.parents[a.max(b)] = a.min(b);
    }

    fn find(&mut self, mut cell: usize) -> usize {
        while self.parents[cell] != cell {
            self.parents[cell] = self.parents[self.parents[cell]];
            cell = self.parents[cell];
        }
        cell
    }
}

/// Whether every axis of the input is driven by the same axis of the output, and some element of each channel of the
/// output that is not zero altogether comes from the input.
fn keeps_axes(gather: &Gather) -> bool {
    let same = gather
        .axes
        .iter()
        .zip(0..)
        .all(|(axis, own)| axis.output_axis == own);
    let reads = |axis: &AxisMap| axis.table.iter().any(Option::is_some);
    same && gather.axes.iter().all(reads)
}
