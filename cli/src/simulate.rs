//! Circuits on cleartext, with a model of the noise on request.

use crate::arrays::{stack, values};
use crate::compile::finite;
use crate::error::Error;
use crate::labels;
use crate::outputs::{OutputReport, are_classes, argmax, largest};
use crate::verdict::{self, DrownedNode, Finding};
use crate::watch::Watcher;
use peregrine_ir::Verified;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::simulate::{
    self, Deviation, Drowned, Headroom, Options, SimulateError, Simulations, Twins,
};
use peregrine_runtime::verdict::{changed, imprecise, out_of_range};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;

/// How [`simulate()`] runs a circuit. By default without noise, on all images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulateOptions {
    /// The seed of simulated noise, equal seeds giving equal noise; none to run without noise.
    pub noise: Option<u64>,
    /// The labels of the images, where they are known.
    pub labels: Option<Vec<i64>>,
    /// Most images that are simulated; all by default.
    pub limit: Option<usize>,
    /// Whether outputs that are garbage are reported all the same.
    pub show_garbage: bool,
}

/// The outputs of a simulation with its report.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The report of the simulation.
    pub report: SimulateReport,
    /// The outputs of all images, stacked along the first axis; garbage among them.
    pub outputs: Arrays,
    /// Nodes whose values drown in noise, where there was some.
    pub drowned: Vec<DrownedNode>,
}

/// The report of a simulation: what `peregrine simulate --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct SimulateReport {
    /// Number of images that were simulated.
    pub images: usize,
    /// The seed of the noise; none without noise.
    pub noise_seed: Option<u64>,
    /// Bits of the largest output that the noise leaves right; none without noise, or where nothing is wrong.
    pub precision_bits: Option<f64>,
    /// Number of images of which the noise leaves the largest value of every vector where it is; none where outputs are no
    /// classes.
    pub same_class: Option<usize>,
    /// Number of images whose class is their label.
    pub correct: Option<usize>,
    /// Seconds that it took.
    pub seconds: f64,
    /// The place where a message came closest to the modulus.
    pub headroom: Option<Headroom>,
    /// Why the answer is garbage; empty where it is sound.
    pub faults: Vec<Finding>,
    /// The outputs of all images, stacked, by name; none where they are garbage, unless garbage is asked for.
    pub outputs: BTreeMap<String, OutputReport>,
}

/// Runs a circuit on cleartext images.
///
/// Each image has every input of the circuit by name: [`Model::images`](crate::model::Model::images) takes a batch apart.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use peregrine::{CompileOptions, Model, SimulateOptions, arrays, compile, simulate};
///
/// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/");
/// let model = Model::open(format!("{folder}digits.onnx"))?;
/// let compiled = compile(&model, &CompileOptions::default())?;
/// let images = arrays::named([("image", arrays::load(format!("{folder}images.npy"))?)]);
/// let options = SimulateOptions {
///     noise: Some(1),
///     labels: Some(arrays::load_integers(format!("{folder}labels.npy"))?),
///     ..SimulateOptions::default()
/// };
/// let simulated = simulate(&compiled.circuit, &model.images(&images)?, &options)?;
/// assert!(simulated.report.correct >= Some(49));
/// assert!(simulated.report.faults.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When an image is none that the circuit takes, or labels do not go with the images or the outputs.
pub fn simulate(
    circuit: &Verified,
    images: &[Arrays],
    options: &SimulateOptions,
) -> Result<Simulated, Error> {
    simulate_watched(circuit, images, options, &())
}

/// Runs a circuit on cleartext images as [`simulate()`] does, and tells a watcher how far it is.
///
/// # Errors
/// As for [`simulate()`].
pub fn simulate_watched(
    circuit: &Verified,
    images: &[Arrays],
    options: &SimulateOptions,
    watcher: &dyn Watcher,
) -> Result<Simulated, Error> {
    let labels = options.labels.as_deref();
    labels.map_or(Ok(()), |labels| labels::check_count(labels, images.len()))?;
    let limit = options.limit.unwrap_or(usize::MAX);
    let images = images.get(..limit).unwrap_or(images);
    let started = Instant::now();
    let found = simulated(options.noise, circuit, images, watcher)?;
    let seconds = started.elapsed().as_secs_f64();
    let correct = labels.map(|labels| labels::correct(labels, &found.simulations.outputs));
    let faults = faults(circuit, &found);
    let outputs = stack(&found.simulations.outputs);
    let Found {
        simulations,
        exact,
        drowned,
    } = found;
    let precision = exact.as_ref().map(|(_, d)| deviation(&simulations, d));
    let same_class = exact
        .as_ref()
        .and_then(|(o, _)| same_class(&simulations, o));
    let report = SimulateReport {
        images: images.len(),
        noise_seed: options.noise,
        precision_bits: precision.and_then(finite),
        same_class,
        correct: correct.transpose()?,
        seconds,
        headroom: simulations.headroom,
        outputs: match faults.is_empty() || options.show_garbage {
            true => OutputReport::all(&outputs),
            false => BTreeMap::new(),
        },
        faults,
    };
    Ok(Simulated {
        report,
        outputs,
        drowned: DrownedNode::all(circuit, &drowned),
    })
}

