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

use super::polynomial::ones;
use super::taps::{AxisTaps, Tap, is_uniform, positions};
use super::{Packed, Program, SlotOp, SlotValue};
use peregrine_ir::cost::LinearCost;
use peregrine_ir::linear::{BoundMap, LinearMap, Window};
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
        let [rows, columns] = [0, 1].map(|axis| AxisTaps::of(window, (input, output), axis));
        let (rows, columns) = (rows?, columns?);
        if rows.spread != 1 || columns.spread != 1 {
            return None;
        }
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
            period: None,
        });
        let ones = self.masked.then(|| ones(program, shape, layout));
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

/// All taps between two packed images.
struct Taps<'l> {
    sides: (&'l Layout, &'l Layout),
    rows: AxisTaps,
    columns: AxisTaps,
}

impl Taps<'_> {
    /// Whether no two pixels have the distance of a tap for another reason: between the end of a row and the beginning of the
    /// next, or around the end of the ciphertext.
    fn are_separate(&self) -> bool {
        let (input, output) = self.sides;
        let pitch = i64::from(input.parts().pitch);
        let slots = i64::from(input.slots());
        let last = |layout: &Layout| {
            let rows = positions(layout, 0, 0);
            (rows - 1) * pitch + positions(layout, 1, 0) - 1
        };
        let (width_in, width_out) = (positions(input, 1, 0), positions(output, 1, 0));
        let columns_apart = |by: i64| by + pitch >= width_in && pitch - by >= width_out;
        let ends_apart = |k: i64| k + slots > last(input) && slots - k > last(output);
        let apart = |row: &Tap| {
            let columns = &self.columns.taps;
            columns
                .iter()
                .all(|column| ends_apart(row.by * pitch + column.by))
        };
        let columns = &self.columns.taps;
        columns.iter().all(|tap| columns_apart(tap.by)) && self.rows.taps.iter().all(apart)
    }

    fn collect(&self, map: &BoundMap<'_>, window: &Window) -> Scalars {
        let (input, output) = self.sides;
        let mask = i64::from(input.slots()) - 1;
        let pitch = i64::from(input.parts().pitch);
        let (to, from) = (output.parts().phases, input.parts().phases);
        // For each tap, the phases that it leads from and to, with the rotation between them.
        let mut by_tap: BTreeMap<[u32; 2], Vec<(u32, u32, u32)>> = BTreeMap::new();
        let mut masked = false;
        for row in &self.rows.taps {
            for column in &self.columns.taps {
                let rotation = (row.by * pitch + column.by) & mask;
                let read = row.from * from[1] + column.from;
                let place = (row.to * to[1] + column.to, read, rotation as u32);
                by_tap.entry([row.tap, column.tap]).or_default().push(place);
                masked |= !row.stays(self.sides, 0) || !column.stays(self.sides, 1);
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
