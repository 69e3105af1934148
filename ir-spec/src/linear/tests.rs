use super::*;
use crate::tensor::Tensor;
use proptest::prelude::*;

fn shape(dims: &[u32]) -> Shape {
    Shape::new(dims).unwrap()
}

fn weights(tensors: &mut Tensors, dims: &[u32]) -> TensorId {
    let s = shape(dims);
    let data = (0..s.elements()).map(|i| 1.0 + i as f64).collect();
    tensors.push(Tensor::new("w", s, data).unwrap())
}

fn window() -> impl Strategy<Value = Window> {
    (
        [1..4u32, 1..4u32],
        [1..4u32, 1..4u32],
        [0..3u32, 0..3u32],
        [1..3u32, 1..3u32],
    )
        .prop_map(|(kernel, strides, pads, dilations)| Window {
            kernel,
            strides,
            pads,
            dilations,
        })
}

fn out_extent(extent: u32, w: &Window, axis: usize, end: u32) -> Option<u32> {
    let reach = w.dilations[axis] * (w.kernel[axis] - 1) + 1;
    Some((extent + w.pads[axis] + end).checked_sub(reach)? / w.strides[axis] + 1)
}

/// Every row enumerates exactly the entries that `coefficient` reads and `macs` counts.
fn rows_agree(map: &LinearMap, tensors: &Tensors) -> Result<(), TestCaseError> {
    let bound = map.bind(tensors).unwrap();
    let mut macs = 0;
    for output in 0..map.output.elements() {
        let mut row = vec![0.0; map.input.elements()];
        bound.for_each_tap(output, |input, w| {
            row[input] += w;
            macs += 1;
        });
        for (input, &w) in row.iter().enumerate() {
            prop_assert_eq!(
                bound.coefficient(output, input),
                w,
                "row {} column {}",
                output,
                input
            );
        }
    }
    prop_assert_eq!(bound.macs(), macs);
    // Both ways to apply it round alike.
    let x = (0..map.input.elements()).map(|i| (1.3 * i as f64).sin());
    let x: Vec<f64> = x.collect();
    prop_assert_eq!(bound.apply(&x), bound.apply_taps(&x));
    Ok(())
}

proptest! {
    #[test]
    fn conv_rows_agree(w in window(), n in 1..3u32, groups in 1..3u32, ci in 1..3u32, co in 1..3u32,
                       h in 1..8u32, width in 1..8u32, end in [0..2u32, 0..2u32]) {
        let (Some(p), Some(q)) = (out_extent(h, &w, 0, end[0]), out_extent(width, &w, 1, end[1])) else { return Ok(()) };
        let mut tensors = Tensors::new();
        let weight = weights(&mut tensors, &[groups * co, ci, w.kernel[0], w.kernel[1]]);
        let map = LinearMap {
            kind: LinearKind::Conv2d(Conv2d { weight, window: w, groups }),
            input: shape(&[n, groups * ci, h, width]),
            output: shape(&[n, groups * co, p, q]),
        };
        rows_agree(&map, &tensors)?;
    }

    #[test]
    fn a_weight_covers_a_box(inner in window(), boxes in [1..4u32, 1..4u32], groups in 1..3u32, h in 1..10u32, width in 1..10u32) {
        let small = inner.kernel;
        let w = Window { kernel: [small[0] * boxes[0], small[1] * boxes[1]], ..inner };
        let (Some(p), Some(q)) = (out_extent(h, &w, 0, 1), out_extent(width, &w, 1, 0)) else { return Ok(()) };
        let mut tensors = Tensors::new();
        let weight = weights(&mut tensors, &[groups * 2, 2, small[0], small[1]]);
        let dims = Extents::new(&shape(&[1, 2, w.kernel[0], w.kernel[1]]));
        let repeated = (0..groups * 4 * w.kernel[0] * w.kernel[1]).map(|flat| {
            let [m, c, i, j] = dims.position(flat as usize);
            let at = extents::index([0, 2, small[0], small[1]], [m, c, i / boxes[0], j / boxes[1]]);
            1.0 + at as f64
        });
        let dims = shape(&[groups * 2, 2, w.kernel[0], w.kernel[1]]);
        let full = tensors.push(Tensor::new("full", dims, repeated.collect()).unwrap());
        let map = LinearMap {
            kind: LinearKind::Conv2d(Conv2d { weight, window: w, groups }),
            input: shape(&[1, groups * 2, h, width]),
            output: shape(&[1, groups * 2, p, q]),
        };
        rows_agree(&map, &tensors)?;
        let x: Vec<f64> = (0..map.input.elements()).map(|i| (i * i % 7) as f64).collect();
        let expected = map.with_weight(full).bind(&tensors).unwrap().apply(&x);
        prop_assert_eq!(map.bind(&tensors).unwrap().apply(&x), expected);
    }

    #[test]
    fn pool_rows_agree(w in window(), h in 1..8u32, width in 1..8u32, count in any::<bool>()) {
        let (Some(p), Some(q)) = (out_extent(h, &w, 0, 0), out_extent(width, &w, 1, 0)) else { return Ok(()) };
        let map = LinearMap {
            kind: LinearKind::AveragePool(AveragePool { window: w, padding_counts: count.then_some([0, 0]) }),
            input: shape(&[1, 2, h, width]),
            output: shape(&[1, 2, p, q]),
        };
        rows_agree(&map, &Tensors::new())?;
    }

    #[test]
    fn contract_rows_agree(outer in 1..3u32, groups in 1..3u32, rows in 1..3u32, m in 1..4u32, k in 1..4u32, inner in 1..3u32) {
        let mut tensors = Tensors::new();
        let weight = weights(&mut tensors, &[groups, m, k]);
        let map = LinearMap {
            kind: LinearKind::Contract(Contract { weight, outer, groups, rows, m, k, inner }),
            input: shape(&[outer, groups, rows, k, inner]),
            output: shape(&[outer, groups, rows, m, inner]),
        };
        rows_agree(&map, &tensors)?;
    }

    #[test]
    fn gather_rows_agree(tables in prop::collection::vec(prop::collection::vec(prop::option::of(0..3u32), 1..4), 2)) {
        let output = shape(&[tables[0].len() as u32, tables[1].len() as u32, 2]);
        let axes = vec![
            AxisMap { output_axis: 1, table: tables[1].clone() },
            AxisMap { output_axis: 0, table: tables[0].clone() },
        ];
        let map = LinearMap { kind: LinearKind::Gather(Gather { axes }), input: shape(&[3, 3]), output };
        rows_agree(&map, &Tensors::new())?;
    }
}

