//! Every reader of bytes that may come from anyone, on hostile inputs made from sound ones: never a panic, never more memory than
//! the input is worth. The readers of arrays are fuzzed where they are, in `cli/src/arrays`.
//!
//! `PEREGRINE_CASES` sets how many inputs each reader gets, `PEREGRINE_SEED` the first of them; a failure names the one it was.
//! A file of its own with a single test: the allocator counts for the whole process.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

use peregrine_compiler::onnx::{self, NoExternalData, Options};
use peregrine_compiler::pipeline::{Config, compile};
use peregrine_ir::binary::{Container, ReadError, container};
use peregrine_ir::cost::{CostModel, Profile};
use peregrine_ir::{Interface, Security, Verified, binary, text, verify};
use peregrine_runtime::backend::cpu::KeySource;
use peregrine_runtime::client::{Client, Secret};
use peregrine_runtime::exec::{KeyForm, Silent};
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server};
use peregrine_runtime::wire::KeyBytes;
use peregrine_tests::fuzz::{self, Dice};
use peregrine_tests::onnx_bytes::{Attribute, Model};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Display;
use std::io::Cursor;
use std::sync::Arc;
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
    (result, PEAK.load(SeqCst).saturating_sub(before))
}

/// Inputs for each reader in a usual run.
const CASES: u64 = 400;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

type Make<'a> = Box<dyn Fn(&mut Dice) -> Vec<u8> + 'a>;
type Read<'a> = Box<dyn Fn(Vec<u8>) -> Result<(), String> + 'a>;

/// A reader, what makes hostile inputs for it, and the memory that it may take.
struct Reader<'a> {
    name: &'static str,
    /// Bytes for each byte of the input, and beside them.
    memory: (usize, usize),
    make: Make<'a>,
    read: Read<'a>,
}

fn said<T, E: Display>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| {
        let text = error.to_string();
        assert!(!text.is_empty(), "an error without words");
        text
    })
}

/// Says which input was read when a reader panics.
struct Case(&'static str, u64);

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(name, seed) = self;
            eprintln!("reader {name}: PEREGRINE_SEED={seed} PEREGRINE_CASES=1");
        }
    }
}

impl Reader<'_> {
    /// How many of these inputs are accepted.
    fn check(&self, (first, cases): (u64, u64)) -> u64 {
        let mut accepted = 0;
        for seed in first..first + cases {
            let case = Case(self.name, seed);
            let input = (self.make)(&mut Dice::new(seed));
            let (each, beside) = self.memory;
            let most = each * input.len() + beside;
            let length = input.len();
            let (result, took) = peak(|| (self.read)(input));
            let said = result.as_ref().err().map_or("accepted", String::as_str);
            assert!(
                took <= most,
                "{took} bytes for {length}, at most {most}: {:.200}",
                said
            );
            accepted += u64::from(result.is_ok());
            drop(case);
        }
        accepted
    }
}

/// A small network: a convolution, a square, a sum of everything.
fn model() -> Vec<u8> {
    let mut model = Model::default();
    model.input("image", &[1, 1, 4, 4]);
    let weights = |count: u32| (0..count).map(|i| (i % 7) as f32 / 8.0 - 0.4);
    let kernel = model.weight("kernel", &[2, 1, 3, 3], weights(18));
    let pads = Attribute::Ints("pads", &[1, 1, 1, 1]);
    let x = model.node("Conv", &["image", &kernel], &[pads]);
    let x = model.node("Mul", &[&x, &x], &[]);
    let x = model.node("Flatten", &[&x], &[Attribute::Int("axis", 1)]);
    let matrix = model.weight("matrix", &[32, 3], weights(96));
    let x = model.node("MatMul", &[&x, &matrix], &[]);
    model.output(&x, &[1, 3]);
    model.finish()
}

/// A model with ranges of its values in its metadata.
fn with_ranges(model: &[u8], ranges: &str) -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        let length = content.len();
        let length = [
            length as u8 | 0x80,
            (length >> 7) as u8 | 0x80,
            (length >> 14) as u8,
        ];
        [&[number << 3 | 2], length.as_slice(), content].concat()
    };
    let entry = [field(1, b"peregrine.ranges"), field(2, ranges.as_bytes())].concat();
    [model, &field(14, &entry)].concat()
}

