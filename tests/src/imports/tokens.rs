//! Rust source as words and signs: comments, strings, numbers' signs, characters and lifetimes are left out.

/// A piece of source that can be part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// An identifier, a keyword or a number.
    Word(&'t str),
    /// `::`.
    Colons,
    /// Any other sign.
    Sign(char),
}

/// The tokens of `source`, which need not be complete Rust.
pub(super) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if let Some(length) = comment(rest).or_else(|| literal(rest)) {
            length
        } else if is_of_word(first) {
            let raw = rest.strip_prefix("r#").map_or(0, |_| 2);
            let word: &str = word(&rest[raw..]);
            found.push(Token::Word(word));
            raw + word.len()
        } else if rest.starts_with("::") {
            found.push(Token::Colons);
            2
        } else {
            found.push(Token::Sign(first));
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The word that `text` begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c| !is_of_word(c)).unwrap_or(text.len());
    &text[..end]
}

/// How long the comment is that `text` begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut at, mut depth) = (2, 1);
    while depth > 0 && at < text.len() {
        let rest = &text.as_bytes()[at..];
        match rest {
            [b'/', b'*', ..] => depth += 1,
            [b'*', b'/', ..] => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    Some(end_of_char(text, at))
}

/// How long the string, character or lifetime is that `text` begins with.
fn literal(text: &str) -> Option<usize> {
    if text.starts_with('\'') {
        return Some(quoted(text));
    }
    let prefix = ["br", "cr", "r", "b", "c", ""]
        .into_iter()
        .find(|prefix| text.starts_with(prefix))?;
    let body = &text[prefix.len()..];
    if prefix == "b" && body.starts_with('\'') {
        return Some(1 + quoted(body));
    }
    if prefix.ends_with('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        let inner = body[hashes..].strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let end = inner.find(&close).map_or(inner.len(), |i| i + close.len());
        return Some(prefix.len() + hashes + 1 + end);
    }
    let inner = body.strip_prefix('"')?;
    let mut escaped = false;
    let end = inner.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some(prefix.len() + 1 + end.map_or(inner.len(), |end| end + 1))
}

/// A character in quotes, or a lifetime.
fn quoted(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, _))) => {
            let rest = &text[at..];
            let skip = rest.chars().next().map_or(0, char::len_utf8);
            at + skip + rest[skip..].find('\'').map_or(0, |i| i + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1 + word(&text[1..]).len(),
    }
}

fn end_of_char(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at.min(text.len())
}
