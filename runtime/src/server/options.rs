//! What a server and its sessions may use.

/// What a server may use of its machine, all sessions together; by default the threads of whoever calls, and any memory.
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
    /// Threads of its own that runs go on in, 0 for as many as there are processors; without, they go on in the thread pool of
    /// whoever runs a session.
    pub threads: Option<usize>,
    /// Most bytes that the process may take for everything: values and evaluation keys of all open sessions, circuit, tables,
    /// and what [`Usage`] adds.
    pub memory: Option<u64>,
    /// What the memory is for.
    pub usage: Usage,
}

/// What the memory of a server is for; by default single runs in a process that takes no memory itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Most bytes for encoded constants, which all sessions share and which are kept from one run to the next: of use only if there
    /// are several runs. A memory limit bounds them further.
    pub cache: u64,
    /// Most bytes for evaluation keys from files that are expanded once for all their uses, over all sessions; the others are
    /// expanded anew for each use. Of use only if there are several runs: a single one is over sooner without. A memory limit
    /// bounds them further.
    pub expanded_keys: u64,
    /// Bytes of the process beside the server: the program, what its caller holds.
    pub process: u64,
}

/// What a session may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Most instructions side by side; as many as there are threads is a good choice.
    pub window: usize,
    /// Most bytes that the process may take with this session, where that is less than [`ServerOptions::memory`].
    pub memory: Option<u64>,
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
