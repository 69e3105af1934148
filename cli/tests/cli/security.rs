//! Circuits without security are announced by every verb, and circuits that claim more than they have are refused by all.

use crate::common::Folder;
use peregrine_ir::binary::{Container, Fingerprint, PRIVATE, PRIVATE_HASH, PUBLIC, container};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Every verb that takes a circuit or makes one, in the order of use.
const VERBS: [&str; 9] = [
    "compile digits.onnx -o d.fhe --security none --log-n 11",
    "inspect d.fhe",
    "inspect d.client",
    "simulate d.fhe --input image.npy",
    "keygen d.client --secret s.key --evaluation e.keys",
    "encrypt d.client --secret s.key --input image.npy -o x.ct",
    "run d.fhe --evaluation e.keys --input x.ct -o y.ct",
    "decrypt d.client --secret s.key --input y.ct",
    "infer digits.onnx --input image.npy --security none --log-n 11",
];

/// What a verb prints that must warn, once.
fn warned(folder: &Folder, line: &str) -> String {
    let output = folder.run(line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{line}: {said}");
    assert_eq!(
        said, "warning: circuit `digits` has security=none: its ciphertexts protect nothing\n",
        "{line}"
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_verb_announces_circuits_without_security() {
    let folder = Folder::new("insecure");
    for line in VERBS {
        let printed = warned(&folder, &format!("{line} --json"));
        let report: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(report["security"], "none", "{line}");
    }
    for line in [VERBS[0], VERBS[1], VERBS[2], VERBS[8]] {
        let printed = warned(&folder, line);
        assert!(printed.contains("NONE: modulus of "), "{line}: {printed}");
    }
    let text = warned(&folder, "inspect d.fhe --format text");
    assert!(text.starts_with("circuit %digits security=none {\n"));
}

#[test]
fn reports_say_what_a_secure_circuit_promises() {
    let folder = Folder::new("secure");
    let compiled = folder.json("compile digits.onnx -o d.fhe");
    assert_eq!(compiled["security"], "128");
    let made = folder.json("keygen d.client --secret s.key --evaluation e.keys");
    assert_eq!(made["security"], "128");
}

/// A public part without security that claims 128 bits; see `ir-spec/src/binary/wire.rs`.
fn claim_security(public: &[u8]) -> Vec<u8> {
    let name_ends = 2 + usize::from(public[1]);
    assert_eq!(
        public[name_ends..name_ends + 2],
        [0x10, 2],
        "security is none"
    );
    let mut forged = public.to_vec();
    forged[name_ends + 1] = 1;
    forged
}

/// The file with that claim, every checksum and the fingerprint right.
fn forge(file: &[u8], private: u64) -> Vec<u8> {
    let file = Container::parse(file).unwrap();
    let public = claim_security(file.chunk(PUBLIC).unwrap());
    let private_part = file.chunk(private).unwrap();
    let hash = match private {
        PRIVATE => Sha256::digest(private_part).to_vec(),
        _ => private_part.to_vec(),
    };
    let named = Sha256::new()
        .chain_update(b"peregrine circuit 1")
        .chain_update((public.len() as u64).to_le_bytes())
        .chain_update(&public)
        .chain_update(hash);
    let chunks = [(PUBLIC, public.as_slice()), (private, private_part)];
    container::encode(file.kind(), Fingerprint(named.finalize().into()), &chunks)
}

#[test]
fn every_verb_refuses_circuits_that_claim_too_much() {
    let folder = Folder::new("forged");
    for line in VERBS.iter().take(8) {
        assert!(folder.run(line).status.success(), "{line}");
    }
    folder.write("d.fhe", forge(&folder.bytes("d.fhe"), PRIVATE));
    folder.write("d.client", forge(&folder.bytes("d.client"), PRIVATE_HASH));
    for line in VERBS.iter().take(8).skip(1) {
        let said = folder.fails(line);
        assert!(
            said.contains("above the 53 bits that degree 2^11 carries at 128-bit security"),
            "{line}: {said}"
        );
    }
}

#[test]
fn flooded_answers_say_nothing_of_the_noise_below() {
    let folder = Folder::compiled("flooded");
    folder.ok("run digits.fhe --evaluation eval.keys --input x.ct -o y.ct");
    let decrypt = "decrypt digits.client --secret secret.key --input y.ct";
    let plain = folder.json(decrypt);
    // Nothing is added, so nothing changes.
    assert_eq!(plain, folder.json(decrypt));
    assert!(plain["noise_log2"].as_f64().unwrap() < -7.0);
    let flooded = folder.json(&format!("{decrypt} --flood-bits 3"));
    assert!(flooded["noise_log2"].is_null());
    assert_eq!(flooded["flood_bits"], 3.0);
    assert_ne!(
        flooded["outputs"],
        folder.json(&format!("{decrypt} --flood-bits 3"))["outputs"]
    );
    assert!(
        folder
            .ok(&format!("{decrypt} --flood-bits 3"))
            .contains("deviation 2^-3 added")
    );
    let small = folder.run(&format!("{decrypt} --flood-bits 40"));
    let said = String::from_utf8(small.stderr).unwrap();
    assert!(said.contains("it hides nothing"), "{said}");
    assert_eq!(
        folder
            .run(&format!("{decrypt} --flood-bits 65"))
            .status
            .code(),
        Some(2)
    );
}
