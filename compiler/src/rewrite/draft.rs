//! A tensor graph under edit: operators in a list, operands by position, users kept up to date.
//!
//! Invariant: operands come before users, as in [`Graph`]. A rule changes operators in place, through [`Draft::edit`], and
//! calls [`Draft::refresh`], which looks at what was edited only; what nothing uses any more stays in the list, without
//! users, until [`Draft::finish`].

use super::RewriteError;
use super::field::Field;
use super::report::source_name;
use super::univariate::Univariate;
use crate::tensor::{Graph, Node, Op, Output, Polynomial, Source, SourceId};
use peregrine_ir::linear::LinearMap;
use peregrine_ir::{
    Arena, Entity, Finish, Prepare, SecondaryMap, Shape, Tensor, TensorId, Tensors,
};
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;
use std::mem::take;
use std::ops::Deref;

peregrine_ir::entities! {
    /// Position of an operator in a [`Draft`].
    pub(super) Place = "place";
}

/// An operator of a draft and the places of its operands.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) op: Op,
    pub(super) shape: Shape,
    pub(super) source: SourceId,
    pub(super) operands: Vec<Place>,
}

/// The name of a result and its finishing steps, which no rule looks at.
#[derive(Clone, Debug)]
pub(super) struct Label {
    name: String,
    finish: Finish,
}

/// The operators of a draft, to be read; [`Draft::edit`] changes them.
#[derive(Clone, Debug, Default)]
pub(super) struct Items(Arena<Place, Item>);

impl Deref for Items {
    type Target = Arena<Place, Item>;

    fn deref(&self) -> &Arena<Place, Item> {
        &self.0
    }
}

/// A graph under edit.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) items: Items,
    pub(super) tensors: Tensors,
    pub(super) sources: Vec<Source>,
    /// What the client makes of inputs.
    prepare: BTreeMap<String, Prepare>,
    /// What is known about each result and its position, in the model's order.
    outputs: Vec<(Label, Place)>,
    /// Users that something needs, in order; one that uses an operator twice is listed twice.
    users: SecondaryMap<Place, Vec<Place>>,
    live: SecondaryMap<Place, bool>,
    /// How many results each operator is.
    results: SecondaryMap<Place, usize>,
    /// The operands of live operators that `users` knows of.
    linked: SecondaryMap<Place, Vec<Place>>,
    /// What was edited since `users` and `live` were right.
    edited: Vec<Place>,
}

impl Draft {
    /// A draft of a graph, after checking what the rules rely on.
    pub(super) fn new(graph: &Graph) -> Result<Self, RewriteError> {
        let mut items = Arena::new();
        for index in graph.nodes() {
            let node = graph.node(index);
            let operands: Vec<Place> = graph.operands(index).into_iter().map(place).collect();
            check(graph, node, &operands)?;
            items.push(Item {
                op: node.op.clone(),
                shape: node.shape.clone(),
                source: node.source,
                operands,
            });
        }
        let outputs = graph
            .outputs
            .iter()
            .map(|output| {
                let (name, finish) = (output.name.clone(), output.finish.clone());
                (Label { name, finish }, place(output.node))
            })
            .collect();
        let mut draft = Self {
            items: Items::default(),
            tensors: graph.tensors.clone(),
            sources: graph.sources.clone(),
            prepare: graph.prepare.clone(),
            outputs: Vec::new(),
            users: Vec::new().into(),
            live: Vec::new().into(),
            results: Vec::new().into(),
            linked: Vec::new().into(),
            edited: Vec::new(),
        };
        draft.replace(items, outputs);
        Ok(draft)
    }

    /// The graph: live operators in order, the tensors they read in order, all inputs and outputs.
    pub(super) fn finish(self) -> Graph {
        let mut graph = Graph::default();
        graph.sources.clone_from(&self.sources);
        graph.prepare.clone_from(&self.prepare);
        let mut kept = SecondaryMap::filled(&self.tensors, false);
        let live = |&(place, _): &(Place, &Item)| self.live[place];
        for (_, item) in self.items.iter().filter(live) {
            for id in tensors_of(&item.op) {
                kept[id] = true;
            }
        }
        let mut renamed = BTreeMap::new();
        for (id, tensor) in self.tensors.iter() {
            if kept[id] {
                renamed.insert(id, graph.tensors.push(tensor.clone()));
            }
        }
        let mut places: BTreeMap<Place, NodeIndex> = BTreeMap::new();
        for (place, item) in self.items.iter().filter(live) {
            let operands = item.operands.iter().map(|operand| places[operand]);
            let operands: Vec<NodeIndex> = operands.collect();
            let op = rename(&item.op, &renamed);
            let node = Node {
                op,
                shape: item.shape.clone(),
                source: item.source,
            };
            places.insert(place, graph.add(node, &operands));
        }
        for (Label { name, finish }, place) in self.outputs {
            let node = places[&place];
            graph.outputs.push(Output { name, node, finish });
        }
        graph
    }

