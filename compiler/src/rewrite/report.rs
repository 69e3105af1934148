//! What simplification did: rule by rule, for the compile report.

use crate::tensor::{Graph, Source, SourceId};
use std::collections::BTreeMap;
use std::fmt;

/// The loss of precision that guard bits of operations make up for. They are worth sixteen; the largest of many errors is four
/// times what they are in the middle.
pub(super) const SPARE_LOSS: f64 = 4.0;

/// An application of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Name of the rule.
    pub rule: &'static str,
    /// Name of the model's node whose operator the rule changed or removed.
    pub node: String,
}

/// The rules that rewriting applied, in order. Equal graphs give equal reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    steps: Vec<Step>,
    effort: u64,
    /// log2 of the loss of precision.
    loss_bits: f64,
}

impl Report {
    /// All applications of rules, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Number of applications by rule.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for step in &self.steps {
            *counts.entry(step.rule).or_insert(0) += 1;
        }
        counts
    }

    /// Whether no rule was applied.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Bits that every operation must have beyond what is asked for, because values are stored smaller than the model has
    /// them: the results are then as precise as if they were not.
    pub fn noise_bits(&self) -> u32 {
        (self.loss_bits - SPARE_LOSS.log2()).max(0.0).ceil() as u32
    }

    /// Adds a loss of precision to those before; less than one is none.
    pub(super) fn lose(&mut self, loss: f64) {
        self.loss_bits += loss.max(1.0).log2();
    }

    /// The effort of rewriting: rules tried, edges changed and e-nodes searched.
    pub const fn effort(&self) -> u64 {
        self.effort
    }

    /// Adds to what it took.
    pub(super) fn work(&mut self, steps: usize) {
        self.effort = self.effort.saturating_add(steps as u64);
    }

    /// Notes that `rule` changed an operator that stands for `source`.
    pub(super) fn record(&mut self, rule: &'static str, sources: &[Source], source: SourceId) {
        let node = sources
            .get(source.0 as usize)
            .map_or_else(|| format!("node {}", source.0), |s| s.name.clone());
        self.steps.push(Step { rule, node });
    }
}

impl fmt::Display for Report {
    /// One line per rule: its count and the nodes it changed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rule, count) in self.counts() {
            let nodes: Vec<&str> = self
                .steps
                .iter()
                .filter(|step| step.rule == rule)
                .map(|step| step.node.as_str())
                .collect();
            writeln!(f, "{rule} x{count}: {}", nodes.join(", "))?;
        }
        Ok(())
    }
}

/// The name of the model node an operator stands for.
pub(super) fn source_name(graph: &Graph, source: SourceId) -> String {
    graph
        .sources
        .get(source.0 as usize)
        .map_or_else(|| format!("node {}", source.0), |s| s.name.clone())
}
