//! Drop what no output needs: instructions, then constants, operators, tensors and layouts that nothing names.
//!
//! Inputs stay: the client sends them in any case, and a call passes all arguments. So do nodes and remarks. A function that nothing
//! calls any more goes.

use super::Pass;
use super::rebuild::Rebuild;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Circuit, Entity, Inst, TypeError, Value, compact_tables};

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
        if live.get(value.index()) == Some(&true) {
            rebuild.begin(value, definition)?;
            let copy = rebuild.copy(definition)?;
            rebuild.set(value, copy);
        }
    }
    Ok(compact_tables(rebuild.finish()?))
}

fn live(circuit: &Circuit) -> Vec<bool> {
    let mut live = vec![false; circuit.values.len()];
    let mark = |live: &mut Vec<bool>, value: Value| {
        if let Some(flag) = live.get_mut(value.index()) {
            *flag = true;
        }
    };
    let mut called = vec![false; circuit.functions.len()];
    for body in circuit.bodies().rev() {
        if body
            .function
            .is_some_and(|f| called.get(f.index()) != Some(&true))
        {
            continue;
        }
        let results = circuit.results_of(body);
        results.into_iter().for_each(|v| mark(&mut live, v));
        for (value, definition) in circuit.definitions(body).rev() {
            if definition.inst.is_input() {
                mark(&mut live, value);
            }
            if live.get(value.index()) == Some(&true) {
                definition.inst.for_each_operand(|v| mark(&mut live, v));
                if let Inst::Call { function, .. } = definition.inst
                    && let Some(called) = called.get_mut(function.index())
                {
                    *called = true;
                }
            }
        }
    }
    live
}
