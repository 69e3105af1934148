//! Ranges that come with a model.

use petgraph::graph::NodeIndex;

/// What a model says about the values that its training has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// How many images were measured.
    pub images: u64,
    /// How many of them left the range that an activation was trained for.
    pub images_outside: u64,
    /// At least one; inputs, outputs and inputs of activations.
    pub values: Vec<StatedRange>,
}

/// The extremes of one value over those images.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedRange {
    /// The value, as the model calls it.
    pub name: String,
    /// The node that computes it.
    pub node: NodeIndex,
    /// The smallest, finite.
    pub min: f64,
    /// The largest, finite and no less.
    pub max: f64,
    /// The same by channel (the axis after the batch); empty when only the whole is known.
    pub channels: Vec<[f64; 2]>,
}
