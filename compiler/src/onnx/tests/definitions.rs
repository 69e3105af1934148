//! Nodes are what ONNX defines them to be, in any order; everything else is refused.

use super::*;

#[test]
fn files_of_other_types_are_named_with_the_next_step() {
    let refused = |bytes: &[u8]| {
        let options = Options::new("m");
        let errors = import(bytes, &NoExternalData, &options).unwrap_err();
        errors.to_string()
    };
    let mut archive = b"PK\x03\x04".to_vec();
    archive.resize(30, 0);
    archive.extend(b"archive/data.pkl");
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let circuit = b"PEREGRIN\x04\0\0\0\x01\0\0\0";
    let cases: [(&[u8], &str, &str); 7] = [
        (b"", "empty", "export or copy the model again"),
        (pointer, "a git-lfs pointer", "git lfs pull"),
        (&archive, "a PyTorch file", "torch.onnx.export"),
        (
            b"\x93NUMPY\x01\0",
            "a numpy array",
            "the .onnx file as model",
        ),
        (circuit, "a circuit of peregrine", "compiled already"),
        (
            b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>",
            "a web page",
            "use the link of the file itself",
        ),
        (b"\x89PNG\r\n\x1a\n", "an image", "as model"),
    ];
    for (bytes, what, step) in cases {
        let text = refused(bytes);
        assert!(
            text.contains(&format!("not an ONNX model but {what}")),
            "{text}"
        );
        assert!(text.contains(step), "{text}");
        assert!(!text.contains("protobuf"), "{text}");
    }
}

#[test]
fn nodes_may_come_in_any_order() {
    let nodes = vec![
        node("Add", &["a", "b"], "y", []),
        node("Neg", &["a"], "b", []),
        node("Mul", &["x", "x"], "a", []),
    ];
    let model = model(dims(&[2]), nodes, vec![]);
    assert_eq!(run(&model, &[3.0, 4.0]), [0.0, 0.0]);
    let graph = try_import(&model).unwrap();
    let names: Vec<&str> = graph.sources.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["Mul_3", "Neg_2", "Add_1", "x"]);
}

#[test]
fn a_cycle_is_refused_by_its_nodes() {
    let nodes = vec![
        node("Add", &["x", "b"], "a", []),
        node("Neg", &["a"], "b", []),
        node("Neg", &["b"], "y", []),
    ];
    let text = errors(&model(dims(&[2]), nodes, vec![]));
    assert!(
        text.contains("the nodes `Add_1`, `Neg_2` read each other's results in a cycle"),
        "{text}"
    );
}

#[test]
fn an_output_that_is_listed_twice_is_one() {
    let mut model = model(dims(&[2]), vec![node("Neg", &["x"], "y", [])], vec![]);
    let graph = model.graph.as_mut().unwrap();
    graph.output.push(graph.output[0].clone());
    assert_eq!(try_import(&model).unwrap().outputs.len(), 1);
}

fn normalisation(outputs: &[&str], opset: i64, variance: &[f32]) -> ModelProto {
    let names = ["x", "scale", "beta", "mean", "running_var"];
    let mut bn = node("BatchNormalization", &names, "y", []);
    bn.output = outputs.iter().map(|&o| o.to_owned()).collect();
    let mut weights: Vec<TensorProto> = (names[1..4].iter())
        .map(|name| floats(name, &[2], &[1.0, 1.0]))
        .collect();
    weights.push(floats("running_var", &[2], variance));
    let mut model = model(dims(&[1, 2]), vec![bn], weights);
    model.opset_import[0].version = opset;
    model
}

#[test]
fn results_of_old_normalisations_mean_training() {
    let training = normalisation(&["y", "m", "v"], 9, &[1.0, 1.0]);
    let text = errors(&training);
    assert!(text.contains("the node has 3 results"), "{text}");
    assert!(text.contains("model.eval()"), "{text}");
    let alone = normalisation(&["y", "", ""], 9, &[1.0, 1.0]);
    try_import(&alone).unwrap();
    let newer = normalisation(&["y", "m", "v"], 15, &[1.0, 1.0]);
    try_import(&newer).unwrap();
}

#[test]
fn a_negative_variance_is_refused_by_its_own_name() {
    let text = errors(&normalisation(&["y"], 17, &[1.0, -0.5]));
    assert!(
        text.contains("tensor `running_var` holds -0.5 at flat index 1"),
        "{text}"
    );
}

#[test]
fn flags_are_0_or_1() {
    let reduce = node("ReduceSum", &["x"], "y", [int("keepdims", 2)]);
    let text = errors(&model(dims(&[2, 3]), vec![reduce], vec![]));
    assert!(
        text.contains("attribute `keepdims` is 2, supported is 0 or 1"),
        "{text}"
    );
}

