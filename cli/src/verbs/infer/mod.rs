//! `infer`: compile, make keys, encrypt, run and decrypt in one process, and compare with the cleartext model.

mod report;

use super::model;
use crate::args::Infer;
use crate::arrays;
use crate::error::{Error, InputProblem};
use crate::files::{self, NewFile};
use crate::inputs::{self, Inputs, values};
use crate::machine::{self, Memory};
use crate::outputs::{self, Output};
use crate::progress::Bar;
use crate::report::{Summary, print};
use crate::values::InputArg;
use peregrine_compiler::tensor::Graph;
use peregrine_ir::Interface;
use peregrine_ir::stats::Stats;
use peregrine_runtime::client::{Client, Decryption, Secret};
use peregrine_runtime::exec::HeldKeys;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server, Session, Usage};
use report::{Image, Report, Seconds};
use std::sync::Arc;
use std::time::Instant;

/// Everything that images are run with.
struct Setup<'a> {
    args: &'a Infer,
    graph: &'a Graph,
    inputs: &'a Inputs,
    client: Client,
    secret: Secret,
    session: Session<'a>,
    randomness: Randomness,
}

/// Infers.
pub fn run(args: &Infer) -> Result<(), Error> {
    let started = Instant::now();
    distinct(args)?;
    machine::start_threads(&args.machine)?;
    let graph = model::load(&args.model)?;
    let inputs = Inputs::read(&args.input.files, &model::names(&graph), &args.model)?;
    let images = inputs.images(&model::ports(&graph))?;
    let labels = labels(args, images.len())?;
    let file = args.output.as_deref().map(NewFile::create).transpose()?;
    let mut seconds = Seconds::default();

    let config = model::config(&args.model, &args.choices)?;
    let compiled = timed(&mut seconds.compile, || {
        model::compile(&args.model, &graph, &config)
    })?;
    let interface = Interface::of(&compiled.circuit);
    let (circuit, stats) = (Summary::of(&interface), Stats::of(&compiled.circuit));
    let failed = || Error::client(&args.model);
    let client = Client::new(interface).map_err(failed())?;
    let count = images.len().min(args.limit.get());
    let mut randomness = Randomness::from_os();
    let (secret, keys) = timed(&mut seconds.keygen, || {
        let secret = client.generate_secret(&mut randomness)?;
        let keys = client.evaluation_keys(&secret, &mut randomness)?;
        Ok((secret, keys))
    })
    .map_err(failed())?;
    let server = Server::new(compiled.circuit).map_err(Error::server(&args.model))?;
    let session = session(&server, keys, args, count)?;
    let mut setup = Setup {
        args,
        graph: &graph,
        inputs: &inputs,
        client,
        secret,
        session,
        randomness,
    };

    let (mut rows, mut results) = (Vec::new(), Vec::new());
    for (i, image) in images.iter().take(count).enumerate() {
        let (mut row, outputs) =
            setup.image(image, &Bar::new(format!("image {} of {count}", i + 1)))?;
        row.label = labels.as_ref().and_then(|labels| labels.get(i).copied());
        seconds.add(&row.seconds);
        rows.push(row);
        results.push(outputs);
    }
    if let (Some(file), Some(path)) = (file, &args.output) {
        arrays::write(file, path, &inputs::stack(&results))?;
    }
    let memory = Memory::measure(setup.session.prediction());
    seconds.total = started.elapsed().as_secs_f64();
    let report = Report::new((circuit, &stats), rows, seconds, memory);
    print(args.json.json, &report, report::text)
}

/// Everything the runs need; what is held already counts.
fn session<'s>(
    server: &'s Server,
    keys: HeldKeys,
    args: &Infer,
    runs: usize,
) -> Result<Session<'s>, Error> {
    let resources = Resources::of_thread_pool(args.machine.memory);
    let usage = Usage {
        cache: machine::cache_budget(&args.machine, runs),
        process: machine::beside_keys(server.circuit()),
        ..Usage::default()
    };
    let session = server.session_for(Arc::new(keys), resources, usage);
    session.map_err(Error::server(&args.model))
}

/// Refuses an output that is also an input.
fn distinct(args: &Infer) -> Result<(), Error> {
    let Some(output) = &args.output else {
        return Ok(());
    };
    files::distinct(&[("the model", &args.model), ("the output", output)])?;
    InputArg::distinct(&args.input.files, output)
}

fn labels(args: &Infer, images: usize) -> Result<Option<Vec<i64>>, Error> {
    let Some(path) = &args.labels else {
        return Ok(None);
    };
    let labels = arrays::read_integers(path)?;
    if labels.len() == images {
        return Ok(Some(labels));
    }
    let (found, path) = (labels.len(), path.clone());
    let problem = InputProblem::Labels {
        found,
        expected: images,
    };
    Err(Error::Inputs { path, problem })
}

impl Setup<'_> {
    fn image(&mut self, image: &Arrays, bar: &Bar) -> Result<(Image, Arrays), Error> {
        let path = &self.args.model;
        let mut seconds = Seconds::default();
        let expected = self
            .graph
            .evaluate_unfinished(&values(image))
            .map_err(|source| Error::Evaluate {
                path: path.clone(),
                source,
            })?;
        let started = Instant::now();
        let encrypted = timed(&mut seconds.encrypt, || {
            self.client
                .encrypt(&self.secret, image, &mut self.randomness)
        });
        let encrypted = encrypted.map_err(|error| self.inputs.refuse_client(error))?;
        let computed = timed(&mut seconds.run, || self.session.run(encrypted, bar));
        let computed = computed.map_err(Error::server(path))?;
        let decrypted = timed(&mut seconds.decrypt, || {
            self.client.decrypt(&self.secret, &computed, None)
        });
        let decrypted = decrypted.map_err(Error::client(path))?;
        seconds.total = started.elapsed().as_secs_f64();
        Ok((
            self.compare(&expected, &decrypted, seconds),
            decrypted.outputs,
        ))
    }

    /// Compares what was decrypted, and classes after the steps that follow.
    fn compare(&self, expected: &[Vec<f64>], found: &Decryption, seconds: Seconds) -> Image {
        let mut row = Image {
            seconds,
            outputs: Output::all(&found.outputs),
            ..Image::default()
        };
        let (mut error, mut magnitude) = (0.0f64, 0.0f64);
        for (output, expected) in self.graph.outputs.iter().zip(expected) {
            let name = &output.name;
            let (Some(decrypted), Some(found)) =
                (found.decrypted.get(name), found.outputs.get(name))
            else {
                continue;
            };
            let errors: Vec<f64> = decrypted
                .data()
                .iter()
                .zip(expected)
                .map(|(a, b)| a - b)
                .collect();
            error = error.max(outputs::largest(&errors));
            magnitude = magnitude.max(outputs::largest(expected));
            if row.class.is_none() {
                let expected = Array::new(decrypted.shape().clone(), expected.clone());
                let expected = expected.and_then(|array| array.finished(&output.finish));
                row.expected_class = expected.ok().and_then(|array| outputs::class(&array));
                row.class = outputs::class(found);
            }
        }
        let relative = if magnitude > 0.0 {
            error / magnitude
        } else {
            error
        };
        row.error_log2 = Some(relative.log2()).filter(|_| error != 0.0);
        row
    }
}

fn timed<T>(seconds: &mut f64, f: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = f();
    *seconds += started.elapsed().as_secs_f64();
    result
}
