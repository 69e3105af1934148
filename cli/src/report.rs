//! What verbs print: tables for people, one JSON object for machines, and the warning about circuits without security.

use crate::error::Error;
use comfy_table::{CellAlignment, Table, presets};
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::stats::{Counts, KeyStats, NodeStats, PortStats};
use peregrine_ir::{Interface, KeyKind, Level, Security};
use peregrine_runtime::ports::{Array, Arrays};
use serde::Serialize;
use std::io::{self, Write};
use std::time::Duration;

/// Prints a result: as one JSON object, or as text.
pub fn print<R: Serialize>(
    json: bool,
    report: &R,
    text: impl FnOnce(&R) -> String,
) -> Result<(), Error> {
    let text = if json {
        serde_json::to_string_pretty(report)? + "\n"
    } else {
        text(report)
    };
    print_text(&text)
}

/// Prints text; a reader that has enough is no failure.
pub fn print_text(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}

/// Says on standard error that a circuit is for tests only.
pub fn warn_if_insecure(name: &str, security: Security) {
    if security == Security::None {
        let _ = writeln!(
            io::stderr(),
            "warning: circuit `{name}` has security=none: its ciphertexts protect nothing"
        );
    }
}

/// What identifies a circuit.
#[derive(Debug, Serialize)]
pub struct Summary {
    pub name: String,
    pub fingerprint: String,
    pub security: Security,
    pub log_n: u32,
    pub slots: u32,
    pub levels: usize,
    pub primes: usize,
    pub special_primes: usize,
    /// log2 of the largest Q_l.
    pub chain_bits: f64,
    /// log2 of P.
    pub special_bits: f64,
    /// log2 of everything that security depends on.
    pub modulus_bits: f64,
    /// What it may be for 128-bit security.
    pub modulus_limit_bits: Option<u32>,
}

impl Summary {
    pub fn of(interface: &Interface) -> Self {
        let ring = interface.ring();
        let top = ring.levels.len().saturating_sub(1) as u32;
        Self {
            name: interface.name().to_owned(),
            fingerprint: hex(interface.fingerprint()),
            security: interface.security(),
            log_n: ring.log_n,
            slots: ring.slots(),
            levels: ring.levels.len(),
            primes: ring.primes.len(),
            special_primes: ring.special.len(),
            chain_bits: ring.level_bits(Level(top)).unwrap_or(0.0),
            special_bits: ring.special_bits(),
            modulus_bits: ring.total_bits(),
            modulus_limit_bits: Security::max_modulus_bits(ring.log_n),
        }
    }

    /// Rows of a table.
    pub fn rows(&self) -> Vec<[String; 2]> {
        let security = match (self.security, self.modulus_limit_bits) {
            (Security::Classical128, Some(limit)) => {
                format!("128 bits: modulus of {:.0} bits, limit {limit}", self.modulus_bits)
            }
            (Security::Classical128, None) => "128 bits".to_owned(),
            (Security::None, _) => format!("NONE: modulus of {:.0} bits", self.modulus_bits),
        };
        let chain = format!(
            "{} ({} primes of {:.0} bits together, and {} special primes of {:.0})",
            self.levels, self.primes, self.chain_bits, self.special_primes, self.special_bits
        );
        let ring = format!("N = 2^{}, {} slots", self.log_n, self.slots);
        let short = self.fingerprint.get(..16).unwrap_or_default();
        let circuit = format!("{} ({short})", self.name);
        let rows = [("circuit", circuit), ("ring", ring), ("security", security), ("levels", chain)];
        rows.map(|(what, value)| [what.to_owned(), value]).into()
    }
}

/// The fingerprint in full.
pub fn hex(fingerprint: Fingerprint) -> String {
    format!("{fingerprint:?}")
}

/// One line about evaluation keys.
pub fn keys(keys: &[KeyStats]) -> String {
    let count = |wanted: fn(&KeyKind) -> bool| keys.iter().filter(|k| wanted(&k.kind)).count();
    let rotations = count(|kind| matches!(kind, KeyKind::Rotation(_)));
    let total = keys.iter().map(|key| key.bytes).sum();
    let others = keys.len() - rotations;
    format!("{} ({rotations} rotations, {others} other), {}", keys.len(), bytes(total))
}

