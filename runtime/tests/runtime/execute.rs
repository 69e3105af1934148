//! Every operation on ciphertexts against the simulator, at toy rings; agreement in bits.

use crate::common::{
    Parties, SCALE_BITS, Toy, Toybox, check, execute, inputs, numbers, primes, simulate,
};
use peregrine_ir::*;
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::server::Resources;

const TOY: Toy = Toy {
    log_n: 6,
    depth: 3,
    alpha: 2,
};
const SLOTS: usize = 32;

/// A circuit of one input whose body is given.
fn circuit(body: impl FnOnce(&mut Toybox, Value)) -> Verified {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    body(&mut toy, x);
    toy.finish()
}

#[test]
fn sums_and_differences() {
    let circuit = circuit(|toy, x| {
        let y = toy.input("y");
        let negative = toy.push(Inst::Negate(y));
        let sum = toy.push(Inst::Add(vec![x, y, negative, y]));
        let difference = toy.push(Inst::Sub(x, y));
        toy.output(sum);
        toy.output(difference);
    });
    check(&circuit, 30.0);
}

#[test]
fn plaintext_operations() {
    let circuit = circuit(|toy, x| {
        let w = toy.plain(numbers(3, SLOTS), x);
        let sum = toy.push(Inst::AddPlain(x, w));
        let product = toy.push(Inst::MulPlain(x, w));
        let scale = toy.scale();
        let scaled = toy.push(Inst::MulScalar {
            a: x,
            factor: -1.75,
            scale,
        });
        for value in [sum, product, scaled] {
            toy.output(value);
        }
    });
    check(&circuit, 30.0);
}

/// A 1x3 kernel over the row of slots, at every edge of which it reads a zero; normal and extended, several scales.
#[test]
fn sums_of_products_with_one_number_each() {
    let circuit = circuit(|toy, x| {
        let constants = toy.taps(&[0.75, -0.25, 1.0 / 3.0]);
        let digits = toy.push(Inst::Decompose(x));
        let turned = |toy: &mut Toybox, k| {
            let rotation = Rotation(k);
            toy.push(Inst::RotateExt {
                a: x,
                digits,
                rotation,
            })
        };
        let raised: Vec<Value> = (1..4).map(|k| turned(toy, k)).collect();
        let lowered: Vec<Value> = raised.iter().map(|&v| toy.push(Inst::ModDown(v))).collect();
        for (ciphers, bits) in [(lowered, 30), (raised, 35)] {
            let sum = toy.push(Inst::DotScalar {
                ciphers,
                constants: constants.clone(),
                scale: Scale::power_of_two(bits),
            });
            let ty = toy.builder.type_of(sum).unwrap();
            let extended = matches!(
                ty,
                Type::Cipher {
                    form: Form::Extended,
                    ..
                }
            );
            let sum = if extended {
                toy.push(Inst::ModDown(sum))
            } else {
                sum
            };
            toy.output(sum);
        }
    });
    check(&circuit, 28.0);
}

#[test]
fn an_inner_product_longer_than_one_piece() {
    let circuit = circuit(|toy, x| {
        let ciphers = vec![x; 37];
        let plains = (0..37).map(|i| toy.plain(numbers(i, SLOTS), x)).collect();
        let sum = toy.push(Inst::Dot { ciphers, plains });
        toy.output(sum);
    });
    check(&circuit, 27.0);
}

#[test]
fn products_and_both_relinearizations() {
    let circuit = circuit(|toy, x| {
        let y = toy.input("y");
        let product = toy.push(Inst::Mul(x, y));
        let square = toy.push(Inst::Square(y));
        let lazy = toy.push(Inst::Add(vec![product, square]));
        let digits = toy.push(Inst::Decompose(lazy));
        let raised = toy.push(Inst::RelinearizeExt { a: lazy, digits });
        let down = toy.push(Inst::ModDown(raised));
        let fused = toy.push(Inst::Relinearize(lazy));
        for value in [down, fused] {
            let low = toy.push(Inst::Rescale {
                a: value,
                to: Level(2),
            });
            toy.output(low);
        }
        let early = toy.push(Inst::Rescale {
            a: lazy,
            to: Level(2),
        });
        let late = toy.push(Inst::Relinearize(early));
        toy.output(late);
    });
    check(&circuit, 28.0);
}

#[test]
fn rotations_hoisted_and_not() {
    let circuit = circuit(|toy, x| {
        let digits = toy.push(Inst::Decompose(x));
        for k in [1, 5, SLOTS as u32 - 1] {
            let rotation = Rotation(k);
            let hoisted = toy.builder.rotate_hoisted(x, digits, rotation).unwrap();
            let fused = toy.push(Inst::Rotate { a: x, rotation });
            toy.output(hoisted);
            toy.output(fused);
        }
    });
    check(&circuit, 28.0);
}

