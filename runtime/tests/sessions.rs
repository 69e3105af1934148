//! Sessions of one server: what they share, what they are refused, and runs that are cancelled or timed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod common;

use common::{Parties, Toy, inputs, numbers, simulate};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::{CpuFootprint, KeySource};
use peregrine_runtime::exec::{
    CancelFlag, Cancelled, Footprint, KeyForm, KeyResidence, Progress, Silent,
};
use peregrine_runtime::exec::{Step, memory::Prediction};
use peregrine_runtime::params::Rings;
use peregrine_runtime::rlwe::EvaluationKeys;
use peregrine_runtime::server::{
    NoRoom, Resources, Server, ServerError, ServerOptions, Session, Usage,
};
use peregrine_runtime::simulate::{self as simulator, Options, SimulateError};
use peregrine_runtime::wire::{KeyBytes, StoredKeys, WireError};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TOY: Toy = Toy {
    log_n: 6,
    depth: 3,
    alpha: 2,
};
const WIDE: Resources = Resources {
    window: 16,
    memory: None,
};

/// Terms of the sums of [`circuit`], each a rotation, a product and an addition.
const TERMS: u64 = 20;

fn circuit(toy: Toy) -> Verified {
    sum_of(TERMS, toy)
}

/// A sum of rotations of the input, each times a constant; every other one takes the same constant.
fn sum_of(terms: u64, toy: Toy) -> Verified {
    let mut toy = toy.builder();
    let x = toy.input("x");
    let shared = toy.plain(numbers(99, toy.shape.elements()), x);
    let mut sum = toy.push(Inst::MulPlain(x, shared));
    for term in 0..terms {
        let rotation = Rotation(1 + term as u32 % 3);
        let turned = toy.push(Inst::Rotate { a: x, rotation });
        let plain = match term % 2 {
            0 => shared,
            _ => toy.plain(numbers(term, toy.shape.elements()), x),
        };
        let product = toy.push(Inst::MulPlain(turned, plain));
        sum = toy.push(Inst::Add(vec![sum, product]));
    }
    let low = toy.push(Inst::Rescale {
        a: sum,
        to: Level(2),
    });
    toy.output(low);
    toy.finish()
}

fn server(circuit: &Verified, options: ServerOptions) -> Server {
    Server::with_options(circuit.clone(), options).unwrap()
}

fn stored(parties: &mut Parties) -> StoredKeys {
    let Parties {
        client,
        secret,
        randomness,
        server,
    } = parties;
    let out = Cursor::new(Vec::new());
    let file = client.write_evaluation_keys(secret, randomness, out, |_, _| {});
    let file = file.unwrap().into_inner();
    server.read_keys(KeyBytes::Held(file)).unwrap()
}

#[test]
fn a_session_goes_anywhere() {
    fn goes_anywhere<T: Clone + Send + Sync + 'static>() {}
    goes_anywhere::<Session>();
    goes_anywhere::<Server>();
    let mut parties = Parties::new(&circuit(TOY));
    let (keys, encrypted) = (parties.keys(), parties.encrypt(&inputs(&circuit(TOY), 1)));
    let session = parties.server.session(keys, WIDE).unwrap();
    let expected = session.run(encrypted.clone(), &Silent).unwrap();
    // The server may be gone, and the thread may be another one.
    let lone = Server::new(circuit(TOY)).unwrap();
    let lone = lone.session(parties.keys(), WIDE).unwrap();
    let found = std::thread::spawn(move || {
        let (clone, lone) = (session.clone(), lone);
        drop(session);
        drop(lone);
        clone.run(encrypted, &Silent).unwrap()
    });
    assert_eq!(found.join().unwrap(), expected);
}

#[test]
fn two_clients_share_encoded_constants() {
    let circuit = circuit(TOY);
    let usage = Usage {
        cache: u64::MAX,
        ..Usage::default()
    };
    let options = ServerOptions {
        usage,
        ..ServerOptions::default()
    };
    let server = server(&circuit, options);
    let given = inputs(&circuit, 3);
    let constants = circuit.values.values();
    let constants = constants.filter(|d| matches!(d.inst, Inst::Encode { .. }));
    let constants = constants.count();
    let mut answers = Vec::new();
    let mut sessions = Vec::new();
    assert_eq!(server.encoded_constants(), 0);
    for seed in [1, 2] {
        let mut parties = Parties::with_seed(&circuit, seed);
        let (keys, encrypted) = (parties.keys(), parties.encrypt(&given));
        let session = server.session(keys, WIDE).unwrap();
        let times = Times::default();
        let answer = session.run(encrypted, &times).unwrap();
        assert_eq!(server.encoded_constants(), constants);
        answers.push(parties.decrypt(&answer));
        sessions.push(session);
    }
    let [first, second] = [0, 1].map(|i: usize| sessions[i].prediction());
    assert_eq!((first, first.cache > 0), (second, true));
    let expected = simulate(&circuit, &given);
    for answer in &answers {
        let bits = common::precision(&expected, answer);
        assert!(bits > 25.0, "{bits:.1} bits");
    }
    // They stay when the sessions are gone, for the next ones.
    drop(sessions);
    assert_eq!(server.encoded_constants(), constants);
}

/// What a session needs that is alone, with as many kept constants as there are and with none.
fn needs(circuit: &Verified, keys: &Arc<dyn KeySource>) -> [Prediction; 2] {
    [u64::MAX, 0].map(|cache| {
        let usage = Usage {
            cache,
            ..Usage::default()
        };
        let options = ServerOptions {
            usage,
            ..ServerOptions::default()
        };
        let session = server(circuit, options).session(keys.clone(), NARROW);
        session.unwrap().prediction()
    })
}

