//! Answers that are garbage: an exit code of their own, the node, the value and the way out, and no output; inputs on another
//! scale: refused where somebody says what they are.

use crate::common::Folder;
use ndarray::{ArrayD, Axis, Slice};
use ndarray_npy::{ReadNpyExt, write_npy};
use serde_json::Value;
use std::fs::File;

/// Writes the first images of the example times a factor.
fn scaled(folder: &Folder, file: &str, (count, factor): (usize, f64)) {
    let images = File::open(folder.path("images.npy")).unwrap();
    let images = ArrayD::<f32>::read_npy(images).unwrap().mapv(f64::from);
    let first = images.slice_axis(Axis(0), Slice::from(0..count));
    let changed = first.mapv(|x| {
        if factor.is_nan() {
            f64::NAN
        } else {
            x * factor
        }
    });
    write_npy(folder.path(file), &changed).unwrap();
}

/// Exit code, what was printed, and what was said on standard error.
fn run(folder: &Folder, line: &str) -> (i32, String, String) {
    let output = folder.run(line);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// What every image of the example should be.
fn expected_class(folder: &Folder, image: &str) -> Value {
    // With room for everything, as the model has it in the clear.
    let line = format!("infer digits.onnx --headroom-bits 40 --input {image} --limit 1 --json");
    let report: Value = serde_json::from_str(&run(folder, &line).1).unwrap();
    report["images"][0]["expected_class"].clone()
}

/// Wrong scales of images that should be in 0 to 1.
const SCALES: [f64; 5] = [10.0, 16.0, 255.0, 1000.0, f64::NAN];

#[test]
fn images_on_another_scale_are_refused_where_someone_says_what_they_are() {
    let folder = Folder::new("scale-known");
    for (choice, origin) in [
        ("--calibrate images.npy", "seen in calibration"),
        ("--input-range 0,1", "asked for"),
    ] {
        folder.ok(&format!("compile digits.onnx -o digits.fhe {choice}"));
        folder.ok("keygen digits.client --secret secret.key --evaluation eval.keys --force");
        for scale in SCALES {
            scaled(&folder, "x.npy", (1, scale));
            for line in [
                "encrypt digits.client --secret secret.key --input x.npy -o x.ct",
                "simulate digits.fhe --input x.npy -o y.npz",
                "simulate digits.fhe --input x.npy --noise -o y.npz",
                &format!("infer digits.onnx {choice} --input x.npy -o y.npz"),
            ] {
                let said = folder.fails(line);
                assert!(
                    said.contains("x.npy: input `image` holds"),
                    "{line}: {said}"
                );
                let known = said.contains(&format!("outside 0 to 1 ({origin})"));
                assert!(known != scale.is_nan(), "{line}: {said}");
            }
        }
    }
    // A little outside is no reason to refuse.
    scaled(&folder, "x.npy", (1, 1.25));
    let (code, _, said) = run(
        &folder,
        "encrypt digits.client --secret secret.key --input x.npy -o x.ct",
    );
    assert_eq!(code, 0, "{said}");
    assert!(
        said.starts_with("warning: ") && said.contains("outside 0 to 1"),
        "{said}"
    );
}

#[test]
fn images_on_another_scale_never_give_a_wrong_class() {
    let folder = Folder::new("scale-assumed");
    folder.ok("compile digits.onnx -o digits.fhe");
    folder.ok("keygen digits.client --secret secret.key --evaluation eval.keys");
    for scale in SCALES {
        scaled(&folder, "x.npy", (1, scale));
        let encrypt = "encrypt digits.client --secret secret.key --input x.npy -o x.ct";
        let (code, _, said) = run(&folder, encrypt);
        if scale.is_nan() {
            assert_eq!(code, 1, "{said}");
            continue;
        }
        assert!(code == 0 && said.contains("(assumed)"), "{said}");
        let expected = expected_class(&folder, "x.npy");
        folder.ok("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
        let decrypt = "decrypt digits.client --secret secret.key --input y.ct -o y.npz --json";
        let (code, printed, said) = run(&folder, decrypt);
        let report: Value = serde_json::from_str(&printed).unwrap();
        let written = folder.path("y.npz").exists();
        match code {
            0 => assert_eq!(report["outputs"]["logits"]["class"], expected, "{scale}"),
            3 => {
                assert!(
                    said.contains("error: y.ct: the answer is garbage: output `logits`"),
                    "{said}"
                );
                assert!(!written && report["outputs"].as_object().unwrap().is_empty());
                assert!(!report["faults"].as_array().unwrap().is_empty());
            }
            other => panic!("{scale}: {other}"),
        }
        let _ = std::fs::remove_file(folder.path("y.npz"));

        let infer = "infer digits.onnx --input x.npy --json";
        let (code, printed, said) = run(&folder, infer);
        let report: Value = serde_json::from_str(&printed).unwrap();
        match code {
            0 => assert_eq!(report["images"][0]["class"], expected, "{scale}"),
            3 => assert!(
                said.contains("node `") && said.contains("--headroom-bits"),
                "{said}"
            ),
            other => panic!("{scale}: {other}"),
        }
    }
}

#[test]
fn values_without_room_are_an_error_that_names_the_node_and_the_way_out() {
    let folder = Folder::new("no-room");
    scaled(&folder, "x.npy", (1, 255.0));
    for line in [
        "infer digits.onnx --input x.npy --headroom-bits 10 -o y.npz",
        "infer digits.onnx --input x.npy --headroom-bits 10 -o y.npz --json",
    ] {
        let (code, printed, said) = run(&folder, line);
        assert_eq!(code, 3, "{said}");
        assert!(!printed.is_empty() && !folder.path("y.npz").exists());
        assert!(said.contains("the answer is garbage: node `"), "{said}");
        assert!(
            said.contains("reaches") && said.contains("holds values below 512"),
            "{said}"
        );
        assert!(
            said.contains("help: scale inputs as the model was trained"),
            "{said}"
        );
    }
    let bits = {
        let said = run(
            &folder,
            "infer digits.onnx --input x.npy --headroom-bits 10",
        )
        .2;
        let rest = said.split_once("--headroom-bits ").unwrap().1.to_owned();
        rest.split([',', ' ']).next().unwrap().to_owned()
    };
    // The way out is one.
    let line = format!("infer digits.onnx --input x.npy --headroom-bits {bits}");
    let (code, _, said) = run(&folder, &line);
    assert_eq!(code, 0, "{line}: {said}");

    folder.ok("compile digits.onnx -o digits.fhe --headroom-bits 10");
    let (code, printed, said) = run(&folder, "simulate digits.fhe --input x.npy -o y.npz --json");
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("the answer is garbage: node `"), "{said}");
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["faults"][0]["fault"], "overflow", "{report}");
    assert!(!folder.path("y.npz").exists());
}

