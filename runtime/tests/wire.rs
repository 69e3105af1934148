//! Damaged and hostile files: typed errors, never a panic.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod common;

use common::{Parties, Toy, inputs};
use peregrine_ir::binary::{Container, container};
use peregrine_ir::*;
use peregrine_runtime::exec::{KeySource, Silent};
use peregrine_runtime::server::Resources;
use peregrine_runtime::wire::{KeyBytes, WireError, write_inputs, write_outputs};
use std::io::Cursor;

const TOY: Toy = Toy {
    log_n: 4,
    depth: 1,
    alpha: 1,
};

/// Every file of one exchange.
struct Files {
    parties: Parties,
    secret: Vec<u8>,
    keys: Vec<u8>,
    inputs: Vec<u8>,
    outputs: Vec<u8>,
}

impl Files {
    fn new() -> Self {
        let mut toy = TOY.builder();
        let x = toy.input("x");
        let rotation = Rotation(3);
        let rotated = toy.push(Inst::Rotate { a: x, rotation });
        let square = toy.push(Inst::Square(rotated));
        let square = toy.push(Inst::Relinearize(square));
        toy.output(square);
        let circuit = toy.finish();
        let mut parties = Parties::new(&circuit);
        let secret = parties.client.write_secret(&parties.secret).unwrap();
        let held = parties.keys();
        let encrypted = parties.encrypt(&inputs(&circuit, 1));
        let resources = Resources {
            window: 1,
            memory: None,
        };
        let session = parties.server.session(held, resources).unwrap();
        let outputs = session.run(encrypted.clone(), &Silent).unwrap();
        let Parties {
            client,
            secret: key,
            randomness,
            ..
        } = &mut parties;
        let out = Cursor::new(Vec::new());
        let keys = client
            .write_evaluation_keys(key, randomness, out, |_, _| ())
            .unwrap();
        Self {
            secret: secret.to_vec(),
            keys: keys.into_inner(),
            inputs: write_inputs(&encrypted),
            outputs: write_outputs(&outputs),
            parties,
        }
    }

    /// Reads all of a file of evaluation keys.
    fn read_keys(&self, file: &[u8]) -> Result<(), String> {
        let keys = self.parties.server.read_keys(KeyBytes::Held(file.to_vec()));
        let keys = keys.map_err(|e| e.to_string())?;
        for &kind in keys.levels().keys() {
            keys.load(kind).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn readers(&self) -> [(&[u8], Reader<'_>); 4] {
        let (client, server) = (&self.parties.client, &self.parties.server);
        [
            (
                &self.secret,
                Box::new(|f: &[u8]| client.read_secret(f).map(drop).map_err(|e| e.to_string())),
            ),
            (&self.keys, Box::new(|f: &[u8]| self.read_keys(f))),
            (
                &self.inputs,
                Box::new(|f: &[u8]| server.read_inputs(f).map(drop).map_err(|e| e.to_string())),
            ),
            (
                &self.outputs,
                Box::new(|f: &[u8]| client.read_outputs(f).map(drop).map_err(|e| e.to_string())),
            ),
        ]
    }
}

type Reader<'a> = Box<dyn Fn(&[u8]) -> Result<(), String> + 'a>;

/// A small reproducible generator.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides.max(1)
    }

    /// Changes, removes or adds a byte, or cuts the end off.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let at = self.roll(bytes.len());
        match self.roll(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.roll(256) as u8),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => {
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
            _ if !bytes.is_empty() => bytes[at] ^= 1 << self.roll(8),
            _ => {}
        }
    }
}

#[test]
fn whole_files_are_read() {
    let files = Files::new();
    for (file, read) in files.readers() {
        assert_eq!(read(file), Ok(()));
    }
}

#[test]
fn damage_is_always_noticed() {
    let files = Files::new();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for (file, read) in files.readers() {
        for _ in 0..1000 {
            let mut damaged = file.to_vec();
            dice.damage(&mut damaged);
            if damaged != file {
                assert!(read(&damaged).is_err(), "damage went unnoticed");
            }
        }
    }
}

