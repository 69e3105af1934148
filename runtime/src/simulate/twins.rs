//! Simulations with noise beside the same ones without, and the nodes whose values the noise drowns.

use super::error::SimulateError;
use super::run::{Kind, Simulations, each_group};
use crate::backend::clear::Seen;
use crate::exec::Progress;
use crate::ports::Arrays;
use peregrine_ir::{Node, Verified};

/// What simulations with and without noise give.
#[derive(Clone, Debug)]
pub struct Twins {
    /// With noise: all images.
    pub noisy: Simulations,
    /// The output tensors of the first images without noise, as the model gives them.
    pub exact_outputs: Vec<Arrays>,
    /// The same as a client would decrypt them.
    pub exact_decrypted: Vec<Arrays>,
    /// Nodes whose values drown in noise, in the order of the circuit's.
    pub drowned: Vec<Drowned>,
}

/// A node whose noise is as large as all that it hands on.
///
/// That need not harm the outputs: what it computes may matter little. Where it does matter, weights are balanced badly: values
/// are far smaller than those of other nodes, for which the scales are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drowned {
    /// The node.
    pub node: Node,
    /// The largest magnitude of its values without noise.
    pub magnitude: f64,
    /// The largest error of its values.
    pub noise: f64,
}

impl Drowned {
    /// Bits of the largest value of which the noise leaves less than that are drowned.
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

/// Runs a circuit on images with simulated noise; on the first of those that are computed together, `twins` or fewer, also
/// without.
///
/// # Errors
/// As for [`run`](super::run).
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
