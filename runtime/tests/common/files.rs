//! The files of one exchange, and what may be wrong with them.

use super::{Parties, Toy, inputs};
use peregrine_ir::binary::{Container, container};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::KeySource;
use peregrine_runtime::exec::{KeyForm, Silent};
use peregrine_runtime::server::Resources;
use peregrine_runtime::wire::KeyBytes;
use std::io::Cursor;

/// Every file of one exchange.
pub struct Files {
    pub circuit: Verified,
    pub parties: Parties,
    pub secret: Vec<u8>,
    pub keys: Vec<u8>,
    pub inputs: Vec<u8>,
    pub outputs: Vec<u8>,
}

/// Reads a file to the end.
pub type Reader<'a> = Box<dyn Fn(Vec<u8>) -> Result<(), String> + 'a>;

impl Files {
    /// Of a rotation and a product.
    pub fn new(toy: Toy) -> Self {
        let mut toy = toy.builder();
        let x = toy.input("x");
        let rotation = Rotation(3);
        let rotated = toy.push(Inst::Rotate { a: x, rotation });
        let square = toy.push(Inst::Square(rotated));
        let square = toy.push(Inst::Relinearize(square));
        toy.output(square);
        Self::of(toy.finish())
    }

    /// Of a circuit.
    pub fn of(circuit: Verified) -> Self {
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
        Self {
            secret: secret.to_vec(),
            keys: parties.key_file(),
            inputs: parties.client.write_inputs(&encrypted),
            outputs: parties.server.write_outputs(&outputs),
            parties,
            circuit,
        }
    }

    /// Reads all of a file of evaluation keys.
    fn read_keys(&self, file: Vec<u8>) -> Result<(), String> {
        let keys = self.parties.server.read_keys(KeyBytes::Held(file));
        let keys = keys.map_err(|e| e.to_string())?;
        for &kind in keys.levels().keys() {
            for form in [KeyForm::Streamed, KeyForm::Expanded] {
                keys.load(kind, form).map_err(|e| e.to_string())?;
            }
        }
        Ok(())
    }

    /// Other parties of the same exchange, which have read nothing yet.
    pub fn forget(&mut self) {
        self.parties = Parties::new(&self.circuit);
    }

