//! `--calibrate`, `--input-range` and the ranges in a model's metadata: what values the nodes of a model take, and how much
//! room that needs.

use crate::args::Choices;
use crate::error::{Error, InputProblem};
use crate::inputs::{Inputs, values};
use crate::progress::Bar;
use crate::report::{plain, shorten, show, table};
use crate::verbs::model;
use peregrine_compiler::onnx::RANGES_KEY;
use peregrine_compiler::optimisation::Without;
use peregrine_compiler::pipeline::{CompileError, Config};
use peregrine_compiler::ranges::{
    Calibration, Interval, Limit, NodeRange, Ranges, Reach, StatedPlanes,
};
use peregrine_compiler::rewrite::simplify_without;
use peregrine_compiler::tensor::{Graph, Stated};
use peregrine_ir::{InputRange, Origin};
use peregrine_runtime::ports::{Arrays, PortError};
use peregrine_runtime::simulate::SAMPLES;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The longest name of a node that the table shows in full.
const LONGEST_NAME: usize = 44;

/// The ranges of a model that was read.
#[derive(Debug)]
pub struct Measured {
    model: PathBuf,
    ranges: Ranges,
    samples: Option<Samples>,
    metadata: Option<Metadata>,
    /// The first samples.
    images: Vec<Arrays>,
    /// Where inputs lie, by name.
    inputs: BTreeMap<String, InputRange>,
    /// The largest magnitude of each output that is known to have one.
    magnitudes: BTreeMap<String, f64>,
}

/// The ranges that come with a model, in short.
#[derive(Clone, Debug, Serialize)]
pub struct Metadata {
    key: &'static str,
    /// How many images were measured.
    images: u64,
    /// How many of them left the range that an activation was trained for.
    images_outside: u64,
    /// How many values it states.
    stated: usize,
    /// Largest magnitude of any value that it states or that follows.
    overall: f64,
}

/// What samples reach, in short.
#[derive(Clone, Debug, Serialize)]
pub struct Samples {
    samples: usize,
    /// Largest magnitude of each output.
    outputs: BTreeMap<String, f64>,
    /// Largest magnitude of any value.
    overall: f64,
}

impl Measured {
    /// The ranges that a command line asks for, or else those that the model states, of the graph that is compiled without
    /// `without`.
    pub fn new(
        path: &Path,
        args: &Choices,
        graph: &Graph,
        without: &Without,
    ) -> Result<Option<Self>, Error> {
        let found = graph.stated.as_ref();
        let found = found.filter(|_| args.calibrate.is_empty());
        if args.calibrate.is_empty() && args.input_range.is_empty() && found.is_none() {
            return Ok(None);
        }
        let stated = stated(path, args, graph)?;
        let (graph, carried) = simplified(path, graph, without, found)?;
        let graph = &graph;
        let (calibration, images) = match args.calibrate.is_empty() {
            true => (None, Vec::new()),
            false => {
                let (calibration, images) = calibrate(path, args, graph)?;
                (Some(calibration), images)
            }
        };
        let ranges = Ranges::with_stated(graph, calibration.as_ref(), &stated, carried.as_ref())
            .map_err(|source| Error::ranges(path, source))?;
        let samples = calibration.map(|c| Samples::of(graph, &ranges, c.samples()));
        let metadata = found.map(|found| Metadata::of(found, &ranges));
        let inputs = input_ranges(graph, &ranges, &stated);
        let magnitudes = magnitudes(graph, &ranges);
        Ok(Some(Self {
            inputs,
            magnitudes,
            model: path.to_owned(),
            ranges,
            samples,
            metadata,
            images,
        }))
    }

    /// Takes the headroom from the samples, or else from what the model states, unless it was chosen; then samples have to
    /// stay in it.
    pub fn settle(&self, chosen: Option<u32>, config: &mut Config) -> Result<(), Error> {
        match (chosen, &self.samples, &self.metadata) {
            (Some(bits), Some(_), _) => self.check(Limit::Asked(bits)),
            (None, Some(_), _) | (None, None, Some(_)) => {
                config.headroom_bits = self.ranges.headroom_bits();
                Ok(())
            }
            (_, None, _) => Ok(()),
        }
    }

    /// A failure of the compiler, or the node that asked for more than fits.
    pub fn explain(&self, error: Error, headroom_bits: u32) -> Error {
        let Error::Compile {
            source: CompileError::Parameters(source),
            ..
        } = &error
        else {
            return error;
        };
        let Some((log_n, excess)) = source.too_long() else {
            return error;
        };
        let bits = headroom_bits.saturating_sub(excess);
        match self.check(Limit::Parameters { log_n, bits }) {
            Ok(()) => error,
            Err(named) => named,
        }
    }

    fn check(&self, limit: Limit) -> Result<(), Error> {
        let checked = self.ranges.check(limit);
        checked.map_err(|source| Error::ranges(&self.model, source))
    }

    /// Where inputs lie, those of which that is known.
    pub fn input_ranges(&self) -> BTreeMap<String, InputRange> {
        self.inputs.clone()
    }

