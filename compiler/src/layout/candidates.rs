//! The packings considered for the result of a linear operator.
//!
//! - *kept*: a window operator of stride `s` leaves the pixels where they are: phases divide by `s` while they can, then
//!   gaps grow by `s` and channels multiplex into them; pitch and plane stay those of the input.
//! - *dense*: one channel after the other without gaps.
//!
//! Both keep the period of the input when the result fits it: a result that repeats with its input's period needs no
//! more diagonals than one that does not repeat, and the next operator gains from the replicas.

use peregrine_ir::linear::{AveragePool, Conv2d, LinearKind, LinearMap};
use peregrine_ir::{Layout, LayoutError, LayoutParts};

/// The candidates for the result of `map` when its operand is packed as `from`; at least one.
///
/// # Errors
/// Never for shapes that the front end accepts.
pub fn of(map: &LinearMap, from: &Layout) -> Result<Vec<Layout>, LayoutError> {
    let shape = map.output.chw();
    let log_slots = from.parts().log_slots;
    let mut found: Vec<Layout> = kept(map, from).into_iter().collect();
    let period = dense(shape, log_slots, from.block())?;
    if !found.contains(&period) {
        found.push(period);
    }
    Ok(found)
}

/// One channel after the other, in blocks of at least `block` slots: phases until a plane fits, planes padded to a power
/// of two where that costs no ciphertext, then replicas.
///
/// # Errors
/// Never for a shape with positive extents.
pub fn dense(shape: [u32; 3], log_slots: u32, block: u32) -> Result<Layout, LayoutError> {
    let slots = 1u64 << log_slots;
    let mut phases = [1u32, 1];
    let extent = |phases: [u32; 2]| [shape[1].div_ceil(phases[0]), shape[2].div_ceil(phases[1])];
    while extent(phases)
        .iter()
        .map(|&e| u64::from(e))
        .product::<u64>()
        > slots
    {
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
    };
    repeated(padded(parts)?, block)
}

/// The layout in which the pixels of a window operator's result stay where they are.
fn kept(map: &LinearMap, from: &Layout) -> Option<Layout> {
    let strides = match &map.kind {
        LinearKind::Conv2d(Conv2d { window, .. })
        | LinearKind::AveragePool(AveragePool { window, .. }) => window.strides,
        LinearKind::Contract(_) | LinearKind::Gather(_) => return None,
        LinearKind::Scale(_) => return Some(*from),
    };
    let mut parts = *from.parts();
    if parts.shape != map.input.chw() {
        return None;
    }
    parts.shape = map.output.chw();
    for ((stride, phases), gaps) in strides
        .into_iter()
        .zip(&mut parts.phases)
        .zip(&mut parts.gaps)
    {
        if phases.is_multiple_of(stride) {
            *phases /= stride;
        } else if *phases == 1 {
            *gaps = gaps.checked_mul(stride)?;
        } else {
            return None;
        }
    }
    let columns = parts.shape[2]
        .div_ceil(parts.phases[1])
        .checked_mul(parts.gaps[1])?;
    let rows = parts.shape[1]
        .div_ceil(parts.phases[0])
        .checked_mul(parts.gaps[0])?;
    parts.pitch = parts.pitch.max(columns);
    parts.plane = parts.plane.max(rows.checked_mul(parts.pitch)?);
    (parts.replicas, parts.skew) = (1, 0);
    repeated(Layout::new(parts).ok()?, from.block()).ok()
}

/// Planes padded to the next power of two, where that needs no more ciphertexts.
fn padded(parts: LayoutParts) -> Result<Layout, LayoutError> {
    let tight = Layout::new(parts)?;
    let plane = parts.plane.next_power_of_two();
    match Layout::new(LayoutParts { plane, ..parts }) {
        Ok(padded) if padded.ciphertexts() == tight.ciphertexts() => Ok(padded),
        _ => Ok(tight),
    }
}

/// Replicas of a layout that needs one block of a ciphertext, each block at least `block` slots.
fn repeated(layout: Layout, block: u32) -> Result<Layout, LayoutError> {
    let parts = *layout.parts();
    if layout.ciphertexts() != parts.phases[0] * parts.phases[1] {
        return Ok(layout);
    }
    let planes = parts.shape[0].div_ceil(parts.gaps[0] * parts.gaps[1]);
    let used = (planes * parts.plane).next_power_of_two().max(block);
    Layout::new(LayoutParts {
        replicas: (layout.slots() / used).max(1),
        ..parts
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_fills_the_ciphertext_with_copies() {
        let layout = dense([1, 8, 8], 12, 1).unwrap();
        assert_eq!((layout.block(), layout.parts().replicas), (64, 64));
        assert_eq!(layout.fill(), 1.0);
    }

    #[test]
    fn a_map_larger_than_the_slots_is_split_into_phases() {
        let layout = dense([3, 224, 224], 12, 1).unwrap();
        assert_eq!(layout.parts().phases, [4, 4]);
        assert_eq!(layout.ciphertexts(), 3 * 16);
    }

    #[test]
    fn odd_planes_are_padded_when_that_is_free() {
        let layout = dense([3, 5, 7], 8, 1).unwrap();
        assert_eq!(
            (layout.parts().pitch, layout.parts().plane, layout.block()),
            (7, 64, 256)
        );
    }
}
