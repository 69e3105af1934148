//! What a run holds from beginning to end, whatever its plan.

use super::sizes::Sizes;
use crate::ring::transform_table_bytes;
use peregrine_ir::{Circuit, Constant, Definition, Operator, RingPart, Tensor, Value};
use std::collections::BTreeSet;

/// Bytes per coefficient of the tables of the encoder: two complex transforms of N/2 points, twists, the order of slots.
const ENCODER_TABLE_BYTES: u64 = 8 + 8 + 8 + 2;

/// Bytes per coefficient of the table of an automorphism.
const PERMUTATION_BYTES: u64 = 2;

/// Bytes per coefficient of what is taken once and given back to an allocator that keeps it, beside the pools of buffers: what
/// transforms are made from and test themselves with, and what threads encode with. Measured.
const ONCE_BYTES: u64 = 160;

/// How often a circuit is in memory while it is read: the file, its decoded messages, and the circuit.
const CIRCUIT_COPIES: u64 = 2;

/// How often the outputs are in memory when they are written: as values, as a result, as chunks and as a file.
const OUTPUT_COPIES: u64 = 3;

/// Bytes that a run of a circuit holds from beginning to end, beside values and keys:
///
/// 1. the circuit with its weights, twice, since what was needed to read it may not have been given back;
/// 2. the tables of the transforms, of the encoder, of the rotations and of the layouts;
/// 3. the inputs as they came, and the outputs as they go.
pub fn fixed_bytes(circuit: &Circuit) -> u64 {
    CIRCUIT_COPIES * circuit_bytes(circuit) + table_bytes(circuit) + transfer_bytes(circuit)
}

/// Weights and instructions.
fn circuit_bytes(circuit: &Circuit) -> u64 {
    let weights: usize = circuit
        .tensors
        .values()
        .map(|tensor| size_of::<Tensor>() + size_of_val(tensor.data()))
        .sum();
    let instructions: usize = circuit
        .values
        .values()
        .map(|d| {
            let named = d.inst.operands().len() + d.inst.constants().len();
            size_of::<Definition>() + size_of::<Value>() * named
        })
        .sum();
    let constants = size_of::<Constant>() * circuit.constants.len();
    (weights + instructions + constants) as u64
}

/// Tables that are made when they are first needed and kept.
fn table_bytes(circuit: &Circuit) -> u64 {
    let slot_bytes = size_of::<u32>() as u64;
    let parts = circuit.ring.parts();
    let of_rings: u64 = parts.map(|part| ring_table_bytes(circuit, part)).sum();
    of_rings + places(circuit) * slot_bytes
}

/// Those of one ring. Switching to the small ring takes no tables of its own.
fn ring_table_bytes(circuit: &Circuit, part: RingPart) -> u64 {
    let (ring, keys) = (&circuit.ring, circuit.keys.levels.keys());
    let view = ring.view(part);
    let chain = match part {
        RingPart::Main => ring.primes.len(),
        RingPart::Small => {
            let top = ring.levels_of(part).last();
            top.map_or(0, |top| ring.key_row(top).len())
        }
    };
    let primes = (chain + view.special.len()) as u64;
    let rotations = keys.filter(|key| key.part == part).count() as u64;
    let per_coefficient = ONCE_BYTES + ENCODER_TABLE_BYTES + rotations * PERMUTATION_BYTES;
    primes * transform_table_bytes(view.log_n) as u64 + (per_coefficient << view.log_n)
}

/// Slots of ciphertexts of layouts that a constant is cut from slot by slot, which takes a table of elements.
fn places(circuit: &Circuit) -> u64 {
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

/// Ciphertexts on their way in and out; those that come in have half of them as a seed.
fn transfer_bytes(circuit: &Circuit) -> u64 {
    let sizes = Sizes::new(&circuit.ring);
    let bytes = |value: &Value| circuit.type_of(*value).map_or(0, |ty| sizes.bytes_of(ty));
    let inputs = circuit.inputs.iter().flat_map(|port| &port.values);
    let outputs = circuit.outputs.iter().flat_map(|port| &port.values);
    inputs.map(bytes).sum::<u64>() / 2 + OUTPUT_COPIES * outputs.map(bytes).sum::<u64>()
}
