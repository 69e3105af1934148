//! The ledger of a server's memory: what the process may take, and what open sessions have been promised.

use super::error::{NoRoom, ServerError};
use super::options::{ServerOptions, Usage};
use crate::exec::memory::{self, Budget, MemoryError, Prediction};
use crate::exec::{Cache, Footprint, KeyResidence, Plan, Pools, Weights};
use peregrine_ir::Circuit;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The account of a server's memory, with the encoded constants that its sessions share.
#[derive(Debug)]
pub(super) struct Ledger<P> {
    limit: Option<u64>,
    usage: Usage,
    state: Mutex<State<P>>,
}

#[derive(Debug)]
struct State<P> {
    open: usize,
    /// The shares of all open sessions together.
    promised: Share,
    /// The most bytes that were promised at once since buffers were freed: runs may have left buffers of as many bytes.
    most: u64,
    weights: Weights<P>,
}

/// The memory that a session has for itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    /// Bytes of values, evaluation keys, inputs and outputs.
    bytes: u64,
    /// Bytes of the evaluation keys among these that are expanded for good.
    expanded: u64,
}

/// A session that is to be opened.
pub(super) struct Request<'r, F> {
    pub(super) circuit: &'r Circuit,
    pub(super) footprint: &'r F,
    pub(super) window: usize,
    pub(super) keys: KeyResidence,
    /// The most bytes of the process with this session.
    pub(super) limit: Option<u64>,
}

/// The memory that a session was promised, with its plan.
pub(super) struct Promise<P> {
    pub(super) plan: Plan,
    pub(super) prediction: Prediction,
    pub(super) cache: Cache<P>,
    pub(super) share: Share,
    /// Whether the buffers of closed sessions must be freed before the session runs.
    pub(super) crowded: bool,
}

impl<P> Ledger<P> {
    /// A ledger without sessions.
    pub(super) fn new(options: &ServerOptions) -> Self {
        Self {
            limit: options.memory,
            usage: options.usage,
            state: Mutex::new(State {
                open: 0,
                promised: Share::default(),
                most: 0,
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
        let cache = state.weights.cache(&plan, bytes);
        let always = self.usage.process.saturating_add(footprint.shared());
        Ok(Promise {
            crowded: state.is_crowded(always, limit),
            cache,
            plan,
            prediction,
            share,
        })
    }

    /// Takes back the share of a session. The constants that it had encoded stay until their room is needed.
    pub(super) fn close(&self, share: Share) {
        let mut state = self.state();
        state.open -= 1;
        state.promised.bytes -= share.bytes;
        state.promised.expanded -= share.expanded;
    }

    /// The number of constants that are encoded now.
    pub(super) fn encoded(&self) -> usize {
        self.state().weights.encoded()
    }
}

impl<P> State<P> {
    /// Bytes of the shares of open sessions and of encoded constants.
    fn beside(&self) -> u64 {
        self.promised.bytes + self.weights.bytes()
    }

    /// Whether the buffers that closed sessions may have left exceed the limit, beside what is promised now. If so, they count as
    /// freed from then on.
    fn is_crowded(&mut self, always: u64, limit: Option<u64>) -> bool {
        self.most = self.most.max(self.promised.bytes);
        let left = self.most - self.promised.bytes;
        let taken = always.saturating_add(self.beside()).saturating_add(left);
        let crowded = limit.is_some_and(|limit| taken > limit);
        if crowded {
            self.most = self.promised.bytes;
        }
        crowded
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

    /// The error for a session that is not opened.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_of_closed_sessions_are_freed_when_the_limit_needs_it() {
        let ledger: Ledger<()> = Ledger::new(&ServerOptions::default());
        let mut state = ledger.state();
        state.promised.bytes = 80;
        assert!(!state.is_crowded(10, Some(90)));
        // It closes, and another one that takes other memory comes.
        state.promised.bytes = 50;
        assert!(!state.is_crowded(10, Some(90)));
        assert!(!state.is_crowded(20, None));
        assert!(state.is_crowded(20, Some(90)));
        // They are freed now.
        assert!(!state.is_crowded(20, Some(90)));
    }
}
