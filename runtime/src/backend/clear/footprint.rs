//! The memory of a simulation.

use crate::backend::weights;
use crate::exec::{Footprint, KeyForm, Wave};
use peregrine_ir::{Circuit, Key, Value};

/// The bytes that a simulation takes for the parts of a circuit, with values for one image.
#[derive(Clone, Copy, Debug)]
pub struct ClearFootprint<'c> {
    circuit: &'c Circuit,
}

impl<'c> ClearFootprint<'c> {
    /// The footprint of a circuit.
    pub fn of(circuit: &'c Circuit) -> Self {
        Self { circuit }
    }
}

impl Footprint for ClearFootprint<'_> {
    type Pools = u64;

    /// Bytes of real slots: imaginary parts are rare.
    fn value(&self, value: Value) -> u64 {
        let ty = self.circuit.type_of(value);
        let slots = ty.map_or(0, |ty| self.circuit.rings.at(ty.level()).slots());
        u64::from(slots) * size_of::<f64>() as u64
    }

    fn scratch(&self, _: &Wave) -> u64 {
        0
    }

    fn key(&self, _: Key, _: KeyForm) -> u64 {
        0
    }

    fn reading(&self, _: Key, _: KeyForm) -> u64 {
        0
    }

    fn shared(&self) -> u64 {
        let tables = weights::places(self.circuit) * size_of::<u32>() as u64;
        weights::circuit_bytes(self.circuit) + tables
    }

    fn transfer(&self) -> u64 {
        let inputs = self.circuit.inputs.iter().flat_map(|port| &port.values);
        let outputs = self.circuit.outputs.iter().flat_map(|port| &port.values);
        inputs.chain(outputs).map(|&value| self.value(value)).sum()
    }

    fn held(&self, most: u64) -> u64 {
        most
    }

    fn encoding(&self, plain: Value) -> u64 {
        self.value(plain)
    }
}
