//! Sessions of one server: what they share, and what they are refused.

use crate::common::{FLAT, Parties, WIDE, inputs, simulate, sum_of_products};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::{CpuFootprint, KeySource};
use peregrine_runtime::exec::memory::Prediction;
use peregrine_runtime::exec::{Footprint, Silent, Step};
use peregrine_runtime::server::{
    NoRoom, Resources, Server, ServerError, ServerOptions, Session, Usage,
};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

fn circuit() -> Verified {
    sum_of_products(20, FLAT)
}

fn server(circuit: &Verified, options: ServerOptions) -> Server {
    Server::with_options(circuit.clone(), options).unwrap()
}

#[test]
fn a_session_goes_anywhere() {
    fn goes_anywhere<T: Clone + Send + Sync + 'static>() {}
    goes_anywhere::<Session>();
    goes_anywhere::<Server>();
    let mut parties = Parties::new(&circuit());
    let (keys, encrypted) = (parties.keys(), parties.encrypt(&inputs(&circuit(), 1)));
    let session = parties.server.session(keys, WIDE).unwrap();
    let expected = session.run(encrypted.clone(), &Silent).unwrap();
    // The server may be gone, and the thread may be another one.
    let lone = Server::new(circuit()).unwrap();
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
    let circuit = circuit();
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
        let answer = session.run(encrypted, &Silent).unwrap();
        assert_eq!(server.encoded_constants(), constants);
        answers.push(parties.decrypt(&answer));
        sessions.push(session);
    }
    let [first, second] = [0, 1].map(|i: usize| sessions[i].prediction());
    assert_eq!((first, first.cache > 0), (second, true));
    let expected = simulate(&circuit, &given);
    for answer in &answers {
        let bits = crate::common::precision(&expected, answer);
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
    let circuit = circuit();
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
    let circuit = circuit();
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
    let circuit = circuit();
    let mut parties = Parties::new(&circuit);
    let (file, held): (Arc<dyn KeySource>, _) = (Arc::new(parties.stored_keys()), parties.keys());
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
    let circuit = circuit();
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
