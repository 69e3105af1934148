//! Random networks through the whole compiler: the simulated circuit computes what the tensor graph says, and so do
//! ciphertexts, whatever meets whatever: strides, groups, residual sums at different depths, products, several outputs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use peregrine_compiler::pipeline::{Config, compile};
use peregrine_compiler::tensor::{Graph, Node, Op, Output, Polynomial, Source, SourceId};
use peregrine_ir::linear::{AveragePool, Contract, Conv2d, LinearKind, LinearMap, Window};
use peregrine_ir::{Security, Shape, Tensor, TensorId, text};
use peregrine_tests::flow::{self, Encrypted, error_bits};
use petgraph::graph::NodeIndex;
use proptest::prelude::*;

/// Numbers that steer the construction of a network; missing ones read as 0.
struct Choices<'c> {
    numbers: std::slice::Iter<'c, u32>,
}

impl Choices<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        self.numbers.next().copied().unwrap_or(0) % bound
    }
}

struct Network {
    graph: Graph,
    /// All tensors so far.
    made: Vec<NodeIndex>,
}

impl Network {
    fn node(&mut self, op: Op, shape: Shape, operands: &[NodeIndex]) {
        let source = SourceId(self.graph.sources.len() as u32);
        self.graph.sources.push(Source {
            name: format!("node{}", source.0),
            op: "Random".into(),
        });
        let index = self.graph.add(Node { op, shape, source }, operands);
        self.made.push(index);
    }

    /// A tensor of small weights, different at every call.
    fn tensor(&mut self, dims: &[u32], size: f64) -> TensorId {
        let shape = Shape::new(dims).unwrap();
        let seed = self.graph.tensors.len() as f64;
        let data = (0..shape.elements())
            .map(|i| ((i as f64 + 1.7 * seed) * 0.91).sin() * size)
            .collect();
        self.graph
            .tensors
            .push(Tensor::new(format!("w{seed}"), shape, data).unwrap())
    }

    fn pick(&self, choices: &mut Choices<'_>) -> (NodeIndex, Shape) {
        // Late tensors more often than early ones, so that networks get deep.
        let back = choices.below(3).min(self.made.len() as u32 - 1) as usize;
        let index = self.made[self.made.len() - 1 - back];
        (index, self.graph.node(index).shape.clone())
    }

    fn convolution(&mut self, choices: &mut Choices<'_>) {
        let (x, shape) = self.pick(choices);
        let &[n, c, h, w] = shape.dims() else { return };
        let kernel = [1 + choices.below(3), 1 + choices.below(3)];
        let window = Window {
            kernel,
            strides: [1 + choices.below(3), 1 + choices.below(2)],
            pads: [choices.below(kernel[0]), choices.below(kernel[1])],
            dilations: [1, 1 + choices.below(2)],
        };
        let out = |axis: usize, extent: u32| {
            let reach = window.dilations[axis] * (kernel[axis] - 1) + 1;
            Some((extent + 2 * window.pads[axis]).checked_sub(reach)? / window.strides[axis] + 1)
        };
        let (Some(p), Some(q)) = (out(0, h), out(1, w)) else {
            return;
        };
        let groups = if c % 2 == 0 { 1 + choices.below(2) } else { 1 };
        let m = groups * (1 + choices.below(3));
        let (kind, m) = if choices.below(5) == 0 {
            (
                LinearKind::AveragePool(AveragePool {
                    window,
                    padding_counts: Some(window.pads),
                }),
                c,
            )
        } else {
            let fan_in = f64::from(c / groups * kernel[0] * kernel[1]);
            let weight = self.tensor(&[m, c / groups, kernel[0], kernel[1]], 1.0 / fan_in.sqrt());
            (
                LinearKind::Conv2d(Conv2d {
                    weight,
                    window,
                    groups,
                }),
                m,
            )
        };
        let output = Shape::new([n, m, p, q]).unwrap();
        let bias = (choices.below(2) == 0).then(|| self.tensor(&[m, 1, 1], 0.2));
        let map = LinearMap {
            kind,
            input: shape,
            output: output.clone(),
        };
        self.node(Op::Linear { map, bias }, output, &[x]);
    }

    fn polynomial(&mut self, choices: &mut Choices<'_>) {
        let (x, shape) = self.pick(choices);
        let degree = 1 + choices.below(4);
        let channels = if shape.rank() == 4 {
            shape.dims()[1]
        } else {
            1
        };
        let coefficients = (0..=degree)
            .map(|_| match choices.below(4) {
                0 => self.tensor(&[], 0.5),
                1 => self
                    .graph
                    .tensors
                    .push(Tensor::new("one", Shape::new([]).unwrap(), vec![1.0]).unwrap()),
                _ if shape.rank() == 4 => self.tensor(&[channels, 1, 1], 0.5),
                _ => self.tensor(&[], 0.3),
            })
            .collect();
        let p = Polynomial::new(coefficients, &shape, &self.graph.tensors).unwrap();
        self.node(Op::Polynomial(p), shape, &[x]);
    }

