//! A table beside a tensor graph, with the result of an analysis for each node.

use super::Graph;
use petgraph::graph::NodeIndex;
use std::ops::{Index, IndexMut};

/// A value for every node of a [`Graph`], addressed by the nodes of that graph.
///
/// Access is by `table[node]`. A node of another graph is a defect of the compiler: access panics, by the rule of
/// [`peregrine_ir::SecondaryMap`].
#[derive(Clone, Debug, PartialEq)]
pub struct PerNode<V>(Vec<V>);

impl<V> PerNode<V> {
    /// A table with the same value for every node.
    pub fn filled(graph: &Graph, value: V) -> Self
    where
        V: Clone,
    {
        Self(vec![value; graph.len()])
    }

    /// A table with a value computed for each node, in order.
    pub fn from_fn(graph: &Graph, value: impl FnMut(NodeIndex) -> V) -> Self {
        Self(graph.nodes().map(value).collect())
    }

    /// A table with a value computed for each node, in order, from the values of all nodes before it, its operands among
    /// them.
    pub fn in_order(graph: &Graph, mut value: impl FnMut(&Self, NodeIndex) -> V) -> Self {
        let mut table = Self(Vec::with_capacity(graph.len()));
        for index in graph.nodes() {
            let value = value(&table, index);
            table.0.push(value);
        }
        table
    }

    /// A table computed like that of [`PerNode::in_order`], up to the first node whose computation fails.
    ///
    /// # Errors
    /// The error of that node.
    pub fn try_in_order<E>(
        graph: &Graph,
        mut value: impl FnMut(&Self, NodeIndex) -> Result<V, E>,
    ) -> Result<Self, E> {
        let mut table = Self(Vec::with_capacity(graph.len()));
        for index in graph.nodes() {
            let value = value(&table, index)?;
            table.0.push(value);
        }
        Ok(table)
    }

    /// All values in node order.
    pub fn values(&self) -> std::slice::Iter<'_, V> {
        self.0.iter()
    }

    /// All values in node order, mutably.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, V> {
        self.0.iter_mut()
    }
}

/// The values of all nodes of a graph, in node order.
impl<V> From<Vec<V>> for PerNode<V> {
    fn from(values: Vec<V>) -> Self {
        Self(values)
    }
}

impl<V> Index<NodeIndex> for PerNode<V> {
    type Output = V;

    fn index(&self, node: NodeIndex) -> &V {
        &self.0[node.index()]
    }
}

impl<V> IndexMut<NodeIndex> for PerNode<V> {
    fn index_mut(&mut self, node: NodeIndex) -> &mut V {
        &mut self.0[node.index()]
    }
}
