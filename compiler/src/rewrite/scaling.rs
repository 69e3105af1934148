//! Multiply the rows and columns of a linear map by factors, inside its weights.
//!
//! `diag(rows) A diag(columns)` is a map of the same kind exactly when the factors are constant on the elements that
//! share weights: the positions of a channel of a convolution, the lines of a product with a matrix. Pools and gathers
//! have no weights and take no factor. Everything here is exact but for one rounding per weight.

use peregrine_ir::linear::{Contract, Conv2d, LinearKind, LinearMap};
use peregrine_ir::{Broadcast, Shape, Tensors};

/// Factors of rows and columns, one per element of the map's output and input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors<'a> {
    pub(super) rows: &'a [f64],
    pub(super) columns: &'a [f64],
}

/// Where the factors went.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scaled {
    /// All are one: the map is the same.
    Same,
    /// Into these weights.
    Weights(Shape, Vec<f64>),
}

/// The map with factors, or `None` when it cannot take them. O(elements + weights).
pub(super) fn scaled(map: &LinearMap, tensors: &Tensors, factors: Factors<'_>) -> Option<Scaled> {
    let one = |x: &f64| *x == 1.0;
    if factors.rows.iter().all(one) && factors.columns.iter().all(one) {
        return Some(Scaled::Same);
    }
    let weight = tensors.get(map.weight()?)?;
    let (shape, data) = (weight.shape(), weight.data());
    match &map.kind {
        LinearKind::Conv2d(conv) => {
            let data = conv_weights(conv, map, data, factors)?;
            Some(Scaled::Weights(shape.clone(), data))
        }
        LinearKind::Contract(contract) => {
            let data = contract_weights(contract, data, factors)?;
            Some(Scaled::Weights(shape.clone(), data))
        }
        LinearKind::Scale(_) => {
            let broadcast = Broadcast::new(shape, &map.input)?;
            let both = factors.rows.iter().zip(factors.columns).enumerate();
            let data = both.map(|(i, (r, c))| data[broadcast.source(i)] * r * c);
            Some(Scaled::Weights(map.input.clone(), data.collect()))
        }
        LinearKind::AveragePool(_) | LinearKind::Gather(_) => None,
    }
}

/// Groups of elements of a map's input that share a factor: their number, and the group of each element.
pub(super) fn column_groups(map: &LinearMap) -> Option<Groups> {
    match &map.kind {
        LinearKind::Conv2d(_) => channels(&map.input),
        LinearKind::Contract(c) => Some(Groups::lines(c, c.k)),
        LinearKind::Scale(_) => Some(Groups::elements(&map.input)),
        LinearKind::AveragePool(_) | LinearKind::Gather(_) => None,
    }
}

/// Groups of elements of a map's output that share a factor.
pub(super) fn row_groups(map: &LinearMap) -> Option<Groups> {
    match &map.kind {
        LinearKind::Conv2d(_) => channels(&map.output),
        LinearKind::Contract(c) => Some(Groups::lines(c, c.m)),
        LinearKind::Scale(_) => Some(Groups::elements(&map.output)),
        LinearKind::AveragePool(_) | LinearKind::Gather(_) => None,
    }
}

/// A partition of the flat indices of `[outer, a, middle, b, inner]` by `(a, b)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    a: usize,
    middle: usize,
    b: usize,
    inner: usize,
}

impl Groups {
    fn elements(shape: &Shape) -> Self {
        Self {
            a: 1,
            middle: 1,
            b: shape.elements(),
            inner: 1,
        }
    }

    fn lines(contract: &Contract, extent: u32) -> Self {
        Self {
            a: contract.groups as usize,
            middle: contract.rows as usize,
            b: extent as usize,
            inner: contract.inner as usize,
        }
    }

    /// Number of groups.
    pub(super) fn count(&self) -> usize {
        self.a * self.b
    }

    /// The group of a flat index.
    pub(super) fn of(&self, flat: usize) -> usize {
        let b = flat / self.inner % self.b;
        let a = flat / (self.inner * self.b * self.middle) % self.a;
        a * self.b + b
    }

    /// One factor per group, or `None` when they differ inside one.
    fn collect(&self, factors: &[f64]) -> Option<Vec<f64>> {
        let mut per_group = vec![None; self.count()];
        for (flat, &factor) in factors.iter().enumerate() {
            let slot = &mut per_group[self.of(flat)];
            if *slot.get_or_insert(factor) != factor {
                return None;
            }
        }
        per_group.into_iter().collect()
    }
}

/// The channels of `[N, C, H, W]`.
fn channels(shape: &Shape) -> Option<Groups> {
    match shape.dims() {
        [_, c, h, w] => Some(Groups {
            a: 1,
            middle: 1,
            b: *c as usize,
            inner: *h as usize * *w as usize,
        }),
        _ => None,
    }
}

fn conv_weights(
    conv: &Conv2d,
    map: &LinearMap,
    weights: &[f64],
    factors: Factors<'_>,
) -> Option<Vec<f64>> {
    let rows = row_groups(map)?.collect(factors.rows)?;
    let columns = column_groups(map)?.collect(factors.columns)?;
    let groups = conv.groups as usize;
    let (group_in, group_out) = (columns.len() / groups, rows.len() / groups);
    let taps = conv
        .window
        .kernel
        .iter()
        .map(|&k| k as usize)
        .product::<usize>();
    let scaled = weights.iter().enumerate().map(|(i, w)| {
        let (m, c) = (i / taps / group_in, i / taps % group_in);
        w * rows[m] * columns[m / group_out * group_in + c]
    });
    Some(scaled.collect())
}

fn contract_weights(
    contract: &Contract,
    weights: &[f64],
    factors: Factors<'_>,
) -> Option<Vec<f64>> {
    let (m, k) = (contract.m as usize, contract.k as usize);
    let rows = Groups::lines(contract, contract.m).collect(factors.rows)?;
    let columns = Groups::lines(contract, contract.k).collect(factors.columns)?;
    let scaled = weights
        .iter()
        .enumerate()
        .map(|(i, w)| w * rows[i / k] * columns[i / k / m * k + i % k]);
    Some(scaled.collect())
}