#[test]
fn an_attribute_that_the_lowering_does_not_ask_for_is_refused() {
    let modulo = node("Mod", &["a", "b"], "c", [int("fmod", 1)]);
    let call = crate::onnx::build::Call::new(&modulo, 17, vec![], vec![true]);
    let text = call.all_read().unwrap_err().to_string();
    assert_eq!(text, "attribute `fmod` is not supported");
    assert_eq!(call.flag("fmod", false), Ok(true));
    assert_eq!(call.all_read(), Ok(()));
    let dropout = node("Dropout", &["x"], "y", [int("seed", 1)]);
    let ignorable = crate::onnx::build::Call::new(&dropout, 17, vec![], vec![true]);
    assert_eq!(ignorable.all_read(), Ok(()));
}

#[test]
fn remainders_have_the_sign_that_fmod_says() {
    for (fmod, expected) in [(0, 1.0), (1, -1.0)] {
        let nodes = vec![
            node("Mod", &["a", "b"], "c", [int("fmod", fmod)]),
            node("Cast", &["c"], "f", [int("to", 1)]),
            node("Add", &["x", "f"], "y", []),
        ];
        let constants = vec![integers("a", &[-3]), integers("b", &[2])];
        assert_eq!(
            run(&model(dims(&[1]), nodes, constants), &[0.0]),
            [expected]
        );
    }
}

#[test]
fn operands_of_one_type_variable_have_one_type() {
    let mut wide = TensorProto::new();
    (wide.name, wide.data_type) = ("w".to_owned(), 11);
    (wide.dims, wide.double_data) = (vec![2], vec![1.0, 2.0]);
    let add = || node("Add", &["h", "w"], "y", []);
    let nodes = vec![node("Neg", &["x"], "h", []), add()];
    let text = errors(&model(dims(&[2]), nodes, vec![wide.clone()]));
    assert!(
        text.contains("operand `w` is of type float64, expected float32 as `h`"),
        "{text}"
    );
    let nodes = vec![node("Cast", &["x"], "h", [int("to", 11)]), add()];
    try_import(&model(dims(&[2]), nodes, vec![wide])).unwrap();
}

#[test]
fn an_output_has_the_type_that_it_is_declared_with() {
    let mut model = model(dims(&[2]), vec![node("Neg", &["x"], "y", [])], vec![]);
    model.graph.as_mut().unwrap().output = vec![declared("y", 7, vec![])];
    let text = errors(&model);
    assert!(
        text.contains("output `y` is declared as int64, the nodes give float32"),
        "{text}"
    );
}

#[test]
fn divisors_without_a_finite_reciprocal_are_refused_by_name() {
    let nodes = vec![node("Div", &["x", "d"], "y", [])];
    let text = errors(&model(
        dims(&[2]),
        nodes,
        vec![floats("d", &[2], &[1.0, 0.0])],
    ));
    assert!(
        text.contains("tensor `d` holds 0 at flat index 1"),
        "{text}"
    );
}

fn moved(
    op: &str,
    attributes: Vec<AttributeProto>,
    operands: Vec<TensorProto>,
    n: i64,
) -> Vec<f64> {
    let mut names = vec!["x"];
    names.extend(operands.iter().map(|t| t.name.as_str()));
    let nodes = vec![node(op, &names, "y", attributes)];
    let x: Vec<f64> = (0..n).map(|v| v as f64).collect();
    run(&model(dims(&[n]), nodes, operands.clone()), &x)
}

fn text(name: &str, value: &str) -> AttributeProto {
    let mut a = AttributeProto::new();
    a.name = name.to_owned();
    a.type_ = AttributeType::STRING.into();
    a.s = value.as_bytes().to_vec();
    a
}

#[test]
fn negative_pads_cut_before_the_others_continue_what_is_left() {
    let pad = |mode: &str, pads: [i64; 2]| {
        moved(
            "Pad",
            vec![text("mode", mode)],
            vec![integers("p", &pads)],
            4,
        )
    };
    assert_eq!(pad("wrap", [-2, 3]), [2.0, 3.0, 2.0, 3.0, 2.0]);
    assert_eq!(pad("wrap", [3, -2]), [1.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(pad("edge", [-3, 2]), [3.0, 3.0, 3.0]);
    assert_eq!(pad("reflect", [-1, 2]), [1.0, 2.0, 3.0, 2.0, 1.0]);
    assert_eq!(pad("constant", [2, -4]), [0.0, 0.0]);
}

#[test]
fn operators_of_optimised_models_are_refused_with_the_way_back() {
    let mut fused = node("FusedConv", &["x"], "y", []);
    fused.domain = "com.microsoft".to_owned();
    let text = errors(&model(dims(&[2]), vec![fused], vec![]));
    assert!(text.contains("the domain `com.microsoft`"), "{text}");
    assert!(text.contains("before ONNX Runtime optimised"), "{text}");
}
