//! Outputs that the client finishes: a class instead of scores, through every verb.

use crate::common::Folder;
use ndarray_npy::NpzReader;
use std::fs::File;

/// A number as protobuf writes it.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A protobuf field of bytes.
fn field(number: u64, payload: &[u8]) -> Vec<u8> {
    let header = [varint(number << 3 | 2), varint(payload.len() as u64)];
    [&header.concat(), payload].concat()
}

/// The number at `at`, which moves past it.
fn read_varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The model with `class = ArgMax(logits)` as a second output.
fn with_class(model: &[u8]) -> Vec<u8> {
    let attribute = |name: &str, value: u8| {
        // An integer, and the type that says so.
        let value = [&[0x18, value][..], &[0xa0, 0x01, 0x02]].concat();
        field(5, &[field(1, name.as_bytes()), value].concat())
    };
    let node = [
        field(1, b"logits"),
        field(2, b"class"),
        field(4, b"ArgMax"),
        attribute("axis", 1),
        attribute("keepdims", 0),
    ];
    let added = [field(1, &node.concat()), field(12, &field(1, b"class"))].concat();
    let (mut at, mut changed) = (0, Vec::new());
    while at < model.len() {
        let start = at;
        let tag = read_varint(model, &mut at);
        let length = read_varint(model, &mut at);
        if tag & 7 != 2 {
            changed.extend(&model[start..at]);
            continue;
        }
        let payload = &model[at..at + length as usize];
        at += length as usize;
        if tag >> 3 == 7 {
            changed.extend(field(7, &[payload, &added].concat()));
        } else {
            changed.extend(&model[start..at]);
        }
    }
    changed
}

#[test]
fn a_class_is_decrypted_as_an_integer() {
    let folder = Folder::new("finish");
    folder.write("class.onnx", with_class(&folder.bytes("digits.onnx")));
    folder.ok("compile class.onnx -o class.fhe");
    folder.ok("keygen class.client --secret s.key --evaluation e.keys");
    folder.ok("encrypt class.client --secret s.key --input image.npy -o x.ct");
    folder.ok("run class.fhe --evaluation e.keys --input x.ct -o y.ct");
    let report = folder.json("decrypt class.client --secret s.key --input y.ct -o y.npz");
    let class = report["outputs"]["logits"]["class"].clone();
    assert!(class.is_u64(), "{report}");
    let output = &report["outputs"]["class"];
    assert_eq!(output["values"], serde_json::json!([class]));
    assert_eq!(
        (&output["class"], &output["shape"]),
        (&class, &serde_json::json!([1]))
    );
    let mut arrays = NpzReader::new(File::open(folder.path("y.npz")).unwrap()).unwrap();
    let stored: ndarray::Array1<i64> = arrays.by_name("class").unwrap();
    assert_eq!(Some(stored[0] as u64), class.as_u64());
    let logits: ndarray::Array2<f64> = arrays.by_name("logits").unwrap();
    assert_eq!(logits.len(), 10);

    let said = folder.ok("decrypt class.client --secret s.key --input y.ct");
    assert!(
        said.contains("before the steps that follow decryption"),
        "{said}"
    );
    let simulated = folder.json("simulate class.fhe --input image.npy");
    assert_eq!(simulated["outputs"]["class"]["values"], output["values"]);
    for file in ["class.fhe", "class.client"] {
        let shown = folder.ok(&format!("inspect {file}"));
        assert!(shown.contains("argmax axis=1, reshape [1]"), "{shown}");
    }
    let text = folder.ok("inspect class.fhe --format text");
    assert!(
        text.contains("finish [argmax axis=1, reshape [1]]"),
        "{text}"
    );
    let inferred = folder.json("infer class.onnx --input images.npy --limit 3 -o z.npz");
    assert_eq!(inferred["agreeing"], 3);
    let error = inferred["images"][0]["error_log2"].as_f64().unwrap();
    assert!(error < -6.0, "errors are those of the scores: {error}");
    let mut arrays = NpzReader::new(File::open(folder.path("z.npz")).unwrap()).unwrap();
    let classes: ndarray::Array1<i64> = arrays.by_name("class").unwrap();
    assert_eq!(classes.len(), 3);
}
