//! Read a graph back from the e-graph: one term per needed class, shared values once.
//!
//! 1. The age of a class is the position of the first node it came from. A term may be chosen when its operands are
//!    older than its class, as those of that first node are: there always is one, and the choice has no cycle.
//!    A class with an opaque operator is that operator. Otherwise it is the polynomial of the oldest variable, otherwise
//!    the sum or product it was.
//! 2. Classes needed by the outputs under this choice are marked. A polynomial then prefers, among the variables that
//!    are needed anyway, the one of which it has the lowest degree: `Q(q)` when `q` has other uses than `Q`, and the
//!    merged polynomial of `x` when it has none.
//! 3. Needed classes are emitted in the order of the nodes they came from. A class whose term is the one a node had
//!    keeps that node; any other gets the first node's source.

use super::super::draft::{Draft, Item, Place};
use super::super::report::Report;
use super::Terms;
use super::language::{Expr, Tables, operands, readings};
use crate::tensor::Op;
use egg::{EGraph, Id, Language};
use peregrine_ir::{Arena, SecondaryMap};
use std::collections::{BTreeMap, BTreeSet};

type Egraph = EGraph<Expr, Tables>;

/// The term of each needed class, on canonical classes.
type Choices = BTreeMap<Id, Expr>;

/// Replaces the draft by what the e-graph found; says whether that changed anything.
pub(super) fn read_back(
    egraph: &Egraph,
    terms: &Terms,
    draft: &mut Draft,
    report: &mut Report,
) -> bool {
    let origins = Origins::new(egraph, draft, terms);
    let roots = roots(&origins, draft);
    let oldest = choose(egraph, &origins, &roots, |_, _| 0);
    let choices = choose(egraph, &origins, &roots, |x, degree| match oldest.get(&x) {
        Some(_) => degree,
        None => usize::MAX,
    });
    let events = origins.events(egraph, &choices);
    if events.is_empty() {
        return false;
    }
    let Some((items, places)) = emit(egraph, &origins, &choices, draft) else {
        return false;
    };
    for (rule, place) in events {
        report.record(rule, &draft.sources, draft.items[place].source);
    }
    let mut outputs = draft.outputs().to_vec();
    for (_, output) in &mut outputs {
        *output = places[origins.classes.known(*output)];
    }
    draft.replace(items, outputs);
    true
}

/// The classes of inputs and outputs: what must be emitted.
fn roots(origins: &Origins, draft: &Draft) -> Vec<Id> {
    let live = draft.live().into_iter();
    live.filter(|&place| matches!(draft.items[place].op, Op::Input { .. }))
        .chain(draft.outputs().iter().map(|&(_, place)| place))
        .map(|place| *origins.classes.known(place))
        .collect()
}

/// The term of every class that `roots` need; among polynomials the one with the least `price(variable, degree)`.
fn choose(
    egraph: &Egraph,
    origins: &Origins,
    roots: &[Id],
    price: impl Fn(Id, usize) -> usize,
) -> Choices {
    let mut choices = Choices::new();
    let mut pending = roots.to_vec();
    while let Some(class) = pending.pop() {
        if choices.contains_key(&class) {
            continue;
        }
        if let Some(term) = choose_term(egraph, origins, class, &price) {
            pending.extend(operands(&term));
            choices.insert(class, term);
        }
    }
    choices
}

fn choose_term(
    egraph: &Egraph,
    origins: &Origins,
    class: Id,
    price: &impl Fn(Id, usize) -> usize,
) -> Option<Expr> {
    let older = |x: Id| origins.age(x) < origins.age(class);
    let terms: Vec<Expr> = egraph[class]
        .nodes
        .iter()
        .map(|term| canonical(egraph, term))
        .filter(|term| operands(term).iter().all(|&x| older(x)))
        .collect();
    if let Some(opaque) = terms.iter().find(|t| matches!(t, Expr::Operator(..))) {
        return Some(opaque.clone());
    }
    let polynomial = readings(egraph, class)
        .into_iter()
        .filter(|&(x, _)| older(x))
        .min_by_key(|&(x, p)| {
            let degree = egraph.analysis.polynomial(p).degree();
            (price(x, degree), origins.age(x))
        });
    match polynomial {
        Some((x, p)) => {
            let coefficients = egraph.lookup(Expr::Coefficients(p))?;
            Some(Expr::Polynomial([coefficients, x]))
        }
        None => terms.into_iter().next(),
    }
}

/// The term on the classes its children are in now.
fn canonical(egraph: &Egraph, term: &Expr) -> Expr {
    term.clone().map_children(|id| egraph.find(id))
}

