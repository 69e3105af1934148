//! Layouts for tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use peregrine_ir::{Layout, LayoutParts};

/// 2^13 slots, no guards, no replicas.
pub(super) fn layout(shape: [u32; 3], phases: [u32; 2], gaps: [u32; 2], plane: u32) -> Layout {
    changed(shape, phases, gaps, plane, |_| {})
}

/// A layout of 2^13 slots without guards and replicas, but for the parts that are changed.
pub(super) fn changed(
    shape: [u32; 3],
    phases: [u32; 2],
    gaps: [u32; 2],
    plane: u32,
    change: impl FnOnce(&mut LayoutParts),
) -> Layout {
    let mut parts = *Layout::row_major(13, [1, 1, 1]).unwrap().parts();
    let pitch = shape[2].div_ceil(phases[1]) * gaps[1];
    (parts.shape, parts.phases, parts.gaps) = (shape, phases, gaps);
    (parts.plane, parts.pitch) = (plane, pitch);
    change(&mut parts);
    Layout::new(parts).unwrap()
}

/// Small layouts of every kind, replicas and guards included.
pub(super) fn layouts() -> Vec<Layout> {
    let mut layouts = Vec::new();
    for shape in [[1u32, 1, 1], [5, 1, 1], [1, 3, 5], [7, 4, 3], [12, 2, 6]] {
        for (ph, pw, zh, zw) in [
            (1u32, 1u32, 1, 1),
            (2, 1, 1, 1),
            (2, 3, 1, 1),
            (1, 1, 2, 2),
            (1, 2, 3, 1),
        ] {
            for (guard, spare, replicas, skew) in
                [(0, 0, 1, 0), (1, 3, 1, 0), (0, 1, 4, 0), (2, 0, 2, 5)]
            {
                let mut parts = *Layout::row_major(9, [1, 1, 1]).unwrap().parts();
                let pitch = shape[2].div_ceil(pw) * zw + guard;
                (parts.shape, parts.phases, parts.gaps) = (shape, [ph, pw], [zh, zw]);
                (parts.plane, parts.pitch) = (shape[1].div_ceil(ph) * zh * pitch + spare, pitch);
                (parts.replicas, parts.skew) = (replicas, skew);
                layouts.extend(Layout::new(parts));
            }
        }
    }
    assert!(layouts.len() > 90, "{}", layouts.len());
    layouts
}
