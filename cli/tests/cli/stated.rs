//! Ranges in the metadata of a model: where the headroom comes from.

use crate::common::Folder;
use serde_json::{Value, json};

/// A field of a protobuf message that holds bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 128 {
        bytes.push((length % 128) as u8 | 128);
        length /= 128;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

/// The digits model with this in its metadata: a field more at the end of the file.
fn with_ranges(folder: &Folder, file: &str, ranges: &Value) {
    let mut entry = field(1, b"peregrine.ranges");
    entry.extend(field(2, ranges.to_string().as_bytes()));
    let mut model = folder.bytes("digits.onnx");
    model.extend(field(14, &entry));
    folder.write(file, model);
}

fn ranges(largest: f64) -> Value {
    let activation = |layer: u32| {
        let input = format!("/norm{layer}/BatchNormalization_output_0");
        json!({ "input": input, "low": -largest, "high": largest, "verdict": "holds" })
    };
    json!({
        "version": 1, "images": 1797, "images_outside": 3,
        "inputs": [{ "name": "image", "low": 0.0, "high": 1.0 }],
        "outputs": [{ "name": "logits", "low": -20.0, "high": 20.0 }],
        "activations": [activation(1), activation(2)],
    })
}

fn report(folder: &Folder, line: &str) -> Value {
    serde_json::from_str(&folder.ok(line)).unwrap()
}

#[test]
fn the_headroom_follows_from_what_the_model_states() {
    let folder = Folder::new("stated");
    with_ranges(&folder, "tight.onnx", &ranges(4.0));
    with_ranges(&folder, "wide.onnx", &ranges(64.0));
    let [tight, wide] = ["tight", "wide"].map(|name| {
        let line = format!("compile {name}.onnx -o {name}.fhe --json");
        report(&folder, &line)
    });
    let bits = |report: &Value| report["headroom_bits"].as_u64().unwrap();
    assert!(
        bits(&wide) > bits(&tight),
        "{} {}",
        bits(&wide),
        bits(&tight)
    );
    let metadata = &tight["metadata"];
    assert_eq!(metadata["key"], "peregrine.ranges");
    assert_eq!(
        [&metadata["images"], &metadata["images_outside"]],
        [1797, 3]
    );
    let nodes = tight["ranges"]["nodes"].as_array().unwrap();
    let stated = nodes.iter().filter(|node| node["is_stated"] == true);
    // The image, both activations' inputs, the result; the classifier may be moved before what is stated of it.
    assert!(stated.count() >= 4, "{nodes:#?}");
    for node in nodes {
        let bound = node["stated"]["max"].as_f64().unwrap();
        assert!(
            bound < 1e6 && node["stated"]["bits_left"].as_f64().unwrap() >= 2.0,
            "{node}"
        );
    }
    let text = folder.ok("compile tight.onnx -o tight.fhe");
    let line = "`peregrine.ranges` of the model: 4 values over 1797 images, 3 of them outside the trained range";
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains(" metadata") && text.contains(" follows"),
        "{text}"
    );
}

#[test]
fn inputs_outside_what_the_model_states_are_refused() {
    let folder = Folder::new("stated-inputs");
    let mut bytes = ranges(4.0);
    bytes["inputs"][0]["high"] = json!(0.25);
    with_ranges(&folder, "stated.onnx", &bytes);
    folder.ok("compile stated.onnx -o stated.fhe");
    for line in [
        "infer stated.onnx --input image.npy",
        "simulate stated.fhe --input image.npy",
    ] {
        let said = folder.fails(line);
        assert!(
            said.contains("outside 0 to 0.25 (stated by the model)"),
            "{said}"
        );
    }
}

#[test]
fn samples_and_a_chosen_headroom_override_it() {
    let folder = Folder::new("overridden");
    with_ranges(&folder, "stated.onnx", &ranges(64.0));
    let line =
        |model: &str| format!("compile {model}.onnx -o {model}.fhe --calibrate images.npy --json");
    let [stated, plain] = ["stated", "digits"].map(|model| report(&folder, &line(model)));
    assert_eq!(stated["headroom_bits"], plain["headroom_bits"]);
    assert_eq!(
        [&stated["metadata"], &stated["ranges"]],
        [&Value::Null, &plain["ranges"]]
    );
    let chosen = report(
        &folder,
        "compile stated.onnx -o stated.fhe --headroom-bits 11 --json",
    );
    assert_eq!(chosen["headroom_bits"], 11);
    assert_eq!(chosen["metadata"]["stated"], 4);
}

#[test]
fn what_cannot_be_read_is_refused_by_key() {
    let folder = Folder::new("unreadable");
    let mut wrong = ranges(4.0);
    wrong["version"] = json!(7);
    with_ranges(&folder, "wrong.onnx", &wrong);
    let said = folder.fails("compile wrong.onnx -o wrong.fhe");
    assert!(
        said.starts_with("error: metadata `peregrine.ranges`: version 7"),
        "{said}"
    );
    assert!(said.contains("compile with --calibrate"), "{said}");
}
