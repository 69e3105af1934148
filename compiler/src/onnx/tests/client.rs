//! What models end and begin with is the client's.

use super::*;

/// What each output leaves to the client, and how many operators are left to the server.
fn ends(nodes: Vec<NodeProto>, outputs: &[&str]) -> (Vec<String>, usize) {
    let constants = vec![
        floats("two", &[], &[2.0]),
        floats("half", &[], &[-0.5]),
        floats("six", &[], &[6.0]),
        integers("zero", &[0]),
        integers("one", &[1]),
        integers("back", &[-1]),
        integers("least", &[i64::MIN]),
        integers("shape", &[1, 3, 4, 2]),
        floats("kernel", &[8, 8, 1, 1], &[0.25; 64]),
        floats("by", &[3], &[1.0, 2.0, 3.0]),
    ];
    let first = node("Conv", &["x", "kernel"], "conv", []);
    let nodes = [vec![first], nodes].concat();
    let mut model = model(dims(&[1, 8, 1, 3]), nodes, constants);
    let graph = model.graph.as_mut().unwrap();
    graph.output = outputs.iter().map(|o| declared(o, 1, vec![])).collect();
    let graph = try_import(&model).unwrap_or_else(|e| panic!("{e}"));
    let left = graph.outputs.iter().map(|o| o.finish.to_string()).collect();
    (left, graph.len() - 2)
}

#[test]
fn functions_of_one_element() {
    let one = |op: &str, attributes: Vec<AttributeProto>| {
        let (mut left, rest) = ends(vec![node(op, &["conv"], "y", attributes)], &["y"]);
        assert_eq!(rest, 0, "{op}");
        left.remove(0)
    };
    assert_eq!(one("Relu", vec![]), "relu");
    assert_eq!(one("HardSwish", vec![]), "hard_swish");
    assert_eq!(
        one("LeakyRelu", vec![]),
        "leaky_relu alpha=0.009999999776482582"
    );
    assert_eq!(
        one("HardSigmoid", vec![]),
        "hard_sigmoid alpha=0.20000000298023224 beta=0.5"
    );
    assert_eq!(one("Softplus", vec![]), "softplus");
    for op in [
        "Elu", "Selu", "Celu", "Softsign", "Erf", "Abs", "Exp", "Log", "Sqrt", "Sigmoid", "Tanh",
    ] {
        one(op, vec![]);
    }
    let clip = vec![node("Clip", &["conv", "half", "six"], "y", [])];
    assert_eq!(
        ends(clip, &["y"]),
        (vec!["clip min=-0.5 max=6".to_owned()], 0)
    );
}

#[test]
fn arithmetic_behind_a_function() {
    let nodes = vec![
        node("Sigmoid", &["conv"], "a", []),
        node("Mul", &["a", "two"], "b", []),
        node("Add", &["half", "b"], "c", []),
        node("Sub", &["six", "c"], "d", []),
        node("Div", &["d", "by"], "y", []),
    ];
    let steps = "sigmoid, scaled factor=2 offset=0, scaled factor=1 offset=-0.5, scaled factor=-1 offset=6, \
                 affine axis=3 factor=[1.0, 0.5, 0.3333333333333333] offset=[0.0, 0.0, 0.0]";
    assert_eq!(ends(nodes, &["y"]), (vec![steps.to_owned()], 0));
}

#[test]
fn movements_cost_nothing() {
    let nodes = vec![
        node("Reshape", &["conv", "shape"], "a", []),
        node("Transpose", &["a"], "b", [ints("perm", &[0, 2, 3, 1])]),
        node("Slice", &["b", "back", "least", "one", "back"], "c", []),
        node("Gather", &["c", "zero"], "y", [int("axis", 3)]),
    ];
    let steps = "transpose [0, 2, 3, 1], slice axis=1 start=3 step=-1 count=4, \
                 slice axis=3 start=0 step=1 count=1";
    assert_eq!(ends(nodes, &["y"]), (vec![steps.to_owned()], 1));
    let split = NodeProto {
        output: vec!["left".to_owned(), "right".to_owned()],
        ..node("Split", &["conv"], "", [int("axis", 1)])
    };
    let (left, rest) = ends(
        vec![split, node("Relu", &["right"], "y", [])],
        &["left", "y"],
    );
    assert_eq!(
        (left[0].as_str(), left[1].as_str(), rest),
        (
            "slice axis=1 start=0 step=1 count=4",
            "slice axis=1 start=4 step=1 count=4, relu",
            0
        )
    );
    let shuffled = vec![node("DepthToSpace", &["conv"], "y", [int("blocksize", 2)])];
    let (left, rest) = ends(shuffled, &["y"]);
    assert_eq!(
        (left[0].as_str(), rest),
        (
            "reshape [1, 2, 2, 2, 1, 3], transpose [0, 3, 4, 1, 5, 2], reshape [1, 2, 2, 6]",
            0
        )
    );
}

