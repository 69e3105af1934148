//! Headroom: how close a message comes to its modulus.

use peregrine_ir::Value;

/// The headroom of a ciphertext: how close its message comes to the modulus.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Headroom {
    /// log2 of half the modulus over the scaled message; below zero the message may wrap around. The message is the largest slot,
    /// which no coefficient exceeds; right before a modulus is raised, where the message is in the coefficients, the largest of these.
    pub bits: f64,
    /// The ciphertext.
    pub value: Value,
    /// The largest slot of the message, in magnitude.
    pub magnitude: f64,
}

impl Headroom {
    /// The smaller of two headrooms; of equal ones that of the earlier value.
    pub(crate) fn least(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let order = |x: &Self, y: &Self| x.bits.total_cmp(&y.bits).then(x.value.cmp(&y.value));
        a.into_iter().chain(b).min_by(order)
    }
}
