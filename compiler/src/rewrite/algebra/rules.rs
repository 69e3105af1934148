//! The table of egg rules: polynomials of one variable are closed under sum, product and composition.
//!
//! A rule looks at the readings of its operands (see [`Facts`](super::language::Facts)), not at their spelling, so that
//! four rows cover every order and association. Each adds `(poly r x)` to the class it matched, at most once per
//! variable `x` and for at most [`MAX_READINGS`] of them; the e-graph therefore grows by a constant per class and saturates.
//! What is a polynomial of more variables, a long chain of sums, is shortened by that factor each time it is read back.

use super::super::univariate::Univariate;
use super::language::{Expr, Tables, readings};
use egg::{Applier, EGraph, Id, PatternAst, Rewrite, Subst, Symbol, Var, rewrite as rw};

type Egraph = EGraph<Expr, Tables>;

/// Compositions and products of two nonlinear polynomials stay within this degree: written out, a high one has large
/// coefficients that cancel.
const MAX_EXPANDED_DEGREE: usize = 8;

/// The variables of which a class is known to be a polynomial.
const MAX_READINGS: usize = 16;

/// A composition of two nonlinear polynomials is monic for operands stored at most so many times smaller, with coefficients up
/// to the second number: beyond, rounding is multiplied by more than operations have guard bits for.
const MAX_REDUCTION: f64 = 8.0;
const MAX_COMPOSED: f64 = 8.0;

/// All rules, in the order in which they are tried.
#[rustfmt::skip]
pub(super) fn rules() -> Vec<Rewrite<Expr, Tables>> {
    vec![
        rw!("multiply-polynomials"; "(* ?a ?b)"    => { Combine(product) }         if share_a_variable("?a", "?b")),
        rw!("add-polynomials";      "(+ ?a ?b)"    => { Combine(Univariate::sum) } if share_a_variable("?a", "?b")),
        rw!("compose-polynomials";  "(poly ?p ?x)" => { Compose }),
        rw!("drop-identity";        "(poly ?p ?x)" => { Forget }                   if is_identity("?p")),
    ]
}

/// Whether both classes are polynomials of one variable.
fn share_a_variable(a: &str, b: &str) -> impl Fn(&mut Egraph, Id, &Subst) -> bool {
    let (a, b) = (variable(a), variable(b));
    move |egraph, _, subst| !common_readings(egraph, subst[a], subst[b]).is_empty()
}

/// Whether the coefficients are those of `x`.
fn is_identity(p: &str) -> impl Fn(&mut Egraph, Id, &Subst) -> bool {
    let p = variable(p);
    move |egraph, _, subst| {
        let coefficients = egraph[subst[p]].data.coefficients;
        coefficients.is_some_and(|p| egraph.analysis.polynomial(p).is_identity())
    }
}

/// Whether `P(Q(x))` as one polynomial is no deeper than its parts, and small enough to evaluate well.
fn worth_composing(outer: &Univariate, inner: &Univariate) -> bool {
    let (p, q) = (outer.degree(), inner.degree());
    if p.min(q) <= 1 {
        return true;
    }
    let shallow = Univariate::depth(p * q) <= Univariate::depth(p) + Univariate::depth(q);
    p * q <= MAX_EXPANDED_DEGREE && shallow
}

/// Whether a polynomial is monic, with moderate coefficients, for operands stored moderately smaller: then it is as precise as the
/// nonlinear polynomials that it is composed of.
fn is_well_posed(polynomial: &Univariate) -> bool {
    let (leading, degree) = (polynomial.leading(), polynomial.degree() as f64);
    let reduction = leading.map(|a| match a == 0.0 {
        true => 1.0,
        false => a.abs().powf(-1.0 / degree),
    });
    let lower = polynomial.coefficients().iter().enumerate().skip(1);
    let mut moderate = lower.map(|(k, c)| {
        let scaled = c.zip(&reduction, |c, g| c.abs() * g.powi(k as i32));
        scaled.is_some_and(|scaled| scaled.all(|c| c <= MAX_COMPOSED))
    });
    reduction.all(|g| g <= MAX_REDUCTION) && moderate.all(|moderate| moderate)
}

/// `P(x) Q(x)` written out, when nothing can cancel (one is a power of `x`), it is a step of Horner's rule (one is
/// affine), or it is small.
fn product(p: &Univariate, q: &Univariate) -> Option<Univariate> {
    let power = p.is_monomial() || q.is_monomial();
    let (low, degree) = (p.degree().min(q.degree()), p.degree() + q.degree());
    let worth_expanding = power || low <= 1 || degree <= MAX_EXPANDED_DEGREE;
    worth_expanding.then(|| p.product(q)).flatten()
}

