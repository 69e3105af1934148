//! The ONNX project's own test cases through the compiler and the simulator, one per operator on ciphertexts.

use peregrine_compiler::pipeline::{Config, compile};
use peregrine_ir::{Security, text};
use peregrine_tests::conformance::{Case, Expect, Outcome, Table, cases, rounded};
use peregrine_tests::flow::{self, Encrypted, error_bits};
use peregrine_tests::shared::shared;
use std::collections::{BTreeMap, BTreeSet};

/// A toy ring: the simulator does not care, and a case on ciphertexts takes milliseconds.
fn toy() -> Config {
    let mut config = Config::new("case");
    config.security = Security::None;
    config.log_n = 9..=9;
    config.precision_bits = 18;
    // The largest value of any case is a sum of squares, 650.
    config.headroom_bits = 12;
    config
}

fn compute(case: &Case, encrypted: bool) -> Result<Outcome, String> {
    let graph = case.import()?;
    let compiled = compile(&graph, &toy()).map_err(|e| e.to_string())?;
    let parsed = text::parse(&text::print(&compiled.circuit)).map_err(|e| e.to_string())?;
    if parsed != *compiled.circuit {
        return Err("its text form is not its circuit".into());
    }
    let read = |name: String| {
        case.tensor(&name)
            .map(|t| t.data)
            .map_err(|e| e.to_string())
    };
    let tensors = (0..graph.inputs().count())
        .map(|i| read(format!("input_{i}")))
        .collect::<Result<Vec<_>, _>>()?;
    let inputs = flow::inputs(&graph, &tensors).map_err(|e| e.to_string())?;
    let mut want = BTreeMap::new();
    for (j, output) in graph.outputs.iter().enumerate() {
        want.insert(output.name.clone(), read(format!("output_{j}"))?);
    }
    let (got, tolerance) = if encrypted {
        (
            Encrypted::new(&compiled.circuit).and_then(|e| e.run(&inputs)),
            1e-3,
        )
    } else {
        (
            flow::simulated(&compiled.circuit, &inputs, None),
            rounded(case).unwrap_or(1e-4),
        )
    };
    let error = error_bits(&got.map_err(|e| e.to_string())?, &want).exp2();
    if error <= tolerance {
        Ok(Outcome::Passed)
    } else {
        Err(format!("off by {error:.1e} relative"))
    }
}

#[test]
fn every_case_computes_or_is_refused() {
    let Some(folder) = shared("every_case_computes_or_is_refused", "conformance") else {
        return;
    };
    let mut table = Table::default();
    for case in cases(&folder).unwrap() {
        let outcome = match case.expect {
            Expect::Refuse if case.import().is_err() => case.refused().map(|()| Outcome::Passed),
            Expect::Optional if case.import().is_err() => Ok(Outcome::NotSupported),
            // What a model ends with may be the client's; then it has to be right.
            Expect::Compute | Expect::Optional | Expect::Refuse => compute(&case, false),
        };
        table.record(&case, &outcome);
    }
    table.print();
    assert!(table.failures.is_empty(), "{}", table.failures.join("\n"));
}

#[test]
fn one_case_per_operator_computes_on_ciphertexts() {
    let Some(folder) = shared(
        "one_case_per_operator_computes_on_ciphertexts",
        "conformance",
    ) else {
        return;
    };
    let cases = cases(&folder).unwrap();
    // What the client applies after decryption is only optional.
    let wanted = |case: &&Case| {
        let left = ["Softmax", "LogSoftmax", "Sigmoid"];
        let client = |op: &String| left.contains(&op.as_str());
        case.expect == Expect::Compute
            || case.expect == Expect::Optional && case.ops.iter().all(client)
    };
    let mut done = BTreeSet::new();
    let mut failures = Vec::new();
    for case in cases.iter().filter(wanted) {
        if case.ops.iter().all(|op| done.contains(op)) {
            continue;
        }
        match compute(case, true) {
            Ok(_) => done.extend(case.ops.iter()),
            Err(reason) => failures.push(format!("{}: {reason}", case.name)),
        }
    }
    let names: Vec<&str> = done.iter().map(|op| op.as_str()).collect();
    println!("on ciphertexts: {}", names.join(" "));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let all: BTreeSet<&String> = cases.iter().filter(wanted).flat_map(|c| &c.ops).collect();
    assert_eq!(done, all, "every operator runs on ciphertexts");
}
