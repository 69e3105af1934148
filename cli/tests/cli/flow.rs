//! The verbs in the order in which they are used, on the digits example.

use crate::common::Folder;
use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::NpzReader;
use peregrine_ir::{Node, Remark, binary, text, verify};
use serde_json::Value;
use std::fs;

/// The logits in an output file.
fn logits(folder: &Folder, file: &str) -> ArrayD<f64> {
    let file = fs::File::open(folder.path(file)).unwrap();
    let mut archive = NpzReader::new(file).unwrap();
    assert_eq!(archive.names().unwrap(), ["logits"]);
    archive.by_name::<OwnedRepr<f64>, IxDyn>("logits").unwrap()
}

fn largest_difference(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).fold(0.0, |m, (a, b)| m.max((a - b).abs()))
}

#[test]
fn an_image_goes_through_files_and_comes_back_as_logits() {
    let folder = Folder::new("files");
    folder.ok("compile digits.onnx -o digits.fhe --precision-bits 12");
    folder.ok("keygen digits.client --secret secret.key --evaluation eval.keys");
    folder.ok("encrypt digits.client --secret secret.key --input image=image.npy -o x.ct");

    // The server sees neither the secret key nor the image, the client no weights.
    let server = Folder::new("files-server");
    for file in ["digits.fhe", "eval.keys", "x.ct"] {
        fs::rename(folder.path(file), server.path(file)).unwrap();
    }
    server
        .ok("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct --memory 1GiB --threads 2");
    server.ok("simulate digits.fhe --input image.npy -o simulated.npz");
    fs::rename(server.path("y.ct"), folder.path("y.ct")).unwrap();

    folder.ok("decrypt digits.client --secret secret.key --input y.ct -o y.npz");
    let (found, expected) = (logits(&folder, "y.npz"), logits(&server, "simulated.npz"));
    assert_eq!(found.shape(), [1, 10]);
    assert!(largest_difference(&found, &expected) < 0.01);

    folder
        .ok("decrypt digits.client --secret secret.key --input y.ct -o flooded.npz --flood-bits 1");
    assert!(largest_difference(&found, &logits(&folder, "flooded.npz")) > 0.01);
}

#[test]
#[cfg(unix)]
fn only_the_owner_can_read_a_secret_key() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::compiled("mode");
    let mode = |file: &str| {
        fs::metadata(folder.path(file))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode("secret.key"), 0o600);
    let first = folder.bytes("secret.key");
    folder.ok("keygen digits.client --secret secret.key --evaluation eval.keys --force");
    assert_eq!(mode("secret.key"), 0o600);
    assert_ne!(first, folder.bytes("secret.key"));
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    let folder = Folder::new("twice");
    folder.ok("compile digits.onnx -o a.fhe");
    folder.ok("compile digits.onnx -o b.fhe --client other.client");
    assert_eq!(folder.bytes("a.fhe"), folder.bytes("b.fhe"));
    assert_eq!(folder.bytes("a.client"), folder.bytes("other.client"));
}

#[test]
fn calibration_reports_ranges_and_sets_the_headroom() {
    let folder = Folder::new("calibrate");
    let report = folder.json("compile digits.onnx -o digits.fhe --calibrate images.npy");
    let calibration = &report["calibration"];
    assert_eq!(calibration["samples"], 50);
    let overall = calibration["overall"].as_f64().unwrap();
    let output = calibration["outputs"]["logits"].as_f64().unwrap();
    assert!(overall >= output && output > 1.0, "{calibration}");
    let headroom = report["headroom_bits"].as_f64().unwrap();
    assert!(
        (headroom - 1.0).exp2() >= 4.0 * overall && headroom < 10.0,
        "{headroom}"
    );
    let given = "compile digits.onnx -o digits.fhe --calibrate images.npy --headroom-bits 9";
    assert_eq!(folder.json(given)["headroom_bits"], 9);
}

