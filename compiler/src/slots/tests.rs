use super::diagonals::Diagonals;
use super::displacements::{Displaced, Displacements, Joined, by_axes};
use super::linear::{DiagonalPlan, LinearPlan, emit};
use super::wiring::Wiring;
use super::*;
use crate::layout::candidates;
use crate::optimisation::Without;
use crate::tensor::{Graph, Op};
use peregrine_ir::cost::{LinearCost, Prices};
use peregrine_ir::linear::{AxisMap, Contract, Conv2d, Gather, LinearKind, LinearMap, Window};
use peregrine_ir::{Circuit, Entity, Filler, LayoutParts, RingTable, Security, Tensor};
use proptest::prelude::*;

/// Ratios of about six primes, one per digit.
const COST: LinearCost = LinearCost {
    decompose: 1.0,
    baby: 0.8,
    giant: 1.2,
    mod_down: 0.4,
    key: 0.1,
    product: 0.15,
    scalar: 0.02,
    rescale: 0.3,
    square: 2.5,
};

/// Runs a slot program on cleartext slots: the meaning of [`SlotOp`].
fn interpret(program: &Program, inputs: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut tables = Circuit::new("tables", Security::None, RingTable::default());
    tables.layouts = program.layouts.clone();
    tables.tensors = program.tensors.clone();
    tables.operators = program.operators.clone();
    tables.constants = program.constants.clone();
    let filler = Filler::new(&tables).unwrap();
    let mut inputs = inputs.iter();
    let mut values: Vec<Vec<f64>> = Vec::new();
    for inst in program.values.values() {
        let at = |v: &SlotValue| &values[v.index()];
        let zip = |a: &[f64], b: &[f64], f: fn(f64, f64) -> f64| -> Vec<f64> {
            a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
        };
        let zeros = |terms: &[(SlotValue, Const)]| vec![0.0; at(&terms[0].0).len()];
        let value = match &inst.op {
            SlotOp::Input => inputs.next().unwrap().clone(),
            SlotOp::Rotate(a, k) => {
                let mut slots = at(a).clone();
                slots.rotate_left(k.0 as usize);
                slots
            }
            SlotOp::Dot(terms) => terms.iter().fold(zeros(terms), |sum, (a, c)| {
                zip(
                    &sum,
                    &zip(at(a), &filler.fill(*c).unwrap(), |x, y| x * y),
                    |x, y| x + y,
                )
            }),
            SlotOp::Mask(terms) => terms.iter().fold(zeros(terms), |sum, (a, c)| {
                let product = zip(at(a), &filler.fill(*c).unwrap(), |x, y| x * y);
                zip(&sum, &product, |x, y| x + y)
            }),
            SlotOp::Scalars(terms, mask) => {
                let mut sum = zeros(terms);
                for (a, c) in terms {
                    assert!(filler.is_uniform(*c).unwrap());
                    let factor = filler.scalar(*c).unwrap();
                    sum.iter_mut()
                        .zip(at(a))
                        .for_each(|(s, x)| *s += factor * x);
                }
                match mask {
                    Some(mask) => zip(&sum, &filler.fill(*mask).unwrap(), |x, y| x * y),
                    None => sum,
                }
            }
            SlotOp::AddConst(a, c) => zip(at(a), &filler.fill(*c).unwrap(), |x, y| x + y),
            SlotOp::MulScalar(a, r) => at(a).iter().map(|x| x * r).collect(),
            SlotOp::Add(terms) => terms[1..].iter().fold(at(&terms[0]).clone(), |sum, t| {
                zip(&sum, at(t), |x, y| x + y)
            }),
            SlotOp::Negate(a) => at(a).iter().map(|x| -x).collect(),
            SlotOp::Mul(a, b) => zip(at(a), at(b), |x, y| x * y),
            SlotOp::Refresh(values, of) => at(&values[*of].0).clone(),
            SlotOp::SwitchRing(a) => {
                let (half, other) = at(a).split_at(at(a).len() / 2);
                zip(half, other, |x, y| (x + y) / 2.0)
            }
        };
        values.push(value);
    }
    values
}