    /// Secret key, evaluation keys, inputs, outputs.
    pub fn readers(&self) -> [(&[u8], Reader<'_>); 4] {
        let (client, server) = (&self.parties.client, &self.parties.server);
        let secret = |f: Vec<u8>| client.read_secret(&f).map(drop).map_err(|e| e.to_string());
        let inputs = |f: Vec<u8>| server.read_inputs(&f).map(drop).map_err(|e| e.to_string());
        let outputs = |f: Vec<u8>| client.read_outputs(&f).map(drop).map_err(|e| e.to_string());
        [
            (&self.secret, Box::new(secret)),
            (&self.keys, Box::new(|f| self.read_keys(f))),
            (&self.inputs, Box::new(inputs)),
            (&self.outputs, Box::new(outputs)),
        ]
    }
}

impl Parties {
    pub fn key_file(&mut self) -> Vec<u8> {
        let out = Cursor::new(Vec::new());
        let keys =
            self.client
                .write_evaluation_keys(&self.secret, &mut self.randomness, out, |_, _| ());
        keys.unwrap().into_inner()
    }
}

/// The chunks of a sound file.
pub fn chunks(file: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let container = Container::parse(file).unwrap();
    let chunk = |tag| (tag, container.chunk(tag).unwrap().to_vec());
    container.tags().map(chunk).collect()
}

/// A sound container like `file`, with other chunks.
pub fn rebuild(file: &[u8], chunks: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let container = Container::parse(file).unwrap();
    let chunks: Vec<(u64, &[u8])> = chunks.iter().map(|(tag, b)| (*tag, &b[..])).collect();
    container::encode(container.kind(), container.fingerprint(), &chunks)
}

/// A file with one chunk changed.
pub fn forge(file: &[u8], tag: u64, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut chunks = chunks(file);
    let chunk = chunks.iter_mut().find(|(t, _)| *t == tag);
    change(&mut chunk.unwrap().1);
    rebuild(file, &chunks)
}

/// Makes every checksum right that has a place in the file.
pub fn seal(file: &mut [u8]) {
    let number = |file: &[u8], at: usize| -> u64 {
        let bytes = file.get(at..at + 8).map(|b| b.try_into().unwrap());
        bytes.map_or(0, u64::from_le_bytes)
    };
    let count = (number(file, 48) as u32) as usize;
    let head = 64 + 64 * count;
    if head + 32 > file.len() {
        return;
    }
    for entry in (64..head).step_by(64) {
        let (offset, length) = (number(file, entry + 8), number(file, entry + 16));
        let end = offset.checked_add(length);
        if end.is_some_and(|end| end <= file.len() as u64) {
            let hash = blake3::hash(&file[offset as usize..(offset + length) as usize]);
            file[entry + 24..entry + 56].copy_from_slice(hash.as_bytes());
        }
    }
    let hash = blake3::hash(&file[..head]);
    file[head..head + 32].copy_from_slice(hash.as_bytes());
}

/// A small reproducible generator of damage.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides.max(1)
    }

    /// Changes, removes or adds a byte, or cuts the end off.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
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

    /// A hostile file made from a sound one, most often with checksums that are right.
    pub fn mutate(&mut self, file: &[u8]) -> Vec<u8> {
        let mut forged = file.to_vec();
        match self.roll(8) {
            0 => self.damage(&mut forged),
            1 => {
                self.damage(&mut forged);
                seal(&mut forged);
            }
            2 | 3 => {
                self.number(&mut forged);
                seal(&mut forged);
            }
            4 | 5 => {
                let large = self.roll(4) == 0;
                let length = chunks(file).iter().find(|(t, _)| *t == 0).unwrap().1.len();
                let length = if large { 1 << self.roll(18) } else { length };
                let header = self.header(length);
                forged = forge(file, 0, |chunk| *chunk = header);
            }
            _ => forged = self.rearrange(file),
        }
        forged
    }

    /// Changes a number of the fixed header or of the directory to a telling one.
    fn number(&mut self, file: &mut [u8]) {
        let fields = [8, 12, 48, 52, 56, 64, 72, 80, 128, 136, 144];
        let at = fields[self.roll(fields.len())];
        let old = u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
        let length = file.len() as u64;
        let telling = [
            0,
            1,
            old.wrapping_add(1),
            old.wrapping_sub(1),
            old + 64,
            length,
            length / 64,
            u64::from(u32::MAX),
            u64::from(u32::MAX) / 64,
            1 << 40,
            u64::MAX / 64,
            u64::MAX - 63,
            u64::MAX,
        ];
        let new = telling[self.roll(telling.len())].to_le_bytes();
        let width = if at < 56 { 4 } else { 8 };
        file[at..at + width].copy_from_slice(&new[..width]);
    }

    /// Bytes that ask a reader of protocol buffers for much memory, or recurse, or promise more than there is.
    fn header(&mut self, length: usize) -> Vec<u8> {
        let patterns: [&[u8]; 9] = [
            // Empty messages of fields 1 and 2, alone and together; empty strings.
            b"\x0a\x00",
            b"\x12\x00",
            b"\x08\x01\x12\x00",
            b"\x08\x02\x12\x00\x12\x00\x12\x00",
            b"\x12\x02\x0a\x00",
            // Digits one by one; groups in groups; a length beyond everything; numbers without end.
            b"\x0a\x02\x30\x00",
            b"\x0b",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\xff",
        ];
        let pattern = patterns[self.roll(patterns.len())];
        let mut header: Vec<u8> = pattern.iter().copied().cycle().take(length).collect();
        if self.roll(3) == 0 && length > 16 {
            // One message, or list of digits in a message, as long as the rest.
            let inner: &[u8] = if self.roll(2) == 0 { b"" } else { b"\x32" };
            let rest = (length - 8) as u64;
            let mut front = vec![0x0a];
            prost::encoding::encode_varint(rest, &mut front);
            front.extend(inner);
            if !inner.is_empty() {
                prost::encoding::encode_varint(rest - 5, &mut front);
            }
            header[..front.len()].copy_from_slice(&front);
        }
        header
    }

    /// Removes, adds, exchanges or damages whole chunks.
    fn rearrange(&mut self, file: &[u8]) -> Vec<u8> {
        let mut chunks = chunks(file);
        // Headers are small and decide most: damage them as often as bodies.
        let header = chunks.iter().position(|(tag, _)| *tag == 0).unwrap();
        let body = self.roll(chunks.len());
        let which = if self.roll(2) == 0 { header } else { body };
        match self.roll(16) {
            0 => drop(chunks.remove(which)),
            1 => chunks.push((1000, chunks[which].1.clone())),
            2 => chunks.swap(0, which),
            3 => {
                let bytes = std::mem::take(&mut chunks[which].1);
                chunks[header].1 = bytes;
            }
            4 => chunks.extend((0..1000).map(|tag| (2000 + tag, Vec::new()))),
            5 => chunks[which].1.fill(0xff),
            _ => self.damage(&mut chunks[which].1),
        }
        rebuild(file, &chunks)
    }
}