#[test]
fn precision_of_the_outputs_is_asked_for_predicted_and_measured() {
    let folder = Folder::new("precision");
    let line = "compile digits.onnx -o digits.fhe --calibrate images.npy --precision-bits 14";
    let report = folder.json(line);
    let precision = &report["precision"];
    assert_eq!(
        (&precision["asked_bits"], &precision["samples"]),
        (&14.into(), &3.into())
    );
    let predicted = precision["predicted_bits"].as_f64().unwrap();
    assert!((14.0..16.0).contains(&predicted), "{precision}");
    assert_eq!(precision["internal_bits"], report["precision_bits"]);
    assert!((1..=4).contains(&precision["trials"].as_u64().unwrap()));
    let said = folder.ok(line);
    let predicted_line =
        format!("{predicted:.1} bits of the largest output predicted on 3 samples, 14 asked for");
    assert!(said.contains(&predicted_line), "{said}");

    let simulated = folder.json("simulate digits.fhe --input image.npy --noise");
    let noise = simulated["precision_bits"].as_f64().unwrap();
    assert!((noise - predicted).abs() < 3.0, "{noise} and {predicted}");
    let exact = folder.json("simulate digits.fhe --input image.npy");
    assert!(exact["precision_bits"].is_null() && exact["same_class"].is_null());
    let all = folder.json("simulate digits.fhe --input images.npy --noise -o all.npz");
    assert_eq!(all["images"], all["same_class"], "{all}");
    assert_eq!(logits(&folder, "all.npz").shape()[0], all["images"]);

    // The same circuit, on ciphertexts.
    let line = "infer digits.onnx --input images.npy --calibrate images.npy --precision-bits 14";
    let inferred = folder.json(line);
    assert_eq!(
        inferred["circuit"]["fingerprint"],
        report["circuit"]["fingerprint"]
    );
    let bits = |of: &str| inferred["precision"][of].as_f64().unwrap();
    assert!((bits("predicted_bits") - predicted).abs() < 1e-6);
    let measured = bits("measured_bits");
    assert!(
        (measured - predicted).abs() <= 2.0,
        "{measured} and {predicted}"
    );

    let without = folder.json("compile digits.onnx -o digits.fhe --operation-bits 14");
    assert!(without["precision"].is_null());
    assert_eq!(without["precision_bits"], 14);
}

#[test]
fn the_range_of_every_node_is_reported_on_request() {
    let folder = Folder::new("ranges");
    let report = folder.json("compile digits.onnx -o digits.fhe");
    assert!(report["ranges"].is_null(), "{report}");
    let report = folder.json("compile digits.onnx -o digits.fhe --calibrate images.npy");
    let nodes = report["ranges"]["nodes"].as_array().unwrap();
    assert!(nodes.len() >= 6, "{nodes:?}");
    for node in nodes {
        let end = |of: &str, end: &str| node[of][end].as_f64().unwrap();
        // Inputs are taken to be within what the samples have.
        assert!(end("proven", "min") <= end("calibrated", "min"), "{node}");
        assert!(
            end("calibrated", "max") <= end("proven", "max") + 1e-9,
            "{node}"
        );
        assert!(end("calibrated", "bits_left") >= 2.0, "{node}");
    }
    let stated = "compile digits.onnx -o digits.fhe --input-range image=-1,1";
    let ranges = &folder.json(&format!("{stated} --headroom-bits 20"))["ranges"];
    assert_eq!(ranges["proven"], true, "{ranges}");
    assert!(ranges["nodes"][0]["calibrated"].is_null());
    assert_eq!(ranges["nodes"][0]["proven"]["max"], 1.0);
    let shown = folder.ok(&format!("{stated} --headroom-bits 3"));
    assert!(
        shown.contains("not proven: values stay below 2^2 before `"),
        "{shown}"
    );
    assert!(shown.contains("proven min"), "{shown}");
}

#[test]
fn optimisations_are_compared_and_left_out_on_request() {
    let folder = Folder::new("ablate");
    let plain = folder.json("compile digits.onnx -o digits.fhe");
    assert_eq!(plain["ablations"], Value::Null);
    let report = folder.json("compile digits.onnx -o again.fhe --ablate");
    assert_eq!(folder.bytes("digits.fhe"), folder.bytes("again.fhe"));
    let rows = report["ablations"].as_array().unwrap();
    assert_eq!(rows[0]["without"], Value::Null);
    assert_eq!(rows[0]["seconds"], plain["predicted"]["seconds"]);
    let row = rows.iter().find(|row| row["without"] == "skewed-replicas");
    let more = row.unwrap()["more_seconds"].as_f64().unwrap();
    assert!(more > 0.0);

    let line =
        "compile digits.onnx -o less.fhe --without skewed-replicas --without hoisting --ablate";
    let text = folder.ok(line);
    assert!(
        text.contains("made without skewed-replicas, hoisting"),
        "{text}"
    );
    let (_, table) = text.rsplit_once("\n\n").unwrap();
    let names: Vec<_> = table
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(names[..3], ["without", "-", "node-fusing"]);
    assert!(!names.contains(&"hoisting") && names.contains(&"key-selection"));
    folder.ok("simulate less.fhe --input image.npy -o less.npz");
    folder.ok("simulate digits.fhe --input image.npy -o all.npz");
    assert!(largest_difference(&logits(&folder, "less.npz"), &logits(&folder, "all.npz")) < 1e-3);
}