/// Inputs and outputs as a table.
pub fn ports(inputs: &[PortStats], outputs: &[PortStats]) -> String {
    let mut table = table(&["", "name", "shape", "ciphertexts", "level", "scale bits"], &[3, 4, 5]);
    for (direction, ports) in [("input", inputs), ("output", outputs)] {
        for port in ports {
            table.add_row([
                direction.to_owned(),
                port.name.clone(),
                port.shape.to_string(),
                port.ciphertexts.to_string(),
                level(port.level),
                port.scale_bits.map_or(String::new(), |bits| format!("{bits:.1}")),
            ]);
        }
    }
    show(&table)
}

/// Costs of nodes as a table.
pub fn nodes(nodes: &[NodeStats], total: Option<&Counts>) -> String {
    let header = [
        "node", "operator", "levels", "instr.", "products", "ct prod.", "key sw.", "hoisted", "rotate",
        "decomp.", "mod down", "rescale", "encode",
    ];
    let mut table = table(&header, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    for node in nodes {
        let (name, op) = node.node.as_ref().map_or(("(none)", ""), |n| (&n.name, &n.op));
        let levels = match (node.level_in, node.level_out) {
            (Some(from), Some(to)) => format!("{from} -> {to}"),
            (from, to) => level(from.or(to)),
        };
        table.add_row([name.to_owned(), op.to_owned(), levels].into_iter().chain(counts(&node.counts)));
    }
    if let Some(total) = total {
        let title = ["total", "", ""].map(str::to_owned);
        table.add_row(title.into_iter().chain(counts(total)));
    }
    show(&table)
}

fn counts(counts: &Counts) -> impl Iterator<Item = String> {
    let Counts {
        instructions,
        plaintext_products,
        ciphertext_products,
        decompositions,
        hoisted_rotations,
        full_rotations,
        key_switches,
        mod_downs,
        rescales,
        encodes,
    } = *counts;
    let counts = [
        instructions,
        plaintext_products,
        ciphertext_products,
        key_switches,
        hoisted_rotations,
        full_rotations,
        decompositions,
        mod_downs,
        rescales,
        encodes,
    ];
    counts.into_iter().map(|count| count.to_string())
}

fn level(level: Option<Level>) -> String {
    level.map_or(String::new(), |level| level.to_string())
}

/// A tensor that was computed.
#[derive(Debug, Serialize)]
pub struct Output {
    pub shape: Vec<u32>,
    /// The position of the largest value, of a vector.
    pub class: Option<usize>,
    pub largest_magnitude: f64,
    pub values: Vec<f64>,
}

impl Output {
    pub fn of(array: &Array) -> Self {
        Self {
            shape: array.shape().dims().to_vec(),
            class: class(array),
            largest_magnitude: largest(array.data()),
            values: array.data().to_vec(),
        }
    }

    /// All outputs of a model by name.
    pub fn all(arrays: &Arrays) -> std::collections::BTreeMap<String, Self> {
        let outputs = arrays.iter().map(|(name, array)| (name.clone(), Self::of(array)));
        outputs.collect()
    }
}

/// Outputs as a table; short ones with their values.
pub fn outputs(outputs: &std::collections::BTreeMap<String, Output>) -> String {
    let mut table = table(&["output", "shape", "class", "largest", "values"], &[2, 3]);
    for (name, output) in outputs {
        let Output { shape, class, largest_magnitude, values } = output;
        let mut shown: Vec<String> = values.iter().take(12).map(|x| format!("{x:.4}")).collect();
        if values.len() > shown.len() {
            shown.push("...".to_owned());
        }
        let class = class.map_or(String::new(), |class| class.to_string());
        let largest = format!("{largest_magnitude:.4}");
        table.add_row([name.clone(), format!("{shape:?}"), class, largest, shown.join(" ")]);
    }
    show(&table)
}

/// The position of the largest of a vector's values.
pub fn class(array: &Array) -> Option<usize> {
    let vector = array.shape().dims().iter().filter(|&&d| d > 1).count() == 1;
    let values = array.data().iter().enumerate();
    let best = values.max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, _)| i);
    best.filter(|_| vector)
}

/// The largest magnitude; NaN when there is one.
pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, x| if x.is_nan() { f64::NAN } else { m.max(x.abs()) })
}

/// An empty table; the given columns are numbers.
pub fn table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(header.iter().copied());
    for &column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Names and values, one below the other.
pub fn list(rows: &[[String; 2]]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.add_rows(rows.iter().cloned());
    show(&table)
}

/// A table as text, without space at the ends of lines.
pub fn show(table: &Table) -> String {
    let lines = table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
    lines.map(|line| line + "\n").collect()
}

/// A number of bytes for reading.
pub fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// A time for reading.
pub fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 1e-3 => format!("{:.0} us", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.2} s"),
        s => format!("{s:.0} s"),
    }
}