#[test]
fn double_hoisting_sums_before_mod_down() {
    let circuit = circuit(|toy, x| {
        let digits = toy.push(Inst::Decompose(x));
        let rotated: Vec<Value> = (1..6)
            .map(|k| {
                toy.push(Inst::RotateExt {
                    a: x,
                    digits,
                    rotation: Rotation(k),
                })
            })
            .collect();
        let plains = (1..6)
            .map(|k| toy.plain(numbers(k, SLOTS), rotated[0]))
            .collect();
        let sum = toy.push(Inst::Dot {
            ciphers: rotated,
            plains,
        });
        let doubled = toy.push(Inst::Add(vec![sum, sum]));
        let down = toy.push(Inst::ModDown(doubled));
        let low = toy.push(Inst::Rescale {
            a: down,
            to: Level(2),
        });
        toy.output(low);
    });
    check(&circuit, 28.0);
}

#[test]
fn conjugation_and_monomials() {
    let circuit = circuit(|toy, x| {
        let monomial = |toy: &mut Toybox, a, exponent| toy.push(Inst::MulMonomial { a, exponent });
        // i x, conjugated, times i: x again.
        let imaginary = monomial(toy, x, SLOTS as u32);
        let conjugate = toy.push(Inst::Conjugate(imaginary));
        let back = monomial(toy, conjugate, SLOTS as u32);
        toy.output(back);
        // X^3 x has real and imaginary parts; so has its conjugate times X^7.
        let turned = monomial(toy, x, 3);
        let conjugate = toy.push(Inst::Conjugate(turned));
        let turned = monomial(toy, conjugate, 7);
        let square = toy.push(Inst::Mul(turned, conjugate));
        let square = toy.push(Inst::Relinearize(square));
        toy.output(turned);
        toy.output(square);
    });
    check(&circuit, 28.0);
}

#[test]
fn levels_are_dropped_and_rescaled_by_several_primes() {
    let circuit = circuit(|toy, x| {
        let low = toy.push(Inst::DropLevel { a: x, to: Level(1) });
        toy.output(low);
        let scale = Scale::power_of_two(80);
        let constant = toy.constant(numbers(4, SLOTS));
        let w = toy.encode(constant, x, scale);
        let product = toy.push(Inst::MulPlain(x, w));
        let low = toy.push(Inst::Rescale {
            a: product,
            to: Level(1),
        });
        toy.output(low);
    });
    check(&circuit, 28.0);
}

#[test]
fn rows_need_not_be_nested() {
    let mut ring = TOY.ring();
    let spare = primes(TOY.log_n, 44).next().unwrap();
    let spare = ring.primes.push(spare);
    ring.rings
        .get_mut(RingId(0))
        .unwrap()
        .digits
        .push(vec![spare]);
    // Level 1 holds q0 and a prime that level 2 lacks.
    ring.levels[1].primes = vec![Prime(0), spare];
    let mut toy = Toybox::new(ring, Security::None);
    let x = toy.input("x");
    let square = toy.push(Inst::Square(x));
    let square = toy.push(Inst::Relinearize(square));
    let mid = toy.push(Inst::Rescale {
        a: square,
        to: Level(2),
    });
    let w = toy.plain(numbers(8, SLOTS), mid);
    let product = toy.push(Inst::MulPlain(mid, w));
    let low = toy.push(Inst::Rescale {
        a: product,
        to: Level(1),
    });
    let end = toy.push(Inst::Add(vec![low, low]));
    toy.output(end);
    check(&toy.finish(), 26.0);
}

#[test]
fn tensors_of_several_ciphertexts_and_several_ports() {
    let mut toy = TOY.builder();
    let parts = LayoutParts {
        log_slots: 5,
        shape: [3, 5, 6],
        phases: [1, 1],
        gaps: [1, 1],
        pitch: 6,
        plane: 30,
        replicas: 1,
        skew: 0,
        jump: 0,
        run: 1,
    };
    let layout = toy
        .builder
        .circuit()
        .layouts
        .push(Layout::new(parts).unwrap());
    let shape = Shape::new([1, 3, 5, 6]).unwrap();
    let at = (toy.top, toy.scale());
    let image = toy
        .builder
        .input("image", shape.clone(), layout, at)
        .unwrap();
    assert_eq!(image.len(), 3);
    let x = toy.input("x");
    let turned: Vec<Value> = [1, 2, 0].iter().map(|&i| image[i]).collect();
    toy.builder.output("turned", shape, layout, turned);
    toy.output(x);
    toy.output(image[0]);
    let circuit = toy.finish();
    check(&circuit, 30.0);
    let given = inputs(&circuit, 7);
    let outputs = execute(&circuit, &given, 1);
    let (from, to) = (given["image"].data(), outputs["turned"].data());
    assert!((from[30] - to[0]).abs() < 1e-6);
}

