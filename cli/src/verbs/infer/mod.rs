//! `infer`: compile, make keys, encrypt, run and decrypt in one process, and compare with the cleartext model.

mod judge;
mod report;

use super::model;
use crate::args::Infer;
use crate::arrays::NewArrays;
use crate::error::Error;
use crate::files;
use crate::inputs::{self, Inputs};
use crate::labels::{self, Labels};
use crate::machine::{self, Memory};
use crate::outputs::{self, Output};
use crate::plan::Plan;
use crate::precision;
use crate::progress::Bar;
use crate::report::{Summary, print};
use crate::values::InputArg;
use crate::verdict;
use judge::{Found, Judge};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::stats::Stats;
use peregrine_ir::{Circuit, Interface};
use peregrine_runtime::client::{Client, ClientError, Decryption, Secret};
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Server, ServerOptions, Session, Usage};
use peregrine_runtime::simulate::{Deviation, Prediction, Sample};
use peregrine_runtime::verdict::Fault;
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
    session: Session,
    randomness: Randomness,
}

/// What is to be inferred.
struct Task {
    graph: Graph,
    inputs: Inputs,
    images: Vec<Arrays>,
    labels: Option<Labels>,
}

impl Task {
    fn new(args: &Infer) -> Result<Self, Error> {
        let graph = model::load(&args.model)?;
        let inputs = Inputs::read(&args.input.files, &model::names(&graph), &args.model)?;
        let images = inputs.images(&model::ports(&graph))?;
        let labels = labels::read(args.labels.as_deref(), images.len())?;
        if let Some(labels) = &labels {
            labels.check(&blank(&graph)?)?;
        }
        Ok(Self {
            graph,
            inputs,
            images,
            labels,
        })
    }
}

/// Infers.
pub fn run(args: &Infer) -> Result<(), Error> {
    let started = Instant::now();
    distinct(args)?;
    machine::start_threads(&args.machine)?;
    let task = Task::new(args)?;
    let (graph, inputs) = (&task.graph, &task.inputs);
    let file = output(args, graph)?;
    let mut seconds = Seconds::default();

    let plan = timed(&mut seconds.compile, || {
        Plan::new(&args.model, graph, &args.choices)
    })?;
    let interface = Interface::of(&plan.compiled.circuit);
    let summary = Summary::of(&interface);
    let foreseen = machine::foresee(&plan.compiled.circuit, &args.machine)
        .map_err(|error| Error::server(&args.model)(error.into()))?;
    machine::announce(foreseen, &args.machine);
    let failed = || Error::client(&args.model);
    let client = Client::new(interface).map_err(failed())?;
    let count = task.images.len().min(args.limit.get());
    let images = task.images.get(..count).unwrap_or_default();
    let samples = precision::samples(&args.model, graph, images)?;
    warn_of_inputs(&client, inputs, &samples)?;
    let mut randomness = Randomness::from_os();
    let (secret, keys) = timed(&mut seconds.keygen, || {
        let secret = client.generate_secret(&mut randomness)?;
        let keys = client.evaluation_keys(&secret, &mut randomness)?;
        Ok((secret, keys))
    })
    .map_err(failed())?;
    let options = server_options(&plan.compiled.circuit, args, count);
    let server = Server::with_options(plan.compiled.circuit, options);
    let server = server.map_err(Error::server(&args.model))?;
    let session = server.session(Arc::new(keys), server.resources());
    let session = session.map_err(Error::server(&args.model))?;
    let mut setup = Setup {
        args,
        graph,
        inputs,
        client,
        secret,
        session,
        randomness,
    };
    let (rows, found) = setup.images(&samples, task.labels.as_ref(), &mut seconds)?;
    let memory = Memory::measure(setup.session.prediction());
    seconds.total = started.elapsed().as_secs_f64();
    // Afterwards, so that neither memory nor time of the images is that of a simulation.
    let predicted = predicted(&server, inputs, &samples)?;
    verdict::warn_of_drowned(server.circuit(), &predicted.drowned);
    let judge = Judge {
        args,
        graph: &plan.compiled.graph,
        headroom_bits: plan.config.headroom_bits,
        samples: &samples,
        predicted: &predicted,
    };
    let images = (rows, task.images.len());
    let circuit = (summary, &Stats::of(server.circuit()));
    conclude(judge, file, (&found, images), (circuit, seconds, memory))
}

