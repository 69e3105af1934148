//! The taps of a window along an axis, as distances between the positions of packed pixels.
//!
//! With phases, pixel `to h' + t` of the result lies at position `h'` of its phase `t`. A tap that reads pixel `stride (to h' + t) + a`
//! reads position `spread h' + by` of one phase of the operand, where `spread` is `stride to / from`, a whole number: so far
//! apart in the operand are pixels that follow each other in the result.

use peregrine_ir::Layout;
use peregrine_ir::linear::{BoundMap, LinearKind, Window};

/// One tap along rows or columns, seen from one phase of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// The tap, from 0.
    pub tap: u32,
    /// The phase of the result.
    pub to: u32,
    /// The phase of the operand that it reads.
    pub from: u32,
    /// How many positions further the tap reads.
    pub by: i64,
}

/// The taps along an axis, from every phase of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AxisTaps {
    /// Those that read a pixel somewhere.
    pub taps: Vec<Tap>,
    /// Positions of the operand from one position of the result to the next.
    pub spread: u32,
}

impl AxisTaps {
    /// The taps along an axis; `None` where positions do not keep their distance.
    pub fn of(window: &Window, (input, output): (&Layout, &Layout), axis: usize) -> Option<Self> {
        let (from, to) = (input.parts().phases[axis], output.parts().phases[axis]);
        let stride = window.strides[axis];
        let step = to.checked_mul(stride)?;
        if !step.is_multiple_of(from) {
            return None;
        }
        let (extent, outputs) = (
            input.parts().shape[axis + 1],
            output.parts().shape[axis + 1],
        );
        let mut taps = Vec::new();
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
                taps.push(Tap {
                    tap,
                    to: phase,
                    from: at.rem_euclid(i64::from(from)) as u32,
                    by: at.div_euclid(i64::from(from)),
                });
            }
        }
        let spread = step / from;
        Some(Self { taps, spread })
    }
}

impl Tap {
    /// Whether everything that the tap reads, of positions that are one apart on both sides, stays among the pixels of the result.
    pub fn stays(&self, (input, output): (&Layout, &Layout), axis: usize) -> bool {
        let read = positions(input, axis, self.from);
        self.by == 0 && read <= positions(output, axis, self.to)
    }
}

/// The number of positions of a phase along an axis.
pub fn positions(layout: &Layout, axis: usize, phase: u32) -> i64 {
    let extent = layout.parts().shape[axis + 1];
    let rest = extent.saturating_sub(phase);
    i64::from(rest.div_ceil(layout.parts().phases[axis]))
}

/// Whether a tap has one weight at every pixel: always for convolutions, and for means where all windows count alike.
pub fn is_uniform(map: &BoundMap<'_>, window: &Window) -> bool {
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
