//! Refused files cost no more memory than they are long: allocations are counted while hostile files are read.
//!
//! A file of its own with a single test: the allocator counts for the whole process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod common;

use common::Toy;
use common::files::{Dice, Files, chunks, forge, seal};
use peregrine_runtime::backend::cpu::KeySource;
use peregrine_runtime::exec::KeyForm;
use peregrine_runtime::wire::KeyBytes;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The system's allocator, counting.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work, with unchanged arguments; a reallocation is the default, both blocks at once.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps the rules of `GlobalAlloc::alloc`, which are those of the call.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), SeqCst) + layout.size();
        PEAK.fetch_max(now, SeqCst);
        // SAFETY: see above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller keeps the rules of `GlobalAlloc::dealloc`, which are those of the call.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), SeqCst);
        // SAFETY: see above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result, and the bytes in use at the worst moment beyond those at the start.
fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(SeqCst);
    PEAK.store(before, SeqCst);
    let result = f();
    (result, PEAK.load(SeqCst) - before)
}

/// Error messages, headers of as many keys and ports as the circuit has, the scheduler.
const SLACK: usize = 16 << 10;

/// Which of [`Files::readers`] reads evaluation keys.
const KEYS: usize = 1;

/// Reads a file; what the last step took, which is the refused one if one was.
fn read(files: &Files, index: usize, file: Vec<u8>) -> (Result<(), String>, usize) {
    if index != KEYS {
        let readers = files.readers();
        return peak(|| readers[index].1(file));
    }
    let (keys, mut took) = peak(|| files.parties.server.read_keys(KeyBytes::Held(file)));
    let read = keys.map_err(|e| e.to_string()).and_then(|keys| {
        keys.levels().keys().try_for_each(|&kind| {
            let (loaded, peak) = peak(|| keys.load(kind, KeyForm::Expanded).map(drop));
            took = peak;
            loaded.map_err(|e| e.to_string())
        })
    });
    (read, took)
}

#[test]
fn refused_files_cost_no_more_than_they_are_long() {
    let mut files = Files::new(Toy {
        log_n: 11,
        depth: 3,
        alpha: 2,
    });
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut counts = [0, 0];
    let kinds = files.readers().len();
    for index in 0..kinds {
        let file = files.readers()[index].0.to_vec();
        // Threads, and tables made on first use.
        read(&files, index, file.clone()).0.unwrap();
        files.forget();
        let mut check = |forged: Vec<u8>| {
            let length = forged.len();
            let (result, took) = read(&files, index, forged);
            // The file itself was there before. What is accepted costs what it is.
            let what = format!("reader {index}: {took} bytes for {length}");
            assert!(
                result.is_ok() || took <= length + SLACK,
                "{what}: {result:?}"
            );
            counts[usize::from(result.is_ok())] += 1;
            if result.is_ok() || index == KEYS {
                // The pool of a ring keeps what was read, and would hide what is taken from it.
                files.forget();
            }
        };
        for _ in 0..1000 {
            check(dice.mutate(&file));
        }
        // A residue that is none, in each place in turn, so that much was read before it is found.
        for (tag, chunk) in chunks(&file).iter().filter(|(tag, _)| *tag > 0) {
            for at in (0..chunk.len().saturating_sub(32)).step_by(chunk.len() / 20 + 1) {
                check(forge(&file, *tag, |chunk| chunk[at..at + 32].fill(0xff)));
            }
        }
        // A directory of as many chunks as fit, and one of more.
        for count in [file.len() / 64 - 2, file.len(), u32::MAX as usize] {
            let mut forged = file.clone();
            forged[48..52].copy_from_slice(&(count as u32).to_le_bytes());
            seal(&mut forged);
            check(forged);
        }
    }
    let [refused, accepted] = counts;
    assert!(refused > 3000 && accepted > 10, "{counts:?}");
}