prop_compose! {
    /// A layout of `shape` with everything free, at 256 slots or what it needs.
    fn layout_of(shape: [u32; 3])(phases in [1..4u32, 1..4u32], gaps in [1..3u32, 1..3u32], guard in 0..2u32,
                                  spare in 0..3u32, replicas in 0..4u32, skew in prop_oneof![Just(0u32), 0..64u32],
                                  jump in prop_oneof![Just(0u32), 0..64u32])
                                 -> Layout {
        let log_slots = 8;
        let (mut phases, mut gaps) = (phases, gaps);
        loop {
            let pitch = shape[2].div_ceil(phases[1]) * gaps[1] + guard;
            let plane = shape[1].div_ceil(phases[0]) * gaps[0] * pitch + spare;
            let replicas = 1 << replicas.min(8 - plane.next_power_of_two().min(256).ilog2());
            let (skew, jump) = (skew % (256 / replicas), jump % (256 / replicas));
            let (jump, run) = if replicas > 2 && jump > 0 { (jump, 2) } else { (0, 1) };
            match Layout::new(LayoutParts { log_slots, shape, phases, gaps, pitch, plane, replicas, skew, jump, run }) {
                Ok(layout) => return layout,
                Err(_) if gaps != [1, 1] => gaps = [1, 1],
                Err(_) => phases = [phases[0] + 1, phases[1] + 1],
            }
        }
    }
}

/// A matrix whose every `sparse`-th entry is zero, none for zero.
fn matrix() -> impl Strategy<Value = (LinearMap, Tensors, Layout, Layout)> {
    (1..40u32, 1..40u32, 0..9usize)
        .prop_map(|(m, k, sparse)| {
            let mut tensors = Tensors::new();
            let is_zero = |i: usize| sparse > 0 && (i * 7).is_multiple_of(sparse);
            let data = (0..m as usize * k as usize)
                .map(|i| if is_zero(i) { 0.0 } else { 1.0 + i as f64 })
                .collect();
            let shape = Shape::new([1, m, k]).unwrap();
            let weight = tensors.push(Tensor::new("w", shape, data).unwrap());
            let kind = LinearKind::Contract(Contract::matrix(weight, m, k));
            let shape = |extent| Shape::new([1, extent]).unwrap();
            let (input, output) = (shape(k), shape(m));
            (
                LinearMap {
                    kind,
                    input,
                    output,
                },
                tensors,
            )
        })
        .prop_flat_map(|(map, tensors)| {
            let (from, to) = (layout_of(map.input.chw()), layout_of(map.output.chw()));
            (Just(map), Just(tensors), from, to)
        })
}

fn convolution() -> impl Strategy<Value = (LinearMap, Tensors, Layout, Layout)> {
    let window = (
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
        });
    (window, 1..3u32, 1..4u32, 1..4u32, 3..12u32, 3..12u32)
        .prop_filter_map("the window fits", |(window, groups, ci, co, h, w)| {
            let out = |extent: u32, axis: usize| {
                let reach = window.dilations[axis] * (window.kernel[axis] - 1) + 1;
                Some(
                    (extent + 2 * window.pads[axis]).checked_sub(reach)? / window.strides[axis] + 1,
                )
            };
            let mut tensors = Tensors::new();
            let shape = Shape::new([groups * co, ci, window.kernel[0], window.kernel[1]]).ok()?;
            let data = (0..shape.elements())
                .map(|i| (i as f64 * 0.7).sin())
                .collect();
            let weight = tensors.push(Tensor::new("w", shape, data).ok()?);
            let map = LinearMap {
                kind: LinearKind::Conv2d(Conv2d {
                    weight,
                    window,
                    groups,
                }),
                input: Shape::new([1, groups * ci, h, w]).ok()?,
                output: Shape::new([1, groups * co, out(h, 0)?, out(w, 1)?]).ok()?,
            };
            Some((map, tensors))
        })
        .prop_flat_map(|(map, tensors)| {
            let (from, to) = (layout_of(map.input.chw()), layout_of(map.output.chw()));
            (Just(map), Just(tensors), from, to)
        })
}

