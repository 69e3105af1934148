//! What is known of the values of a model: by samples, by its metadata, or by inputs that are drawn from a range which is
//! asked for or assumed.

use super::drawn;
use super::error::CalibrateError;
use super::intervals::{asked, hulls, input_range, intervals};
use super::ranges::{RangesReport, SamplesReport, StatedReport};
use crate::arrays::{split, values};
use crate::model::Model;
use crate::options::CompileOptions;
use crate::watch::Watcher;
use peregrine_compiler::manage::possible::macs;
use peregrine_compiler::pipeline::Config;
use peregrine_compiler::ranges::{
    Calibration, DRAWN_MARGIN_BITS, Interval, Limit, RangeError, Ranges, Reach, StatedPlanes,
};
use peregrine_compiler::tensor::{Graph, Stated};
use peregrine_ir::{InputElement, InputRange, Origin, Shape};
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::simulate::SAMPLES;
use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;

/// What is known of the values of a model.
#[derive(Debug)]
pub(crate) struct KnownRanges {
    ranges: Ranges,
    /// What somebody vouches for, if anybody does.
    vouched: Option<Ranges>,
    samples: Option<SamplesReport>,
    metadata: Option<StatedReport>,
    /// Samples on which precision is judged.
    images: Vec<Arrays>,
    inputs: BTreeMap<String, InputRange>,
}

impl KnownRanges {
    /// What is known of a model and of `simple`, which is compiled: by the samples that are given, by the ranges that the model
    /// states, or by samples drawn from the range that is asked for or assumed.
    ///
    /// # Errors
    /// When samples or asked ranges are not of the model's inputs, or values cannot be represented.
    pub fn new(
        model: &Model,
        simple: &Graph,
        options: &CompileOptions,
        watcher: &dyn Watcher,
    ) -> Result<Self, CalibrateError> {
        let measuring = Measuring {
            model,
            simple,
            asked: asked(model, &options.input_ranges)?,
            watcher,
        };
        match model.stated() {
            _ if !options.calibrate.is_empty() => measuring.calibrated(&options.calibrate),
            Some(found) => measuring.stated(found),
            None => measuring.drawn(),
        }
    }

    /// Takes bounds of values and the headroom from what is known, this unless it was chosen; then samples that were given have to stay in
    /// it.
    pub fn settle(&self, chosen: Option<u32>, config: &mut Config) -> Result<(), RangeError> {
        config.bounds = self.bounds();
        match (chosen, &self.samples) {
            (Some(bits), Some(_)) => self.check(Limit::Asked(bits)),
            (Some(_), None) => Ok(()),
            (None, _) => {
                config.headroom_bits = self.headroom_bits();
                Ok(())
            }
        }
    }

    /// What is known takes so much, margin included; what was proven of a range that somebody vouches for needs no margin.
    fn headroom_bits(&self) -> u32 {
        let known = self.ranges.headroom_bits();
        let is_drawn = self.origin() <= Origin::Asked;
        let vouched = self.inputs.values().all(|r| r.origin > Origin::Assumed);
        let proven = self.ranges.proven_headroom_bits();
        let proven = proven.filter(|_| is_drawn && vouched);
        proven.map_or(known, |proven| known.min(proven))
    }

    /// Where the knowledge of values comes from: who vouches for it.
    pub fn origin(&self) -> Origin {
        let origins = self.inputs.values().map(|range| range.origin);
        match (&self.samples, &self.metadata) {
            (Some(_), _) => Origin::Calibrated,
            (None, Some(_)) => Origin::Stated,
            (None, None) => origins.min().unwrap_or(Origin::Assumed),
        }
    }

    /// The range of the values of each input.
    pub fn inputs(&self) -> &BTreeMap<String, InputRange> {
        &self.inputs
    }

    /// The largest magnitude that is known, without margin.
    pub fn largest(&self) -> f64 {
        let nodes = self.ranges.nodes.iter();
        let reach = nodes.filter_map(|node| node.calibrated.as_ref().or(node.stated.as_ref()));
        reach.map(Reach::largest).fold(0.0, f64::max)
    }

    /// The error that names the node whose values ask for more than parameters of a ring degree hold, where they miss `excess`
    /// bits.
    pub fn outgrown(&self, (log_n, excess): (u32, u32), headroom_bits: u32) -> Option<RangeError> {
        let bits = headroom_bits.saturating_sub(excess);
        self.check(Limit::Parameters { log_n, bits }).err()
    }

    fn check(&self, limit: Limit) -> Result<(), RangeError> {
        self.ranges.check(limit)
    }

    /// The largest magnitude that a node of the compiled graph is known or stated to have.
    pub fn magnitude(&self, node: usize) -> Option<f64> {
        let node = self.ranges.nodes.get(node)?;
        let reach = node.calibrated.as_ref().or(node.stated.as_ref())?;
        Some(reach.values.largest()).filter(|largest| largest.is_finite())
    }

