//! Linear operators that are made of others: choices by masks, running sums, interpolation, sums over products.

use super::*;

fn string(name: &str, value: &str) -> AttributeProto {
    let mut a = AttributeProto::new();
    (a.name, a.s) = (name.to_owned(), value.as_bytes().to_vec());
    a.type_ = AttributeType::STRING.into();
    a
}

fn truths(name: &str, dims: &[i64], data: &[u8]) -> TensorProto {
    let mut t = TensorProto::new();
    (t.name, t.data_type) = (name.to_owned(), 9);
    (t.dims, t.raw_data) = (dims.to_vec(), data.to_vec());
    t
}

/// What a node makes of an encrypted `[rows, columns]` in front of which nothing stands.
fn of(shape: &[i64], nodes: Vec<NodeProto>, constants: Vec<TensorProto>, x: &[f64]) -> Vec<f64> {
    let mut model = model(dims(shape), nodes, constants);
    model.opset_import[0].version = 19;
    run(&model, x)
}

fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (x, y) in found.iter().zip(expected) {
        assert!((x - y).abs() < 2e-4, "{found:?} instead of {expected:?}");
    }
}

#[test]
fn choices_by_a_known_mask() {
    let mask = || truths("m", &[2, 1], &[1, 0]);
    let x = [1.0, 2.0, 3.0, 4.0];
    let c = || floats("c", &[2], &[7.0, 9.0]);
    let first = vec![node("Where", &["m", "x", "c"], "y", [])];
    assert_eq!(
        of(&[2, 2], first, vec![mask(), c()], &x),
        [1.0, 2.0, 7.0, 9.0]
    );
    let second = vec![node("Where", &["m", "c", "x"], "y", [])];
    assert_eq!(
        of(&[2, 2], second, vec![mask(), c()], &x),
        [7.0, 9.0, 3.0, 4.0]
    );
    let both = vec![
        node("Neg", &["x"], "n", []),
        node("Where", &["m", "x", "n"], "y", []),
    ];
    assert_eq!(of(&[2, 2], both, vec![mask()], &x), [1.0, 2.0, -3.0, -4.0]);
    // The mask may be larger than what it chooses from.
    let wide = vec![node("Where", &["m", "x", "c"], "y", [])];
    let mask = truths("m", &[2, 2], &[1, 0, 0, 1]);
    assert_eq!(
        of(&[2], wide, vec![mask, c()], &x[..2]),
        [1.0, 9.0, 7.0, 2.0]
    );
}

