//! The simulator against arithmetic done by hand, and the executor's plans on it.

use crate::common::{Toy, inputs, numbers};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::CpuFootprint;
use peregrine_runtime::exec::memory::{self, Budget};
use peregrine_runtime::exec::{KeyResidence, Plan, PlanOptions, SharedPlains, SharedSums, Silent};
use peregrine_runtime::ports::{Array, Arrays, PortError};
use peregrine_runtime::simulate::{self, Options, SimulateError};

const TOY: Toy = Toy {
    log_n: 4,
    depth: 3,
    alpha: 2,
};

/// `rotate(x, 1) * w + x^2`, twice.
fn small() -> Verified {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let digits = toy.push(Inst::Decompose(x));
    let rotated = toy.builder.rotate_hoisted(x, digits, Rotation(1)).unwrap();
    let weights = toy.plain(numbers(9, 8), rotated);
    let product = toy.push(Inst::MulPlain(rotated, weights));
    let square = toy.push(Inst::Square(x));
    let square = toy.push(Inst::Relinearize(square));
    let sum = toy.push(Inst::Add(vec![product, square]));
    let sum = toy.push(Inst::Rescale {
        a: sum,
        to: Level(2),
    });
    let doubled = toy.push(Inst::Add(vec![sum, sum]));
    toy.output(doubled);
    toy.output(sum);
    toy.finish()
}

#[test]
fn slots_are_computed_as_the_operations_say() {
    let circuit = small();
    let given = inputs(&circuit, 1);
    let x = given["x"].data();
    let w = numbers(9, 8);
    let outputs = crate::common::simulate(&circuit, &given);
    for t in 0..8 {
        let expected = x[(t + 1) % 8] * w[t] + x[t] * x[t];
        assert!((outputs["y1"].data()[t] - expected).abs() < 1e-15);
        assert!((outputs["y0"].data()[t] - 2.0 * expected).abs() < 1e-15);
    }
}

#[test]
fn headroom_names_the_ciphertext_closest_to_the_modulus() {
    let circuit = small();
    let given = inputs(&circuit, 1);
    let result = simulate::run(&circuit, &given, Options { noise: None }, &Silent).unwrap();
    let headroom = result.headroom.unwrap();
    assert!(headroom.bits > 0.0 && headroom.bits < 170.0, "{headroom:?}");
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let low = toy.push(Inst::DropLevel { a: x, to: Level(0) });
    toy.output(low);
    let circuit = toy.finish();
    let large = Array::new(circuit.inputs[0].shape.clone(), vec![4096.0; 8]).unwrap();
    let given = Arrays::from([("x".to_owned(), large)]);
    let result = simulate::run(&circuit, &given, Options { noise: None }, &Silent).unwrap();
    let headroom = result.headroom.unwrap();
    assert_eq!(headroom.value, low);
    assert!(headroom.bits < -2.0, "{headroom:?}");
}

#[test]
fn inputs_are_checked_by_name_shape_and_value() {
    let circuit = small();
    let run =
        |arrays: Arrays| match simulate::run(&circuit, &arrays, Options { noise: None }, &Silent) {
            Err(SimulateError::Input(error)) => error,
            other => panic!("{other:?}"),
        };
    let array = |dims: &[u32], value: f64| {
        let shape = Shape::new(dims).unwrap();
        let data = vec![value; shape.elements()];
        Array::new(shape, data).unwrap()
    };
    let named = |name: &str, array| Arrays::from([(name.to_owned(), array)]);
    assert!(matches!(run(Arrays::new()), PortError::Missing { .. }));
    let error = run(named("z", array(&[1, 8], 0.0)));
    assert_eq!(
        error.to_string(),
        "the model has no input `z`, its inputs are `x`"
    );
    let error = run(named("x", array(&[2, 4], 0.0)));
    assert_eq!(
        error.to_string(),
        "input `x` has shape [2, 4], the model takes [1, 8]"
    );
    let error = run(named("x", array(&[8], f64::NAN)));
    assert!(matches!(error, PortError::NotFinite { .. }));
}

