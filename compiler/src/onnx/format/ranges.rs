//! Ranges in the metadata of a model, as peregrine-finetune writes them: the one place for their format.
//!
//! The value of the key [`RANGES_KEY`] is JSON. Read are `version`, `images`, `images_outside`, of each entry of `inputs` and
//! `outputs` the `name`, `low` and `high`, and of each entry of `activations` the `input` (a value of the graph), `low`, `high`,
//! `verdict`, and if they are there `channel_low` and `channel_high`; other fields are for people. The README of
//! peregrine-finetune describes all of them.
#![deny(clippy::indexing_slicing)]

use crate::tensor::{Stated, StatedRange};
use onnx_protobuf::ModelProto;
use petgraph::graph::NodeIndex;
use serde::Deserialize;

/// The key of the metadata entry that states ranges of values.
pub const RANGES_KEY: &str = "peregrine.ranges";

/// The version of the format that is understood.
const VERSION: u64 = 1;

/// What is read of the value of [`RANGES_KEY`].
#[derive(Deserialize)]
struct File {
    images: u64,
    images_outside: u64,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    activations: Vec<Activation>,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Deserialize)]
struct Port {
    name: String,
    low: Option<f64>,
    high: Option<f64>,
}

#[derive(Deserialize)]
struct Activation {
    input: String,
    low: Option<f64>,
    high: Option<f64>,
    #[serde(default)]
    channel_low: Vec<Option<f64>>,
    #[serde(default)]
    channel_high: Vec<Option<f64>>,
    verdict: Verdict,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Holds,
    Leaves,
    Diverges,
}

/// Why ranges that metadata state are of no use.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StatedError {
    /// Ranges in a version of the format that is not read.
    #[error("version {found}, this compiler reads version {VERSION}")]
    Version {
        /// The version.
        found: u64,
    },
    /// Text that is not JSON of the expected form.
    #[error("not of the expected form: {reason}")]
    Form {
        /// What the parser said, with the place.
        reason: String,
    },
    /// A range of a value that the model does not have.
    #[error("`{name}` is no value that the model computes from its inputs")]
    Unknown {
        /// The name that the range is stated for.
        name: String,
    },
    /// A range that is no interval.
    #[error("the range of `{name}` is {low} to {high}")]
    Interval {
        /// Name of the value.
        name: String,
        /// The lower end of the range.
        low: f64,
        /// The upper end of the range.
        high: f64,
    },
    /// A range of a network whose training ended with values that diverge.
    #[error("`{name}` is not finite on some of the {images} images that were measured")]
    Diverges {
        /// Name of the value.
        name: String,
        /// Number of images that were measured.
        images: u64,
    },
}

/// Who computes a value that a range is stated of.
pub(in crate::onnx) enum Origin {
    /// The server, at this node of the graph.
    Server(NodeIndex),
    /// The client.
    Client,
}

/// The ranges that a model states, if it does; `origin` tells who computes the value of a name.
pub(in crate::onnx) fn stated(
    model: &ModelProto,
    origin: impl Fn(&str) -> Option<Origin>,
) -> Result<Option<Stated>, StatedError> {
    let mut entries = model.metadata_props.iter();
    let Some(entry) = entries.find(|entry| entry.key == RANGES_KEY) else {
        return Ok(None);
    };
    let file = parse(&entry.value)?;
    let mut values = Vec::new();
    let activations = file.activations.iter().map(|a| {
        let whole = a.verdict != Verdict::Diverges;
        let (low, high) = (a.low.filter(|_| whole), a.high.filter(|_| whole));
        (&a.input, low, high, channels(a))
    });
    let ports = file.inputs.iter().chain(&file.outputs);
    let ports = ports.map(|port| (&port.name, port.low, port.high, Vec::new()));
    for (name, low, high, channels) in ports.chain(activations) {
        let node = match origin(name) {
            Some(Origin::Server(node)) => node,
            Some(Origin::Client) => continue,
            None => return Err(StatedError::Unknown { name: name.clone() }),
        };
        let (name, images) = (name.clone(), file.images);
        let (Some(min), Some(max)) = (low, high) else {
            return Err(StatedError::Diverges { name, images });
        };
        let ends = channels.iter().copied().chain([[min, max]]);
        if let Some([low, high]) = ends.into_iter().find(|[low, high]| low > high) {
            return Err(StatedError::Interval { name, low, high });
        }
        values.push(StatedRange {
            name,
            node,
            min,
            max,
            channels,
        });
    }
    let (images, images_outside) = (file.images, file.images_outside);
    Ok((!values.is_empty()).then_some(Stated {
        images,
        images_outside,
        values,
    }))
}

/// The range of each channel, when all are known.
fn channels(activation: &Activation) -> Vec<[f64; 2]> {
    let Activation {
        channel_low: low,
        channel_high: high,
        ..
    } = activation;
    let ends = low.iter().zip(high).map(|(&a, &b)| Some([a?, b?]));
    let ends: Option<Vec<[f64; 2]>> = ends.collect();
    ends.filter(|_| low.len() == high.len()).unwrap_or_default()
}

fn parse(text: &str) -> Result<File, StatedError> {
    let form = |error: serde_json::Error| StatedError::Form {
        reason: error.to_string(),
    };
    // First: another version has other fields.
    let Version { version: found } = serde_json::from_str(text).map_err(form)?;
    if found != VERSION {
        return Err(StatedError::Version { found });
    }
    serde_json::from_str(text).map_err(form)
}
