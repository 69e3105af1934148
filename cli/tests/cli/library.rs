//! The library computes what the program prints, and nothing depends on how it is called.

use crate::common::Folder;
use peregrine::{
    AskedRange, CompileError, CompileOptions, Error, InspectOptions, Model, SimulateOptions, Task,
    Watcher, arrays, compile, compile_watched, inspect, inspect_interface, simulate, write_circuit,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::sync::Mutex;

/// A report as it is read from what the program prints.
fn json_of(report: &impl Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(report).unwrap()).unwrap()
}

/// What the program printed, without what only it knows.
fn printed(folder: &Folder, line: &str) -> Value {
    let mut printed = folder.json(line);
    let fields = printed.as_object_mut().unwrap();
    assert_eq!(fields.remove("security"), Some(json!("128")), "{line}");
    if let Some(files) = fields.get_mut("files") {
        assert_eq!(files.as_array().unwrap().len(), 2);
        *files = json!([]);
    }
    if let Some(seconds) = fields.get_mut("seconds") {
        *seconds = json!(0.0);
    }
    printed
}

#[test]
fn reports_are_what_the_program_prints() {
    let folder = Folder::new("library");
    let model = Model::open(folder.path("digits.onnx")).unwrap();
    let images = arrays::named([("image", arrays::load(folder.path("images.npy")).unwrap())]);

    let options = CompileOptions {
        calibrate: vec![images.clone()],
        precision_bits: Some(9),
        ..CompileOptions::default()
    };
    let compiled = compile(&model, &options).unwrap();
    let line = "compile digits.onnx -o d.fhe --calibrate images.npy --precision-bits 9";
    assert_eq!(printed(&folder, line), json_of(&compiled.report));
    assert_eq!(write_circuit(&compiled.circuit), folder.bytes("d.fhe"));

    let options = InspectOptions::default();
    let circuit = inspect(&compiled.circuit, &options).unwrap();
    assert_eq!(printed(&folder, "inspect d.fhe"), json_of(&circuit));
    let interface = inspect_interface(&compiled.interface);
    assert_eq!(printed(&folder, "inspect d.client"), json_of(&interface));

    let options = SimulateOptions {
        noise: Some(3),
        labels: Some(arrays::load_integers(folder.path("labels.npy")).unwrap()),
        ..SimulateOptions::default()
    };
    let images = model.images(&images).unwrap();
    let mut simulated = simulate(&compiled.circuit, &images, &options).unwrap();
    simulated.report.seconds = 0.0;
    let line = "simulate d.fhe --input images.npy --labels labels.npy --noise --seed 3";
    assert_eq!(printed(&folder, line), json_of(&simulated.report));
}

#[test]
fn circuits_depend_neither_on_threads_nor_on_how_samples_are_batched() {
    let folder = Folder::new("batches");
    let model = Model::open(folder.path("digits.onnx")).unwrap();
    let images = arrays::named([("image", arrays::load(folder.path("images.npy")).unwrap())]);
    let circuit = |calibrate, threads| {
        let options = CompileOptions {
            calibrate,
            threads: NonZeroUsize::new(threads),
            ..CompileOptions::default()
        };
        write_circuit(&compile(&model, &options).unwrap().circuit)
    };
    let apart = model.images(&images).unwrap();
    assert_eq!(apart.len(), 50);
    assert!(circuit(vec![images], 1) == circuit(apart, 3));
}

/// The tasks that a watcher was told of, and the largest share of each that was done.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, f64)>>);

impl Watcher for Heard {
    fn begin(&self, task: &str) -> Task<'_> {
        let at = {
            let mut heard = self.0.lock().unwrap();
            heard.push((task.to_owned(), 0.0));
            heard.len() - 1
        };
        Task::new(move |share, _| {
            let known = &mut self.0.lock().unwrap()[at].1;
            *known = known.max(share);
        })
    }
}

#[test]
fn watchers_hear_of_every_task_until_it_is_done() {
    let folder = Folder::new("watched");
    let model = Model::open(folder.path("digits.onnx")).unwrap();
    let heard = Heard::default();
    compile_watched(&model, CompileOptions::default(), &heard).unwrap();
    let heard = heard.0.into_inner().unwrap();
    for task in ["evaluate samples", "compile", "simulate"] {
        let shares = heard.iter().filter(|(name, _)| name == task);
        let most = shares.map(|(_, share)| *share).fold(-1.0, f64::max);
        assert!(most > 0.99 && most <= 1.0, "{task}: {most}");
    }
}

#[test]
fn what_is_asked_wrongly_is_refused_by_name() {
    let folder = Folder::new("refused");
    let model = Model::open(folder.path("digits.onnx")).unwrap();
    let refused = |options: CompileOptions| compile(&model, &options).unwrap_err();
    let options = CompileOptions::default;
    let range = |input: &str| AskedRange {
        input: Some(input.to_owned()),
        low: 0.0,
        high: 1.0,
    };
    let no_input = refused(CompileOptions {
        input_ranges: vec![range("picture")],
        ..options()
    });
    assert_eq!(
        no_input.to_string(),
        "the model has no input `picture`, its inputs are `image`"
    );
    let no_bits = refused(CompileOptions {
        precision_bits: Some(0),
        ..options()
    });
    assert_eq!(
        no_bits.to_string(),
        "precision_bits is 0, it may be 1 to 40"
    );
    let no_room = refused(CompileOptions {
        log_n: Some(11),
        ..options()
    });
    assert!(matches!(no_room, CompileError::NoParameters { .. }));
    let missing = Error::from(Model::open(folder.path("none.onnx")).unwrap_err());
    assert!(missing.to_string().contains("none.onnx: "), "{missing}");
    let labels = arrays::load_all(folder.path("labels.npy")).unwrap_err();
    assert!(
        labels
            .to_string()
            .ends_with("the array in it has no name, as those of a .npz do")
    );
}

#[test]
fn a_model_from_bytes_is_that_of_its_file() {
    let folder = Folder::new("bytes");
    let model = Model::open(folder.path("digits.onnx")).unwrap();
    let same = Model::from_bytes("digits", &folder.bytes("digits.onnx")).unwrap();
    let circuit =
        |model: &Model| write_circuit(&compile(model, &CompileOptions::default()).unwrap().circuit);
    assert_eq!(same.inputs(), model.inputs());
    assert_eq!(model.outputs()[0].1.dims(), [1, 10]);
    assert!(circuit(&same) == circuit(&model));
}
