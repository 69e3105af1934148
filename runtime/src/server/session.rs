//! Sessions: a circuit with the evaluation keys of one client.

use super::error::ServerError;
use super::ledger::{Promise, Request};
use super::options::Resources;
use super::shared::{Grant, Shared};
use crate::backend::Transfer;
use crate::backend::cpu::{CkksEvaluator, CpuFootprint, KeySource, Plain};
use crate::ckks::{Ciphertext, SeededCiphertext};
use crate::exec::memory::Prediction;
use crate::exec::{self, Cache, Evaluator, Plan, Progress};
use crate::wire::{EncryptedInputs, EncryptedOutputs, EncryptedPort};
use peregrine_ir::KeyPairId;
use rayon::prelude::*;
use std::sync::Arc;

/// A session: a circuit with the evaluation keys of one client and a plan, for any number of runs. Clones are the same session,
/// which closes with the last of them and then gives its memory back to the server.
///
/// The memory of a session is that of one run at a time: for runs side by side, open a session for each.
///
/// ```
/// # use peregrine_ir::{text, verify};
/// # let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/square.fhe"));
/// # let circuit = verify(text::parse(text)?)?;
/// # use peregrine_ir::{Interface, Shape};
/// # use peregrine_runtime::{client::Client, ports::Array, ring::Randomness};
/// # let client = Client::new(Interface::of(&circuit))?;
/// # let mut randomness = Randomness::from_os();
/// # let secret = client.generate_secret(&mut randomness)?;
/// # let keys = client.evaluation_keys(&secret, &mut randomness)?;
/// # let x = Array::new(Shape::new([1, 8])?, vec![0.5; 8])?;
/// # let inputs = client.encrypt(&secret, &[("x".to_owned(), x)].into(), &mut randomness)?;
/// # use peregrine_runtime::server::{Resources, Server};
/// # use std::sync::Arc;
/// # let server = Server::new(circuit)?;
/// # let session = server.session(Arc::new(keys), Resources::of_thread_pool(None))?;
/// use peregrine_runtime::exec::{CancelFlag, Silent};
/// use peregrine_runtime::server::ServerError;
///
/// // A session goes to any thread, and a run can be cancelled from any other.
/// let (other, sent) = (session.clone(), inputs.clone());
/// let flag = CancelFlag::default();
/// flag.raise();
/// let run = std::thread::spawn(move || other.run(sent, &flag));
/// let Err(ServerError::Cancelled(cancelled)) = run.join().unwrap() else {
///     panic!("the flag was raised before the run");
/// };
/// assert_eq!((cancelled.done, cancelled.total), (0, 3));
///
/// // It runs again afterwards.
/// let outputs = session.run(inputs, &Silent)?;
/// let y = &client.decrypt(&secret, &outputs, None)?.outputs["y"];
/// assert!(y.data().iter().all(|y| (y - 0.25).abs() < 1e-3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    key_pair: KeyPairId,
    evaluator: CkksEvaluator,
    cache: Cache<Plain>,
    plan: Plan,
    prediction: Prediction,
    /// The memory of the session; dropped last, when keys and constants are gone.
    grant: Grant,
}

impl Session {
    /// Opens a session: checks keys, plans the runs and takes the memory.
    pub(super) fn open(
        shared: &Arc<Shared>,
        keys: Arc<dyn KeySource>,
        resources: Resources,
    ) -> Result<Self, ServerError> {
        if keys.rings().literal() != shared.rings.literal() {
            return Err(ServerError::OtherRings);
        }
        let footprint = CpuFootprint::of(&shared.circuit);
        let request = Request {
            circuit: &shared.circuit,
            footprint: &footprint,
            window: resources.window,
            keys: keys.residence(),
            limit: resources.memory,
        };
        let Promise {
            plan,
            prediction,
            cache,
            share,
            crowded,
        } = shared.ledger.open(&request)?;
        let grant = Grant {
            shared: shared.clone(),
            share,
        };
        if crowded {
            shared.free_buffers();
        }
        // From here on the grant gives the memory back if anything fails.
        let key_pair = keys.key_pair();
        let evaluator = CkksEvaluator::new(&shared.rings, keys, plan.expanded().clone());
        evaluator.accept(&shared.circuit)?;
        Ok(Self(Arc::new(Inner {
            key_pair,
            evaluator,
            cache,
            plan,
            prediction,
            grant,
        })))
    }

    /// The predicted memory of a run, with what it shares with other sessions, and without what these take for themselves.
    pub fn prediction(&self) -> Prediction {
        self.0.prediction
    }

    /// Runs the circuit. A run that fails or is cancelled leaves nothing behind: the session can run again.
    ///
    /// # Errors
    /// When the inputs are for another circuit or encrypted under another key than that of the session's keys, an instruction fails, or
    /// `progress` cancels the run ([`ServerError::Cancelled`]).
    pub fn run(
        &self,
        inputs: EncryptedInputs,
        progress: &dyn Progress,
    ) -> Result<EncryptedOutputs, ServerError> {
        let session = &*self.0;
        let shared = &session.grant.shared;
        shared.check_circuit("the ciphertext", inputs.fingerprint)?;
        self.check_key_pair(inputs.key_pair)?;
        let ports = shared.install(|| session.run(inputs.ports, progress))?;
        Ok(EncryptedOutputs {
            fingerprint: shared.interface.fingerprint(),
            key_pair: session.key_pair,
            ports,
        })
    }
}

impl Session {
    pub(super) fn shared(&self) -> &Shared {
        &self.0.grant.shared
    }

    pub(super) fn evaluator(&self) -> &CkksEvaluator {
        &self.0.evaluator
    }

    pub(super) fn plan(&self) -> (&Plan, &Cache<Plain>) {
        (&self.0.plan, &self.0.cache)
    }

    /// Checks that inputs are encrypted under the key pair of the session's keys.
    pub(super) fn check_key_pair(&self, inputs: KeyPairId) -> Result<(), ServerError> {
        let keys = self.0.key_pair;
        match inputs == keys {
            true => Ok(()),
            false => Err(ServerError::KeyPair { inputs, keys }),
        }
    }
}

impl Inner {
    fn run(
        &self,
        inputs: Vec<EncryptedPort<SeededCiphertext>>,
        progress: &dyn Progress,
    ) -> Result<Vec<EncryptedPort<Ciphertext>>, ServerError> {
        let (shared, evaluator) = (&self.grant.shared, &self.evaluator);
        let import = |port: EncryptedPort<SeededCiphertext>| {
            let ciphertexts = port.ciphertexts.into_par_iter();
            ciphertexts.map(|a| evaluator.import(a)).collect()
        };
        let inputs = inputs.into_iter().map(import);
        let inputs = inputs.collect::<Result<Vec<Vec<_>>, _>>()?;
        let (circuit, plan, cache) = (&shared.circuit, &self.plan, &self.cache);
        let results = exec::run_again(circuit, evaluator, plan, cache, inputs, progress)?;
        let ports = shared.interface.outputs().iter().zip(results);
        let ports = ports.map(|(port, results)| {
            let ciphertexts = results.into_iter().map(|a| evaluator.export(a));
            Ok(EncryptedPort {
                name: port.name.clone(),
                level: port.level,
                ciphertexts: ciphertexts.collect::<Result<_, _>>()?,
            })
        });
        ports.collect()
    }
}
