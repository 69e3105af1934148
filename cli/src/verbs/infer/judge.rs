//! Whether answers are garbage, by what the cleartext model gives and what the noise model predicts.

use crate::args::Infer;
use crate::error::Error;
use crate::inputs::values;
use crate::verdict::{self, Finding, Garbage};
use peregrine_compiler::ranges::{Calibration, Ranges};
use peregrine_compiler::tensor::Graph;
use peregrine_runtime::client::Decryption;
use peregrine_runtime::simulate::{Deviation, Prediction, Sample};
use peregrine_runtime::verdict::{Fault, imprecise};
use std::collections::BTreeMap;

/// What answers are judged by.
pub struct Judge<'a> {
    pub args: &'a Infer,
    /// What the circuit computes.
    pub graph: &'a Graph,
    /// The room that it was made with.
    pub headroom_bits: u32,
    pub samples: &'a [Sample],
    pub predicted: &'a Prediction,
}

impl Judge<'_> {
    /// How far all outputs of all images are from those of the model.
    pub fn measured(&self, found: &[Decryption]) -> Deviation {
        let images = found.iter().zip(self.samples);
        images
            .map(|(found, sample)| Deviation::of(&found.decrypted, &sample.expected))
            .fold(Deviation::default(), Deviation::join)
    }

    /// Why answers are garbage, if they are: first the node where values outgrow the circuit. Where they do and the answers are
    /// right all the same, warns.
    pub fn verdict(&self, found: &[Decryption]) -> Result<Option<Garbage>, Error> {
        let images = found.iter().zip(self.samples).enumerate();
        let mut findings: Vec<Finding> = images
            .flat_map(|(i, (found, sample))| {
                let image = (self.samples.len() > 1).then_some(i);
                let faults = self.faults(found, sample).into_iter();
                faults.map(move |fault| Finding { image, fault })
            })
            .collect();
        let outgrown = verdict::outgrown(&self.ranges()?, self.headroom_bits);
        let path = &self.args.model;
        if findings.is_empty() {
            if let Some((fault, bits)) = outgrown {
                verdict::warn(&format!(
                    "{}: {fault}; the answer is right, but others may not be: --headroom-bits {bits} leaves a margin",
                    path.display()
                ));
            }
            return Ok(None);
        }
        let bits = outgrown.as_ref().map(|(_, bits)| *bits);
        let first = outgrown.map(|(fault, _)| Finding::general(fault));
        findings.splice(0..0, first);
        Ok(Some(Garbage {
            path: path.clone(),
            findings,
            headroom_bits: bits.filter(|&bits| bits <= verdict::MOST_HEADROOM_BITS),
            written: self.args.force && self.args.output.is_some(),
        }))
    }

    /// What is wrong with one answer. Values beyond those that were expected do not count where they are right.
    fn faults(&self, found: &Decryption, sample: &Sample) -> Vec<Fault> {
        let each = Deviation::of_each(&found.decrypted, &sample.expected);
        let predicted = |name: &String| Some(self.predicted.outputs.get(name)?.deviation);
        let imprecise = each
            .iter()
            .filter_map(|(name, measured)| imprecise(name, *measured, predicted(name)));
        let mut faults: Vec<Fault> = imprecise.collect();
        if !faults.is_empty() {
            faults.extend(found.faults.iter().cloned());
        }
        faults
    }

    /// What the nodes of the circuit reach on these images.
    fn ranges(&self) -> Result<Ranges, Error> {
        let path = &self.args.model;
        let sample = |i: usize| self.samples.get(i).map(|s| values(&s.inputs)).unwrap_or_default();
        let calibration = Calibration::new(self.graph, self.samples.len(), sample, |_| {});
        let calibration = calibration.map_err(Error::evaluate(path))?;
        let ranges = Ranges::new(self.graph, Some(&calibration), &BTreeMap::new());
        ranges.map_err(|source| Error::ranges(path, source))
    }
}
