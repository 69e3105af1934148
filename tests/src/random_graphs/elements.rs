//! Element-wise operators: polynomials, factors, sums and products of tensors.

use super::{Choices, Network};
use peregrine_compiler::tensor::{Op, Polynomial};
use peregrine_ir::linear::{ElementScale, LinearKind};
use peregrine_ir::{Shape, TensorId};
use petgraph::graph::NodeIndex;

const DEGREES: [&str; 5] = ["", "degree 1", "degree 2", "degree 3", "degree 4"];

impl Network {
    /// A polynomial of degree 1 to 4, or a product with weights.
    pub(super) fn polynomial(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let x = self.pick(choices);
        let shape = self.builder.graph.node(x).shape.clone();
        if choices.one_in(6) {
            let weight = self.coefficient(choices, &shape);
            self.builder.linear(
                LinearKind::Scale(ElementScale { weight }),
                x,
                shape.dims(),
                None,
            );
            self.features.insert("factors");
            return Some(());
        }
        let degree = 1 + choices.below(4);
        let coefficients = (0..=degree)
            .map(|_| self.coefficient(choices, &shape))
            .collect();
        let polynomial = Polynomial::new(coefficients, &shape, &self.builder.graph.tensors).ok()?;
        self.builder
            .node(Op::Polynomial(polynomial), shape.dims(), &[x]);
        self.features.insert(DEGREES[degree as usize]);
        Some(())
    }

    /// One number, one per channel or one per element; often 1.
    fn coefficient(&mut self, choices: &mut Choices<'_>, shape: &Shape) -> TensorId {
        match (choices.below(8), shape.dims()) {
            (0 | 1, _) => self.builder.weights(&[], 0.5),
            (2 | 3, _) => self.builder.tensor(&[], |_| 1.0),
            (4, dims) => {
                let dims = dims.to_vec();
                self.features.insert("coefficients by element");
                self.builder.weights(&dims, 0.5)
            }
            (_, &[_, c, _, _]) => self.builder.weights(&[c, 1, 1], 0.5),
            _ => self.builder.weights(&[], 0.3),
        }
    }

    /// A sum of two or three tensors or a product of two, of one shape, often at different depths.
    pub(super) fn meet(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let a = self.pick(choices);
        let dims = self.builder.dims(a).to_vec();
        let alike = self.builder.graph.nodes();
        let alike = alike.filter(|&i| i != a && self.builder.dims(i) == dims);
        let mut alike: Vec<NodeIndex> = alike.collect();
        if alike.is_empty() || choices.one_in(6) {
            alike = vec![a];
        }
        let b = choices.of(&alike)?;
        match choices.below(4) {
            0 => {
                self.builder.node(Op::Multiply, &dims, &[a, b]);
                self.features
                    .insert(["product", "square"][usize::from(a == b)]);
            }
            1 => {
                let c = choices.of(&alike)?;
                self.builder.sum(&[a, b, c]);
                self.features.insert("sum of three");
            }
            _ => {
                self.builder.sum(&[a, b]);
                let sum = ["sum at different depths", "sum with itself"];
                self.features.insert(sum[usize::from(a == b)]);
            }
        }
        Some(())
    }
}
