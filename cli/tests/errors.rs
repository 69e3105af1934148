//! What the binary says when something is wrong: reviewed as prose.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod common;

use common::Folder;
use insta::assert_snapshot;
use ndarray::{Array, ArrayD, IxDyn};
use ndarray_npy::write_npy;

/// Writes an array of one element, repeated.
fn array<T: ndarray_npy::WritableElement + Clone>(
    folder: &Folder,
    file: &str,
    dims: &[usize],
    x: T,
) {
    let array: ArrayD<T> = Array::from_elem(IxDyn(dims), x);
    write_npy(folder.path(file), &array).unwrap();
}

#[test]
fn files_that_are_not_there_or_not_whole() {
    let folder = Folder::new("damaged");
    folder.ok("compile digits.onnx -o digits.fhe");
    assert_snapshot!(folder.fails("compile lenet.onnx -o lenet.fhe"), @"");
    let model = folder.bytes("digits.onnx");
    folder.write("half.onnx", &model[..model.len() / 2]);
    assert_snapshot!(folder.fails("compile half.onnx -o half.fhe"), @"");
    let circuit = folder.bytes("digits.fhe");
    folder.write("half.fhe", &circuit[..1000]);
    assert_snapshot!(folder.fails("inspect half.fhe"), @"");
    let mut changed = circuit;
    *changed.last_mut().unwrap() ^= 1;
    folder.write("changed.fhe", changed);
    assert_snapshot!(folder.fails("inspect changed.fhe"), @"");
    assert_snapshot!(folder.fails("compile digits.onnx -o there/digits.fhe"), @"");
}

#[test]
fn files_of_another_kind() {
    let folder = Folder::compiled("kind");
    assert_snapshot!(folder.fails("inspect digits.onnx"), @"");
    assert_snapshot!(folder.fails("keygen digits.fhe --secret s.key --evaluation e.keys"), @"");
    assert_snapshot!(folder.fails("run digits.client --evaluation eval.keys --input x.ct -o y.ct"), @"");
    assert_snapshot!(folder.fails("run digits.fhe --evaluation secret.key --input x.ct -o y.ct"), @"");
    assert_snapshot!(folder.fails("run digits.fhe --evaluation eval.keys --input image.npy -o y.ct"), @"");
    assert_snapshot!(folder.fails("encrypt digits.client --secret eval.keys --input image.npy -o y.ct"), @"");
    assert_snapshot!(folder.fails("decrypt digits.client --secret secret.key --input x.ct"), @"");
    assert_snapshot!(folder.fails("inspect digits.client --node conv1"), @"");
    assert_snapshot!(folder.fails("inspect digits.fhe --node conv1"), @"");
}

#[test]
fn files_of_another_circuit() {
    let folder = Folder::compiled("foreign");
    folder.ok("compile digits.onnx -o other.fhe --precision-bits 11");
    folder.ok("keygen other.client --secret other.key --evaluation other.keys");
    assert_snapshot!(folder.fails("encrypt digits.client --secret other.key --input image.npy -o y.ct"), @"");
    assert_snapshot!(folder.fails("run digits.fhe --evaluation other.keys --input x.ct -o y.ct"), @"");
    assert_snapshot!(folder.fails("run other.fhe --evaluation other.keys --input x.ct -o y.ct"), @"");
}

#[test]
fn a_damaged_key_is_named_when_it_is_used() {
    let folder = Folder::compiled("damaged-key");
    let mut keys = folder.bytes("eval.keys");
    let middle = keys.len() / 2;
    keys[middle] ^= 1;
    folder.write("eval.keys", keys);
    let said = folder.fails("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
    assert!(said.starts_with("error: eval.keys: v"), "{said}");
    assert!(said.contains("file is damaged: chunk 0x"), "{said}");
}

#[test]
fn secret_keys_are_not_overwritten() {
    let folder = Folder::compiled("overwrite");
    assert_snapshot!(folder.fails("keygen digits.client --secret secret.key --evaluation new.keys"), @"");
    assert_snapshot!(folder.fails("keygen digits.client --secret new.key --evaluation eval.keys"), @"");
    assert_snapshot!(folder.fails("keygen digits.client --secret new.key --evaluation new.key"), @"");
    assert_snapshot!(folder.fails("compile digits.onnx -o secret.key --client new.client"), @"");
    assert_snapshot!(folder.fails("encrypt digits.client --secret secret.key --input image.npy -o secret.key"), @"");
    assert_snapshot!(folder.fails("compile digits.onnx -o digits.onnx"), @"");
}

#[test]
fn inputs_that_do_not_fit() {
    let folder = Folder::compiled("inputs");
    let encrypt = |input: &str| {
        folder.fails(&format!(
            "encrypt digits.client --secret secret.key --input {input} -o y.ct"
        ))
    };
    assert_snapshot!(encrypt("picture=image.npy"), @"");
    assert_snapshot!(encrypt("missing.npy"), @"");
    assert_snapshot!(encrypt("images.npy"), @"");
    assert_snapshot!(encrypt("image.npy --input image=image.npy"), @"");
    array(&folder, "nan.npy", &[8, 8], f32::NAN);
    assert_snapshot!(encrypt("nan.npy"), @"");
    array(&folder, "huge.npy", &[8, 8], 1e300f64);
    assert_snapshot!(encrypt("huge.npy"), @"");
    array(&folder, "pixels.npy", &[8, 8], 255u8);
    assert_snapshot!(encrypt("pixels.npy"), @"");
    assert_snapshot!(encrypt("digits.onnx"), @"");
    let image = folder.bytes("image.npy");
    folder.write("half.npy", &image[..200]);
    assert_snapshot!(encrypt("half.npy"), @"");
    array(&folder, "labels3.npy", &[3], 1i64);
    assert_snapshot!(folder.fails("infer digits.onnx --input images.npy --labels labels3.npy"), @"");
    assert_snapshot!(folder.fails("infer digits.onnx --input labels3.npy"), @"");
}

#[test]
fn what_does_not_fit_the_machine_or_the_ring() {
    let folder = Folder::compiled("resources");
    let said =
        folder.fails("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct --memory 1MiB");
    assert!(
        said.starts_with("error: digits.fhe: the run needs "),
        "{said}"
    );
    assert!(
        said.contains(", the limit is 1.0 MiB\nhelp: raise --memory"),
        "{said}"
    );
    let said = folder.fails("compile digits.onnx -o small.fhe --log-n 12");
    assert!(said.starts_with("error: digits.onnx: "), "{said}");
    assert!(said.contains("2^12"), "{said}");
}

#[test]
fn a_command_line_that_cannot_be_understood_exits_with_2() {
    let folder = Folder::new("usage");
    for line in [
        "",
        "compile",
        "compress x",
        "run a.fhe --evaluation b --input c -o d --memory lots",
        "infer m --input x --limit 0",
    ] {
        assert_eq!(folder.run(line).status.code(), Some(2), "{line}");
    }
}
