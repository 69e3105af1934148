//! Lowering: from a tensor graph with layouts to a slot program, node by node.

use super::identity::identity;
use super::linear::{LinearPlan, emit};
use super::polynomial::{Evaluation, broadcast};
use super::{Full, Packed, Program, SlotOp, SlotPort, SlotValue};
use crate::layout::{LayoutPlan, words};
use crate::placement::Placement;
use crate::tensor::{Graph, NodeName, Op, PerNode, Polynomial};
use peregrine_ir::linear::{LinearError, LinearMap};
use peregrine_ir::{Constant, LayoutId, Node, Remark, Shape, SourceNode, TensorId};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

/// Lowers `graph` to a slot program in which every tensor is packed as `plan` says.
///
/// # Errors
/// When the graph is not well formed.
pub fn lower(graph: &Graph, plan: &LayoutPlan) -> Result<Program, LowerError> {
    lowered(graph, plan, None)
}

/// Lowers `graph` to a slot program whose values are refreshed where `placement` says so.
///
/// # Errors
/// When the graph is not well formed, or a value is to be refreshed that has no bound.
pub fn lower_refreshed(
    graph: &Graph,
    plan: &LayoutPlan,
    placement: &Placement,
) -> Result<Program, LowerError> {
    lowered(graph, plan, Some(placement))
}

fn lowered(
    graph: &Graph,
    plan: &LayoutPlan,
    placement: Option<&Placement>,
) -> Result<Program, LowerError> {
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
        placement,
        stretch: 0,
        done: PerNode::filled(graph, None),
        refreshed: PerNode::filled(graph, None),
        moved: BTreeMap::new(),
        any: None,
    };
    for index in graph.nodes() {
        lowering.begin(index)?;
        let packed = lowering.node(index)?;
        let packed = lowering.switched(index, packed)?;
        lowering.done[index] = Some(packed);
    }
    lowering.finish()
}