/// `(* ?a ?b)` or `(+ ?a ?b)`: the result is a polynomial of every common variable.
struct Combine(fn(&Univariate, &Univariate) -> Option<Univariate>);

impl Applier<Expr, Tables> for Combine {
    fn apply_one(
        &self,
        egraph: &mut Egraph,
        class: Id,
        subst: &Subst,
        _: Option<&PatternAst<Expr>>,
        rule: Symbol,
    ) -> Vec<Id> {
        let common = common_readings(egraph, subst[variable("?a")], subst[variable("?b")]);
        let offers = common
            .into_iter()
            .filter_map(|(x, p, q)| (self.0)(&p, &q).map(|result| (x, result)));
        offers
            .filter_map(|(x, result)| offer(egraph, rule, class, x, result))
            .collect()
    }
}

/// `(poly ?p ?x)`: where `?x` is a polynomial of `y`, so is the result.
struct Compose;

impl Applier<Expr, Tables> for Compose {
    fn apply_one(
        &self,
        egraph: &mut Egraph,
        class: Id,
        subst: &Subst,
        _: Option<&PatternAst<Expr>>,
        rule: Symbol,
    ) -> Vec<Id> {
        let Some(p) = egraph[subst[variable("?p")]].data.coefficients else {
            return Vec::new();
        };
        let outer = egraph.analysis.polynomial(p).clone();
        let mut changed = Vec::new();
        for (y, q) in readings(egraph, subst[variable("?x")]) {
            let inner = egraph.analysis.polynomial(q);
            let composed = worth_composing(&outer, inner).then(|| outer.compose(inner));
            let affine = outer.degree().min(inner.degree()) <= 1;
            let composed = composed.flatten().filter(|c| affine || is_well_posed(c));
            if let Some(result) = composed {
                changed.extend(offer(egraph, rule, class, y, result));
            }
        }
        changed
    }
}

/// `(poly ?p ?x)` with the polynomial `x`: the class is that of `?x`.
struct Forget;

impl Applier<Expr, Tables> for Forget {
    fn apply_one(
        &self,
        egraph: &mut Egraph,
        class: Id,
        subst: &Subst,
        _: Option<&PatternAst<Expr>>,
        rule: Symbol,
    ) -> Vec<Id> {
        let x = subst[variable("?x")];
        if !egraph.union(class, x) {
            return Vec::new();
        }
        egraph.analysis.events.push((rule.as_str(), class));
        vec![class]
    }
}

/// Adds `(poly result x)` to `class` unless it is already known as a polynomial of `x`.
fn offer(egraph: &mut Egraph, rule: Symbol, class: Id, x: Id, result: Univariate) -> Option<Id> {
    let (class, x) = (egraph.find(class), egraph.find(x));
    let known = readings(egraph, class);
    if class == x || known.len() >= MAX_READINGS || known.contains_key(&x) {
        return None;
    }
    let p = egraph.analysis.intern(result);
    let coefficients = egraph.add(Expr::Coefficients(p));
    let term = egraph.add(Expr::Polynomial([coefficients, x]));
    let changed = egraph.union(class, term);
    egraph.analysis.events.push((rule.as_str(), class));
    changed.then_some(class)
}

/// The variables of which both classes are polynomials, each class being the polynomial `x` of itself.
fn common_readings(egraph: &Egraph, a: Id, b: Id) -> Vec<(Id, Univariate, Univariate)> {
    let of = |class: Id| {
        let mut all: Vec<(Id, Univariate)> = readings(egraph, class)
            .into_iter()
            .map(|(x, p)| (x, egraph.analysis.polynomial(p).clone()))
            .collect();
        all.push((egraph.find(class), Univariate::identity()));
        all
    };
    let right = of(b);
    of(a)
        .into_iter()
        .filter_map(|(x, p)| {
            let (_, q) = right.iter().find(|(y, _)| *y == x)?;
            Some((x, p, q.clone()))
        })
        .collect()
}

/// A pattern variable of the table.
fn variable(name: &str) -> Var {
    match name.parse() {
        Ok(variable) => variable,
        Err(_) => unreachable!("pattern variables of the table start with a question mark"),
    }
}
