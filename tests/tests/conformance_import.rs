//! The ONNX project's own test cases through the front end: numbers agree, or the refusal names the node.

use peregrine_compiler::onnx::{self, ImportErrors, Options};
use peregrine_compiler::tensor::Graph;
use peregrine_tests::shared::shared;
use std::collections::BTreeMap;
use std::path::Path;

/// Operators none of whose cases may fail.
const REQUIRED: [&str; 18] = [
    "Conv",
    "Gemm",
    "MatMul",
    "BatchNormalization",
    "AveragePool",
    "GlobalAveragePool",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Neg",
    "Sum",
    "Flatten",
    "Reshape",
    "Identity",
    "Dropout",
    "Constant",
];

/// Largest difference allowed, relative to the largest magnitude of the stored output.
const TOLERANCE: f64 = 1e-5;

/// Cases whose stored output is rounded to four digits.
const ROUNDED: [&str; 1] = ["test_averagepool_2d_ceil_last_window_starts_on_pad"];

struct Case {
    name: String,
    expect: String,
    ops: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    refused: usize,
}

fn cases(index: &str) -> Vec<Case> {
    let field = |line: &str, i: usize| line.split(',').nth(i).unwrap_or_default().to_owned();
    (index.lines().skip(1))
        .map(|line| Case {
            name: field(line, 0),
            expect: field(line, 1),
            ops: field(line, 2).split(' ').map(str::to_owned).collect(),
        })
        .collect()
}

fn import(folder: &Path) -> Result<Graph, ImportErrors> {
    let path = folder.join("model.onnx");
    let bytes = std::fs::read(path).unwrap();
    onnx::import(&bytes, &onnx::NoExternalData, &Options::new("model.onnx"))
}

fn tensor(path: &Path) -> onnx::TensorValue {
    onnx::read_tensor(&std::fs::read(path).unwrap()).unwrap()
}

/// How far the graph is from the stored outputs, relative to their largest magnitude.
fn distance(graph: &Graph, folder: &Path) -> Result<f64, String> {
    let names: Vec<String> = graph.inputs().map(|(_, name)| name.to_owned()).collect();
    let inputs: BTreeMap<String, Vec<f64>> = (names.into_iter().enumerate())
        .map(|(i, name)| (name, tensor(&folder.join(format!("input_{i}.pb"))).data))
        .collect();
    let outputs = graph.evaluate(&inputs).map_err(|e| e.to_string())?;
    let mut worst = 0.0f64;
    for (j, output) in outputs.iter().enumerate() {
        let expected = tensor(&folder.join(format!("output_{j}.pb")));
        let shape = graph.node(graph.outputs[j].node).shape.dims();
        if shape != expected.dims.as_slice() {
            return Err(format!(
                "output {j} has shape {shape:?}, not {:?}",
                expected.dims
            ));
        }
        let largest = expected.data.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        for (x, y) in output.iter().zip(&expected.data) {
            worst = worst.max((x - y).abs() / largest.max(f64::MIN_POSITIVE));
        }
    }
    Ok(worst)
}

/// Whether every diagnostic names a node of the model.
fn names_nodes(errors: &ImportErrors) -> Result<(), String> {
    let text = errors.to_string();
    for diagnostic in &errors.diagnostics {
        let Some(site) = &diagnostic.site else {
            return Err(format!("names no node: {text}"));
        };
        if !text.contains(&format!("{} `{}`", site.op, site.node)) || diagnostic.help.is_none() {
            return Err(format!("names no node or no way out: {text}"));
        }
    }
    Ok(())
}

fn check(case: &Case, folder: &Path) -> Result<bool, String> {
    match (case.expect.as_str(), import(folder)) {
        ("refuse", Ok(_)) => Err("was not refused".to_owned()),
        ("refuse", Err(errors)) => names_nodes(&errors).map(|()| true),
        ("compute", Err(errors)) => Err(errors.to_string()),
        (_, Err(_)) => Ok(false),
        (_, Ok(graph)) => match distance(&graph, folder)? {
            distance if distance <= TOLERANCE => Ok(true),
            distance if distance <= 1e-3 && ROUNDED.contains(&case.name.as_str()) => Ok(true),
            distance => Err(format!("off by {distance:.1e}")),
        },
    }
}

#[test]
fn conformance_cases_compute_or_are_refused_by_name() {
    let Some(root) = shared(
        "conformance_cases_compute_or_are_refused_by_name",
        "conformance/index.csv",
    ) else {
        return;
    };
    let index = std::fs::read_to_string(&root).unwrap();
    let (mut table, mut failures) = (BTreeMap::<(String, String), Tally>::new(), Vec::new());
    for case in cases(&index) {
        let outcome = check(&case, &root.with_file_name(&case.name));
        for op in &case.ops {
            let tally = table.entry((case.expect.clone(), op.clone())).or_default();
            match outcome {
                Ok(true) => tally.passed += 1,
                Ok(false) => tally.refused += 1,
                Err(_) => tally.failed += 1,
            }
        }
        if let Err(reason) = outcome {
            failures.push((case, reason));
        }
    }
    println!(
        "{:10}{:20}{:>8}{:>8}{:>20}",
        "expect", "op", "passed", "failed", "not yet supported"
    );
    for ((expect, op), tally) in &table {
        println!(
            "{expect:10}{op:20}{:8}{:8}{:20}",
            tally.passed, tally.failed, tally.refused
        );
    }
    for (case, reason) in &failures {
        println!("\n{} ({}): {reason}", case.name, case.expect);
    }
    let required = |case: &Case| case.ops.iter().any(|op| REQUIRED.contains(&op.as_str()));
    let broken: Vec<&str> = (failures.iter())
        .filter(|(case, _)| required(case) || case.expect != "optional")
        .map(|(case, _)| case.name.as_str())
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn damaged_cases_are_refused_without_a_panic() {
    let test = "damaged_cases_are_refused_without_a_panic";
    let Some(root) = shared(test, "conformance/index.csv") else {
        return;
    };
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = (state.wrapping_mul(6364136223846793005)).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    for case in cases(&std::fs::read_to_string(&root).unwrap()) {
        let path = root.with_file_name(&case.name).join("model.onnx");
        let bytes = std::fs::read(path).unwrap();
        for _ in 0..100 {
            let mut damaged = bytes.clone();
            for _ in 0..=random(4) {
                let at = random(damaged.len());
                damaged[at] = [random(256) as u8, damaged[at] ^ 1, 0xff][random(3)];
            }
            if random(8) == 0 {
                damaged.truncate(random(bytes.len()));
            }
            let _ = onnx::import(&damaged, &onnx::NoExternalData, &Options::new(&case.name));
        }
    }
}
