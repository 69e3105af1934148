//! What `infer` prints.

use crate::costs;
use crate::machine::Memory;
use crate::outputs::Output;
use crate::precision;
use crate::report::{self, Summary};
use crate::verdict::Finding;
use peregrine_ir::bounds::Bounds;
use peregrine_ir::stats::{Counts, Stats};
use peregrine_runtime::simulate::Deviation;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was inferred.
#[derive(Debug, Serialize)]
pub struct Report {
    pub circuit: Summary,
    /// Of the circuit, for one image.
    pub operations: Counts,
    pub bounds: Bounds,
    pub images: Vec<Image>,
    /// Images that there were; those after the first ones are left out, see `--limit`.
    pub given: usize,
    /// Images whose class is that of the cleartext model; none where outputs are no classes.
    pub agreeing: Option<usize>,
    /// Images whose class is their label.
    pub correct: Option<usize>,
    pub precision: Precision,
    /// Why answers are garbage.
    pub faults: Vec<Finding>,
    pub threads: usize,
    #[serde(flatten)]
    pub memory: Memory,
    pub seconds: Seconds,
}

/// One image.
#[derive(Debug, Default, Serialize)]
pub struct Image {
    pub label: Option<i64>,
    /// Of the cleartext model.
    pub expected_class: Option<usize>,
    /// Of the encrypted one.
    pub class: Option<usize>,
    /// log2 of the largest error over the largest magnitude, before the steps that follow decryption; none when there is no
    /// error.
    pub error_log2: Option<f64>,
    pub seconds: Seconds,
    pub outputs: BTreeMap<String, Output>,
}

/// Bits of the largest output that are right, over all images; none without any error.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Precision {
    pub measured_bits: Option<f64>,
    /// With simulated noise, over the first images.
    pub predicted_bits: Option<f64>,
}

impl Precision {
    /// Of what was decrypted, and of what was simulated.
    pub fn new(measured: Deviation, predicted: Deviation) -> Self {
        Self {
            measured_bits: precision::finite(measured),
            predicted_bits: precision::finite(predicted),
        }
    }

    fn line(self) -> String {
        let [measured, predicted] = [self.measured_bits, self.predicted_bits].map(precision::bits);
        format!(
            "{measured} of the largest output measured, {predicted} predicted by simulated noise"
        )
    }
}

/// The time of each phase.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Seconds {
    pub compile: f64,
    pub keygen: f64,
    pub encrypt: f64,
    pub run: f64,
    pub decrypt: f64,
    pub total: f64,
}

impl Seconds {
    /// Adds the phases of an image.
    pub fn add(&mut self, image: &Seconds) {
        self.encrypt += image.encrypt;
        self.run += image.run;
        self.decrypt += image.decrypt;
    }
}

impl Report {
    /// Of the images, in order.
    pub fn new(
        circuit: (Summary, &Stats),
        (images, given): (Vec<Image>, usize),
        (precision, faults): (Precision, Vec<Finding>),
        (seconds, memory): (Seconds, Memory),
    ) -> Self {
        let (circuit, stats) = circuit;
        let count = |agrees: fn(&Image) -> bool| images.iter().filter(|i| agrees(i)).count();
        let classes = images.iter().any(|image| image.class.is_some());
        let labelled = images.iter().any(|image| image.label.is_some());
        let correct = count(|i| i.class.and_then(|c| i64::try_from(c).ok()) == i.label);
        Self {
            circuit,
            operations: stats.total,
            bounds: stats.bounds,
            agreeing: classes.then(|| count(|i| i.class == i.expected_class)),
            correct: labelled.then_some(correct),
            precision,
            faults,
            given,
            images,
            threads: rayon::current_num_threads(),
            memory,
            seconds,
        }
    }
}

/// For people.
pub fn text(report: &Report) -> String {
    let Report {
        circuit,
        operations,
        bounds,
        images,
        given,
        agreeing,
        correct,
        precision,
        seconds,
        memory,
        ..
    } = report;
    let mut rows = circuit.rows();
    let mut row = |what: &str, value: String| rows.push([what.to_owned(), value]);
    row("work", costs::work(operations, bounds));
    let count = images.len();
    if count < *given {
        row("images", format!("{count} of {given} images, see --limit"));
    }
    match agreeing {
        Some(agreeing) => row(
            "cleartext",
            format!("{agreeing} of {count} images have the class of the cleartext model"),
        ),
        None => row("outputs", shapes(images)),
    }
    if let Some(correct) = correct {
        row(
            "labels",
            format!("{correct} of {count} images have the class of their label"),
        );
    }
    row("precision", precision.line());
    row("memory", memory.text());
    row("time", phases(seconds));
    format!("{}\n{}", table(images), report::list(&rows))
}

/// The outputs of a model that says no class.
fn shapes(images: &[Image]) -> String {
    let outputs = images.iter().take(1).flat_map(|image| &image.outputs);
    let shapes = outputs.map(|(name, output)| format!("`{name}` {:?}", output.shape));
    shapes.collect::<Vec<_>>().join(", ")
}

/// One line for each image; classes where outputs are some.
fn table(images: &[Image]) -> String {
    let classes = images.iter().any(|image| image.class.is_some());
    let mut header = vec!["image"];
    if classes {
        header.extend(["label", "cleartext", "encrypted"]);
    }
    header.extend(["error (bits)", "encrypt", "run", "decrypt"]);
    let mut table = report::table(&header, &(0..header.len()).collect::<Vec<_>>());
    let class = |class: Option<usize>| class.map_or("-".to_owned(), |class| class.to_string());
    for (i, image) in images.iter().enumerate() {
        let (label, error) = (image.label, image.error_log2);
        let mut row = vec![i.to_string()];
        if classes {
            row.push(label.map_or("-".to_owned(), |label| label.to_string()));
            row.extend([image.expected_class, image.class].map(class));
        }
        row.push(match error {
            None => "exact".to_owned(),
            Some(bits) if bits.is_finite() => format!("{bits:.1}"),
            Some(_) => "no answer".to_owned(),
        });
        let Seconds {
            encrypt,
            run,
            decrypt,
            ..
        } = image.seconds;
        row.extend([encrypt, run, decrypt].map(time));
        table.add_row(row);
    }
    report::show(&table)
}

/// The time of each phase in one line.
fn phases(seconds: &Seconds) -> String {
    let Seconds {
        compile,
        keygen,
        encrypt,
        run,
        decrypt,
        total,
    } = *seconds;
    let phases = [
        ("compile", compile),
        ("keygen", keygen),
        ("encrypt", encrypt),
        ("run", run),
        ("decrypt", decrypt),
    ];
    let phases = phases.map(|(name, seconds)| format!("{name} {}", time(seconds)));
    format!("{} ({})", time(total), phases.join(", "))
}

fn time(seconds: f64) -> String {
    report::time(Duration::from_secs_f64(seconds))
}
