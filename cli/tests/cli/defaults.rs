//! What `compile` and `infer` choose without options, that they say so, and which option changes it.

use crate::common::Folder;
use serde_json::Value;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn without_options_everything_is_chosen_and_said_in_five_lines() {
    let folder = Folder::new("defaults");
    let report = folder.json("compile digits.onnx -o digits.fhe");
    let chosen = report["chosen"].as_array().unwrap();
    assert_eq!(chosen.len(), 5);
    let printed = folder.ok("compile digits.onnx -o digits.fhe");
    let first: Vec<&str> = printed.lines().take(5).collect();
    let options = [
        "--log-n",
        "--input-range",
        "--headroom-bits",
        "--precision-bits",
        "--key-budget",
    ];
    for ((row, line), option) in chosen.iter().zip(first).zip(options) {
        let (what, text) = (row[0].as_str().unwrap(), row[1].as_str().unwrap());
        assert!(line.starts_with(what) && line.contains(text), "{line}");
        assert!(text.contains(option), "{text}: {option}");
    }
    let range = &report["inputs"]["image"];
    assert_eq!(range["origin"], "assumed");
    assert_eq!((number(&range["low"]), number(&range["high"])), (-3.0, 3.0));
    assert_eq!(report["precision"]["asked_bits"], 8);
    assert!(number(&report["precision"]["predicted_bits"]) >= 8.0);
    // Nothing depends on chance or on the machine.
    let again = folder.json("compile digits.onnx -o again.fhe");
    assert_eq!(folder.bytes("digits.fhe"), folder.bytes("again.fhe"));
    assert_eq!(again["chosen"], report["chosen"]);
}

#[test]
fn what_is_promised_for_inputs_that_are_drawn_holds_for_images() {
    let folder = Folder::new("promise");
    let report = folder.json("infer digits.onnx --input images.npy --limit 5");
    let precision = &report["precision"];
    assert!(number(&precision["measured_bits"]) >= 7.0, "{precision}");
    assert_eq!(report["agreeing"], 5);
}

#[test]
fn infer_takes_the_options_of_compile() {
    let folder = Folder::new("same-options");
    for options in [
        "",
        "--calibrate images.npy",
        "--calibrate images.npy --precision-bits 11 --headroom-bits 9",
        "--input-range 0,1 --precision-bits 10",
        "--input-range 0,1 --without tower-reuse --key-budget none",
        "--operation-bits 11 --headroom-bits 8",
    ] {
        let compiled = folder.json(&format!("compile digits.onnx -o digits.fhe {options}"));
        let inferred = folder.json(&format!(
            "infer digits.onnx --input images.npy --limit 1 {options}"
        ));
        assert_eq!(
            compiled["circuit"]["fingerprint"], inferred["circuit"]["fingerprint"],
            "{options}"
        );
    }
}

#[test]
fn ranges_that_are_asked_for_are_proven_where_that_is_less_than_the_margin() {
    let folder = Folder::new("asked");
    let asked = folder.json("compile digits.onnx -o digits.fhe --input-range 0,1");
    assert_eq!(asked["inputs"]["image"]["origin"], "asked");
    let assumed = folder.json("compile digits.onnx -o digits.fhe");
    let bits = |report: &Value| report["headroom_bits"].as_u64().unwrap();
    assert!(bits(&asked) < bits(&assumed));
    let calibrated = folder.json("compile digits.onnx -o digits.fhe --calibrate images.npy");
    let range = &calibrated["inputs"]["image"];
    assert_eq!(range["origin"], "calibrated");
    assert!(bits(&calibrated) <= bits(&asked));
}

#[test]
fn bits_of_operations_are_set_and_not_beside_bits_of_outputs() {
    let folder = Folder::new("operation-bits");
    let report = folder.json("compile digits.onnx -o digits.fhe --operation-bits 13");
    assert_eq!(report["precision_bits"], 13);
    assert!(report["precision"].is_null());
    let both = folder.run("compile digits.onnx -o x.fhe --operation-bits 13 --precision-bits 9");
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn keys_are_at_the_knee_by_default() {
    let folder = Folder::new("knee");
    let free = folder.json("compile digits.onnx -o digits.fhe --key-budget none");
    let knee = folder.json("compile digits.onnx -o digits.fhe");
    let bytes = |report: &Value| report["stats"]["key_bytes"].as_u64().unwrap();
    let seconds = |report: &Value| number(&report["predicted"]["seconds"]);
    assert!(bytes(&knee) < bytes(&free));
    assert!(seconds(&knee) <= 1.05 * seconds(&free));
    let fewer = bytes(&knee) / 10 * 9;
    let fewer = folder.run(&format!(
        "compile digits.onnx -o digits.fhe --key-budget {fewer} --json"
    ));
    if fewer.status.success() {
        let fewer: Value = serde_json::from_slice(&fewer.stdout).unwrap();
        assert!(seconds(&fewer) > 1.05 * seconds(&free));
    }
}
