//! Small networks for tests.

use crate::tensor::{Graph, Node, Op, Output, Polynomial, Source, SourceId};
use peregrine_ir::linear::{
    AveragePool, AxisMap, Contract, Conv2d, ElementScale, Gather, LinearKind, LinearMap, Window,
};
use peregrine_ir::{Shape, Tensor, TensorId};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

pub(super) fn shape(dims: &[u32]) -> Shape {
    Shape::new(dims).unwrap()
}

/// A graph under construction; weights come from a fixed pseudo-random sequence.
pub(super) struct Net {
    pub(super) graph: Graph,
    state: u64,
}

impl Net {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            graph: Graph::default(),
            state: seed.wrapping_mul(2).wrapping_add(1),
        }
    }

    /// A number in -1..1.
    pub(super) fn random(&mut self) -> f64 {
        self.state = self
            .state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub(super) fn tensor(&mut self, name: &str, dims: &[u32]) -> TensorId {
        let s = shape(dims);
        let data = (0..s.elements())
            .map(|_| 0.2 + 0.8 * self.random())
            .collect();
        self.constant(name, dims, data)
    }

    pub(super) fn constant(&mut self, name: &str, dims: &[u32], data: Vec<f64>) -> TensorId {
        let tensor = Tensor::new(name, shape(dims), data).unwrap();
        self.graph.tensors.push(tensor)
    }

    pub(super) fn node(
        &mut self,
        name: &str,
        op: Op,
        s: Shape,
        operands: &[NodeIndex],
    ) -> NodeIndex {
        let name = match name {
            "" => format!("n{}", self.graph.len()),
            _ => name.to_owned(),
        };
        let source = SourceId(self.graph.sources.len() as u32);
        let kind = format!("{op:?}");
        let op_name = kind
            .split(['(', ' ', '{'])
            .next()
            .unwrap_or_default()
            .to_owned();
        self.graph.sources.push(Source { name, op: op_name });
        self.graph.add(
            Node {
                op,
                shape: s,
                source,
            },
            operands,
        )
    }

    pub(super) fn shape_of(&self, x: NodeIndex) -> Shape {
        self.graph.node(x).shape.clone()
    }

    pub(super) fn input(&mut self, dims: &[u32]) -> NodeIndex {
        let name = format!("x{}", self.graph.len());
        self.node(&name.clone(), Op::Input { name }, shape(dims), &[])
    }

    pub(super) fn output(&mut self, node: NodeIndex) {
        let name = format!("y{}", self.graph.outputs.len());
        self.graph.outputs.push(Output {
            name,
            node,
            finish: Default::default(),
        });
    }

    pub(super) fn linear(
        &mut self,
        name: &str,
        x: NodeIndex,
        kind: LinearKind,
        input: &[u32],
        output: &[u32],
        bias: Option<TensorId>,
    ) -> NodeIndex {
        let map = LinearMap {
            kind,
            input: shape(input),
            output: shape(output),
        };
        self.node(name, Op::Linear { map, bias }, shape(output), &[x])
    }

    /// A square convolution that keeps the image size, with a bias.
    pub(super) fn conv(&mut self, name: &str, x: NodeIndex, m: u32, kernel: u32) -> NodeIndex {
        let s = self.shape_of(x);
        let &[n, c, h, w] = s.dims() else {
            panic!("an image")
        };
        let weight = self.tensor(&format!("{name}.weight"), &[m, c, kernel, kernel]);
        let bias = self.tensor(&format!("{name}.bias"), &[m, 1, 1]);
        let pad = (kernel - 1) / 2;
        let window = Window {
            kernel: [kernel; 2],
            strides: [1; 2],
            pads: [pad; 2],
            dilations: [1; 2],
        };
        let kind = LinearKind::Conv2d(Conv2d {
            weight,
            window,
            groups: 1,
        });
        self.linear(name, x, kind, &[n, c, h, w], &[n, m, h, w], Some(bias))
    }

    pub(super) fn pool(&mut self, x: NodeIndex, k: u32) -> NodeIndex {
        let s = self.shape_of(x);
        let &[n, c, h, w] = s.dims() else {
            panic!("an image")
        };
        let window = Window {
            kernel: [k; 2],
            strides: [k; 2],
            pads: [0; 2],
            dilations: [1; 2],
        };
        let kind = LinearKind::AveragePool(AveragePool {
            window,
            padding_counts: None,
        });
        self.linear("", x, kind, &[n, c, h, w], &[n, c, h / k, w / k], None)
    }

    /// Zeros around the image.
    pub(super) fn pad(&mut self, x: NodeIndex) -> NodeIndex {
        self.pad_by(x, [[1; 2]; 2])
    }

    /// These zeros before and after the rows and the columns.
    pub(super) fn pad_by(&mut self, x: NodeIndex, zeros: [[u32; 2]; 2]) -> NodeIndex {
        let s = self.shape_of(x);
        let &[n, c, h, w] = s.dims() else {
            panic!("an image")
        };
        let same = |extent: u32| (0..extent).map(Some).collect::<Vec<_>>();
        let padded = |extent: u32, [before, after]: [u32; 2]| {
            let none = |count: u32| vec![None; count as usize];
            [none(before), same(extent), none(after)].concat()
        };
        let tables = [same(n), same(c), padded(h, zeros[0]), padded(w, zeros[1])];
        let output = tables.each_ref().map(|table| table.len() as u32);
        let axes = tables
            .into_iter()
            .zip(0..)
            .map(|(table, output_axis)| AxisMap { output_axis, table });
        let kind = LinearKind::Gather(Gather {
            axes: axes.collect(),
        });
        self.linear("", x, kind, &[n, c, h, w], &output, None)
    }

    /// Every other pixel, followed by as many channels of zeros as there are: a shortcut without weights.
    pub(super) fn subsample(&mut self, x: NodeIndex) -> NodeIndex {
        let s = self.shape_of(x);
        let &[n, c, h, w] = s.dims() else {
            panic!("an image")
        };
        let half = |extent: u32| (0..extent / 2).map(|i| Some(2 * i)).collect();
        let channels = (0..2 * c).map(|i| (i < c).then_some(i)).collect();
        let tables = [(0..n).map(Some).collect(), channels, half(h), half(w)];
        let axes = tables.into_iter().zip(0..);
        let kind = LinearKind::Gather(Gather {
            axes: axes
                .map(|(table, output_axis)| AxisMap { output_axis, table })
                .collect(),
        });
        let output = [n, 2 * c, h / 2, w / 2];
        self.linear("", x, kind, &[n, c, h, w], &output, None)
    }

    /// A fully connected layer on all elements.
    pub(super) fn gemm(&mut self, name: &str, x: NodeIndex, m: u32) -> NodeIndex {
        let k = self.shape_of(x).elements() as u32;
        let weight = self.tensor(&format!("{name}.weight"), &[1, m, k]);
        let bias = self.tensor(&format!("{name}.bias"), &[m]);
        let kind = LinearKind::Contract(Contract::matrix(weight, m, k));
        self.linear(name, x, kind, &[1, k], &[1, m], Some(bias))
    }

    pub(super) fn flatten(&mut self, x: NodeIndex) -> NodeIndex {
        let elements = self.shape_of(x).elements() as u32;
        self.node("", Op::Reshape, shape(&[1, elements]), &[x])
    }

    /// A polynomial with scalar coefficients.
    pub(super) fn polynomial(&mut self, x: NodeIndex, coefficients: &[f64]) -> NodeIndex {
        let ids: Vec<TensorId> = coefficients
            .iter()
            .map(|&c| self.constant("c", &[], vec![c]))
            .collect();
        self.polynomial_of("", x, ids)
    }

    pub(super) fn polynomial_of(
        &mut self,
        name: &str,
        x: NodeIndex,
        ids: Vec<TensorId>,
    ) -> NodeIndex {
        let s = self.shape_of(x);
        let p = Polynomial::new(ids, &s, &self.graph.tensors).unwrap();
        self.node(name, Op::Polynomial(p), s, &[x])
    }

    /// A batch normalisation: one factor and shift per channel.
    pub(super) fn bn(&mut self, name: &str, x: NodeIndex) -> NodeIndex {
        let s = self.shape_of(x);
        let dims = match s.dims() {
            &[_, c, _, _] => vec![c, 1, 1],
            dims => vec![dims[dims.len() - 1]],
        };
        let shift = self.tensor("shift", &dims);
        let scale = self.tensor("scale", &dims);
        self.polynomial_of(name, x, vec![shift, scale])
    }

    /// The product with a constant, as the front end spells it.
    pub(super) fn scale(&mut self, x: NodeIndex, c: f64) -> NodeIndex {
        let s = self.shape_of(x);
        let weight = self.constant("c", &[], vec![c]);
        let kind = LinearKind::Scale(ElementScale { weight });
        self.linear("", x, kind, s.dims(), s.dims(), None)
    }

    pub(super) fn add(&mut self, operands: &[NodeIndex]) -> NodeIndex {
        let s = self.shape_of(operands[0]);
        self.node("", Op::Add, s, operands)
    }

    pub(super) fn multiply(&mut self, a: NodeIndex, b: NodeIndex) -> NodeIndex {
        let s = self.shape_of(a);
        self.node("", Op::Multiply, s, &[a, b])
    }

    /// `0.3 x^2 + 0.5 x + 0.1` in five nodes.
    pub(super) fn spelled_quadratic(&mut self, x: NodeIndex) -> NodeIndex {
        let square = self.multiply(x, x);
        let quadratic = self.scale(square, 0.3);
        let linear = self.scale(x, 0.5);
        let sum = self.add(&[quadratic, linear]);
        self.polynomial(sum, &[0.1, 1.0])
    }
}

