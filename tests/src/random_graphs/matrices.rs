//! Products with matrices: fully connected layers, matrices along an axis, reductions.

use super::{Choices, MOST_MACS, Network, fits};
use peregrine_ir::linear::{Contract, LinearKind};

impl Network {
    /// Flattened, then a fully connected layer.
    pub(super) fn fully_connected(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let x = self.pick(choices);
        let dims = self.builder.dims(x);
        let k = dims.iter().product();
        let m = 1 + choices.below(6);
        let flat = if dims == [1, k] {
            x
        } else {
            self.builder.reshaped(x, &[1, k])
        };
        let weight = self.builder.weights(&[1, m, k], 1.0 / f64::from(k).sqrt());
        let bias = choices.one_in(2).then(|| self.builder.weights(&[m], 0.2));
        let kind = LinearKind::Contract(Contract::matrix(weight, m, k));
        self.builder.linear(kind, flat, &[1, m], bias);
        self.features.insert("fully connected");
        Some(())
    }

    /// A matrix along rows or columns, one for all channels or one for each.
    pub(super) fn matrix(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let [n, c, h, w] = dims;
        let m = 1 + choices.below(12);
        let along_rows = choices.one_in(2);
        let per_channel = choices.one_in(2);
        let (k, output) = if along_rows {
            (h, [n, c, m, w])
        } else {
            (w, [n, c, h, m])
        };
        let macs = output.iter().product::<u32>() * k;
        if !fits(&output) || macs as usize > MOST_MACS {
            return None;
        }
        let groups = if per_channel { c } else { 1 };
        let weight = self
            .builder
            .weights(&[groups, m, k], 1.0 / f64::from(k).sqrt());
        let lines = if along_rows { 1 } else { h };
        let kind = LinearKind::Contract(Contract {
            weight,
            outer: if per_channel { n } else { n * c },
            groups,
            rows: lines,
            m,
            k,
            inner: if along_rows { w } else { 1 },
        });
        self.builder.linear(kind, x, &output, None);
        self.features
            .insert(["matrix", "matrices by channel"][usize::from(per_channel)]);
        Some(())
    }

    /// A sum or mean over neighbouring axes, as a product with a row of equal weights.
    pub(super) fn reduction(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let (x, dims) = self.pick_image(choices)?;
        let first = 1 + choices.below(3) as usize;
        let last = first + choices.below(4 - first as u32) as usize;
        let part = |range: std::ops::Range<usize>| dims[range].iter().product::<u32>();
        let (outer, k, inner) = (part(0..first), part(first..last + 1), part(last + 1..4));
        let sum = k <= 16 && choices.one_in(2);
        let value = if sum { 1.0 } else { 1.0 / f64::from(k) };
        let weight = self.builder.tensor(&[1, 1, k], |_| value);
        let kind = LinearKind::Contract(Contract {
            weight,
            outer,
            groups: 1,
            rows: 1,
            m: 1,
            k,
            inner,
        });
        let reduced = self.builder.linear(kind, x, &[outer, 1, inner], None);
        let mut kept = dims;
        kept[first..=last].fill(1);
        self.builder.reshaped(reduced, &kept);
        self.features
            .insert(["mean over axes", "sum over axes"][usize::from(sum)]);
        Some(())
    }
}
