//! Numbers and names as people read them: counts with their nouns, bytes and times with their units, names on one line.
//!
//! The sentences of reports and the tables of the program are put together from these.

use std::time::Duration;

/// A number with its noun: `1 key`, `2 keys`.
///
/// ```
/// assert_eq!(peregrine::words::count(2, "key"), "2 keys");
/// ```
pub fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A text from a file as one line without control characters: nothing in it is obeyed by a terminal.
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
///
/// ```
/// assert_eq!(peregrine::words::short(40_813_184), "40.8 M");
/// ```
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

/// A share of one in per cent, with one decimal below ten.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let places = usize::from(percent < 9.95);
    format!("{percent:.places$} %")
}

/// A number of bytes for reading: units are powers of 1024.
///
/// ```
/// assert_eq!(peregrine::words::bytes(4 << 30), "4.0 GiB");
/// ```
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

/// A time for reading, as `22.8 ms`.
pub fn time(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 1e-3 => format!("{:.0} us", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.2} s"),
        s => format!("{s:.0} s"),
    }
}

/// A time in seconds for reading; nothing that is negative or no number.
pub fn seconds(seconds: f64) -> String {
    time(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A precision in bits for reading; `None` stands for an exact result.
pub fn bits(bits: Option<f64>) -> String {
    bits.map_or("all bits".to_owned(), |bits| format!("{bits:.1} bits"))
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