#[test]
fn a_three_by_three_convolution_by_hand() {
    let mut tensors = Tensors::new();
    let weight = weights(&mut tensors, &[1, 1, 3, 3]);
    let window = Window {
        kernel: [3, 3],
        strides: [1, 1],
        pads: [1, 1],
        dilations: [1, 1],
    };
    let map = LinearMap {
        kind: LinearKind::Conv2d(Conv2d {
            weight,
            window,
            groups: 1,
        }),
        input: shape(&[1, 1, 2, 2]),
        output: shape(&[1, 1, 2, 2]),
    };
    // Each output sees the 2x2 image through another corner of the kernel 1..9.
    let y = map
        .bind(&tensors)
        .unwrap()
        .apply(&[1.0, 10.0, 100.0, 1000.0]);
    assert_eq!(
        y,
        [
            5.0 + 60.0 + 800.0 + 9000.0,
            4.0 + 50.0 + 700.0 + 8000.0,
            2.0 + 30.0 + 500.0 + 6000.0,
            1.0 + 20.0 + 400.0 + 5000.0
        ]
    );
}

#[test]
fn a_mean_counts_padding_only_when_asked() {
    let window = Window {
        kernel: [2, 2],
        strides: [2, 2],
        pads: [1, 1],
        dilations: [1, 1],
    };
    let mut map = LinearMap {
        kind: LinearKind::AveragePool(AveragePool {
            window,
            padding_counts: None,
        }),
        input: shape(&[1, 1, 2, 2]),
        output: shape(&[1, 1, 1, 1]),
    };
    assert_eq!(
        map.bind(&Tensors::new())
            .unwrap()
            .apply(&[8.0, 1.0, 1.0, 1.0]),
        [8.0]
    );
    map.kind = LinearKind::AveragePool(AveragePool {
        window,
        padding_counts: Some([1, 1]),
    });
    assert_eq!(
        map.bind(&Tensors::new())
            .unwrap()
            .apply(&[8.0, 1.0, 1.0, 1.0]),
        [2.0]
    );
}

#[test]
fn disagreeing_shapes_are_named() {
    let mut tensors = Tensors::new();
    let weight = weights(&mut tensors, &[2, 3, 1, 1]);
    let window = Window {
        kernel: [1, 1],
        strides: [1, 1],
        pads: [0, 0],
        dilations: [1, 1],
    };
    let map = LinearMap {
        kind: LinearKind::Conv2d(Conv2d {
            weight,
            window,
            groups: 1,
        }),
        input: shape(&[1, 4, 5, 5]),
        output: shape(&[1, 2, 5, 5]),
    };
    let error = map.check(&tensors).unwrap_err().to_string();
    assert_eq!(
        error,
        "conv2d: weight shape is [2, 3, 1, 1], expected [2, 4, 1, 1], or divisors of the last two"
    );
}

#[test]
fn a_large_convolution_is_counted_by_axes() {
    let mut tensors = Tensors::new();
    let weight = weights(&mut tensors, &[64, 3, 7, 7]);
    let window = Window {
        kernel: [7, 7],
        strides: [2, 2],
        pads: [3, 3],
        dilations: [1, 1],
    };
    let map = LinearMap {
        kind: LinearKind::Conv2d(Conv2d {
            weight,
            window,
            groups: 1,
        }),
        input: shape(&[1, 3, 224, 224]),
        output: shape(&[1, 64, 112, 112]),
    };
    // Along an axis, of 112 windows of 7 the first looks at 3 pixels of padding, the second at 1, the last at 2.
    let along_axis: u64 = 112 * 7 - 3 - 1 - 2;
    let macs = map.bind(&tensors).unwrap().macs();
    assert_eq!(macs, 64 * 3 * along_axis * along_axis);
}

#[test]
fn families_differ_in_word_and_tag_and_are_specified() {
    let spec = include_str!("../../SPEC.md");
    for (i, family) in FamilyId::ALL.iter().enumerate() {
        let word = family.keyword();
        for other in &FamilyId::ALL[..i] {
            assert!(word != other.keyword() && family.tag() != other.tag());
        }
        assert!(word != "broadcast", "another operator has this word");
        let weight = if family.has_weight() { " w" } else { "" };
        for part in [format!("| `{word}{weight}` |"), format!("\"{word}\" ")] {
            assert!(spec.contains(&part), "SPEC.md has no {part}");
        }
        assert!(!family.is_bare() || family.has_weight());
    }
}
