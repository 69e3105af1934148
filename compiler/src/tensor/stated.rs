//! Ranges that a model states for its own values.

use petgraph::graph::NodeIndex;

/// The ranges of values that a model states, as its training has seen them.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// The number of images that were measured.
    pub images: u64,
    /// The number of these images that left the range that an activation was trained for.
    pub images_outside: u64,
    /// The ranges; at least one, of inputs, outputs and inputs of activations.
    pub values: Vec<StatedRange>,
}

/// The extremes of one value over the measured images.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedRange {
    /// The value, as the model calls it.
    pub name: String,
    /// The node that computes it.
    pub node: NodeIndex,
    /// The smallest value, finite.
    pub min: f64,
    /// The largest value, finite and not below `min`.
    pub max: f64,
    /// The extremes of each channel (the axis after the batch); empty when only those of the whole are known.
    pub channels: Vec<[f64; 2]>,
}