const RANGES: &str = r#"{"version": 1, "images": 100, "images_outside": 3,
 "inputs": [{"name": "image", "low": 0.0, "high": 1.0}],
 "outputs": [{"name": "v3", "low": -20.0, "high": 20.0}],
 "activations": [{"input": "v0", "low": -4.0, "high": 4.0, "verdict": "holds"}]}
"#;

const PROFILE: &str = r#"{
  "version": 2, "machine": {"cores": 2, "kernels": "none"}, "threads": 2, "bytes_per_second": 1e10,
  "degrees": {"13": {"transform": 1e-5, "add": 1e-5, "multiply": 1e-5, "accumulate": 1e-5, "key_product": 1e-5,
    "convert": 1e-5, "fill": 1e-5, "encode_fixed": 1e-4, "encode_limb": 1e-5, "read": 1e-4}}
}
"#;

/// Everything that a client and a server exchange.
struct Exchange {
    circuit: Verified,
    client: Client,
    server: Server,
    secret: Secret,
    files: [Vec<u8>; 4],
}

impl Exchange {
    fn new() -> Self {
        let graph = onnx::import(&model(), &NoExternalData, &Options::new("small")).unwrap();
        let mut config = Config::new("small");
        (config.security, config.log_n) = (Security::None, 7..=7);
        let circuit = compile(&graph, &config).unwrap().circuit;
        let client = Client::new(Interface::of(&circuit)).unwrap();
        let server = Server::new(circuit.clone()).unwrap();
        let mut randomness = Randomness::from_seed_for_tests(1);
        let secret = client.generate_secret(&mut randomness).unwrap();
        let held = client.evaluation_keys(&secret, &mut randomness).unwrap();
        let out = Cursor::new(Vec::new());
        let keys = client.write_evaluation_keys(&secret, &mut randomness, out, |_, _| ());
        let image = Array::new(circuit.inputs[0].shape.clone(), vec![0.25; 16]).unwrap();
        let image: Arrays = [("image".to_owned(), image)].into();
        let inputs = client.encrypt(&secret, &image, &mut randomness).unwrap();
        let session = server.session(Arc::new(held), Resources::of_thread_pool(None));
        let outputs = session.unwrap().run(inputs.clone(), &Silent).unwrap();
        let files = [
            client.write_secret(&secret).unwrap().to_vec(),
            keys.unwrap().into_inner(),
            client.write_inputs(&inputs),
            server.write_outputs(&outputs),
        ];
        Self {
            circuit,
            client,
            server,
            secret,
            files,
        }
    }

    fn read_keys(&self, file: Vec<u8>) -> Result<(), String> {
        let keys = said(self.server.read_keys(KeyBytes::Held(file)))?;
        for &key in keys.levels().keys() {
            for form in [KeyForm::Streamed, KeyForm::Expanded] {
                said(keys.load(key, form))?;
            }
        }
        Ok(())
    }

    /// What is accepted is decrypted as well.
    fn read_outputs(&self, file: &[u8]) -> Result<(), String> {
        let outputs = said(self.client.read_outputs(file))?;
        said(self.client.decrypt(&self.secret, &outputs, None)).map(drop)
    }

    fn readers(&self) -> Vec<Reader<'_>> {
        let [secret, keys, inputs, outputs] = &self.files;
        let from = |file: &'_ Vec<u8>| {
            let file = file.clone();
            Box::new(move |dice: &mut Dice| fuzz::container(dice, &file))
        };
        let reader = |name, file, read| Reader {
            name,
            memory: (16, 1 << 20),
            make: from(file),
            read,
        };
        vec![
            reader(
                "secret key",
                secret,
                Box::new(|f| said(self.client.read_secret(&f)).map(drop)),
            ),
            reader("evaluation keys", keys, Box::new(|f| self.read_keys(f))),
            reader(
                "inputs",
                inputs,
                Box::new(|f| said(self.server.read_inputs(&f)).map(drop)),
            ),
            reader("outputs", outputs, Box::new(|f| self.read_outputs(&f))),
        ]
    }
}

