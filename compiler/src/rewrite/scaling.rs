//! Multiply the rows and columns of a linear map by factors, inside its weights.
//!
//! `diag(rows) A diag(columns)` is a map of the same kind exactly when the factors are constant on the elements that
//! share weights: the positions of a channel of a convolution, the lines of a product with a matrix. Pools and gathers
//! have no weights and take no factor. Everything here is exact but for one rounding per weight.

use super::field::Field;
use peregrine_ir::linear::{Contract, Conv2d, LinearKind, LinearMap};
use peregrine_ir::{Shape, Tensors};

/// Factors of rows and columns: fields of the map's output and input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factors<'a> {
    pub(super) rows: &'a Field,
    pub(super) columns: &'a Field,
}

/// Where the factors went.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scaled {
    /// All are one: the map is the same.
    Same,
    /// Into these weights.
    Weights(Shape, Vec<f64>),
}

/// The map with factors, or `None` when it cannot take them. O(weights) for factors per channel.
pub(super) fn scaled(map: &LinearMap, tensors: &Tensors, factors: Factors<'_>) -> Option<Scaled> {
    let one = |x: f64| x == 1.0;
    if factors.rows.all(one) && factors.columns.all(one) {
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
            let data = contract_weights(contract, map, data, factors)?;
            Some(Scaled::Weights(shape.clone(), data))
        }
        LinearKind::Scale(_) => {
            let product = |a: f64, b: f64| a * b;
            let own = Field::from_tensor(weight).zip(factors.rows, product)?;
            let all = own.zip(factors.columns, product)?;
            let fits = all.shape().broadcasts_to(&map.input);
            fits.then(|| Scaled::Weights(all.shape().clone(), all.data().to_vec()))
        }
        _ => None,
    }
}

/// Groups of elements of a map's input that share a factor: their number, and the group of each element.
pub(super) fn column_groups(map: &LinearMap) -> Option<Groups> {
    match &map.kind {
        LinearKind::Conv2d(_) => channels(&map.input),
        LinearKind::Contract(c) => Some(Groups::lines(c, c.k)),
        LinearKind::Scale(_) => Some(Groups::elements(&map.input)),
        _ => None,
    }
}

/// Whether a map has weights that factors of its rows and columns can be put into; any other map stays as it is.
pub(super) fn takes_factors(map: &LinearMap) -> bool {
    row_groups(map).is_some() && column_groups(map).is_some()
}

/// Groups of elements of a map's output that share a factor.
pub(super) fn row_groups(map: &LinearMap) -> Option<Groups> {
    match &map.kind {
        LinearKind::Conv2d(_) => channels(&map.output),
        LinearKind::Contract(c) => Some(Groups::lines(c, c.m)),
        LinearKind::Scale(_) => Some(Groups::elements(&map.output)),
        _ => None,
    }
}

/// A partition of the flat indices of `[outer, a, middle, b, inner]` by `(a, b)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Whether the groups are the channels of images of `count` channels with `inner` elements each.
    pub(super) fn are_channels(&self, count: usize, inner: usize) -> bool {
        (self.a, self.middle, self.b, self.inner) == (1, 1, count, inner)
    }

    /// The group of a flat index.
    pub(super) fn group(&self, flat: usize) -> usize {
        let b = flat / self.inner % self.b;
        let a = flat / (self.inner * self.b * self.middle) % self.a;
        a * self.b + b
    }

    /// One factor per group of the elements of `shape`, or `None` when they differ inside one.
    fn collect(&self, factors: &Field, shape: &Shape) -> Option<Vec<f64>> {
        if let &[all] = factors.data() {
            return Some(vec![all; self.count()]);
        }
        if channels(shape) == Some(*self)
            && let Some(each) = factors.per_channel(shape)
        {
            return Some(each);
        }
        let mut per_group = vec![None; self.count()];
        for (flat, factor) in factors.expand(shape)?.into_iter().enumerate() {
            let slot = &mut per_group[self.group(flat)];
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
    let rows = row_groups(map)?.collect(factors.rows, &map.output)?;
    let columns = column_groups(map)?.collect(factors.columns, &map.input)?;
    let groups = conv.groups as usize;
    let (group_in, group_out) = (columns.len() / groups, rows.len() / groups);
    let taps = weights.len() / (rows.len() * group_in);
    let scaled = weights.iter().enumerate().map(|(i, w)| {
        let (m, c) = (i / taps / group_in, i / taps % group_in);
        w * rows[m] * columns[m / group_out * group_in + c]
    });
    Some(scaled.collect())
}

fn contract_weights(
    contract: &Contract,
    map: &LinearMap,
    weights: &[f64],
    factors: Factors<'_>,
) -> Option<Vec<f64>> {
    let (m, k) = (contract.m as usize, contract.k as usize);
    let rows = row_groups(map)?.collect(factors.rows, &map.output)?;
    let columns = column_groups(map)?.collect(factors.columns, &map.input)?;
    let scaled = weights
        .iter()
        .enumerate()
        .map(|(i, w)| w * rows[i / k] * columns[i / k / m * k + i % k]);
    Some(scaled.collect())
}
