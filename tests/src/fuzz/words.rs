//! Text: damaged by lines, numbers and brackets as well as by bytes.

use super::{Dice, bytes};

/// Numbers that readers get wrong.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "-0",
    "1e999",
    "-1e999",
    "1e-400",
    "nan",
    "NaN",
    "inf",
    "2147483648",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999999",
    "0x10",
    "1.5",
    "1_0",
];

/// Text with one to three places damaged.
pub fn words(dice: &mut Dice, text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..=dice.roll(3) {
        text = match dice.roll(7) {
            0 | 1 => number(dice, &text),
            2 | 3 => lines(dice, &text),
            4 => nest(dice, &text),
            5 => exchange(dice, &text),
            _ => {
                let mut raw = text.into_bytes();
                bytes(dice, &mut raw);
                String::from_utf8_lossy(&raw).into_owned()
            }
        };
    }
    text
}

/// Where words are: letters and digits together, everything else alone.
fn spans(text: &str) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        let part = c.is_alphanumeric() || c == '_' || c == '.';
        match spans.last_mut() {
            Some(span) if open && part => span.1 = end,
            _ => spans.push((at, end)),
        }
        open = part;
    }
    spans
}

fn replaced(text: &str, (start, end): (usize, usize), by: &str) -> String {
    let (before, after) = (text.get(..start), text.get(end..));
    [before.unwrap_or_default(), by, after.unwrap_or_default()].concat()
}

/// Another number in the place of one.
fn number(dice: &mut Dice, text: &str) -> String {
    let digit = |&(start, end): &(usize, usize)| {
        let word = text.get(start..end).unwrap_or_default();
        word.contains(|c: char| c.is_ascii_digit())
    };
    let numbers: Vec<_> = spans(text).into_iter().filter(digit).collect();
    let Some(span) = dice.pick(&numbers) else {
        return text.to_owned();
    };
    let old = text.get(span.0..span.1).unwrap_or_default();
    let near = old.parse().map(|old| dice.telling(old).to_string());
    let far = dice.pick(&NUMBERS).unwrap_or_default().to_owned();
    let new = if dice.once_in(2) {
        far
    } else {
        near.unwrap_or(far)
    };
    replaced(text, span, &new)
}

/// A line less, twice, or somewhere else.
fn lines(dice: &mut Dice, text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines.is_empty() {
        return String::new();
    }
    let (at, to) = (dice.roll(lines.len()), dice.roll(lines.len()));
    match dice.roll(3) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(to, lines[at]),
        _ => lines.swap(at, to),
    }
    lines.concat()
}

/// Many brackets, one within the other.
fn nest(dice: &mut Dice, text: &str) -> String {
    let bracket = dice.pick(&["[", "(", "{", "{\"a\":", "\""]).unwrap_or("[");
    let many = bracket.repeat(dice.roll(5000));
    let spans = spans(text);
    let at = dice.pick(&spans).map_or(0, |span| span.0);
    replaced(text, (at, at), &many)
}

/// One word in the place of another.
fn exchange(dice: &mut Dice, text: &str) -> String {
    let spans = spans(text);
    let (Some(from), Some(to)) = (dice.pick(&spans), dice.pick(&spans)) else {
        return text.to_owned();
    };
    replaced(text, to, text.get(from.0..from.1).unwrap_or_default())
}
