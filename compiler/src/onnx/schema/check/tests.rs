use super::*;

fn node(op: &str, inputs: usize) -> NodeProto {
    let mut node = NodeProto::new();
    node.op_type = op.to_owned();
    node.input = (0..inputs).map(|i| format!("x{i}")).collect();
    node.output = vec!["y".to_owned()];
    node
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    let mut attribute = AttributeProto::new();
    attribute.name = name.to_owned();
    attribute.type_ = kind.into();
    attribute
}

fn errors(node: &NodeProto, opset: i64) -> Vec<String> {
    let errors = check(node, opset);
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn rows_are_sorted_and_made_of_known_words() {
    let keys = |rows: &[Row]| -> Vec<(&str, i64)> {
        rows.iter().map(|row| (row.name, row.since)).collect()
    };
    let kinds = [
        "int",
        "ints",
        "float",
        "floats",
        "string",
        "strings",
        "tensor",
        "sparse_tensor",
    ];
    for rows in [table::OPERATORS, CUSTOM] {
        assert!(keys(rows).windows(2).all(|pair| pair[0] < pair[1]));
        for row in rows {
            let RowForm::Takes {
                attributes: list, ..
            } = row.form
            else {
                continue;
            };
            let words = list.split(' ').filter(|word| !word.is_empty()).count();
            assert_eq!(attributes(list).count(), words, "{}", row.name);
            let known = |(_, kind, _): (&str, &str, bool)| kinds.contains(&kind);
            assert!(attributes(list).all(known), "{}: {list}", row.name);
        }
    }
}

#[test]
fn ignorable_attributes_exist() {
    for (op, name) in crate::onnx::schema::ignorable::names() {
        let rows = rows("", op).iter();
        let has = |row: &Row| match row.form {
            RowForm::Takes {
                attributes: list, ..
            } => attributes(list).any(|(n, ..)| n == name),
            RowForm::Removed => false,
        };
        assert!(rows.into_iter().any(has), "{op} {name}");
    }
}

#[test]
fn an_attribute_that_no_version_has_is_refused_with_one_that_is_spelt_alike() {
    let mut conv = node("Conv", 2);
    conv.attribute = vec![attribute("stride", AttributeType::INTS)];
    assert_eq!(
        errors(&conv, 17),
        ["this operator has no attribute `stride`; did you mean `strides`?"]
    );
    conv.attribute = vec![attribute("frobnicate", AttributeType::INT)];
    assert_eq!(
        errors(&conv, 17),
        ["this operator has no attribute `frobnicate`"]
    );
}

#[test]
fn attributes_of_other_opsets_are_refused_with_the_opset() {
    let mut pool = node("AveragePool", 1);
    pool.attribute = vec![
        attribute("kernel_shape", AttributeType::INTS),
        attribute("ceil_mode", AttributeType::INT),
    ];
    assert_eq!(
        errors(&pool, 9),
        ["attribute `ceil_mode` needs opset 10, the model says 9"]
    );
    assert!(errors(&pool, 10).is_empty());
    let mut squeeze = node("Squeeze", 1);
    squeeze.attribute = vec![attribute("axes", AttributeType::INTS)];
    assert!(errors(&squeeze, 12).is_empty());
    assert_eq!(
        errors(&squeeze, 13),
        ["this operator has no attribute `axes` at opset 13, it was one of older opsets"]
    );
}

#[test]
fn operators_of_other_opsets_are_refused_with_the_opset() {
    let group = node("GroupNormalization", 3);
    assert_eq!(
        errors(&group, 13),
        ["this operator needs opset 18, the model says 13"]
    );
    let upsample = node("Upsample", 2);
    assert_eq!(
        errors(&upsample, 10),
        ["this operator was removed in opset 10, the model says 10"]
    );
}

#[test]
fn types_numbers_and_repetitions_are_checked() {
    let mut conv = node("Conv", 4);
    conv.attribute = vec![
        attribute("group", AttributeType::FLOAT),
        attribute("pads", AttributeType::INTS),
        attribute("pads", AttributeType::INTS),
    ];
    assert_eq!(
        errors(&conv, 17),
        [
            "the node has 4 operands, expected 2 to 3",
            "attribute `group` is of type float, expected int",
            "attribute `pads` is given twice",
        ]
    );
    let mut gemm = node("Gemm", 3);
    gemm.input[1].clear();
    assert_eq!(errors(&gemm, 17), ["operand 2 is left out"]);
    assert_eq!(
        errors(&node("Concat", 0), 17).len(),
        2,
        "no operand, no axis"
    );
    assert!(errors(&node("Sum", 9), 17).is_empty());
}