/// Where the coordinates of an axis of an extent come from: a slice, an upsampling, a part's place in a concatenation.
fn table(extent: u32) -> impl Strategy<Value = Vec<Option<u32>>> {
    let slice = (0..extent, 1..3usize).prop_map(move |(first, step)| {
        let coordinates = (first..extent).step_by(step);
        coordinates.map(Some).collect()
    });
    let repeated = (1..3u32).prop_map(move |times| {
        let coordinates = 0..extent * times;
        coordinates.map(|at| Some(at / times)).collect()
    });
    let padded = (0..4usize, 0..4usize).prop_map(move |(before, behind)| {
        let zeros = |count| std::iter::repeat_n(None, count);
        let all = zeros(before).chain((0..extent).map(Some));
        all.chain(zeros(behind)).collect()
    });
    let nothing = Just(vec![None; 2]);
    prop_oneof![8 => padded, 4 => slice, 4 => repeated, 1 => nothing]
}

/// A map that moves each axis by itself, of one to four axes, with the layout of its input.
fn gather() -> impl Strategy<Value = (LinearMap, Layout)> {
    let dims = prop::collection::vec(1..7u32, 1..5);
    let map = dims.prop_flat_map(|dims| {
        let tables: Vec<_> = dims.iter().map(|&extent| table(extent)).collect();
        tables.prop_map(move |tables| {
            let output = tables
                .iter()
                .map(|table| table.len() as u32)
                .collect::<Vec<_>>();
            let axes = (0..).zip(tables);
            let axes = axes.map(|(output_axis, table)| AxisMap { output_axis, table });
            LinearMap {
                kind: LinearKind::Gather(Gather {
                    axes: axes.collect(),
                }),
                input: Shape::new(dims.clone()).unwrap(),
                output: Shape::new(output).unwrap(),
            }
        })
    });
    map.prop_flat_map(|map| {
        let from = layout_of(map.input.chw());
        (Just(map), from)
    })
}

