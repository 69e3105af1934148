//! Which divisions by P move past the products that use them.
//!
//! 1. A *candidate* is a `mod_down` whose every use is a term of a sum of products. Moving it saves its division; each use costs
//!    the special primes of one product and one encoding. One that costs more than it saves stays.
//! 2. Candidates that share a sum of products form a *group*, which moves as a whole or not at all. Each sum costs
//!    a division, but none where its only use is an addition that already divides by P for others (a giant step, say): there
//!    it is one more extended term. A sum that also has terms in the normal basis is split in two.
//! 3. A group moves where it saves predicted seconds.
//!
//! Cost: O(n log n) for n operands of products.

use super::product::Product;
use peregrine_ir::cost::{CostModel, Phases, encoded_share};
use peregrine_ir::{Basis, Circuit, Form, Inst, Level, SecondaryMap, Value};
use petgraph::unionfind::UnionFind;
use std::collections::{BTreeMap, BTreeSet};

/// The divisions by P that move.
pub(super) struct Choice {
    /// The divisions that move, with the values that they divide.
    pub(super) moved: BTreeMap<Value, Value>,
    /// For each value whose only use is as a term of a sum, that sum.
    pub(super) summed: BTreeMap<Value, Value>,
    /// The number of uses of each plaintext beside a division that moves.
    pub(super) raised_uses: BTreeMap<Value, u32>,
}

/// Chooses the divisions that move, for a whole circuit.
pub(super) fn choose(
    circuit: &Circuit,
    cost: &CostModel,
    uses: &SecondaryMap<Value, u32>,
) -> Choice {
    let survey = Survey::new(circuit, cost, uses);
    let moved = survey.choose();
    let mut raised_uses = BTreeMap::new();
    for product in survey.products.values() {
        for (a, p) in product.ciphers().zip(product.plains()) {
            if moved.contains_key(&a) {
                *raised_uses.entry(p).or_insert(0) += 1;
            }
        }
    }
    Choice {
        moved,
        summed: survey.summed,
        raised_uses,
    }
}

/// A circuit with the uses that this pass asks for.
struct Survey<'c> {
    circuit: &'c Circuit,
    uses: &'c SecondaryMap<Value, u32>,
    phases: Vec<Phases>,
    products: BTreeMap<Value, Product>,
    summed: BTreeMap<Value, Value>,
}

/// A division that may move.
struct Candidate {
    /// The value that it divides.
    inner: Value,
    /// The sums of products that use it.
    products: BTreeSet<Value>,
    /// The number of these uses.
    uses: u32,
    /// The seconds that its uses cost when it moves.
    price: f64,
}

impl<'c> Survey<'c> {
    fn new(circuit: &'c Circuit, cost: &CostModel, uses: &'c SecondaryMap<Value, u32>) -> Self {
        let levels = 0..circuit.rings.levels.len() as u32;
        let phases = |level| cost.phases(&circuit.rings, level);
        let products = circuit.values.iter();
        // A plaintext that comes from outside is not to be encoded otherwise.
        let encoded = |p: Value| {
            let definition = circuit.values.get(p);
            definition.is_some_and(|d| matches!(d.inst, Inst::Encode { .. }))
        };
        let mut survey = Self {
            circuit,
            uses,
            phases: levels.map(|l| phases(Level(l))).collect(),
            products: products
                .filter_map(|(value, d)| Some((value, Product::of(&d.inst)?)))
                .filter(|(_, product)| product.plains().all(encoded))
                .collect(),
            summed: BTreeMap::new(),
        };
        for (sum, definition) in circuit.values.iter() {
            if let Inst::Add(terms) = &definition.inst {
                let once = terms.iter().filter(|&&term| survey.uses(term) == 1);
                let once: Vec<(Value, Value)> = once.map(|&term| (term, sum)).collect();
                survey.summed.extend(once);
            }
        }
        survey
    }

    fn uses(&self, value: Value) -> u32 {
        self.uses[value]
    }

    fn at(&self, value: Value) -> &Phases {
        let level = self.circuit.values[value].ty.level();
        &self.phases[level.0 as usize]
    }

