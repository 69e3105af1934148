//! What the binary says when something is wrong: reviewed as prose.

use crate::common::Folder;
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
    assert_snapshot!(folder.fails("compile lenet.onnx -o lenet.fhe"), @"error: lenet.onnx: cannot be read: No such file or directory");
    let model = folder.bytes("digits.onnx");
    folder.write("half.onnx", &model[..model.len() / 2]);
    let said = folder.fails("compile half.onnx -o half.fhe");
    assert!(
        said.starts_with("error: not an ONNX model: byte "),
        "{said}"
    );
    assert!(said.contains("\n  --> half.onnx\n   = help: "), "{said}");
    let circuit = folder.bytes("digits.fhe");
    folder.write("half.fhe", &circuit[..1000]);
    let said = folder
        .fails("inspect half.fhe")
        .replace(&circuit.len().to_string(), "<length>");
    assert_snapshot!(said, @r"
    error: half.fhe: file is truncated: expected <length> bytes, found 1000
    help: copy or make the file again
    ");
    let mut changed = circuit;
    *changed.last_mut().unwrap() ^= 1;
    folder.write("changed.fhe", changed);
    assert_snapshot!(folder.fails("inspect changed.fhe"), @r"
    error: changed.fhe: file is damaged: chunk 0x65746176697270 does not match its checksum
    help: copy or make the file again
    ");
    assert_snapshot!(folder.fails("compile digits.onnx -o there/digits.fhe"), @r"
    error: there/digits.fhe: cannot be written: No such file or directory
    help: the folder is not there: make it first
    ");
}

#[test]
fn files_of_another_kind() {
    let folder = Folder::compiled("kind");
    assert_snapshot!(folder.fails("inspect digits.onnx"), @r"
    error: digits.onnx: holds an ONNX model, expected a circuit (.fhe) or a client interface (.client)
    help: `peregrine compile` turns an ONNX model into a circuit and a client interface
    ");
    assert_snapshot!(folder.fails("keygen digits.fhe --secret s.key --evaluation e.keys"), @r"
    error: digits.fhe: holds a circuit (.fhe), expected a client interface (.client)
    help: a circuit (.fhe) is for inspect, simulate and run
    ");
    assert_snapshot!(folder.fails("run digits.client --evaluation eval.keys --input x.ct -o y.ct"), @r"
    error: digits.client: holds a client interface (.client), expected a circuit (.fhe)
    help: a client interface (.client) is for inspect, keygen, encrypt and decrypt
    ");
    assert_snapshot!(folder.fails("run digits.fhe --evaluation secret.key --input x.ct -o y.ct"), @r"
    error: secret.key: holds a secret key, expected evaluation keys
    help: a secret key is for --secret of encrypt and decrypt
    ");
    assert_snapshot!(folder.fails("run digits.fhe --evaluation eval.keys --input image.npy -o y.ct"), @r"
    error: image.npy: holds a NumPy array (.npy), expected ciphertexts
    help: `peregrine encrypt` turns arrays into ciphertexts
    ");
    assert_snapshot!(folder.fails("encrypt digits.client --secret eval.keys --input image.npy -o y.ct"), @r"
    error: eval.keys: holds evaluation keys, expected a secret key
    help: evaluation keys are for --evaluation of run
    ");
    assert_snapshot!(folder.fails("decrypt digits.client --secret secret.key --input x.ct"), @r"
    error: x.ct: the direction of the ciphertexts is `input`, expected `output`
    help: decrypt takes what `peregrine run` wrote
    ");
    assert_snapshot!(folder.fails("inspect digits.client --node conv1"), @"error: digits.client: a client interface has no instructions");
    let said = folder.fails("inspect digits.fhe --node conv1");
    let start = "error: digits.fhe: no instruction serves a node `conv1`; those served are `";
    assert!(said.starts_with(start), "{said}");
}

#[test]
fn ciphertexts_of_another_circuit() {
    let folder = Folder::compiled("foreign");
    folder.ok("compile digits.onnx -o other.fhe --precision-bits 11");
    folder.ok("keygen other.client --secret other.key --evaluation other.keys");
    assert_snapshot!(folder.fails("run other.fhe --evaluation other.keys --input x.ct -o y.ct"), @r"
    error: x.ct: belongs to circuit <fingerprint>, expected one for circuit <fingerprint>
    help: ciphertexts are packed for one compiled circuit: encrypt again with its client interface
    ");
}

#[test]
fn a_damaged_key_is_named_when_it_is_used() {
    let folder = Folder::compiled("damaged-key");
    let mut keys = folder.bytes("eval.keys");
    let middle = keys.len() / 2;
    keys[middle] ^= 1;
    folder.write("eval.keys", keys);
    let said = folder.fails("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
    assert!(said.starts_with("error: eval.keys: "), "{said}");
    assert!(said.contains("file is damaged: chunk 0x"), "{said}");
}

#[test]
fn secret_keys_are_not_overwritten() {
    let folder = Folder::compiled("overwrite");
    assert_snapshot!(folder.fails("keygen digits.client --secret secret.key --evaluation new.keys"), @r"
    error: secret.key: exists already
    help: --force overwrites it; what was encrypted with an old key can then not be decrypted
    ");
    assert_snapshot!(folder.fails("keygen digits.client --secret new.key --evaluation eval.keys"), @r"
    error: eval.keys: exists already
    help: --force overwrites it; what was encrypted with an old key can then not be decrypted
    ");
    assert_snapshot!(folder.fails("keygen digits.client --secret new.key --evaluation new.key"), @"error: new.key: is given as the secret key and as the evaluation keys");
    assert_snapshot!(folder.fails("compile digits.onnx -o secret.key --client new.client"), @r"
    error: secret.key: would overwrite a secret key
    help: choose another output, or remove the key first
    ");
    assert_snapshot!(folder.fails("encrypt digits.client --secret secret.key --input image.npy -o secret.key"), @"error: secret.key: is given as the secret key and as the output");
    assert_snapshot!(folder.fails("compile digits.onnx -o digits.onnx"), @"error: digits.onnx: is given as the model and as the circuit");
}

#[test]
fn inputs_that_do_not_fit() {
    let folder = Folder::compiled("inputs");
    let encrypt = |input: &str| {
        folder.fails(&format!(
            "encrypt digits.client --secret secret.key --input {input} -o y.ct"
        ))
    };
    assert_snapshot!(encrypt("picture=image.npy"), @"error: image.npy: the model has no input `picture`, its inputs are `image`");
    assert_snapshot!(encrypt("missing.npy"), @r"
    error: missing.npy: cannot be read: No such file or directory
    help: save the array with `numpy.save` or `numpy.savez`
    ");
    assert_snapshot!(encrypt("images.npy"), @r"
    error: images.npy: input `image` has shape [50, 1, 8, 8], the model takes [1, 1, 8, 8]
    help: give one image in the shape of the model; a leading axis of size 1 may be left out
    ");
    assert_snapshot!(encrypt("image.npy --input image=image.npy"), @"error: image.npy: input `image` is given twice");
    array(&folder, "nan.npy", &[8, 8], f32::NAN);
    assert_snapshot!(encrypt("nan.npy"), @r"
    error: nan.npy: input `image` holds a value that is not finite at [0, 0]
    help: only finite numbers can be encrypted
    ");
    array(&folder, "huge.npy", &[8, 8], 1e300f64);
    let said = encrypt("huge.npy");
    assert!(
        said.starts_with("error: huge.npy: input `image` holds 1"),
        "{said}"
    );
    assert!(said.contains(", no circuit holds more than "), "{said}");
    assert_snapshot!(encrypt("digits.onnx"), @r"
    error: digits.onnx: holds an ONNX model, expected arrays (.npy, .npz)
    help: `peregrine compile` turns an ONNX model into a circuit and a client interface
    ");
    let image = folder.bytes("image.npy");
    folder.write("half.npy", &image[..200]);
    assert_snapshot!(encrypt("half.npy"), @"error: half.npy: damaged .npy data: reached EOF before reading all data");
    array(&folder, "labels3.npy", &[3], 1i64);
    assert_snapshot!(folder.fails("infer digits.onnx --input images.npy --labels labels3.npy"), @"error: labels3.npy: there are 3 labels for 50 images");
    assert_snapshot!(folder.fails("infer digits.onnx --input labels3.npy"), @r"
    error: labels3.npy: input `image` has shape [3], the model takes [1, 1, 8, 8]
    help: give one image in the shape of the model; a leading axis of size 1 may be left out
    ");
}

#[test]
fn arrays_that_promise_too_much() {
    let folder = Folder::new("hostile");
    folder.ok("compile digits.onnx -o digits.fhe");
    let simulate = |shape: &str| {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u32).to_le_bytes();
        let file = [b"\x93NUMPY\x02\0", length.as_slice(), header.as_bytes()].concat();
        folder.write("x.npy", file);
        folder.fails("simulate digits.fhe --input x.npy")
    };
    assert_snapshot!(simulate("(1099511627776,)"), @"error: x.npy: the array has 1099511627776 elements, the limit is 536870912");
    assert_snapshot!(simulate("(400000000,)"), @"error: x.npy: damaged .npy data: reached EOF before reading all data");
    assert_snapshot!(simulate(&"(".repeat(30_000)), @"error: x.npy: damaged .npy data: the header is malformed");
    for nested in ["[", "{", "{'a':", "('a',"] {
        // A parser that goes back at each bracket would take years.
        let said = simulate(&nested.repeat(30));
        assert_eq!(
            said,
            "error: x.npy: damaged .npy data: the header is malformed"
        );
    }
    assert_snapshot!(simulate("(0, 8)"), @"error: x.npy: shape [0, 8] has an empty dimension");
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
fn values_that_have_no_room() {
    let folder = Folder::new("ranges-refused");
    let compile = |options: &str| folder.fails(&format!("compile digits.onnx -o x.fhe {options}"));
    assert_snapshot!(compile("--calibrate images.npy --headroom-bits 4"), @r"
    error: digits.onnx: `/act1/Add_1` (Add) reaches 2.1357 in sample 36: with 2 bits of margin and one for the sign that takes 5 headroom bits, 4 are asked for
    help: ask for more --headroom-bits, or for none: --calibrate then finds them; where few samples run away, fine-tune the model with a penalty on large activations
    ");
    array(&folder, "bright.npy", &[3, 1, 8, 8], 1e14f64);
    assert_snapshot!(compile("--calibrate bright.npy"), @r"
    error: digits.onnx: `/act1/Add_1` (Add) reaches 2^95 in sample 0: with 2 bits of margin and one for the sign that takes 99 headroom bits, 74 fit beside the asked precision at ring degree 2^17
    help: fine-tune the model with a penalty on large activations, or leave samples out on which it fails anyway; where the model states ranges, --calibrate overrides them; where inputs are drawn, a narrower --input-range or --calibrate makes values smaller; fewer --precision-bits or a smaller ring (--log-n) leave room for a few bits more
    ");
    array(&folder, "blinding.npy", &[1, 8, 8], 1e200f64);
    assert_snapshot!(compile("--calibrate blinding.npy"), @r"
    error: digits.onnx: `image` (Input) reaches 2^664 in sample 0: with 2 bits of margin and one for the sign that takes more than 99 headroom bits, 74 fit beside the asked precision at ring degree 2^17
    help: fine-tune the model with a penalty on large activations, or leave samples out on which it fails anyway; where the model states ranges, --calibrate overrides them; where inputs are drawn, a narrower --input-range or --calibrate makes values smaller; fewer --precision-bits or a smaller ring (--log-n) leave room for a few bits more
    ");
    assert_snapshot!(compile("--calibrate images.npy --input-range 0,0.5"), @r"
    error: digits.onnx: input `image` is stated to be within 0 and 0.5, samples reach 0 and 1
    help: state a wider --input-range, or none: samples give one
    ");
    assert_snapshot!(compile("--input-range picture=0,1"), @"error: digits.onnx: the model has no input `picture`, its inputs are `image`");
    assert_snapshot!(compile("--input-range 0,1 --input-range image=0,2"), @"error: digits.onnx: input `image` has two ranges");
}

#[test]
fn profiles_that_no_machine_has() {
    let folder = Folder::new("profiles");
    let rates = [
        "transform",
        "add",
        "multiply",
        "accumulate",
        "key_product",
        "convert",
        "fill",
    ];
    let rates = rates.map(|name| format!("\"{name}\": 1e-5, ")).concat();
    let profile = |transform: &str| {
        let rest = "\"encode_fixed\": 1e-4, \"encode_limb\": 1e-5, \"read\": 1e-4";
        let rates = rates.replacen("1e-5", transform, 1);
        format!(
            "{{\"version\": 2, \"machine\": {{\"cores\": 1, \"kernels\": \"none\"}}, \"threads\": 1, \"bytes_per_second\": 1e10, \
             \"degrees\": {{\"13\": {{{rates}{rest}}}}}}}"
        )
    };
    folder.write("machine.json", profile("1e-5"));
    let compiled = folder.json("compile digits.onnx -o digits.fhe --profile machine.json");
    assert_eq!(compiled["predicted"]["machine"]["kernels"], "none");
    let fails = |json: String| {
        folder.write("machine.json", json);
        folder.fails("compile digits.onnx -o other.fhe --profile machine.json")
    };
    assert_snapshot!(fails(profile("-1e-5")), @r"
    error: machine.json: `degrees.13.transform` is -0.00001, expected a finite number above 0
    help: `peregrine bench --profile-out FILE.json` measures this machine
    ");
    assert_snapshot!(fails(profile("1e-5").replace("\"version\": 2", "\"version\": 9")), @r"
    error: machine.json: is a machine profile of version 9, expected version 2
    help: `peregrine bench --profile-out FILE.json` measures this machine
    ");
    assert_snapshot!(fails(profile("1e-5").replace("\"convert\": 1e-5, ", "")), @r"
    error: machine.json: is no machine profile: missing field `convert` at line 1 column 279
    help: `peregrine bench --profile-out FILE.json` measures this machine
    ");
    assert_snapshot!(fails(profile("NaN")), @r"
    error: machine.json: is no machine profile: expected value at line 1 column 132
    help: `peregrine bench --profile-out FILE.json` measures this machine
    ");
    assert_snapshot!(folder.fails("inspect digits.client --profile machine.json"), @"error: digits.client: a client interface has no time to run");
    assert_snapshot!(folder.fails("compile digits.onnx -o machine.json --profile machine.json"), @"error: machine.json: is given as the circuit and as the profile");
}

#[test]
fn keys_that_cannot_be_made_to_fit() {
    let folder = Folder::new("key_budget");
    let compiled = folder.json("compile digits.onnx -o digits.fhe --key-budget 8MiB");
    let bytes = compiled["stats"]["key_bytes"].as_u64().unwrap();
    assert!(bytes <= 8 << 20, "{bytes}");
    let choices = compiled["key_choices"].as_array().unwrap();
    let chosen: Vec<_> = choices
        .iter()
        .filter(|choice| choice["budget"] == 8 << 20)
        .collect();
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0]["bytes"], bytes);
    assert_eq!(choices[0]["budget"], serde_json::Value::Null);
    assert_snapshot!(folder.fails("compile digits.onnx -o none.fhe --key-budget 100KiB"), @r"
    error: digits.onnx: with 7 bits per operation, the evaluation keys take at least 2.8 MiB, the budget is 0.1 MiB: allow more, ask for fewer bits of precision, or make the network shallower
    help: `--operation-bits 7 --key-budget 3MiB` compiles it, for outputs as precise as that makes them; more bits need larger keys; `--key-budget none` sets no limit
    ");
    let way_out =
        folder.json("compile digits.onnx -o least.fhe --operation-bits 7 --key-budget 3MiB");
    assert!(way_out["stats"]["key_bytes"].as_u64().unwrap() <= 3 << 20);
    assert_snapshot!(folder.fails("compile digits.onnx -o none.fhe --operation-bits 9 --key-budget 100KiB"), @r"
    error: digits.onnx: the evaluation keys take at least 3.8 MiB, the budget is 0.1 MiB: allow more, ask for fewer bits of precision, or make the network shallower
    help: --key-budget 4MiB is the least that was found, `--key-budget none` sets no limit; fewer --precision-bits make keys smaller, too
    ");
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
        "compile m -o c --input-range 1,0",
        "compile m -o c --without speed",
    ] {
        assert_eq!(folder.run(line).status.code(), Some(2), "{line}");
    }
}

#[test]
fn a_precision_that_no_parameters_give() {
    let folder = Folder::new("imprecise");
    let said = folder.fails(
        "compile digits.onnx -o digits.fhe --calibrate images.npy --precision-bits 20 --log-n 13",
    );
    assert_snapshot!(said, @r"
    error: digits.onnx: 20 bits of the largest output are asked for, 15.5 are reached, with 14 bits after the point of every operation: 4.5 bits are missing; more has no parameters: depth 3 needs a modulus of 180 bits and special primes of at least 42; at ring degree 2^13 the limit for 128-bit security is 218: 4 bits are missing; use a shallower network, fewer precision bits, or a larger ring
    help: --precision-bits 15 is within reach; or leave --log-n out; where few values are large, a penalty on large activations in fine-tuning leaves room for more
    ");
    assert!(!folder.path("digits.fhe").exists());
}
