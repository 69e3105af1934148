//! Shares decompositions: the rotations of one value become one `decompose`, and a `rotate_ext` and `mod_down` each.
//!
//! ```text
//! v1 = rotate v0, 1          v1 = decompose v0
//! v2 = rotate v0, 2    =>    v2 = rotate_ext v0, v1, 1     v3 = mod_down v2
//!                            v4 = rotate_ext v0, v1, 2     v5 = mod_down v4
//! ```
//! A value rotated once is split the same way: later passes move its `mod_down`.
//! Saves one decomposition per further rotation.

use super::Pass;
use super::rebuild::Rebuild;
use crate::optimisation::Optimisation;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Circuit, Inst, TypeError, Value};
use std::collections::BTreeMap;

pub const PASS: Pass = Pass {
    name: "hoist",
    summary: "share decompositions among rotations of one value",
    part_of: Some(Optimisation::Hoisting),
    run,
};

fn run(circuit: Circuit, _: &CostModel) -> Result<Circuit, TypeError> {
    let (mut rebuild, old) = Rebuild::new(circuit);
    let mut digits: BTreeMap<Value, Value> = BTreeMap::new();
    for (value, definition) in old.iter() {
        rebuild.begin(value, definition)?;
        let new = match definition.inst {
            Inst::Rotate { a, rotation } => {
                let a = rebuild.new_name(a)?;
                let shared = match digits.get(&a) {
                    Some(&shared) => shared,
                    None => rebuild.builder().push(Inst::Decompose(a))?,
                };
                digits.insert(a, shared);
                rebuild.builder().rotate_hoisted(a, shared, rotation)?
            }
            _ => rebuild.copy(definition)?,
        };
        rebuild.set(value, new);
    }
    rebuild.finish()
}
