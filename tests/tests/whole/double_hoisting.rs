//! Where divisions by P move past products: the meaning stays, and no model of a machine is made slower by it.

use peregrine_compiler::optimisation::Without;
use peregrine_compiler::passes::{PASSES, run_all};
use peregrine_ir::cost::{CostModel, Rates};
use peregrine_ir::stats::Stats;
use peregrine_ir::{
    Basis, Builder, Circuit, Const, Constant, Inst, LayoutId, Level, OperatorId, Rotation, Shape,
    Value, Verified, text, verify,
};
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_tests::flow::{error_bits, simulated};
use peregrine_tests::machines;
use proptest::prelude::*;

/// Tables without a program: a matrix for constants with slots, a kernel for constants that are one number.
const TABLES: &str = r#"circuit %sums security=none {
    r0 = ring log_n=4 special_primes=[p0]
    D = scale 2^30
    q0 = prime 0x1fffffffff61
    q1 = prime 0x3ffffe81
    p0 = special_prime 0xfffffffffa81
    level 0 = [q0]
    level 1 = [q0, q1]
    digit 0 = [q0]
    digit 1 = [q1]
    n0 = node "conv" Conv
    l0 = layout gip shape=[8, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
    w0 = tensor "weight" [8] = [0.5, -0.25, 1.0, 0.75, -1.0, 0.125, 0.25, -0.5]
    w1 = tensor "gain" [1] = [-0.75]
    op0 = scale w0 [8] l0 -> [8] l0
    op1 = scale w1 [8] l0 -> [8] l0
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
}

struct Network {
    builder: Builder,
    outputs: u32,
}

impl Network {
    fn push(&mut self, inst: Inst) -> Value {
        self.builder.push(inst).unwrap()
    }

    fn output(&mut self, value: Value) {
        let name = format!("y{}", self.outputs);
        self.outputs += 1;
        let shape = Shape::new([8]).unwrap();
        self.builder.output(&name, shape, LayoutId(0), vec![value]);
    }

    fn constant(&mut self, constant: Constant) -> Const {
        self.builder.circuit().constants.push(constant)
    }

    fn rotate(&mut self, a: Value, digits: Value, choices: &mut Choices<'_>) -> Value {
        let rotation = Rotation(1 + choices.below(7));
        self.builder.rotate_hoisted(a, digits, rotation).unwrap()
    }

    fn plain(&mut self, choices: &mut Choices<'_>) -> Value {
        let pre = choices.below(8);
        let constant = self.constant(Constant::Diagonal {
            operator: OperatorId(0),
            input: 0,
            output: 0,
            rotation: 0,
            pre,
        });
        let scale = peregrine_ir::Scale::prime(peregrine_ir::Prime(1));
        let encoded = self
            .builder
            .encode(constant, Level(1), scale, Basis::Normal);
        encoded.unwrap()
    }

    /// A sum of products of some of these.
    fn product(&mut self, of: &[Value], choices: &mut Choices<'_>) -> Value {
        let count = 1 + choices.below(5);
        let ciphers: Vec<Value> = (0..count).map(|_| choices.pick(of)).collect();
        if choices.below(3) == 2 {
            let number = self.constant(Constant::Uniform {
                operator: OperatorId(1),
                input: 0,
                output: 0,
                rotation: 0,
            });
            return self.push(Inst::DotScalar {
                constants: vec![number; ciphers.len()],
                ciphers,
                scale: peregrine_ir::Scale::prime(peregrine_ir::Prime(1)),
            });
        }
        let shared = self.plain(choices);
        let plains: Vec<Value> = (0..count)
            .map(|_| match choices.below(4) {
                3 => shared,
                _ => self.plain(choices),
            })
            .collect();
        match (ciphers.as_slice(), plains.as_slice()) {
            ([a], [p]) => self.push(Inst::MulPlain(*a, *p)),
            _ => self.push(Inst::Dot { ciphers, plains }),
        }
    }
}

