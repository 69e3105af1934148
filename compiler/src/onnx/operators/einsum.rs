//! Einsum of an encrypted tensor, alone or with a constant: a sum over products is a linear map.
//!
//! Labels of the axes fall into five kinds: `B` in both operands and the result, `K` summed over, `N` of the encrypted
//! operand only, `M` of the constant only, and labels of the constant that nothing else has, which are summed beforehand.
//! The encrypted operand is seen as `[N1, B, N2, K, N3]` and the result comes as `[N1, B, N2, M, N3]`; axes are moved only
//! where they do not stand like that.
#![deny(clippy::indexing_slicing)]

use super::along::ordered;
use super::gemm::contract;
use super::row::Operator;
use crate::onnx::build::{Builder, Call, Movement, Value, dims, floating};
use crate::onnx::format::{Constant, elements};
use crate::onnx::problems::Problem;
use petgraph::graph::NodeIndex;
use std::collections::BTreeMap;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![Operator::encrypted("Einsum", einsum).by_library()]
}

type Labels = Vec<char>;

/// Einsum with at most one encrypted operand.
pub(in crate::onnx) fn einsum(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let equation = call.string_or("equation", "")?;
    let values: Vec<&Value> = (0..call.inputs.len())
        .map(|i| call.value(i, "an operand"))
        .collect::<Result<_, _>>()?;
    let (mut encrypted, mut known) = (None, None);
    for (i, value) in values.iter().enumerate() {
        match value {
            Value::Encrypted(x) if encrypted.is_none() => encrypted = Some((i, *x)),
            Value::Known(c) if known.is_none() => known = Some((i, c)),
            Value::Encrypted(_) => return Err(Problem::TwoEncrypted),
            _ => return Err(wrong(&equation)),
        }
    }
    let Some((i, x)) = encrypted else {
        return Err(Problem::Constants);
    };
    let ranks: Vec<usize> = (values.iter()).map(|value| dims(b, value).len()).collect();
    let terms = Terms::parse(&equation, &ranks).ok_or_else(|| wrong(&equation))?;
    let of = |i: usize| terms.operands.get(i).cloned().unwrap_or_default();
    let (x, labels) = diagonal(b, x, &of(i))?;
    let known = known.map(|(j, c)| (c, of(j)));
    let sum = Sum::new(b, (x, &labels), known, &terms.result).ok_or_else(|| wrong(&equation))?;
    sum.lower(b)
}

fn wrong(equation: &str) -> Problem {
    Problem::Attribute {
        name: "equation",
        found: equation.to_owned(),
        supported: "one encrypted operand, alone or with one constant, whose axes agree",
    }
}

/// The labels of operands and result.
struct Terms {
    operands: Vec<Labels>,
    result: Labels,
}

impl Terms {
    /// Reads an equation for operands of these ranks; three dots stand for as many axes as are left.
    fn parse(equation: &str, ranks: &[usize]) -> Option<Self> {
        let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match equation.split_once("->") {
            Some((left, right)) => (left.to_owned(), Some(right.to_owned())),
            None => (equation, None),
        };
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != ranks.len() {
            return None;
        }
        let dots = |term: &str, rank: usize| {
            let named = term.chars().filter(|c| c.is_ascii_alphabetic()).count();
            rank.checked_sub(named)
        };
        let mut longest = 0;
        for (term, &rank) in terms.iter().zip(ranks) {
            let left = dots(term, rank)?;
            if !term.contains("...") && left != 0 {
                return None;
            }
            longest = longest.max(left);
        }
        let operands: Option<Vec<Labels>> = (terms.iter().zip(ranks))
            .map(|(term, &rank)| labels(term, longest, dots(term, rank)?))
            .collect();
        let operands = operands?;
        let result = match right {
            Some(right) => labels(&right, longest, longest)?,
            None => implicit(&operands, longest),
        };
        Some(Self { operands, result })
    }
}

/// The axes that dots stand for are numbered from the last.
fn dotted(longest: usize, count: usize) -> impl Iterator<Item = char> {
    (longest - count..longest).filter_map(|i| char::from_digit(i as u32, 36))
}

fn labels(term: &str, longest: usize, count: usize) -> Option<Labels> {
    let (before, after) = term.split_once("...").unwrap_or((term, ""));
    let middle = term.contains("...");
    let named = |part: &str| part.chars().all(|c| c.is_ascii_alphabetic());
    if !named(before) || !named(after) || longest > 9 {
        return None;
    }
    let dots = dotted(longest, if middle { count } else { 0 });
    Some(before.chars().chain(dots).chain(after.chars()).collect())
}

