//! The memory that a run takes from beginning to end, whatever its plan.

use super::sizes::Sizes;
use crate::backend::weights;
use crate::ckks::LEAST_LOG_RATIO;
use crate::ring::transform_table_bytes;
use peregrine_ir::{Circuit, RingId, SpecialPrime, Value};
use std::collections::BTreeSet;

/// Bytes of the encoder's tables, for each coefficient: two complex transforms of N/2 points, twists, the order of slots.
const ENCODER_TABLE_BYTES: u64 = 8 + 8 + 8 + 2;

/// Bytes of the table of an automorphism, for each coefficient.
const PERMUTATION_BYTES: u64 = 2;

/// Bytes, for each coefficient, of memory that is taken once and given back to an allocator that keeps it, beside the pools of
/// buffers: for making and testing transforms, and for encoding in threads. Measured.
const ONCE_BYTES: u64 = 160;

/// The number of copies of a circuit in memory while it is read: the file, its decoded messages, and the circuit.
const CIRCUIT_COPIES: u64 = 2;

/// The number of copies of the outputs in memory while they are written: as values, as a result, as chunks and as a file.
const OUTPUT_COPIES: u64 = 3;

/// Bytes that all runs of a circuit hold from beginning to end, beside values and keys:
///
/// 1. the circuit with its weights, twice, since what was needed to read it may not have been given back;
/// 2. the tables of the transforms, of the encoder, of the rotations and of the layouts.
pub(super) fn shared_bytes(circuit: &Circuit) -> u64 {
    CIRCUIT_COPIES * weights::circuit_bytes(circuit) + table_bytes(circuit)
}

/// Bytes of tables that are made when they are first needed, and then kept.
fn table_bytes(circuit: &Circuit) -> u64 {
    // Of a slot of a layout: the number of its element, and a bit.
    let places = weights::places(circuit);
    let of_layouts = places * size_of::<u32>() as u64 + places / 8;
    let rings = circuit.rings.rings.keys();
    let of_rings: u64 = rings.map(|ring| ring_table_bytes(circuit, ring)).sum();
    of_rings + of_layouts
}

/// Bytes of the tables of one ring, which has the primes of the rings that it leads to, too. Switching rings takes no others.
fn ring_table_bytes(circuit: &Circuit, id: RingId) -> u64 {
    let (ring, keys) = (&circuit.rings, circuit.keys.levels.keys());
    let (view, rings) = (ring.view(id), ring.rings.iter());
    let leads = rings.filter(|(other, spec)| *other == id || spec.log_n < view.log_n());
    let mut chain = BTreeSet::new();
    let mut special: BTreeSet<SpecialPrime> = BTreeSet::new();
    for (other, spec) in leads {
        chain.extend(ring.primes_of(other));
        special.extend(&spec.special);
    }
    let primes = (chain.len() + special.len()) as u64;
    let rotations = keys.filter(|key| key.to == id).count() as u64;
    let per_coefficient = ONCE_BYTES + ENCODER_TABLE_BYTES + rotations * PERMUTATION_BYTES;
    // Slots that repeat are encoded in smaller rings, each of half the degree of the next.
    let short = view.log_n().checked_sub(LEAST_LOG_RATIO);
    let short = short.map_or(0, |log_n| 2 * transform_table_bytes(log_n));
    let tables = transform_table_bytes(view.log_n()) + short;
    primes * tables as u64 + (per_coefficient << view.log_n())
}

/// Bytes of the values that come and go in a run: inputs (half of each as a seed) or the imports of a fragment, and outputs or
/// exports.
pub(super) fn transfer_bytes(circuit: &Circuit) -> u64 {
    let sizes = Sizes::new(&circuit.rings);
    let bytes = |value: &Value| circuit.type_of(*value).map_or(0, |ty| sizes.bytes_of(ty));
    let inputs = circuit.inputs.iter().flat_map(|port| &port.values);
    let outputs = circuit.outputs.iter().flat_map(|port| &port.values);
    let imports = circuit.imports().iter().map(|link| &link.value);
    let exports = circuit.exports().iter().map(|link| &link.value);
    let outputs = outputs.chain(exports).map(bytes).sum::<u64>();
    inputs.map(bytes).sum::<u64>() / 2 + imports.map(bytes).sum::<u64>() + OUTPUT_COPIES * outputs
}
