//! Reference semantics of the tensor graph, in f64.

use super::{Graph, NodeName, Op, PerNode};
use peregrine_ir::linear::LinearError;
use peregrine_ir::{Broadcast, FinishError, PrepareError};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

impl Graph {
    /// Evaluates all outputs for the given inputs, by name. The results are in the model's order.
    ///
    /// # Errors
    /// When an input is missing or has the wrong number of elements, or the graph is not well formed.
    pub fn evaluate(
        &self,
        inputs: &BTreeMap<String, Vec<f64>>,
    ) -> Result<Vec<Vec<f64>>, EvaluateError> {
        let raw = self.evaluate_unfinished(inputs)?.into_iter();
        let finished = raw.zip(&self.outputs).map(|(value, output)| {
            let shape = &self.node(output.node).shape;
            Ok(output.finish.apply(shape, value)?.1)
        });
        finished.collect()
    }

    /// Evaluates all outputs as they are decrypted, without the steps that the client takes after decryption, in the
    /// model's order.
    ///
    /// # Errors
    /// When [`Graph::evaluate`] has an error.
    pub fn evaluate_unfinished(
        &self,
        inputs: &BTreeMap<String, Vec<f64>>,
    ) -> Result<Vec<Vec<f64>>, EvaluateError> {
        let mut values = vec![Vec::new(); self.outputs.len()];
        self.evaluate_each(inputs, |index, value| {
            for (output, slot) in self.outputs.iter().zip(&mut values) {
                if output.node == index {
                    *slot = value.to_vec();
                }
            }
        })?;
        Ok(values)
    }

    /// Evaluates all nodes, in node order.
    ///
    /// # Errors
    /// When [`Graph::evaluate`] has an error.
    pub fn evaluate_all(
        &self,
        inputs: &BTreeMap<String, Vec<f64>>,
    ) -> Result<Vec<Vec<f64>>, EvaluateError> {
        let mut values = Vec::with_capacity(self.len());
        self.evaluate_each(inputs, |_, value| values.push(value.to_vec()))?;
        Ok(values)
    }

    /// Evaluates all nodes and calls `show` with the values of each, in node order. A value is dropped after its last
    /// user.
    ///
    /// # Errors
    /// When [`Graph::evaluate`] has an error.
    pub fn evaluate_each(
        &self,
        inputs: &BTreeMap<String, Vec<f64>>,
        mut see: impl FnMut(NodeIndex, &[f64]),
    ) -> Result<(), EvaluateError> {
        let mut users = PerNode::from_fn(self, |i| self.users(i).len());
        let mut values: PerNode<Vec<f64>> = PerNode::filled(self, Vec::new());
        for index in self.nodes() {
            let indices = self.operands(index);
            let operands: Vec<&[f64]> = indices.iter().map(|&i| &values[i][..]).collect();
            let value = self.evaluate_node(index, &operands, inputs)?;
            see(index, &value);
            values[index] = value;
            for operand in indices {
                users[operand] -= 1;
                if users[operand] == 0 {
                    values[operand] = Vec::new();
                }
            }
        }
        Ok(())
    }

    fn evaluate_node(
        &self,
        index: NodeIndex,
        operands: &[&[f64]],
        inputs: &BTreeMap<String, Vec<f64>>,
    ) -> Result<Vec<f64>, EvaluateError> {
        let node = self.node(index);
        let operand = |position: usize| {
            let operand = operands.get(position).copied();
            operand.ok_or_else(|| EvaluateError::Operand {
                node: self.name(index),
            })
        };
        Ok(match &node.op {
            Op::Input { name } => {
                let x = inputs
                    .get(name)
                    .ok_or_else(|| EvaluateError::MissingInput { name: name.clone() })?;
                let expected = self.given_shape(index).elements();
                if x.len() != expected {
                    return Err(EvaluateError::InputLength {
                        name: name.clone(),
                        found: x.len(),
                        expected,
                    });
                }
                match self.prepare.get(name) {
                    Some(prepare) => prepare.apply(x.clone())?.1,
                    None => x.clone(),
                }
            }
            Op::Linear { map, bias } => {
                let mut y = map.bind(&self.tensors)?.apply(operand(0)?);
                if let Some(bias) = bias.map(|id| &self.tensors[id]) {
                    let broadcast = Broadcast::new(bias.shape(), &map.output);
                    let broadcast = broadcast.ok_or_else(|| EvaluateError::Bias {
                        node: self.name(index),
                    })?;
                    let run = broadcast.run();
                    for (i, y) in y.chunks_mut(run).enumerate() {
                        let b = bias.data()[broadcast.source(i * run)];
                        y.iter_mut().for_each(|y| *y += b);
                    }
                }
                y
            }
            Op::Polynomial(p) => p.apply(operand(0)?, &node.shape, &self.tensors),
            Op::Add => sum(operand(0)?, operands),
            Op::Multiply => {
                let pairs = operand(0)?.iter().zip(operand(1)?);
                pairs.map(|(a, b)| a * b).collect()
            }
            Op::Reshape => operand(0)?.to_vec(),
        })
    }
}

fn sum(first: &[f64], operands: &[&[f64]]) -> Vec<f64> {
    let mut total = first.to_vec();
    for operand in operands.iter().skip(1) {
        for (total, x) in total.iter_mut().zip(*operand) {
            *total += x;
        }
    }
    total
}

/// Why a graph cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// An input has no value.
    #[error("no value for input `{name}`")]
    MissingInput {
        /// The input.
        name: String,
    },
    /// The value of an input has the wrong number of elements.
    #[error("input `{name}` has {found} values, the model takes {expected}")]
    InputLength {
        /// The input.
        name: String,
        /// Elements of the value.
        found: usize,
        /// Elements that the model takes.
        expected: usize,
    },
    /// A node lacks an operand.
    #[error("{node} lacks an operand")]
    Operand {
        /// The node.
        node: NodeName,
    },
    /// A bias does not broadcast to the result that it is added to.
    #[error("the bias of {node} does not repeat to the shape of its result")]
    Bias {
        /// The node.
        node: NodeName,
    },
    /// A linear map is not well formed.
    #[error(transparent)]
    Linear(#[from] LinearError),
    /// An input cannot be prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// Steps after decryption do not fit the output.
    #[error(transparent)]
    Finish(#[from] FinishError),
}