    /// Replaces all operators by others, operands before users, and says where the results are among them. O(nodes).
    pub(super) fn replace(&mut self, items: Arena<Place, Item>, outputs: Vec<(Label, Place)>) {
        self.items = Items(items);
        self.outputs = outputs;
        self.users = SecondaryMap::filled(&self.items, Vec::new());
        self.live = SecondaryMap::filled(&self.items, false);
        self.linked = SecondaryMap::filled(&self.items, Vec::new());
        self.results = SecondaryMap::filled(&self.items, 0);
        for &(_, place) in &self.outputs {
            self.results[place] += 1;
        }
        let inputs = |&place: &Place| matches!(self.items[place].op, Op::Input { .. });
        let mut roots: Vec<Place> = self.items.keys().filter(inputs).collect();
        roots.extend(self.outputs.iter().map(|&(_, place)| place));
        self.revive(roots);
        self.edited.clear();
    }

    /// The operator at a position, to be changed; [`Draft::refresh`] makes up for that.
    pub(super) fn edit(&mut self, place: Place) -> &mut Item {
        self.edited.push(place);
        &mut self.items.0[place]
    }

    /// Brings users up to date with edits; says how many edges changed. O(edges of what was edited).
    pub(super) fn refresh(&mut self) -> usize {
        let (mut idle, mut changed) = (Vec::new(), 0);
        for place in take(&mut self.edited) {
            idle.push(place);
            if !self.live[place] || self.linked[place] == self.items[place].operands {
                continue;
            }
            let new = self.items[place].operands.clone();
            changed += new.len();
            for &operand in &new {
                self.link(operand, place);
            }
            for operand in std::mem::replace(&mut self.linked[place], new) {
                changed += 1;
                self.unlink(operand, place);
                idle.push(operand);
            }
        }
        while let Some(place) = idle.pop() {
            let needed = !self.users[place].is_empty()
                || self.results[place] > 0
                || matches!(self.items[place].op, Op::Input { .. });
            if self.live[place] && !needed {
                self.live[place] = false;
                for operand in take(&mut self.linked[place]) {
                    changed += 1;
                    self.unlink(operand, place);
                    idle.push(operand);
                }
            }
        }
        changed
    }

    /// Lists a user of an operator, which is needed from then on.
    fn link(&mut self, operand: Place, user: Place) {
        debug_assert!(operand < user, "operands come before users");
        let users = &mut self.users[operand];
        users.insert(users.partition_point(|&u| u <= user), user);
        self.revive(vec![operand]);
    }

    /// Takes one use of an operator off its list.
    fn unlink(&mut self, operand: Place, user: Place) {
        let users = &mut self.users[operand];
        if let Ok(at) = users.binary_search(&user) {
            users.remove(at);
        }
    }

    /// Makes operators live, and what they need.
    fn revive(&mut self, mut pending: Vec<Place>) {
        while let Some(place) = pending.pop() {
            if self.live[place] {
                continue;
            }
            self.live[place] = true;
            self.linked[place] = self.items[place].operands.clone();
            for &operand in &self.linked[place] {
                debug_assert!(operand < place, "operands come before users");
                let users = &mut self.users[operand];
                users.insert(users.partition_point(|&u| u <= place), place);
                pending.push(operand);
            }
        }
    }

    /// The label and place of each result, in the model's order.
    pub(super) fn outputs(&self) -> &[(Label, Place)] {
        &self.outputs
    }

    /// Whether an output needs the operator.
    pub(super) fn is_live(&self, place: Place) -> bool {
        self.live[place]
    }

    /// Positions of the operators that an output needs, in order.
    pub(super) fn live(&self) -> Vec<Place> {
        self.items.keys().filter(|&p| self.live[p]).collect()
    }

    /// Live users of an operator; a user that uses it twice is listed twice.
    pub(super) fn users(&self, place: Place) -> &[Place] {
        &self.users[place]
    }

    /// Whether the operator's value is a result of the model.
    pub(super) fn is_output(&self, place: Place) -> bool {
        self.results[place] > 0
    }

    /// The user, when there is one use in all and the value is not a result.
    pub(super) fn sole_user(&self, place: Place) -> Option<Place> {
        match self.users(place) {
            [user] if !self.is_output(place) => Some(*user),
            _ => None,
        }
    }

    /// The operand of an operator that has one.
    pub(super) fn operand(&self, place: Place) -> Option<Place> {
        match self.items[place].operands.as_slice() {
            [operand] => Some(*operand),
            _ => None,
        }
    }

    /// The map and bias of a linear operator.
    pub(super) fn linear(&self, place: Place) -> Option<(&LinearMap, Option<TensorId>)> {
        match &self.items[place].op {
            Op::Linear { map, bias } => Some((map, *bias)),
            _ => None,
        }
    }

