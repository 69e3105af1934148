//! Windows over planes that fill a ciphertext: every tap is a product with one scalar.
//!
//! Where a ciphertext holds one plane (a channel, or a phase of one), all slots of an output see an input through the same
//! weight: `y = sum of w * rotate(x, k)`, with scalars for weights, so that nothing is encoded or transformed. The planes
//! must lie alike, in rows of one pitch, and a read across their border must find a zero: *guard* columns and rows. What
//! falls into the guards of the result is cleared by one product with a mask of ones for each output ciphertext, in the same
//! level: weights take some bits of its prime, the mask the others.
//!
//! For a 3x3 kernel and p by p phases an input channel is read from its phases and the ring of `4 p + 4` around them: so many
//! rotations, whatever the number of output channels.

use super::polynomial::{broadcast, number};
use super::{Packed, Program, SlotOp, SlotValue};
use peregrine_ir::cost::LinearCost;
use peregrine_ir::linear::{BoundMap, LinearKind, LinearMap, Window};
use peregrine_ir::{
    Const, Constant, Layout, LayoutId, LayoutParts, Node, Operator, OperatorId, Rotation,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The taps of a linear map between planes that fill ciphertexts, each of which multiplies by a scalar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalars {
    /// The terms `(input ciphertext, rotation)` of each output ciphertext, ascending.
    terms: Vec<Vec<(u32, u32)>>,
    /// Whether something falls into the guards of the result, so that a mask is needed.
    masked: bool,
    /// Phases of the result, with which masks repeat.
    phases: u32,
}

/// One tap along rows or columns, seen from one phase of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tap {
    tap: u32,
    /// The phase of the result, and the phase that it reads.
    to: u32,
    from: u32,
    /// How many positions further the tap reads.
    by: i64,
}

impl Scalars {
    /// The taps of `map`; `None` when some tap is no scalar.
    pub fn of(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Option<Self> {
        let window = map.map().window()?;
        let (x, y) = (map.map().input.chw(), map.map().output.chw());
        let fits = input.parts().shape == x && output.parts().shape == y;
        if !fits || !is_plane(input) || !is_plane(output) || !is_uniform(map, window) {
            return None;
        }
        if input.parts().pitch != output.parts().pitch {
            return None;
        }
        let axes = [0, 1].map(|axis| taps(window, (input, output), axis));
        let [Some(rows), Some(columns)] = axes else {
            return None;
        };
        let taps = Taps {
            sides: (input, output),
            rows,
            columns,
        };
        taps.are_separate().then(|| taps.collect(map, window))
    }

    /// Predicted seconds of the products, rotations and masks.
    pub fn price(&self, cost: &LinearCost) -> f64 {
        let read: BTreeSet<(u32, u32)> = self.terms.iter().flatten().copied().collect();
        let rotated = || read.iter().filter(|(_, rotation)| *rotation != 0);
        let hoisted: BTreeSet<u32> = rotated().map(|&(input, _)| input).collect();
        let keys: BTreeSet<u32> = rotated().map(|&(_, rotation)| rotation).collect();
        let mask = if self.masked { cost.product } else { 0.0 };
        cost.decompose * hoisted.len() as f64
            + cost.baby * rotated().count() as f64
            + cost.key * keys.len() as f64
            + cost.scalar * self.products() as f64
            + (cost.rescale + mask) * self.terms.len() as f64
    }

    /// The number of products with a scalar.
    pub fn products(&self) -> usize {
        self.terms.iter().map(Vec::len).sum()
    }

    /// Emits the sums.
    pub fn emit(
        &self,
        program: &mut Program,
        map: LinearMap,
        x: &Packed,
        (layout, node): (LayoutId, Node),
    ) -> Packed {
        let shape = map.output.clone();
        let operator = program.operators.push(Operator::Linear {
            map,
            input: x.layout,
            output: layout,
            fold: 1,
        });
        let ones = self.masked.then(|| number(program, 1.0)).flatten();
        let ones = ones.map(|ones| broadcast(program, ones, shape, layout));
        let outputs = (0u32..).zip(&self.terms);
        let values = outputs
            .map(|(output, terms)| {
                let terms = self.terms_of(program, x, (operator, output, node), terms);
                let mask = ones.map(|operator| {
                    let part = output % self.phases;
                    program.constant(Constant::Fill { operator, part })
                });
                (!terms.is_empty()).then(|| program.push(SlotOp::Scalars(terms, mask), node))
            })
            .collect();
        Packed { layout, values }
    }

    fn terms_of(
        &self,
        program: &mut Program,
        x: &Packed,
        (operator, output, node): (OperatorId, u32, Node),
        terms: &[(u32, u32)],
    ) -> Vec<(SlotValue, Const)> {
        let mut done = Vec::with_capacity(terms.len());
        for &(input, rotation) in terms {
            let Some(value) = x.values[input as usize] else {
                continue;
            };
            let constant = Constant::Uniform {
                operator,
                input,
                output,
                rotation,
            };
            let rotated = program.rotate(value, Rotation(rotation), node);
            done.push((rotated, program.constant(constant)));
        }
        done
    }
}

impl fmt::Display for Scalars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} products with numbers", self.products())?;
        match self.masked {
            true => f.write_str(", one mask for each result"),
            false => Ok(()),
        }
    }
}

/// Whether a ciphertext holds one plane, without replicas.
fn is_plane(layout: &Layout) -> bool {
    let LayoutParts {
        shape,
        gaps,
        plane,
        replicas,
        ..
    } = *layout.parts();
    gaps == [1, 1] && replicas == 1 && (shape[0] == 1 || layout.slots() / plane == 1)
}