    /// The largest magnitude of each output that samples reach, or that is bounded by what the model states.
    pub fn magnitudes(&self) -> BTreeMap<String, f64> {
        self.magnitudes.clone()
    }

    /// The first samples, if there are any.
    pub fn images(&self) -> &[Arrays] {
        &self.images
    }

    /// What samples reach, in short.
    pub fn samples(&self) -> Option<Samples> {
        self.samples.clone()
    }

    /// What the model states, in short.
    pub fn metadata(&self) -> Option<Metadata> {
        self.metadata.clone()
    }

    /// What is known of each node, for this much headroom.
    pub fn report(&self, headroom_bits: u32) -> Report {
        let rows = self.ranges.nodes.iter();
        Report {
            proven: self.ranges.is_proven(headroom_bits),
            nodes: rows.map(|node| Row::of(node, headroom_bits)).collect(),
        }
    }
}

/// Where inputs lie: as was asked, as samples are, or as the model states.
fn input_ranges(
    graph: &Graph,
    ranges: &Ranges,
    asked: &BTreeMap<String, Interval>,
) -> BTreeMap<String, InputRange> {
    let inputs = graph.inputs().filter_map(|(at, name)| {
        let node = ranges.nodes.get(at.index())?;
        let asked = asked.get(name).copied().map(|x| (x, Origin::Asked));
        let seen = node.calibrated.map(|r| (r.values, Origin::Calibrated));
        let stated = node.stated.filter(|_| node.is_stated);
        let stated = stated.map(|r| (r.values, Origin::Stated));
        let (interval, origin) = asked.or(seen).or(stated)?;
        let (low, high) = (interval.min(), interval.max());
        let range = InputRange { low, high, origin };
        // Samples of one value, or a range that is not bounded, say nothing.
        range.check().ok()?;
        Some((name.to_owned(), range))
    });
    inputs.collect()
}

/// The largest magnitude of each output that has one.
fn magnitudes(graph: &Graph, ranges: &Ranges) -> BTreeMap<String, f64> {
    let outputs = graph.outputs.iter().filter_map(|output| {
        let node = ranges.nodes.get(output.node.index())?;
        let largest = node.calibrated.or(node.stated)?.values.largest();
        Some((output.name.clone(), largest)).filter(|(_, x)| x.is_finite())
    });
    outputs.collect()
}

/// The graph that is compiled without `without`, and what `found` says of it.
fn simplified(
    path: &Path,
    graph: &Graph,
    without: &Without,
    found: Option<&Stated>,
) -> Result<(Graph, Option<StatedPlanes>), Error> {
    let (simple, _) = simplify_without(graph, without).map_err(|source| Error::Rewrite {
        path: path.to_owned(),
        source,
    })?;
    let carried = found.map(|found| StatedPlanes::new(graph, found, &simple));
    let carried = carried.transpose().map_err(Error::evaluate(path))?;
    Ok((simple, carried))
}

/// The intervals that are stated, by input; one without a name is for all inputs.
fn stated(path: &Path, args: &Choices, graph: &Graph) -> Result<BTreeMap<String, Interval>, Error> {
    let names = model::names(graph);
    let mut stated = BTreeMap::new();
    for arg in &args.input_range {
        let meant: Vec<&str> = match &arg.name {
            Some(name) => vec![name],
            None => names.clone(),
        };
        for name in meant {
            let (path, name) = (path.to_owned(), name.to_owned());
            if !names.contains(&name.as_str()) {
                let known = names.iter().map(|name| format!("`{name}`")).collect();
                let source = PortError::Unknown { name, known };
                return Err(Error::Input { path, source });
            }
            if stated.insert(name.clone(), arg.interval).is_some() {
                let problem = InputProblem::RangeTwice { name };
                return Err(Error::Inputs { path, problem });
            }
        }
    }
    Ok(stated)
}

/// Evaluates the model, as it will be compiled, on samples; and the first of them.
fn calibrate(
    path: &Path,
    args: &Choices,
    graph: &Graph,
) -> Result<(Calibration, Vec<Arrays>), Error> {
    let inputs = Inputs::read(&args.calibrate, &model::names(graph), path)?;
    let mut images = inputs.images(&model::ports(graph))?;
    let bar = Bar::new("calibrate");
    let sample = |i: usize| images.get(i).map(values).unwrap_or_default();
    let calibration = Calibration::new(graph, images.len(), sample, |done| {
        bar.count(done, images.len());
    });
    let calibration = calibration.map_err(Error::evaluate(path))?;
    images.truncate(SAMPLES);
    Ok((calibration, images))
}