    fn inst(&self, value: Value) -> &'c Inst {
        &self.circuit.values[value].inst
    }

    fn choose(&self) -> BTreeMap<Value, Value> {
        let candidates = self.candidates();
        let mut groups: BTreeMap<usize, (Vec<Value>, BTreeSet<Value>)> = BTreeMap::new();
        for (root, value) in components(&candidates) {
            let (members, products) = groups.entry(root).or_default();
            members.push(value);
            products.extend(&candidates[&value].products);
        }
        let mut moved = BTreeMap::new();
        for (members, products) in groups.values() {
            let members = members.iter().map(|v| (*v, candidates[v].inner));
            let members: BTreeMap<Value, Value> = members.collect();
            let saved: f64 = members.keys().map(|&v| self.at(v).mod_down()).sum();
            let paid: f64 = products.iter().map(|&v| self.price(v, &members)).sum();
            if paid < saved {
                moved.extend(members);
            }
        }
        moved
    }

    /// The divisions that save more than their own uses cost.
    fn candidates(&self) -> BTreeMap<Value, Candidate> {
        let mut candidates: BTreeMap<Value, Candidate> = BTreeMap::new();
        for (&at, product) in &self.products {
            let mut plains = product.plains();
            for a in product.ciphers() {
                let plain = plains.next();
                let &Inst::ModDown(inner) = self.inst(a) else {
                    continue;
                };
                let candidate = candidates.entry(a).or_insert_with(|| Candidate {
                    inner,
                    products: BTreeSet::new(),
                    uses: 0,
                    price: 0.0,
                });
                candidate.uses += 1;
                candidate.products.insert(at);
                candidate.price += self.further(at, product, Form::Extended)
                    - self.further(at, product, Form::Normal)
                    + plain.map_or(0.0, |p| self.encoding(p));
            }
        }
        candidates.retain(|&v, c| c.uses == self.uses(v) && c.price < self.at(v).mod_down());
        candidates
    }

    /// The seconds of one more term of a sum of products.
    fn further(&self, at: Value, product: &Product, form: Form) -> f64 {
        self.sum(at, product, form, 2) - self.sum(at, product, form, 1)
    }

    /// The seconds of a sum of `terms` products of the kind of `product`.
    fn sum(&self, at: Value, product: &Product, form: Form, terms: usize) -> f64 {
        match product {
            _ if terms == 0 => 0.0,
            Product::Plains(_) => self.at(at).dot(form, terms),
            Product::Numbers(..) => self.at(at).dot(form, terms),
        }
    }

    /// The seconds of having a constant modulo `Q_l P`: it is encoded so in place of modulo `Q_l`, or in addition where others
    /// need that.
    fn encoding(&self, plain: Value) -> f64 {
        let phases = self.at(plain);
        let share = encoded_share(self.circuit, self.inst(plain));
        let instead = if self.uses(plain) == 1 {
            phases.encode(Basis::Normal, share)
        } else {
            0.0
        };
        phases.encode(Basis::Extended, share) - instead
    }

    /// The seconds that it costs a sum of products that these divisions move.
    fn price(&self, at: Value, moved: &BTreeMap<Value, Value>) -> f64 {
        let product = &self.products[&at];
        let all = self.sum(at, product, Form::Normal, product.len());
        let (raised, rest) = product.clone().partition(|a| moved.contains_key(&a));
        let encodings: f64 = raised.plains().map(|p| self.encoding(p)).sum();
        let parts = self.sum(at, product, Form::Extended, raised.len())
            + self.sum(at, product, Form::Normal, rest.len());
        let add = |form| self.at(at).add(form);
        let joining = if rest.is_empty() {
            0.0
        } else {
            add(Form::Normal)
        };
        let division = if self.joins_a_division(at) {
            add(Form::Extended) - add(Form::Normal)
        } else {
            self.at(at).mod_down()
        };
        encodings + parts - all + joining + division
    }

    /// Whether the only use of a value is a sum that divides another term by P, which has no other use.
    fn joins_a_division(&self, value: Value) -> bool {
        let sum = self.summed.get(&value).map(|&sum| self.inst(sum));
        let Some(Inst::Add(terms)) = sum else {
            return false;
        };
        let divides = |&v: &Value| matches!(self.inst(v), Inst::ModDown(_)) && self.uses(v) == 1;
        terms.iter().any(divides)
    }
}

/// The candidates, each with the group that it belongs to.
fn components(candidates: &BTreeMap<Value, Candidate>) -> Vec<(usize, Value)> {
    let mut groups = UnionFind::new(candidates.len());
    let mut first: BTreeMap<Value, usize> = BTreeMap::new();
    for (i, candidate) in candidates.values().enumerate() {
        for &product in &candidate.products {
            let other = *first.entry(product).or_insert(i);
            groups.union(other, i);
        }
    }
    let roots = groups.into_labeling();
    roots.into_iter().zip(candidates.keys().copied()).collect()
}
