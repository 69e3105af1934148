//! Buffers of N words, reused: a fresh buffer costs a page fault for every 4 KiB, which is more than most loops over it.
//!
//! A pool keeps what was in use at the worst moment, and frees it with the ring or when it is asked to.

use aligned_vec::{AVec, ConstAlign};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Words aligned for the widest vectors.
type Words = AVec<u64, ConstAlign<64>>;

/// The buffers of one ring that are not in use.
#[derive(Debug)]
pub(super) struct Pool {
    length: usize,
    free: Mutex<Vec<Words>>,
}

/// A buffer in use; its pool takes it back.
#[derive(Debug)]
pub(super) struct Buffer {
    words: Words,
    pool: Arc<Pool>,
}

impl Pool {
    /// For buffers of `length` words.
    pub(super) fn new(length: usize) -> Arc<Self> {
        let free = Mutex::default();
        Arc::new(Self { length, free })
    }

    /// A buffer of arbitrary words, to be overwritten: the one that was given back last, which may still be cached.
    pub(super) fn take(self: &Arc<Self>) -> Buffer {
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut words =
            free.unwrap_or_else(|| AVec::from_iter(64, std::iter::repeat_n(0, self.length)));
        if cfg!(debug_assertions) {
            // No residue: whoever reads before writing is noticed.
            words.fill(u64::MAX);
        }
        let pool = self.clone();
        Buffer { words, pool }
    }

    /// Frees the buffers that are not in use.
    pub(super) fn shrink(&self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = std::mem::take(&mut *free);
        drop(free);
        drop(unused);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let words = std::mem::replace(&mut self.words, AVec::new(64));
        let mut free = self
            .pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        free.push(words);
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = self.pool.take();
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Buffer {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.words
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }
}