    /// A sum or product of two tensors of one shape, often at different depths.
    fn meet(&mut self, choices: &mut Choices<'_>) {
        let (a, shape) = self.pick(choices);
        let alike: Vec<_> = self
            .made
            .iter()
            .copied()
            .filter(|&i| self.graph.node(i).shape == shape)
            .collect();
        let b = alike[choices.below(alike.len() as u32) as usize];
        let op = if choices.below(3) == 0 {
            Op::Multiply
        } else {
            Op::Add
        };
        self.node(op, shape, &[a, b]);
    }

    fn flatten(&mut self, choices: &mut Choices<'_>) {
        let (x, shape) = self.pick(choices);
        let k = shape.elements() as u32;
        let flat = Shape::new([1, k]).unwrap();
        self.node(Op::Reshape, flat.clone(), &[x]);
        let m = 1 + choices.below(6);
        let weight = self.tensor(&[1, m, k], 1.0 / f64::from(k).sqrt());
        let contract = Contract {
            weight,
            outer: 1,
            groups: 1,
            rows: 1,
            m,
            k,
            inner: 1,
        };
        let output = Shape::new([1, m]).unwrap();
        let map = LinearMap {
            kind: LinearKind::Contract(contract),
            input: flat,
            output: output.clone(),
        };
        let x = self.made[self.made.len() - 1];
        self.node(Op::Linear { map, bias: None }, output, &[x]);
    }
}

fn network(numbers: &[u32]) -> Graph {
    let mut choices = Choices {
        numbers: numbers.iter(),
    };
    let mut network = Network {
        graph: Graph::default(),
        made: Vec::new(),
    };
    let shape = Shape::new([
        1,
        1 + choices.below(4),
        1 + choices.below(13),
        1 + choices.below(13),
    ])
    .unwrap();
    network.node(Op::Input { name: "x".into() }, shape, &[]);
    for _ in 0..1 + choices.below(6) {
        match choices.below(8) {
            0..=2 => network.convolution(&mut choices),
            3..=4 => network.polynomial(&mut choices),
            5..=6 => network.meet(&mut choices),
            _ => network.flatten(&mut choices),
        }
    }
    let last = network.made.len() - 1;
    let outputs = if choices.below(3) == 0 {
        vec![last, last / 2]
    } else {
        vec![last]
    };
    for (i, at) in outputs.into_iter().enumerate() {
        network.graph.outputs.push(Output {
            name: format!("y{i}"),
            node: network.made[at],
            finish: Default::default(),
        });
    }
    network.graph
}

fn check(numbers: &[u32], log_n: u32, encrypted: bool) -> Result<(), TestCaseError> {
    let graph = network(numbers);
    let mut config = Config::new("random");
    config.security = Security::None;
    config.log_n = log_n..=log_n;
    config.precision_bits = 20;
    config.headroom_bits = 14;
    let compiled = compile(&graph, &config).map_err(|e| TestCaseError::fail(e.to_string()))?;
    prop_assert_eq!(
        text::parse(&text::print(&compiled.circuit)).unwrap(),
        (*compiled.circuit).clone()
    );
    let (input, _) = graph.inputs().next().unwrap();
    let elements = graph.node(input).shape.elements();
    let image = (0..elements)
        .map(|i| (i as f64 * 1.3).cos() * 0.9)
        .collect();
    let inputs = flow::inputs(&graph, &[image]).unwrap();
    let want = flow::reference(&graph, &inputs).unwrap();
    let bits = error_bits(
        &flow::simulated(&compiled.circuit, &inputs, None).unwrap(),
        &want,
    );
    // Products with numbers are rounded to the working scale, 23 to 27 bits here; deep networks amplify that.
    prop_assert!(bits < -12.0, "simulated: 2^{bits:.1}");
    let largest = want.values().flatten().fold(0.0f64, |m, x| m.max(x.abs()));
    if encrypted && (0.01..100.0).contains(&largest) {
        let got = Encrypted::new(&compiled.circuit)
            .unwrap()
            .run(&inputs)
            .unwrap();
        let bits = error_bits(&got, &want);
        prop_assert!(bits < -6.0, "encrypted: 2^{bits:.1}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_simulator_agrees(numbers in prop::collection::vec(any::<u32>(), 60), log_n in 5..10u32) {
        check(&numbers, log_n, false)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn ciphertexts_agree(numbers in prop::collection::vec(any::<u32>(), 60)) {
        check(&numbers, 7, true)?;
    }
}
