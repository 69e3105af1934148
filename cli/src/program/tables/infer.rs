//! What `infer` prints.

use super::{costs, grid, memory, summary};
use peregrine::InferReport;
use peregrine::infer::{ImageReport, MeasuredPrecision, PhaseSeconds};
use peregrine::words::{self, bits};
use std::time::Duration;

/// An inference as text and tables.
pub fn text(report: &InferReport) -> String {
    let InferReport {
        circuit,
        operations,
        bounds,
        images,
        given,
        agreeing,
        correct,
        precision,
        seconds,
        memory: taken,
        ..
    } = report;
    let mut rows = summary::rows(circuit);
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
    row("precision", line(*precision));
    row("memory", memory::text(taken));
    row("time", phases(seconds));
    format!("{}\n{}", table(images), grid::list(&rows))
}

/// The outputs of a model that says no class.
fn shapes(images: &[ImageReport]) -> String {
    let outputs = images.iter().take(1).flat_map(|image| &image.outputs);
    let shapes = outputs.map(|(name, output)| format!("`{name}` {:?}", output.shape));
    shapes.collect::<Vec<_>>().join(", ")
}

/// One line for each image; classes where outputs are some.
fn table(images: &[ImageReport]) -> String {
    let classes = images.iter().any(|image| image.class.is_some());
    let mut header = vec!["image"];
    if classes {
        header.extend(["label", "cleartext", "encrypted"]);
    }
    header.extend(["error (bits)", "encrypt", "run", "decrypt"]);
    let mut table = grid::table(&header, &(0..header.len()).collect::<Vec<_>>());
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
        let PhaseSeconds {
            encrypt,
            run,
            decrypt,
            ..
        } = image.seconds;
        row.extend([encrypt, run, decrypt].map(time));
        table.add_row(row);
    }
    grid::show(&table)
}

/// The time of each phase in one line.
fn phases(seconds: &PhaseSeconds) -> String {
    let PhaseSeconds {
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
    words::time(Duration::from_secs_f64(seconds))
}

fn line(precision: MeasuredPrecision) -> String {
    let [measured, predicted] = [precision.measured_bits, precision.predicted_bits].map(bits);
    format!("{measured} of the largest output measured, {predicted} predicted by simulated noise")
}
