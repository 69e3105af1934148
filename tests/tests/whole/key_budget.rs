//! Rotations that are composed of others: the meaning stays, the keys fit the budget, and what is out of reach is said.

use ndarray::{ArrayD, Axis};
use peregrine_compiler::optimisation::Without;
use peregrine_compiler::passes::keys::{Having, KeyBudget, KeyError, choose_keys};
use peregrine_compiler::pipeline::{CompileError, Config, compile};
use peregrine_ir::cost::CostModel;
use peregrine_ir::stats::Stats;
use peregrine_ir::{
    Builder, Circuit, Inst, LayoutId, Level, RingId, Rotation, Security, Shape, Value, Verified,
    binary, text, verify,
};
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_tests::flow::{self, Encrypted, error_bits, simulated};
use peregrine_tests::random_graphs::{NUMBERS, random_graph};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// Three levels, 32 slots, and no program.
const TABLES: &str = r#"circuit %turns security=none {
    r0 = ring log_n=6 special_primes=[p0]
    D = scale 2^30
    q0 = prime 0x1ffffffffe01
    q1 = prime 0x3ffffe81
    q2 = prime 0x3ffff781
    p0 = special_prime 0xfffffffffa81
    level 0 = [q0]
    level 1 = [q0, q1]
    level 2 = [q0, q1, q2]
    digit 0 = [q0]
    digit 1 = [q1]
    digit 2 = [q2]
    n0 = node "conv" Conv
    l0 = layout gip shape=[32, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
}"#;

/// Numbers that steer the construction; missing ones read as 0.
struct Choices<'c>(std::slice::Iter<'c, u32>);

impl Choices<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.next().copied().unwrap_or(0) % bound
    }

    fn pick(&mut self, values: &[Value]) -> Value {
        values[self.below(values.len() as u32) as usize]
    }

    fn rotation(&mut self) -> Rotation {
        Rotation(1 + self.below(31))
    }
}

fn tables() -> (Builder, Value) {
    let mut builder = Builder::new(text::parse(TABLES).unwrap());
    let node = builder.circuit().nodes.keys().next().unwrap();
    let at = (Level(2), peregrine_ir::Scale::power_of_two(30));
    let shape = Shape::new([32]).unwrap();
    let x = builder.input("x", shape, LayoutId(0), at).unwrap()[0];
    builder.serve(node);
    (builder, x)
}