/// The plan computes what the map says, at most one multiplication deep.
fn check(
    map: &LinearMap,
    tensors: &Tensors,
    (from, to): (&Layout, &Layout),
    plan: &LinearPlan,
) -> Result<(), TestCaseError> {
    let mut program = Program {
        tensors: tensors.clone(),
        ..Program::default()
    };
    let (input, output) = (program.layout(*from), program.layout(*to));
    let node = Node(0);
    let values = (0..from.ciphertexts())
        .map(|_| Some(program.push(SlotOp::Input, node)))
        .collect();
    let x = Packed {
        layout: input,
        values,
    };
    let y = emit(&mut program, map.clone(), plan, &x, (output, node));

    let image: Vec<f64> = (0..map.input.elements())
        .map(|i| (i as f64).cos())
        .collect();
    let slots = interpret(&program, &from.pack(&image));
    let zero = vec![0.0; from.slots() as usize];
    let got = y
        .values
        .iter()
        .map(|v| v.map_or(&zero, |v| &slots[v.index()]));
    let want = to.pack(&map.bind(tensors).unwrap().apply(&image));
    for (got, want) in got.flatten().zip(want.iter().flatten()) {
        prop_assert!((got - want).abs() < 1e-9, "{got} instead of {want}");
    }
    prop_assert!(program.depth() <= 1);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any pair of layouts of the family, one multiplication deep.
    #[test]
    fn a_convolution_between_any_two_layouts((map, tensors, from, to) in convolution()) {
        let plan = LinearPlan::new(&map.bind(&tensors).unwrap(), &from, &to, &COST);
        check(&map, &tensors, (&from, &to), &plan)?;
    }

    /// Every number of partial sums, whether or not it saves anything.
    #[test]
    fn a_convolution_with_partial_sums((map, tensors, from, to) in convolution(), log in 1..4u32) {
        let to = to.untwisted();
        let fold = (1 << log).min(to.parts().replicas);
        let diagonals = Diagonals::of(&map.bind(&tensors).unwrap(), &from, &to, fold);
        let plan = LinearPlan::Diagonals(DiagonalPlan::new(diagonals, fold, (&from, &to), &COST));
        check(&map, &tensors, (&from, &to), &plan)?;
    }

    /// Copies that masks turn.
    #[test]
    fn a_convolution_with_turned_copies((map, tensors, from, to) in convolution()) {
        if let Some(plan) = LinearPlan::turned(&map.bind(&tensors).unwrap(), &from, &to, &COST) {
            check(&map, &tensors, (&from, &to), &plan)?;
        }
    }

    /// The candidates of the planner, at slots that make planes fill ciphertexts, several fit, and none.
    #[test]
    fn a_convolution_between_candidates((map, tensors, _, _) in convolution(), log_slots in 4..9u32) {
        let bound = map.bind(&tensors).unwrap();
        let reach = candidates::Reach { pixels: 6, channels: 8, stride: 4 };
        let inputs = candidates::of_input(map.input.chw(), log_slots, reach, &Without::new()).unwrap();
        for from in inputs {
            for to in candidates::of(&map, &from, &Without::new()).unwrap() {
                if let Some(plan) = LinearPlan::regular(&bound, &from, &to, &COST) {
                    check(&map, &tensors, (&from, &to), &plan)?;
                }
            }
        }
    }

    /// Between images with channels at the lowest index weights repeat, whatever the borders, strides, phases and groups.
    #[test]
    fn a_convolution_with_periodic_weights((map, tensors, _, _) in convolution(),
                                           log_slots in 6..10u32, log_channels in 1..4u32,
                                           phases in [0..3u32, 0..3u32], guards in [0..3u32, 0..4u32]) {
        let shape = map.input.chw();
        let (phases, channels) = (phases.map(|log| 1 << log), 1 << log_channels);
        let pitch = (shape[2].div_ceil(phases[1]) + guards[1]) * channels;
        let parts = LayoutParts {
            log_slots, shape, phases, gaps: [1, channels], pitch, plane: 1 << log_slots, replicas: 1, skew: 0, jump: 0, run: 1,
        };
        let from = Layout::new(parts);
        prop_assume!(from.is_ok());
        let from = from.unwrap();
        let bound = map.bind(&tensors).unwrap();
        for to in candidates::of(&map, &from, &Without::new()).unwrap() {
            if let Some(plan) = LinearPlan::regular(&bound, &from, &to, &COST) {
                check(&map, &tensors, (&from, &to), &plan)?;
            }
        }
    }

    /// Whatever operations cost, the cheapest of the options is what is planned.
    #[test]
    fn options_cost_what_the_plan_of_them_does((map, tensors, from, to) in convolution(), dear in [0.1..10.0f64, 0.1..10.0f64]) {
        let bound = map.bind(&tensors).unwrap();
        let cost = LinearCost { baby: COST.baby * dear[0], giant: COST.giant * dear[1], ..COST };
        let mut displaced = Displaced::default();
        let regular = (LinearOptions::regular(&bound, &from, &to, &mut displaced), LinearPlan::regular(&bound, &from, &to, &cost));
        let turned = (LinearOptions::turned(&bound, &from, &to, &mut displaced), LinearPlan::turned(&bound, &from, &to, &cost));
        for (options, plan) in [regular, turned] {
            let priced = options.map(|options| (options.price(&to, &cost), options.depth()));
            let depth = |plan: &LinearPlan| u32::from(!matches!(plan, LinearPlan::Wiring(_)));
            prop_assert_eq!(priced, plan.map(|plan| (plan.price(&to, &cost), depth(&plan))));
        }
    }

    /// The quick way to displacements finds what the slow one does.
    #[test]
    fn displacements_by_axes_are_those_by_elements((map, tensors, from, to) in convolution(), zeros in 0..3usize) {
        let mut tensors = tensors;
        for tensor in tensors.values_mut() {
            let data = tensor.data().iter().enumerate();
            let data = data.map(|(i, &w)| if zeros > 0 && i % (zeros + 1) == 0 { 0.0 } else { w }).collect();
            *tensor = Tensor::new("w", tensor.shape().clone(), data).unwrap();
        }
        let bound = map.bind(&tensors).unwrap();
        let slow = Displacements::by_elements(&bound, &from, &to);
        // What is few decides the way, not what is found.
        for share in [1, 4, 1000] {
            let joined = Joined::all_of(&bound, share);
            let quick = by_axes(&bound, &joined, &from, &to);
            prop_assert_eq!(quick.as_ref(), Some(&slow));
        }
    }

    /// What is found by axes for maps that move each axis by itself is what elements show, between any layouts and those that the
    /// planner tries, of which many pass ciphertexts on.
    #[test]
    fn moves_by_axes_are_those_by_elements(((map, from), to) in gather().prop_flat_map(|(map, from)| {
        let to = layout_of(map.output.chw());
        (Just((map, from)), to)
    })) {
        let none = Tensors::new();
        let bound = map.bind(&none).unwrap();
        let tried = candidates::of(&map, &from, &Without::new()).unwrap_or_default();
        for to in tried.into_iter().chain([to]).filter(|to| to.slots() == from.slots()) {
            let quick = (Displacements::of(&bound, &from, &to), Wiring::of(&bound, &from, &to));
            let slow = (Displacements::by_elements(&bound, &from, &to), Wiring::by_elements(&bound, &from, &to));
            prop_assert_eq!(quick, slow, "{} to {}", from, to);
        }
    }

    #[test]
    fn displacements_of_a_matrix_are_those_by_elements((map, tensors, from, to) in matrix()) {
        let bound = map.bind(&tensors).unwrap();
        let quick = Displacements::by_matrix(&bound, &from, &to);
        prop_assert_eq!(quick, Some(Displacements::by_elements(&bound, &from, &to)));
    }

    /// Every degree, sparse or full, at the promised depth.
    #[test]
    fn a_polynomial_of_any_degree(coefficients in prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), Just(-1.0), -2.0..2.0f64], 1..12),
                                  per_channel in any::<bool>()) {
        let shape = Shape::new([1, 3, 2, 2]).unwrap();
        let mut graph = Graph::default();
        graph.sources.push(crate::tensor::Source { name: "p".into(), op: "Polynomial".into() });
        let ids = coefficients.iter().map(|&c| {
            let (dims, data) = if per_channel { (vec![3, 1, 1], vec![c, c * 0.5, -c]) } else { (vec![], vec![c]) };
            graph.tensors.push(Tensor::new("c", Shape::new(dims).unwrap(), data).unwrap())
        }).collect();
        let p = crate::tensor::Polynomial::new(ids, &shape, &graph.tensors).unwrap();
        let source = crate::tensor::SourceId(0);
        let x = graph.add(crate::tensor::Node { op: Op::Input { name: "x".into() }, shape: shape.clone(), source }, &[]);
        let y = graph.add(crate::tensor::Node { op: Op::Polynomial(p), shape: shape.clone(), source }, &[x]);
        graph.outputs.push(crate::tensor::Output { name: "y".into(), node: y, finish: Default::default() });

        let without = Without::new();
        let mut quotes = crate::layout::Quotes::default();
        let place = crate::layout::Place { graph: &graph, log_slots: 4, cut: None, without: &without };
        let mut planning = crate::layout::Planning::new(place, Prices::new([COST]), &mut quotes).unwrap();
        let plan = planning.fewest_levels().unwrap();
        let program = lower(&graph, &plan).unwrap();
        let image: Vec<f64> = (0..12).map(|i| (i as f64).cos()).collect();
        let slots = interpret(&program, &plan.layout(x).pack(&image));
        let packed = &program.outputs[0].packed;
        let got = plan.layout(y).unpack(&packed.values.iter().map(|v| slots[v.index()].clone()).collect::<Vec<_>>());
        let want = graph.evaluate(&[("x".to_string(), image)].into()).unwrap();
        for (got, want) in got.iter().zip(&want[0]) {
            prop_assert!((got - want).abs() < 1e-9 * (1.0 + want.abs()), "{got} instead of {want}");
        }
        let degree = coefficients.iter().rposition(|&c| c != 0.0).unwrap_or(0) as u32;
        prop_assert!(program.depth() <= (degree + 1).next_power_of_two().ilog2().max(1));
    }
}

