//! What verbs print: tables for people, one JSON object for machines, and what circuits promise: a warning about those
//! without security, and a field of every JSON object.

use crate::error::Error;
use comfy_table::{CellAlignment, Table, presets};
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{Interface, Level, Ring, Security};
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
    /// The ring of the lowest levels, where it is another one.
    pub small_ring: Option<SmallSummary>,
}

/// What the small ring of a circuit is.
#[derive(Debug, Serialize)]
pub struct SmallSummary {
    pub log_n: u32,
    pub slots: u32,
    pub levels: u32,
    pub special_primes: u32,
    /// log2 of everything that its security depends on.
    pub modulus_bits: f64,
    /// What it may be for 128-bit security.
    pub modulus_limit_bits: Option<u32>,
}

impl SmallSummary {
    fn of(ring: &Ring) -> Option<Self> {
        let id = *ring.descent().get(1..)?.last()?;
        let (view, log_n) = (ring.view(id), ring.view(id).log_n());
        Some(Self {
            log_n,
            slots: view.slots(),
            levels: ring.levels_of(id).count() as u32,
            special_primes: view.special_count() as u32,
            modulus_bits: ring.total_bits(id),
            modulus_limit_bits: Security::max_modulus_bits(log_n),
        })
    }
}

/// What the modulus of a ring means for its security.
fn modulus(security: Security, bits: f64, limit: Option<u32>) -> String {
    match (security, limit) {
        (Security::Classical128, Some(limit)) => {
            format!("128 bits: modulus of {bits:.0} bits, limit {limit}")
        }
        (Security::Classical128, None) => "128 bits".to_owned(),
        (Security::None, _) => format!("NONE: modulus of {bits:.0} bits"),
    }
}

impl Summary {
    pub fn of(interface: &Interface) -> Self {
        let ring = interface.ring();
        let top = ring.levels.len().saturating_sub(1) as u32;
        let main = ring.top_ring();
        let (view, log_n) = (ring.view(main), ring.view(main).log_n());
        Self {
            name: interface.name().to_owned(),
            fingerprint: hex(interface.fingerprint()),
            security: interface.security(),
            log_n,
            slots: view.slots(),
            levels: ring.levels.len(),
            primes: ring.primes.len(),
            special_primes: ring.special.len(),
            chain_bits: ring.level_bits(Level(top)).unwrap_or(0.0),
            special_bits: view.special_bits(),
            modulus_bits: ring.total_bits(main),
            modulus_limit_bits: Security::max_modulus_bits(log_n),
            small_ring: SmallSummary::of(ring),
        }
    }

    /// Rows of a table.
    pub fn rows(&self) -> Vec<[String; 2]> {
        let security = modulus(self.security, self.modulus_bits, self.modulus_limit_bits);
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
        let small = self.small_ring.as_ref().map(|small| {
            let security = modulus(self.security, small.modulus_bits, small.modulus_limit_bits);
            let SmallSummary {
                log_n,
                slots,
                levels,
                ..
            } = small;
            let text =
                format!("N = 2^{log_n}, {slots} slots, the lowest {levels} levels; {security}");
            ("small ring", text)
        });
        let rows = rows.into_iter().chain(small);
        rows.map(|(what, value)| [what.to_owned(), value]).collect()
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

/// A text from a file on one line, and nothing in it that a terminal would obey.
pub fn plain(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}

/// A text of at most so many characters, shortened in the middle: both ends of a name tell most.
pub fn shorten(text: &str, longest: usize) -> String {
    const DOTS: &str = "...";
    let length = text.chars().count();
    if length <= longest {
        return text.to_owned();
    }
    let kept = longest.saturating_sub(DOTS.len());
    let start = kept / 2;
    let head: String = text.chars().take(start).collect();
    let tail: String = text.chars().skip(length - (kept - start)).collect();
    format!("{head}{DOTS}{tail}")
}

/// A count for reading: in full up to five digits, then with three digits and a unit.
pub fn short(count: u64) -> String {
    if count < 100_000 {
        return count.to_string();
    }
    let mut value = count as f64;
    let mut unit = "";
    for larger in ["k", "M", "G", "T", "P", "E"] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    let places = (value < 99.95) as usize + (value < 9.995) as usize;
    format!("{value:.places$} {unit}")
}

/// A share for reading; small ones with a digit more.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let places = usize::from(percent < 9.95);
    format!("{percent:.places$} %")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("/layer1/conv1/Conv", 18), "/layer1/conv1/Conv");
        assert_eq!(
            shorten("/layer1/layer1.0/conv1/Conv", 18),
            "/layer1...nv1/Conv"
        );
        assert_eq!(shorten("ééééé", 4).chars().count(), 4);
    }

    #[test]
    fn counts_have_three_digits_and_a_unit() {
        let shown = [
            0,
            99_999,
            100_000,
            999_499,
            999_500,
            40_813_184,
            4_089_184_256,
        ];
        let shown = shown.map(short);
        assert_eq!(
            shown,
            ["0", "99999", "100 k", "999 k", "1.00 M", "40.8 M", "4.09 G"]
        );
        assert_eq!(short(u64::MAX), "18.4 E");
    }
}
