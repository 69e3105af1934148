//! How a tensor is packed, in words, numbers and a picture.

use super::formula::Formula;
use super::picture::picture;
use crate::words::count;
use peregrine_ir::{Circuit, Layout, LayoutId};
use serde::Serialize;

/// How a tensor is packed into the slots of ciphertexts: a layout.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PackingReport {
    /// Identifier of the layout in the text form.
    pub layout: String,
    /// Extents of the tensor, `[C, H, W]`.
    pub shape: [u32; 3],
    /// Number of ciphertexts that hold the tensor.
    pub ciphertexts: u32,
    /// Share of the slots that hold an element, replicas included.
    pub fill: f64,
    /// The slot of element `(c, h, w)`, as a formula.
    pub slot: String,
    /// The ciphertext of element `(c, h, w)`, as a formula.
    pub ciphertext: String,
    /// Notes on what the formulas do not show: planes, guard zeros and replicas.
    pub notes: Vec<String>,
    /// The first rows of slots with what lies in each, and all slots of a ciphertext as a bar.
    pub picture: Vec<String>,
}

impl PackingReport {
    /// The layouts of these names.
    pub(super) fn all(circuit: &Circuit, ids: impl IntoIterator<Item = LayoutId>) -> Vec<Self> {
        let layouts = ids
            .into_iter()
            .filter_map(|id| Some((id, circuit.layouts.get(id)?)));
        layouts.map(|(id, layout)| Self::of(id, layout)).collect()
    }

    fn of(id: LayoutId, layout: &Layout) -> Self {
        let Formula { slot, ciphertext } = Formula::of(layout);
        Self {
            layout: id.to_string(),
            shape: layout.parts().shape,
            ciphertexts: layout.ciphertexts(),
            fill: layout.fill(),
            slot: slot.to_string(),
            ciphertext: ciphertext.to_string(),
            notes: notes(layout),
            picture: picture(layout),
        }
    }
}

fn notes(layout: &Layout) -> Vec<String> {
    let parts = layout.parts();
    let ([ph, pw], [zh, zw]) = (parts.phases, parts.gaps);
    let mut notes = Vec::new();
    if ph * pw > 1 {
        notes.push(format!(
            "{ph} x {pw} phases: pixels are dealt out by row mod {ph} and column mod {pw}, the picture shows those of (0, 0)"
        ));
    }
    if zh * zw > 1 {
        notes.push(format!(
            "{zh} x {zw} gaps: {} channels lie between neighbouring pixels",
            zh * zw
        ));
    }
    notes.push(planes(layout));
    notes.extend(guards(layout));
    notes.extend(replicas(layout));
    notes
}

fn planes(layout: &Layout) -> String {
    let (parts, planes) = (layout.parts(), layout.planes());
    let blocks = parts.shape[0].div_ceil(parts.gaps[0] * parts.gaps[1]);
    let size = count(parts.plane as usize, "slot");
    let room = match planes {
        1 => format!("one plane of {size} per ciphertext"),
        _ => format!("room for {planes} planes of {size} in a ciphertext"),
    };
    let (full, rest) = (blocks / planes, blocks % planes);
    match (full, rest) {
        (_, 0) => room,
        (0, _) => format!("{room}, {rest} used"),
        _ => format!("{room}, {rest} used in the last"),
    }
}

/// Slots that stay zero between rows, planes and blocks.
fn guards(layout: &Layout) -> Vec<String> {
    let parts = layout.parts();
    let columns = parts.shape[2].div_ceil(parts.phases[1]) * parts.gaps[1];
    let rows = parts.shape[1].div_ceil(parts.phases[0]) * parts.gaps[0];
    let after_rows = parts.pitch - columns;
    let after_planes = parts.plane.saturating_sub(rows * parts.pitch);
    let after_block = layout.block() - layout.planes() * parts.plane;
    let places = [
        (after_rows, format!("each row of {columns}")),
        (after_planes, format!("each plane of {rows} rows")),
        (after_block, "the last plane".to_owned()),
    ];
    let guards = places.into_iter().filter(|(zeros, _)| *zeros > 0);
    guards
        .map(|(zeros, place)| format!("{} after {place}", count(zeros as usize, "guard zero")))
        .collect()
}

fn replicas(layout: &Layout) -> Option<String> {
    let parts = layout.parts();
    if parts.replicas == 1 {
        return None;
    }
    let slots = count(layout.block() as usize, "slot");
    if layout.is_aligned() {
        return Some(format!(
            "{} equal replicas, one every {slots}",
            parts.replicas
        ));
    }
    let mut text = format!(
        "{} skewed replicas, one every {slots}, each rotated right by {} more",
        parts.replicas, parts.skew
    );
    if parts.jump != 0 {
        text += &format!(", and by {} after every {}", parts.jump, parts.run);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::samples::{changed, layout};

    #[test]
    fn words_name_what_is_special() {
        let plain = layout([1, 64, 128], [1, 1], [1, 1], 8192);
        assert_eq!(notes(&plain), ["one plane of 8192 slots per ciphertext"]);
        let special = changed([9, 6, 6], [2, 2], [2, 1], 32, |parts| {
            (parts.pitch, parts.log_slots) = (4, 8);
            (parts.replicas, parts.skew) = (4, 8);
        });
        assert_eq!(
            notes(&special),
            [
                "2 x 2 phases: pixels are dealt out by row mod 2 and column mod 2, the picture shows those of (0, 0)",
                "2 x 1 gaps: 2 channels lie between neighbouring pixels",
                "room for 2 planes of 32 slots in a ciphertext, 1 used in the last",
                "1 guard zero after each row of 3",
                "8 guard zeros after each plane of 6 rows",
                "4 skewed replicas, one every 64 slots, each rotated right by 8 more",
            ]
        );
        let aligned = changed([3, 1, 1], [1, 1], [1, 1], 1, |parts| parts.replicas = 2048);
        assert_eq!(
            notes(&aligned),
            [
                "room for 4 planes of 1 slot in a ciphertext, 3 used",
                "2048 equal replicas, one every 4 slots"
            ]
        );
    }
}