#[test]
fn inferring_agrees_with_the_cleartext_model() {
    let folder = Folder::new("infer");
    let line = "infer digits.onnx --input images.npy --labels labels.npy --limit 2 -o y.npz --precision-bits 12";
    let report = folder.json(line);
    let images = report["images"].as_array().unwrap();
    assert_eq!((images.len(), &report["agreeing"]), (2, &Value::from(2)));
    for image in images {
        assert!(image["error_log2"].as_f64().unwrap() < -9.0, "{image}");
        assert!(image["label"].is_i64() && image["class"].is_u64());
    }
    assert!(
        report["seconds"]["total"].as_f64().unwrap() > report["seconds"]["run"].as_f64().unwrap()
    );
    assert_eq!(report["bounds"]["macs"], 7088);
    assert_eq!(logits(&folder, "y.npz").shape(), [2, 10]);
}

#[test]
fn simulated_noise_is_reproducible_and_small() {
    let folder = Folder::new("simulate");
    folder.ok("compile digits.onnx -o digits.fhe --precision-bits 12");
    folder.ok("simulate digits.fhe --input image.npy -o exact.npz");
    for (file, seed) in [("a.npz", 1), ("b.npz", 1), ("c.npz", 2)] {
        folder.ok(&format!(
            "simulate digits.fhe --input image.npy --noise --seed {seed} -o {file}"
        ));
    }
    let [exact, a, b, c] = ["exact.npz", "a.npz", "b.npz", "c.npz"].map(|f| logits(&folder, f));
    assert_eq!(a, b);
    assert_ne!(a, c);
    let noise = largest_difference(&exact, &a);
    assert!(noise > 0.0 && noise < 0.01, "{noise}");
}

#[test]
fn a_circuit_is_shown_as_text_that_parses_to_itself() {
    let folder = Folder::new("inspect");
    folder.ok("compile digits.onnx -o digits.fhe");
    let circuit = binary::read_circuit(&folder.bytes("digits.fhe")).unwrap();
    let shown = folder.ok("inspect digits.fhe --format text --weights");
    assert_eq!(text::parse(&shown).unwrap(), *circuit);
    let short = folder.ok("inspect digits.fhe --format text");
    assert!(short.len() < shown.len());

    let report = folder.json("inspect digits.fhe");
    let nodes = report["stats"]["nodes"].as_array().unwrap();
    let name = nodes.last().unwrap()["node"]["name"].as_str().unwrap();
    let lines = folder.ok(&format!("inspect digits.fhe --format text --node {name}"));
    assert!(
        lines.lines().count() > 1
            && lines
                .lines()
                .all(|line| line.starts_with("; ") || line.starts_with("@n"))
    );
    let table = folder.ok("inspect digits.fhe");
    assert!(table.contains(name) && table.contains("total"), "{table}");
}