    /// The polynomial of a polynomial operator.
    pub(super) fn polynomial(&self, place: Place) -> Option<Univariate> {
        match &self.items[place].op {
            Op::Polynomial(p) => Univariate::read(p, &self.tensors),
            _ => None,
        }
    }

    /// Name of the model node the operator stands for.
    pub(super) fn name(&self, place: Place) -> &str {
        let source = self.items[place].source.0 as usize;
        self.sources.get(source).map_or("", |s| s.name.as_str())
    }

    /// Name of a tensor; `fallback` when there is none.
    pub(super) fn tensor_name(&self, id: Option<TensorId>, fallback: String) -> String {
        id.map_or(fallback, |id| self.tensors[id].name.clone())
    }

    /// Stores a field as a tensor, or `None` when a number is not finite.
    pub(super) fn store(&mut self, name: String, field: &Field) -> Option<TensorId> {
        self.store_full(name, field.shape().clone(), field.data().to_vec())
    }

    /// Stores a tensor, or `None` when a number is not finite.
    pub(super) fn store_full(
        &mut self,
        name: String,
        shape: Shape,
        data: Vec<f64>,
    ) -> Option<TensorId> {
        Some(self.tensors.push(Tensor::new(name, shape, data).ok()?))
    }

    /// The bias of a linear operator as a field; zero when it has none.
    pub(super) fn bias(&self, place: Place) -> Field {
        match self.linear(place) {
            Some((_, Some(bias))) => Field::from_tensor(&self.tensors[bias]),
            _ => Field::scalar(0.0),
        }
    }

    /// Lets `to`, which comes earlier, take the place of `from` everywhere.
    pub(super) fn redirect(&mut self, from: Place, to: Place) {
        for user in self.users[from].clone() {
            for operand in &mut self.edit(user).operands {
                if *operand == from {
                    *operand = to;
                }
            }
        }
        for (_, output) in &mut self.outputs {
            if *output == from {
                *output = to;
            }
        }
        let results = take(&mut self.results[from]);
        self.results[to] += results;
        self.edited.push(from);
    }

    /// The operator that computes a polynomial, its coefficients stored as `<source>.x^<power>`.
    pub(super) fn polynomial_op(&mut self, place: Place, polynomial: &Univariate) -> Option<Op> {
        let shape = self.items[place].shape.clone();
        let name = self.name(place).to_owned();
        let mut ids = Vec::with_capacity(polynomial.degree() + 1);
        for (power, field) in polynomial.compacted().coefficients().iter().enumerate() {
            ids.push(self.store(format!("{name}.x^{power}"), field)?);
        }
        Some(Op::Polynomial(
            Polynomial::new(ids, &shape, &self.tensors).ok()?,
        ))
    }
}

/// Where a node of a graph is in its draft.
fn place(node: NodeIndex) -> Place {
    Place(node.index() as u32)
}

/// What rules rely on: operand counts and sizes, well-formed maps.
fn check(graph: &Graph, node: &Node, operands: &[Place]) -> Result<(), RewriteError> {
    let name = || source_name(graph, node.source);
    let counts = match &node.op {
        Op::Input { .. } => operands.is_empty(),
        Op::Linear { .. } | Op::Polynomial(_) | Op::Reshape => operands.len() == 1,
        Op::Multiply => operands.len() == 2,
        Op::Add => operands.len() >= 2,
    };
    if !counts {
        let found = operands.len();
        return Err(RewriteError::Operands {
            node: name(),
            found,
        });
    }
    for &operand in operands {
        let shape = &graph.node(NodeIndex::new(operand.index())).shape;
        let expected = match &node.op {
            Op::Linear { map, .. } => &map.input,
            _ => &node.shape,
        };
        if shape.elements() != expected.elements() {
            return Err(RewriteError::Size {
                node: name(),
                found: shape.clone(),
                expected: expected.clone(),
            });
        }
    }
    if let Op::Linear { map, .. } = &node.op {
        map.check(&graph.tensors)
            .map_err(|source| RewriteError::Linear {
                node: name(),
                source,
            })?;
    }
    Ok(())
}

fn tensors_of(op: &Op) -> Vec<TensorId> {
    match op {
        Op::Linear { map, bias } => map.weight().into_iter().chain(*bias).collect(),
        Op::Polynomial(p) => p.coefficients().to_vec(),
        Op::Input { .. } | Op::Add | Op::Multiply | Op::Reshape => Vec::new(),
    }
}

/// The operator reading renamed tensors; `names` holds all that it reads.
fn rename(op: &Op, names: &BTreeMap<TensorId, TensorId>) -> Op {
    let new = |id: TensorId| names[&id];
    match op {
        Op::Linear { map, bias } => Op::Linear {
            map: map
                .weight()
                .map_or_else(|| map.clone(), |w| map.with_weight(new(w))),
            bias: bias.map(new),
        },
        Op::Polynomial(p) => Op::Polynomial(p.renamed(new)),
        Op::Input { .. } | Op::Add | Op::Multiply | Op::Reshape => op.clone(),
    }
}