fn options(window: usize) -> PlanOptions {
    PlanOptions {
        window,
        plains: SharedPlains::Keep,
        sums: SharedSums::Gather,
        keys: KeyResidence::Stored,
    }
}

#[test]
fn plans_run_every_instruction_once_after_its_operands() {
    let circuit = small();
    for window in [1, 2, 16] {
        let plan = Plan::new(&circuit, options(window));
        let mut order: Vec<Value> = Vec::new();
        for wave in plan.waves() {
            assert!(!wave.steps.is_empty() && wave.steps.len() <= window);
            for &value in &wave.steps {
                circuit
                    .values
                    .get(value)
                    .unwrap()
                    .inst
                    .for_each_operand(|v| {
                        let inst = &circuit.values.get(v).unwrap().inst;
                        let given = matches!(inst, Inst::Input { .. } | Inst::Encode { .. });
                        assert!(given || order.contains(&v), "{value} runs before {v}");
                    });
            }
            order.extend(&wave.steps);
        }
        order.sort_unstable();
        order.dedup();
        let steps = circuit
            .values
            .values()
            .filter(|d| !matches!(d.inst, Inst::Input { .. } | Inst::Encode { .. }));
        assert_eq!(order.len(), steps.count());
        let dead: Vec<_> = plan.waves().iter().flat_map(|w| &w.dead).collect();
        assert!(!dead.contains(&&circuit.outputs[0].values[0]));
    }
}

#[test]
fn memory_is_predicted_and_narrower_plans_need_less() {
    let circuit = small();
    let fit = |window, limit| {
        let budget = Budget {
            window,
            keys: KeyResidence::Stored,
            expanded: u64::MAX,
            limit,
            cache: 0,
            process: 0,
        };
        memory::fit(&circuit, &CpuFootprint::of(&circuit), budget)
    };
    let (plan, wide) = fit(8, None).unwrap();
    assert_eq!(plan.options(), options(8));
    // Two keys of 2 digits and 6 primes, and at least the input beside its digits; a limb has 16 words.
    assert_eq!(wide.keys, 2 * 2 * 2 * 6 * 16 * 8);
    assert!(wide.values >= (2 * 4 + 2 * 6) * 16 * 8, "{wide:?}");
    let (plan, thrifty) = fit(8, Some(wide.total() - 1)).unwrap();
    assert!(plan.expanded().len() < 2);
    assert!(thrifty.total() < wide.total());
    let error = fit(8, Some(1000)).unwrap_err();
    assert_eq!(error.prediction.window, 1);
    assert!(fit(8, Some(error.prediction.total())).is_ok());
    let text = error.to_string();
    assert!(text.ends_with("the limit is 1000 B"), "{text}");
}

