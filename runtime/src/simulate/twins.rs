//! Simulations with and without noise side by side, and the nodes whose values the noise drowns.

use super::error::SimulateError;
use super::run::{Kind, Simulations, each_group};
use crate::backend::clear::Seen;
use crate::exec::Progress;
use crate::ports::Arrays;
use peregrine_ir::{Node, Verified};

/// The results of simulations with noise, and of some without.
#[derive(Clone, Debug)]
pub struct Twins {
    /// The results with noise, for all images.
    pub noisy: Simulations,
    /// For each of the first images, the output tensors of the model without noise.
    pub exact_outputs: Vec<Arrays>,
    /// For each of the first images, the output tensors without noise as a client would decrypt them.
    pub exact_decrypted: Vec<Arrays>,
    /// The nodes whose values drown in noise, in the order of the circuit.
    pub drowned: Vec<Drowned>,
}

/// A node whose values drown in noise: it is as large as everything that the node hands on.
///
/// That need not harm the outputs, because the node may matter little. Where it does matter, weights are badly balanced: the
/// node's values are far smaller than those of other nodes, for which the scales are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drowned {
    /// The node.
    pub node: Node,
    /// The largest magnitude of its values, without noise.
    pub magnitude: f64,
    /// The largest error of its values.
    pub noise: f64,
}

impl Drowned {
    /// The bits of a node's largest value below which its values count as drowned.
    pub const BITS: f64 = 1.0;

    fn all(seen: &Seen) -> Vec<Self> {
        let tensors = seen.tensors.iter();
        let drowned = tensors.filter_map(|(&node, loudness)| {
            let (magnitude, noise) = (loudness.magnitude, loudness.noise);
            let drowned = magnitude > 0.0 && (magnitude / noise).log2() < Self::BITS;
            drowned.then_some(Self {
                node,
                magnitude,
                noise,
            })
        });
        drowned.collect()
    }
}

/// Simulates a circuit on images with noise; for the first `twins` images that are computed together, or fewer, also without.
///
/// # Errors
/// When [`run`](super::run) has an error.
pub fn run_twins(
    circuit: &Verified,
    inputs: &[Arrays],
    (seed, twins): (u64, usize),
    progress: &dyn Progress,
) -> Result<Twins, SimulateError> {
    let mut all = Twins {
        noisy: Simulations::of(inputs.len()),
        exact_outputs: Vec::new(),
        exact_decrypted: Vec::new(),
        drowned: Vec::new(),
    };
    let mut seen = Seen::default();
    let noise = Some(seed);
    each_group(
        (circuit, inputs),
        Kind { noise, twins },
        progress,
        |group| {
            all.noisy.join(group.images);
            seen.join(group.seen);
            for (outputs, decrypted) in group.exact {
                all.exact_outputs.push(outputs);
                all.exact_decrypted.push(decrypted);
            }
        },
    )?;
    all.drowned = Drowned::all(&seen);
    Ok(all)
}
