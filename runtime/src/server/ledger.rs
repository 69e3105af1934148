//! The memory of the process: what it may take, and what open sessions were promised.

use super::error::{NoRoom, ServerError};
use super::options::{ServerOptions, Usage};
use crate::exec::memory::{self, Budget, MemoryError, Prediction};
use crate::exec::{Cache, Footprint, KeyResidence, Plan, Pools, Weights};
use peregrine_ir::Circuit;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The books of one process, and the encoded constants that its sessions share.
#[derive(Debug)]
pub(super) struct Ledger<P> {
    limit: Option<u64>,
    usage: Usage,
    state: Mutex<State<P>>,
}

#[derive(Debug)]
struct State<P> {
    open: usize,
    /// Of all open sessions.
    promised: Share,
    weights: Weights<P>,
}

/// What a session has for itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    /// Bytes of values, evaluation keys, inputs and outputs.
    bytes: u64,
    /// Bytes of evaluation keys among them that are expanded for good.
    expanded: u64,
}

/// A session that is to be opened.
pub(super) struct Request<'r, F> {
    pub(super) circuit: &'r Circuit,
    pub(super) footprint: &'r F,
    pub(super) window: usize,
    pub(super) keys: KeyResidence,
    /// Most bytes of the process with this session.
    pub(super) limit: Option<u64>,
}

/// A session that has its memory.
pub(super) struct Promise<P> {
    pub(super) plan: Plan,
    pub(super) prediction: Prediction,
    pub(super) cache: Cache<P>,
    pub(super) share: Share,
}

impl<P> Ledger<P> {
    /// Nothing is promised yet.
    pub(super) fn new(options: &ServerOptions) -> Self {
        Self {
            limit: options.memory,
            usage: options.usage,
            state: Mutex::new(State {
                open: 0,
                promised: Share::default(),
                weights: Weights::default(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans a session and promises it memory.
    ///
    /// # Errors
    /// When the limit leaves too little.
    pub(super) fn open<F: Footprint>(
        &self,
        request: &Request<'_, F>,
    ) -> Result<Promise<P>, ServerError> {
        let limit = [self.limit, request.limit].into_iter().flatten().min();
        let mut state = self.state();
        let fitted = match state.fit(self.usage, limit, request) {
            Ok(fitted) => Ok(fitted),
            // Constants that sessions left behind make room.
            Err(_) => {
                state.weights.sweep();
                state.fit(self.usage, limit, request)
            }
        };
        let (plan, mut prediction) =
            fitted.map_err(|error| state.refusal(self.usage, request, error))?;
        // What the others take is no part of this session's prediction.
        prediction.fixed = prediction.fixed.saturating_sub(state.beside());
        let footprint = request.footprint;
        let share = Share {
            bytes: prediction.values + prediction.keys + footprint.transfer(),
            expanded: memory::expanded_bytes(footprint, &plan),
        };
        state.open += 1;
        state.promised.bytes += share.bytes;
        state.promised.expanded += share.expanded;
        let bytes = |value| footprint.value(value).total();
        Ok(Promise {
            cache: state.weights.cache(&plan, bytes),
            plan,
            prediction,
            share,
        })
    }

    /// Takes back what a session had for itself; the constants that it had encoded stay until the room is needed.
    pub(super) fn close(&self, share: Share) {
        let mut state = self.state();
        state.open -= 1;
        state.promised.bytes -= share.bytes;
        state.promised.expanded -= share.expanded;
    }

    /// How many constants are encoded now.
    pub(super) fn encoded(&self) -> usize {
        self.state().weights.encoded()
    }
}

impl<P> State<P> {
    /// Bytes that open sessions have for themselves and encoded constants take.
    fn beside(&self) -> u64 {
        self.promised.bytes + self.weights.bytes()
    }

    fn fit<F: Footprint>(
        &self,
        usage: Usage,
        limit: Option<u64>,
        request: &Request<'_, F>,
    ) -> Result<(Plan, Prediction), MemoryError> {
        let budget = Budget {
            window: request.window,
            keys: request.keys,
            expanded: usage.expanded_keys.saturating_sub(self.promised.expanded),
            limit,
            cache: usage.cache.saturating_sub(self.weights.bytes()),
            process: usage.process.saturating_add(self.beside()),
        };
        let kept = self.weights.values();
        memory::fit_beside(request.circuit, request.footprint, budget, &kept)
    }

    /// Why a session is not opened.
    fn refusal<F: Footprint>(
        &self,
        usage: Usage,
        request: &Request<'_, F>,
        error: MemoryError,
    ) -> ServerError {
        if self.open == 0 {
            return error.into();
        }
        let (limit, least) = (error.limit, error.prediction.total());
        let taken = usage
            .process
            .saturating_add(self.beside() + request.footprint.shared());
        let no_room = NoRoom {
            needed: least.saturating_sub(taken),
            free: limit.saturating_sub(taken),
            limit,
            least,
            open: self.open,
        };
        no_room.into()
    }
}