#[test]
fn plaintexts_used_twice_are_kept_only_if_asked() {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let w = toy.plain(numbers(3, 8), x);
    let a = toy.push(Inst::MulPlain(x, w));
    let b = toy.push(Inst::MulPlain(x, w));
    toy.output(a);
    toy.output(b);
    let circuit = toy.finish();
    let plains = |plains| {
        let options = PlanOptions {
            plains,
            ..options(1)
        };
        let plan = Plan::new(&circuit, options);
        let waves = plan.waves().iter();
        waves
            .map(|w| (w.plains.clone(), w.dead.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        plains(SharedPlains::Keep),
        [(vec![w], vec![]), (vec![], vec![x, w])]
    );
    assert_eq!(
        plains(SharedPlains::Reencode),
        [(vec![], vec![]), (vec![], vec![x])]
    );
}

#[test]
fn noise_is_reproducible_and_of_the_predicted_size() {
    let circuit = small();
    let given = inputs(&circuit, 1);
    let run = |noise| {
        let options = Options { noise };
        simulate::run(&circuit, &given, options, &Silent)
            .unwrap()
            .outputs
    };
    let exact = run(None);
    assert_eq!(run(Some(5)), run(Some(5)));
    assert_ne!(run(Some(5)), run(Some(6)));
    let bits = crate::common::precision(&exact, &run(Some(5)));
    assert!((30.0..40.0).contains(&bits), "{bits:.1} bits");
}

#[test]
fn images_computed_together_give_what_each_gives_alone() {
    let circuit = small();
    let images: Vec<Arrays> = (0..3).map(|seed| inputs(&circuit, seed)).collect();
    let options = Options { noise: None };
    let together = simulate::run_all(&circuit, &images, options, &Silent).unwrap();
    let alone = |image| simulate::run(&circuit, image, options, &Silent).unwrap();
    let alone: Vec<_> = images.iter().map(alone).collect();
    let least = alone.iter().filter_map(|s| Some(s.headroom?.bits));
    let least = least.fold(f64::INFINITY, f64::min);
    assert_eq!(together.headroom.unwrap().bits, least);
    let alone: Vec<Arrays> = alone.into_iter().map(|s| s.outputs).collect();
    assert_eq!(together.outputs, alone);
    let none = simulate::run_all(&circuit, &[], options, &Silent).unwrap();
    assert_eq!((none.outputs.len(), none.headroom), (0, None));
}

#[test]
fn images_computed_together_have_noise_of_their_own() {
    let circuit = small();
    let image = inputs(&circuit, 1);
    let options = Options { noise: Some(5) };
    let alone = simulate::run(&circuit, &image, options, &Silent).unwrap();
    let images = vec![image; 3];
    let found = simulate::run_all(&circuit, &images, options, &Silent).unwrap();
    assert_eq!(found.outputs[0], alone.outputs);
    assert_ne!(found.outputs[0], found.outputs[1]);
    assert_ne!(found.outputs[1], found.outputs[2]);
}

#[test]
fn twins_are_the_same_images_without_noise() {
    let circuit = small();
    let images: Vec<Arrays> = (0..3).map(|seed| inputs(&circuit, seed)).collect();
    let exact = simulate::run_all(&circuit, &images, Options { noise: None }, &Silent).unwrap();
    let noisy = simulate::run_all(&circuit, &images, Options { noise: Some(7) }, &Silent).unwrap();
    for twins in [0, 1, 3, 9] {
        let found = simulate::run_twins(&circuit, &images, (7, twins), &Silent).unwrap();
        assert_eq!(found.noisy.outputs, noisy.outputs);
        assert_eq!(found.exact_outputs, exact.outputs[..twins.min(3)]);
        assert_eq!(found.drowned, []);
    }
}

/// `x`, `c x` at the lowest level, and one node that hands on each.
fn faint(factor: f64) -> (Verified, Node) {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let faint = SourceNode {
        name: "faint".into(),
        op: "Mul".into(),
    };
    let node = toy.builder.circuit().nodes.push(faint);
    toy.builder.serve(node);
    let scale = toy.scale();
    let small = toy.push(Inst::MulScalar {
        a: x,
        factor,
        scale,
    });
    let small = toy.push(Inst::Rescale {
        a: small,
        to: Level(2),
    });
    toy.output(small);
    (toy.finish(), node)
}

#[test]
fn a_node_whose_noise_is_as_large_as_its_values_is_named() {
    let twins = |factor| {
        let (circuit, node) = faint(factor);
        let given = [inputs(&circuit, 1)];
        let found = simulate::run_twins(&circuit, &given, (1, 1), &Silent).unwrap();
        (found.drowned, node)
    };
    let (drowned, node) = twins(1e-11);
    let [found] = drowned[..] else {
        panic!("{drowned:?}");
    };
    assert_eq!(found.node, node);
    assert!(found.magnitude < 1e-10 && found.noise > found.magnitude / 2.0);
    assert_eq!(twins(0.5).0, []);
}

/// `x + 2^k i z`, which one node hands on.
fn beside(k: i32) -> Verified {
    let mut toy = TOY.builder();
    let (x, z) = (toy.input("x"), toy.input("z"));
    let node = SourceNode {
        name: "beside".into(),
        op: "Add".into(),
    };
    let node = toy.builder.circuit().nodes.push(node);
    toy.builder.serve(node);
    let exponent = 1 << (TOY.log_n - 1);
    let imaginary = toy.push(Inst::MulMonomial { a: z, exponent });
    let imaginary = toy.push(Inst::MulScalar {
        a: imaginary,
        factor: f64::from(k).exp2(),
        scale: Scale::power_of_two(0),
    });
    let sum = toy.push(Inst::Add(vec![x, imaginary]));
    toy.output(sum);
    toy.finish()
}

#[test]
fn noise_of_imaginary_parts_does_not_drown_a_node() {
    let circuit = beside(40);
    let mut given = inputs(&circuit, 1);
    let shape = given["z"].shape().clone();
    let zeros = vec![0.0; shape.elements()];
    given.insert("z".into(), Array::new(shape, zeros).unwrap());
    let found = simulate::run_twins(&circuit, &[given], (1, 1), &Silent).unwrap();
    assert_eq!(found.drowned, []);
}

#[test]
fn what_the_modulus_does_not_hold_is_named_where_it_is_handed_on() {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let low = toy.push(Inst::DropLevel { a: x, to: Level(0) });
    // A partial sum may be too large, what a node hands on may not.
    let large = toy.push(Inst::Add(vec![low, low, low, low]));
    let less = toy.push(Inst::Sub(large, low));
    let sum = toy.push(Inst::Sub(less, low));
    toy.output(sum);
    let circuit = toy.finish();
    let overflow = |x: f64| {
        let array = Array::new(circuit.inputs[0].shape.clone(), vec![x; 8]).unwrap();
        let given = [Arrays::from([("x".to_owned(), array)])];
        let found = simulate::run_all(&circuit, &given, Options { noise: None }, &Silent).unwrap();
        (
            found.headroom.unwrap().bits,
            found.overflow.map(|h| h.value),
        )
    };
    let fits = 2f64.powf(overflow(1.0).0);
    assert_eq!(overflow(0.9 * fits).1, None);
    let (bits, inside) = overflow(1.5 * fits);
    assert!(bits < 0.0);
    assert_eq!(inside, None);
    assert_eq!(overflow(2.5 * fits).1, Some(sum));
}

#[test]
fn inputs_outside_a_range_that_someone_vouches_for_are_not_simulated() {
    let circuit = small();
    let range = |origin| InputRange {
        low: -8.0,
        high: 8.0,
        origin,
    };
    let run = |origin, factor: f64| {
        let ranges = [("x".to_owned(), range(origin))].into();
        let circuit = circuit.clone().expecting(&ranges, &[].into()).unwrap();
        let array = Array::new(circuit.inputs[0].shape.clone(), vec![factor; 8]).unwrap();
        let given = [Arrays::from([("x".to_owned(), array)])];
        let odd = simulate::oddities(&circuit, &given).map(|odd| odd.len());
        let ran = simulate::run_all(&circuit, &given, Options { noise: None }, &Silent);
        assert_eq!(ran.is_err(), odd.is_err());
        odd.map_err(|e| e.to_string())
    };
    assert_eq!(run(Origin::Calibrated, 7.0), Ok(0));
    assert_eq!(run(Origin::Calibrated, 9.0), Ok(1));
    assert_eq!(run(Origin::Assumed, 100.0), Ok(1));
    assert_eq!(
        run(Origin::Stated, 100.0).unwrap_err(),
        "input `x` holds 100 at [0, 0], outside -8 to 8 (stated by the model), as 8 of its 8 values are"
    );
    assert_eq!(run(Origin::Assumed, 3e38), Ok(1));
}

#[test]
fn progress_reaches_the_end_and_names_the_node() {
    let circuit = small();
    let seen = std::sync::Mutex::new(Vec::new());
    let observe = |step: &peregrine_runtime::exec::Step<'_>| {
        let node = step.node.map(|(_, node)| node.name.clone());
        seen.lock()
            .unwrap()
            .push((step.done, step.total, step.fraction, node));
        std::ops::ControlFlow::Continue(())
    };
    let given = inputs(&circuit, 1);
    simulate::run(&circuit, &given, Options { noise: None }, &observe).unwrap();
    let (done, total, fraction, node) = seen.lock().unwrap().last().cloned().unwrap();
    assert_eq!(done, total);
    assert!((fraction - 1.0).abs() < 1e-12);
    assert_eq!(node.as_deref(), Some("conv1"));
}
