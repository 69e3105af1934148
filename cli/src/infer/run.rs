//! All roles in one process: compile, make keys, encrypt, run, decrypt, and compare with the cleartext model.

use super::judge::{Found, Judge};
use super::options::InferOptions;
use super::report::{ImageReport, InferReport, MeasuredPrecision, PhaseSeconds};
use crate::arrays::stack;
use crate::compile::{compile_watched, finite, predict, samples};
use crate::error::Error;
use crate::labels;
use crate::machine::{self, MemoryReport};
use crate::model::Model;
use crate::outputs::{OutputReport, are_classes, argmax};
use crate::summary::CircuitSummary;
use crate::verdict::{DrownedNode, Outgrown};
use crate::watch::{Task, Watcher};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::stats::Stats;
use peregrine_ir::{Security, Verified};
use peregrine_runtime::client::{Client, ClientError, Decryption, Secret};
use peregrine_runtime::exec::memory::Prediction;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::range::Outlier;
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Server, ServerError, ServerOptions, Session, Usage};
use peregrine_runtime::simulate::{Deviation, Sample};
use peregrine_runtime::verdict::Fault;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

/// Compiles a model, makes keys, encrypts images, runs the circuit on them, decrypts, and compares with the model in the clear:
/// how anyone sees whether a network survives encryption.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use peregrine::{InferOptions, Model, arrays, infer};
///
/// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/");
/// let model = Model::open(format!("{folder}digits.onnx"))?;
/// let images = arrays::named([("image", arrays::load(format!("{folder}images.npy"))?)]);
/// let options = InferOptions { limit: 2, ..InferOptions::default() };
/// let inferred = infer(&model, &model.images(&images)?, &options)?;
/// assert_eq!(inferred.report.agreeing, Some(2));
/// assert_eq!(inferred.report.images[0].class, Some(2));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the model does not compile, images are none that it takes, or a run does not fit the memory.
pub fn infer(model: &Model, images: &[Arrays], options: &InferOptions) -> Result<Inferred, Error> {
    Inference::new(model, images, options.clone(), &())?.run(&())
}

/// The outputs of an inference with its report.
#[derive(Clone, Debug)]
pub struct Inferred {
    /// The report of the inference.
    pub report: InferReport,
    /// The outputs of all images that decrypt, stacked along the first axis; garbage among them.
    pub outputs: Arrays,
    /// Nodes whose values drown in noise.
    pub drowned: Vec<DrownedNode>,
    /// Where values leave the room that the circuit has for them, though answers may be right all the same.
    pub outgrown: Option<Outgrown>,
}

/// An inference that is compiled but has no keys yet: its memory and the oddities of its inputs can be looked at before it
/// runs.
///
/// ```
/// # fn main() -> Result<(), peregrine::Error> {
/// use peregrine::{InferOptions, Inference, Model, arrays};
///
/// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/");
/// let model = Model::open(format!("{folder}digits.onnx"))?;
/// let image = arrays::named([("image", arrays::load(format!("{folder}image.npy"))?)]);
/// let inference = Inference::new(&model, &[image], InferOptions::default(), &())?;
/// assert!(inference.memory().total() < 100 << 20);
/// assert!(inference.oddities().is_empty());
/// assert_eq!(inference.run(&())?.report.images.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Inference<'m> {
    model: &'m Model,
    options: InferOptions,
    started: Instant,
    seconds: PhaseSeconds,
    given: usize,
    circuit: Verified,
    /// What the circuit computes.
    graph: Graph,
    headroom_bits: u32,
    client: Client,
    samples: Vec<Sample>,
    foreseen: Prediction,
    oddities: Vec<Outlier>,
}

impl<'m> Inference<'m> {
    /// Compiles a model for images, and evaluates it on them in the clear.
    ///
    /// # Errors
    /// When the model does not compile, images are none that it takes, or a run does not fit the memory.
    pub fn new(
        model: &'m Model,
        images: &[Arrays],
        mut options: InferOptions,
        watcher: &dyn Watcher,
    ) -> Result<Self, Error> {
        let started = Instant::now();
        if let Some(labels) = &options.labels {
            labels::check_count(labels, images.len())?;
            labels::check_classes(&model.blank_outputs())?;
        }
        let mut seconds = PhaseSeconds::default();
        let compiled = timed(&mut seconds.compile, || {
            compile_watched(model, mem::take(&mut options.compile), watcher)
        })?;
        let limit = machine::memory_limit(options.memory);
        let foreseen = machine::foresee(&compiled.circuit, limit).map_err(ServerError::from)?;
        let client = Client::new(compiled.interface)?;
        let first = images.get(..options.limit).unwrap_or(images);
        let samples = samples(model.graph(), first)?;
        Ok(Self {
            model,
            options,
            started,
            seconds,
            given: images.len(),
            circuit: compiled.circuit,
            graph: compiled.graph,
            headroom_bits: compiled.report.headroom_bits,
            oddities: oddities(&client, &samples)?,
            client,
            samples,
            foreseen,
        })
    }

    /// The security that the circuit promises.
    pub fn security(&self) -> Security {
        self.circuit.security
    }

    /// The memory that a run will take, with all keys in memory.
    pub fn memory(&self) -> Prediction {
        self.foreseen
    }

    /// The oddities of the first image that has any.
    pub fn oddities(&self) -> &[Outlier] {
        &self.oddities
    }