/// One word per node: what operators a graph has.
pub(super) fn words(graph: &Graph) -> Vec<String> {
    graph
        .nodes()
        .map(|index| match &graph.node(index).op {
            Op::Input { .. } => "input".to_owned(),
            Op::Linear { map, .. } => map.keyword().to_owned(),
            Op::Polynomial(p) => format!("p{}", p.degree()),
            Op::Add => "add".to_owned(),
            Op::Multiply => "multiply".to_owned(),
            Op::Reshape => "reshape".to_owned(),
        })
        .collect()
}

/// Coefficients of the polynomial at a position, each in its stored shape.
pub(super) fn coefficients(graph: &Graph, at: usize) -> Vec<Vec<f64>> {
    match &graph.node(NodeIndex::new(at)).op {
        Op::Polynomial(p) => {
            let tensor = |&id| graph.tensors.get(id).unwrap().data().to_vec();
            p.coefficients().iter().map(tensor).collect()
        }
        other => panic!("{other:?} is no polynomial"),
    }
}

/// Fixed values for all inputs.
pub(super) fn inputs(graph: &Graph) -> BTreeMap<String, Vec<f64>> {
    let mut net = Net::new(99);
    graph
        .inputs()
        .map(|(index, name)| {
            let elements = graph.node(index).shape.elements();
            (
                name.to_owned(),
                (0..elements).map(|_| net.random()).collect(),
            )
        })
        .collect()
}

/// Largest difference of outputs relative to the largest value anywhere in the first graph.
pub(super) fn difference(a: &Graph, b: &Graph) -> f64 {
    let x = inputs(a);
    let all = a.evaluate_all(&x).unwrap();
    let largest = all.iter().flatten().fold(1.0f64, |m, v| m.max(v.abs()));
    let (ya, yb) = (a.evaluate(&x).unwrap(), b.evaluate(&x).unwrap());
    assert_eq!(ya.len(), yb.len());
    let pairs = ya.iter().flatten().zip(yb.iter().flatten());
    pairs.fold(0.0f64, |m, (p, q)| m.max((p - q).abs())) / largest
}
