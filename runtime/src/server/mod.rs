//! The server: runs a circuit on ciphertexts with public evaluation keys. Nothing here can decrypt.
//!
//! 1. [`Server::new`] prepares the circuit's ring.
//! 2. [`Server::session`] takes the evaluation keys and a memory limit, and refuses before any work what cannot succeed.
//! 3. [`Session::run`] turns encrypted inputs into encrypted outputs.

use crate::binding;
use crate::ckks::{Ciphertext, CkksError, SeededCiphertext};
use crate::exec::memory::{self, Budget, MemoryError, Prediction};
use crate::exec::{
    self, Cache, CkksEvaluator, CkksRunError, Evaluator, ExecError, KeySource, Plain, Plan,
    Progress,
};
use crate::params::{ParametersError, Rings};
use crate::wire::{
    self, EncryptedInputs, EncryptedOutputs, EncryptedPort, KeyBytes, KeyFile, StoredKeys,
    WireError,
};
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{Interface, KeyPairId, Verified};
use rayon::prelude::*;
use std::sync::Arc;

/// A circuit that is ready to run.
#[derive(Debug)]
pub struct Server {
    circuit: Verified,
    interface: Interface,
    rings: Arc<Rings>,
}

/// What a run may use.
#[derive(Clone, Copy, Debug)]
pub struct Resources {
    /// Most instructions side by side; as many as there are threads is a good choice.
    pub window: usize,
    /// Most bytes for everything: values, evaluation keys, circuit, tables, and what [`Usage`] adds.
    pub memory: Option<u64>,
}

/// What a session is for; by default a single run in a process that takes no memory itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Most bytes for encoded constants that are kept from one run to the next: of use only if there are several runs.
    /// A memory limit bounds them further.
    pub cache: u64,
    /// Most bytes for evaluation keys from a file that are expanded once for all their uses; the others are expanded anew for
    /// each use. Of use only if there are several runs: a single one is over sooner without. A memory limit bounds them
    /// further.
    pub expanded_keys: u64,
    /// Bytes of the process beside the session: the program, what its caller holds.
    pub process: u64,
}

impl Resources {
    /// As wide as the current thread pool, with a memory limit if any.
    pub fn of_thread_pool(memory: Option<u64>) -> Self {
        Self {
            window: rayon::current_num_threads(),
            memory,
        }
    }
}

impl Server {
    /// Prepares a circuit.
    ///
    /// # Errors
    /// When the engine cannot work in its rings.
    pub fn new(circuit: Verified) -> Result<Self, ServerError> {
        Ok(Self {
            interface: Interface::of(&circuit),
            rings: binding::rings(&circuit.ring)?,
            circuit,
        })
    }

    /// The circuit.
    pub fn circuit(&self) -> &Verified {
        &self.circuit
    }

    /// What its clients know of it.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Finds the evaluation keys of this circuit in a file; each key is read when it is first used.
    ///
    /// # Errors
    /// When the file is damaged or lacks a key.
    pub fn read_keys(&self, file: KeyBytes) -> Result<StoredKeys, ServerError> {
        self.find_keys(vec![KeyFile::open(file)?])
    }

    /// The same in several files, of one key pair.
    ///
    /// # Errors
    /// When they are of different pairs, or no file has a key that the circuit needs: names all that are missing.
    pub fn find_keys(&self, files: Vec<KeyFile>) -> Result<StoredKeys, ServerError> {
        Ok(StoredKeys::find(files, &self.interface, &self.rings)?)
    }

    /// Reads what a client sent.
    ///
    /// # Errors
    /// When it is for another circuit, or damaged.
    pub fn read_inputs(&self, file: &[u8]) -> Result<EncryptedInputs, ServerError> {
        Ok(wire::read_inputs(file, &self.interface, &self.rings)?)
    }

    /// What a client receives, as a file.
    pub fn write_outputs(&self, outputs: &EncryptedOutputs) -> Vec<u8> {
        wire::write_outputs(outputs, &self.rings)
    }

