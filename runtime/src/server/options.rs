//! Options of a server, and resources of its sessions.

/// The threads and the memory of a server, for all sessions together; by default the threads of whoever calls, and any memory.
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
/// # use peregrine_runtime::backend::cpu::KeySource;
/// # use std::sync::Arc;
/// # let keys: Arc<dyn KeySource> = Arc::new(keys);
/// use peregrine_runtime::server::{Server, ServerError, ServerOptions};
///
/// // Two threads, and memory for one session.
/// let mut options = ServerOptions {
///     threads: Some(2),
///     ..ServerOptions::default()
/// };
/// let free = Server::with_options(circuit.clone(), options)?;
/// let needed = free.session(keys.clone(), free.resources())?.prediction().total();
/// options.memory = Some(needed);
/// let server = Server::with_options(circuit, options)?;
/// let first = server.session(keys.clone(), server.resources())?;
/// let second = server.session(keys.clone(), server.resources());
/// assert!(matches!(second, Err(ServerError::NoRoom(_))));
/// drop(first);
/// let second = server.session(keys, server.resources());
/// assert!(second.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// The number of threads of the server's own pool, 0 for as many as there are processors. Without it, runs use the thread
    /// pool of whoever runs a session.
    pub threads: Option<usize>,
    /// The most bytes that the process may take for everything: values and evaluation keys of all open sessions, circuit, tables,
    /// and what [`Usage`] adds.
    pub memory: Option<u64>,
    /// What memory is used for, beside running.
    pub usage: Usage,
}

/// The uses of a server's memory; by default none beyond single runs, in a process that takes no memory itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// The most bytes for encoded constants, which all sessions share and which are kept from one run to the next: of use only
    /// for several runs. A memory limit bounds them further.
    pub cache: u64,
    /// The most bytes for evaluation keys from files that are expanded once for all their uses, over all sessions; others are
    /// expanded anew for each use. Of use only for several runs: a single one is over sooner without. A memory limit bounds them
    /// further.
    pub expanded_keys: u64,
    /// Bytes of the process beside the server: the program, and the memory of its caller.
    pub process: u64,
}

/// The resources of a session: instructions side by side, and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// The largest number of instructions side by side; the number of threads is a good choice.
    pub window: usize,
    /// The most bytes that the process may take with this session, where that is less than [`ServerOptions::memory`].
    pub memory: Option<u64>,
}

impl Resources {
    /// Resources for a session as wide as the current thread pool, with a memory limit if `memory` is given.
    pub fn of_thread_pool(memory: Option<u64>) -> Self {
        Self {
            window: rayon::current_num_threads(),
            memory,
        }
    }
}