    /// Makes keys and runs the images, one after the other, each a task of the watcher.
    ///
    /// # Errors
    /// When a run does not fit the memory.
    pub fn run(mut self, watcher: &dyn Watcher) -> Result<Inferred, Error> {
        let mut randomness = Randomness::from_os();
        let client = &self.client;
        let (secret, keys) = timed(&mut self.seconds.keygen, || {
            let secret = client.generate_secret(&mut randomness)?;
            let keys = client.evaluation_keys(&secret, &mut randomness)?;
            Ok::<_, ClientError>((secret, keys))
        })?;
        let summary = CircuitSummary::new(client.interface());
        let (memory, runs) = (self.options.memory, self.samples.len());
        let options = server_options(&self.circuit, memory, runs);
        let server = Server::with_options(self.circuit, options)?;
        let mut roles = Roles {
            graph: self.model.graph(),
            client: self.client,
            secret,
            session: server.session(Arc::new(keys), server.resources())?,
            randomness,
        };
        let labels = self.options.labels.as_deref();
        let (rows, found) = roles.images(&self.samples, labels, (&mut self.seconds, watcher))?;
        let memory = MemoryReport::measure(roles.session.prediction());
        self.seconds.total = self.started.elapsed().as_secs_f64();
        // Afterwards, so that neither memory nor time of the images is that of a simulation.
        let predicted = predict(server.circuit(), &self.samples, watcher)?;
        let judge = Judge {
            graph: &self.graph,
            headroom_bits: self.headroom_bits,
            samples: &self.samples,
            predicted: &predicted,
        };
        let (faults, outgrown) = judge.verdict(&found)?;
        let precision = MeasuredPrecision::new(judge.measured(&found), predicted.deviation());
        let answers = found.iter().filter_map(Found::answer);
        let outputs: Vec<Arrays> = answers.map(|answer| answer.outputs.clone()).collect();
        let circuit = (summary, &Stats::of(server.circuit()));
        let images = (rows, self.given);
        Ok(Inferred {
            report: InferReport::new(circuit, images, (precision, faults), (self.seconds, memory)),
            outputs: stack(&outputs),
            drowned: DrownedNode::all(server.circuit(), &predicted.drowned),
            outgrown,
        })
    }
}

/// What is odd about the first image that is; refuses those that no client would encrypt, before keys are made.
fn oddities(client: &Client, samples: &[Sample]) -> Result<Vec<Outlier>, ClientError> {
    for sample in samples {
        let odd = client.oddities(&sample.inputs)?;
        if !odd.is_empty() {
            return Ok(odd);
        }
    }
    Ok(Vec::new())
}

/// What so many runs may use; what is held already counts.
fn server_options(circuit: &Verified, memory: Option<u64>, runs: usize) -> ServerOptions {
    ServerOptions {
        memory: machine::memory_limit(memory),
        usage: Usage {
            cache: machine::cache_budget(memory, runs),
            process: machine::beside_keys(circuit),
            ..Usage::default()
        },
        ..ServerOptions::default()
    }
}

/// Everything that images are run with.
struct Roles<'a> {
    graph: &'a Graph,
    client: Client,
    secret: Secret,
    session: Session,
    randomness: Randomness,
}

impl Roles<'_> {
    /// All images, one after the other.
    fn images(
        &mut self,
        samples: &[Sample],
        labels: Option<&[i64]>,
        (seconds, watcher): (&mut PhaseSeconds, &dyn Watcher),
    ) -> Result<(Vec<ImageReport>, Vec<Found>), Error> {
        let (mut rows, mut found) = (Vec::new(), Vec::new());
        for (i, sample) in samples.iter().enumerate() {
            let task = watcher.begin(&format!("image {} of {}", i + 1, samples.len()));
            let (mut row, answer) = self.image(sample, &task)?;
            row.label = labels.and_then(|labels| labels.get(i).copied());
            seconds.add(&row.seconds);
            rows.push(row);
            found.push(answer);
        }
        Ok((rows, found))
    }

    fn image(&mut self, sample: &Sample, task: &Task<'_>) -> Result<(ImageReport, Found), Error> {
        let mut seconds = PhaseSeconds::default();
        let started = Instant::now();
        let encrypted = timed(&mut seconds.encrypt, || {
            self.client
                .encrypt(&self.secret, &sample.inputs, &mut self.randomness)
        })?;
        let computed = timed(&mut seconds.run, || self.session.run(encrypted, task))?;
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
                let row = ImageReport {
                    seconds,
                    error_log2: Some(f64::INFINITY),
                    ..ImageReport::default()
                };
                Ok((row, Found::Unreadable(Fault::Unreadable { output, reason })))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Compares what was decrypted, and classes after the steps that follow.
    fn compare(&self, sample: &Sample, found: &Decryption, seconds: PhaseSeconds) -> ImageReport {
        let precision = Deviation::of(&found.decrypted, &sample.expected);
        let known = are_classes(found.outputs.values());
        let outputs = self.graph.outputs.iter().filter(|_| known);
        let classes = outputs.into_iter().find_map(|output| {
            let name = &output.name;
            let (decrypted, found) = (found.decrypted.get(name)?, found.outputs.get(name)?);
            let expected = sample.expected.get(name)?.clone();
            let expected = Array::new(decrypted.shape().clone(), expected).ok()?;
            let expected = expected.finished(&output.finish).ok();
            let class = argmax(found)?;
            Some((expected.and_then(|array| argmax(&array)), class))
        });
        ImageReport {
            expected_class: classes.and_then(|(expected, _)| expected),
            class: classes.map(|(_, class)| class),
            error_log2: finite(precision).map(|bits| -bits),
            seconds,
            outputs: OutputReport::all(&found.outputs),
            ..ImageReport::default()
        }
    }
}

fn timed<T>(seconds: &mut f64, f: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = f();
    *seconds += started.elapsed().as_secs_f64();
    result
}
