//! The ONNX project's own test cases through the front end: the tensor graph computes the stored output, refusals name
//! the node, damaged models do no harm.

use peregrine_compiler::onnx::{self, Options};
use peregrine_compiler::tensor::Graph;
use peregrine_tests::conformance::{Case, Expect, Outcome, Table, cases, rounded};
use peregrine_tests::shared::shared;
use std::collections::BTreeMap;

/// Largest difference allowed, relative to the largest magnitude of the stored output.
const TOLERANCE: f64 = 1e-5;

/// How far the graph is from the stored outputs, relative to their largest magnitude.
fn distance(graph: &Graph, case: &Case) -> Result<f64, String> {
    let read = |name: String| case.tensor(&name).map_err(|e| e.to_string());
    let mut inputs = BTreeMap::new();
    for (i, (_, name)) in graph.inputs().enumerate() {
        inputs.insert(name.to_owned(), read(format!("input_{i}"))?.data);
    }
    let outputs = graph.evaluate(&inputs).map_err(|e| e.to_string())?;
    let mut worst = 0.0f64;
    for (j, output) in outputs.iter().enumerate() {
        let expected = read(format!("output_{j}"))?;
        let end = &graph.outputs[j];
        let shape = end.finish.result_shape(&graph.node(end.node).shape);
        let shape = shape.map_err(|e| e.to_string())?;
        let shape = shape.dims();
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

fn check(case: &Case) -> Result<Outcome, String> {
    match case.import() {
        // What a model ends with may be the client's; then it has to be right.
        Err(_) if case.expect == Expect::Refuse => case.refused().map(|()| Outcome::Passed),
        Err(errors) if case.expect == Expect::Compute => Err(errors),
        Err(_) => Ok(Outcome::NotSupported),
        Ok(graph) => match distance(&graph, case)? {
            distance if distance <= rounded(case).unwrap_or(TOLERANCE) => Ok(Outcome::Passed),
            distance => Err(format!("off by {distance:.1e}")),
        },
    }
}

#[test]
fn every_case_evaluates_or_is_refused_by_name() {
    let test = "every_case_evaluates_or_is_refused_by_name";
    let Some(folder) = shared(test, "conformance") else {
        return;
    };
    let mut table = Table::default();
    for case in cases(&folder).unwrap() {
        table.record(&case, &check(&case));
    }
    table.print();
    assert!(table.failures.is_empty(), "{}", table.failures.join("\n"));
}

#[test]
fn damaged_cases_are_refused_without_a_panic() {
    let test = "damaged_cases_are_refused_without_a_panic";
    let Some(folder) = shared(test, "conformance") else {
        return;
    };
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = (state.wrapping_mul(6364136223846793005)).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    for case in cases(&folder).unwrap() {
        let bytes = case.model().unwrap();
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