    /// The magnitude that the values of each node of the compiled graph stay below, margin included.
    fn bounds(&self) -> Vec<Option<f64>> {
        let margin = f64::from(self.ranges.margin_bits).exp2();
        let bound = |node| self.magnitude(node).map(|largest| largest * margin);
        (0..self.ranges.nodes.len()).map(bound).collect()
    }

    /// Sample images that precision is measured on; empty where there are none.
    pub fn images(&self) -> &[Arrays] {
        &self.images
    }

    /// A summary of what values reach on samples.
    pub fn samples(&self) -> Option<SamplesReport> {
        self.samples.clone()
    }

    /// A summary of the ranges that the model's metadata state.
    pub fn metadata(&self) -> Option<StatedReport> {
        self.metadata.clone()
    }

    /// The ranges of all nodes, for this much headroom; none where the range of inputs is assumed.
    pub fn report(&self, headroom_bits: u32) -> Option<RangesReport> {
        let vouched = self.vouched.as_ref();
        vouched.map(|ranges| RangesReport::new(ranges, headroom_bits))
    }
}

/// What finds ranges.
struct Measuring<'a> {
    model: &'a Model,
    simple: &'a Graph,
    asked: BTreeMap<String, Interval>,
    watcher: &'a dyn Watcher,
}

