//! The ranges of a model's values, as reports have them.

use peregrine_compiler::onnx::RANGES_KEY;
use peregrine_compiler::ranges::{Interval, NodeRange, Ranges, Reach};
use peregrine_compiler::tensor::{Graph, Stated};
use serde::Serialize;
use std::collections::BTreeMap;

/// A summary of the ranges that a model's metadata state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatedReport {
    /// The key of the metadata entry.
    pub key: &'static str,
    /// Number of images that the ranges were measured on.
    pub images: u64,
    /// Number of those images on which a value left the range that its activation was trained for.
    pub images_outside: u64,
    /// Number of values with a stated range.
    pub stated: usize,
    /// Largest magnitude of any value with a stated range, or with one that follows.
    pub overall: f64,
}

/// A summary of what the values of a model reach on samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SamplesReport {
    /// Number of samples.
    pub samples: usize,
    /// Largest magnitude of each output.
    pub outputs: BTreeMap<String, f64>,
    /// Largest magnitude of any value.
    pub overall: f64,
}

impl SamplesReport {
    pub(super) fn new(graph: &Graph, ranges: &Ranges, samples: usize) -> Self {
        let reached = |at: usize| ranges.nodes.get(at).and_then(|node| node.calibrated);
        let largest = |at: usize| reached(at).map_or(0.0, |reach| reach.values.largest());
        let outputs = graph.outputs.iter();
        Self {
            samples,
            outputs: outputs
                .map(|output| (output.name.clone(), largest(output.node.index())))
                .collect(),
            overall: (0..ranges.nodes.len()).map(largest).fold(0.0, f64::max),
        }
    }
}

impl StatedReport {
    pub(super) fn new(stated: &Stated, ranges: &Ranges) -> Self {
        let nodes = ranges.nodes.iter().filter_map(|node| node.stated.as_ref());
        Self {
            key: RANGES_KEY,
            images: stated.images,
            images_outside: stated.images_outside,
            stated: stated.values.len(),
            overall: nodes.map(Reach::largest).fold(0.0, f64::max),
        }
    }
}

/// What is known of the values of all nodes of a model, after simplification.
///
/// ```
/// # fn main() -> Result<(), peregrine::Error> {
/// use peregrine::{AskedRange, CompileOptions, Model, compile};
///
/// let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/digits.onnx"))?;
/// let range = AskedRange { input: None, low: 0.0, high: 1.0 };
/// let options = CompileOptions { input_ranges: vec![range], ..CompileOptions::default() };
/// let ranges = compile(&model, &options)?.report.ranges.unwrap();
/// let image = ranges.nodes[0].proven.unwrap();
/// assert_eq!((image.min, image.max), (0.0, 1.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RangesReport {
    /// Whether no input within its interval makes a value leave the headroom; none where inputs have no interval.
    pub proven: Option<bool>,
    /// The nodes, operands first.
    pub nodes: Vec<NodeRangeReport>,
}

/// What is known of the values of one node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeRangeReport {
    /// Name of the node in the model.
    pub node: String,
    /// The operator of the node in ONNX.
    pub op: String,
    /// What the node is compiled as.
    pub operator: String,
    /// The range that samples reach.
    pub calibrated: Option<RangeReport>,
    /// Index of the sample in which the node's values are largest.
    pub sample: Option<usize>,
    /// The range that interval arithmetic proves.
    pub proven: Option<RangeReport>,
    /// The range that the model's metadata state, or that follows from stated ones.
    pub stated: Option<RangeReport>,
    /// Whether the metadata state the range of this node itself.
    pub is_stated: bool,
}

/// An interval that the values of a node lie in; infinities are null in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RangeReport {
    /// The least value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The largest magnitude on the way to the values of a polynomial.
    pub inside: Option<f64>,
    /// log2 of the limit of the headroom over the largest magnitude.
    pub bits_left: f64,
}

impl NodeRangeReport {
    fn new(node: &NodeRange, headroom_bits: u32) -> Self {
        let range = |reach: Option<Reach>| {
            reach.map(|reach| RangeReport {
                min: reach.values.min(),
                max: reach.values.max(),
                inside: reach.inside.map(Interval::largest),
                bits_left: reach.bits_left(headroom_bits),
            })
        };
        Self {
            node: node.source.name.clone(),
            op: node.source.op.clone(),
            operator: node.operator.clone(),
            calibrated: range(node.calibrated),
            sample: node.sample,
            proven: range(node.proven),
            stated: range(node.stated),
            is_stated: node.is_stated,
        }
    }
}

impl RangesReport {
    /// The ranges of all nodes, beside a headroom for values below `2^(headroom_bits - 1)`.
    pub fn new(ranges: &Ranges, headroom_bits: u32) -> Self {
        let rows = ranges.nodes.iter();
        Self {
            proven: ranges.is_proven(headroom_bits),
            nodes: rows
                .map(|node| NodeRangeReport::new(node, headroom_bits))
                .collect(),
        }
    }
}