#[test]
fn triangles_and_running_sums() {
    let x: Vec<f64> = (1..=6).map(f64::from).collect();
    let upper = vec![node("Trilu", &["x"], "y", [])];
    assert_eq!(
        of(&[2, 3], upper, vec![], &x),
        [1.0, 2.0, 3.0, 0.0, 5.0, 6.0]
    );
    let lower = vec![node("Trilu", &["x", "k"], "y", [int("upper", 0)])];
    let k = integers("k", &[1]);
    assert_eq!(
        of(&[2, 3], lower, vec![k], &x),
        [1.0, 2.0, 0.0, 4.0, 5.0, 6.0]
    );
    let sum = |axis: i64, attributes: Vec<AttributeProto>| {
        let nodes = vec![node("CumSum", &["x", "a"], "y", attributes)];
        of(&[2, 3], nodes, vec![integers("a", &[axis])], &x)
    };
    assert_eq!(sum(1, vec![]), [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
    assert_eq!(
        sum(-2, vec![int("exclusive", 1)]),
        [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]
    );
    assert_eq!(
        sum(1, vec![int("reverse", 1)]),
        [6.0, 5.0, 3.0, 15.0, 11.0, 6.0]
    );
}

#[test]
fn sums_over_products() {
    let x: Vec<f64> = (0..12).map(|i| f64::from(i * i) - 20.0).collect();
    let w: Vec<f32> = (0..12).map(|i| (i as f32) * 0.5 - 2.0).collect();
    let at =
        |dims: &[usize], index: &[usize]| index.iter().zip(dims).fold(0, |f, (i, d)| f * d + i);
    let einsum = |equation: &str, shape: &[i64], known: &[i64]| {
        let inputs: &[&str] = if known.is_empty() {
            &["x"]
        } else {
            &["x", "w"]
        };
        let nodes = vec![node("Einsum", inputs, "y", [string("equation", equation)])];
        let constants = match known.is_empty() {
            true => vec![],
            false => vec![floats(
                "w",
                known,
                &w[..known.iter().product::<i64>() as usize],
            )],
        };
        of(
            shape,
            nodes,
            constants,
            &x[..shape.iter().product::<i64>() as usize],
        )
    };
    let w: Vec<f64> = w.iter().map(|&w| f64::from(w)).collect();
    let mut expected = Vec::new();
    for (i, o) in (0..3).flat_map(|i| (0..2).map(move |o| (i, o))) {
        expected.push(
            (0..4)
                .map(|k| x[at(&[3, 4], &[i, k])] * w[at(&[2, 4], &[o, k])])
                .sum::<f64>(),
        );
    }
    close(&einsum("ik,ok->io", &[3, 4], &[2, 4]), &expected);
    close(&einsum("...k,ok", &[3, 4], &[2, 4]), &expected);
    // Batches in the middle, a sum of the constant alone, the result turned round.
    let mut expected = Vec::new();
    for (b, n) in (0..3).flat_map(|b| (0..2).map(move |n| (b, n))) {
        let weight = |k| (0..2).map(|s| w[at(&[3, 2, 2], &[b, k, s])]).sum::<f64>();
        expected.push(
            (0..2)
                .map(|k| x[at(&[2, 3, 2], &[n, b, k])] * weight(k))
                .sum::<f64>(),
        );
    }
    close(&einsum("nbk,bks->bn", &[2, 3, 2], &[3, 2, 2]), &expected);
    let turned: Vec<f64> = (0..4)
        .flat_map(|j| (0..3).map(move |i| (i, j)))
        .map(|(i, j)| x[i * 4 + j])
        .collect();
    close(&einsum("ij->ji", &[3, 4], &[]), &turned);
    close(&einsum("ii->i", &[3, 3], &[]), &[x[0], x[4], x[8]]);
    close(&einsum("ii", &[3, 3], &[]), &[x[0] + x[4] + x[8]]);
    let outer: Vec<f64> = (0..2)
        .flat_map(|i| (0..3).map(move |j| (i, j)))
        .map(|(i, j)| x[i] * w[j])
        .collect();
    close(&einsum("i,j->ij", &[2], &[3]), &outer);
    let scaled: Vec<f64> = (0..12).map(|i| x[i] * w[i / 4]).collect();
    close(&einsum("ij,i->ij", &[3, 4], &[3]), &scaled);
}

/// Resized by onnxruntime 1.2x to 2x7 or by factors of 2 and 1.5.
#[test]
fn interpolation() {
    let x: Vec<f64> = [0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121]
        .iter()
        .map(|&v| f64::from(v) / 10.0)
        .collect();
    let resized = |mode: &str, coordinates: &str| {
        let attributes = [
            string("mode", mode),
            string("coordinate_transformation_mode", coordinates),
        ];
        let nodes = vec![node("Resize", &["x", "", "", "z"], "y", attributes)];
        of(&[1, 1, 3, 4], nodes, vec![integers("z", &[1, 1, 2, 7])], &x)
    };
    let half = [
        0.4, 0.5071, 0.6786, 0.95, 1.25, 1.65, 1.9, 5.2, 5.7357, 6.5929, 7.55, 8.5357, 9.6214, 10.3,
    ];
    close(&resized("linear", "half_pixel"), &half);
    close(&resized("linear", "half_pixel_symmetric"), &half);
    close(&resized("linear", "pytorch_half_pixel"), &half);
    close(
        &resized("linear", "align_corners"),
        &[
            0.0, 0.05, 0.1, 0.25, 0.4, 0.65, 0.9, 6.4, 7.25, 8.1, 9.05, 10.0, 11.05, 12.1,
        ],
    );
    close(
        &resized("linear", "asymmetric"),
        &[
            0.0, 0.0571, 0.1429, 0.3143, 0.5429, 0.8286, 0.9, 4.0, 4.7429, 5.5143, 6.3714, 7.2857,
            8.2571, 8.5,
        ],
    );
    close(
        &resized("cubic", "half_pixel"),
        &[
            0.1686, 0.2521, 0.4115, 0.6359, 0.9583, 1.3584, 1.6179, 5.2153, 5.7884, 6.7464, 7.7516,
            8.8546, 10.0534, 10.8025,
        ],
    );
    close(
        &resized("cubic", "asymmetric"),
        &[
            0.0, 0.0265, 0.1376, 0.2706, 0.5647, 0.8434, 0.9525, 4.15, 4.7824, 5.8005, 6.5505,
            7.7405, 8.6809, 9.0613,
        ],
    );
    let scaled = |attributes: Vec<AttributeProto>| {
        let nodes = vec![node("Resize", &["x", "", "s"], "y", attributes)];
        let factors = floats("s", &[4], &[1.0, 1.0, 2.0, 1.5]);
        of(&[1, 1, 3, 4], nodes, vec![factors], &x)
    };
    let outside = scaled(vec![string("mode", "cubic"), int("exclude_outside", 1)]);
    close(
        &outside[..6],
        &[-0.2173, -0.2387, -0.2074, -0.0979, 0.1922, 0.3942],
    );
    let linear = scaled(vec![string("mode", "linear")]);
    close(&linear[6..12], &[0.4, 0.55, 0.7833, 1.1167, 1.55, 1.9]);
}

#[test]
fn normalisations_are_refused_with_their_reason() {
    for op in [
        "InstanceNormalization",
        "LayerNormalization",
        "GroupNormalization",
        "RMSNormalization",
        "LpNormalization",
    ] {
        let nodes = vec![node(op, &["x"], "a", []), node("Mul", &["a", "x"], "y", [])];
        let text = errors(&model(dims(&[1, 2, 2, 2]), nodes, vec![]));
        assert!(text.contains("by statistics of encrypted values"), "{text}");
    }
}
