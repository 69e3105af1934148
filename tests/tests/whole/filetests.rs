//! File tests: one circuit, network or slot program per file, the stage it goes through in its header, the result in the
//! snapshot beside it. `tests/README.md` has the forms. Of passes:
//!
//! ```text
//! ; One sentence: what the file pins.
//! test pass <name>
//!
//! circuit ...
//! ```
//! Beside the snapshot every circuit that goes through a pass is checked for meaning: the circuit before and the circuit after compute the same, in
//! the simulator and on ciphertexts. `cargo insta review` blesses; `INSTA_GLOB_FILTER` selects files.

use insta::{Settings, assert_snapshot, glob};
use peregrine_compiler::passes::PASSES;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Verified, text, verify};
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_tests::flow::{Encrypted, error_bits, simulated};
use peregrine_tests::listing::stages;
use std::collections::BTreeMap;
use std::path::Path;

/// The pass a file names and its circuit.
fn split(source: &str) -> (&str, String) {
    let header = source
        .lines()
        .find_map(|line| line.strip_prefix("test pass "));
    let body = source.lines().filter(|line| !line.starts_with("test "));
    (
        header.expect("a line `test pass <name>`"),
        body.collect::<Vec<_>>().join("\n"),
    )
}

fn verified(what: &str, circuit: peregrine_ir::Circuit) -> Verified {
    verify(circuit).unwrap_or_else(|errors| panic!("{what}: {errors}"))
}

fn inputs(circuit: &Verified) -> Arrays {
    let value = |i: usize| ((i * 7 + 3) % 11) as f64 / 11.0 - 0.4;
    let array = |elements: usize| (0..elements).map(value).collect();
    let ports = circuit.inputs.iter();
    ports
        .map(|p| {
            (
                p.name.clone(),
                Array::new(p.shape.clone(), array(p.shape.elements())).unwrap(),
            )
        })
        .collect()
}

fn same_meaning(before: &Verified, after: &Verified) {
    let inputs = inputs(before);
    let want: BTreeMap<String, Vec<f64>> = simulated(before, &inputs, None)
        .unwrap()
        .into_iter()
        .map(|(name, array)| (name, array.into_data()))
        .collect();
    let cleartext = error_bits(&simulated(after, &inputs, None).unwrap(), &want);
    assert!(
        cleartext < -45.0,
        "the simulator sees another result: 2^{cleartext:.1}"
    );
    let encrypted = error_bits(&Encrypted::new(after).unwrap().run(&inputs).unwrap(), &want);
    assert!(
        encrypted < -15.0,
        "ciphertexts give another result: 2^{encrypted:.1}"
    );
}

#[test]
fn passes() {
    glob!("../../filetests/passes", "**/*.fhe", |path: &Path| {
        let source = std::fs::read_to_string(path).unwrap();
        let (name, body) = split(&source);
        assert!(
            path.parent().unwrap().ends_with(name),
            "{} tests another pass",
            path.display()
        );
        let pass = PASSES
            .iter()
            .find(|p| p.name == name)
            .expect("a pass of the table");
        let before = verified(
            "before",
            text::parse(&body).unwrap_or_else(|e| panic!("{e}")),
        );
        let after = verified(
            name,
            (pass.run)(before.clone().into_inner(), &CostModel::default()).unwrap(),
        );
        same_meaning(&before, &after);
        beside(path, &text::print(&after));
    });
}

/// Compares with the snapshot beside a file.
fn beside(path: &Path, result: &str) {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(path.parent().unwrap());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_suffix("");
    settings.set_omit_expression(true);
    settings.bind(|| assert_snapshot!(path.file_stem().unwrap().to_str().unwrap(), result));
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn layout() {
    glob!("../../filetests/layout", "*.net", |path: &Path| {
        beside(path, &stages::layout(&read(path)));
    });
}

#[test]
fn slots() {
    glob!("../../filetests/slots", "*.net", |path: &Path| {
        beside(path, &stages::slots(&read(path)));
    });
}

#[test]
fn manage() {
    glob!("../../filetests/manage", "*.slots", |path: &Path| {
        beside(path, &stages::manage(&read(path)));
    });
}

#[test]
fn keys() {
    glob!("../../filetests/keys", "*.fhe", |path: &Path| {
        beside(path, &stages::keys(&read(path)));
    });
}
