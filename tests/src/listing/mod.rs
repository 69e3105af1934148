//! What goes into a stage of the compiler and what comes out, as text: the file tests of layouts, slots, levels and keys.

#![allow(
    clippy::panic,
    reason = "a file that cannot be read is a mistake of the test that has it"
)]

mod network;
mod program;
pub mod stages;

use std::collections::BTreeMap;

/// A file of a file test: its options and its lines, without comments.
#[derive(Debug)]
pub struct Source<'s> {
    options: BTreeMap<&'s str, &'s str>,
    lines: Vec<&'s str>,
}

impl<'s> Source<'s> {
    /// Reads a file for a stage.
    ///
    /// # Panics
    /// When its header names another stage.
    pub fn new(stage: &str, source: &'s str) -> Self {
        let lines = source.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(';'));
        let (headers, lines): (Vec<&str>, Vec<&str>) =
            lines.partition(|line| line.starts_with("test "));
        let words = headers.iter().flat_map(|line| line.split(' ')).skip(1);
        let (options, stages): (Vec<&str>, Vec<&str>) = words.partition(|word| word.contains('='));
        assert_eq!(stages, [stage], "a line `test {stage}` with options");
        let options = options.iter().filter_map(|word| word.split_once('='));
        Self {
            options: options.collect(),
            lines,
        }
    }

    /// The number of an option.
    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.options.get(name).map_or(default, |text| number(text))
    }
}

/// A number in a file.
fn number<T: std::str::FromStr>(text: &str) -> T {
    match text.parse() {
        Ok(number) => number,
        Err(_) => panic!("`{text}` is no number"),
    }
}
