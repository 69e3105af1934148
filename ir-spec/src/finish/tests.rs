use super::*;

fn shape(dims: &[u32]) -> Shape {
    Shape::new(dims).unwrap()
}

fn apply(step: FinishStep, dims: &[u32], x: &[f64]) -> Vec<f64> {
    Finish(vec![step])
        .apply(&shape(dims), x.to_vec())
        .unwrap()
        .1
}

#[test]
fn positions_are_found_along_any_axis() {
    let x = [3.0, 1.0, 3.0, 0.0, 5.0, 0.0];
    let at = |axis, last, dims: &[u32]| apply(FinishStep::ArgMax { axis, last }, dims, &x);
    assert_eq!(at(1, false, &[2, 3]), [0.0, 1.0]);
    assert_eq!(at(1, true, &[2, 3]), [2.0, 1.0]);
    assert_eq!(at(0, false, &[2, 3]), [0.0, 1.0, 0.0]);
    assert_eq!(at(1, false, &[1, 3, 2]), [2.0, 0.0]);
    let least = FinishStep::ArgMin {
        axis: 1,
        last: true,
    };
    assert_eq!(apply(least, &[2, 3], &x), [1.0, 2.0]);
}

#[test]
fn exponentials_do_not_overflow() {
    let x = [1000.0, 999.0, -1000.0, 7.0];
    let softmax = apply(FinishStep::Softmax { axis: 1 }, &[2, 2], &x);
    let half: f64 = 1.0 / (1.0 + (-1.0f64).exp());
    for (y, expected) in softmax.iter().zip([half, 1.0 - half, 0.0, 1.0]) {
        assert!((y - expected).abs() < 1e-15, "{softmax:?}");
    }
    let logs = apply(FinishStep::LogSoftmax { axis: 0 }, &[2, 2], &x);
    for (y, expected) in logs.iter().zip([0.0, 0.0, -2000.0, -992.0]) {
        assert!((y - expected).abs() < 1e-12, "{logs:?}");
    }
    assert_eq!(
        apply(FinishStep::Sigmoid, &[3], &[-1e4, 0.0, 1e4]),
        [0.0, 0.5, 1.0]
    );
    assert_eq!(apply(FinishStep::Tanh, &[2], &[-1e4, 0.0]), [-1.0, 0.0]);
}

#[test]
fn steps_must_fit() {
    let refuse = |steps: Vec<FinishStep>| {
        Finish(steps)
            .result_shape(&shape(&[2, 3]))
            .unwrap_err()
            .to_string()
    };
    let best = || FinishStep::ArgMax {
        axis: 1,
        last: false,
    };
    let reshape = |dims: &[u32]| FinishStep::Reshape { shape: shape(dims) };
    assert_eq!(
        refuse(vec![FinishStep::Softmax { axis: 2 }]),
        "softmax axis=2: a tensor of shape [2, 3] has no such axis or position"
    );
    assert_eq!(
        refuse(vec![best(), reshape(&[3])]),
        "reshape [3]: a tensor of shape [2, 1] has another number of elements"
    );
    assert_eq!(
        refuse(vec![best(), reshape(&[2]), FinishStep::Tanh]),
        "tanh: only movements follow a step that gives integers"
    );
    assert_eq!(
        refuse(vec![FinishStep::Tanh; 33]),
        "33 steps are left to the client, the limit is 32"
    );
    let good = Finish(vec![FinishStep::Sigmoid, best(), reshape(&[2])]);
    assert_eq!(good.result_shape(&shape(&[2, 3])), Ok(shape(&[2])));
    assert!(good.gives_integers());
    assert!(good.apply(&shape(&[2, 3]), vec![0.0; 5]).is_err());
}

#[test]
fn elements_move_along_axes() {
    let x: Vec<f64> = (0..12).map(f64::from).collect();
    let order = vec![2, 0, 1];
    let y = apply(FinishStep::Transpose { order }, &[2, 2, 3], &x);
    assert_eq!(
        y,
        [0.0, 3.0, 6.0, 9.0, 1.0, 4.0, 7.0, 10.0, 2.0, 5.0, 8.0, 11.0]
    );
    let slice = |axis, start, step, count| FinishStep::Slice {
        axis,
        start,
        step,
        count,
    };
    assert_eq!(
        apply(slice(1, 2, -2, 2), &[4, 3], &x),
        [2.0, 0.0, 5.0, 3.0, 8.0, 6.0, 11.0, 9.0]
    );
    assert_eq!(
        apply(slice(0, 1, 1, 2), &[4, 3], &x),
        [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    );
    let positions = vec![1, 1, 0];
    let take = FinishStep::Take { axis: 1, positions };
    assert_eq!(
        apply(take, &[2, 2, 3], &x)[..9],
        [3.0, 4.0, 5.0, 3.0, 4.0, 5.0, 0.0, 1.0, 2.0]
    );
    let (factor, offset) = (vec![1.0, 2.0], vec![0.5, -1.0]);
    let affine = FinishStep::Affine {
        axis: 1,
        factor,
        offset,
    };
    assert_eq!(apply(affine, &[1, 2, 2], &x[..4]), [0.5, 1.5, 3.0, 5.0]);
}

#[test]
fn movements_must_fit() {
    let refuse = |step| Finish(vec![step]).result_shape(&shape(&[2, 3])).is_err();
    assert!(refuse(FinishStep::Transpose { order: vec![0, 0] }));
    assert!(refuse(FinishStep::Transpose { order: vec![0] }));
    let (axis, start, count) = (1, 2, 2);
    for step in [1, -3, i32::MIN, i32::MAX] {
        assert!(refuse(FinishStep::Slice {
            axis,
            start,
            step,
            count
        }));
    }
    let positions = vec![3];
    assert!(refuse(FinishStep::Take { axis, positions }));
    let kind = FunctionKind::Clip;
    let parameters = [0.0, f64::NAN];
    assert!(refuse(FinishStep::Elementwise(ElementFunction {
        kind,
        parameters
    })));
}

#[test]
fn inputs_are_of_their_type_and_prepared() {
    let prepare = Prepare {
        shape: shape(&[1, 2, 1]),
        element: InputElement::Unsigned(8),
        steps: Finish(vec![
            FinishStep::Transpose {
                order: vec![0, 2, 1],
            },
            FinishStep::Elementwise(ElementFunction {
                kind: FunctionKind::Affine,
                parameters: [0.5, 1.0],
            }),
        ]),
    };
    assert_eq!(
        prepare.apply(vec![0.0, 255.0]),
        Ok((shape(&[1, 1, 2]), vec![1.0, 128.5]))
    );
    for bad in [0.5, 256.0, -1.0, f64::NAN] {
        assert!(prepare.apply(vec![0.0, bad]).is_err());
    }
    let error = prepare.apply(vec![0.0, 256.0]).unwrap_err().to_string();
    assert_eq!(error, "the value 256 at [0, 1, 0] is not of type uint8");
    assert_eq!(
        prepare.to_string(),
        "uint8 [1, 2, 1] [transpose [0, 2, 1], scaled factor=0.5 offset=1]"
    );
}
