//! Keys belong to a pair, not to a circuit: mixtures are refused by every verb, and one set serves several circuits.

use crate::common::Folder;
use insta::assert_snapshot;

const COMPILE: &str = "compile digits.onnx -o";

#[test]
fn every_verb_refuses_a_mixture_of_two_key_pairs_of_one_circuit() {
    let folder = Folder::compiled("mixture");
    folder.ok("keygen digits.client --secret other.key --evaluation other.keys");
    folder.ok("encrypt digits.client --secret other.key --input image.npy -o other.ct");
    folder.ok("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
    assert_snapshot!(folder.fails("run digits.fhe --evaluation other.keys --input x.ct -o z.ct"), @r"
    error: x.ct was encrypted under key pair <fingerprint>, other.keys belongs to key pair <fingerprint>
    help: secret key, evaluation keys and ciphertexts go together when they are of one `peregrine keygen`; `keygen --add` makes more evaluation keys for a secret key there is
    ");
    let said = folder.fails("run digits.fhe --evaluation eval.keys --input other.ct -o z.ct");
    assert!(
        said.starts_with("error: other.ct was encrypted under"),
        "{said}"
    );
    assert_snapshot!(folder.fails("run digits.fhe --evaluation eval.keys --evaluation other.keys --input x.ct -o z.ct").lines().next().unwrap(), @"error: other.keys belongs to key pair <fingerprint>, eval.keys belongs to key pair <fingerprint>");
    assert_snapshot!(folder.fails("decrypt digits.client --secret other.key --input y.ct -o y.npz").lines().next().unwrap(), @"error: y.ct was encrypted under key pair <fingerprint>, other.key belongs to key pair <fingerprint>");
    assert_snapshot!(folder.fails("keygen digits.client --add --secret other.key --evaluation eval.keys").lines().next().unwrap(), @"error: eval.keys belongs to key pair <fingerprint>, other.key belongs to key pair <fingerprint>");
    folder.ok("decrypt digits.client --secret secret.key --input y.ct -o y.npz");
}

/// A circuit with fewer levels, so that primes differ.
#[test]
fn a_circuit_names_the_keys_that_it_lacks_and_add_makes_just_these() {
    let folder = Folder::compiled("add");
    folder.ok(&format!("{COMPILE} other.fhe --precision-bits 11"));
    folder.ok("encrypt other.client --secret secret.key --input image.npy -o other.ct");
    let run = |keys: &str| format!("run other.fhe {keys} --input other.ct -o other-y.ct");
    let said = folder.fails(&run("--evaluation eval.keys"));
    let start = "error: eval.keys: ";
    assert!(said.starts_with(start), "{said}");
    assert!(
        said.contains(" evaluation keys that the circuit needs are missing, "),
        "{said}"
    );
    assert!(
        said.contains("\nhelp: `peregrine keygen --add MODEL.client"),
        "{said}"
    );

    // Into a file of their own, beside those that are there.
    let before = folder.bytes("eval.keys");
    let add = "keygen other.client --add --secret secret.key --evaluation";
    let made = folder.json(&format!("{add} more.keys --besides eval.keys"));
    assert!(
        made["kept"] == 0 && made["keys"].as_u64().unwrap() > 0,
        "{made}"
    );
    folder.ok(&run("--evaluation eval.keys --evaluation more.keys"));
    assert_eq!(folder.bytes("eval.keys"), before);

    // Into the file that there is.
    let made = folder.json(&format!("{add} eval.keys"));
    assert!(made["keys"].as_u64() > made["kept"].as_u64(), "{made}");
    folder.ok(&run("--evaluation eval.keys"));
    folder.ok("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
    folder.ok("decrypt digits.client --secret secret.key --input y.ct");
    folder.ok("decrypt other.client --secret secret.key --input other-y.ct");
    let all = folder.bytes("eval.keys");
    let again = folder.json(&format!("{add} eval.keys"));
    assert_eq!(again["kept"], again["keys"]);
    assert_eq!(folder.bytes("eval.keys"), all);
}

#[test]
fn adding_needs_a_secret_key_and_loses_nothing() {
    let folder = Folder::compiled("add-refused");
    let said = folder.fails("keygen digits.client --add --secret none.key --evaluation eval.keys");
    assert_snapshot!(said, @r"
    error: none.key: cannot be read: No such file or directory
    help: `peregrine keygen` makes the secret key together with the evaluation keys
    ");
    let said = folder.fails("keygen digits.client --add --secret secret.key --evaluation x.ct");
    assert_snapshot!(said, @r"
    error: x.ct: holds ciphertexts, expected evaluation keys
    help: ciphertexts are for --input of run and decrypt
    ");
    let force = "keygen digits.client --add --force --secret secret.key --evaluation eval.keys";
    assert_eq!(folder.run(force).status.code(), Some(2));
    let mut damaged = folder.bytes("eval.keys");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    folder.write("eval.keys", damaged);
    folder.ok(&format!("{COMPILE} other.fhe --precision-bits 11"));
    let add = "keygen other.client --add --secret secret.key --evaluation eval.keys";
    assert!(folder.fails(add).contains("file is damaged: chunk 0x"));
}

#[test]
fn a_circuit_made_like_another_runs_with_its_keys() {
    let folder = Folder::compiled("like");
    // The name is part of a circuit.
    folder.write("twin.onnx", folder.bytes("digits.onnx"));
    let report = folder.json("compile twin.onnx -o twin.fhe --like digits.client");
    let remarks = report["remarks"].as_array().unwrap();
    let said = "made like `digits`: its keys serve this circuit, too";
    assert!(
        remarks.iter().any(|remark| remark["text"] == said),
        "{remarks:?}"
    );
    folder.ok("encrypt twin.client --secret secret.key --input image.npy -o twin.ct");
    folder.ok("run twin.fhe --evaluation eval.keys --input twin.ct -o y.ct");
    folder.ok("decrypt twin.client --secret secret.key --input y.ct");
    let made =
        folder.json("keygen digits.client twin.client --secret both.key --evaluation both.keys");
    assert_eq!(made["circuits"].as_array().unwrap().len(), 2);
    assert_eq!(
        folder.bytes("both.keys").len(),
        folder.bytes("eval.keys").len()
    );
    let both = "compile twin.onnx -o twin.fhe --like digits.client --log-n 13";
    assert_eq!(folder.run(both).status.code(), Some(2));
}
