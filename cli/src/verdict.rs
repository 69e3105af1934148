//! Answers that are garbage: what was found wrong with which image.
//!
//! What is garbage is decided in one place, [`peregrine_runtime::verdict`].

use crate::words::plain;
use peregrine_compiler::ranges::Ranges;
use peregrine_ir::{Circuit, Node, Value};
use peregrine_runtime::simulate::{Drowned, Headroom};
use peregrine_runtime::verdict::{self, Fault, Place};
use serde::Serialize;
use std::fmt;

/// A fault of the answer for one image, or for all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The image, counted from 0; none where there is only one, or where the fault is about all.
    pub image: Option<usize>,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
}

impl Finding {
    /// A fault that is about all images.
    pub fn general(fault: Fault) -> Self {
        let image = None;
        Self { image, fault }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = plain(&self.fault.to_string());
        match self.image {
            Some(image) => write!(f, "image {image}: {said}"),
            None => f.write_str(&said),
        }
    }
}

/// An answer that is garbage, where a sound one is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct GarbageError {
    /// The faults that make it garbage; at least one.
    pub faults: Vec<Fault>,
}

impl fmt::Display for GarbageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is garbage")?;
        for (i, fault) in self.faults.iter().enumerate() {
            let separator = if i == 0 { ": " } else { "; " };
            write!(f, "{separator}{}", plain(&fault.to_string()))?;
        }
        Ok(())
    }
}

impl std::error::Error for GarbageError {}

/// The fault of a value that is too large for its modulus; none where it has room.
pub fn overflow(circuit: &Circuit, headroom: &Headroom) -> Option<Fault> {
    let limit = headroom.magnitude * headroom.bits.exp2();
    verdict::overflow(place(circuit, headroom.value), headroom.magnitude, limit)
}

/// Where a value is computed.
fn place(circuit: &Circuit, value: Value) -> Place {
    let node = circuit.values.get(value).and_then(|d| d.node);
    match node.and_then(|node| circuit.nodes.get(node)) {
        Some(node) => Place::Node(node.name.clone()),
        None => {
            let port = circuit.inputs.iter().find(|p| p.values.contains(&value));
            Place::Input(port.map_or(String::new(), |port| port.name.clone()))
        }
    }
}

/// The first node whose values leave the headroom on samples, and what all of them would take.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgrown {
    /// The fault of the first such node.
    pub fault: Fault,
    /// log2 of the largest magnitude of any value, sign and margin included.
    pub headroom_bits: u32,
}

impl Outgrown {
    /// Looks for a node whose values leave `2^(headroom_bits - 1)`.
    pub fn find(ranges: &Ranges, headroom_bits: u32) -> Option<Self> {
        let limit = f64::from(headroom_bits.saturating_sub(1)).exp2();
        let reached = ranges.nodes.iter().filter_map(|node| {
            let reached = node.calibrated.as_ref()?.largest();
            verdict::overflow(Place::Node(node.source.name.clone()), reached, limit)
        });
        Some(Self {
            fault: reached.into_iter().next()?,
            headroom_bits: ranges.headroom_bits(),
        })
    }
}

/// A node whose noise is as large as all that it hands on. Where that matters, weights before and behind it are badly
/// balanced.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DrownedNode {
    /// Name of the node in the model.
    pub node: String,
    /// The largest magnitude of its values without noise.
    pub magnitude: f64,
    /// The largest error of its values.
    pub noise: f64,
}

impl DrownedNode {
    /// The reports of the nodes of a circuit that drown in noise.
    pub fn all(circuit: &Circuit, drowned: &[Drowned]) -> Vec<Self> {
        let name = |node: Node| circuit.nodes.get(node).map_or("", |node| &node.name);
        let named = drowned.iter().map(|drowned| Self {
            node: name(drowned.node).to_owned(),
            magnitude: drowned.magnitude,
            noise: drowned.noise,
        });
        named.collect()
    }
}
