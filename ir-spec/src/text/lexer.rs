//! The lexer: one token at a time, from left to right, never backwards.

/// A token and where it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind<'s>,
    /// Byte offset.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Counted from 1.
    pub(super) line: u32,
    /// Byte offset of the line.
    pub(super) line_start: usize,
    /// Whether nothing but blanks precede it on its line.
    pub(super) opens_line: bool,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind<'s> {
    /// Letters, digits and `_`, not beginning with a digit.
    Word(&'s str),
    /// Begins with a digit, or `-` and a digit.
    Number(&'s str),
    /// The inside of a quoted string, escapes as written.
    Text(&'s str),
    /// One of `{ } [ ] ( ) < > , : = * / ^ @ %`, or `->`, or `..=`.
    Mark(&'static str),
    /// A string without its closing quote.
    Unclosed,
    /// A character that begins no token.
    Unknown(char),
    End,
}

/// A comment of the text form, from behind its `;` to the end of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment<'s> {
    /// The line, counted from 1.
    pub line: u32,
    /// Its text without surrounding blanks.
    pub text: &'s str,
}

const MARKS: [&str; 17] = [
    "->", "..=", "{", "}", "[", "]", "(", ")", "<", ">", ",", ":", "=", "*", "/", "^", "@",
];

#[derive(Clone, Debug)]
pub(super) struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: u32,
    line_start: usize,
    opens_line: bool,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self {
            source,
            at: 0,
            line: 1,
            line_start: 0,
            opens_line: true,
        }
    }

    /// The next token; after the last one always `End`.
    pub(super) fn next(&mut self, mut comment: impl FnMut(Comment<'s>)) -> Token<'s> {
        while let Some(text) = self.skip_blank() {
            let line = self.line;
            comment(Comment { line, text });
        }
        let start = self.at;
        let kind = self.kind();
        Token {
            kind,
            start,
            end: self.at,
            line: self.line,
            line_start: self.line_start,
            opens_line: std::mem::replace(&mut self.opens_line, false),
        }
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    /// Skips blanks and the comment that follows, if any, and returns its text.
    fn skip_blank(&mut self) -> Option<&'s str> {
        for byte in self.rest().bytes() {
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line = self.line.saturating_add(1);
                    self.line_start = self.at;
                    self.opens_line = true;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => {
                    let rest = self.rest();
                    let text = rest.split('\n').next().unwrap_or(rest);
                    self.at += text.len();
                    return Some(text.trim_start_matches(';').trim());
                }
                _ => return None,
            }
        }
        None
    }

    fn kind(&mut self) -> Kind<'s> {
        let rest = self.rest();
        let mut chars = rest.chars();
        let Some(first) = chars.next() else {
            return Kind::End;
        };
        let second = chars.next().unwrap_or('\0');
        match first {
            'a'..='z' | 'A'..='Z' | '_' => Kind::Word(self.take(word_length(rest))),
            '0'..='9' => Kind::Number(self.take(number_length(rest))),
            '-' if second.is_ascii_alphanumeric() => {
                let tail = rest.get(1..).unwrap_or_default();
                Kind::Number(self.take(1 + number_length(tail)))
            }
            '"' => self.text(rest),
            '%' => {
                self.at += 1;
                Kind::Mark("%")
            }
            other => match MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
                Some(mark) => {
                    self.at += mark.len();
                    Kind::Mark(mark)
                }
                None => {
                    self.at += other.len_utf8();
                    Kind::Unknown(other)
                }
            },
        }
    }

    fn take(&mut self, length: usize) -> &'s str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    /// The token of a string, which ends at the first quote on its line that is not escaped.
    fn text(&mut self, rest: &'s str) -> Kind<'s> {
        let mut escaped = false;
        for (i, byte) in rest.bytes().enumerate().skip(1) {
            match byte {
                b'\n' => break,
                b'"' if !escaped => {
                    self.at += i + 1;
                    return Kind::Text(rest.get(1..i).unwrap_or_default());
                }
                _ => escaped = byte == b'\\' && !escaped,
            }
        }
        self.at += rest.split('\n').next().unwrap_or(rest).len();
        Kind::Unclosed
    }
}

fn word_length(rest: &str) -> usize {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    rest.bytes().position(|b| !inside(b)).unwrap_or(rest.len())
}

/// The length of a number: digits, letters (hexadecimal, exponents), single dots, and a sign after `e`.
fn number_length(rest: &str) -> usize {
    let hexadecimal = rest.starts_with("0x");
    let mut bytes = rest.bytes().enumerate().peekable();
    let mut last = 0;
    while let Some((i, byte)) = bytes.next() {
        let next = bytes.peek().map(|&(_, b)| b);
        let inside = match byte {
            b'.' => next != Some(b'.'),
            b'-' | b'+' => (last == b'e' || last == b'E') && !hexadecimal,
            _ => byte.is_ascii_alphanumeric() || byte == b'_',
        };
        if !inside {
            return i;
        }
        last = byte;
    }
    rest.len()
}

/// All comments of a text, in order.
pub fn comments(source: &str) -> Vec<Comment<'_>> {
    let mut comments = Vec::new();
    let mut lexer = Lexer::new(source);
    while lexer.next(|comment| comments.push(comment)).kind != Kind::End {}
    comments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<Kind<'_>> {
        let mut lexer = Lexer::new(source);
        std::iter::from_fn(|| Some(lexer.next(|_| {}).kind))
            .take_while(|kind| *kind != Kind::End)
            .collect()
    }

    #[test]
    fn ranges_are_not_decimals() {
        let found = kinds("0..=7 -1.5e-3 0x1f->");
        let expected = [
            Kind::Number("0"),
            Kind::Mark("..="),
            Kind::Number("7"),
            Kind::Number("-1.5e-3"),
            Kind::Number("0x1f"),
            Kind::Mark("->"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn strings_keep_escapes_and_semicolons() {
        let found = kinds(r#""a\"b;" c ; d "e"#);
        assert_eq!(found, [Kind::Text(r#"a\"b;"#), Kind::Word("c")]);
        assert_eq!(kinds("\"open\nx"), [Kind::Unclosed, Kind::Word("x")]);
    }

    #[test]
    fn comments_know_their_line() {
        let found = comments("a ; one\n;; two\n\"; no\" b");
        let [one, two] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!((one.line, one.text), (1, "one"));
        assert_eq!((two.line, two.text), (2, "two"));
    }
}
