//! From measured operations to rates per limb: what `compile --profile` predicts by.
//!
//! An operation's least time is divided by the limbs it passes over. What base conversion takes is the rest of `decompose` and
//! `mod_down` beyond their transforms and products; what a limb of an encoding takes is the rest of a sum of products with
//! plaintexts beyond the products. A rest that noise makes too small is replaced by a part of a similar pass.

use super::operation::{DOT_TERMS, Operation};
use super::report::{BenchReport, RingReport};
use peregrine_ir::cost::{Profile, Rates};

impl BenchReport {
    /// The profile of this machine for `compile`, by what was measured on so many threads.
    pub fn profile(&self, threads: usize) -> Profile {
        let rates = |ring: &RingReport| Some((ring.parameters.log_n, rates(ring, threads)?));
        Profile {
            threads,
            version: Profile::VERSION,
            machine: self.machine.clone(),
            bytes_per_second: rounded(self.copy.bytes_per_second),
            degrees: self.rings.iter().filter_map(rates).collect(),
        }
    }
}

fn rates(ring: &RingReport, threads: usize) -> Option<Rates> {
    let run = ring.runs.iter().find(|run| run.threads == threads)?;
    let seconds = |operation: Operation| {
        let measured = run.operations.iter().find(|m| m.operation == operation);
        measured.map(|m| m.timing.least_seconds)
    };
    let at = &ring.parameters;
    let (k, s) = (at.chain as f64, at.special as f64);
    let (extended, digits) = (k + s, at.digits as f64);
    let transform = run.transform_seconds;
    let multiply = seconds(Operation::MulPlain)? / (2.0 * k);
    let accumulate = seconds(Operation::DotScalar64)? / (2.0 * k * DOT_TERMS as f64);

    let switching = seconds(Operation::Decompose)? + seconds(Operation::ModDown)?;
    let transforms = (digits + 2.0) * extended * transform;
    let conversions = (digits + 2.0) * k * (s + 1.0);
    let convert = (switching - transforms - 2.0 * k * multiply) / conversions;

    let encoding = seconds(Operation::DotEncode64)? - seconds(Operation::DotScalar64)?;
    let encode_limb = (encoding / (k * DOT_TERMS as f64)).max(transform / 4.0);
    Some(Rates {
        transform: rounded(transform),
        add: rounded(seconds(Operation::Add)? / (2.0 * k)),
        multiply: rounded(multiply),
        accumulate: rounded(accumulate),
        key_product: rounded(seconds(Operation::RotateExtCold)? / (digits * extended)),
        convert: rounded(convert.max(accumulate / 4.0)),
        fill: rounded(seconds(Operation::Fill)?),
        encode_fixed: rounded(seconds(Operation::EncodeMessage)?),
        encode_limb: rounded(encode_limb),
        read: rounded(seconds(Operation::ReadKey)? / (digits * extended)),
    })
}

/// Four digits: more would be noise.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}
