//! Whether answers are garbage, by what the cleartext model gives and what the noise model predicts.

use crate::arrays::values;
use crate::error::Error;
use crate::verdict::{Finding, Outgrown};
use peregrine_compiler::ranges::{Calibration, Ranges};
use peregrine_compiler::tensor::Graph;
use peregrine_runtime::client::Decryption;
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::simulate::{Deviation, Prediction, Sample};
use peregrine_runtime::verdict::{Fault, imprecise};
use std::collections::BTreeMap;

/// What came of an image.
#[derive(Debug)]
pub(super) enum Found {
    Answer(Decryption),
    /// It does not decrypt.
    Unreadable(Fault),
}

impl Found {
    pub fn answer(&self) -> Option<&Decryption> {
        match self {
            Self::Answer(decryption) => Some(decryption),
            Self::Unreadable(_) => None,
        }
    }
}

/// What answers are judged by.
pub(super) struct Judge<'a> {
    /// The graph that the circuit computes.
    pub graph: &'a Graph,
    /// The headroom that the circuit was made with.
    pub headroom_bits: u32,
    pub samples: &'a [Sample],
    pub predicted: &'a Prediction,
}

impl Judge<'_> {
    /// How far the outputs of all images are from those of the model.
    pub fn measured(&self, found: &[Found]) -> Deviation {
        let images = found.iter().zip(self.samples);
        let nothing = Arrays::new();
        images
            .map(|(found, sample)| {
                let found = found.answer().map_or(&nothing, |answer| &answer.decrypted);
                Deviation::of(found, &sample.expected)
            })
            .fold(Deviation::default(), Deviation::join)
    }

    /// The faults of the answers, and the node where values outgrow the circuit, if any: its fault comes first, but alone it
    /// makes no answer garbage.
    pub fn verdict(&self, found: &[Found]) -> Result<(Vec<Finding>, Option<Outgrown>), Error> {
        let images = found.iter().zip(self.samples).enumerate();
        let mut findings: Vec<Finding> = images
            .flat_map(|(i, (found, sample))| {
                let image = (self.samples.len() > 1).then_some(i);
                let faults = self.faults(found, sample).into_iter();
                faults.map(move |fault| Finding { image, fault })
            })
            .collect();
        let outgrown = Outgrown::find(&self.ranges()?, self.headroom_bits);
        if !findings.is_empty() {
            let first = outgrown.as_ref().map(|o| Finding::general(o.fault.clone()));
            findings.splice(0..0, first);
        }
        Ok((findings, outgrown))
    }

    /// What is wrong with one answer; what cannot even be read is no answer.
    fn faults(&self, found: &Found, sample: &Sample) -> Vec<Fault> {
        let decryption = match found {
            Found::Answer(decryption) => decryption,
            Found::Unreadable(fault) => return vec![fault.clone()],
        };
        let each = Deviation::of_each(&decryption.decrypted, &sample.expected);
        let predicted = |name: &String| Some(self.predicted.outputs.get(name)?.deviation);
        each.iter()
            .filter_map(|(name, measured)| imprecise(name, *measured, predicted(name)))
            .collect()
    }

    /// What the nodes of the circuit reach on these images.
    fn ranges(&self) -> Result<Ranges, Error> {
        let sample = |i: usize| {
            self.samples
                .get(i)
                .map(|s| values(&s.inputs))
                .unwrap_or_default()
        };
        let calibration = Calibration::new(self.graph, self.samples.len(), sample, |_| {});
        let ranges = Ranges::new(self.graph, Some(&calibration?), &BTreeMap::new());
        Ok(ranges?)
    }
}
