//! Lowering: tensor graph and layouts to slot program, node by node.

use super::linear::{LinearPlan, emit};
use super::polynomial::{Evaluation, broadcast};
use super::{Packed, Program, SlotOp, SlotPort};
use crate::layout::LayoutPlan;
use crate::tensor::{Graph, Op, Polynomial};
use peregrine_ir::linear::{AxisMap, Gather, LinearError, LinearKind, LinearMap};
use peregrine_ir::{Constant, LayoutId, Node, Shape, SourceNode, TensorId};
use petgraph::graph::NodeIndex;

/// The slot program of `graph` with every tensor packed as `plan` says.
///
/// # Errors
/// When the graph is not well formed.
pub fn lower(graph: &Graph, plan: &LayoutPlan, log_slots: u32) -> Result<Program, LowerError> {
    let nodes = graph
        .sources
        .iter()
        .map(|s| SourceNode {
            name: s.name.clone(),
            op: s.op.clone(),
        })
        .collect();
    let program = Program {
        log_slots,
        nodes,
        tensors: graph.tensors.clone(),
        ..Program::default()
    };
    let mut lowering = Lowering {
        graph,
        plan,
        program,
        done: Vec::with_capacity(graph.len()),
    };
    for index in graph.nodes() {
        let packed = lowering.node(index)?;
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
}

impl Lowering<'_> {
    fn node(&mut self, index: NodeIndex) -> Result<Packed, LowerError> {
        let node = self.graph.node(index);
        let serve = Node(node.source.0);
        let layout = self.program.layout(self.plan.layout(index));
        let operands = self.operands(index)?;
        match &node.op {
            Op::Input { name } => Ok(self.input(name, &node.shape, layout, serve)),
            Op::Linear { map, bias } => {
                self.linear(index, (map, *bias), &operands, (layout, serve))
            }
            Op::Polynomial(p) => self.polynomial(p, &node.shape, &operands, serve),
            Op::Add => self.add(index, operands, (layout, serve)),
            Op::Multiply => self.multiply(index, operands, (layout, serve)),
            Op::Reshape => first(&operands, index),
        }
    }

    fn operands(&self, index: NodeIndex) -> Result<Vec<Packed>, LowerError> {
        let operand = |i: NodeIndex| {
            self.done
                .get(i.index())
                .cloned()
                .ok_or(LowerError::Operand {
                    node: index.index(),
                })
        };
        self.graph
            .operands(index)
            .into_iter()
            .map(operand)
            .collect()
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
        let packed = Packed { layout, values };
        self.program.inputs.push(SlotPort {
            name: name.into(),
            shape: shape.clone(),
            packed: packed.clone(),
        });
        packed
    }

    fn linear(
        &mut self,
        index: NodeIndex,
        (map, bias): (&LinearMap, Option<TensorId>),
        operands: &[Packed],
        (layout, node): (LayoutId, Node),
    ) -> Result<Packed, LowerError> {
        let x = first(operands, index)?;
        let plan = self.plan.linear(index).ok_or(LowerError::Operand {
            node: index.index(),
        })?;
        let mut y = emit(&mut self.program, map.clone(), plan, &x, (layout, node));
        if let Some(bias) = bias {
            let operator = broadcast(&mut self.program, bias, map.output.clone(), layout);
            for (part, value) in y.values.iter_mut().enumerate() {
                let constant = self.program.constant(Constant::Fill {
                    operator,
                    part: part as u32,
                });
                *value = self.program.push(SlotOp::AddConst(*value, constant), node);
            }
        }
        Ok(y)
    }

    fn plan_map(
        &self,
        (index, map): (NodeIndex, &LinearMap),
        from: LayoutId,
        to: LayoutId,
    ) -> Result<LinearPlan, LowerError> {
        let (Some(from), Some(to)) = (self.program.layouts.get(from), self.program.layouts.get(to))
        else {
            return Err(LowerError::Operand { node: 0 });
        };
        Ok(LinearPlan::new(
            &map.bind(&self.program.tensors)?,
            from,
            to,
            self.plan.price(self.graph, index),
        ))
    }

    fn polynomial(
        &mut self,
        p: &Polynomial,
        shape: &Shape,
        operands: &[Packed],
        node: Node,
    ) -> Result<Packed, LowerError> {
        let x = first(operands, NodeIndex::new(0))?;
        let mut evaluation =
            Evaluation::new(&mut self.program, p.coefficients(), (shape, x.layout, node));
        let values = (0u32..)
            .zip(&x.values)
            .map(|(part, &value)| evaluation.apply(value, part))
            .collect();
        Ok(Packed {
            layout: x.layout,
            values,
        })
    }

    fn add(
        &mut self,
        index: NodeIndex,
        operands: Vec<Packed>,
        (layout, node): (LayoutId, Node),
    ) -> Result<Packed, LowerError> {
        let operands = self.convert_all(index, operands, (layout, node))?;
        let parts = operands.first().map_or(0, |p| p.values.len());
        let values = (0..parts)
            .filter_map(|part| {
                let terms = operands
                    .iter()
                    .filter_map(|p| p.values.get(part).copied())
                    .collect();
                self.program.sum(terms, node)
            })
            .collect();
        Ok(Packed { layout, values })
    }

    fn multiply(
        &mut self,
        index: NodeIndex,
        operands: Vec<Packed>,
        (layout, node): (LayoutId, Node),
    ) -> Result<Packed, LowerError> {
        let operands = self.convert_all(index, operands, (layout, node))?;
        let [a, b] = operands.as_slice() else {
            return Err(LowerError::Operand {
                node: node.0 as usize,
            });
        };
        let pairs: Vec<_> = a
            .values
            .iter()
            .copied()
            .zip(b.values.iter().copied())
            .collect();
        let values = pairs
            .into_iter()
            .map(|(a, b)| self.program.push(SlotOp::Mul(a, b), node))
            .collect();
        Ok(Packed { layout, values })
    }

    /// Operands in the layout of the result; one that lies otherwise goes through an identity map, one level deep.
    fn convert_all(
        &mut self,
        index: NodeIndex,
        operands: Vec<Packed>,
        (layout, node): (LayoutId, Node),
    ) -> Result<Vec<Packed>, LowerError> {
        operands
            .into_iter()
            .map(|x| {
                if x.layout == layout {
                    return Ok(x);
                }
                let map = identity(&self.graph.node(index).shape);
                let plan = self.plan_map((index, &map), x.layout, layout)?;
                Ok(emit(&mut self.program, map, &plan, &x, (layout, node)))
            })
            .collect()
    }

    fn finish(mut self) -> Result<Program, LowerError> {
        for output in &self.graph.outputs {
            let packed = self.done.get(output.node.index()).cloned();
            let packed = packed.ok_or(LowerError::Operand {
                node: output.node.index(),
            })?;
            let shape = self.graph.node(output.node).shape.clone();
            self.program.outputs.push(SlotPort {
                name: output.name.clone(),
                shape,
                packed,
            });
        }
        Ok(self.program)
    }
}

/// The map that moves nothing.
pub fn identity(shape: &Shape) -> LinearMap {
    let axis = |(axis, &extent): (usize, &u32)| AxisMap {
        output_axis: axis as u32,
        table: (0..extent).map(Some).collect(),
    };
    let axes = shape.dims().iter().enumerate().map(axis).collect();
    LinearMap {
        kind: LinearKind::Gather(Gather { axes }),
        input: shape.clone(),
        output: shape.clone(),
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
