//! What a model may end with although no polynomial computes it.

use super::*;
use peregrine_ir::{FinishStep, Shape};

/// A model of `[2, 3]` with these nodes; what each of these outputs leaves to the client.
fn left_to_client(opset: i64, nodes: Vec<NodeProto>, outputs: &[&str]) -> Vec<String> {
    let mut model = model(dims(&[2, 3]), nodes, vec![integers("flat", &[-1])]);
    model.opset_import[0].version = opset;
    let graph = model.graph.as_mut().unwrap();
    graph.output = outputs.iter().map(|o| declared(o, 0, vec![])).collect();
    let graph = try_import(&model).unwrap_or_else(|e| panic!("{e}"));
    graph.outputs.iter().map(|o| o.finish.to_string()).collect()
}

#[test]
fn a_classifier_may_end_with_its_probabilities_and_its_class() {
    let nodes = || {
        vec![
            node("Neg", &["x"], "logits", []),
            node("Softmax", &["logits"], "p", []),
            node(
                "ArgMax",
                &["p"],
                "kept",
                [int("axis", -1), int("select_last_index", 1)],
            ),
            node("Cast", &["kept"], "cast", [int("to", 6)]),
            node("Squeeze", &["cast", "flat"], "class", []),
            node("Identity", &["p"], "y", []),
        ]
    };
    let outputs = ["logits", "y", "class"];
    assert_eq!(
        left_to_client(17, nodes(), &outputs),
        [
            "",
            "softmax axis=1",
            "softmax axis=1, argmax axis=1 last, reshape [2]",
        ]
    );
    let mut model = model(dims(&[2, 3]), nodes(), vec![integers("flat", &[-1])]);
    model.graph.as_mut().unwrap().output = vec![declared("class", 6, vec![])];
    assert_eq!(run(&model, &[3.0, 1.0, 1.0, 5.0, 9.0, 4.0]), [2.0, 2.0]);
}

#[test]
fn old_softmax_takes_all_axes_from_its_axis_on() {
    let softmax = |opset, attributes: Vec<AttributeProto>| {
        let nodes = vec![node("LogSoftmax", &["x"], "y", attributes)];
        left_to_client(opset, nodes, &["y"]).remove(0)
    };
    assert_eq!(softmax(12, vec![]), "log_softmax axis=1");
    assert_eq!(softmax(13, vec![]), "log_softmax axis=1");
    assert_eq!(softmax(13, vec![int("axis", 0)]), "log_softmax axis=0");
    let all = "log_softmax axis=1, reshape [2, 3]";
    assert_eq!(softmax(12, vec![int("axis", 0)]), all);
}

#[test]
fn reshapes_in_a_row_are_one_and_none_where_nothing_changes() {
    let nodes = |last: NodeProto| {
        vec![
            node("Sigmoid", &["x"], "a", []),
            node("Reshape", &["a", "flat"], "b", []),
            node("Unsqueeze", &["b", "flat"], "c", []),
            last,
        ]
    };
    let flat = node("Flatten", &["c"], "y", [int("axis", 0)]);
    assert_eq!(
        left_to_client(17, nodes(flat), &["y"]),
        ["sigmoid, reshape [1, 6]"]
    );
    let twice = vec![
        node("Flatten", &["x"], "a", [int("axis", 0)]),
        node("Tanh", &["a"], "b", []),
        node("Reshape", &["b", "flat"], "c", []),
        node("Flatten", &["c"], "y", [int("axis", 0)]),
    ];
    assert_eq!(left_to_client(17, twice, &["y"]), ["tanh"]);
}

#[test]
fn positions_lose_their_axis_on_request() {
    let best = |attributes: Vec<AttributeProto>| {
        let nodes = vec![node("ArgMin", &["x"], "y", attributes)];
        left_to_client(17, nodes, &["y"]).remove(0)
    };
    assert_eq!(best(vec![]), "argmin axis=0");
    assert_eq!(best(vec![int("keepdims", 0)]), "argmin axis=0, reshape [3]");
}

#[test]
fn nothing_else_may_follow() {
    let refused = |nodes: Vec<NodeProto>| errors(&model(dims(&[2, 3]), nodes, vec![]));
    let text = refused(vec![
        node("Sigmoid", &["x"], "a", []),
        node("Mul", &["a", "x"], "y", []),
    ]);
    assert_eq!(
        text,
        "\
error: Sigmoid `Sigmoid_1`: this activation is not a polynomial and is not supported
  --> m.onnx, node 1 of 2, output `a`
   = note: encrypted values can only be added and multiplied; what is not a polynomial cannot be computed on them
   = help: the client does this after decryption where only outputs of the model depend on it: end the model with it, or fine-tune with a polynomial in its place"
    );
    // One user of several suffices, however far it is.
    let text = refused(vec![
        node("Softmax", &["x"], "a", []),
        node("Identity", &["a"], "b", []),
        node("ArgMax", &["b"], "unused", []),
        node("Mul", &["b", "x"], "y", []),
    ]);
    assert!(text.starts_with("error: Softmax `Softmax_1`: exponentials of encrypted values"));
    let text = refused(vec![
        node("ArgMax", &["x"], "a", []),
        node("Cast", &["a"], "y", [int("to", 1)]),
    ]);
    assert!(
        text.contains("Cast `Cast_2`: the operand is computed after decryption"),
        "{text}"
    );
    let text = refused(vec![
        node("ArgMax", &["x"], "a", []),
        node("Tanh", &["a"], "y", []),
    ]);
    assert!(
        text.contains("Tanh `Tanh_2`: tanh: only movements follow"),
        "{text}"
    );
    let text = refused(vec![node("Softmax", &["x"], "y", [int("axis", 2)])]);
    assert!(
        text.contains("attribute `axis` is 2, expected an axis of a tensor of rank 2"),
        "{text}"
    );
    let chain = (0..33).map(|i| {
        let (from, to) = (format!("v{i}"), format!("v{}", i + 1));
        node(
            "Tanh",
            &[if i == 0 { "x" } else { &from }],
            if i == 32 { "y" } else { &to },
            [],
        )
    });
    let text = refused(chain.collect());
    assert!(
        text.contains("33 steps are left to the client, the limit is 32"),
        "{text}"
    );
}

#[test]
fn what_follows_decryption_survives_rewriting() {
    let nodes = vec![
        node("Neg", &["x"], "a", []),
        node("Neg", &["a"], "b", []),
        node("Softmax", &["b"], "y", []),
    ];
    let graph = try_import(&model(dims(&[2, 3]), nodes, vec![])).unwrap();
    let (rewritten, _) = crate::rewrite::simplify(&graph).unwrap();
    assert_eq!(
        rewritten.outputs[0].finish.0,
        [FinishStep::Softmax { axis: 1 }]
    );
    let shape = &rewritten.node(rewritten.outputs[0].node).shape;
    assert_eq!(*shape, Shape::new([2, 3]).unwrap());
}
