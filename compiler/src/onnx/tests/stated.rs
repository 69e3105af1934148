//! Ranges in the metadata of a model: what is read, what is refused.

use super::*;
use peregrine_ir::Shape;

/// `y = softmax(x^2)` or without the softmax, with this under the key.
fn with_ranges(finished: bool, json: &str) -> ModelProto {
    let mut nodes = vec![node("Mul", &["x", "x"], "square", [])];
    nodes.push(match finished {
        true => node("Softmax", &["square"], "y", []),
        false => node("Neg", &["square"], "y", []),
    });
    let mut model = model(dims(&[1, 3]), nodes, vec![]);
    let mut entry = StringStringEntryProto::new();
    (entry.key, entry.value) = (RANGES_KEY.to_owned(), json.to_owned());
    model.metadata_props = vec![StringStringEntryProto::new(), entry];
    model
}

fn ranges(activations: &str) -> String {
    format!(
        r#"{{"version": 1, "images": 50, "images_outside": 2, "activations": [{activations}],
            "inputs": [{{"name": "x", "low": -2.0, "high": 3}}], "outputs": [{{"name": "y", "low": 0.0, "high": 1.0}}]}}"#
    )
}

const SQUARE: &str = r#"{"name": "act", "input": "square", "output": "z", "low": 0.0, "high": 9.5, "allowed": 10.0,
    "images_outside": 0, "verdict": "holds", "a field of a later minor version": null}"#;

#[test]
fn ranges_are_those_of_the_nodes_that_compute_the_values() {
    let graph = try_import(&with_ranges(false, &ranges(SQUARE))).unwrap();
    let stated = graph.stated.as_ref().unwrap();
    assert_eq!((stated.images, stated.images_outside), (50, 2));
    let found: Vec<_> = stated.values.iter().map(|r| (r.min, r.max)).collect();
    assert_eq!(found, [(-2.0, 3.0), (0.0, 1.0), (0.0, 9.5)]);
    let operator = |i: usize| &graph.node(stated.values[i].node).op;
    assert!(matches!(operator(0), Op::Input { .. }));
    assert_eq!(stated.values[1].node, graph.outputs[0].node);
    assert!(matches!(operator(2), Op::Multiply | Op::Polynomial(_)));
    assert_eq!(
        graph.node(stated.values[2].node).shape,
        Shape::new([1, 3]).unwrap()
    );
}

#[test]
fn channels_have_ranges_of_their_own() {
    let with = |low: &str, high: &str| {
        let fields = format!(r#""channel_low": {low}, "channel_high": {high}, "verdict""#);
        let graph = try_import(&with_ranges(
            false,
            &ranges(&SQUARE.replace("\"verdict\"", &fields)),
        ));
        graph.unwrap().stated.unwrap().values.remove(2).channels
    };
    assert_eq!(with("[0.0, 1.0]", "[3.0, 9.5]"), [[0.0, 3.0], [1.0, 9.5]]);
    assert_eq!(with("[0.0, null]", "[3.0, null]"), [[0.0; 2]; 0]);
    assert_eq!(with("[0.0]", "[3.0, 4.0]"), [[0.0; 2]; 0]);
}

#[test]
fn what_the_client_computes_has_no_range() {
    let graph = try_import(&with_ranges(true, &ranges(SQUARE))).unwrap();
    assert_eq!(graph.stated.unwrap().values.len(), 2);
}

#[test]
fn a_model_without_the_key_states_nothing() {
    let mut model = with_ranges(false, "{");
    model.metadata_props[1].key = "peregrine.range".to_owned();
    assert_eq!(try_import(&model).unwrap().stated, None);
}

#[test]
fn ranges_of_no_use_are_refused_with_the_key_and_a_way_out() {
    let said = |json: &str| errors(&with_ranges(false, json));
    assert_eq!(
        said(&ranges(&SQUARE.replace("\"square\"", "\"cube\""))),
        "\
error: metadata `peregrine.ranges`: `cube` is no value that the model computes from its inputs
  --> m.onnx
   = help: export the model again with peregrine-finetune, or remove the key from `metadata_props` and compile with --calibrate"
    );
    let first = |json: &str| said(json).lines().next().unwrap().to_owned();
    assert_eq!(
        first(r#"{"version": 2, "values": []}"#),
        "error: metadata `peregrine.ranges`: version 2, this compiler reads version 1"
    );
    assert_eq!(
        first(&ranges(&SQUARE.replace("9.5", "-9.5"))),
        "error: metadata `peregrine.ranges`: the range of `square` is 0 to -9.5"
    );
    for diverging in [
        SQUARE.replace("holds", "diverges"),
        SQUARE.replace("9.5", "null"),
    ] {
        assert_eq!(
            first(&ranges(&diverging)),
            "error: metadata `peregrine.ranges`: `square` is not finite on some of the 50 images that were measured"
        );
    }
    for (json, reason) in [
        ("{", "EOF while parsing"),
        (r#"{"version": "1"}"#, "invalid type"),
        (r#"{"version": 1}"#, "missing field `images`"),
        (
            &ranges(&SQUARE.replace("holds", "perhaps")),
            "unknown variant `perhaps`",
        ),
        (
            &ranges(&SQUARE.replace("9.5", "1e999")),
            "number out of range",
        ),
    ] {
        let said = first(json);
        assert!(
            said.contains("not of the expected form") && said.contains(reason),
            "{json}: {said}"
        );
    }
}