/// Reads a circuit or an interface; a forger writes the right fingerprint as well.
fn read_named(file: &[u8], read: &dyn Fn(&[u8]) -> Result<(), ReadError>) -> Result<(), String> {
    match read(file) {
        Err(ReadError::Fingerprint { found, .. }) => {
            let opened = Container::parse(file).unwrap();
            let chunks: Vec<_> = opened
                .tags()
                .filter_map(|t| Some((t, opened.chunk(t).ok()?)))
                .collect();
            said(read(&container::encode(opened.kind(), found, &chunks)))
        }
        result => said(result),
    }
}

fn read_circuit(file: &[u8]) -> Result<(), String> {
    read_named(file, &|file| {
        let circuit = binary::read_circuit(file)?;
        // What is accepted is a circuit like any other, and a server says whether it can run it.
        let _ = said(Server::new(circuit));
        Ok(())
    })
}

fn read_interface(file: &[u8]) -> Result<(), String> {
    read_named(file, &|file| {
        let _ = said(Client::new(binary::read_interface(file)?));
        Ok(())
    })
}

/// Reads text; what verifies is printed and read again.
fn read_text(bytes: Vec<u8>) -> Result<(), String> {
    let source = String::from_utf8_lossy(&bytes);
    let circuit = said(verify(said(text::parse(&source))?))?;
    let again = text::parse(&text::print(&circuit)).unwrap();
    assert!(again == circuit.into_inner(), "printed as something else");
    Ok(())
}

fn read_model(bytes: &[u8]) -> Result<(), String> {
    said(onnx::import(
        bytes,
        &NoExternalData,
        &Options::new("hostile"),
    ))
    .map(drop)
}

fn read_profile(bytes: &[u8]) -> Result<(), String> {
    let json = String::from_utf8_lossy(bytes);
    said(Profile::parse(&json).and_then(CostModel::new)).map(drop)
}

fn readers(circuit: &Verified) -> Vec<Reader<'_>> {
    let from = |file: Vec<u8>| Box::new(move |dice: &mut Dice| fuzz::container(dice, &file));
    let model = model();
    let (stated, plain) = (model.clone(), model);
    let printed = text::print(circuit);
    vec![
        Reader {
            name: "circuit",
            memory: (256, 8 << 20),
            make: from(binary::write_circuit(circuit)),
            read: Box::new(|file| read_circuit(&file)),
        },
        Reader {
            name: "interface",
            memory: (256, 8 << 20),
            make: from(binary::write_interface(&Interface::of(circuit))),
            read: Box::new(|file| read_interface(&file)),
        },
        Reader {
            name: "text",
            memory: (256, 8 << 20),
            make: Box::new(move |dice| fuzz::words(dice, &printed).into_bytes()),
            read: Box::new(read_text),
        },
        Reader {
            name: "model",
            memory: (256, 256 << 20),
            make: Box::new(move |dice| fuzz::protobuf(dice, &plain)),
            read: Box::new(|bytes| read_model(&bytes)),
        },
        Reader {
            name: "ranges of a model",
            memory: (256, 16 << 20),
            make: Box::new(move |dice| with_ranges(&stated, &fuzz::words(dice, RANGES))),
            read: Box::new(|bytes| read_model(&bytes)),
        },
        Reader {
            name: "profile of a machine",
            memory: (64, 1 << 20),
            make: Box::new(move |dice| fuzz::words(dice, PROFILE).into_bytes()),
            read: Box::new(|bytes| read_profile(&bytes)),
        },
    ]
}

#[test]
fn hostile_bytes_are_refused_in_words_and_cheaply() {
    let (first, cases) = (
        setting("PEREGRINE_SEED", 1),
        setting("PEREGRINE_CASES", CASES),
    );
    println!("PEREGRINE_CASES={cases} PEREGRINE_SEED={first}");
    let exchange = Exchange::new();
    let readers = readers(&exchange.circuit)
        .into_iter()
        .chain(exchange.readers());
    for reader in readers {
        // Threads, and tables made on first use.
        let _ = (reader.read)((reader.make)(&mut Dice::new(0)));
        let accepted = reader.check((first, cases));
        println!("{}: {accepted} of {cases} accepted", reader.name);
        // Damage is seldom harmless; where it never is, it was the same everywhere.
        assert!(
            accepted < cases || cases < 10,
            "{}: nothing was refused",
            reader.name
        );
    }
}
