//! The cursor: the steps over tokens that every rule of the grammar is made of.

use crate::entity::Entity;
use crate::ring::Level;
use crate::shape::Shape;
use crate::text::error::{ParseCause, ParseError, describe};
use crate::text::lexer::{Kind, Lexer, Token};
use std::str::FromStr;

/// The result of a grammar rule.
pub(super) type Parsed<T> = Result<T, Box<ParseError>>;

/// A position in a text: one token is looked at, those before are gone.
#[derive(Debug)]
pub(super) struct Cursor<'s> {
    source: &'s str,
    lexer: Lexer<'s>,
    token: Token<'s>,
}

impl<'s> Cursor<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        let mut lexer = Lexer::new(source);
        let token = lexer.next(|_| {});
        Self {
            source,
            lexer,
            token,
        }
    }

    pub(super) fn token(&self) -> Token<'s> {
        self.token
    }

    pub(super) fn advance(&mut self) -> Token<'s> {
        std::mem::replace(&mut self.token, self.lexer.next(|_| {}))
    }

    /// An error about a token that was read.
    pub(super) fn error(&self, at: Token<'s>, cause: impl Into<ParseCause>) -> Box<ParseError> {
        Box::new(ParseError::at(self.source, &at, cause.into()))
    }

    /// The error that something else should stand here.
    pub(super) fn expected(&self, expected: impl Into<String>) -> Box<ParseError> {
        self.expected_at(self.token, expected)
    }

    pub(super) fn expected_at(
        &self,
        at: Token<'s>,
        expected: impl Into<String>,
    ) -> Box<ParseError> {
        let (expected, found) = (expected.into(), describe(at.kind));
        self.error(at, ParseCause::Expected { expected, found })
    }

    /// Whether this mark stands here; steps over it if so.
    pub(super) fn accept(&mut self, mark: &str) -> bool {
        let here = matches!(self.token.kind, Kind::Mark(found) if found == mark);
        if here {
            self.advance();
        }
        here
    }

    pub(super) fn mark(&mut self, mark: &str) -> Parsed<()> {
        if self.accept(mark) {
            return Ok(());
        }
        Err(self.expected(format!("`{mark}`")))
    }

    /// Whether this word stands here; steps over it if so.
    pub(super) fn accept_word(&mut self, word: &str) -> bool {
        let here = self.token.kind == Kind::Word(word);
        if here {
            self.advance();
        }
        here
    }

    pub(super) fn keyword(&mut self, word: &str) -> Parsed<()> {
        if self.accept_word(word) {
            return Ok(());
        }
        Err(self.expected(format!("`{word}`")))
    }

    /// `name=`.
    pub(super) fn attribute(&mut self, name: &str) -> Parsed<()> {
        self.keyword(name)?;
        self.mark("=")
    }

    /// `name=7`.
    pub(super) fn number_attribute(&mut self, name: &str) -> Parsed<u32> {
        self.attribute(name)?;
        self.u32()
    }

    /// `name=[1, 2]`.
    pub(super) fn array_attribute<const N: usize>(&mut self, name: &str) -> Parsed<[u32; N]> {
        self.attribute(name)?;
        let at = self.token;
        let found = self.list(Self::u32)?;
        let length = found.len();
        found.try_into().map_err(|_| {
            self.error(
                at,
                ParseCause::Expected {
                    expected: format!("{N} numbers"),
                    found: length.to_string(),
                },
            )
        })
    }

    /// `[a, b]`; a comma may follow the last item.
    pub(super) fn list<T>(&mut self, item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.mark("[")?;
        self.until("]", item)
    }

    /// `a, b` and the closing mark.
    pub(super) fn until<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        while !self.accept(close) {
            items.push(item(self)?);
            if !self.accept(",") {
                self.mark(close)?;
                break;
            }
        }
        Ok(items)
    }

    /// A name in quotes.
    pub(super) fn string(&mut self) -> Parsed<String> {
        let Kind::Text(raw) = self.token.kind else {
            return Err(self.expected("a string in quotes"));
        };
        let text = unescape(raw).ok_or_else(|| self.expected("a string with valid escapes"))?;
        self.advance();
        Ok(text)
    }

    /// An identifier, or a string.
    pub(super) fn name(&mut self) -> Parsed<String> {
        let Kind::Word(word) = self.token.kind else {
            return self.string();
        };
        self.advance();
        Ok(word.into())
    }

    pub(super) fn u32(&mut self) -> Parsed<u32> {
        self.number("a number below 2^32")
    }

    pub(super) fn level(&mut self) -> Parsed<Level> {
        self.number("a level").map(Level)
    }

    pub(super) fn number<T: FromStr>(&mut self, expected: &str) -> Parsed<T> {
        let parsed = match self.token.kind {
            Kind::Number(digits) => digits.parse().ok(),
            _ => None,
        };
        let number = parsed.ok_or_else(|| self.expected(expected))?;
        self.advance();
        Ok(number)
    }

    /// Decimal or hexadecimal.
    pub(super) fn u64(&mut self) -> Parsed<u64> {
        let parsed = match self.token.kind {
            Kind::Number(digits) => match digits.strip_prefix("0x") {
                Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
                Some(_) => None,
                None => digits.parse().ok(),
            },
            _ => None,
        };
        let number = parsed.ok_or_else(|| self.expected("a number below 2^64"))?;
        self.advance();
        Ok(number)
    }

    /// Also `inf` and `NaN`, which the verifier refuses.
    pub(super) fn f64(&mut self) -> Parsed<f64> {
        let parsed = match self.token.kind {
            Kind::Number(text) | Kind::Word(text) => text.parse().ok(),
            _ => None,
        };
        let number = parsed.ok_or_else(|| self.expected("a real number"))?;
        self.advance();
        Ok(number)
    }

    /// An entity: its prefix and its number in one word.
    pub(super) fn entity<K: Entity>(&mut self) -> Parsed<K> {
        let entity = match self.token.kind {
            Kind::Word(word) => entity_number(word, K::PREFIX),
            _ => None,
        };
        let number = entity
            .ok_or_else(|| self.expected(format!("`{0}` and a number, like `{0}0`", K::PREFIX)))?;
        self.advance();
        Ok(K::new(number))
    }

    /// `[1, 3, 8, 8]`.
    pub(super) fn shape(&mut self) -> Parsed<Shape> {
        let at = self.token;
        let dims = self.list(Self::u32)?;
        Shape::new(dims).map_err(|error| self.error(at, error))
    }
}

/// The number of an entity of this prefix.
pub(super) fn entity_number(word: &str, prefix: &str) -> Option<u32> {
    let digits = word.strip_prefix(prefix)?;
    let canonical = digits == "0" || !digits.starts_with('0');
    let digits_only = digits.bytes().all(|b| b.is_ascii_digit());
    (canonical && digits_only).then(|| digits.parse().ok())?
}

fn unescape(raw: &str) -> Option<String> {
    if !raw.contains('\\') {
        return Some(raw.into());
    }
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next()? {
            'n' => text.push('\n'),
            c @ ('"' | '\\') => text.push(c),
            'u' => {
                let inside = chars.as_str().strip_prefix('{')?;
                let (digits, rest) = inside.split_once('}')?;
                let short = digits.len() <= 6 && !digits.starts_with('+');
                let code = short.then(|| u32::from_str_radix(digits, 16).ok())??;
                text.push(char::from_u32(code)?);
                chars = rest.chars();
            }
            _ => return None,
        }
    }
    Some(text)
}
