//! Client and server through files, and everything that must not be mixed up.

use crate::common::{Parties, Toy, inputs, precision, simulate};
use peregrine_ir::binary::FileKind;
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::{HeldKeys, KeySource};
use peregrine_runtime::client::Flood;
use peregrine_runtime::exec::{KeyForm, Silent};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::rlwe::SwitchKey;
use peregrine_runtime::server::{Resources, ServerError, Usage};
use peregrine_runtime::wire::{self, KeyBytes};
use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::sync::Arc;

const TOY: Toy = Toy {
    log_n: 6,
    depth: 2,
    alpha: 1,
};

const RESOURCES: Resources = Resources {
    window: 4,
    memory: None,
};

/// Rotation, conjugation and a product; `shift` makes another circuit.
fn circuit(shift: u32) -> Verified {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let rotation = Rotation(shift);
    let rotated = toy.push(Inst::Rotate { a: x, rotation });
    let conjugate = toy.push(Inst::Conjugate(rotated));
    let product = toy.push(Inst::Mul(conjugate, x));
    let product = toy.push(Inst::Relinearize(product));
    let low = toy.push(Inst::Rescale {
        a: product,
        to: Level(1),
    });
    let rotation = Rotation(7);
    let last = toy.push(Inst::Rotate { a: low, rotation });
    toy.output(last);
    toy.finish()
}

fn key_file(parties: &mut Parties) -> Vec<u8> {
    let Parties {
        client,
        secret,
        randomness,
        ..
    } = parties;
    let mut made = Vec::new();
    let out = Cursor::new(Vec::new());
    let each = |done, total| made.push((done, total));
    let out = client.write_evaluation_keys(secret, randomness, out, each);
    assert_eq!(made, [(1, 4), (2, 4), (3, 4), (4, 4)]);
    out.unwrap().into_inner()
}

#[test]
fn keys_do_not_depend_on_the_number_of_threads() {
    let circuit = circuit(3);
    let files = [1, 2, 5].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let mut parties = Parties::new(&circuit);
            let held = parties.keys();
            let (kind, level) = held.levels().first_key_value().unwrap();
            let loaded = held.load(*kind, KeyForm::Streamed).unwrap();
            let digits = |key: &SwitchKey| match key {
                SwitchKey::Expanded(key) => key.digits().len(),
                SwitchKey::Streamed(_) => panic!("a key that was just made is expanded"),
            };
            let shape: Vec<usize> = loaded.iter().map(digits).collect();
            assert_eq!((shape, *level), (vec![3], Level(2)));
            key_file(&mut parties)
        })
    });
    assert!(files.iter().all(|file| *file == files[0]));
}