/// Rotations of some inputs, sums of products of them, some rotated on and some added.
fn network(choices: &[u32]) -> Verified {
    let choices = &mut Choices(choices.iter());
    let mut net = Network {
        builder: Builder::new(text::parse(TABLES).unwrap()),
        outputs: 0,
    };
    let node = net.builder.circuit().nodes.keys().next().unwrap();
    net.builder.serve(node);
    let mut rotated = Vec::new();
    for i in 0..=choices.below(2) {
        let at = (Level(1), peregrine_ir::Scale::power_of_two(30));
        let (name, shape) = (format!("x{i}"), Shape::new([8]).unwrap());
        let x = net.builder.input(&name, shape, LayoutId(0), at).unwrap()[0];
        let digits = net.push(Inst::Decompose(x));
        rotated.push(x);
        for _ in 0..choices.below(6) {
            let turned = net.rotate(x, digits, choices);
            rotated.push(turned);
        }
    }
    let mut sums = Vec::new();
    for _ in 0..=choices.below(6) {
        let mut sum = net.product(&rotated, choices);
        if choices.below(3) == 1 {
            let digits = net.push(Inst::Decompose(sum));
            sum = net.rotate(sum, digits, choices);
        }
        sums.push(sum);
    }
    if choices.below(4) == 3 {
        let twice = choices.pick(&rotated);
        let sum = net.push(Inst::Add(vec![twice, rotated[0]]));
        net.output(sum);
    }
    for part in sums.chunks(1 + choices.below(4) as usize) {
        let sum = match part {
            [one] => *one,
            _ => net.push(Inst::Add(part.to_vec())),
        };
        net.output(sum);
    }
    verify(net.builder.finish()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A machine on which these passes take this long.
fn machine(transform: f64, encode_limb: f64) -> CostModel {
    let rates = Rates {
        transform,
        add: 1e-9,
        multiply: 1e-9,
        accumulate: 1e-9,
        key_product: 1e-9,
        convert: 1e-9,
        fill: 1e-9,
        encode_fixed: 1e-9,
        encode_limb,
        read: 1e-9,
    };
    machines::machine(13, rates).unwrap()
}

fn optimised(circuit: &Circuit, cost: &CostModel) -> Verified {
    verify(run_all(circuit.clone(), cost, &Without::new()).unwrap())
        .unwrap_or_else(|errors| panic!("{errors}"))
}

/// By all other passes.
fn without(circuit: &Circuit, cost: &CostModel) -> Circuit {
    let others = PASSES.iter().filter(|p| p.name != "double-hoist");
    others.fold(circuit.clone(), |circuit, pass| {
        (pass.run)(circuit, cost).unwrap()
    })
}

fn divisions(circuit: &Circuit) -> u64 {
    Stats::of(circuit).total.mod_downs
}

fn inputs(circuit: &Circuit) -> Arrays {
    let ports = circuit.inputs.iter().enumerate();
    let data = |i: usize| (0..8).map(|j| ((i * 8 + j) as f64 * 1.3).sin()).collect();
    let array = |i: usize| Array::new(Shape::new([8]).unwrap(), data(i)).unwrap();
    ports.map(|(i, p)| (p.name.clone(), array(i))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_meaning_stays_and_nothing_gets_slower(choices in proptest::collection::vec(any::<u32>(), 0..150)) {
        let before = network(&choices);
        let inputs = inputs(&before);
        let want = simulated(&before, &inputs, None).unwrap();
        let want = want.into_iter().map(|(name, array)| (name, array.into_data())).collect();
        let (divide, encode) = (machine(1e-3, 1e-9), machine(1e-9, 1e-3));
        for cost in [&divide, &encode, &CostModel::default()] {
            let after = optimised(&before, cost);
            let error = error_bits(&simulated(&after, &inputs, None).unwrap(), &want);
            prop_assert!(error < -45.0, "2^{error:.1}\n{}", text::print(&after));
            let plain = without(&before, cost);
            let (with, without) = (cost.predict(&after).seconds, cost.predict(&plain).seconds);
            prop_assert!(with <= without * (1.0 + 1e-9), "{with} instead of {without}");
        }
        prop_assert!(divisions(&optimised(&before, &divide)) <= divisions(&without(&before, &divide)));
    }
}

/// The property above is worth something only if divisions move, and on some machine.
#[test]
fn divisions_move_where_they_cost_most() {
    let mut state = 1u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let (divide, encode) = (machine(1e-3, 1e-9), machine(1e-9, 1e-3));
    let mut fewer = 0;
    for _ in 0..100 {
        let choices: Vec<u32> = (0..150).map(|_| next()).collect();
        let circuit = network(&choices);
        let plain = divisions(&without(&circuit, &divide));
        fewer += u32::from(divisions(&optimised(&circuit, &divide)) < plain);
        let raised = |d: &peregrine_ir::Definition| {
            matches!(
                d.inst,
                Inst::Encode {
                    basis: Basis::Extended,
                    ..
                }
            )
        };
        assert!(!optimised(&circuit, &encode).values.values().any(raised));
    }
    assert!(fewer >= 30, "{fewer} of 100 circuits divide less");
}