#[test]
fn garbage_is_written_only_by_force_and_the_exit_code_stays() {
    let folder = Folder::new("forced");
    scaled(&folder, "x.npy", (1, 16.0));
    folder.ok("compile digits.onnx -o digits.fhe --headroom-bits 10");
    folder.ok("keygen digits.client --secret secret.key --evaluation eval.keys");
    let encrypt = "encrypt digits.client --secret secret.key --input x.npy -o x.ct";
    assert_eq!(run(&folder, encrypt).0, 0);
    folder.ok("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
    for line in [
        "infer digits.onnx --headroom-bits 10 --input x.npy",
        "simulate digits.fhe --input x.npy",
        "decrypt digits.client --secret secret.key --input y.ct",
    ] {
        let (code, printed, said) = run(&folder, &format!("{line} --force -o y.npz"));
        assert_eq!(code, 3, "{line}: {said}");
        if said.contains("fill the modulus") {
            // There is nothing that could be written.
            assert!(line.starts_with("decrypt") && !folder.path("y.npz").exists());
            continue;
        }
        assert!(said.contains("(written all the same)"), "{line}: {said}");
        assert!(
            printed.contains("logits") || line.starts_with("infer"),
            "{line}: {printed}"
        );
        std::fs::remove_file(folder.path("y.npz")).unwrap();
    }
}

#[test]
fn answers_that_are_right_say_how_much_noise_they_have() {
    let folder = Folder::new("right");
    folder.ok("compile digits.onnx -o digits.fhe --calibrate images.npy");
    folder.ok("keygen digits.client --secret secret.key --evaluation eval.keys");
    folder.ok("encrypt digits.client --secret secret.key --input image.npy -o x.ct");
    folder.ok("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
    let report = folder.json("decrypt digits.client --secret secret.key --input y.ct -o y.npz");
    let log2 = |name: &str| report[name].as_f64().unwrap();
    let (noise, expected) = (log2("noise_log2"), log2("expected_noise_log2"));
    assert!((noise - expected).abs() < 4.0, "{noise} and {expected}");
    assert_ne!(report["judged_by"], "imaginary_parts");
    assert_eq!(report["faults"].as_array().unwrap().len(), 0);
}

#[test]
fn a_limit_says_what_it_leaves_out() {
    let folder = Folder::new("limit");
    scaled(&folder, "four.npy", (4, 1.0));
    let said = folder.ok("infer digits.onnx --input four.npy");
    assert!(said.contains("3 of 4 images, see --limit"), "{said}");
    let report = folder.json("infer digits.onnx --input four.npy --limit 4");
    assert_eq!(
        (&report["given"], &report["agreeing"]),
        (&4.into(), &4.into())
    );
    let all = folder.ok("infer digits.onnx --input four.npy --limit 4");
    assert!(!all.contains("--limit"), "{all}");
}

#[test]
fn simulations_are_compared_with_labels() {
    let folder = Folder::new("labels");
    folder.ok("compile digits.onnx -o digits.fhe");
    let line = "simulate digits.fhe --input images.npy --labels labels.npy";
    let report = folder.json(line);
    assert!(report["correct"].as_u64().unwrap() >= 49, "{report}");
    assert!(
        folder
            .ok(line)
            .contains("of 50 images have the class of their label")
    );
    let said = folder.fails("simulate digits.fhe --input image.npy --labels labels.npy");
    assert!(said.contains("there are 50 labels for 1 images"), "{said}");
}
