//! The terms of the e-graph and what is known about a class of equal terms.

use super::super::univariate::{Key, Univariate};
use crate::tensor::Op;
use egg::{Analysis, DidMerge, EGraph, Id, define_language};
use peregrine_ir::{Shape, TensorId};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

define_language! {
    /// A value of the graph.
    pub(super) enum Expr {
        "+" = Add([Id; 2]),
        "*" = Multiply([Id; 2]),
        // Coefficients, then the variable.
        "poly" = Polynomial([Id; 2]),
        Coefficients(PolynomialId),
        // Anything the algebra does not look into.
        Operator(OperatorId, Vec<Id>),
    }
}

macro_rules! table_index {
    ($(#[$doc:meta] $name:ident = $prefix:literal;)*) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) struct $name(pub(super) usize);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ();
            fn from_str(text: &str) -> Result<Self, ()> {
                let digits = text.strip_prefix($prefix).ok_or(())?;
                digits.parse().map(Self).map_err(|_| ())
            }
        }
    )*};
}

table_index! {
    /// Index into [`Tables::polynomials`].
    PolynomialId = "p";
    /// Index into [`Tables::operators`].
    OperatorId = "f";
}

/// Side tables of the e-graph: what its leaves stand for, and what the rules did.
#[derive(Default)]
pub(super) struct Tables {
    polynomials: Vec<Univariate>,
    keys: BTreeMap<Key, PolynomialId>,
    operators: Vec<(Op, Shape)>,
    /// Operators by what is quick to compare.
    alike: BTreeMap<(Option<TensorId>, Vec<u32>), Vec<usize>>,
    /// Rule and class of each application, in order.
    pub(super) events: Vec<(&'static str, Id)>,
}

impl Tables {
    /// The polynomial of a leaf.
    pub(super) fn polynomial(&self, id: PolynomialId) -> &Univariate {
        &self.polynomials[id.0]
    }

    /// The leaf of a polynomial; equal ones share it.
    pub(super) fn intern(&mut self, polynomial: Univariate) -> PolynomialId {
        let next = PolynomialId(self.polynomials.len());
        let id = *self.keys.entry(polynomial.key()).or_insert(next);
        if id == next {
            self.polynomials.push(polynomial);
        }
        id
    }

    /// The symbol of an operator; equal ones share it, so that equal terms are one class.
    pub(super) fn operator(&mut self, op: &Op, shape: &Shape) -> OperatorId {
        let weight = match op {
            Op::Linear { map, .. } => map.weight(),
            _ => None,
        };
        let alike = self
            .alike
            .entry((weight, shape.dims().to_vec()))
            .or_default();
        let same = |&&index: &&usize| {
            let known = self.operators.get(index);
            known.is_some_and(|(other, other_shape)| other == op && other_shape == shape)
        };
        if let Some(&known) = alike.iter().find(same) {
            return OperatorId(known);
        }
        alike.push(self.operators.len());
        self.operators.push((op.clone(), shape.clone()));
        OperatorId(self.operators.len() - 1)
    }
}

/// What is known about a class: the polynomials of other classes it equals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// For each variable, the polynomial of it that the class is. One per variable: two would differ in rounding only.
    pub(super) readings: BTreeMap<Id, PolynomialId>,
    /// Set for a class of coefficients.
    pub(super) coefficients: Option<PolynomialId>,
}

impl Analysis<Expr> for Tables {
    type Data = Facts;

    fn make(egraph: &mut EGraph<Expr, Self>, term: &Expr, _id: Id) -> Facts {
        let mut facts = Facts {
            readings: BTreeMap::new(),
            coefficients: None,
        };
        match term {
            Expr::Coefficients(p) => facts.coefficients = Some(*p),
            Expr::Polynomial([p, x]) => {
                if let Some(p) = egraph[*p].data.coefficients {
                    facts.readings.insert(egraph.find(*x), p);
                }
            }
            Expr::Add(_) | Expr::Multiply(_) | Expr::Operator(..) => {}
        }
        facts
    }

    fn merge(&mut self, a: &mut Facts, b: Facts) -> DidMerge {
        let before = a.clone();
        for (&x, &p) in &b.readings {
            a.readings.entry(x).or_insert(p);
        }
        a.coefficients = a.coefficients.or(b.coefficients);
        DidMerge(*a != before, *a != b)
    }
}

/// The values a term reads.
pub(super) fn operands(term: &Expr) -> &[Id] {
    match term {
        Expr::Polynomial([_, x]) => std::slice::from_ref(x),
        Expr::Add(operands) | Expr::Multiply(operands) => operands,
        Expr::Coefficients(_) => &[],
        Expr::Operator(_, operands) => operands,
    }
}

/// The polynomials of other classes that `class` equals, variables in order.
pub(super) fn readings(egraph: &EGraph<Expr, Tables>, class: Id) -> BTreeMap<Id, PolynomialId> {
    let own = egraph.find(class);
    let mut readings = BTreeMap::new();
    for (&x, &p) in &egraph[own].data.readings {
        let x = egraph.find(x);
        if x != own {
            readings.entry(x).or_insert(p);
        }
    }
    readings
}
