//! What a compilation chose and why, in a few sentences.

use super::precision::PrecisionReport;
use crate::calibrate::KnownRanges;
use crate::summary::key_summary;
use crate::words::{bits, bytes, count, plain};
use peregrine_compiler::passes::keys::KeyBudget;
use peregrine_compiler::pipeline::Config;
use peregrine_compiler::placement::RefreshReport;
use peregrine_ir::stats::KeyStats;
use peregrine_ir::{Circuit, InputRange, Origin, Security};
use std::collections::BTreeSet;

/// What was chosen for a circuit.
pub(super) struct Chosen<'a> {
    pub config: &'a Config,
    pub circuit: &'a Circuit,
    pub known: &'a KnownRanges,
    pub precision: Option<&'a PrecisionReport>,
    pub refreshes: Option<&'a RefreshReport>,
    /// Predicted seconds of a run.
    pub seconds: f64,
}

impl Chosen<'_> {
    /// A title and a sentence for each choice, which names the options of the program that change it.
    pub fn sentences(&self) -> Vec<[String; 2]> {
        let refreshes = self
            .refreshes
            .map(|report| ("refreshes", self.refreshes(report)));
        let rows = [
            ("ring", self.ring()),
            ("range", self.range()),
            ("headroom", self.headroom()),
            ("precision", self.precision()),
            ("keys", self.keys()),
        ];
        let rows = rows.into_iter().chain(refreshes);
        rows.map(|(what, text)| [what.to_owned(), text]).collect()
    }

    fn refreshes(&self, report: &RefreshReport) -> String {
        let share = report.seconds / self.seconds.max(f64::MIN_POSITIVE) * 100.0;
        let who = match self.known.origin() {
            Origin::Calibrated => "that samples show",
            Origin::Stated => "that the model states",
            Origin::Asked | Origin::Assumed => "that drawn inputs show",
        };
        format!(
            "{} refreshed in {}, {share:.0} % of the run, for values within the ranges {who}; each fails with probability 2^{:.0} \
             (--without bootstrapping)",
            count(report.ciphertexts as usize, "ciphertext"),
            count(report.cuts.len(), "place"),
            report.failure_bits,
        )
    }

    fn ring(&self) -> String {
        let ring = &self.circuit.rings;
        let degrees = ring.descent().into_iter().map(|id| ring.view(id).log_n());
        // The network of a circuit with refreshes stays in one ring.
        let rings = if ring.has_sparse() { 1 } else { usize::MAX };
        let degrees = degrees.take(rings);
        let degrees: Vec<String> = degrees.map(|log_n| format!("2^{log_n}")).collect();
        let security = match self.config.security {
            Security::Classical128 => "128-bit security",
            Security::None => "no security",
        };
        let why = match self.config.log_n.start() == self.config.log_n.end() {
            _ if self.config.like.is_some() => "that of the other circuit",
            true => "as asked for",
            false => "the smallest that holds the network",
        };
        format!(
            "degree {}, {security}: {why} (--log-n, --security)",
            degrees.join(", then ")
        )
    }

    fn range(&self) -> String {
        let inputs = self.known.inputs();
        let first = inputs.values().next();
        let alike = inputs.values().all(|range| Some(range) == first);
        let described = |range: &InputRange| {
            let InputRange { low, high, .. } = range;
            format!("{low:.4} to {high:.4}")
        };
        let ranges: Vec<String> = match (alike, first) {
            (true, Some(range)) => vec![described(range)],
            _ => inputs
                .iter()
                .take(3)
                .map(|(name, range)| format!("`{}` {}", plain(name), described(range)))
                .collect(),
        };
        let origins: BTreeSet<Origin> = inputs.values().map(|range| range.origin).collect();
        let origins: Vec<&str> = origins.into_iter().map(origin).collect();
        format!(
            "inputs {}: {} (--calibrate, --input-range)",
            ranges.join(", "),
            origins.join(", ")
        )
    }

    fn headroom(&self) -> String {
        let largest = self.known.largest();
        let who = match self.known.origin() {
            Origin::Calibrated => "samples reach",
            Origin::Stated => "the model states",
            Origin::Asked | Origin::Assumed => "drawn inputs reach",
        };
        format!(
            "values below 2^{}: {who} {largest:.3} (--headroom-bits)",
            self.config.headroom_bits.saturating_sub(1)
        )
    }

    fn precision(&self) -> String {
        match self.precision {
            Some(precision) => format!("{} (--precision-bits)", sentence(precision)),
            None => format!(
                "{} bits after the point in every operation, not simulated (--precision-bits, --operation-bits)",
                self.config.precision_bits
            ),
        }
    }

    fn keys(&self) -> String {
        let circuit = &self.circuit;
        let keys = key_summary(&KeyStats::all(&circuit.rings, &circuit.keys));
        let why = match self.config.key_budget {
            KeyBudget::Unlimited => "as many as make the run fastest".to_owned(),
            KeyBudget::AtMost(most) => format!("at most {} are allowed", bytes(most)),
            KeyBudget::Knee { slower, most } => format!(
                "as few as make the run at most {:.0} % longer, never more than {}",
                (slower - 1.0) * 100.0,
                bytes(most)
            ),
        };
        format!("{keys}: {why} (--key-budget)")
    }
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Assumed => "assumed",
        Origin::Asked => "asked for",
        Origin::Stated => "stated by the model",
        Origin::Calibrated => "in the samples",
    }
}

fn sentence(precision: &PrecisionReport) -> String {
    let PrecisionReport {
        asked_bits,
        internal_bits,
        refresh_bits,
        trials,
        samples,
        ..
    } = precision;
    let finer = match refresh_bits {
        0 => String::new(),
        finer => format!(", {finer} more in refreshes"),
    };
    let predicted = bits(precision.predicted_bits);
    let compilations = count(*trials, "compilation");
    let samples = count(*samples, "sample");
    format!(
        "{predicted} of the largest output predicted on {samples}, {asked_bits} asked for; {internal_bits} per operation{finer}, found in {compilations}"
    )
}