fn finished(mut builder: Builder, outputs: &[Value]) -> Verified {
    for (i, &value) in outputs.iter().enumerate() {
        let shape = Shape::new([32]).unwrap();
        builder.output(&format!("y{i}"), shape, LayoutId(0), vec![value]);
    }
    verify(builder.finish()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn rotate(builder: &mut Builder, a: Value, rotation: u32) -> Value {
    let rotation = Rotation(rotation);
    builder.push(Inst::Rotate { a, rotation }).unwrap()
}

/// Values that are rotated, added, negated and taken to lower levels, in any order.
fn turns(choices: &[u32]) -> Verified {
    let choices = &mut Choices(choices.iter());
    let (mut builder, x) = tables();
    let mut values = vec![x];
    for _ in 0..1 + choices.below(30) {
        let a = choices.pick(&values);
        let rotation = choices.rotation();
        let new = match choices.below(8) {
            0..=3 => builder.push(Inst::Rotate { a, rotation }),
            4 => {
                let digits = builder.push(Inst::Decompose(a)).unwrap();
                builder.rotate_hoisted(a, digits, rotation)
            }
            5 => {
                let level = builder.type_of(a).unwrap().level();
                let to = Level(level.0.saturating_sub(1));
                builder.push(Inst::DropLevel { a, to })
            }
            _ => {
                let ty = builder.type_of(a).unwrap().clone();
                let alike = values.iter().copied();
                let alike: Vec<Value> =
                    alike.filter(|&v| builder.type_of(v) == Some(&ty)).collect();
                let count = 2 + choices.below(4);
                let terms = (0..count).map(|_| choices.pick(&alike)).collect();
                builder.push(Inst::Add(terms))
            }
        };
        values.extend(new);
    }
    finished(builder, &values[values.len().saturating_sub(4)..])
}

fn image() -> Arrays {
    let data = (0..32).map(|j| (f64::from(j) * 1.3).sin()).collect();
    let array = Array::new(Shape::new([32]).unwrap(), data).unwrap();
    [("x".to_owned(), array)].into()
}

fn simulate(circuit: &Verified) -> BTreeMap<String, Vec<f64>> {
    let outputs = simulated(circuit, &image(), None).unwrap().into_iter();
    outputs.map(|(name, a)| (name, a.into_data())).collect()
}

fn key_bytes(circuit: &Circuit) -> u64 {
    Stats::of(circuit).key_bytes
}

fn settled(circuit: &Circuit, budget: Option<u64>) -> Result<Verified, KeyError> {
    let having = Having {
        cost: &CostModel::default(),
        without: &Without::new(),
        like: None,
    };
    let budget = budget.map_or(KeyBudget::Unlimited, KeyBudget::AtMost);
    let settled = choose_keys(circuit.clone(), having, budget)?;
    assert_eq!(key_bytes(&settled.circuit), settled.chosen.bytes);
    Ok(verify(settled.circuit).unwrap_or_else(|errors| panic!("{errors}")))
}

fn rotations(circuit: &Circuit) -> Vec<u32> {
    circuit
        .keys
        .rotations(RingId(0))
        .map(|(r, _)| r.0)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_meaning_stays_and_keys_fit(
        choices in proptest::collection::vec(any::<u32>(), 0..150),
        part in 0.05f64..1.2,
    ) {
        let before = turns(&choices);
        let want = simulate(&before);
        let free = settled(&before, None).unwrap();
        let budget = (key_bytes(&free) as f64 * part) as u64;
        let after = match settled(&before, Some(budget)) {
            Ok(after) => {
                prop_assert!(key_bytes(&after) <= budget);
                prop_assert_eq!(&settled(&before, Some(budget)).unwrap(), &after);
                after
            }
            Err(KeyError::Budget { budget: said, least }) => {
                prop_assert!(said == budget && least > budget);
                let after = settled(&before, Some(least)).unwrap();
                prop_assert_eq!(key_bytes(&after), least);
                after
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        for circuit in [&free, &after] {
            let error = error_bits(&simulated(circuit, &image(), None).unwrap(), &want);
            prop_assert!(error < -45.0, "2^{error:.1}\n{}", text::print(circuit));
        }
    }
}

/// Of a circuit with these rotations of one value and of terms of one sum.
fn operator(baby: &[u32], giant: &[u32]) -> Verified {
    let (mut builder, x) = tables();
    let turned: Vec<Value> = baby.iter().map(|&k| rotate(&mut builder, x, k)).collect();
    let sums = std::iter::once(x).chain(turned.iter().copied()).cycle();
    let mut terms: Vec<Value> = vec![x];
    for (&k, term) in giant.iter().zip(sums) {
        let part = builder.push(Inst::Negate(term)).unwrap();
        terms.push(rotate(&mut builder, part, k));
    }
    if terms.len() > 1 {
        terms = vec![builder.push(Inst::Add(terms)).unwrap()];
    }
    let outputs: Vec<Value> = turned.into_iter().chain(terms).collect();
    finished(builder, &outputs)
}

/// On ciphertexts, too.
fn keys_within(before: &Verified, keys: u64) -> Verified {
    let one = Stats::of(before).keys[0].bytes;
    let after = settled(before, Some(keys * one)).unwrap();
    let want = simulate(before);
    let error = error_bits(&simulated(&after, &image(), None).unwrap(), &want);
    assert!(error < -45.0, "2^{error:.1}");
    let encrypted = Encrypted::new(&after).unwrap().run(&image()).unwrap();
    let error = error_bits(&encrypted, &want);
    assert!(error < -15.0, "2^{error:.1} on ciphertexts");
    after
}

#[test]
fn baby_steps_follow_each_other_without_further_key_switches() {
    let before = operator(&[1, 2, 3, 4, 5], &[]);
    let after = keys_within(&before, 1);
    assert_eq!(rotations(&after), [1]);
    let switches = |circuit: &Circuit| Stats::of(circuit).total.key_switches;
    assert_eq!(switches(&after), switches(&before));
    assert_eq!(rotations(&keys_within(&before, 5)), [1, 2, 3, 4, 5]);
}

#[test]
fn giant_steps_are_added_on_the_way() {
    let before = operator(&[], &[4, 8, 12, 16, 20, 24, 28]);
    let after = keys_within(&before, 1);
    // By 4 or by -4.
    assert_eq!(rotations(&after).len(), 1);
    assert_eq!(Stats::of(&after).total.key_switches, 7);
}

#[test]
fn a_key_that_is_large_for_one_use_becomes_smaller() {
    let (mut builder, x) = tables();
    let high: Vec<Value> = [1, 2, 3].map(|k| rotate(&mut builder, x, k)).into();
    let low = builder
        .push(Inst::DropLevel { a: x, to: Level(0) })
        .unwrap();
    let low = [3, 9].map(|k| rotate(&mut builder, low, k));
    let before = finished(builder, &[high, low.into()].concat());
    let keys = |circuit: &Circuit| -> Vec<(u32, u32)> {
        let keys = circuit.keys.rotations(RingId(0));
        keys.map(|(r, level)| (r.0, level.0)).collect()
    };
    assert_eq!(keys(&before), [(1, 2), (2, 2), (3, 2), (9, 0)]);
    let stats = Stats::of(&before);
    let budget = stats.key_bytes - stats.keys[2].bytes + stats.keys[3].bytes;
    let after = settled(&before, Some(budget)).unwrap();
    let lowered = keys(&after);
    assert!(
        lowered.contains(&(9, 0)) && lowered.iter().filter(|(_, l)| *l == 2).count() == 2,
        "{lowered:?}"
    );
}

#[test]
fn digits_on_ciphertexts_with_half_the_keys() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    let graph = flow::load(&folder.join("digits.onnx")).unwrap();
    let mut config = Config::new("digits");
    config.key_budget = KeyBudget::Unlimited;
    let all = compile(&graph, &config).unwrap();
    let bytes = key_bytes(&all.circuit);
    config.key_budget = KeyBudget::AtMost(bytes / 2);
    let half = compile(&graph, &config).unwrap();
    let again = compile(&graph, &config).unwrap();
    assert_eq!(
        binary::write_circuit(&half.circuit),
        binary::write_circuit(&again.circuit)
    );
    assert!(key_bytes(&half.circuit) <= bytes / 2);
    assert_eq!(half.key_choices, all.key_choices);
    let remark = &half.circuit.remarks.last().unwrap().text;
    assert!(remark.starts_with("rotations are composed"), "{remark}");
    let seconds: Vec<f64> = half.key_choices.iter().map(|c| c.seconds).collect();
    assert!(seconds.is_sorted(), "{seconds:?}");

    let array: ArrayD<f32> = ndarray_npy::read_npy(folder.join("images.npy")).unwrap();
    let image = array.index_axis(Axis(0), 0);
    let image = image.iter().map(|&x| f64::from(x)).collect();
    let inputs = flow::inputs(&graph, &[image]).unwrap();
    let want = flow::reference(&graph, &inputs).unwrap();
    let got = Encrypted::new(&half.circuit).unwrap().run(&inputs).unwrap();
    let bits = error_bits(&got, &want);
    assert!(bits <= -10.0, "error 2^{bits:.1}");

    config.key_budget = KeyBudget::AtMost(bytes / 100);
    let error = compile(&graph, &config).unwrap_err();
    let CompileError::Keys(KeyError::Budget { least, .. }) = error else {
        panic!("{error}");
    };
    config.key_budget = KeyBudget::AtMost(least);
    compile(&graph, &config).unwrap();
}

#[test]
fn the_knee_is_the_fewest_keys_that_hardly_cost_time() {
    let model = peregrine_tests::networks::resnet8();
    let options = peregrine_compiler::onnx::Options::new("resnet8");
    let graph = peregrine_compiler::onnx::import(
        &model,
        &peregrine_compiler::onnx::NoExternalData,
        &options,
    )
    .unwrap();
    let with = |key_budget| {
        let config = Config {
            key_budget,
            precision_bits: 10,
            ..Config::new("resnet8")
        };
        compile(&graph, &config)
    };
    let seconds = |circuit: &Circuit| CostModel::default().predict(circuit).seconds;
    let free = with(KeyBudget::Unlimited).unwrap().circuit;
    let (slower, most) = (1.05, 4 << 30);
    let knee = with(KeyBudget::Knee { slower, most }).unwrap();
    let bytes = key_bytes(&knee.circuit);
    assert!(bytes < key_bytes(&free));
    assert!(seconds(&knee.circuit) <= slower * seconds(&free));
    assert!(knee.key_choices.iter().any(|choice| choice.bytes == bytes));
    // An eighth less makes it slower than that, or is out of reach.
    match with(KeyBudget::AtMost(bytes / 8 * 7)) {
        Ok(fewer) => assert!(seconds(&fewer.circuit) > slower * seconds(&free)),
        Err(error) => assert!(matches!(error, CompileError::Keys(KeyError::Budget { .. }))),
    }
    // The limit holds, however slow a run is with it.
    let most = bytes / 2;
    match with(KeyBudget::Knee { slower, most }) {
        Ok(limited) => assert!(key_bytes(&limited.circuit) <= most),
        Err(error) => assert!(
            matches!(error, CompileError::Keys(KeyError::Budget { budget, .. }) if budget == most)
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn random_networks_compute_the_same_with_fewer_keys(
        numbers in proptest::collection::vec(any::<u32>(), NUMBERS),
        part in 2u64..9,
    ) {
        let network = random_graph(&numbers);
        let graph = &network.graph;
        let mut config = Config::new("random");
        config.security = Security::None;
        config.log_n = network.log_n..=network.log_n;
        config.precision_bits = 20;
        config.headroom_bits = 14;
        config.key_budget = KeyBudget::Unlimited;
        let all = key_bytes(&compile(graph, &config).unwrap().circuit);
        config.key_budget = KeyBudget::AtMost(all / part);
        let circuit = match compile(graph, &config) {
            Ok(compiled) => compiled.circuit,
            Err(CompileError::Keys(KeyError::Budget { least, .. })) => {
                config.key_budget = KeyBudget::AtMost(least);
                compile(graph, &config).unwrap().circuit
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let KeyBudget::AtMost(most) = config.key_budget else {
            unreachable!()
        };
        prop_assert!(key_bytes(&circuit) <= most);
        let value = |i: usize| (i as f64 * 1.3).cos() * 0.9;
        let images: Vec<Vec<f64>> = graph
            .inputs()
            .map(|(index, _)| (0..graph.node(index).shape.elements()).map(value).collect())
            .collect();
        let inputs = flow::inputs(graph, &images).unwrap();
        let want = flow::reference(graph, &inputs).unwrap();
        let bits = error_bits(&simulated(&circuit, &inputs, None).unwrap(), &want);
        prop_assert!(bits < -12.0, "2^{bits:.1}");
    }
}
