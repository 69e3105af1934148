//! Observers of runs: cancelled, and told what instructions take.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod common;

use common::{FLAT, Parties, Toy, WIDE, inputs, sum_of_products};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::KeySource;
use peregrine_runtime::exec::Step;
use peregrine_runtime::exec::{CancelFlag, Cancelled, KeyForm, KeyResidence, Progress, Silent};
use peregrine_runtime::params::Rings;
use peregrine_runtime::rlwe::EvaluationKeys;
use peregrine_runtime::server::ServerError;
use peregrine_runtime::simulate::{self as simulator, Options, SimulateError};
use peregrine_runtime::wire::{StoredKeys, WireError};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn circuit() -> Verified {
    sum_of_products(20, FLAT)
}

/// Asks for times, and keeps them.
#[derive(Default)]
struct Times(Mutex<BTreeMap<Value, (usize, Option<Node>)>>);

impl Progress for Times {
    fn advance(&self, _: &Step<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn wants_times(&self) -> bool {
        true
    }

    fn timed(&self, value: Value, node: Option<Node>, took: Duration) {
        assert!(took > Duration::ZERO);
        let mut seen = self.0.lock().unwrap();
        let entry = seen.entry(value).or_insert((0, node));
        *entry = (entry.0 + 1, node);
    }
}

/// Fails when it is told a time.
struct NoTimes;

impl Progress for NoTimes {
    fn advance(&self, _: &Step<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn timed(&self, value: Value, _: Option<Node>, _: Duration) {
        panic!("{value} was timed");
    }
}

#[test]
fn times_are_told_once_for_each_instruction_and_only_if_asked_for() {
    let circuit = circuit();
    let mut parties = Parties::new(&circuit);
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let keys = parties.keys();
    let session = parties.server.session(keys, WIDE).unwrap();
    session.run(encrypted.clone(), &NoTimes).unwrap();
    let times = Times::default();
    session.run(encrypted, &times).unwrap();
    let seen = times.0.into_inner().unwrap();
    let uses = |value| {
        let mut uses = 0;
        for definition in circuit.values.values() {
            definition
                .inst
                .for_each_operand(|v| uses += usize::from(v == value));
        }
        uses
    };
    for (value, definition) in circuit.values.iter() {
        let expected = match definition.inst {
            Inst::Input { .. } => None,
            // Encoded for several instructions, or by the only one that needs it.
            Inst::Encode { .. } => (uses(value) > 1).then_some((1, definition.node)),
            _ => Some((1, definition.node)),
        };
        assert_eq!(seen.get(&value).copied(), expected, "{value}");
    }
}

/// Cancels when it is asked for the so many'th time.
struct After {
    asked: AtomicUsize,
    most: usize,
}

impl After {
    fn new(most: usize) -> Self {
        let asked = AtomicUsize::new(0);
        Self { asked, most }
    }
}

impl Progress for After {
    fn advance(&self, _: &Step<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn is_cancelled(&self) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst) >= self.most
    }
}

#[test]
fn a_run_is_cancelled_between_instructions_of_one_wave() {
    let circuit = circuit();
    let mut parties = Parties::new(&circuit);
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let keys = parties.keys();
    let session = parties.server.session(keys, WIDE).unwrap();
    let expected = session.run(encrypted.clone(), &Silent).unwrap();
    let steps = circuit.values.values();
    let steps = steps.filter(|d| !matches!(d.inst, Inst::Input { .. } | Inst::Encode { .. }));
    let steps = steps.count();
    for most in [0, 1, 5, 40] {
        let error = session.run(encrypted.clone(), &After::new(most));
        let error = error.unwrap_err();
        let text = error.to_string();
        let ServerError::Cancelled(Cancelled { done, total }) = error else {
            panic!("{text}");
        };
        assert!(done <= most && total == steps, "{text}");
        let says = format!("the run was cancelled after {done} of {total} instructions");
        assert_eq!(text, says);
        assert_eq!(session.run(encrypted.clone(), &Silent).unwrap(), expected);
    }
    // By what is returned: after the first wave, and when all is done.
    let first = |step: &Step<'_>| {
        assert!(step.done <= WIDE.window);
        ControlFlow::Break(())
    };
    let error = session.run(encrypted.clone(), &first).unwrap_err();
    assert!(matches!(
        error,
        ServerError::Cancelled(Cancelled { done, .. }) if (1..=WIDE.window).contains(&done)
    ));
    let given = inputs(&circuit, 1);
    let options = Options { noise: Some(1) };
    let error = simulator::run(&circuit, &given, options, &After::new(7)).unwrap_err();
    assert!(matches!(
        error,
        SimulateError::Cancelled(Cancelled { done: 0..=7, total }) if total == steps
    ));
}

