//! Seconds of the parts of a linear operator, by which the compiler chooses layouts and steps.

/// How often a key switch passes over every limb of its level, about: what weighs levels against each other before ring and digits are
/// chosen, on which the seconds of [`CostModel`](super::CostModel) depend.
pub const PASSES_OF_KEY_SWITCH: f64 = 24.0;

/// How often a product with an encoded plaintext passes over every limb of its level, its encoding included; see
/// [`PASSES_OF_KEY_SWITCH`].
pub const PASSES_OF_PRODUCT: f64 = 3.0;

/// Seconds of the parts of a linear operator at one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearCost {
    /// Decomposition of an input, once for all of its baby steps.
    pub decompose: f64,
    /// A baby step: a rotation from shared digits and the division by P.
    pub baby: f64,
    /// A giant step: a rotation of a partial sum without the division by P; the pass over the sum and its addition are
    /// included.
    pub giant: f64,
    /// The division by P that all giant steps of an output share.
    pub mod_down: f64,
    /// The use of a further rotation key: a share of the time that bringing it into memory takes.
    pub key: f64,
    /// A product with a plaintext, its encoding included.
    pub product: f64,
    /// A product with a scalar.
    pub scalar: f64,
    /// A rescale.
    pub rescale: f64,
    /// A product of ciphertexts with its relinearization and rescale.
    pub square: f64,
}

impl LinearCost {
    /// The number of runs over which bringing a key into memory is shared. A server that runs one process for each request has
    /// 1, a server that stays has many; the value makes sure that a new key is not chosen where a known one does almost as
    /// well.
    pub const RUNS_PER_KEY: f64 = 4.0;
}

/// The costs of linear operators at every level of a circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    lowest: LinearCost,
    /// The costs from level 1 on.
    others: Vec<LinearCost>,
}

impl Prices {
    /// Prices from the costs at each level, lowest first; without any, everything costs nothing.
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

    /// The cost of an operator whose operand has come through `depth` multiplications from the highest level; no lower than
    /// the lowest level.
    pub fn after(&self, depth: u32) -> &LinearCost {
        let above = self.others.len().saturating_sub(depth as usize);
        match above.checked_sub(1) {
            Some(index) => self.others.get(index).unwrap_or(&self.lowest),
            None => &self.lowest,
        }
    }
}
