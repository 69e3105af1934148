//! What verbs print: tables for people, one JSON object for machines, and what circuits promise: a warning about those
//! without security, and a field of every JSON object.

use crate::error::Error;
use comfy_table::{CellAlignment, Table, presets};
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{Interface, Level, Security};
use serde::Serialize;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The weakest promise of the circuits that this process has met.
static MET: Mutex<Option<Security>> = Mutex::new(None);

/// A report as JSON: its fields, after what the circuit behind it promises. No verb can forget to say so, and no report
/// has a field of this name itself.
#[derive(Serialize)]
struct Stamped<'r, R> {
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<Security>,
    #[serde(flatten)]
    report: &'r R,
}

/// Prints a result: as one JSON object, or as text.
pub fn print<R: Serialize>(
    json: bool,
    report: &R,
    text: impl FnOnce(&R) -> String,
) -> Result<(), Error> {
    let text = if json {
        let security = *MET.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_string_pretty(&Stamped { security, report })? + "\n"
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

/// Takes note of what a circuit promises; says on standard error, once, that one is for tests only.
pub fn meet(name: &str, security: Security) {
    let mut met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    let before = *met;
    *met = before.max(Some(security));
    if security == Security::None && before != Some(Security::None) {
        let _ = writeln!(
            io::stderr(),
            "warning: circuit `{name}` has security=none: its ciphertexts protect nothing"
        );
    }
}

/// Says on standard error that a flood drowns nothing.
pub fn warn_of_small_flood(bits: f64) {
    let _ = writeln!(
        io::stderr(),
        "warning: --flood-bits {bits} adds less noise than the values have: it hides nothing, see decrypt --help"
    );
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
                format!(
                    "128 bits: modulus of {:.0} bits, limit {limit}",
                    self.modulus_bits
                )
            }
            (Security::Classical128, None) => "128 bits".to_owned(),
            (Security::None, _) => format!("NONE: modulus of {:.0} bits", self.modulus_bits),
        };
        let chain = format!(
            "{} ({} of {:.0} bits together, and {} of {:.0})",
            self.levels,
            count(self.primes, "prime"),
            self.chain_bits,
            count(self.special_primes, "special prime"),
            self.special_bits
        );
        let ring = format!("N = 2^{}, {} slots", self.log_n, self.slots);
        let short = self.fingerprint.get(..16).unwrap_or_default();
        let circuit = format!("{} ({short})", self.name);
        let rows = [
            ("circuit", circuit),
            ("ring", ring),
            ("security", security),
            ("levels", chain),
        ];
        rows.map(|(what, value)| [what.to_owned(), value]).into()
    }
}

/// The fingerprint in full.
pub fn hex(fingerprint: Fingerprint) -> String {
    format!("{fingerprint:?}")
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
    let lines = table.lines().map(|line| {
        line.strip_prefix(' ')
            .unwrap_or(&line)
            .trim_end()
            .to_owned()
    });
    lines.map(|line| line + "\n").collect()
}

/// How many there are of something.
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
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
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {unit}")
    }
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