/// Two nodes of one name, and remarks, in a circuit that the compiler made.
#[test]
fn a_node_is_shown_with_packings_diagonals_plan_and_reasons() {
    let folder = Folder::new("node");
    folder.ok("compile digits.onnx -o digits.fhe");
    let mut circuit = binary::read_circuit(&folder.bytes("digits.fhe"))
        .unwrap()
        .into_inner();
    let mut served: Vec<Node> = circuit.values.values().filter_map(|v| v.node).collect();
    served.dedup();
    let [first, square] = served[..2] else {
        panic!("{served:?}");
    };
    for node in [first, square] {
        circuit.nodes.get_mut(node).unwrap().name = "twin".to_owned();
    }
    for (node, text) in [(Some(first), "because"), (None, "in general")] {
        let text = text.to_owned();
        circuit.remarks.push(Remark { node, text });
    }
    folder.write(
        "twins.fhe",
        binary::write_circuit(&verify(circuit).unwrap()),
    );

    let report = folder.json("inspect twins.fhe --node twin");
    let [conv, act] = &report["nodes"].as_array().unwrap()[..] else {
        panic!("{report}");
    };
    assert_eq!(report["stats"]["nodes"].as_array().unwrap().len(), 2);
    // After those of the compiler.
    assert_eq!(
        conv["remarks"].as_array().unwrap().last().unwrap(),
        "because"
    );
    assert_eq!(conv["inputs"][0]["slot"], "8*h + w");
    assert_eq!(act["inputs"], act["outputs"]);
    let linear = &conv["operators"][0];
    assert_eq!(
        (&linear["kind"], &linear["macs"]),
        (&"conv2d".into(), &1936.into())
    );
    let steps = |of: &str| linear["diagonals"][of].as_array().unwrap().len();
    assert!(steps("rotations") <= steps("baby_steps") * steps("giant_steps"));
    let products = report["stats"]["nodes"][0]["bounds"]["products"].as_u64();
    assert_eq!(linear["diagonals"]["count"].as_u64(), products);

    let table = folder.ok("inspect twins.fhe --node twin");
    for part in [
        "because",
        "slot = 8*h + w",
        "c0(0,0)",
        "replicas",
        "baby steps",
        "1 square",
    ] {
        assert!(table.contains(part), "{part} not in\n{table}");
    }
    let (view, tables) = table.split_once("MACs  products").unwrap();
    assert!(
        view.lines().all(|line| line.chars().count() < 100),
        "{view}"
    );
    assert!(
        tables.lines().all(|line| line.chars().count() <= 160),
        "{tables}"
    );
    let whole = folder.ok("inspect twins.fhe");
    assert!(
        whole.contains("in general") && !whole.contains("because"),
        "{whole}"
    );
    let text = folder.ok("inspect twins.fhe --node twin --format text");
    assert!(text.contains("; ") && text.contains("\n@n"), "{text}");
}

#[test]
fn every_verb_speaks_json() {
    let folder = Folder::new("json");
    let compiled = folder.json("compile digits.onnx -o digits.fhe");
    let keys = compiled["stats"]["key_bytes"].as_u64().unwrap();
    let fingerprint = &compiled["circuit"]["fingerprint"];
    assert_eq!(
        &folder.json("inspect digits.fhe")["circuit"]["fingerprint"],
        fingerprint
    );
    assert_eq!(folder.json("inspect digits.client")["key_bytes"], keys);
    let made = folder.json("keygen digits.client --secret s.key --evaluation e.keys");
    let overhead = made["evaluation_bytes"].as_u64().unwrap() - keys;
    assert!(overhead < 1 << 16, "{overhead} bytes beside the keys");
    folder.json("encrypt digits.client --secret s.key --input image.npy -o x.ct");
    folder.json("run digits.fhe --evaluation e.keys --input x.ct -o y.ct");
    let decrypted = folder.json("decrypt digits.client --secret s.key --input y.ct");
    let simulated = folder.json("simulate digits.fhe --input image.npy");
    let class = |report: &Value| report["outputs"]["logits"]["class"].as_u64().unwrap();
    assert_eq!(class(&decrypted), class(&simulated));
    let bench = folder.json("bench --log-n 13 --threads 1 --profile-out machine.json");
    assert!(bench["security"].is_null(), "there is no circuit");
    let run = &bench["rings"][0]["runs"][0];
    assert!(run["operations"].as_array().unwrap().len() >= 14, "{run}");
    let inspected = folder.json("inspect digits.fhe --profile machine.json");
    let nodes = inspected["predicted"]["nodes"].as_array().unwrap();
    let seconds = nodes.iter().map(|node| node["seconds"].as_f64().unwrap());
    let total = inspected["predicted"]["seconds"].as_f64().unwrap();
    assert!(total > 0.0 && (seconds.sum::<f64>() / total - 1.0).abs() < 1e-9);
}

/// All arithmetic on ciphertexts is exact, so the loops for any processor and those for vector instructions must give the same
/// bytes. Where there are no vector instructions, this compares the portable ones with themselves.
#[test]
fn every_kind_of_processor_computes_the_same_answer() {
    let folder = Folder::compiled("portable");
    folder.ok("run digits.fhe --evaluation eval.keys --input x.ct -o vector.ct");
    let mut portable =
        folder.command("run digits.fhe --evaluation eval.keys --input x.ct -o portable.ct");
    let output = portable.env("PEREGRINE_PORTABLE", "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(folder.bytes("vector.ct") == folder.bytes("portable.ct"));
}