#[test]
fn movements_that_the_server_needs_stay_there() {
    let nodes = vec![
        node("Transpose", &["conv"], "a", [ints("perm", &[0, 3, 1, 2])]),
        node("Concat", &["a", "a"], "b", [int("axis", 1)]),
        node("Relu", &["b"], "y", []),
    ];
    let (left, rest) = ends(nodes, &["y"]);
    assert_eq!((left[0].as_str(), rest), ("relu", 4));
}

#[test]
fn labels_are_refused_by_their_own_name_only() {
    let mut labels = node("ArrayFeatureExtractor", &["names", "best"], "label", []);
    labels.domain = "ai.onnx.ml".to_owned();
    let nodes = vec![
        node("Softmax", &["x"], "p", []),
        node("ArgMax", &["p"], "best", [int("axis", 1)]),
        labels,
        node("Reshape", &["label", "flat"], "y", []),
    ];
    let constants = vec![integers("names", &[3, 5, 7]), integers("flat", &[-1])];
    let mut model = model(dims(&[1, 3]), nodes, constants);
    let outputs = &mut model.graph.as_mut().unwrap().output;
    outputs.push(declared("p", 1, vec![]));
    let text = errors(&model);
    assert_eq!(text.matches("error:").count(), 1, "{text}");
    assert!(
        text.starts_with(
            "error: ArrayFeatureExtractor `ArrayFeatureExtractor_3`: looking up labels"
        ),
        "{text}"
    );
    assert!(
        text.contains("remove the outputs that this leads to"),
        "{text}"
    );
}

/// A network for bytes in NHWC.
fn of_bytes(element: i32, nodes: Vec<NodeProto>) -> ModelProto {
    let constants = vec![
        floats("scale", &[], &[255.0]),
        floats("mean", &[2], &[0.5, 0.25]),
        floats("kernel", &[1, 2, 1, 1], &[1.0, 10.0]),
    ];
    let mut model = model(dims(&[1, 1, 2, 2]), nodes, constants);
    let graph = model.graph.as_mut().unwrap();
    graph.input = vec![declared("x", element, dims(&[1, 1, 2, 2]))];
    model
}

#[test]
fn bytes_become_numbers_at_the_client() {
    let nodes = vec![
        node("Cast", &["x"], "a", [int("to", 1)]),
        node("Div", &["a", "scale"], "b", []),
        node("Sub", &["b", "mean"], "c", []),
        node("Shape", &["c"], "unused", []),
        node("Transpose", &["c"], "d", [ints("perm", &[0, 3, 1, 2])]),
        node("Conv", &["d", "kernel"], "y", []),
    ];
    let model = of_bytes(2, nodes);
    let graph = try_import(&model).unwrap_or_else(|e| panic!("{e}"));
    let steps = "uint8 [1, 1, 2, 2] [scaled factor=0.00392156862745098 offset=0, affine axis=3 factor=[1.0, 1.0] \
                 offset=[-0.5, -0.25], transpose [0, 3, 1, 2]]";
    assert_eq!(graph.prepare["x"].to_string(), steps);
    assert_eq!(graph.len(), 2, "an input and a convolution");
    let y = run(&model, &[0.0, 255.0, 51.0, 102.0]);
    for (found, expected) in y.iter().zip([-0.5 + 7.5, -0.3 + 1.5]) {
        assert!((found - expected).abs() < 1e-12, "{y:?}");
    }
    let (rewritten, _) = crate::rewrite::simplify(&graph).unwrap();
    assert_eq!(rewritten.prepare, graph.prepare);
    let inputs = BTreeMap::from([("x".to_owned(), vec![0.5, 0.0, 0.0, 0.0])]);
    let error = graph.evaluate(&inputs).unwrap_err().to_string();
    assert_eq!(error, "the value 0.5 at [0, 0, 0, 0] is not of type uint8");
}

#[test]
fn factors_alone_stay_with_the_server() {
    let nodes = vec![
        node("Div", &["x", "scale"], "a", []),
        node("Conv", &["a", "kernel"], "y", []),
    ];
    let mut model = of_bytes(1, nodes);
    let shape = declared("x", 1, dims(&[1, 2, 1, 2]));
    model.graph.as_mut().unwrap().input = vec![shape];
    let graph = try_import(&model).unwrap();
    assert!(graph.prepare.is_empty());
}

#[test]
fn what_two_nodes_read_is_encrypted_as_it_is() {
    let nodes = vec![
        node("Transpose", &["x"], "t", [ints("perm", &[0, 3, 1, 2])]),
        node("Conv", &["t", "kernel"], "a", []),
        node("Conv", &["x2", "kernel"], "b", []),
        node("Identity", &["x"], "x2", []),
        node("Add", &["a", "b"], "y", []),
    ];
    let mut nodes = nodes;
    nodes.swap(2, 3);
    let graph = try_import(&of_bytes(1, nodes));
    // [1, 1, 2, 2] is no image of two channels: the second convolution is refused, and nothing is prepared.
    assert!(graph.unwrap_err().to_string().contains("Conv `Conv_4`"));
}
