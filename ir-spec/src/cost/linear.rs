//! What the parts of a linear operator cost: what layouts and steps are chosen by.

/// How often a key switch passes over every limb of its level, about: what weighs levels against each other before ring and digits are
/// chosen, on which the seconds of [`CostModel`](super::CostModel) depend.
pub const PASSES_OF_KEY_SWITCH: f64 = 24.0;

/// How often a product with an encoded plaintext passes over every limb of its level, its encoding included; see
/// [`PASSES_OF_KEY_SWITCH`].
pub const PASSES_OF_PRODUCT: f64 = 3.0;

/// Seconds of the parts of a linear operator at one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearCost {
    /// Decomposing an input once, shared by its baby steps.
    pub decompose: f64,
    /// A baby step: a rotation from shared digits, divided by P.
    pub baby: f64,
    /// A giant step: a rotation of a partial sum, but for the division by P; the sum's own pass and its addition included.
    pub giant: f64,
    /// The division by P that the giant steps of one output share.
    pub mod_down: f64,
    /// Having a rotation key: a part of what brings it into memory.
    pub key: f64,
    /// A product with a constant, its encoding included.
    pub product: f64,
    /// A product with a number.
    pub scalar: f64,
    /// A rescale.
    pub rescale: f64,
    /// A product of ciphertexts with its relinearization and rescale.
    pub square: f64,
}

impl LinearCost {
    /// How many runs are taken to share keys in memory. A server that answers one request by one process has 1, one that stays
    /// has many; what is wanted is that a rotation is not worth a new key when a known one does almost as well.
    pub const RUNS_PER_KEY: f64 = 4.0;
}

/// The costs of linear operators at each level.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    lowest: LinearCost,
    /// From level 1 on.
    others: Vec<LinearCost>,
}

impl Prices {
    /// Prices by level, lowest first; everything is free where there is none.
    pub fn new(by_level: impl IntoIterator<Item = LinearCost>) -> Self {
        let mut by_level = by_level.into_iter();
        let lowest = by_level.next().unwrap_or(LinearCost {
            decompose: 0.0,
            baby: 0.0,
            giant: 0.0,
            mod_down: 0.0,
            key: 0.0,
            product: 0.0,
            scalar: 0.0,
            rescale: 0.0,
            square: 0.0,
        });
        Self {
            lowest,
            others: by_level.collect(),
        }
    }

    /// The price where `depth` multiplications are behind an operand that came in at the highest level; at most the lowest.
    pub fn after(&self, depth: u32) -> &LinearCost {
        let above = self.others.len().saturating_sub(depth as usize);
        match above.checked_sub(1) {
            Some(index) => self.others.get(index).unwrap_or(&self.lowest),
            None => &self.lowest,
        }
    }
}
