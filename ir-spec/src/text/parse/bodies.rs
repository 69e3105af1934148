//! Functions, and the imports and exports of fragments.

use super::Parser;
use super::cursor::{Cursor, Parsed};
use super::types::parse_type;
use crate::circuit::Definition;
use crate::entity::Value;
use crate::fingerprint::Fingerprint;
use crate::fragment::{Fragment, Link};
use crate::function::Function;
use crate::inst::Inst;
use crate::text::error::ParseCause;
use crate::text::lexer::Kind;
use crate::types::Type;
use crate::verify::Subject;

impl Parser<'_> {
    /// `f0 = function %name (v0: ct<1, D>, v1: digits<1> of v0) -> (v5) {`, the instructions, `}`.
    pub(super) fn function(&mut self) -> Parsed<()> {
        let next = self.circuit.functions.next_key();
        let at = self.cursor.token();
        self.define(next, Subject::Function(next))?;
        let in_main = self.circuit.main().values().len() + self.waiting.len();
        if in_main > 0 {
            let cause = ParseCause::LateFunction;
            return Err(self.cursor.error(at, cause));
        }
        self.cursor.keyword("function")?;
        self.cursor.mark("%")?;
        let name = self.cursor.name()?;
        self.cursor.mark("(")?;
        while !self.cursor.accept(")") {
            self.parameter()?;
            if !self.cursor.accept(",") {
                self.cursor.mark(")")?;
                break;
            }
        }
        self.cursor.mark("->")?;
        self.cursor.mark("(")?;
        let results = self.cursor.until(")", Cursor::entity)?;
        self.cursor.mark("{")?;
        while !self.cursor.accept("}") {
            match self.cursor.token().kind {
                Kind::Mark("@") | Kind::Word(_) => self.instruction()?,
                _ => return Err(self.cursor.expected("an instruction or `}`")),
            }
        }
        self.check_gaps();
        self.waiting.clear();
        self.circuit.functions.push(Function {
            name,
            end: self.circuit.values.next_key(),
            results,
        });
        Ok(())
    }

    /// `v0: ct<1, D>`, `v1: digits<1> of v0`: a value that comes from outside.
    fn parameter(&mut self) -> Parsed<Value> {
        let at = self.cursor.token();
        let value = self.cursor.entity()?;
        self.cursor.mark(":")?;
        let ty = parse_type(&mut self.cursor, self.circuit.rings.unit_bits)?;
        let inst = match &ty {
            Type::Digits { .. } => {
                self.cursor.keyword("of")?;
                Inst::InputDigits(self.cursor.entity()?)
            }
            Type::Cipher { .. } | Type::Plain { .. } => Inst::Input { ty: ty.clone() },
        };
        let node = None;
        self.add(at, value, Definition { inst, ty, node })?;
        Ok(value)
    }

    /// `fragment "d8a1..."`: the fingerprint of the circuit that was cut, 64 hexadecimal digits.
    pub(super) fn fragment(&mut self) -> Parsed<()> {
        let at = self.cursor.advance();
        self.once(at, "fragment")?;
        let at = self.cursor.token();
        let digits = self.cursor.string()?;
        let whole = fingerprint(&digits);
        let expected = "a fingerprint of 64 hexadecimal digits";
        let whole = whole.ok_or_else(|| self.cursor.expected_at(at, expected))?;
        self.circuit.fragment = Some(Fragment {
            whole,
            imports: Vec::new(),
            exports: Vec::new(),
        });
        Ok(())
    }

    /// The links of the fragment, which must have been declared.
    fn links(&mut self) -> Parsed<&mut Fragment> {
        let missing = self.cursor.error(
            self.cursor.token(),
            ParseCause::Missing { what: "`fragment`" },
        );
        self.circuit.fragment.as_mut().ok_or(missing)
    }

    /// `import v0: ct<1, D> from v17`.
    pub(super) fn import(&mut self) -> Parsed<()> {
        let at = self.links()?.imports.len() as u32;
        let line = self.cursor.advance().line;
        self.map.note(Subject::Import(at), line);
        let value = self.parameter()?;
        self.cursor.keyword("from")?;
        let whole = self.cursor.entity()?;
        self.links()?.imports.push(Link { value, whole });
        Ok(())
    }

    /// `export v9 to v30`.
    pub(super) fn export(&mut self) -> Parsed<()> {
        let at = self.links()?.exports.len() as u32;
        let line = self.cursor.advance().line;
        self.map.note(Subject::Export(at), line);
        let value = self.cursor.entity()?;
        self.cursor.keyword("to")?;
        let whole = self.cursor.entity()?;
        self.links()?.exports.push(Link { value, whole });
        Ok(())
    }
}

fn fingerprint(digits: &str) -> Option<Fingerprint> {
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(Fingerprint(bytes))
}
