//! Fragments on a server: the values that they take and give, and their runs.

use super::Server;
use super::error::ServerError;
use super::session::Session;
use super::shared::Shared;
use crate::backend::Transfer;
use crate::exec::{self, ExecError, Progress};
use crate::wire::{self, EncryptedInputs, EncryptedOutputs, EncryptedPort, FragmentValues};
use crate::wire::{HostValue, InputsId, MissingValues};
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{Link, Value};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The circuit that values belong to: for a fragment, the one that was cut.
fn whole(shared: &Shared) -> Fingerprint {
    let fragment = shared.circuit.fragment.as_ref();
    fragment.map_or(shared.interface.fingerprint(), |fragment| fragment.whole)
}

impl Server {
    /// The inputs that a client has sent for this circuit, as values for its fragments.
    ///
    /// # Errors
    /// When they are for another circuit.
    pub fn input_values(&self, inputs: EncryptedInputs) -> Result<FragmentValues, ServerError> {
        let shared = &*self.0;
        shared.check_circuit("the ciphertext", inputs.fingerprint)?;
        let id = InputsId::of(&wire::write_inputs(&inputs, &shared.rings));
        let (key_pair, ports) = (inputs.key_pair, shared.circuit.inputs.iter());
        let seeded = ports.zip(inputs.ports).flat_map(|(port, encrypted)| {
            let values = port.values.iter().copied();
            values.zip(encrypted.ciphertexts).collect::<Vec<_>>()
        });
        let seeded: Vec<_> = seeded.collect();
        let expand = || {
            let seeded = seeded.into_par_iter();
            let expanded = seeded.map(|(value, a)| {
                let params = shared.rings.at(a.level());
                let cipher = a.expand(params).map_err(wire::WireError::from)?;
                Ok((value, HostValue::Cipher(cipher)))
            });
            expanded.collect::<Result<BTreeMap<_, _>, ServerError>>()
        };
        Ok(FragmentValues {
            whole: shared.interface.fingerprint(),
            key_pair,
            inputs: id,
            values: shared.install(expand)?,
        })
    }

    /// The outputs of this circuit from the values that its fragments have given, and from its inputs where a port passes one on.
    ///
    /// # Errors
    /// When the values are of another circuit, or one is missing.
    pub fn output_values(&self, values: &FragmentValues) -> Result<EncryptedOutputs, ServerError> {
        let shared = &*self.0;
        shared.check_circuit("the values", values.whole)?;
        let ports = shared.circuit.outputs.iter();
        let ports = ports.zip(shared.interface.outputs()).map(|(port, of)| {
            let ciphertexts = port.values.iter().map(|name| match values.get(*name) {
                Some(HostValue::Cipher(cipher)) => Ok(cipher.clone()),
                _ => Err(MissingValues::of([*name]).into()),
            });
            Ok(EncryptedPort {
                name: port.name.clone(),
                level: of.level,
                ciphertexts: ciphertexts.collect::<Result<_, ServerError>>()?,
            })
        });
        Ok(EncryptedOutputs {
            fingerprint: values.whole,
            key_pair: values.key_pair,
            ports: ports.collect::<Result<_, ServerError>>()?,
        })
    }

    /// Reads from a file the values that this fragment takes; for a whole circuit, its inputs and outputs. Other values in the
    /// file are skipped.
    ///
    /// # Errors
    /// When the file is damaged, of another circuit, or a value is not of its type.
    pub fn read_values(&self, file: &[u8]) -> Result<FragmentValues, ServerError> {
        let circuit = &self.0.circuit;
        let named: BTreeMap<Value, Value> = match circuit.fragment {
            Some(_) => {
                let imports = circuit.imports().iter();
                imports.map(|link| (link.whole, link.value)).collect()
            }
            None => {
                let inputs = circuit.inputs.iter().flat_map(|port| &port.values);
                let ends = inputs.copied().chain(circuit.leaving());
                ends.map(|value| (value, value)).collect()
            }
        };
        self.read(file, |name| named.get(&name).copied())
    }

    /// Reads all values of this circuit from a file, those inside it as well; the values of a run that goes on from there.
    ///
    /// # Errors
    /// When the circuit is a fragment, the file is damaged, of another circuit, or a value is not of its type.
    pub fn read_all_values(&self, file: &[u8]) -> Result<FragmentValues, ServerError> {
        if let Some(fragment) = &self.0.circuit.fragment {
            let whole = fragment.whole;
            return Err(ExecError::Fragment { whole }.into());
        }
        self.read(file, Some)
    }

    /// Reads values from a file; `named` gives their names in this circuit.
    fn read(
        &self,
        file: &[u8],
        named: impl Fn(Value) -> Option<Value>,
    ) -> Result<FragmentValues, ServerError> {
        let shared = &*self.0;
        let wanted = |name| shared.circuit.type_of(named(name)?).cloned();
        let values = wire::read_values(file, whole(shared), wanted, &shared.rings);
        Ok(values?)
    }

    /// The bytes of a file of values.
    pub fn write_values(&self, values: &FragmentValues) -> Vec<u8> {
        wire::write_values(values, &self.0.rings)
    }
}

impl Session {
    /// Runs a fragment on the values that it takes, and returns its exports. A run that fails or is cancelled leaves nothing
    /// behind: the session can run again.
    ///
    /// # Errors
    /// When the values are of another circuit or under another key than that of the session's keys, one is missing, an
    /// instruction fails, or `progress` cancels the run ([`ServerError::Cancelled`]).
    pub fn run_fragment(
        &self,
        values: &FragmentValues,
        progress: &dyn Progress,
    ) -> Result<FragmentValues, ServerError> {
        let shared = self.shared();
        let expected = whole(shared);
        if values.whole != expected {
            return Err(ServerError::Foreign {
                what: "a value",
                found: values.whole,
                expected,
            });
        }
        self.check_key_pair(values.key_pair)?;
        let exports = shared.install(|| self.exports(values, progress))?;
        Ok(FragmentValues {
            whole: expected,
            key_pair: values.key_pair,
            inputs: values.inputs,
            values: exports,
        })
    }

    fn exports(
        &self,
        values: &FragmentValues,
        progress: &dyn Progress,
    ) -> Result<BTreeMap<Value, HostValue>, ServerError> {
        let (circuit, evaluator) = (&self.shared().circuit, self.evaluator());
        let imports = circuit.imports();
        let lacking = imports.iter().map(|link| link.whole);
        let lacking = MissingValues::of(lacking.filter(|name| values.get(*name).is_none()));
        if !lacking.values.is_empty() {
            return Err(lacking.into());
        }
        let given = imports.iter().filter_map(|link| values.get(link.whole));
        let given = given.map(|value| evaluator.import_value(value.clone()));
        let given = given.collect::<Result<Vec<_>, _>>()?;
        let (plan, cache) = self.plan();
        let exports = exec::run_fragment(circuit, evaluator, plan, cache, given, progress)?;
        let named = circuit.exports().iter().zip(exports);
        let named = named.filter_map(|(&Link { whole, value }, held)| {
            let ty = circuit.type_of(value)?;
            Some(evaluator.export_value(held, ty).map(|value| (whole, value)))
        });
        Ok(named.collect::<Result<_, _>>()?)
    }
}
