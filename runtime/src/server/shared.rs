//! The state that a server and all its sessions share.

use super::error::ServerError;
use super::ledger::{Ledger, Share};
use super::options::ServerOptions;
use crate::backend::cpu::Plain;
use crate::binding;
use crate::params::Rings;
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{Interface, Verified};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;

/// A circuit that is ready to run, with its threads and memory.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) circuit: Verified,
    pub(super) interface: Interface,
    pub(super) rings: Arc<Rings>,
    pub(super) ledger: Ledger<Plain>,
    pool: Option<ThreadPool>,
}

impl Shared {
    pub(super) fn new(circuit: Verified, options: &ServerOptions) -> Result<Self, ServerError> {
        let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = options.threads.map(pool).transpose()?;
        let rings = || binding::rings(&circuit.rings);
        Ok(Self {
            interface: Interface::of(&circuit),
            rings: pool
                .as_ref()
                .map_or_else(rings, |pool| pool.install(rings))?,
            circuit,
            ledger: Ledger::new(options),
            pool,
        })
    }

    /// Runs `work` on the threads of the server, or on those of the caller if it has none.
    pub(super) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Frees the buffers that nothing uses now.
    pub(super) fn free_buffers(&self) {
        for level in 0..self.circuit.rings.levels.len() {
            self.rings.at(level).ring().free_buffers();
        }
    }

    pub(super) fn check_circuit(
        &self,
        what: &'static str,
        found: Fingerprint,
    ) -> Result<(), ServerError> {
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

/// The memory of one open session, which goes back to the server when this is dropped.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) shared: Arc<Shared>,
    pub(super) share: Share,
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.shared.ledger.close(self.share);
    }
}