const NARROW: Resources = Resources {
    window: 1,
    memory: None,
};

#[test]
fn sessions_together_keep_to_one_limit() {
    let circuit = circuit(TOY);
    let mut parties = Parties::new(&circuit);
    let keys: Arc<dyn KeySource> = parties.keys();
    let limited = |memory| {
        let options = ServerOptions {
            memory: Some(memory),
            ..ServerOptions::default()
        };
        server(&circuit, options)
    };
    let one = match limited(1).session(keys.clone(), NARROW) {
        Err(ServerError::Memory(error)) => error.prediction,
        other => panic!("{other:?}"),
    };
    assert!(
        limited(one.total() - 1)
            .session(keys.clone(), NARROW)
            .is_err()
    );
    let server = limited(one.total());
    let first = server.session(keys.clone(), NARROW).unwrap();
    assert_eq!(first.prediction(), one);
    let error = server.session(keys.clone(), NARROW).unwrap_err();
    let text = error.to_string();
    let ServerError::NoRoom(NoRoom {
        needed,
        free,
        limit,
        least,
        open,
    }) = error
    else {
        panic!("{text}");
    };
    assert_eq!((free, limit, open), (0, one.total(), 1));
    assert!(needed >= one.values + one.keys && needed < one.total());
    assert_eq!(least, limit + needed);
    let ways_out = ["1 open session:", "close one", "raise the limit to"];
    assert!(ways_out.iter().all(|way| text.contains(way)), "{text}");
    // A clone is the same session; the last one gives its memory back.
    let clone = first.clone();
    drop(first);
    assert!(server.session(keys.clone(), NARROW).is_err());
    drop(clone);
    assert!(server.session(keys.clone(), NARROW).is_ok());
    // With the limit that the error names there is room for two, and not for three.
    let server = limited(least);
    let thrifty = |memory| {
        let memory = Some(memory);
        let resources = Resources { memory, ..NARROW };
        server.session(keys.clone(), resources)
    };
    for _ in 0..2 {
        let first = thrifty(one.total()).unwrap();
        assert!(thrifty(least - 1).is_err());
        let second = thrifty(least).unwrap();
        assert_eq!([first.prediction(), second.prediction()], [one; 2]);
        assert!(thrifty(u64::MAX).is_err());
    }
}

#[test]
fn shared_constants_count_once() {
    let circuit = circuit(TOY);
    let keys: Arc<dyn KeySource> = Parties::new(&circuit).keys();
    let [cached, _] = needs(&circuit, &keys);
    let usage = Usage {
        cache: cached.cache,
        ..Usage::default()
    };
    // Half a set of constants less than two sessions take that share circuit and tables only.
    let apart = 2 * cached.total() - CpuFootprint::of(&circuit).shared();
    let options = ServerOptions {
        memory: Some(apart - cached.cache / 2),
        usage,
        ..ServerOptions::default()
    };
    let server = server(&circuit, options);
    let both = [(); 2].map(|()| server.session(keys.clone(), NARROW).unwrap());
    assert_eq!(both.map(|session| session.prediction()), [cached; 2]);
}

/// Keys in memory take more than those of a file, and than the constants that were encoded beside those.
#[test]
fn constants_that_nobody_uses_make_room() {
    let circuit = circuit(TOY);
    let mut parties = Parties::new(&circuit);
    let (file, held): (Arc<dyn KeySource>, _) = (Arc::new(stored(&mut parties)), parties.keys());
    let held: Arc<dyn KeySource> = held;
    let ([cached, _], [all, bare]) = (needs(&circuit, &file), needs(&circuit, &held));
    assert!(cached.total() < bare.total());
    let limit = bare.total();
    let usage = Usage {
        cache: u64::MAX,
        ..Usage::default()
    };
    let options = ServerOptions {
        memory: Some(limit),
        usage,
        ..ServerOptions::default()
    };
    let server = server(&circuit, options);
    let first = server.session(file, NARROW).unwrap();
    assert_eq!(first.prediction(), cached);
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    first.run(encrypted, &Silent).unwrap();
    assert!(server.encoded_constants() > 0);
    drop(first);
    assert!(server.encoded_constants() > 0);
    let second = server.session(held, NARROW).unwrap();
    assert_eq!(server.encoded_constants(), 0);
    assert_eq!(second.prediction(), bare);
    assert!(bare.total() < all.total());
}

#[test]
fn a_server_may_have_threads_of_its_own() {
    let circuit = circuit(TOY);
    let mut parties = Parties::new(&circuit);
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let options = ServerOptions {
        threads: Some(3),
        ..ServerOptions::default()
    };
    let server = server(&circuit, options);
    assert_eq!(server.resources().window, 3);
    let keys = parties.keys();
    let session = server.session(keys.clone(), server.resources()).unwrap();
    let seen = Mutex::new(Vec::new());
    let observe = |_: &Step<'_>| {
        let inside = rayon::current_thread_index().is_some();
        seen.lock()
            .unwrap()
            .push((inside, rayon::current_num_threads()));
        ControlFlow::Continue(())
    };
    let own = session.run(encrypted.clone(), &observe).unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|&seen| seen == (true, 3)));
    let plain = parties.server.session(keys, WIDE).unwrap();
    assert_eq!(plain.run(encrypted, &Silent).unwrap(), own);
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
    let circuit = circuit(TOY);
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
    let circuit = circuit(TOY);
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
    let circuit = sum_of(120, Toy { log_n: 13, ..TOY });
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
    let circuit = circuit(TOY);
    let mut parties = Parties::new(&circuit);
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let keys = Arc::new(Watched {
        keys: stored(&mut parties),
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
