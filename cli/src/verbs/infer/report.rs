//! What `infer` prints.

use crate::costs;
use crate::machine::Memory;
use crate::outputs::Output;
use crate::precision;
use crate::report::{self, Summary};
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
    /// Images whose class is that of the cleartext model.
    pub agreeing: usize,
    /// Images whose class is their label.
    pub correct: Option<usize>,
    pub precision: Precision,
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
        images: Vec<Image>,
        precision: Precision,
        (seconds, memory): (Seconds, Memory),
    ) -> Self {
        let (circuit, stats) = circuit;
        let count = |agrees: fn(&Image) -> bool| images.iter().filter(|i| agrees(i)).count();
        let labelled = images.iter().any(|image| image.label.is_some());
        let correct = count(|i| i.class.and_then(|c| i64::try_from(c).ok()) == i.label);
        Self {
            circuit,
            operations: stats.total,
            bounds: stats.bounds,
            agreeing: count(|i| i.class == i.expected_class),
            correct: labelled.then_some(correct),
            precision,
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
    row(
        "cleartext",
        format!("{agreeing} of {count} images have the class of the cleartext model"),
    );
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

/// One line for each image.
fn table(images: &[Image]) -> String {
    let header = [
        "image",
        "label",
        "cleartext",
        "encrypted",
        "error (bits)",
        "encrypt",
        "run",
        "decrypt",
    ];
    let mut table = report::table(&header, &[0, 1, 2, 3, 4, 5, 6, 7]);
    let class = |class: Option<usize>| class.map_or("-".to_owned(), |class| class.to_string());
    for (i, image) in images.iter().enumerate() {
        let (label, error) = (image.label, image.error_log2);
        table.add_row([
            i.to_string(),
            label.map_or("-".to_owned(), |label| label.to_string()),
            class(image.expected_class),
            class(image.class),
            error.map_or("exact".to_owned(), |bits| format!("{bits:.1}")),
            time(image.seconds.encrypt),
            time(image.seconds.run),
            time(image.seconds.decrypt),
        ]);
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