impl Samples {
    fn of(graph: &Graph, ranges: &Ranges, samples: usize) -> Self {
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

    /// One line about them.
    pub fn line(&self) -> String {
        let outputs = self.outputs.iter();
        let outputs: Vec<String> = outputs
            .map(|(name, x)| format!("`{name}` {x:.4}"))
            .collect();
        format!(
            "largest value in {} samples: {:.4}; outputs: {}",
            self.samples,
            self.overall,
            outputs.join(", ")
        )
    }
}

impl Metadata {
    fn of(stated: &Stated, ranges: &Ranges) -> Self {
        let nodes = ranges.nodes.iter().filter_map(|node| node.stated.as_ref());
        Self {
            key: RANGES_KEY,
            images: stated.images,
            images_outside: stated.images_outside,
            stated: stated.values.len(),
            overall: nodes.map(Reach::largest).fold(0.0, f64::max),
        }
    }

    /// One line about them.
    pub fn line(&self) -> String {
        let Self {
            key,
            images,
            images_outside,
            stated,
            ..
        } = self;
        format!(
            "`{key}` of the model: {stated} values over {images} images, {images_outside} of them outside the trained range; \
             largest value {}, where it follows from them",
            number(self.overall)
        )
    }
}

/// What is known of all nodes.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Whether no input within its interval makes a value leave the headroom.
    proven: Option<bool>,
    nodes: Vec<Row>,
}

/// What is known of a node.
#[derive(Debug, Serialize)]
struct Row {
    node: String,
    op: String,
    operator: String,
    calibrated: Option<Range>,
    /// The sample in which its values are largest.
    sample: Option<usize>,
    proven: Option<Range>,
    /// What the model's metadata state, or what follows from them.
    stated: Option<Range>,
    /// Whether they state it of this node itself.
    is_stated: bool,
}

/// The values of a node; what is not finite is null in JSON.
#[derive(Debug, Serialize)]
struct Range {
    min: f64,
    max: f64,
    /// The largest magnitude on the way to the values of a polynomial.
    inside: Option<f64>,
    bits_left: f64,
}

impl Row {
    fn of(node: &NodeRange, headroom_bits: u32) -> Self {
        let range = |reach: Option<Reach>| {
            reach.map(|reach| Range {
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

impl Report {
    /// One line about what is certain.
    pub fn line(&self, headroom_bits: u32) -> Option<String> {
        let limit = format!("2^{}", headroom_bits.saturating_sub(1));
        Some(match self.proven? {
            true => format!("proven: no input within its range makes a value reach {limit}"),
            false => {
                let stays = |row: &&Row| row.proven.as_ref().is_some_and(|r| r.bits_left > 0.0);
                let held = self.nodes.iter().take_while(stays).count();
                let first = self.nodes.get(held).map_or("", |row| &row.node);
                format!(
                    "not proven: values stay below {limit} before `{}`; bounds are not tight and grow with depth",
                    plain(first)
                )
            }
        })
    }

    /// The nodes as a table.
    pub fn table(&self) -> String {
        let any = |of: fn(&Row) -> &Option<Range>| self.nodes.iter().any(|row| of(row).is_some());
        let (calibrated, proven) = (any(|row| &row.calibrated), any(|row| &row.proven));
        let stated = any(|row| &row.stated);
        let mut header = vec!["node", "operator"];
        if calibrated {
            header.extend(["min", "max", "inside", "bits left"]);
        }
        if proven {
            header.extend(["proven min", "max", "inside", "bits left"]);
        }
        if stated {
            header.extend(["stated min", "max", "inside", "bits left"]);
        }
        let numbers: Vec<usize> = (2..header.len()).collect();
        if stated {
            header.push("from");
        }
        let mut table = table(&header, &numbers);
        for row in &self.nodes {
            let mut cells = vec![
                shorten(&plain(&row.node), LONGEST_NAME),
                row.operator.clone(),
            ];
            for range in [&row.calibrated, &row.proven, &row.stated]
                .into_iter()
                .flatten()
            {
                cells.extend(range.cells());
            }
            if stated {
                let from = if row.is_stated { "metadata" } else { "follows" };
                cells.push(from.to_owned());
            }
            table.add_row(cells);
        }
        show(&table)
    }
}

impl Range {
    fn cells(&self) -> [String; 4] {
        let inside = self.inside.map_or(String::new(), number);
        let left = match self.bits_left {
            bits if bits.is_finite() => format!("{bits:.1}"),
            bits if bits > 0.0 => String::new(),
            _ => "none".to_owned(),
        };
        [number(self.min), number(self.max), inside, left]
    }
}

/// A value for reading: a large one as a power of two, an infinite one as nothing known.
fn number(x: f64) -> String {
    let sign = if x < 0.0 { "-" } else { "" };
    match x.abs() {
        magnitude if magnitude.is_infinite() => "unbounded".to_owned(),
        magnitude if magnitude >= 1e6 => format!("{sign}2^{:.0}", magnitude.log2().ceil()),
        _ => format!("{x:.3}"),
    }
}

impl Error {
    pub fn ranges(path: &Path, source: peregrine_compiler::ranges::RangeError) -> Self {
        Self::Ranges {
            path: path.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_are_powers_of_two() {
        assert_eq!(
            [0.0, -1.25, 1e7, -1e300, f64::INFINITY].map(number),
            ["0.000", "-1.250", "2^24", "-2^997", "unbounded"]
        );
    }
}