/// Whether a tap has one weight at every pixel: always for convolutions, and for means where all windows count alike.
fn is_uniform(map: &BoundMap<'_>, window: &Window) -> bool {
    match &map.map().kind {
        LinearKind::Conv2d(_) => true,
        LinearKind::AveragePool(pool) => [0, 1].into_iter().all(|axis| {
            let [_, height, width] = map.map().input.chw();
            let [_, rows, columns] = map.map().output.chw();
            let (extent, outputs) = ([height, width][axis], [rows, columns][axis]);
            let reach = (window.kernel[axis] - 1) * window.dilations[axis];
            let last = (outputs - 1) * window.strides[axis] + reach;
            match pool.padding_counts {
                Some(after) => last < window.pads[axis] + extent + after[axis],
                None => window.pads[axis] == 0 && last < extent,
            }
        }),
        _ => false,
    }
}

/// The taps along an axis from every phase of the result; `None` where positions do not keep their distance.
fn taps(window: &Window, (input, output): (&Layout, &Layout), axis: usize) -> Option<Vec<Tap>> {
    let (from, to) = (input.parts().phases[axis], output.parts().phases[axis]);
    let stride = window.strides[axis];
    if to.checked_mul(stride)? != from {
        return None;
    }
    let (extent, outputs) = (
        input.parts().shape[axis + 1],
        output.parts().shape[axis + 1],
    );
    let mut found = Vec::new();
    for phase in 0..to.min(outputs) {
        for tap in 0..window.kernel[axis] {
            let inside = (phase..outputs).step_by(to as usize);
            let mut inside = inside.filter_map(|at| window.input(axis, at, tap, extent));
            if inside.next().is_none() {
                continue;
            }
            let at = i64::from(phase) * i64::from(stride)
                + i64::from(tap) * i64::from(window.dilations[axis])
                - i64::from(window.pads[axis]);
            found.push(Tap {
                tap,
                to: phase,
                from: at.rem_euclid(i64::from(from)) as u32,
                by: at.div_euclid(i64::from(from)),
            });
        }
    }
    Some(found)
}

/// All taps between two packed images.
struct Taps<'l> {
    sides: (&'l Layout, &'l Layout),
    rows: Vec<Tap>,
    columns: Vec<Tap>,
}

impl Taps<'_> {
    /// The number of positions of a phase along an axis.
    fn positions(layout: &Layout, axis: usize, phase: u32) -> i64 {
        let extent = layout.parts().shape[axis + 1];
        i64::from(
            extent
                .saturating_sub(phase)
                .div_ceil(layout.parts().phases[axis]),
        )
    }

    /// Whether no two pixels have the distance of a tap for another reason: between the end of a row and the beginning of the
    /// next, or around the end of the ciphertext.
    fn are_separate(&self) -> bool {
        let (input, output) = self.sides;
        let pitch = i64::from(input.parts().pitch);
        let slots = i64::from(input.slots());
        let last = |layout: &Layout| {
            let rows = Self::positions(layout, 0, 0);
            (rows - 1) * pitch + Self::positions(layout, 1, 0) - 1
        };
        let (width_in, width_out) = (Self::positions(input, 1, 0), Self::positions(output, 1, 0));
        let columns_apart = |by: i64| by + pitch >= width_in && pitch - by >= width_out;
        let ends_apart = |k: i64| k + slots > last(input) && slots - k > last(output);
        let apart = |row: &Tap| {
            self.columns
                .iter()
                .all(|column| ends_apart(row.by * pitch + column.by))
        };
        self.columns.iter().all(|tap| columns_apart(tap.by)) && self.rows.iter().all(apart)
    }

    /// Whether everything that a tap reads stays among the pixels of the result.
    fn stays(&self, axis: usize, tap: &Tap) -> bool {
        let (input, output) = self.sides;
        let read = Self::positions(input, axis, tap.from);
        tap.by == 0 && read <= Self::positions(output, axis, tap.to)
    }

    fn collect(&self, map: &BoundMap<'_>, window: &Window) -> Scalars {
        let (input, output) = self.sides;
        let mask = i64::from(input.slots()) - 1;
        let pitch = i64::from(input.parts().pitch);
        let (to, from) = (output.parts().phases, input.parts().phases);
        // For each tap, the phases that it leads from and to, with the rotation between them.
        let mut by_tap: BTreeMap<[u32; 2], Vec<(u32, u32, u32)>> = BTreeMap::new();
        let mut masked = false;
        for row in &self.rows {
            for column in &self.columns {
                let rotation = (row.by * pitch + column.by) & mask;
                let read = row.from * from[1] + column.from;
                let place = (row.to * to[1] + column.to, read, rotation as u32);
                by_tap.entry([row.tap, column.tap]).or_default().push(place);
                masked |= !self.stays(0, row) || !self.stays(1, column);
            }
        }
        // Every pair of channels that a tap joins has a term for each of these phases.
        let (to, from) = (to[0] * to[1], from[0] * from[1]);
        let mut terms = vec![Vec::new(); output.ciphertexts() as usize];
        let [rows, columns] = window.kernel;
        for tap in (0..rows).flat_map(|i| (0..columns).map(move |j| [i, j])) {
            let places = by_tap.get(&tap).map_or(&[][..], Vec::as_slice);
            map.for_each_channel_pair(tap, |m, c| {
                for &(phase, read, rotation) in places {
                    terms[(m * to + phase) as usize].push((c * from + read, rotation));
                }
            });
        }
        terms.iter_mut().for_each(|terms| terms.sort_unstable());
        Scalars {
            terms,
            masked,
            phases: to,
        }
    }
}
