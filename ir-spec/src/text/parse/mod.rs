//! The parser: reads one statement after the other; after an error it goes on at the next line that begins a statement.

#![deny(clippy::indexing_slicing)]

mod bodies;
mod cursor;
mod expectation;
mod finish;
mod operator;
mod preamble;
mod program;
mod types;

use super::error::{ParseCause, ParseError, ParseErrors};
use super::lexer::{Kind, Token};
use super::map::SourceMap;
use crate::circuit::{Circuit, Definition};
use crate::entity::Value;
use crate::key::KeyKind;
use crate::ring::{RingTable, Security};
use crate::verify::Subject;
use cursor::{Cursor, Parsed};
use std::collections::{BTreeMap, BTreeSet};

/// Parses a circuit from its text form, without verifying it.
///
/// # Errors
/// Every syntax error, with its place; at most [`ParseErrors::LIMIT`].
pub fn parse(source: &str) -> Result<Circuit, ParseErrors> {
    parse_mapped(source).map(|(circuit, _)| circuit)
}

/// Parses a circuit from its text form, without verifying it, and tells the line of each entity.
///
/// # Errors
/// Every syntax error, with its place; at most [`ParseErrors::LIMIT`].
pub fn parse_mapped(source: &str) -> Result<(Circuit, SourceMap), ParseErrors> {
    let mut parser = Parser::new(source);
    match parser.header() {
        Ok(()) => parser.statements(),
        Err(error) => parser.errors.push(*error),
    }
    if parser.errors.is_empty() {
        return Ok((parser.circuit, parser.map));
    }
    Err(ParseErrors {
        errors: parser.errors,
    })
}

struct Parser<'s> {
    cursor: Cursor<'s>,
    circuit: Circuit,
    map: SourceMap,
    errors: Vec<ParseError>,
    /// Statements of which there may be one and has been one.
    seen: BTreeSet<&'static str>,
    /// Definitions whose number is not the next one, until those before them have come.
    waiting: BTreeMap<Value, (Token<'s>, Definition)>,
    table_entries: usize,
}

impl<'s> Parser<'s> {
    fn new(source: &'s str) -> Self {
        Self {
            cursor: Cursor::new(source),
            circuit: Circuit::new("", Security::None, RingTable::default()),
            map: SourceMap::default(),
            errors: Vec::new(),
            seen: BTreeSet::new(),
            waiting: BTreeMap::new(),
            table_entries: 0,
        }
    }

    /// `circuit %name security=none {`.
    fn header(&mut self) -> Parsed<()> {
        let line = self.cursor.token().line;
        self.map.note(Subject::Circuit, line);
        self.cursor.keyword("circuit")?;
        self.cursor.mark("%")?;
        self.circuit.name = self.cursor.name()?;
        self.cursor.attribute("security")?;
        let at = self.cursor.advance();
        self.circuit.security = match at.kind {
            Kind::Number("128") => Security::Classical128,
            Kind::Word("none") => Security::None,
            _ => return Err(self.cursor.expected_at(at, "`128` or `none`")),
        };
        self.cursor.mark("{")
    }

    fn statements(&mut self) {
        while !self.cursor.accept("}") {
            let start = self.cursor.token();
            if start.kind == Kind::End {
                let error = self.cursor.expected("`}`");
                self.errors.push(*error);
                return;
            }
            if let Err(error) = self.statement() {
                self.errors.push(*error);
                if self.errors.len() >= ParseErrors::LIMIT {
                    return;
                }
                self.recover(start);
            }
        }
        if self.cursor.token().kind != Kind::End {
            let error = self.cursor.expected("the end of the text");
            self.errors.push(*error);
        }
        // A definition that did not parse leaves a gap of its own.
        if self.errors.is_empty() {
            self.check_gaps();
        }
    }

    /// Skips to the next line that may begin a statement, by at least one token.
    fn recover(&mut self, start: Token<'s>) {
        if self.cursor.token().start == start.start {
            self.cursor.advance();
        }
        loop {
            let token = self.cursor.token();
            let begins = matches!(token.kind, Kind::Word(_) | Kind::Mark("@" | "}"));
            if token.kind == Kind::End || (begins && token.opens_line) {
                return;
            }
            self.cursor.advance();
        }
    }

    fn statement(&mut self) -> Parsed<()> {
        let word = match self.cursor.token().kind {
            Kind::Mark("@") => return self.instruction(),
            Kind::Word(word) => word,
            _ => return Err(self.cursor.expected("a statement")),
        };
        match word {
            "D" => self.unit(),
            "level" => self.level(),
            "digit" => self.digit(),
            "relinearization_key" => self.single_key(KeyKind::Relinearization),
            "conjugation_key" => self.single_key(KeyKind::Conjugation),
            "ring_switching_key" => self.ring_switching_key(),
            "raising_keys" => self.raising_keys(),
            "rotation_keys" => self.rotation_keys(),
            "remark" => self.remark(),
            "entry" => self.entry(),
            "return" => self.output(),
            "fragment" => self.fragment(),
            "import" => self.import(),
            "export" => self.export(),
            _ => match word.trim_end_matches(|c: char| c.is_ascii_digit()) {
                "r" => self.ring(),
                "q" => self.prime(),
                "p" => self.special_prime(),
                "n" => self.node(),
                "l" => self.layout(),
                "w" => self.tensor(),
                "op" => self.operator(),
                "c" => self.constant(),
                "f" => self.function(),
                "v" => self.instruction(),
                _ => Err(self.cursor.expected("a statement")),
            },
        }
    }

    /// Refuses a second statement of a kind of which there may be one.
    fn once(&mut self, at: Token<'s>, what: &'static str) -> Parsed<()> {
        if self.seen.insert(what) {
            return Ok(());
        }
        let what = format!("`{what}`");
        Err(self.cursor.error(at, ParseCause::Twice { what }))
    }
}
