//! What one source file says of modules: which it declares, what it imports, which paths its code names.

use super::tokens::{Token, tokens};
use std::collections::BTreeSet;

/// A module as far as one file describes it; an inline module is one of its own.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Modules in files of their own.
    pub(super) children: BTreeSet<String>,
    /// Modules inside this one.
    pub(super) inline: Vec<(String, Scope)>,
    pub(super) imports: Vec<Import>,
    /// Names of what is defined here, methods among them.
    pub(super) items: BTreeSet<String>,
    /// Paths of two and more words in the code.
    pub(super) paths: BTreeSet<Vec<String>>,
    /// Every word of the code, what `use` says not counted.
    pub(super) words: BTreeSet<String>,
}

/// One name, or all names, that a `use` brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// What it is called here; `None` for all names of a module.
    pub(super) name: Option<String>,
    /// Whether others may import it from here.
    pub(super) public: bool,
}

/// Reads a file; what is compiled for tests only is left out.
pub(super) fn scope(source: &str) -> Scope {
    let tokens = tokens(source);
    if is_attribute_for_tests(&tokens, 0) && tokens.get(1) == Some(&Token::Sign('!')) {
        return Scope::default();
    }
    let mut reader = Reader { tokens, at: 0 };
    reader.scope()
}

struct Reader<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
}

const DEFINE: [&str; 8] = [
    "fn", "struct", "enum", "union", "type", "const", "static", "trait",
];

impl<'t> Reader<'t> {
    /// Everything up to the brace that closes the module.
    fn scope(&mut self) -> Scope {
        let mut scope = Scope::default();
        let mut depth = 0;
        while let Some(token) = self.peek(0) {
            match token {
                Token::Sign('#') if is_attribute_for_tests(&self.tokens, self.at) => self.skip(),
                Token::Sign('{') => {
                    depth += 1;
                    self.at += 1;
                }
                Token::Sign('}') if depth == 0 => return scope,
                Token::Sign('}') => {
                    depth -= 1;
                    self.at += 1;
                }
                Token::Word("mod") => self.module(&mut scope),
                Token::Word("use") if self.peek(1) != Some(Token::Sign('<')) => {
                    let public = self.is_public();
                    self.at += 1;
                    self.tree(&[], public, &mut scope.imports);
                }
                Token::Word(word) => self.word(word, &mut scope),
                Token::Colons | Token::Sign(_) => self.at += 1,
            }
        }
        scope
    }

    fn peek(&self, ahead: usize) -> Option<Token<'t>> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn next_word(&self, ahead: usize) -> Option<&'t str> {
        match self.peek(ahead)? {
            Token::Word(word) => Some(word),
            Token::Colons | Token::Sign(_) => None,
        }
    }

    /// `mod name;` or `mod name { ... }`.
    fn module(&mut self, scope: &mut Scope) {
        let (name, then) = (self.next_word(1), self.peek(2));
        self.at += 1;
        let Some(name) = name else { return };
        self.at += 2;
        if then == Some(Token::Sign('{')) {
            let inner = self.scope();
            self.at += 1;
            scope.inline.push((name.to_owned(), inner));
        } else {
            scope.children.insert(name.to_owned());
        }
    }

    /// A word of the code with the path that it begins, or the name that it defines.
    fn word(&mut self, word: &str, scope: &mut Scope) {
        if DEFINE.contains(&word)
            && let Some(name) = self.next_word(1)
        {
            scope.items.insert(name.to_owned());
            self.at += 2;
            return;
        }
        let continues = self.at > 0 && self.tokens.get(self.at - 1) == Some(&Token::Colons);
        let mut path = vec![word.to_owned()];
        scope.words.insert(word.to_owned());
        self.at += 1;
        while self.peek(0) == Some(Token::Colons)
            && let Some(next) = self.next_word(1)
        {
            path.push(next.to_owned());
            self.at += 2;
        }
        if path.len() > 1 && !continues {
            scope.paths.insert(path);
        }
    }

