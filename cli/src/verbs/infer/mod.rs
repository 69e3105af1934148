//! `infer`: compile, make keys, encrypt, run and decrypt in one process, and compare with the cleartext model.

mod report;

use super::model;
use crate::args::Infer;
use crate::arrays;
use crate::error::{Error, InputProblem};
use crate::files::{self, NewFile};
use crate::inputs::{self, Inputs};
use crate::machine::{self, Memory};
use crate::outputs::{self, Output};
use crate::plan::Plan;
use crate::precision;
use crate::progress::Bar;
use crate::report::{Summary, print};
use crate::values::InputArg;
use peregrine_compiler::tensor::Graph;
use peregrine_ir::Interface;
use peregrine_ir::stats::Stats;
use peregrine_runtime::client::{Client, Decryption, Secret};
use peregrine_runtime::exec::HeldKeys;
use peregrine_runtime::ports::Array;
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server, Session, Usage};
use peregrine_runtime::simulate::{Deviation, Sample};
use report::{Image, Precision, Report, Seconds};
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

    let Plan { compiled, .. } = timed(&mut seconds.compile, || {
        Plan::new(&args.model, &graph, &args.choices)
    })?;
    let interface = Interface::of(&compiled.circuit);
    let (circuit, stats) = (Summary::of(&interface), Stats::of(&compiled.circuit));
    let foreseen = machine::foresee(&compiled.circuit, &args.machine)
        .map_err(|error| Error::server(&args.model)(error.into()))?;
    machine::announce(foreseen, &args.machine);
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

    let samples = precision::samples(&args.model, &graph, images.get(..count).unwrap_or_default())?;
    let (mut rows, mut results) = (Vec::new(), Vec::new());
    let mut measured = Deviation::default();
    for (i, sample) in samples.iter().enumerate() {
        let bar = Bar::new(format!("image {} of {count}", i + 1));
        let (mut row, decryption) = setup.image(sample, &bar)?;
        measured = measured.join(Deviation::of(&decryption.decrypted, &sample.expected));
        row.label = labels.as_ref().and_then(|labels| labels.get(i).copied());
        seconds.add(&row.seconds);
        rows.push(row);
        results.push(decryption.outputs);
    }
    if let (Some(file), Some(path)) = (file, &args.output) {
        arrays::write(file, path, &inputs::stack(&results))?;
    }
    let memory = Memory::measure(setup.session.prediction());
    seconds.total = started.elapsed().as_secs_f64();
    // Afterwards, so that neither memory nor time of the images is that of a simulation.
    let precision = Precision::new(measured, predicted(&server, &inputs, &samples)?);
    let report = Report::new((circuit, &stats), rows, precision, (seconds, memory));
    print(args.json.json, &report, report::text)
}

/// How far the outputs of encrypted samples should be from those of the model.
fn predicted(server: &Server, inputs: &Inputs, samples: &[Sample]) -> Result<Deviation, Error> {
    let predicted = precision::predict(server.circuit(), samples);
    predicted.map_err(|error| inputs.refuse_simulation(error))
}

/// Everything the runs need; what is held already counts.
fn session<'s>(
    server: &'s Server,
    keys: HeldKeys,
    args: &Infer,
    runs: usize,
) -> Result<Session<'s>, Error> {
    let resources = Resources::of_thread_pool(machine::memory_limit(&args.machine));
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
    InputArg::distinct(&args.input.files, output)?;
    InputArg::distinct(&args.choices.calibrate, output)
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
    fn image(&mut self, sample: &Sample, bar: &Bar) -> Result<(Image, Decryption), Error> {
        let path = &self.args.model;
        let mut seconds = Seconds::default();
        let started = Instant::now();
        let encrypted = timed(&mut seconds.encrypt, || {
            self.client
                .encrypt(&self.secret, &sample.inputs, &mut self.randomness)
        });
        let encrypted = encrypted.map_err(|error| self.inputs.refuse_client(error))?;
        let computed = timed(&mut seconds.run, || self.session.run(encrypted, bar));
        let computed = computed.map_err(Error::server(path))?;
        let decrypted = timed(&mut seconds.decrypt, || {
            self.client.decrypt(&self.secret, &computed, None)
        });
        let decrypted = decrypted.map_err(Error::client(path))?;
        seconds.total = started.elapsed().as_secs_f64();
        Ok((self.compare(sample, &decrypted, seconds), decrypted))
    }

    /// Compares what was decrypted, and classes after the steps that follow.
    fn compare(&self, sample: &Sample, found: &Decryption, seconds: Seconds) -> Image {
        let precision = Deviation::of(&found.decrypted, &sample.expected);
        let classes = self.graph.outputs.iter().find_map(|output| {
            let name = &output.name;
            let (decrypted, found) = (found.decrypted.get(name)?, found.outputs.get(name)?);
            let expected = sample.expected.get(name)?.clone();
            let expected = Array::new(decrypted.shape().clone(), expected).ok()?;
            let expected = expected.finished(&output.finish).ok();
            let class = outputs::class(found)?;
            Some((expected.and_then(|array| outputs::class(&array)), class))
        });
        Image {
            expected_class: classes.and_then(|(expected, _)| expected),
            class: classes.map(|(_, class)| class),
            error_log2: precision::finite(precision).map(|bits| -bits),
            seconds,
            outputs: Output::all(&found.outputs),
            ..Image::default()
        }
    }
}

fn timed<T>(seconds: &mut f64, f: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = f();
    *seconds += started.elapsed().as_secs_f64();
    result
}
