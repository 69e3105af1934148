//! Tensor graphs written down in tests: canonical operators as a front end makes them, shapes worked out.

#![allow(
    clippy::expect_used,
    reason = "a network that does not fit together is a mistake of the test that writes it"
)]

use peregrine_compiler::tensor::{Graph, Node, Op, Output, Source, SourceId};
use peregrine_ir::linear::{AxisMap, Gather, LinearKind, LinearMap};
use peregrine_ir::{Finish, Shape, Tensor, TensorId};
use petgraph::graph::NodeIndex;

/// The input coordinate for each output coordinate along an axis; `None` is a zero.
pub type Table = Vec<Option<u32>>;

/// A graph under construction. Nodes are called `node0`, `node1`, ...
#[derive(Debug, Default)]
pub struct Builder {
    /// What there is so far.
    pub graph: Graph,
}

impl Builder {
    /// Appends an operator whose operands have the shapes it needs.
    pub fn node(&mut self, op: Op, dims: &[u32], operands: &[NodeIndex]) -> NodeIndex {
        let source = SourceId(self.graph.sources.len() as u32);
        self.graph.sources.push(Source {
            name: format!("node{}", source.0),
            op: "Test".into(),
        });
        let shape = shape(dims);
        self.graph.add(Node { op, shape, source }, operands)
    }

    /// An input.
    pub fn input(&mut self, name: &str, dims: &[u32]) -> NodeIndex {
        self.node(Op::Input { name: name.into() }, dims, &[])
    }

    /// Names a result.
    pub fn output(&mut self, name: &str, node: NodeIndex) {
        let name = name.into();
        self.graph.outputs.push(Output {
            name,
            node,
            finish: Finish::default(),
        });
    }

    /// The dimensions of a tensor.
    pub fn dims(&self, index: NodeIndex) -> &[u32] {
        self.graph.node(index).shape.dims()
    }

    /// The dimensions of an image; `None` for a tensor of another rank.
    pub fn image(&self, index: NodeIndex) -> Option<[u32; 4]> {
        self.dims(index).try_into().ok()
    }

    /// A linear operator on the elements of `x`, seen with its own dimensions.
    pub fn linear(
        &mut self,
        kind: LinearKind,
        x: NodeIndex,
        output: &[u32],
        bias: Option<TensorId>,
    ) -> NodeIndex {
        let map = LinearMap {
            kind,
            input: self.graph.node(x).shape.clone(),
            output: shape(output),
        };
        self.node(Op::Linear { map, bias }, output, &[x])
    }

    /// The elements of `x` under other dimensions.
    pub fn reshaped(&mut self, x: NodeIndex, dims: &[u32]) -> NodeIndex {
        self.node(Op::Reshape, dims, &[x])
    }

    /// The sum of tensors of one shape.
    pub fn sum(&mut self, terms: &[NodeIndex]) -> NodeIndex {
        let dims = terms.first().map_or(Vec::new(), |&t| self.dims(t).to_vec());
        self.node(Op::Add, &dims, terms)
    }

    /// Weights between `-size` and `size`, others at every call.
    pub fn weights(&mut self, dims: &[u32], size: f64) -> TensorId {
        let seed = self.graph.tensors.len() as f64;
        self.tensor(dims, |i| ((i as f64 + 1.7 * seed) * 0.91).sin() * size)
    }

    /// A tensor by its elements.
    pub fn tensor(&mut self, dims: &[u32], value: impl Fn(usize) -> f64) -> TensorId {
        let shape = shape(dims);
        let data = (0..shape.elements()).map(value).collect();
        let name = format!("w{}", self.graph.tensors.len());
        let tensor = Tensor::new(name, shape, data).expect("as many finite numbers as it takes");
        self.graph.tensors.push(tensor)
    }

    /// `x` with the coordinates along some axes replaced, each by a table of input coordinates.
    pub fn along(&mut self, x: NodeIndex, tables: Vec<(usize, Table)>) -> NodeIndex {
        let mut all: Vec<Table> = self.dims(x).iter().map(|&d| straight(d)).collect();
        for (axis, table) in tables {
            all[axis] = table;
        }
        let output: Vec<u32> = all.iter().map(|table| table.len() as u32).collect();
        let axes = all.into_iter().zip(0..);
        let axes = axes.map(|(table, output_axis)| AxisMap { output_axis, table });
        let axes = axes.collect();
        self.linear(LinearKind::Gather(Gather { axes }), x, &output, None)
    }

    /// `x` with axis `order[j]` as axis `j`.
    pub fn transposed(&mut self, x: NodeIndex, order: &[usize]) -> NodeIndex {
        let dims = self.dims(x).to_vec();
        let output: Vec<u32> = order.iter().map(|&a| dims[a]).collect();
        let place = |axis| order.iter().position(|&a| a == axis);
        let axes = dims.iter().enumerate().map(|(axis, &extent)| AxisMap {
            output_axis: place(axis).expect("a permutation of the axes") as u32,
            table: straight(extent),
        });
        let axes = axes.collect();
        self.linear(LinearKind::Gather(Gather { axes }), x, &output, None)
    }

    /// Tensors side by side along an axis: each put in its place among zeros, and their sum.
    pub fn joined(&mut self, parts: &[NodeIndex], axis: usize) -> NodeIndex {
        let extents: Vec<u32> = parts.iter().map(|&p| self.dims(p)[axis]).collect();
        let total: u32 = extents.iter().sum();
        let (mut start, mut placed) = (0, Vec::new());
        for (&part, &extent) in parts.iter().zip(&extents) {
            let inside = |i: u32| i.checked_sub(start).filter(|&i| i < extent);
            let table = (0..total).map(inside).collect();
            placed.push(self.along(part, vec![(axis, table)]));
            start += extent;
        }
        self.sum(&placed)
    }
}

/// Every coordinate where it is.
pub fn straight(extent: u32) -> Table {
    (0..extent).map(Some).collect()
}

fn shape(dims: &[u32]) -> Shape {
    Shape::new(dims).expect("extents of at least 1, and not many elements")
}
