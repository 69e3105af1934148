//! Divides by P once for each sum: `mod_down` moves past additions.
//!
//! ```text
//! v3 = mod_down v1                       v3 = add v1, v2      : ct<l, s, ext>
//! v4 = mod_down v2                  =>   v4 = mod_down v3
//! v5 = add v3, v4, v0                    v5 = add v4, v0
//! ```
//! This applies to terms that have no other use. It saves a division by P, two transforms for each prime, for every further term;
//! the sum itself grows by the special primes. So the result of a linear operator with `g` giant steps is divided once.

use super::Pass;
use super::rebuild::{Rebuild, uses};
use crate::optimisation::Optimisation;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Circuit, Inst, TypeError, Value};

pub const PASS: Pass = Pass {
    name: "sink-mod-down",
    summary: "divide by P once per sum",
    part_of: Some(Optimisation::DoubleHoisting),
    run,
};

fn run(circuit: Circuit, _: &CostModel) -> Result<Circuit, TypeError> {
    let uses = uses(&circuit);
    let (mut rebuild, old) = Rebuild::new(circuit);
    let raised = |value: Value| match &old[value].inst {
        Inst::ModDown(inner) if uses[value] == 1 => Some(*inner),
        _ => None,
    };
    for (value, definition) in old.iter() {
        rebuild.begin(value, definition)?;
        let new = match &definition.inst {
            Inst::Add(terms) => {
                let inner: Vec<Value> = terms.iter().filter_map(|&t| raised(t)).collect();
                let rest: Vec<Value> = terms
                    .iter()
                    .copied()
                    .filter(|&t| raised(t).is_none())
                    .collect();
                if inner.len() < 2 {
                    rebuild.copy(definition)?
                } else {
                    sink(&mut rebuild, &inner, &rest)?
                }
            }
            _ => rebuild.copy(definition)?,
        };
        rebuild.set(value, new);
    }
    rebuild.finish()
}

fn sink(rebuild: &mut Rebuild, inner: &[Value], rest: &[Value]) -> Result<Value, TypeError> {
    let inner = inner
        .iter()
        .map(|&v| rebuild.new_name(v))
        .collect::<Result<Vec<_>, _>>()?;
    let sum = rebuild.builder().push(Inst::Add(inner))?;
    let mut terms = vec![rebuild.builder().push(Inst::ModDown(sum))?];
    for &value in rest {
        terms.push(rebuild.new_name(value)?);
    }
    match terms.as_slice() {
        [only] => Ok(*only),
        _ => rebuild.builder().push(Inst::Add(terms)),
    }
}