/// The chosen terms as operators, and where each class is among them.
fn emit(
    egraph: &Egraph,
    origins: &Origins,
    choices: &Choices,
    draft: &mut Draft,
) -> Option<(Arena<Place, Item>, BTreeMap<Id, Place>)> {
    let mut items = Arena::new();
    let mut places = BTreeMap::new();
    for &start in origins.classes.values().flatten() {
        let mut stack = vec![start];
        while let Some(&class) = stack.last() {
            let term = choices.get(&class);
            let missing = |x: &&Id| !places.contains_key(*x);
            let next = term.and_then(|term| operands(term).iter().find(missing));
            match (term, next) {
                (Some(_), Some(&operand)) if !places.contains_key(&class) => stack.push(operand),
                (Some(term), None) if !places.contains_key(&class) => {
                    let mut item = origins.item(egraph, class, term, draft)?;
                    item.operands = operands(term).iter().map(|x| places[x]).collect();
                    places.insert(class, items.push(item));
                }
                _ => {
                    stack.pop();
                }
            }
        }
    }
    Some((items, places))
}

/// The nodes that each class came from.
struct Origins {
    /// Class of each live node.
    classes: SecondaryMap<Place, Option<Id>>,
    /// Term of each live node that spelled it as it stands.
    spelled: SecondaryMap<Place, Option<Expr>>,
    /// Nodes of each class, in order.
    places: BTreeMap<Id, Vec<Place>>,
}

impl Origins {
    fn new(egraph: &Egraph, draft: &Draft, terms: &Terms) -> Self {
        let classes = SecondaryMap::from_fn(&draft.items, |place, _| {
            let term = terms[place].as_ref()?;
            Some(egraph.find(term.class))
        });
        let spelled = SecondaryMap::from_fn(&draft.items, |place, _| {
            let term = terms[place].as_ref().filter(|term| term.faithful)?;
            Some(canonical(egraph, &term.expr))
        });
        let mut places: BTreeMap<Id, Vec<Place>> = BTreeMap::new();
        for (place, class) in classes.iter() {
            if let &Some(class) = class {
                places.entry(class).or_default().push(place);
            }
        }
        Self {
            classes,
            spelled,
            places,
        }
    }

    fn places(&self, class: Id) -> &[Place] {
        self.places.get(&class).map_or(&[], Vec::as_slice)
    }

    /// Position of the first node of a class.
    fn age(&self, class: Id) -> Option<Place> {
        self.places(class).first().copied()
    }

    /// The node of the class that already is `term`.
    fn unchanged(&self, class: Id, term: &Expr) -> Option<Place> {
        let is_term = |place: &&Place| self.spelled[**place].as_ref() == Some(term);
        self.places(class).iter().find(is_term).copied()
    }

    /// Rule applications that show in the result: on classes that vanished, changed or lost a node. By node.
    fn events(&self, egraph: &Egraph, choices: &Choices) -> Vec<(&'static str, Place)> {
        let mut events = Vec::new();
        let mut explained = BTreeSet::new();
        for &(rule, class) in &egraph.analysis.events {
            let class = egraph.find(class);
            let kept = choices
                .get(&class)
                .is_some_and(|term| self.unchanged(class, term).is_some());
            if let (false, Some(&place)) = (
                kept && self.places(class).len() == 1,
                self.places(class).last(),
            ) {
                explained.insert(class);
                events.push((rule, place));
            }
        }
        for (_, copies) in self.places.iter().filter(|(c, _)| !explained.contains(c)) {
            let copies = copies.iter().skip(1);
            events.extend(copies.map(|&place| ("merge-duplicates", place)));
        }
        // Once per node, however many variables a rule found.
        events.sort_by_key(|&(rule, place)| (place, rule));
        events.dedup();
        events
    }

    /// The operator of a class, without operands.
    fn item(&self, egraph: &Egraph, class: Id, term: &Expr, draft: &mut Draft) -> Option<Item> {
        if let Some(place) = self.unchanged(class, term) {
            return Some(draft.items[place].clone());
        }
        let &place = self.places(class).first()?;
        let op = match term {
            Expr::Polynomial([p, _]) => {
                let id = egraph[*p].data.coefficients?;
                draft.polynomial_op(place, egraph.analysis.polynomial(id))?
            }
            Expr::Add(_) => Op::Add,
            Expr::Multiply(_) => Op::Multiply,
            Expr::Operator(..) | Expr::Coefficients(_) => return None,
        };
        let item = draft.items[place].clone();
        Some(Item { op, ..item })
    }
}