/// Writes and prints what was found, and says whether it is garbage.
fn conclude(
    judge: Judge<'_>,
    file: Option<NewArrays>,
    (found, images): (&[Found], (Vec<Image>, usize)),
    (circuit, seconds, memory): ((Summary, &Stats), Seconds, Memory),
) -> Result<(), Error> {
    let args = judge.args;
    let garbage = judge.verdict(found)?;
    if let (Some(file), true) = (file, garbage.is_none() || args.force.force) {
        let answers = found.iter().filter_map(Found::answer);
        let outputs: Vec<Arrays> = answers.map(|answer| answer.outputs.clone()).collect();
        file.write(&inputs::stack(&outputs))?;
    }
    let precision = Precision::new(judge.measured(found), judge.predicted.deviation());
    let faults = garbage.as_ref().map(|garbage| garbage.findings.clone());
    let judged = (precision, faults.unwrap_or_default());
    let report = Report::new(circuit, images, judged, (seconds, memory));
    print(args.json.json, &report, report::text)?;
    garbage.map_or(Ok(()), |garbage| Err(Error::Garbage(Box::new(garbage))))
}

/// Outputs as a model gives them, without values.
fn blank(graph: &Graph) -> Result<Arrays, Error> {
    let outputs = graph.outputs.iter().filter_map(|output| {
        let shape = graph.node(output.node).shape.clone();
        let zeros = vec![0.0; shape.elements()];
        let array = Array::new(shape, zeros).ok()?;
        Some((output.name.clone(), array.finished(&output.finish).ok()?))
    });
    Ok(outputs.collect())
}

/// The file of outputs, if one is asked for.
fn output(args: &Infer, graph: &Graph) -> Result<Option<NewArrays>, Error> {
    let outputs = graph.outputs.iter();
    let outputs: Vec<&str> = outputs.map(|output| output.name.as_str()).collect();
    NewArrays::create(args.output.as_deref(), &outputs, args.force)
}

/// Says what is odd about images; refuses those that no client would encrypt, before keys are made.
fn warn_of_inputs(client: &Client, inputs: &Inputs, samples: &[Sample]) -> Result<(), Error> {
    for sample in samples {
        let odd = client.oddities(&sample.inputs);
        let odd = odd.map_err(|error| inputs.refuse_client(error))?;
        if !odd.is_empty() {
            verdict::warn_of_inputs(inputs.path(&odd), &odd);
            break;
        }
    }
    Ok(())
}

/// What simulated noise leaves of the outputs of encrypted samples.
fn predicted(server: &Server, inputs: &Inputs, samples: &[Sample]) -> Result<Prediction, Error> {
    let predicted = precision::predict(server.circuit(), samples);
    predicted.map_err(|error| inputs.refuse_simulation(error))
}

/// What so many runs may use; what is held already counts.
fn server_options(circuit: &Circuit, args: &Infer, runs: usize) -> ServerOptions {
    ServerOptions {
        memory: machine::memory_limit(&args.machine),
        usage: Usage {
            cache: machine::cache_budget(&args.machine, runs),
            process: machine::beside_keys(circuit),
            ..Usage::default()
        },
        ..ServerOptions::default()
    }
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

impl Setup<'_> {
    /// All images, one after the other.
    fn images(
        &mut self,
        samples: &[Sample],
        labels: Option<&Labels>,
        seconds: &mut Seconds,
    ) -> Result<(Vec<Image>, Vec<Found>), Error> {
        let (mut rows, mut found) = (Vec::new(), Vec::new());
        for (i, sample) in samples.iter().enumerate() {
            let bar = Bar::new(format!("image {} of {}", i + 1, samples.len()));
            let (mut row, answer) = self.image(sample, &bar)?;
            row.label = labels.and_then(|labels| labels.of(i));
            seconds.add(&row.seconds);
            rows.push(row);
            found.push(answer);
        }
        Ok((rows, found))
    }

    fn image(&mut self, sample: &Sample, bar: &Bar) -> Result<(Image, Found), Error> {
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
        seconds.total = started.elapsed().as_secs_f64();
        match decrypted {
            Ok(decrypted) => {
                let row = self.compare(sample, &decrypted, seconds);
                Ok((row, Found::Answer(decrypted)))
            }
            Err(ClientError::Decrypt { output, source }) => {
                let reason = source.to_string();
                let row = Image {
                    seconds,
                    error_log2: Some(f64::INFINITY),
                    ..Image::default()
                };
                Ok((row, Found::Unreadable(Fault::Unreadable { output, reason })))
            }
            Err(error) => Err(Error::client(path)(error)),
        }
    }

    /// Compares what was decrypted, and classes after the steps that follow.
    fn compare(&self, sample: &Sample, found: &Decryption, seconds: Seconds) -> Image {
        let precision = Deviation::of(&found.decrypted, &sample.expected);
        let known = outputs::are_classes(found.outputs.values());
        let outputs = self.graph.outputs.iter().filter(|_| known);
        let classes = outputs.into_iter().find_map(|output| {
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
