//! Removes what no output needs: instructions, then the constants, operators, tensors and layouts that nothing refers to.
//!
//! Inputs stay, because the client sends them in any case and a call passes all arguments; so do nodes and remarks. A function
//! that nothing calls any more is removed.

use super::Pass;
use super::rebuild::Rebuild;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Circuit, Inst, SecondaryMap, TypeError, Value, compact_tables};

pub const PASS: Pass = Pass {
    name: "remove-dead",
    summary: "drop what no output needs",
    part_of: None,
    run,
};

fn run(circuit: Circuit, _: &CostModel) -> Result<Circuit, TypeError> {
    let live = live(&circuit);
    let (mut rebuild, old) = Rebuild::new(circuit);
    for (value, definition) in old.iter() {
        if live[value] {
            rebuild.begin(value, definition)?;
            let copy = rebuild.copy(definition)?;
            rebuild.set(value, copy);
        }
    }
    Ok(compact_tables(rebuild.finish()?))
}

fn live(circuit: &Circuit) -> SecondaryMap<Value, bool> {
    let mut live = SecondaryMap::filled(&circuit.values, false);
    let mut called = SecondaryMap::filled(&circuit.functions, false);
    for body in circuit.bodies().rev() {
        if body.function.is_some_and(|function| !called[function]) {
            continue;
        }
        let results = circuit.results_of(body);
        results.into_iter().for_each(|v| live[v] = true);
        for (value, definition) in circuit.definitions(body).rev() {
            if definition.inst.is_input() {
                live[value] = true;
            }
            if live[value] {
                definition.inst.for_each_operand(|v| live[v] = true);
                if let Inst::Call { function, .. } = definition.inst {
                    called[function] = true;
                }
            }
        }
    }
    live
}
