//! Elements moved: upsampled, concatenated, cut, padded, transposed, rearranged.

use super::{Choices, Network, fits};
use crate::builder::Table;
use petgraph::graph::NodeIndex;

/// Other places for all elements.
#[derive(Clone, Copy)]
enum Rearrangement {
    Transposition,
    OtherDimensions,
    SpaceToDepth,
    DepthToSpace,
}

impl Network {
    /// Nearest neighbours, by whole factors or to any size.
    pub(super) fn upsampling(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let any_size = choices.one_in(3);
        let mut table = |extent: u32| -> Table {
            let size = if any_size {
                1 + choices.below(2 * extent)
            } else {
                extent * (1 + choices.below(3))
            };
            (0..size).map(|i| Some(i * extent / size)).collect()
        };
        let tables = vec![(2, table(dims[2])), (3, table(dims[3]))];
        self.moved(x, tables)?;
        self.features.insert("upsampling");
        Some(())
    }

    /// Up to three tensors side by side along any axis: each put in its place among zeros, and their sum.
    pub(super) fn concatenation(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let axis = 1 + choices.below(3) as usize;
        let fellows = self.builder.graph.nodes().filter(|&i| {
            let other = self.builder.image(i);
            other.is_some_and(|other| (0..4).all(|a| a == axis || other[a] == dims[a]))
        });
        let fellows: Vec<NodeIndex> = fellows.collect();
        let mut parts = vec![x];
        for _ in 0..1 + choices.below(2) {
            parts.push(choices.of(&fellows)?);
        }
        let mut target = dims;
        target[axis] = parts.iter().map(|&p| self.builder.dims(p)[axis]).sum();
        if !fits(&target) {
            return None;
        }
        self.builder.joined(&parts, axis);
        self.features
            .insert(["", "channels joined", "rows joined", "columns joined"][axis]);
        Some(())
    }

    /// A piece along one axis, or both pieces of a split.
    pub(super) fn piece(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let axis = 1 + choices.below(3) as usize;
        let extent = dims[axis];
        let start = choices.below(extent);
        if choices.one_in(3) && start > 0 {
            let (first, second) = (0..start, start..extent);
            self.moved(x, vec![(axis, first.map(Some).collect())])?;
            self.moved(x, vec![(axis, second.map(Some).collect())])?;
            self.features.insert("split");
            return Some(());
        }
        let step = 1 + choices.below(3) as usize;
        let mut kept: Table = (start..extent).step_by(step).map(Some).collect();
        self.features
            .insert(["slice", "slice with steps"][usize::from(step > 1)]);
        if choices.one_in(3) {
            kept.reverse();
            self.features.insert("reversed");
        }
        self.moved(x, vec![(axis, kept)])?;
        Some(())
    }

    /// Padding of any axis, with zeros or with the edge.
    pub(super) fn padding(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let edge = choices.one_in(3);
        let mut tables = Vec::new();
        for (axis, &extent) in dims.iter().enumerate().skip(1) {
            let (begin, end) = (choices.below(3), choices.below(3));
            let table = (0..begin + extent + end).map(|i| {
                let inside = (begin..begin + extent).contains(&i);
                let nearest = i.saturating_sub(begin).min(extent - 1);
                (inside || edge).then_some(nearest)
            });
            tables.push((axis, table.collect()));
        }
        self.moved(x, tables)?;
        self.features
            .insert(["padding", "edge padding"][usize::from(edge)]);
        Some(())
    }

    /// A transposition, blocks of pixels to channels or back, or other dimensions for the same elements.
    pub(super) fn rearrangement(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let [n, c, h, w] = dims;
        let orders = [
            [0, 1, 3, 2],
            [0, 2, 1, 3],
            [0, 2, 3, 1],
            [0, 3, 1, 2],
            [0, 3, 2, 1],
        ];
        let order = choices.of(&orders)?;
        let views = [
            [n, c * h, 1, w],
            [n, 1, c * h, w],
            [n, c, 1, h * w],
            [n, c, h * w, 1],
        ];
        let view = choices.of(&views)?;
        let block = 2 + choices.below(2);
        let mut fitting = Vec::new();
        if fits(&order.map(|a| dims[a])) {
            fitting.push(Rearrangement::Transposition);
        }
        if fits(&view) {
            fitting.push(Rearrangement::OtherDimensions);
        }
        if h.is_multiple_of(block) && w.is_multiple_of(block) && h * w > 1 {
            fitting.push(Rearrangement::SpaceToDepth);
        }
        if c.is_multiple_of(block * block) {
            fitting.push(Rearrangement::DepthToSpace);
        }
        match choices.of(&fitting)? {
            Rearrangement::Transposition => {
                self.builder.transposed(x, &order);
                self.features.insert("transposition");
            }
            Rearrangement::OtherDimensions => {
                self.builder.reshaped(x, &view);
                self.features.insert("other dimensions");
            }
            Rearrangement::SpaceToDepth => {
                let view = [n, c, h / block, block, w / block, block];
                let order = choices.of(&[[0, 3, 5, 1, 2, 4], [0, 1, 3, 5, 2, 4]])?;
                let target = [n, c * block * block, h / block, w / block];
                self.blocks(x, (view, order), target)?;
                self.features.insert("space to depth");
            }
            Rearrangement::DepthToSpace => {
                let depth = c / (block * block);
                let seen = choices.of(&[
                    ([n, block, block, depth, h, w], [0, 3, 4, 1, 5, 2]),
                    ([n, depth, block, block, h, w], [0, 1, 4, 2, 5, 3]),
                ])?;
                self.blocks(x, seen, [n, depth, h * block, w * block])?;
                self.features.insert("depth to space");
            }
        }
        Some(())
    }

    /// A transposition of an image seen with six axes.
    fn blocks(
        &mut self,
        x: NodeIndex,
        (view, order): ([u32; 6], [usize; 6]),
        target: [u32; 4],
    ) -> Option<()> {
        if !fits(&target) {
            return None;
        }
        let viewed = self.builder.reshaped(x, &view);
        let moved = self.builder.transposed(viewed, &order);
        self.builder.reshaped(moved, &target);
        Some(())
    }

    /// Replaces the coordinates along some axes, if the result fits.
    fn moved(&mut self, x: NodeIndex, tables: Vec<(usize, Table)>) -> Option<NodeIndex> {
        let mut dims = self.builder.image(x)?;
        for (axis, table) in &tables {
            dims[*axis] = table.len() as u32;
        }
        fits(&dims).then(|| self.builder.along(x, tables))
    }
}