    /// Whether `pub` or `pub(...)` stands before the word that comes.
    fn is_public(&self) -> bool {
        let before = self.tokens.get(..self.at).unwrap_or_default();
        let before = match before {
            [rest @ .., Token::Sign(')')] => {
                let open = rest.iter().rposition(|t| *t == Token::Sign('('));
                rest.get(..open.unwrap_or(0)).unwrap_or_default()
            }
            other => other,
        };
        before.last() == Some(&Token::Word("pub"))
    }

    /// The tree of a `use` from here on, below `prefix`.
    fn tree(&mut self, prefix: &[String], public: bool, found: &mut Vec<Import>) {
        let mut path = prefix.to_vec();
        loop {
            match self.peek(0) {
                Some(Token::Word("as")) => {
                    let name = self.next_word(1).map(str::to_owned);
                    self.at += 2;
                    found.push(Import { path, name, public });
                    return;
                }
                Some(Token::Word(word)) => {
                    path.push(word.to_owned());
                    self.at += 1;
                }
                Some(Token::Colons) => self.at += 1,
                Some(Token::Sign('*')) => {
                    self.at += 1;
                    let name = None;
                    found.push(Import { path, name, public });
                    return;
                }
                Some(Token::Sign('{')) => {
                    self.at += 1;
                    while !matches!(self.peek(0), None | Some(Token::Sign('}'))) {
                        self.tree(&path, public, found);
                        if self.peek(0) == Some(Token::Sign(',')) {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                _ => break,
            }
        }
        // `a::{self}` is `a`.
        if path.len() > 1 && path.last().is_some_and(|word| word == "self") {
            path.pop();
        }
        if let Some(name) = path.last().cloned() {
            let name = Some(name);
            found.push(Import { path, name, public });
        } else {
            self.at += 1;
        }
    }

    /// Passes an attribute and the item that it is for.
    fn skip(&mut self) {
        while self.peek(0) == Some(Token::Sign('#')) {
            self.at += 1;
            self.pass_group();
        }
        let to_semicolon = (0..8).map_while(|i| self.next_word(i)).any(|word| {
            matches!(word, "use" | "type" | "static") || word == "const" && !self.is_function()
        });
        while let Some(token) = self.peek(0) {
            match token {
                Token::Sign(';') => {
                    self.at += 1;
                    return;
                }
                Token::Sign('{') => {
                    self.pass_group();
                    if !to_semicolon {
                        return;
                    }
                }
                Token::Sign('(' | '[') => self.pass_group(),
                Token::Sign('}') => return,
                Token::Word(_) | Token::Colons | Token::Sign(_) => self.at += 1,
            }
        }
    }

    fn is_function(&self) -> bool {
        (0..8)
            .map_while(|i| self.next_word(i))
            .any(|word| word == "fn")
    }

    /// Passes what stands between brackets of any kind, with them.
    fn pass_group(&mut self) {
        let mut depth = 0;
        while let Some(token) = self.peek(0) {
            self.at += 1;
            match token {
                Token::Sign('(' | '[' | '{') => depth += 1,
                Token::Sign(')' | ']' | '}') => depth -= 1,
                Token::Word(_) | Token::Colons | Token::Sign(_) => {}
            }
            if depth == 0 && !matches!(token, Token::Sign('!')) {
                return;
            }
        }
    }
}

/// Whether `#[cfg(test)]`, or a condition that includes it, stands at this place.
fn is_attribute_for_tests(tokens: &[Token], at: usize) -> bool {
    let rest = tokens.get(at..).unwrap_or_default();
    let inner = match rest {
        [
            Token::Sign('#'),
            Token::Sign('!'),
            Token::Sign('['),
            inner @ ..,
        ]
        | [Token::Sign('#'), Token::Sign('['), inner @ ..] => inner,
        _ => return false,
    };
    let end = inner.iter().position(|t| *t == Token::Sign(']'));
    let inner = inner.get(..end.unwrap_or(0)).unwrap_or_default();
    let has = |word| inner.contains(&Token::Word(word));
    inner.first() == Some(&Token::Word("cfg")) && has("test") && !has("not") && !has("any")
}
