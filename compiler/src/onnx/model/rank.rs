//! Ranks and axes, as models state them.
#![deny(clippy::indexing_slicing)]

use crate::onnx::problems::Problem;

/// `axis` counted from the front, for a tensor of rank `rank`; negative ones count from the end.
pub(in crate::onnx) fn axis(axis: i64, rank: usize, name: &'static str) -> Result<usize, Problem> {
    let from_front = if axis < 0 {
        axis.saturating_add(rank as i64)
    } else {
        axis
    };
    usize::try_from(from_front)
        .ok()
        .filter(|&a| a < rank)
        .ok_or(Problem::Mismatch {
            what: name,
            found: axis.to_string(),
            expected: format!("an axis of a tensor of rank {rank}"),
        })
}

/// The largest number of axes.
const MAX_RANK: usize = 32;

/// Refuses tensors of absurd rank.
pub(in crate::onnx) fn check(rank: usize) -> Result<(), Problem> {
    if rank <= MAX_RANK {
        return Ok(());
    }
    Err(Problem::TooLarge {
        what: "a shape",
        found: rank as u64,
        limit: MAX_RANK as u64,
    })
}

/// `axes` counted from the front and checked to be distinct.
pub(in crate::onnx) fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, Problem> {
    check(list.len())?;
    let mut axes = Vec::new();
    for &a in list {
        let a = axis(a, rank, "axes")?;
        if axes.contains(&a) {
            return Err(Problem::Mismatch {
                what: "axes",
                found: format!("{list:?}"),
                expected: "distinct axes".to_owned(),
            });
        }
        axes.push(a);
    }
    Ok(axes)
}