/// Without an arrow the result has the dots and every label that occurs once, in order.
fn implicit(operands: &[Labels], longest: usize) -> Labels {
    let mut counts: BTreeMap<char, usize> = BTreeMap::new();
    for label in operands.iter().flatten() {
        *counts.entry(*label).or_default() += 1;
    }
    let single = counts
        .iter()
        .filter(|(c, n)| c.is_ascii_alphabetic() && **n == 1);
    dotted(longest, longest)
        .chain(single.map(|(c, _)| *c))
        .collect()
}

/// The operand with one axis per label: where a label repeats, the diagonal.
fn diagonal(
    b: &mut Builder,
    x: NodeIndex,
    labels: &Labels,
) -> Result<(NodeIndex, Labels), Problem> {
    let mut distinct = Labels::new();
    for label in labels {
        if !distinct.contains(label) {
            distinct.push(*label);
        }
    }
    if distinct.len() == labels.len() {
        return Ok((x, distinct));
    }
    let at = |label: &char| distinct.iter().position(|d| d == label).unwrap_or(0);
    let axes: Vec<usize> = labels.iter().map(at).collect();
    let movement = Movement::diagonal(&b.dims(x), &axes, distinct.len())?;
    match b.moved(&Value::Encrypted(x), movement)? {
        Value::Encrypted(y) => Ok((y, distinct)),
        _ => Ok((x, distinct)),
    }
}

/// A sum over products, labels sorted by kind.
struct Sum<'c> {
    x: NodeIndex,
    labels: Labels,
    weight: Option<(&'c Constant, Labels)>,
    result: Labels,
    extents: BTreeMap<char, u32>,
}

