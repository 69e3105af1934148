//! Lowering: tensor graph and layouts to slot program, node by node.

use super::identity::identity;
use super::linear::{LinearPlan, emit};
use super::polynomial::{Evaluation, broadcast};
use super::{Full, Packed, Program, SlotOp, SlotPort, SlotValue};
use crate::layout::{LayoutPlan, words};
use crate::tensor::{Graph, Op, Polynomial};
use peregrine_ir::linear::{LinearError, LinearMap};
use peregrine_ir::{Constant, LayoutId, Node, Remark, Shape, SourceNode, TensorId};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

/// The slot program of `graph` with every tensor packed as `plan` says.
///
/// # Errors
/// When the graph is not well formed.
pub fn lower(graph: &Graph, plan: &LayoutPlan) -> Result<Program, LowerError> {
    let nodes = graph
        .sources
        .iter()
        .map(|s| SourceNode {
            name: s.name.clone(),
            op: s.op.clone(),
        })
        .collect();
    let program = Program {
        nodes,
        tensors: graph.tensors.clone(),
        ..Program::default()
    };
    let mut lowering = Lowering {
        graph,
        plan,
        program,
        done: Vec::with_capacity(graph.len()),
        moved: BTreeMap::new(),
        any: None,
    };
    for index in graph.nodes() {
        let packed = lowering.node(index)?;
        let packed = lowering.switched(index, packed)?;
        lowering.done.push(packed);
    }
    lowering.finish()
}

struct Lowering<'g> {
    graph: &'g Graph,
    plan: &'g LayoutPlan,
    program: Program,
    /// By graph node.
    done: Vec<Packed>,
    /// Tensors that were brought to another layout, by node and layout.
    moved: BTreeMap<(NodeIndex, LayoutId), Packed>,
    /// Some value of the ring that nodes are computed in.
    any: Option<SlotValue>,
}