/// A 3x3 convolution of four channels in an image of 6x6 pixels, packed with four channels at the lowest index.
fn lowest(guard: u32, stride: u32) -> (LinearMap, Tensors, Layout, Layout) {
    let mut tensors = Tensors::new();
    let weights = (1..=4 * 4 * 9).map(f64::from).collect();
    let weight = Tensor::new("w", Shape::new([4, 4, 3, 3]).unwrap(), weights).unwrap();
    let weight = tensors.push(weight);
    let window = Window {
        kernel: [3, 3],
        strides: [stride; 2],
        pads: [1, 1],
        dilations: [1, 1],
    };
    let (groups, pixels) = (1, 6 / stride);
    let map = LinearMap {
        kind: LinearKind::Conv2d(Conv2d {
            weight,
            window,
            groups,
        }),
        input: Shape::new([1, 4, 6, 6]).unwrap(),
        output: Shape::new([1, 4, pixels, pixels]).unwrap(),
    };
    let layout = |pixels: u32, gap: u32, pitch: u32| {
        let parts = LayoutParts {
            log_slots: 8,
            shape: [4, pixels, pixels],
            phases: [1, 1],
            gaps: [1, gap],
            pitch,
            plane: 256,
            replicas: 1,
            skew: 0,
            jump: 0,
            run: 1,
        };
        Layout::new(parts).unwrap()
    };
    let pitch = (6 + guard) * 4;
    let (from, to) = (
        layout(6, 4, pitch),
        layout(pixels, 4 * stride, stride * pitch),
    );
    (map, tensors, from, to)
}

#[test]
fn weights_repeat_where_guards_are_wide_enough() {
    for (guard, stride, period) in [(1, 1, Some(4)), (1, 2, Some(8)), (0, 1, None)] {
        let (map, tensors, from, to) = lowest(guard, stride);
        let plan = LinearPlan::regular(&map.bind(&tensors).unwrap(), &from, &to, &COST).unwrap();
        let found = match &plan {
            LinearPlan::Periodic(_, repeat) => Some((repeat.period, repeat.masked)),
            _ => None,
        };
        assert_eq!(
            found,
            period.map(|period| (period, true)),
            "{guard} {stride}"
        );
        check(&map, &tensors, (&from, &to), &plan).unwrap();
    }
}

#[test]
fn rotations_of_neighbouring_taps_are_shared() {
    let (map, tensors, from, to) = lowest(1, 1);
    let diagonals = Diagonals::of(&map.bind(&tensors).unwrap(), &from, &to, 1);
    // Three rows of taps, each from the last channel of the first pixel to the first one of the last pixel.
    assert_eq!(diagonals.products(), 3 * (4 + 3 * 4 - 1));
}
