//! Keys that are held, expanded once, or expanded anew for each use give the same ciphertexts.

use crate::common::files::{chunks, forge};
use crate::common::{Parties, Toy, inputs};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::KeySource;
use peregrine_runtime::exec::{KeyForm, Silent};
use peregrine_runtime::server::{Resources, Usage};
use peregrine_runtime::wire::{EncryptedInputs, KeyBytes};
use std::sync::Arc;

/// Large enough for several blocks of each limb.
const TOY: Toy = Toy {
    log_n: 11,
    depth: 3,
    alpha: 2,
};

/// Every kind of key switch, at several levels; some keys serve twice.
fn circuit() -> Verified {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let digits = toy.push(Inst::Decompose(x));
    let turned: Vec<Value> = [1, 2, 3]
        .map(|k| {
            let rotation = Rotation(k);
            let (a, digits) = (x, digits);
            let extended = toy.push(Inst::RotateExt {
                a,
                digits,
                rotation,
            });
            toy.push(Inst::ModDown(extended))
        })
        .to_vec();
    let sum = toy.push(Inst::Add(turned));
    let square = toy.push(Inst::Square(sum));
    let square = toy.push(Inst::Relinearize(square));
    let low = toy.push(Inst::Rescale {
        a: square,
        to: Level(1),
    });
    let conjugate = toy.push(Inst::Conjugate(low));
    let rotation = Rotation(2);
    let last = toy.push(Inst::Rotate {
        a: conjugate,
        rotation,
    });
    toy.output(last);
    toy.finish()
}

/// The answer of each of two runs in a session, as a file, and how many bytes of keys were predicted.
fn answers(
    parties: &Parties,
    keys: Arc<dyn KeySource>,
    encrypted: &EncryptedInputs,
    (window, expanded_keys): (usize, u64),
) -> ([Vec<u8>; 2], u64) {
    let resources = Resources {
        window,
        memory: None,
    };
    let usage = Usage {
        expanded_keys,
        ..Usage::default()
    };
    let session = parties.server_for(usage).session(keys, resources).unwrap();
    let answers = [(); 2].map(|()| {
        let outputs = session.run(encrypted.clone(), &Silent).unwrap();
        parties.server.write_outputs(&outputs)
    });
    (answers, session.prediction().keys)
}

#[test]
fn the_answer_does_not_depend_on_how_keys_are_in_memory() {
    let circuit = circuit();
    let mut parties = Parties::new(&circuit);
    let file = parties.key_file();
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let path = std::env::temp_dir().join(format!("peregrine-keys-{}", std::process::id()));
    std::fs::write(&path, &file).unwrap();
    let sources = [
        KeyBytes::Held(file),
        KeyBytes::map(&std::fs::File::open(&path).unwrap()).unwrap(),
    ];
    let sources = sources.map(|bytes| Arc::new(parties.server.read_keys(bytes).unwrap()));
    std::fs::remove_file(&path).unwrap();
    let mut all = Vec::new();
    for window in [1, 4] {
        for keys in &sources {
            let run = |expanded| answers(&parties, keys.clone(), &encrypted, (window, expanded));
            let (expected, expanded) = run(u64::MAX);
            let [(streamed, least), (mixed, some)] = [0, expanded / 2].map(run);
            assert_eq!([&streamed, &mixed], [&expected; 2]);
            assert!(
                least < expanded && some < expanded,
                "{least}, {some}, {expanded}"
            );
            all.extend(expected);
        }
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn keys_that_were_made_and_keys_that_were_read_are_the_same() {
    let circuit = circuit();
    let [mut one, mut other] = [Parties::new(&circuit), Parties::new(&circuit)];
    let held = one.keys();
    let stored = KeyBytes::Held(other.key_file());
    let stored = Arc::new(other.server.read_keys(stored).unwrap());
    let encrypted = one.encrypt(&inputs(&circuit, 1));
    let (expected, _) = answers(&one, held, &encrypted, (4, 0));
    let (found, _) = answers(&other, stored, &encrypted, (4, 0));
    assert_eq!(found, expected);
}

#[test]
fn a_damaged_key_ends_the_run() {
    let circuit = circuit();
    let mut parties = Parties::new(&circuit);
    let file = parties.key_file();
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let run = |file: Vec<u8>| {
        let keys = Arc::new(parties.server.read_keys(KeyBytes::Held(file)).unwrap());
        let resources = Resources {
            window: 2,
            memory: None,
        };
        let session = parties.server.session(keys, resources).unwrap();
        let error = session.run(encrypted.clone(), &Silent).unwrap_err();
        error.to_string()
    };
    for (tag, chunk) in chunks(&file).iter().filter(|(tag, _)| *tag > 0) {
        let at = chunk.len() / 2;
        let text = run(forge(&file, *tag, |chunk| chunk[at..at + 16].fill(0xff)));
        assert!(text.ends_with("is not reduced"), "{text}");
        let mut damaged = file.clone();
        let place = file.windows(64).position(|part| part == &chunk[..64]);
        damaged[place.unwrap()] ^= 1;
        let text = run(damaged);
        assert!(text.contains("checksum"), "{text}");
    }
}

#[test]
fn a_file_that_is_cut_off_while_it_is_mapped_is_an_error() {
    let circuit = circuit();
    let mut parties = Parties::new(&circuit);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cut.keys");
    let file = parties.key_file();
    std::fs::write(&path, &file).unwrap();
    let open = || {
        std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
    };
    let disk = open().unwrap();
    let keys = parties
        .server
        .read_keys(KeyBytes::map(&disk).unwrap())
        .unwrap();
    let all: Vec<Key> = keys.levels().keys().copied().collect();
    for &key in &all {
        keys.load(key, KeyForm::Streamed).unwrap();
    }
    disk.set_len(file.len() as u64 / 2).unwrap();
    for &key in &all {
        for form in [KeyForm::Streamed, KeyForm::Expanded] {
            let said = keys.load(key, form).unwrap_err().to_string();
            let expected = format!("file is truncated: expected {} bytes", file.len());
            assert!(said.starts_with(&expected), "{said}");
        }
    }
    // In another file's place it stays what it was.
    std::fs::write(&path, &file).unwrap();
    let keys = parties
        .server
        .read_keys(KeyBytes::map(&open().unwrap()).unwrap())
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"").unwrap();
    keys.load(all[0], KeyForm::Expanded).unwrap();
}