/// A disk with room for some bytes.
struct Full {
    file: Cursor<Vec<u8>>,
    room: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.position() as usize + bytes.len() > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Full {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[test]
fn a_full_disk_stops_key_generation_and_leaves_no_valid_file() {
    let circuit = circuit(3);
    let mut parties = Parties::new(&circuit);
    let length = key_file(&mut parties).len();
    for eighth in 0..8 {
        let mut disk = Full {
            file: Cursor::new(Vec::new()),
            room: length * eighth / 8,
        };
        let mut made = Vec::new();
        let Parties {
            client,
            secret,
            randomness,
            ..
        } = &mut parties;
        let each = |done, total| made.push((done, total));
        let refused = client.write_evaluation_keys(secret, randomness, &mut disk, each);
        let text = message(refused.map(drop).unwrap_err());
        assert_eq!(
            text,
            io::Error::from(io::ErrorKind::StorageFull).to_string()
        );
        assert!(
            made.iter()
                .copied()
                .eq((1..=made.len()).map(|done| (done, 4)))
        );
        assert!(made.len() <= 4 * eighth / 8 + 1, "{made:?}");
        let left = KeyBytes::Held(disk.file.into_inner());
        let refused = parties.server.read_keys(left).unwrap_err();
        assert!(message(refused).contains("not a peregrine file"));
    }
}

fn message(error: impl std::error::Error) -> String {
    error.to_string()
}

#[test]
fn everything_goes_through_files() {
    let circuit = circuit(3);
    let given = inputs(&circuit, 5);
    let mut parties = Parties::new(&circuit);
    let secret = parties.client.write_secret(&parties.secret).unwrap();
    parties.secret = parties.client.read_secret(&secret).unwrap();
    let file = key_file(&mut parties);

    let server = &parties.server;
    let directory =
        std::env::temp_dir().join(format!("peregrine-key-folder-{}", std::process::id()));
    std::fs::write(&directory, &file).unwrap();
    let mapped = wire::map_file(&directory).unwrap();
    std::fs::remove_file(&directory).unwrap();
    let keys = Arc::new(server.read_keys(mapped).unwrap());
    assert!(keys.levels().keys().eq(circuit.keys.levels.keys()));

    let encrypted = parties.encrypt(&given);
    let client_sent = parties.client.write_inputs(&encrypted);
    // One part of three limbs of 64 residues, the first of 50 bits and the others of 40.
    assert!(
        client_sent.len() < 64 * (50 + 40 + 40) / 8 + 600,
        "{}",
        client_sent.len()
    );
    let server = &parties.server;
    let session = server.session(keys, RESOURCES).unwrap();
    let inputs = server.read_inputs(&client_sent).unwrap();
    assert_eq!(parties.client.write_inputs(&inputs), client_sent);
    let answer = server.write_outputs(&session.run(inputs, &Silent).unwrap());
    let outputs = parties.client.read_outputs(&answer).unwrap();
    assert_eq!(server.write_outputs(&outputs), answer);
    let agreed = precision(&simulate(&circuit, &given), &parties.decrypt(&outputs));
    assert!(agreed >= 26.0, "{agreed:.1} bits");
}

#[test]
fn keys_are_streamed_where_memory_is_short() {
    let circuit = circuit(3);
    let given = inputs(&circuit, 5);
    let mut parties = Parties::new(&circuit);
    let file = key_file(&mut parties);
    let encrypted = parties.encrypt(&given);
    let server = &parties.server;
    let keys = Arc::new(server.read_keys(KeyBytes::Held(file)).unwrap());
    let usage = Usage {
        expanded_keys: u64::MAX,
        ..Usage::default()
    };
    let all = parties.server_for(usage).session(keys.clone(), RESOURCES);
    let all = all.unwrap().prediction();
    let limited = |limit| Resources {
        memory: Some(limit),
        ..RESOURCES
    };
    let least = match server.session(keys.clone(), limited(1)) {
        Err(ServerError::Memory(error)) => error.prediction,
        other => panic!("a byte is not enough: {other:?}"),
    };
    assert!(least.keys < all.keys && least.total() < all.total());
    let session = server.session(keys, limited(least.total())).unwrap();
    assert_eq!(session.prediction(), least);
    for _ in 0..2 {
        let outputs = session.run(encrypted.clone(), &Silent).unwrap();
        let agreed = precision(&simulate(&circuit, &given), &parties.decrypt(&outputs));
        assert!(agreed >= 26.0, "{agreed:.1} bits");
    }
}

#[test]
fn ciphertexts_of_another_circuit_are_refused_naming_both() {
    let (mine, other) = (circuit(3), circuit(4));
    let mut theirs = Parties::new(&other);
    let mut parties = Parties::new(&mine);
    let names = |text: &str| {
        let both = [fingerprint(&mine), fingerprint(&other)];
        assert!(both.iter().all(|f| text.contains(&f.to_string())), "{text}");
    };
    let encrypted = theirs.encrypt(&inputs(&other, 1));
    let file = theirs.client.write_inputs(&encrypted);
    names(&message(parties.server.read_inputs(&file).unwrap_err()));
    let keys = theirs.keys();
    let session = theirs.server.session(keys, RESOURCES).unwrap();
    let answer = session.run(encrypted.clone(), &Silent).unwrap();
    let file = theirs.server.write_outputs(&answer);
    names(&message(parties.client.read_outputs(&file).unwrap_err()));
    let decrypted = parties.client.decrypt(&parties.secret, &answer, None);
    names(&message(decrypted.unwrap_err()));
    let keys = parties.keys();
    let session = parties.server.session(keys, RESOURCES).unwrap();
    names(&message(session.run(encrypted, &Silent).unwrap_err()));
}

#[test]
fn files_of_another_kind_are_refused_naming_both() {
    let circuit = circuit(3);
    let mut parties = Parties::new(&circuit);
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let file = parties.client.write_inputs(&encrypted);
    let text = message(parties.client.read_secret(&file).unwrap_err());
    let kinds = [FileKind::SecretKey, FileKind::Ciphertext];
    assert!(
        kinds.iter().all(|k| text.contains(&k.to_string())),
        "{text}"
    );
    let text = message(parties.client.read_outputs(&file).unwrap_err());
    assert_eq!(
        text,
        "the direction of the ciphertexts is `input`, expected `output`"
    );
}

#[test]
fn missing_keys_are_all_counted_before_any_work() {
    let circuit = circuit(3);
    let parties = Parties::new(&circuit);
    let rings = peregrine_runtime::rings(&circuit.rings).unwrap();
    let none = Arc::new(HeldKeys::new(parties.secret.key_pair(), &rings));
    let text = message(parties.server.session(none, RESOURCES).unwrap_err());
    assert_eq!(
        text,
        "4 keys are missing or too low; the first: the relinearization key for level 2 is missing"
    );
}

#[test]
fn flooding_adds_noise_of_the_size_asked_for() {
    let circuit = circuit(3);
    let mut parties = Parties::new(&circuit);
    let keys = parties.keys();
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let session = parties.server.session(keys, RESOURCES).unwrap();
    let answer = session.run(encrypted, &Silent).unwrap();
    let plain = parties
        .client
        .decrypt(&parties.secret, &answer, None)
        .unwrap();
    assert!(
        plain.imaginary > 0.0 && plain.imaginary < 1e-8,
        "{}",
        plain.imaginary
    );
    // Without a flood nothing is added.
    let again = parties.client.decrypt(&parties.secret, &answer, None);
    assert_eq!(again.unwrap(), plain);
    let mut randomness = Randomness::from_seed_for_tests(9);
    let (mut squares, mut count) = (0.0, 0);
    for _ in 0..100 {
        let flood = Flood {
            bits: 12.0,
            randomness: &mut randomness,
        };
        let flooded = parties
            .client
            .decrypt(&parties.secret, &answer, Some(flood))
            .unwrap();
        let added = plain.outputs.iter().flat_map(|(name, array)| {
            let flooded = flooded.outputs[name].data();
            array.data().iter().zip(flooded).map(|(x, y)| y - x)
        });
        for x in added {
            squares += x * x;
            count += 1;
        }
    }
    // 3200 numbers: their deviation is right to about one part in eighty.
    assert_eq!(count, 3200);
    let bits = -0.5 * (squares / f64::from(count)).log2();
    assert!((bits - 12.0).abs() < 0.1, "{bits:.3}");
}

#[test]
fn secrets_do_not_print_and_the_server_knows_none() {
    let circuit = circuit(3);
    let parties = Parties::new(&circuit);
    let shown = format!("{:?}", parties.secret);
    assert!(
        shown.starts_with("Secret { key_pair: ") && shown.len() < 200,
        "{shown}"
    );
    for source in [
        include_str!("../../src/server/mod.rs"),
        include_str!("../../src/server/session.rs"),
        include_str!("../../src/server/shared.rs"),
        include_str!("../../src/backend/cpu/evaluator.rs"),
        include_str!("../../src/backend/cpu/keys.rs"),
    ] {
        let code = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        assert!(
            code.into_iter()
                .all(|line| !line.to_lowercase().contains("secret"))
        );
    }
}