/// Says when the first wave of many is done.
struct Begun<'f> {
    flag: &'f CancelFlag,
    begun: Sender<()>,
}

impl Progress for Begun<'_> {
    fn advance(&self, _: &Step<'_>) -> ControlFlow<()> {
        let _ = self.begun.send(());
        ControlFlow::Continue(())
    }

    fn is_cancelled(&self) -> bool {
        self.flag.is_raised()
    }
}

#[test]
fn another_thread_ends_a_long_run_within_a_second() {
    let circuit = sum_of_products(120, Toy { log_n: 13, ..FLAT });
    let mut parties = Parties::new(&circuit);
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let keys = parties.keys();
    let session = parties.server.session(keys, WIDE).unwrap();
    let expected = session.run(encrypted.clone(), &Silent).unwrap();
    let flag = CancelFlag::default();
    let (begun, begins) = channel();
    let (result, raised, ended) = std::thread::scope(|scope| {
        let flag = &flag;
        let (other, inputs) = (session.clone(), encrypted.clone());
        let running = scope.spawn(move || {
            let result = other.run(inputs, &Begun { flag, begun });
            (result, Instant::now())
        });
        begins.recv().unwrap();
        let raised = Instant::now();
        flag.raise();
        let (result, ended) = running.join().unwrap();
        (result, raised, ended)
    });
    assert!(ended.saturating_duration_since(raised) < Duration::from_secs(1));
    let Err(ServerError::Cancelled(Cancelled { done, total })) = result else {
        panic!("the run went on to its end");
    };
    assert!(0 < done && done < total);
    assert_eq!(session.run(encrypted, &Silent).unwrap(), expected);
}

/// Keys of a file, and which of them are in memory.
#[derive(Debug)]
struct Watched {
    keys: StoredKeys,
    held: Mutex<BTreeMap<Key, bool>>,
}

impl Watched {
    fn note(&self, key: Key, held: bool) {
        self.held.lock().unwrap().insert(key, held);
    }
}

impl KeySource for Watched {
    fn key_pair(&self) -> KeyPairId {
        self.keys.key_pair()
    }

    fn rings(&self) -> &Rings {
        self.keys.rings()
    }

    fn levels(&self) -> &BTreeMap<Key, Level> {
        self.keys.levels()
    }

    fn residence(&self) -> KeyResidence {
        KeyResidence::Stored
    }

    fn load(&self, key: Key, form: KeyForm) -> Result<Arc<EvaluationKeys>, WireError> {
        self.note(key, true);
        self.keys.load(key, form)
    }

    fn fetch(&self, key: Key) {
        self.note(key, true);
        self.keys.fetch(key);
    }

    fn release(&self, key: Key) {
        self.note(key, false);
        self.keys.release(key);
    }
}

#[test]
fn keys_leave_memory_when_a_run_is_cancelled() {
    let circuit = circuit();
    let mut parties = Parties::new(&circuit);
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let keys = Arc::new(Watched {
        keys: parties.stored_keys(),
        held: Mutex::default(),
    });
    let session = parties.server.session(keys.clone(), WIDE).unwrap();
    for most in 2..30 {
        let error = session.run(encrypted.clone(), &After::new(most));
        assert!(matches!(error, Err(ServerError::Cancelled(_))));
        let held = keys.held.lock().unwrap();
        assert!(!held.is_empty() && held.values().all(|held| !held));
    }
}
