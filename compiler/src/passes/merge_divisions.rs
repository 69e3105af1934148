//! Divides once where two divisions follow each other: a rescale divides by P, too.
//!
//! ```text
//! v2 = mod_down v1      : ct<l, s>       v3 = rescale v1 : ct<l', s'>
//! v3 = rescale v2       : ct<l', s'>
//!
//! v2 = relinearize v1   : ct<l, s>       v3 = relinearize_rescale v1 : ct<l', s'>
//! v3 = rescale v2       : ct<l', s'>
//! ```
//! This applies to a value that has no other use. It saves a rounding, and the transforms of each prime that the first division would
//! leave.

use super::Pass;
use super::rebuild::{Rebuild, uses};
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Circuit, Inst, TypeError};

pub const PASS: Pass = Pass {
    name: "merge-divisions",
    summary: "divide by P and by primes of the chain at once",
    part_of: None,
    run,
};

fn run(circuit: Circuit, _: &CostModel) -> Result<Circuit, TypeError> {
    let uses = uses(&circuit);
    let (mut rebuild, old) = Rebuild::new(circuit);
    for (value, definition) in old.iter() {
        rebuild.begin(value, definition)?;
        let merged = match definition.inst {
            Inst::Rescale { a, to } if uses[a] == 1 => match old[a].inst {
                Inst::ModDown(a) => Some(Inst::Rescale { a, to }),
                Inst::Relinearize(a) => Some(Inst::RelinearizeRescale { a, to }),
                _ => None,
            },
            _ => None,
        };
        let new = match merged {
            Some(merged) => {
                let merged = merged.try_map_operands(|old| rebuild.new_name(old))?;
                rebuild.builder().push(merged)?
            }
            None => rebuild.copy(definition)?,
        };
        rebuild.set(value, new);
    }
    rebuild.finish()
}
