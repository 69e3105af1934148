//! Syntax errors, rendered with the line and a caret.

use super::lexer::{Kind, Token};
use crate::layout::LayoutError;
use crate::shape::ShapeError;
use crate::tensor::TensorError;
use std::fmt;

/// A syntax error: a place in a text and what is wrong there.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: u32,
    /// The character within the line, counted from 1.
    pub column: u32,
    /// The number of characters that are wrong.
    pub length: u32,
    /// The line, or the part of it around the place.
    pub excerpt: String,
    /// The number of characters of the line before the excerpt.
    pub skipped: u32,
    /// What is wrong.
    pub cause: ParseCause,
}

/// The cause of a syntax error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum ParseCause {
    #[error("expected {expected}, found {found}")]
    Expected { expected: String, found: String },
    #[error("{what} is given twice")]
    Twice { what: String },
    #[error("{what} is missing")]
    Missing { what: &'static str },
    #[error("the numbers of values must be 0 to {last} without gaps, found {found}")]
    Gap { found: String, last: usize },
    #[error("a function stands before the imports, entries and instructions of the main program")]
    LateFunction,
    #[error("an exponent of the scale exceeds {}", crate::Scale::MAX_EXPONENT)]
    Exponent,
    #[error("gather tables exceed {} entries together", crate::verify::MAX_TABLE)]
    Tables,
    #[error("the weights of {tensor} are elided; print the circuit with its weights")]
    Elided { tensor: String },
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// How much of a long line is shown.
const SHOWN: usize = 100;

impl ParseError {
    pub(super) fn at(source: &str, token: &Token<'_>, cause: ParseCause) -> Self {
        let before = source.get(token.line_start..token.start);
        let column = before.map_or(0, |text| text.chars().count());
        let length = source.get(token.start..token.end);
        let length = length.map_or(1, |text| text.chars().count().max(1));
        let line = source.get(token.line_start..).unwrap_or_default();
        let line = line.lines().next().unwrap_or_default();
        let skipped = column.saturating_sub(SHOWN / 2);
        Self {
            line: token.line,
            column: column as u32 + 1,
            length: length as u32,
            excerpt: line.chars().skip(skipped).take(SHOWN).collect(),
            skipped: skipped as u32,
            cause,
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            length,
            excerpt,
            skipped,
            cause,
        } = self;
        let margin = line.to_string().len();
        let (dots, gap) = if *skipped > 0 { ("...", 3) } else { ("", 0) };
        let indent = (column - 1 - skipped) as usize;
        let carets = (*length as usize).min(excerpt.chars().count().saturating_sub(indent));
        writeln!(f, "error: {cause}")?;
        writeln!(f, "{:margin$}--> line {line}, column {column}", "")?;
        writeln!(f, "{:margin$} |", "")?;
        writeln!(f, "{line} | {dots}{}", excerpt.replace('\t', " "))?;
        let carets = "^".repeat(carets.max(1));
        write!(f, "{:margin$} | {:2$}{carets}", "", "", gap + indent)
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// All syntax errors of a text, in order; never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct ParseErrors {
    /// The errors; after [`ParseErrors::LIMIT`] the parser gives up.
    pub errors: Vec<ParseError>,
}

impl ParseErrors {
    /// The largest number of errors that are reported.
    pub const LIMIT: usize = 50;
}

impl fmt::Display for ParseErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.errors.iter().enumerate() {
            let separator = if i == 0 { "" } else { "\n\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseErrors {}

/// A token as part of a sentence.
pub(super) fn describe(kind: Kind<'_>) -> String {
    match kind {
        Kind::Word(text) | Kind::Number(text) => format!("`{}`", shorten(text)),
        Kind::Text(text) => format!("\"{}\"", shorten(text)),
        Kind::Mark(mark) => format!("`{mark}`"),
        Kind::Unclosed => "a string without closing quote".into(),
        Kind::Unknown(c) => format!("{c:?}"),
        Kind::End => "the end of the text".into(),
    }
}

fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.into();
    }
    text.chars().take(LONGEST).chain("...".chars()).collect()
}