impl Lowering<'_> {
    fn node(&mut self, index: NodeIndex) -> Result<Packed, LowerError> {
        let node = self.graph.node(index);
        let serve = Node(node.source.0);
        let layout = self.program.layout(self.plan.layout(index));
        let operands = self.operands(index, serve)?;
        match &node.op {
            Op::Input { name } => Ok(self.input(name, &node.shape, layout, serve)),
            Op::Linear { map, bias } => {
                self.linear(index, (map, *bias), &operands, (layout, serve))
            }
            Op::Polynomial(p) => self.polynomial(p, &node.shape, &operands, serve),
            Op::Add => Ok(self.add(&operands, (layout, serve))),
            Op::Multiply => self.multiply(&operands, (layout, serve)),
            Op::Reshape => first(&operands, index),
        }
    }

    /// The operands of a node in the layouts in which it takes them: one that lies otherwise goes through a map that moves
    /// nothing else, one level deep.
    fn operands(&mut self, index: NodeIndex, node: Node) -> Result<Vec<Packed>, LowerError> {
        let missing = LowerError::Operand {
            node: index.index(),
        };
        let mut operands = Vec::new();
        for (position, operand) in self.graph.operands(index).into_iter().enumerate() {
            let x = self.done.get(operand.index()).cloned();
            let x = x.ok_or_else(|| missing.clone())?;
            let wanted = self.plan.operand(self.graph, index, position);
            let wanted = self.program.layout(wanted.ok_or_else(|| missing.clone())?);
            if x.layout == wanted {
                operands.push(x);
                continue;
            }
            if let Some(done) = self.moved.get(&(operand, wanted)) {
                operands.push(done.clone());
                continue;
            }
            let map = identity(&self.graph.node(operand).shape);
            let plan = self.plan_map((index, &map), (x.layout, wanted), false)?;
            self.explain_move((x.layout, wanted), &plan, node);
            let moved = emit(&mut self.program, map, &plan, &x, (wanted, node));
            self.moved.insert((operand, wanted), moved.clone());
            operands.push(moved);
        }
        Ok(operands)
    }

    /// A node's result in the small ring, where a network goes on there.
    fn switched(&mut self, index: NodeIndex, packed: Packed) -> Result<Packed, LowerError> {
        let Some(layout) = self.plan.choice(index).switched else {
            return Ok(packed);
        };
        let node = Node(self.graph.node(index).source.0);
        let full = self.full(packed, node)?;
        let layout = self.program.layout(layout);
        let switch = |value| Some(self.program.push(SlotOp::SwitchRing(value), node));
        let values: Vec<_> = full.values.into_iter().map(switch).collect();
        self.any = values.first().copied().flatten();
        Ok(Packed { layout, values })
    }

    fn input(&mut self, name: &str, shape: &Shape, layout: LayoutId, node: Node) -> Packed {
        let count = self
            .program
            .layouts
            .get(layout)
            .map_or(0, |l| l.ciphertexts());
        let values = (0..count)
            .map(|_| self.program.push(SlotOp::Input, node))
            .collect();
        let full = Full { layout, values };
        self.any = self.any.or(full.values.first().copied());
        let values = full.values.iter().copied().map(Some).collect();
        self.program.inputs.push(SlotPort {
            name: name.into(),
            shape: shape.clone(),
            packed: full,
        });
        Packed { layout, values }
    }

    fn linear(
        &mut self,
        index: NodeIndex,
        (map, bias): (&LinearMap, Option<TensorId>),
        operands: &[Packed],
        (layout, node): (LayoutId, Node),
    ) -> Result<Packed, LowerError> {
        let x = first(operands, index)?;
        let turned = self.plan.choice(index).turned;
        let plan = self.plan_map((index, map), (x.layout, layout), turned)?;
        self.explain(index, (x.layout, layout), &plan, node);
        let mut y = emit(&mut self.program, map.clone(), &plan, &x, (layout, node));
        if let Some(bias) = bias {
            let operator = broadcast(&mut self.program, bias, map.output.clone(), layout);
            let full = self.full(y, node)?;
            let sums = (0u32..).zip(full.values).map(|(part, value)| {
                let constant = self.program.constant(Constant::Fill { operator, part });
                Some(self.program.push(SlotOp::AddConst(value, constant), node))
            });
            y = Packed {
                layout,
                values: sums.collect(),
            };
        }
        Ok(y)
    }

    fn explain(
        &mut self,
        index: NodeIndex,
        (from, to): (LayoutId, LayoutId),
        plan: &LinearPlan,
        node: Node,
    ) {
        let layouts = &self.program.layouts;
        if let (Some(from), Some(to)) = (layouts.get(from), layouts.get(to)) {
            let reasons = words::reasons(self.graph, self.plan, (index, from, to), plan);
            self.remark(reasons, node);
        }
    }

    fn explain_move(&mut self, (from, to): (LayoutId, LayoutId), plan: &LinearPlan, node: Node) {
        let layouts = &self.program.layouts;
        if let (Some(from), Some(to)) = (layouts.get(from), layouts.get(to)) {
            let (from, to) = (words::packing(from), words::packing(to));
            let reason = format!("first from {from} to {to}, which this operator needs: {plan}");
            self.remark(vec![reason], node);
        }
    }

    fn remark(&mut self, reasons: Vec<String>, node: Node) {
        let remark = |text| Remark {
            node: Some(node),
            text,
        };
        self.program.remarks.extend(reasons.into_iter().map(remark));
    }

    /// With zeros where nothing was known to be.
    fn full(&mut self, packed: Packed, node: Node) -> Result<Full, LowerError> {
        let Packed { layout, values } = packed;
        let known = values.iter().copied().flatten().next();
        let any = known.or(self.any);
        let any = any.ok_or(LowerError::Operand {
            node: node.0 as usize,
        })?;
        let values = values.into_iter();
        Ok(Full {
            layout,
            values: values
                .map(|value| value.unwrap_or_else(|| self.program.zero(any, node)))
                .collect(),
        })
    }

    fn plan_map(
        &self,
        (index, map): (NodeIndex, &LinearMap),
        (from, to): (LayoutId, LayoutId),
        turned: bool,
    ) -> Result<LinearPlan, LowerError> {
        let layouts = &self.program.layouts;
        let (Some(from), Some(to)) = (layouts.get(from), layouts.get(to)) else {
            return Err(LowerError::Operand {
                node: index.index(),
            });
        };
        let bound = map.bind(&self.program.tensors)?;
        let price = self.plan.price(self.graph, index);
        let by_copies = match turned {
            true => LinearPlan::turned(&bound, from, to, price),
            false => None,
        };
        Ok(by_copies.unwrap_or_else(|| LinearPlan::new(&bound, from, to, price)))
    }

    fn polynomial(
        &mut self,
        p: &Polynomial,
        shape: &Shape,
        operands: &[Packed],
        node: Node,
    ) -> Result<Packed, LowerError> {
        let x = self.full(first(operands, NodeIndex::new(0))?, node)?;
        let mut evaluation =
            Evaluation::new(&mut self.program, p.coefficients(), (shape, x.layout, node));
        let values = (0u32..)
            .zip(&x.values)
            .map(|(part, &value)| Some(evaluation.apply(value, part)))
            .collect();
        Ok(Packed {
            layout: x.layout,
            values,
        })
    }

    fn add(&mut self, operands: &[Packed], (layout, node): (LayoutId, Node)) -> Packed {
        let parts = operands.first().map_or(0, |p| p.values.len());
        let values = (0..parts)
            .map(|part| {
                let terms = operands
                    .iter()
                    .filter_map(|p| p.values.get(part).copied().flatten());
                let terms: Vec<SlotValue> = terms.collect();
                self.program.sum(terms, node)
            })
            .collect();
        Packed { layout, values }
    }

    fn multiply(
        &mut self,
        operands: &[Packed],
        (layout, node): (LayoutId, Node),
    ) -> Result<Packed, LowerError> {
        let [a, b] = operands else {
            return Err(LowerError::Operand {
                node: node.0 as usize,
            });
        };
        let pairs = a.values.iter().zip(&b.values);
        let values = pairs
            .map(|(a, b)| Some(self.program.push(SlotOp::Mul((*a)?, (*b)?), node)))
            .collect();
        Ok(Packed { layout, values })
    }

    fn finish(mut self) -> Result<Program, LowerError> {
        for output in &self.graph.outputs {
            let packed = self.done.get(output.node.index()).cloned();
            let packed = packed.ok_or(LowerError::Operand {
                node: output.node.index(),
            })?;
            let node = Node(self.graph.node(output.node).source.0);
            let packed = self.full(packed, node)?;
            let shape = self.graph.node(output.node).shape.clone();
            self.program.outputs.push(SlotPort {
                name: output.name.clone(),
                shape,
                packed,
            });
        }
        self.program.remove_dead();
        Ok(self.program)
    }
}

fn first(operands: &[Packed], index: NodeIndex) -> Result<Packed, LowerError> {
    operands.first().cloned().ok_or(LowerError::Operand {
        node: index.index(),
    })
}

/// Why a graph cannot be lowered; always a defect of an earlier stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// A node lacks an operand or its plan.
    #[error("node {node} of the tensor graph lacks an operand or its plan")]
    Operand {
        /// Its number.
        node: usize,
    },
    /// A linear map is not well formed.
    #[error(transparent)]
    Linear(#[from] LinearError),
}
