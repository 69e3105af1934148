//! DepthToSpace and SpaceToDepth: a transposition of an image seen with six axes.
#![deny(clippy::indexing_slicing)]

use super::row::{Client, Operator};
use crate::onnx::build::{Builder, Call, Movement, Value, dims};
use crate::onnx::problems::Problem;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::any("DepthToSpace", depth_to_space).at_client(Client::Moves),
        Operator::any("SpaceToDepth", space_to_depth).at_client(Client::Moves),
    ]
}

/// DepthToSpace: channels become blocks of pixels.
pub(in crate::onnx) fn depth_to_space(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let (x, [n, c, h, w], size) = blocks(b, call)?;
    let depth = c / (size * size);
    if depth * size * size != c {
        return Err(block_mismatch(c, size * size));
    }
    let (view, order) = match call.string_or("mode", "DCR")?.as_str() {
        "DCR" => ([n, size, size, depth, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, depth, size, size, h, w], [0, 1, 4, 2, 5, 3]),
        mode => return Err(block_mode(mode)),
    };
    let target = [n, depth, h.saturating_mul(size), w.saturating_mul(size)];
    rearranged(b, &x, (view, order), &target)
}

/// SpaceToDepth: blocks of pixels become channels.
pub(in crate::onnx) fn space_to_depth(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let (x, [n, c, h, w], size) = blocks(b, call)?;
    for extent in [h, w] {
        if extent % size != 0 {
            return Err(block_mismatch(extent, size));
        }
    }
    let view = [n, c, h / size, size, w / size, size];
    let order = match call.string_or("mode", "DCR")?.as_str() {
        "DCR" => [0, 3, 5, 1, 2, 4],
        "CRD" => [0, 1, 3, 5, 2, 4],
        mode => return Err(block_mode(mode)),
    };
    let depth = c.saturating_mul(size * size);
    rearranged(b, &x, (view, order), &[n, depth, h / size, w / size])
}

fn block_mismatch(found: u32, divisor: u32) -> Problem {
    Problem::Mismatch {
        what: "an extent",
        found: found.to_string(),
        expected: format!("a multiple of {divisor}"),
    }
}

fn block_mode(mode: &str) -> Problem {
    Problem::Attribute {
        name: "mode",
        found: mode.to_owned(),
        supported: "DCR, CRD",
    }
}

/// The image, its dimensions and the block size.
fn blocks(b: &mut Builder, call: &Call) -> Result<(Value, [u32; 4], u32), Problem> {
    let x = call.value(0, "the image")?.clone();
    let size = call.int_or("blocksize", 0)?;
    let size = u32::try_from(size)
        .ok()
        .filter(|s| (1..=0xff).contains(s))
        .ok_or(Problem::Attribute {
            name: "blocksize",
            found: size.to_string(),
            supported: "1 to 255",
        })?;
    match dims(b, &x).as_slice() {
        &[n, c, h, w] => Ok((x, [n, c, h, w], size)),
        other => Err(Problem::Mismatch {
            what: "the image's shape",
            found: format!("{other:?}"),
            expected: "[N, C, H, W]".to_owned(),
        }),
    }
}

fn rearranged(
    b: &mut Builder,
    x: &Value,
    (view, order): ([u32; 6], [usize; 6]),
    target: &[u32],
) -> Result<Value, Problem> {
    let viewed = b.reshaped(x, &view)?;
    let moved = b.moved(&viewed, Movement::transpose(&view, &order)?)?;
    b.reshaped(&moved, target)
}
