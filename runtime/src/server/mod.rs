//! The server: runs a circuit on ciphertexts with public evaluation keys. Nothing here can decrypt.
//!
//! 1. [`Server::new`] prepares the circuit's rings; [`ServerOptions`] give it threads and a memory limit of its own.
//! 2. [`Server::session`] takes the evaluation keys of one client, and refuses before any work what cannot succeed.
//! 3. [`Session::run`] turns encrypted inputs into encrypted outputs.
//!
//! All sessions of a server share its circuit, its tables and its encoded constants, and draw their memory from one limit.

mod error;
mod fragment;
mod ledger;
mod options;
mod session;
mod shared;

pub use error::{NoRoom, ServerError};
pub use options::{Resources, ServerOptions, Usage};
pub use session::Session;

use crate::backend::cpu::KeySource;
use crate::wire::{self, EncryptedInputs, EncryptedOutputs, KeyBytes, KeyFile, StoredKeys};
use peregrine_ir::{Interface, Verified};
use shared::Shared;
use std::sync::Arc;

/// A server for one circuit. Clones are the same server.
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
/// use peregrine_runtime::exec::Silent;
/// use peregrine_runtime::server::Server;
/// use std::sync::Arc;
///
/// // A verified circuit, and what a client sent: evaluation keys once, inputs for each run.
/// let server = Server::new(circuit)?;
/// let session = server.session(Arc::new(keys), server.resources())?;
/// let outputs = session.run(inputs, &Silent)?;
/// let file = server.write_outputs(&outputs);
/// # assert_eq!(client.read_outputs(&file)?, outputs);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Server(Arc<Shared>);

impl Server {
    /// Prepares a circuit, to run on the threads of whoever calls, without a memory limit.
    ///
    /// # Errors
    /// When the engine cannot compute in its rings.
    pub fn new(circuit: Verified) -> Result<Self, ServerError> {
        Self::with_options(circuit, ServerOptions::default())
    }

    /// Prepares a circuit, with threads and memory of its own.
    ///
    /// # Errors
    /// When the engine cannot compute in its rings, or its threads cannot be started.
    pub fn with_options(circuit: Verified, options: ServerOptions) -> Result<Self, ServerError> {
        Ok(Self(Arc::new(Shared::new(circuit, &options)?)))
    }

    /// The circuit that the server runs.
    pub fn circuit(&self) -> &Verified {
        &self.0.circuit
    }

    /// The interface of the circuit, which its clients need.
    pub fn interface(&self) -> &Interface {
        &self.0.interface
    }

    /// Resources for a session as wide as the threads of the server, or of the current thread pool if it has none of its own,
    /// without a memory limit beyond that of the server.
    pub fn resources(&self) -> Resources {
        self.0.install(|| Resources::of_thread_pool(None))
    }

    /// The number of constants of the circuit that are encoded now, for all sessions.
    pub fn encoded_constants(&self) -> usize {
        self.0.ledger.encoded()
    }

    /// Finds the evaluation keys of this circuit in a file. Each key is read when it is first used.
    ///
    /// # Errors
    /// When the file is damaged or lacks a key.
    pub fn read_keys(&self, file: KeyBytes) -> Result<StoredKeys, ServerError> {
        self.find_keys(vec![KeyFile::open(file)?])
    }

    /// Finds the evaluation keys of this circuit in several files of one key pair. Each key is read when it is first used.
    ///
    /// # Errors
    /// When the files are of different pairs, or no file has a key that the circuit needs; the error names all that are missing.
    pub fn find_keys(&self, files: Vec<KeyFile>) -> Result<StoredKeys, ServerError> {
        Ok(StoredKeys::find(files, &self.0.interface, &self.0.rings)?)
    }

    /// Reads the inputs that a client has sent.
    ///
    /// # Errors
    /// When they are for another circuit, or the file is damaged.
    pub fn read_inputs(&self, file: &[u8]) -> Result<EncryptedInputs, ServerError> {
        let Shared {
            interface, rings, ..
        } = &*self.0;
        Ok(wire::read_inputs(file, interface, rings)?)
    }

    /// The bytes of the file of outputs that a client receives.
    pub fn write_outputs(&self, outputs: &EncryptedOutputs) -> Vec<u8> {
        wire::write_outputs(outputs, &self.0.rings)
    }

    /// Opens a session with the evaluation keys of a client. Everything that its runs need is checked, and its memory promised.
    ///
    /// # Errors
    /// When a key is missing, the keys are for other rings, or the limit does not leave the memory that a run takes: beside other
    /// sessions ([`ServerError::NoRoom`]) or at all ([`ServerError::Memory`]).
    pub fn session(
        &self,
        keys: Arc<dyn KeySource>,
        resources: Resources,
    ) -> Result<Session, ServerError> {
        let open = || Session::open(&self.0, keys, resources);
        self.0.install(open)
    }
}