#[test]
fn hostile_files_with_right_checksums_never_panic() {
    let files = Files::new();
    let mut dice = Dice(0x0fed_cba9_8765_4321);
    let mut refused = 0;
    for (file, read) in files.readers() {
        let container = Container::parse(file).unwrap();
        let tags: Vec<u64> = container.tags().collect();
        let chunks: Vec<&[u8]> = tags.iter().map(|&t| container.chunk(t).unwrap()).collect();
        for _ in 0..1000 {
            let mut tags = tags.clone();
            let mut chunks: Vec<Vec<u8>> = chunks.iter().map(|c| c.to_vec()).collect();
            // Headers are small and decide most: damage them as often as bodies.
            let header = tags.iter().position(|&tag| tag == 0).unwrap();
            let which = if dice.roll(2) == 0 {
                header
            } else {
                dice.roll(chunks.len())
            };
            match dice.roll(12) {
                0 => {
                    tags.remove(which);
                    chunks.remove(which);
                }
                1 => {
                    tags.push(1000);
                    chunks.push(chunks[which].clone());
                }
                2 => chunks.swap(0, which),
                _ => dice.damage(&mut chunks[which]),
            }
            let pairs: Vec<(u64, &[u8])> = tags
                .iter()
                .copied()
                .zip(chunks.iter().map(Vec::as_slice))
                .collect();
            let forged = container::encode(container.kind(), container.fingerprint(), &pairs);
            refused += usize::from(read(&forged).is_err());
        }
    }
    // A flipped low bit of a residue or seed is another valid file; most damage is not.
    assert!(refused > 1500, "{refused}");
}

/// A file with one chunk replaced.
fn forge(file: &[u8], tag: u64, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let container = Container::parse(file).unwrap();
    let mut body = container.chunk(tag).unwrap().to_vec();
    change(&mut body);
    let chunks: Vec<(u64, &[u8])> = container
        .tags()
        .map(|t| {
            (
                t,
                if t == tag {
                    &body[..]
                } else {
                    container.chunk(t).unwrap()
                },
            )
        })
        .collect();
    container::encode(container.kind(), container.fingerprint(), &chunks)
}

#[test]
fn each_refusal_says_what_is_wrong() {
    let files = Files::new();
    let [secret, keys, inputs, _] = files.readers();
    let text = |(file, read): &(&[u8], Reader<'_>), tag, change: fn(&mut Vec<u8>)| {
        read(&forge(file, tag, change)).unwrap_err()
    };
    assert_eq!(
        text(&secret, 1, |b| b[5] = 2),
        "coefficient 5 of the secret key is 2, which is not -1, 0 or 1"
    );
    assert_eq!(
        text(&secret, 1, |b| b.truncate(5)),
        "the number of coefficients is 5, expected 16"
    );
    assert!(text(&inputs, 1, |b| b[..8].fill(0xff)).contains("is not reduced"));
    assert_eq!(
        text(&inputs, 1, |b| b.push(0)),
        "the length of a chunk is 257, expected 256"
    );
    assert!(text(&keys, 1, |b| b[..8].fill(0xff)).contains("is not reduced"));
    assert!(text(&keys, 0, |b| b.fill(0xff)).contains("does not decode"));
    assert_eq!(
        text(&keys, 0, Vec::clear),
        "the number of chunks is 3, expected 1"
    );
}

#[test]
fn a_missing_chunk_is_a_typed_error() {
    let files = Files::new();
    let container = Container::parse(&files.keys).unwrap();
    let header = container.chunk(0).unwrap();
    let file = container::encode(container.kind(), container.fingerprint(), &[(0, header)]);
    let interface = files.parties.client.interface();
    let params = peregrine_runtime::parameters(interface.ring()).unwrap();
    let opened = peregrine_runtime::wire::KeyFile::open(KeyBytes::Held(file), interface, &params);
    assert!(matches!(
        opened,
        Err(WireError::Number {
            what: "the number of chunks",
            ..
        })
    ));
}