impl<'c> Sum<'c> {
    fn new(
        b: &Builder,
        (x, labels): (NodeIndex, &Labels),
        weight: Option<(&'c Constant, Labels)>,
        result: &Labels,
    ) -> Option<Self> {
        let mut extents = BTreeMap::new();
        let known = weight
            .iter()
            .flat_map(|(c, l)| l.iter().copied().zip(c.dims.iter().copied()));
        for (label, extent) in labels.iter().copied().zip(b.dims(x)).chain(known) {
            if *extents.entry(label).or_insert(extent) != extent {
                return None;
            }
        }
        let mut sorted = result.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let there = result.iter().all(|label| extents.contains_key(label));
        (there && sorted.len() == result.len()).then(|| Self {
            x,
            labels: labels.clone(),
            weight,
            result: result.clone(),
            extents,
        })
    }

    fn extent(&self, labels: &[char]) -> u32 {
        let extents = labels
            .iter()
            .map(|label| self.extents.get(label).copied().unwrap_or(1));
        extents.fold(1, u32::saturating_mul)
    }

    fn weighs(&self, label: &char) -> bool {
        self.weight
            .as_ref()
            .is_some_and(|(_, labels)| labels.contains(label))
    }

    fn lower(mut self, b: &mut Builder) -> Result<Value, Problem> {
        let result = self.result.clone();
        let own = |labels: &Labels, keep: &dyn Fn(&char) -> bool| -> Labels {
            labels.iter().copied().filter(|l| keep(l)).collect()
        };
        let batch = own(&self.labels, &|l| result.contains(l) && self.weighs(l));
        let summed = own(&self.labels, &|l| !result.contains(l));
        let weight_labels = self
            .weight
            .as_ref()
            .map_or(Labels::new(), |(_, l)| l.clone());
        let rows = own(&result, &|l| {
            weight_labels.contains(l) && !self.labels.contains(l)
        });
        let dims: Vec<u32> = result.iter().map(|l| self.extent(&[*l])).collect();
        b.check_size(&dims)?;
        let moves_only = self.weight.is_none() && summed.is_empty();
        let made = if moves_only {
            self.labels.clone()
        } else {
            let parts = self.arrange(b, &batch, &summed)?;
            self.contracted(b, &parts, (&batch, &summed, &rows))?
        };
        let order: Vec<usize> = (result.iter())
            .filter_map(|label| made.iter().position(|l| l == label))
            .collect();
        let view: Vec<u32> = made.iter().map(|l| self.extent(&[*l])).collect();
        let viewed = match b.reshaped(&Value::Encrypted(self.x), &view)? {
            Value::Encrypted(y) => ordered(b, y, &order)?,
            _ => self.x,
        };
        b.reshaped(&Value::Encrypted(viewed), &dims)
    }

    /// Brings the labels into the order `N1 B N2 K N3`; the three parts between.
    fn arrange(
        &mut self,
        b: &mut Builder,
        batch: &Labels,
        summed: &Labels,
    ) -> Result<[Labels; 3], Problem> {
        if let Some(parts) = split(&self.labels, batch, summed) {
            return Ok(parts);
        }
        let free = |l: &&char| !batch.contains(l) && !summed.contains(l);
        let free: Labels = self.labels.iter().filter(free).copied().collect();
        let wanted: Labels = [batch.as_slice(), &free, summed].concat();
        let order: Vec<usize> = (wanted.iter())
            .filter_map(|label| self.labels.iter().position(|l| l == label))
            .collect();
        self.x = ordered(b, self.x, &order)?;
        self.labels = wanted;
        Ok([Labels::new(), free, Labels::new()])
    }

    /// The product and sum; the labels of the result in order.
    fn contracted(
        &mut self,
        b: &mut Builder,
        [before, between, behind]: &[Labels; 3],
        (batch, summed, rows): (&Labels, &Labels, &Labels),
    ) -> Result<Labels, Problem> {
        let weight_labels = [batch.as_slice(), rows, summed].concat();
        let [groups, m, k] = [batch, rows, summed].map(|l| self.extent(l));
        let [outer, lines, inner] = [before, between, behind].map(|l| self.extent(l));
        let data = self.weights(b, &weight_labels)?;
        let weight = b.tensor("einsum", &[groups, m, k], || data)?;
        let input = b.dims(self.x);
        let output = [outer, groups, lines, m, inner];
        b.check_size(&output)?;
        let kind = contract(weight, [outer, groups, lines, m, k, inner]);
        self.x = b.linear(kind, (self.x, &input), &output, None)?;
        Ok([before.as_slice(), batch, between, rows, behind].concat())
    }

    /// The constant with its axes in this order, ones for labels that it lacks; its other labels are summed.
    fn weights(&self, b: &mut Builder, wanted: &Labels) -> Result<Vec<f64>, Problem> {
        let dims: Vec<u32> = wanted.iter().map(|l| self.extent(&[*l])).collect();
        let count = elements(&dims);
        b.spend(count)?;
        let Some((constant, labels)) = &self.weight else {
            return Ok(vec![1.0; count as usize]);
        };
        floating(constant)?;
        b.spend(constant.len())?;
        // What each axis of the constant adds to the position in its part of the result.
        let mut stride = BTreeMap::new();
        let mut size = 1usize;
        for label in wanted.iter().rev().filter(|l| labels.contains(l)) {
            stride.insert(*label, size);
            size *= self.extent(&[*label]) as usize;
        }
        let mut part = vec![0.0; size];
        for (flat, value) in constant.values().enumerate() {
            if let Some(at) = self.place(flat, (constant, labels), &stride)
                && let Some(sum) = part.get_mut(at)
            {
                *sum += value;
            }
        }
        let place = |flat: u64| {
            let mut rest = flat;
            let mut at = 0;
            for label in wanted.iter().rev() {
                let extent = u64::from(self.extent(&[*label]));
                at += stride.get(label).copied().unwrap_or(0) * (rest % extent) as usize;
                rest /= extent;
            }
            part.get(at).copied().unwrap_or(0.0)
        };
        Ok((0..count).map(place).collect())
    }

    /// Where element `flat` of the constant counts; nowhere when it is off a repeated label's diagonal.
    fn place(
        &self,
        flat: usize,
        (constant, labels): (&Constant, &Labels),
        stride: &BTreeMap<char, usize>,
    ) -> Option<usize> {
        let (mut rest, mut at) = (flat, 0);
        let mut seen: BTreeMap<char, usize> = BTreeMap::new();
        for (label, &extent) in labels.iter().zip(&constant.dims).rev() {
            let coordinate = rest % extent as usize;
            rest /= extent as usize;
            match seen.insert(*label, coordinate) {
                Some(other) if other != coordinate => return None,
                Some(_) => {}
                None => at += stride.get(label).copied().unwrap_or(0) * coordinate,
            }
        }
        Some(at)
    }
}

/// The parts of labels that stand as `N1 B N2 K N3`, each of `B` and `K` together and in order.
fn split(labels: &Labels, batch: &Labels, summed: &Labels) -> Option<[Labels; 3]> {
    let find = |part: &Labels, from: usize| match part.first() {
        None => Some(from),
        Some(first) => {
            let at = labels.iter().position(|l| l == first)?;
            let there = labels.get(at..at + part.len())? == part.as_slice();
            (there && at >= from).then_some(at)
        }
    };
    let first = find(batch, 0)?;
    let middle = first + batch.len();
    let second = match summed.is_empty() {
        true => labels.len(),
        false => find(summed, middle)?,
    };
    let piece = |range: std::ops::Range<usize>| labels.get(range).map(<[char]>::to_vec);
    Some([
        piece(0..first)?,
        piece(middle..second)?,
        piece(second + summed.len()..labels.len())?,
    ])
}