#[test]
fn all_degrees_of_the_tests() {
    for log_n in 4..=10 {
        let mut toy = Toy { log_n, ..TOY }.builder();
        let x = toy.input("x");
        let rotation = Rotation(3);
        let rotated = toy.push(Inst::Rotate { a: x, rotation });
        let product = toy.push(Inst::Mul(rotated, x));
        let product = toy.push(Inst::Relinearize(product));
        toy.output(product);
        check(&toy.finish(), 25.0);
    }
}

/// Rotations, products and a sum of four inputs, side by side.
fn wide() -> Verified {
    let mut toy = TOY.builder();
    let inputs: Vec<Value> = (0..4).map(|i| toy.input(&format!("x{i}"))).collect();
    let mut sums = Vec::new();
    for (i, &a) in (0u32..).zip(&inputs) {
        let digits = toy.push(Inst::Decompose(a));
        let rotation = Rotation(1 + 3 * i);
        let rotated = toy.push(Inst::RotateExt {
            a,
            digits,
            rotation,
        });
        let w = toy.plain(numbers(i.into(), SLOTS), rotated);
        let product = toy.push(Inst::MulPlain(rotated, w));
        sums.push(toy.push(Inst::ModDown(product)));
    }
    let square = toy.push(Inst::Mul(inputs[0], inputs[1]));
    let square = toy.push(Inst::Relinearize(square));
    sums[0] = toy.push(Inst::Add(vec![sums[0], square]));
    for a in sums {
        let low = toy.push(Inst::Rescale { a, to: Level(2) });
        toy.output(low);
    }
    toy.finish()
}

#[test]
fn the_result_does_not_depend_on_the_plan() {
    let circuit = wide();
    let mut parties = Parties::new(&circuit);
    let keys = parties.keys();
    let encrypted = parties.encrypt(&inputs(&circuit, 3));
    let run = |window, memory| {
        let resources = Resources { window, memory };
        let session = parties.server.session(keys.clone(), resources).unwrap();
        let outputs = session.run(encrypted.clone(), &Silent).unwrap();
        (outputs, session.prediction())
    };
    let (serial, least) = run(1, None);
    let (parallel, most) = run(16, None);
    assert_eq!(serial, parallel);
    assert!(most.total() > least.total());
    let (squeezed, prediction) = run(16, Some(least.total()));
    assert_eq!(serial, squeezed);
    assert!(prediction.total() <= least.total());
    let found = parties.decrypt(&serial);
    let agreed = crate::common::precision(&simulate(&circuit, &inputs(&circuit, 3)), &found);
    assert!(agreed >= 26.0, "{agreed:.1} bits");
}

#[test]
fn a_run_that_does_not_fit_is_refused_with_its_prediction() {
    let circuit = wide();
    let mut parties = Parties::new(&circuit);
    let keys = parties.keys();
    let resources = Resources {
        window: 4,
        memory: Some(10_000),
    };
    let text = match parties.server.session(keys, resources) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it does not fit"),
    };
    assert!(text.starts_with("the run needs "), "{text}");
    assert!(text.ends_with("the limit is 9.8 KiB"), "{text}");
}

#[test]
fn noise_is_as_large_as_the_model_says() {
    let circuit = wide();
    let given = inputs(&circuit, 3);
    let exact = simulate(&circuit, &given);
    let options = peregrine_runtime::simulate::Options { noise: Some(1) };
    let noisy = peregrine_runtime::simulate::run(&circuit, &given, options, &Silent).unwrap();
    let predicted = crate::common::precision(&exact, &noisy.outputs);
    let measured = crate::common::precision(&exact, &execute(&circuit, &given, 4));
    assert!(
        (predicted - measured).abs() < 2.0,
        "{predicted:.1} bits predicted, {measured:.1} measured"
    );
}

#[test]
fn values_that_do_not_fit_the_modulus_are_refused_before_encryption() {
    let mut toy = TOY.builder();
    let (shape, layout) = (toy.shape.clone(), toy.layout);
    let at = (Level(0), Scale::power_of_two(SCALE_BITS));
    let x = toy.builder.input("x", shape.clone(), layout, at).unwrap()[0];
    toy.output(x);
    let circuit = toy.finish();
    let mut parties = Parties::new(&circuit);
    let mut encrypt = |value: f64| {
        let array = Array::new(shape.clone(), vec![value; SLOTS]).unwrap();
        let Parties {
            client,
            secret,
            randomness,
            ..
        } = &mut parties;
        client.encrypt(secret, &Arrays::from([("x".to_owned(), array)]), randomness)
    };
    assert!(encrypt(200.0).is_ok());
    let text = encrypt(300.0).unwrap_err().to_string();
    assert!(
        text.starts_with("input `x` holds 3e2, the largest magnitude"),
        "{text}"
    );
}