/// What simulations gave.
struct Found {
    simulations: Simulations,
    /// Images without noise, where there was some: as the model gives them, and as they are decrypted.
    exact: Option<(Vec<Arrays>, Vec<Arrays>)>,
    drowned: Vec<Drowned>,
}

/// Runs the circuit; with noise beside the same images without.
fn simulated(
    noise: Option<u64>,
    circuit: &Verified,
    images: &[Arrays],
    watcher: &dyn Watcher,
) -> Result<Found, SimulateError> {
    let task = watcher.begin("simulate");
    let Some(seed) = noise else {
        let options = Options { noise: None };
        return Ok(Found {
            simulations: simulate::run_all(circuit, images, options, &task)?,
            exact: None,
            drowned: Vec::new(),
        });
    };
    let Twins {
        noisy,
        exact_outputs,
        exact_decrypted,
        drowned,
    } = simulate::run_twins(circuit, images, (seed, images.len()), &task)?;
    Ok(Found {
        simulations: noisy,
        exact: Some((exact_outputs, exact_decrypted)),
        drowned,
    })
}

/// Why the answer is garbage, the first value that is too large first.
fn faults(circuit: &Verified, found: &Found) -> Vec<Finding> {
    let simulations = &found.simulations;
    let overflow = simulations.overflow.as_ref();
    let overflow = overflow.and_then(|headroom| verdict::overflow(circuit, headroom));
    let mut findings: Vec<Finding> = overflow.map(Finding::general).into_iter().collect();
    for (image, decrypted) in simulations.decrypted.iter().enumerate() {
        let image = (simulations.decrypted.len() > 1).then_some(image);
        let ranges = circuit.outputs.iter().filter_map(|port| {
            let largest = largest(decrypted.get(&port.name)?.data());
            out_of_range(&port.name, largest, port.expectation.as_ref()?, None)
        });
        findings.extend(ranges.map(|fault| Finding { image, fault }));
    }
    for (image, imaginary) in simulations.imaginary.iter().enumerate() {
        let image = (simulations.imaginary.len() > 1).then_some(image);
        let faults = circuit
            .outputs
            .iter()
            .filter_map(|port| changed(&port.name, *imaginary.get(&port.name)?, port.imaginary?));
        findings.extend(faults.map(|fault| Finding { image, fault }));
    }
    let Some((_, exact)) = &found.exact else {
        return findings;
    };
    for (image, (noisy, exact)) in simulations.decrypted.iter().zip(exact).enumerate() {
        let image = (simulations.decrypted.len() > 1).then_some(image);
        let each = Deviation::of_each(noisy, &values(exact));
        let faults = each
            .iter()
            .filter_map(|(name, d)| imprecise(name, *d, None));
        findings.extend(faults.map(|fault| Finding { image, fault }));
    }
    findings
}

/// How far simulations with noise are from those without.
fn deviation(noisy: &Simulations, exact: &[Arrays]) -> Deviation {
    let pairs = noisy.decrypted.iter().zip(exact);
    pairs
        .map(|(noisy, exact)| Deviation::of(noisy, &values(exact)))
        .fold(Deviation::default(), Deviation::join)
}

/// Counts the images all outputs of which have the same class with noise as without; none where outputs are no classes.
fn same_class(noisy: &Simulations, exact: &[Arrays]) -> Option<usize> {
    let classes = |arrays: &Arrays| -> Vec<Option<usize>> { arrays.values().map(argmax).collect() };
    let all: Vec<&Array> = exact.iter().flat_map(BTreeMap::values).collect();
    are_classes(all).then(|| {
        let pairs = noisy.outputs.iter().zip(exact);
        let same = pairs.filter(|(noisy, exact)| classes(noisy) == classes(exact));
        same.count()
    })
}
