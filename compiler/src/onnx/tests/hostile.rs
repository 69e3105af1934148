//! A few bytes of model that ask for much: refused before anything is allocated, or small when they are done.

use super::*;

/// What a node list makes of `x`, with constants; the name says what it asks for.
type Bomb = (&'static str, Vec<i64>, Vec<NodeProto>, Vec<TensorProto>);

fn several(
    op: &str,
    input: &str,
    outputs: usize,
    attributes: impl Into<Vec<AttributeProto>>,
) -> NodeProto {
    let mut split = node(op, &[input], "y", attributes);
    split.output.extend((1..outputs).map(|i| format!("y{i}")));
    split
}

/// A constant of ones made of nothing.
fn ones(shape: &'static str, result: &str) -> NodeProto {
    let mut value = AttributeProto::new();
    (value.name, value.t) = ("value".to_owned(), Some(floats("", &[1], &[1.0])).into());
    value.type_ = AttributeType::TENSOR.into();
    node("ConstantOfShape", &[shape], result, [value])
}

fn text(name: &str, value: &str) -> AttributeProto {
    let mut a = AttributeProto::new();
    (a.name, a.s) = (name.to_owned(), value.as_bytes().to_vec());
    a.type_ = AttributeType::STRING.into();
    a
}

/// Tensors that grow.
fn growing() -> Vec<Bomb> {
    let large = || integers("s", &[1 << 12, 1 << 12]);
    let doubling = |op: &str| -> Vec<NodeProto> {
        let name = |i: usize| match i {
            0 => "x".to_owned(),
            24 => "y".to_owned(),
            i => format!("v{i}"),
        };
        let double = |i: usize| node(op, &[&name(i), &name(i)], &name(i + 1), [int("axis", 0)]);
        (0..24).map(double).collect()
    };
    vec![
        (
            "Split of 16.7 million",
            vec![1 << 24],
            vec![several("Split", "x", 2, [])],
            vec![],
        ),
        (
            "Split into 1,000 of a million",
            vec![1_000_000],
            vec![several("Split", "x", 1000, [])],
            vec![],
        ),
        (
            "Expand",
            vec![1, 1],
            vec![node("Expand", &["x", "s"], "y", [])],
            vec![large()],
        ),
        (
            "Tile",
            vec![1, 1],
            vec![node("Tile", &["x", "s"], "y", [])],
            vec![large()],
        ),
        (
            "Pad",
            vec![4, 4],
            vec![node("Pad", &["x", "s"], "y", [])],
            vec![integers("s", &[1 << 12, 0, 0, 1 << 12])],
        ),
        (
            "Resize",
            vec![1, 1, 4, 4],
            vec![node("Resize", &["x", "", "f"], "y", [])],
            vec![floats("f", &[4], &[1.0, 1.0, 2048.0, 2048.0])],
        ),
        (
            "linear Resize",
            vec![1, 1, 4, 4],
            vec![node(
                "Resize",
                &["x", "", "f"],
                "y",
                [text("mode", "linear")],
            )],
            vec![floats("f", &[4], &[1.0, 1.0, 2048.0, 2048.0])],
        ),
        ("Concat of itself", vec![4], doubling("Concat"), vec![]),
        (
            "Gather",
            vec![1 << 10, 4],
            vec![
                ones("s", "i"),
                node("Cast", &["i"], "j", [int("to", 7)]),
                node("Gather", &["x", "j"], "y", []),
            ],
            vec![large()],
        ),
        (
            "DepthToSpace after Expand",
            vec![1, 1, 1, 1],
            vec![
                node("Expand", &["x", "s"], "a", []),
                node("DepthToSpace", &["a"], "b", [int("blocksize", 255)]),
                node("Concat", &["b", "b"], "y", []),
            ],
            vec![integers("s", &[1, 65_025, 16, 16])],
        ),
        (
            "Einsum of a vector with a million",
            vec![1 << 10],
            vec![
                ones("s", "w"),
                node("Einsum", &["x", "w"], "y", [text("equation", "i,jk->ijk")]),
            ],
            vec![large()],
        ),
        (
            "CumSum of a million",
            vec![1 << 20],
            vec![
                node("CumSum", &["x", "a"], "b", []),
                node("Mul", &["b", "b"], "y", []),
            ],
            vec![integers("a", &[0])],
        ),
    ]
}

/// Constants that grow, or take long.
fn constant() -> Vec<Bomb> {
    let large = || integers("s", &[1 << 12, 1 << 12]);
    let vector = || integers("s", &[1 << 11]);
    let used = |nodes: Vec<NodeProto>| [nodes, vec![node("Add", &["x", "c"], "y", [])]].concat();
    vec![
        (
            "ConstantOfShape",
            vec![1],
            used(vec![ones("s", "c")]),
            vec![large()],
        ),
        (
            "Range",
            vec![1],
            used(vec![node("Range", &["from", "to", "by"], "c", [])]),
            vec![
                floats("from", &[], &[0.0]),
                floats("to", &[], &[1e9]),
                floats("by", &[], &[1.0]),
            ],
        ),
        (
            "MatMul of constants",
            vec![1],
            used(vec![ones("s", "a"), node("MatMul", &["a", "a"], "c", [])]),
            vec![large()],
        ),
        (
            "outer product of constants",
            vec![1],
            used(vec![
                ones("s", "a"),
                node(
                    "Einsum",
                    &["a", "a", "a"],
                    "c",
                    [text("equation", "i,j,k->ijk")],
                ),
            ]),
            vec![vector()],
        ),
        (
            "OneHot",
            vec![1],
            used(vec![node("OneHot", &["i", "depth", "values"], "c", [])]),
            vec![
                integers("i", &[0]),
                integers("depth", &[1 << 30]),
                floats("values", &[2], &[0.0, 1.0]),
            ],
        ),
        (
            "Conv of constants",
            vec![1],
            used(vec![
                ones("s", "a"),
                node("Conv", &["a", "w"], "c", [ints("pads", &[30_000; 4])]),
            ]),
            vec![
                integers("s", &[1, 1, 8, 8]),
                floats("w", &[1, 1, 1, 1], &[1.0]),
            ],
        ),
        (
            "Tile of a constant",
            vec![1],
            used(vec![node("Tile", &["one", "s"], "c", [])]),
            vec![floats("one", &[1, 1], &[1.0]), large()],
        ),
        (
            "twenty sums of a million",
            vec![1],
            used(
                (0..20)
                    .map(|i| {
                        let (from, to) = (
                            if i == 0 {
                                "w".to_owned()
                            } else {
                                format!("c{i}")
                            },
                            if i == 19 {
                                "c".to_owned()
                            } else {
                                format!("c{}", i + 1)
                            },
                        );
                        node("Add", &[&from, "r"], &to, [])
                    })
                    .rev()
                    .chain([
                        ones("s", "w"),
                        node("Range", &["from", "to", "by"], "r", []),
                    ])
                    .rev()
                    .collect(),
            ),
            vec![
                integers("s", &[1 << 20]),
                floats("from", &[], &[0.0]),
                floats("to", &[], &[1_048_576.0]),
                floats("by", &[], &[1.0]),
            ],
        ),
    ]
}

/// Attributes and graphs that no network has.
fn odd() -> Vec<Bomb> {
    let w = || floats("w", &[1, 1, 3, 3], &[1.0; 9]);
    let conv =
        |op: &str, attributes: Vec<AttributeProto>| vec![node(op, &["x", "w"], "y", attributes)];
    let image = || vec![1, 1, 8, 8];
    let chain = (0..70_000).map(|i| {
        let name = |i: usize| {
            if i == 0 {
                "x".to_owned()
            } else {
                format!("v{i}")
            }
        };
        node(
            "Neg",
            &[&name(i)],
            &if i == 69_999 {
                "y".to_owned()
            } else {
                name(i + 1)
            },
            [],
        )
    });
    vec![
        (
            "Conv with huge pads",
            image(),
            conv("Conv", vec![ints("pads", &[30_000; 4])]),
            vec![w()],
        ),
        (
            "Conv with huge dilations",
            image(),
            conv(
                "Conv",
                vec![ints("pads", &[32_767; 4]), ints("dilations", &[32_700, 1])],
            ),
            vec![w()],
        ),
        (
            "ConvTranspose with huge strides",
            image(),
            conv("ConvTranspose", vec![ints("strides", &[30_000, 30_000])]),
            vec![w()],
        ),
        (
            "AveragePool with a huge kernel",
            image(),
            vec![node(
                "AveragePool",
                &["x"],
                "y",
                [
                    ints("kernel_shape", &[30_000, 30_000]),
                    ints("pads", &[15_000, 15_000, 30_000, 30_000]),
                ],
            )],
            vec![],
        ),
        ("70,000 nodes", vec![4], chain.collect(), vec![]),
        (
            "a shape of 1,000 axes",
            vec![4],
            vec![node("Reshape", &["x", "s"], "y", [])],
            vec![integers("s", &[1; 1000])],
        ),
        (
            "a list of a million axes",
            vec![4, 4],
            vec![
                node(
                    "Transpose",
                    &["x"],
                    "a",
                    [ints("perm", &vec![0; 1_000_000])],
                ),
                node("Mul", &["a", "a"], "y", []),
            ],
            vec![],
        ),
        (
            "a matrix of ones",
            vec![64, 1 << 10],
            vec![ones("s", "w"), node("MatMul", &["x", "w"], "y", [])],
            vec![integers("s", &[1 << 10, 1 << 14])],
        ),
        (
            "a hundred squares of a megapixel",
            vec![1 << 20],
            (0..100)
                .map(|i| {
                    let name = |i: usize| match i {
                        0 => "x".to_owned(),
                        100 => "y".to_owned(),
                        i => format!("v{i}"),
                    };
                    node("Mul", &[&name(i), &name(i)], &name(i + 1), [])
                })
                .collect(),
            vec![],
        ),
    ]
}

#[test]
fn bombs_are_refused_or_small() {
    let bombs: Vec<Bomb> = [growing(), constant(), odd()].concat();
    assert!(bombs.len() >= 17);
    for (name, shape, nodes, constants) in bombs {
        let mut bomb = model(dims(&shape), nodes, constants);
        let outputs = bomb
            .graph
            .as_ref()
            .unwrap()
            .node
            .last()
            .unwrap()
            .output
            .clone();
        let graph = bomb.graph.as_mut().unwrap();
        graph.output = outputs.iter().map(|o| declared(o, 1, vec![])).collect();
        let bytes = bomb.write_to_bytes().unwrap().len() as u64;
        match try_import(&bomb) {
            Err(refusal) => {
                let limited = refusal.to_string();
                let known = ["the limit is", "supported is", "expected"];
                assert!(
                    known.iter().any(|words| limited.contains(words)),
                    "{name}: {limited}"
                );
            }
            Ok(graph) => {
                let elements: usize = graph.nodes().map(|i| graph.node(i).shape.elements()).sum();
                let weights: usize = graph.tensors.values().map(|t| t.data().len()).sum();
                let most = (1 << 23) + (bytes as usize) * 1024;
                assert!(
                    elements <= most && weights <= most,
                    "{name}: {elements} elements, {weights} weights"
                );
            }
        }
    }
}