    /// Everything a single run needs, checked.
    ///
    /// # Errors
    /// When a key is missing or the keys are for other rings, or the run does not fit the memory limit.
    pub fn session(
        &self,
        keys: Arc<dyn KeySource>,
        resources: Resources,
    ) -> Result<Session<'_>, ServerError> {
        self.session_for(keys, resources, Usage::default())
    }

    /// The same for several runs, or in a process whose memory counts.
    ///
    /// # Errors
    /// As for [`Self::session`].
    pub fn session_for(
        &self,
        keys: Arc<dyn KeySource>,
        resources: Resources,
        usage: Usage,
    ) -> Result<Session<'_>, ServerError> {
        if keys.rings().literal() != self.rings.literal() {
            return Err(ServerError::OtherRings);
        }
        let key_pair = keys.key_pair();
        let Resources { window, memory } = resources;
        let budget = Budget {
            window,
            keys: keys.residence(),
            expanded: usage.expanded_keys,
            limit: memory,
            cache: usage.cache,
            process: usage.process,
        };
        let (plan, prediction) = memory::fit(&self.circuit, budget)?;
        let evaluator = CkksEvaluator::new(&self.rings, keys, plan.expanded().clone());
        evaluator.accept(&self.circuit)?;
        Ok(Session {
            server: self,
            key_pair,
            evaluator,
            cache: Cache::of(&plan),
            plan,
            prediction,
        })
    }

    fn check_circuit(&self, what: &'static str, found: Fingerprint) -> Result<(), ServerError> {
        let expected = self.interface.fingerprint();
        if found == expected {
            return Ok(());
        }
        Err(ServerError::Foreign {
            what,
            found,
            expected,
        })
    }
}

/// A circuit with its keys and plan, for any number of runs.
#[derive(Debug)]
pub struct Session<'s> {
    server: &'s Server,
    key_pair: KeyPairId,
    evaluator: CkksEvaluator,
    cache: Cache<Plain>,
    plan: Plan,
    prediction: Prediction,
}

impl Session<'_> {
    /// The memory a run is predicted to take.
    pub fn prediction(&self) -> Prediction {
        self.prediction
    }

    /// Runs the circuit.
    ///
    /// # Errors
    /// When the inputs are for another circuit or encrypted under another key than that of the session's keys, or an instruction fails.
    pub fn run(
        &self,
        inputs: EncryptedInputs,
        progress: &dyn Progress,
    ) -> Result<EncryptedOutputs, ServerError> {
        let server = self.server;
        server.check_circuit("the ciphertext", inputs.fingerprint)?;
        let key_pair = inputs.key_pair;
        if key_pair != self.key_pair {
            return Err(ServerError::KeyPair {
                inputs: key_pair,
                keys: self.key_pair,
            });
        }
        let expand = |port: EncryptedPort<_>| self.expand(port);
        let inputs = inputs.ports.into_iter().map(expand);
        let inputs = inputs.collect::<Result<_, _>>()?;
        let (circuit, evaluator) = (&server.circuit, &self.evaluator);
        let (plan, cache) = (&self.plan, &self.cache);
        let results = exec::run_again(circuit, evaluator, plan, cache, inputs, progress)?;
        let ports = server.interface.outputs().iter().zip(results);
        let ports = ports.map(|(port, ciphertexts)| EncryptedPort {
            name: port.name.clone(),
            level: port.level,
            ciphertexts,
        });
        Ok(EncryptedOutputs {
            fingerprint: server.interface.fingerprint(),
            key_pair,
            ports: ports.collect(),
        })
    }

    fn expand(&self, port: EncryptedPort<SeededCiphertext>) -> Result<Vec<Ciphertext>, CkksError> {
        let params = self.server.rings.at(binding::level(port.level));
        let ciphertexts = port.ciphertexts.into_par_iter();
        ciphertexts.map(|c| c.expand(params)).collect()
    }
}

/// Why the server cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The engine cannot work in the circuit's ring.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// Something that belongs to another circuit.
    #[error("{what} belongs to circuit {found}, expected one for circuit {expected}")]
    Foreign {
        /// What it is.
        what: &'static str,
        /// Its circuit.
        found: Fingerprint,
        /// The circuit of this server.
        expected: Fingerprint,
    },
    /// Inputs and evaluation keys of two key pairs.
    #[error(
        "the ciphertexts were encrypted under key pair {inputs}, the evaluation keys belong to {keys}"
    )]
    KeyPair {
        /// That of the inputs.
        inputs: KeyPairId,
        /// That of the evaluation keys.
        keys: KeyPairId,
    },
    /// Evaluation keys in memory that are for other rings.
    #[error("the evaluation keys are for a circuit with other rings")]
    OtherRings,
    /// The run does not fit.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The keys do not serve the circuit.
    #[error(transparent)]
    Keys(#[from] CkksRunError),
    /// A file is not what it should be.
    #[error(transparent)]
    File(#[from] WireError),
    /// An input does not expand.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] ExecError<CkksRunError>),
}
