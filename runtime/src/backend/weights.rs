//! Bytes of a circuit in the memory of the host, for every back end.

use peregrine_ir::{Circuit, Constant, Definition, Operator, Tensor, Value};
use std::collections::BTreeSet;

/// Bytes of the weights and instructions of a circuit.
pub(super) fn circuit_bytes(circuit: &Circuit) -> u64 {
    let weights: usize = circuit
        .tensors
        .values()
        .map(|tensor| size_of::<Tensor>() + size_of_val(tensor.data()))
        .sum();
    let instructions: usize = circuit
        .values
        .values()
        .map(|d| {
            let named = d.inst.operands().len() + d.inst.constants().count();
            size_of::<Definition>() + size_of::<Value>() * named
        })
        .sum();
    let constants = size_of::<Constant>() * circuit.constants.len();
    (weights + instructions + constants) as u64
}

/// The total number of slots of the ciphertexts from whose layouts constants are cut slot by slot, each of which takes a
/// table of elements.
pub(super) fn places(circuit: &Circuit) -> u64 {
    let mut places = BTreeSet::new();
    for constant in circuit.constants.values() {
        match (constant, circuit.operators.get(constant.operator())) {
            (
                Constant::Diagonal { input, output, .. },
                Some(Operator::Linear {
                    input: x,
                    output: y,
                    ..
                }),
            ) => places.extend([(*x, *input), (*y, *output)]),
            (Constant::Fill { part, .. }, Some(Operator::Broadcast { layout, .. })) => {
                places.insert((*layout, *part));
            }
            // One number is read without tables; nothing else is in a verified circuit.
            _ => {}
        }
    }
    let slots = |(layout, _)| circuit.layouts.get(layout).map(|l| u64::from(l.slots()));
    places.into_iter().filter_map(slots).sum()
}