struct Lowering<'g> {
    graph: &'g Graph,
    plan: &'g LayoutPlan,
    program: Program,
    /// Where values are refreshed.
    placement: Option<&'g Placement>,
    /// The stretch between refreshes that has begun.
    stretch: usize,
    /// The results of the nodes that have been lowered.
    done: PerNode<Option<Packed>>,
    /// Those that have been refreshed.
    refreshed: PerNode<Option<Packed>>,
    /// Tensors that were converted to another layout, by node, layout, and whether they were refreshed before.
    moved: BTreeMap<(NodeIndex, LayoutId, bool), Packed>,
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
            Op::Polynomial(p) => self.polynomial(index, p, &operands, serve),
            Op::Add => self.add(index, &operands, (layout, serve)),
            Op::Multiply => self.multiply(index, &operands, (layout, serve)),
            Op::Reshape => self.first(index, &operands),
        }
    }

    /// The operands of a node in the layouts in which it takes them. One that lies otherwise goes through the identity,
    /// one level deep.
    fn operands(&mut self, index: NodeIndex, node: Node) -> Result<Vec<Packed>, LowerError> {
        let mut operands = Vec::new();
        for (position, operand) in self.graph.operands(index).into_iter().enumerate() {
            let refreshed = self.placement.is_some_and(|p| p.crosses(operand, index));
            let known = match refreshed {
                true => &self.refreshed,
                false => &self.done,
            };
            let x = known[operand].clone();
            let x = x.ok_or_else(|| self.lacking(index))?;
            let wanted = self.plan.operand(self.graph, index, position);
            let wanted = self
                .program
                .layout(wanted.ok_or_else(|| self.lacking(index))?);
            if x.layout == wanted {
                operands.push(x);
                continue;
            }
            if let Some(done) = self.moved.get(&(operand, wanted, refreshed)) {
                operands.push(done.clone());
                continue;
            }
            let map = identity(&self.graph.node(operand).shape);
            let plan = self.plan_map((index, &map), (x.layout, wanted), false)?;
            self.explain_move((x.layout, wanted), &plan, node);
            let moved = emit(&mut self.program, map, &plan, &x, (wanted, node));
            self.moved
                .insert((operand, wanted, refreshed), moved.clone());
            operands.push(moved);
        }
        Ok(operands)
    }

    /// The result of a node in the second ring, where the network goes on there after it.
    fn switched(&mut self, index: NodeIndex, packed: Packed) -> Result<Packed, LowerError> {
        let Some(layout) = self.plan.choice(index).switched else {
            return Ok(packed);
        };
        let node = Node(self.graph.node(index).source.0);
        let full = self.full(index, packed)?;
        let layout = self.program.layout(layout);
        let switch = |value| Some(self.program.push(SlotOp::SwitchRing(value), node));
        let values: Vec<_> = full.values.into_iter().map(switch).collect();
        self.any = values.first().copied().flatten();
        Ok(Packed { layout, values })
    }

    /// Refreshes what crosses into the stretch of a node, if it begins there.
    fn begin(&mut self, index: NodeIndex) -> Result<(), LowerError> {
        let Some(placement) = self.placement else {
            return Ok(());
        };
        while self.stretch < placement.stretch(index) {
            self.stretch += 1;
            self.refresh(placement, self.stretch)?;
        }
        Ok(())
    }

    /// Refreshes what crosses into a stretch, two ciphertexts at a time.
    fn refresh(&mut self, placement: &Placement, stretch: usize) -> Result<(), LowerError> {
        let nodes = placement.refreshed_at(self.graph, stretch);
        let mut bounded: Vec<(SlotValue, f64)> = Vec::new();
        for &index in &nodes {
            let packed = self.done[index].as_ref();
            let packed = packed.ok_or_else(|| self.lacking(index))?;
            let bound = placement.bounds[index];
            let bound = bound.ok_or_else(|| LowerError::Unbounded {
                node: self.graph.name(index),
            })?;
            bounded.extend(packed.values.iter().flatten().map(|&v| (v, bound)));
        }
        let mut fresh: BTreeMap<SlotValue, SlotValue> = BTreeMap::new();
        for &index in &nodes {
            let node = Node(self.graph.node(index).source.0);
            for values in self.done[index].iter().flat_map(|packed| &packed.values) {
                let Some(at) = bounded.iter().position(|(v, _)| Some(*v) == *values) else {
                    continue;
                };
                let first = at / 2 * 2;
                let together = bounded.iter().skip(first).take(2).copied().collect();
                let op = SlotOp::Refresh(together, at - first);
                fresh.insert(bounded[at].0, self.program.push(op, node));
            }
            let packed = self.done[index].clone().map(|packed| Packed {
                layout: packed.layout,
                values: packed
                    .values
                    .iter()
                    .map(|value| fresh.get(value.as_ref()?).copied())
                    .collect(),
            });
            self.refreshed[index] = packed;
        }
        Ok(())
    }

    fn input(&mut self, name: &str, shape: &Shape, layout: LayoutId, node: Node) -> Packed {
        let count = self.program.layouts[layout].ciphertexts();
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
        let x = self.first(index, operands)?;
        let turned = self.plan.choice(index).turned;
        let plan = self.plan_map((index, map), (x.layout, layout), turned)?;
        self.explain(index, (x.layout, layout), &plan, node);
        let mut y = emit(&mut self.program, map.clone(), &plan, &x, (layout, node));
        if let Some(bias) = bias {
            let operator = broadcast(&mut self.program, bias, map.output.clone(), layout);
            let full = self.full(index, y)?;
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
        let [from, to] = [from, to].map(|layout| &self.program.layouts[layout]);
        let reasons = words::reasons(self.graph, self.plan, (index, from, to), plan);
        self.remark(reasons, node);
    }

    fn explain_move(&mut self, (from, to): (LayoutId, LayoutId), plan: &LinearPlan, node: Node) {
        let [from, to] = [from, to].map(|layout| words::packing(&self.program.layouts[layout]));
        let reason = format!("first from {from} to {to}, which this operator needs: {plan}");
        self.remark(vec![reason], node);
    }

    fn remark(&mut self, reasons: Vec<String>, node: Node) {
        let remark = |text| Remark {
            node: Some(node),
            text,
        };
        self.program.remarks.extend(reasons.into_iter().map(remark));
    }

    /// The packed tensor with zeros in place of ciphertexts that are known to be zero.
    fn full(&mut self, index: NodeIndex, packed: Packed) -> Result<Full, LowerError> {
        let node = Node(self.graph.node(index).source.0);
        let Packed { layout, values } = packed;
        let known = values.iter().copied().flatten().next();
        let any = known.or(self.any);
        let any = any.ok_or_else(|| self.lacking(index))?;
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
        let [from, to] = [from, to].map(|layout| &self.program.layouts[layout]);
        let bound = map.bind(&self.program.tensors);
        let bound = bound.map_err(|source| LowerError::Linear {
            node: self.graph.name(index),
            source: source.into(),
        })?;
        let price = self.plan.price(self.graph, index);
        let by_copies = match turned {
            true => LinearPlan::turned(&bound, from, to, price),
            false => None,
        };
        Ok(by_copies.unwrap_or_else(|| LinearPlan::new(&bound, from, to, price)))
    }

    fn polynomial(
        &mut self,
        index: NodeIndex,
        p: &Polynomial,
        operands: &[Packed],
        node: Node,
    ) -> Result<Packed, LowerError> {
        let x = self.full(index, self.first(index, operands)?)?;
        let packed = (&self.graph.node(index).shape, x.layout, node);
        let mut evaluation = Evaluation::new(&mut self.program, p.coefficients(), packed);
        let values = (0u32..)
            .zip(&x.values)
            .map(|(part, &value)| Some(evaluation.apply(value, part)))
            .collect();
        Ok(Packed {
            layout: x.layout,
            values,
        })
    }

    fn add(
        &mut self,
        index: NodeIndex,
        operands: &[Packed],
        (layout, node): (LayoutId, Node),
    ) -> Result<Packed, LowerError> {
        let parts = self.parts(index, operands, layout)?;
        let values = (0..parts)
            .map(|part| {
                let terms = operands.iter().filter_map(|p| p.values[part]);
                let terms: Vec<SlotValue> = terms.collect();
                self.program.sum(terms, node)
            })
            .collect();
        Ok(Packed { layout, values })
    }

    /// The number of ciphertexts of each operand of a sum or product: that of the layout in which they meet.
    fn parts(
        &self,
        index: NodeIndex,
        operands: &[Packed],
        layout: LayoutId,
    ) -> Result<usize, LowerError> {
        let parts = self.program.layouts[layout].ciphertexts() as usize;
        let alike = operands.iter().all(|operand| operand.values.len() == parts);
        match alike && !operands.is_empty() {
            true => Ok(parts),
            false => Err(self.lacking(index)),
        }
    }

    fn multiply(
        &mut self,
        index: NodeIndex,
        operands: &[Packed],
        (layout, node): (LayoutId, Node),
    ) -> Result<Packed, LowerError> {
        self.parts(index, operands, layout)?;
        let [a, b] = operands else {
            return Err(self.lacking(index));
        };
        let pairs = a.values.iter().zip(&b.values);
        let values = pairs
            .map(|(a, b)| Some(self.program.push(SlotOp::Mul((*a)?, (*b)?), node)))
            .collect();
        Ok(Packed { layout, values })
    }

    fn finish(mut self) -> Result<Program, LowerError> {
        for output in &self.graph.outputs {
            let packed = self.done[output.node].clone();
            let packed = packed.ok_or_else(|| self.lacking(output.node))?;
            let packed = self.full(output.node, packed)?;
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

    fn first(&self, index: NodeIndex, operands: &[Packed]) -> Result<Packed, LowerError> {
        let first = operands.first().cloned();
        first.ok_or_else(|| self.lacking(index))
    }

    fn lacking(&self, index: NodeIndex) -> LowerError {
        LowerError::Operand {
            node: self.graph.name(index),
        }
    }
}

/// Why a node cannot be lowered: always a defect of an earlier stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    /// A node lacks an operand or its plan, or operands that meet are packed differently.
    #[error("internal error: {node} lacks an operand or its plan")]
    Operand {
        /// The node.
        node: NodeName,
    },
    /// A value is to be refreshed that nothing bounds.
    #[error("internal error: {node} is refreshed without a bound")]
    Unbounded {
        /// The node.
        node: NodeName,
    },
    /// The linear map of a node is not well formed.
    #[error("internal error: {node}: {source}")]
    Linear {
        /// The node.
        node: NodeName,
        /// What is wrong with the map.
        source: Box<LinearError>,
    },
}