impl Measuring<'_> {
    fn measured(self, ranges: Ranges, images: Vec<Arrays>) -> KnownRanges {
        KnownRanges {
            vouched: Some(ranges.clone()),
            ranges,
            samples: None,
            metadata: None,
            images,
            inputs: BTreeMap::new(),
        }
    }

    fn ranges(
        &self,
        calibration: Option<&Calibration>,
        inputs: &BTreeMap<String, Interval>,
        carried: Option<&StatedPlanes>,
    ) -> Result<Ranges, CalibrateError> {
        Ok(Ranges::with_stated(
            self.simple,
            calibration,
            inputs,
            carried,
        )?)
    }

    /// By samples that are given.
    fn calibrated(self, batches: &[Arrays]) -> Result<KnownRanges, CalibrateError> {
        let mut images = self.images(batches)?;
        let calibration = self.evaluate(&images)?;
        let ranges = self.ranges(Some(&calibration), &self.asked, None)?;
        let samples = SamplesReport::new(self.simple, &ranges, calibration.samples());
        let inputs = hulls(&images);
        let inputs = inputs.into_iter().map(|(name, seen)| {
            let range = match self.asked.get(&name) {
                Some(&asked) => input_range(asked, Origin::Asked),
                None => input_range(seen, Origin::Calibrated),
            };
            (name, range)
        });
        let inputs = inputs.collect();
        images.truncate(SAMPLES);
        let images = images.into_iter().map(Cow::into_owned).collect();
        Ok(KnownRanges {
            samples: Some(samples),
            inputs,
            ..self.measured(ranges, images)
        })
    }

    /// The images of batches; those that are single images are not copied.
    fn images<'b>(&self, batches: &'b [Arrays]) -> Result<Vec<Cow<'b, Arrays>>, CalibrateError> {
        let ports = self.model.inputs();
        let is_image = |batch: &Arrays| {
            let fits = |(name, shape): &(&str, &Shape)| {
                let array = batch.get(*name);
                array.is_some_and(|array| {
                    array.shape() == *shape && array.data().iter().all(|x| x.is_finite())
                })
            };
            batch.len() == ports.len() && ports.iter().all(fits)
        };
        let mut images = Vec::with_capacity(batches.len());
        for batch in batches {
            match is_image(batch) {
                true => images.push(Cow::Borrowed(batch)),
                false => images.extend(split(batch, &ports)?.into_iter().map(Cow::Owned)),
            }
        }
        Ok(images)
    }

    /// By the ranges that the model states; samples are drawn within them, for the precision of the outputs.
    fn stated(self, found: &Stated) -> Result<KnownRanges, CalibrateError> {
        let carried = StatedPlanes::new(self.model.graph(), found, self.simple)?;
        let ranges = self.ranges(None, &self.asked, Some(&carried))?;
        let metadata = StatedReport::new(found, &ranges);
        let mut inputs = self.assumed(0);
        for stated in &found.values {
            let input = self
                .model
                .graph()
                .inputs()
                .find(|(node, _)| *node == stated.node);
            let name = input.map(|(_, name)| name);
            if let Some(range) = name.and_then(|name| inputs.get_mut(name))
                && range.origin == Origin::Assumed
            {
                *range = input_range(Interval::new(stated.min, stated.max), Origin::Stated);
            }
        }
        let images = self.within(&inputs, ranges.headroom_bits())?;
        Ok(KnownRanges {
            metadata: Some(metadata),
            inputs,
            ..self.measured(ranges, images)
        })
    }

    /// By samples that are drawn from what is asked for, or from the widest of the usual ranges in which values stay small enough.
    fn drawn(self) -> Result<KnownRanges, CalibrateError> {
        let mut found = None;
        for choice in 0..drawn::ASSUMED.len() {
            let inputs = self.assumed(choice);
            let intervals = intervals(&inputs);
            let images = self.draw(&intervals)?;
            let calibration = self.evaluate(&images)?;
            let ranges = self.ranges(Some(&calibration), &intervals, None)?;
            let ranges = ranges.with_margin(DRAWN_MARGIN_BITS);
            let fits = ranges.headroom_bits() <= MOST_DRAWN_BITS;
            let is_fixed = inputs.values().all(|range| range.origin != Origin::Assumed);
            found = Some((inputs, ranges, images));
            if fits || is_fixed {
                break;
            }
        }
        let (inputs, ranges, mut images) = found.unwrap_or_default();
        images.truncate(drawn::JUDGED);
        let is_asked = !self.asked.is_empty();
        let vouched = is_asked.then(|| self.ranges(None, &self.asked, None));
        let vouched = vouched.transpose()?;
        Ok(KnownRanges {
            vouched,
            inputs,
            ..self.measured(ranges, images)
        })
    }

    /// The range of each input: what is asked for, or the given one of those that are usual.
    fn assumed(&self, choice: usize) -> BTreeMap<String, InputRange> {
        let ends = drawn::ASSUMED.get(choice).copied().unwrap_or_default();
        let range = |name: &str| match (self.asked.get(name), self.integers(name)) {
            (Some(&asked), _) => input_range(asked, Origin::Asked),
            (None, Some(values)) => input_range(values, Origin::Assumed),
            (None, None) => input_range(Interval::new(ends.0, ends.1), Origin::Assumed),
        };
        let names = self.model.input_names().into_iter();
        names.map(|name| (name.to_owned(), range(name))).collect()
    }

    /// What an input of integers is taken to hold: bytes, whatever its type has room for.
    fn integers(&self, name: &str) -> Option<Interval> {
        let ends = match self.model.graph().prepare.get(name)?.element {
            InputElement::Real => return None,
            InputElement::Bool => (0.0, 1.0),
            InputElement::Unsigned(_) => (0.0, 255.0),
            InputElement::Signed(_) => (-128.0, 127.0),
        };
        Some(Interval::new(ends.0, ends.1))
    }

    /// Samples within these intervals, whole numbers where an input holds integers.
    fn draw(&self, intervals: &BTreeMap<String, Interval>) -> Result<Vec<Arrays>, CalibrateError> {
        let ports = self.model.inputs();
        let mut images = drawn::samples(&ports, intervals, macs(self.simple));
        for (name, array) in images.iter_mut().flatten() {
            if self.integers(name).is_some() {
                let whole = array.data().iter().map(|x| x.round()).collect();
                *array = Array::of_integers(array.shape().clone(), whole)?;
            }
        }
        Ok(images)
    }

    /// Samples of ordinary size whose values stay within a headroom: inputs that are drawn are unlike those a network was
    /// trained on, so contrast is taken from them until they do.
    fn within(
        &self,
        inputs: &BTreeMap<String, InputRange>,
        headroom_bits: u32,
    ) -> Result<Vec<Arrays>, CalibrateError> {
        let mut intervals = intervals(inputs);
        for _ in 0..CONTRASTS {
            let mut images = self.draw(&intervals)?;
            images.truncate(drawn::JUDGED);
            let calibration = self.evaluate(&images)?;
            let reached = self.ranges(Some(&calibration), &BTreeMap::new(), None)?;
            if reached.with_margin(0).headroom_bits() <= headroom_bits {
                return Ok(images);
            }
            for interval in intervals.values_mut() {
                let (middle, half) = (
                    interval.min().midpoint(interval.max()),
                    (interval.max() - interval.min()) / 4.0,
                );
                *interval = Interval::new(middle - half, middle + half);
            }
        }
        Ok(Vec::new())
    }

    /// Evaluates the model, as it will be compiled, on samples.
    fn evaluate(
        &self,
        images: &[impl Borrow<Arrays> + Sync],
    ) -> Result<Calibration, CalibrateError> {
        let task = self.watcher.begin("evaluate samples");
        let sample = |i: usize| {
            let image = images.get(i);
            image
                .map(|image| values(image.borrow()))
                .unwrap_or_default()
        };
        let calibration = Calibration::new(self.simple, images.len(), sample, |done| {
            task.count(done, images.len());
        });
        Ok(calibration?)
    }
}

/// More headroom than this is not worth a wider assumption.
const MOST_DRAWN_BITS: u32 = 32;
/// How often the contrast of samples is halved.
const CONTRASTS: usize = 6;
