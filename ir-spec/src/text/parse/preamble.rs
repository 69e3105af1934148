//! Everything before the program: rings, keys, nodes, remarks, layouts, tensors, constants.

use super::Parser;
use super::cursor::{Cursor, Parsed};
use super::operator::parse_operator;
use crate::circuit::{Constant, Remark, SourceNode};
use crate::entity::{Entity, RingId};
use crate::key::{Key, KeyKind};
use crate::layout::{Layout, LayoutParts};
use crate::ring::{Level, LevelSpec, RingSpec, Rotation, SecretKind};
use crate::tensor::Tensor;
use crate::text::error::ParseCause;
use crate::text::lexer::{Kind, Token};
use crate::verify::Subject;

impl Parser<'_> {
    /// `r0 = ring log_n=5`, `r2 = ring log_n=5 secret_weight=8`, `r1 = ring log_n=4 special_primes=[p0, p1]`.
    pub(super) fn ring(&mut self) -> Parsed<()> {
        let next = self.circuit.rings.rings.next_key();
        self.define(next, Subject::Ring(next))?;
        self.cursor.keyword("ring")?;
        let log_n = self.cursor.number_attribute("log_n")?;
        let mut secret = SecretKind::Ternary;
        if self.cursor.token().kind == Kind::Word("secret_weight") {
            let weight = self.cursor.number_attribute("secret_weight")?;
            secret = SecretKind::Sparse { weight };
        }
        let mut special = Vec::new();
        if self.cursor.token().kind == Kind::Word("special_primes") {
            self.cursor.attribute("special_primes")?;
            special = self.cursor.list(Cursor::entity)?;
        }
        self.circuit.rings.rings.push(RingSpec {
            log_n,
            secret,
            special,
            digits: Vec::new(),
        });
        Ok(())
    }

    /// `D = scale 2^40`.
    pub(super) fn unit(&mut self) -> Parsed<()> {
        let at = self.cursor.advance();
        self.once(at, "D")?;
        self.cursor.mark("=")?;
        self.cursor.keyword("scale")?;
        let two = self.cursor.token();
        if self.cursor.u32()? != 2 {
            return Err(self.cursor.expected_at(two, "`2`"));
        }
        self.cursor.mark("^")?;
        self.circuit.rings.unit_bits = self.cursor.u32()?;
        Ok(())
    }

    /// `q0 = prime 0x61`.
    pub(super) fn prime(&mut self) -> Parsed<()> {
        let next = self.circuit.rings.primes.next_key();
        self.define(next, Subject::Prime(next))?;
        self.cursor.keyword("prime")?;
        let prime = self.cursor.u64()?;
        self.circuit.rings.primes.push(prime);
        Ok(())
    }

    /// `p0 = special_prime 0x61`.
    pub(super) fn special_prime(&mut self) -> Parsed<()> {
        let next = self.circuit.rings.special.next_key();
        self.define(next, Subject::SpecialPrime(next))?;
        self.cursor.keyword("special_prime")?;
        let prime = self.cursor.u64()?;
        self.circuit.rings.special.push(prime);
        Ok(())
    }

    /// `level 0 = [q0, q1]`, `level 1 r1 = [q0, q1]`.
    pub(super) fn level(&mut self) -> Parsed<()> {
        let line = self.cursor.advance().line;
        let next = self.circuit.rings.levels.len();
        self.map.note(Subject::Level(Level(next as u32)), line);
        let index = self.cursor.token();
        let found = self.cursor.u32()?;
        let ring = self.in_ring()?;
        self.check_next(index, found, next)?;
        self.cursor.mark("=")?;
        let primes = self.cursor.list(Cursor::entity)?;
        self.circuit.rings.levels.push(LevelSpec { ring, primes });
        Ok(())
    }

    /// `digit 0 = [q0, q1]`, `digit 0 r1 = [q0, q1]`.
    pub(super) fn digit(&mut self) -> Parsed<()> {
        let line = self.cursor.advance().line;
        let index = self.cursor.token();
        let found = self.cursor.u32()?;
        let ring = self.in_ring()?;
        let rings = &mut self.circuit.rings.rings;
        let next = rings.get(ring).map_or(0, |spec| spec.digits.len());
        self.map.note(Subject::Digit(ring, next as u32), line);
        self.check_next(index, found, next)?;
        self.cursor.mark("=")?;
        let digit = self.cursor.list(Cursor::entity)?;
        if let Some(spec) = self.circuit.rings.rings.get_mut(ring) {
            spec.digits.push(digit);
        }
        Ok(())
    }

    /// The ring of a level or digit, which must come before: the first one where none is named.
    fn in_ring(&mut self) -> Parsed<RingId> {
        let at = self.cursor.token();
        let ring = match at.kind {
            Kind::Mark("=") => RingId(0),
            _ => self.cursor.entity()?,
        };
        match self.circuit.rings.rings.get(ring) {
            Some(_) => Ok(ring),
            None => {
                let what = "the ring, which must come before its levels and digits,";
                Err(self.cursor.error(at, ParseCause::Missing { what }))
            }
        }
    }

    /// Refuses a number that is not the next of its table; after an error the table may have gaps.
    fn check_next(&self, at: Token<'_>, found: u32, next: usize) -> Parsed<()> {
        if found as usize != next && self.errors.is_empty() {
            return Err(self.cursor.expected_at(at, format!("`{next}`")));
        }
        Ok(())
    }

    /// `relinearization_key level=1`.
    pub(super) fn single_key(&mut self, kind: KeyKind) -> Parsed<()> {
        let at = self.cursor.advance();
        let level = Level(self.cursor.number_attribute("level")?);
        let key = Key::within(self.circuit.rings.ring_of(level), kind);
        self.add_key(at, key, level)
    }

    /// `ring_switching_key level=1 from=r0`.
    pub(super) fn ring_switching_key(&mut self) -> Parsed<()> {
        let at = self.cursor.advance();
        let level = Level(self.cursor.number_attribute("level")?);
        self.cursor.attribute("from")?;
        let from = self.cursor.entity()?;
        let key = Key::switching(from, self.circuit.rings.ring_of(level));
        self.add_key(at, key, level)
    }

    fn add_key(&mut self, at: Token<'_>, key: Key, level: Level) -> Parsed<()> {
        if self.circuit.keys.levels.insert(key, level).is_some() {
            let what = key.to_string();
            return Err(self.cursor.error(at, ParseCause::Twice { what }));
        }
        self.map.note(Subject::Key(key), at.line);
        Ok(())
    }

    /// `rotation_keys level=2 [1, 3]`.
    pub(super) fn rotation_keys(&mut self) -> Parsed<()> {
        let line = self.cursor.advance().line;
        let level = Level(self.cursor.number_attribute("level")?);
        let ring = self.circuit.rings.ring_of(level);
        let key = |rotation| Key::within(ring, KeyKind::Rotation(rotation));
        self.keys_by_rotation((line, level), key)
    }

    /// `raising_keys level=2 from=r1 [0, 3]`.
    pub(super) fn raising_keys(&mut self) -> Parsed<()> {
        let line = self.cursor.advance().line;
        let level = Level(self.cursor.number_attribute("level")?);
        self.cursor.attribute("from")?;
        let from = self.cursor.entity()?;
        let to = self.circuit.rings.ring_of(level);
        let key = |rotation| Key::raising((from, to), rotation);
        self.keys_by_rotation((line, level), key)
    }

    /// A list of rotations, each of which has a key.
    fn keys_by_rotation(
        &mut self,
        (line, level): (u32, Level),
        key: impl Fn(Rotation) -> Key,
    ) -> Parsed<()> {
        let (keys, map) = (&mut self.circuit.keys, &mut self.map);
        self.cursor.list(|cursor| {
            let at = cursor.token();
            let key = key(Rotation(cursor.u32()?));
            if keys.levels.insert(key, level).is_some() {
                let what = key.to_string();
                return Err(cursor.error(at, ParseCause::Twice { what }));
            }
            map.note(Subject::Key(key), line);
            Ok(())
        })?;
        Ok(())
    }

    /// `n0 = node "conv1" Conv`.
    pub(super) fn node(&mut self) -> Parsed<()> {
        let next = self.circuit.nodes.next_key();
        self.define(next, Subject::Node(next))?;
        self.cursor.keyword("node")?;
        let (name, op) = (self.cursor.string()?, self.cursor.name()?);
        self.circuit.nodes.push(SourceNode { name, op });
        Ok(())
    }

    /// `remark n0 "4 replicas"`, `remark "2^14 is the smallest degree"`.
    pub(super) fn remark(&mut self) -> Parsed<()> {
        let line = self.cursor.advance().line;
        let node = match self.cursor.token().kind {
            Kind::Text(_) => None,
            _ => Some(self.cursor.entity()?),
        };
        let text = self.cursor.string()?;
        let next = self.circuit.remarks.len() as u32;
        self.map.note(Subject::Remark(next), line);
        self.circuit.remarks.push(Remark { node, text });
        Ok(())
    }

    /// `l0 = layout gip shape=[1, 4, 4] phases=[1, 1] gaps=[1, 1] pitch=4 plane=16 replicas=1 skew=0`.
    pub(super) fn layout(&mut self) -> Parsed<()> {
        let next = self.circuit.layouts.next_key();
        let at = self.cursor.token();
        self.define(next, Subject::Layout(next))?;
        self.cursor.keyword("layout")?;
        self.cursor.keyword("gip")?;
        let log_slots = if self.cursor.accept_word("log_slots") {
            self.cursor.mark("=")?;
            self.cursor.u32()?
        } else if let Some(first) = self.circuit.rings.rings.get(RingId(0)) {
            first.log_n.saturating_sub(1)
        } else {
            let what = "the ring, which must come before layouts,";
            return Err(self.cursor.error(at, ParseCause::Missing { what }));
        };
        let cursor = &mut self.cursor;
        let mut parts = LayoutParts {
            log_slots,
            shape: cursor.array_attribute("shape")?,
            phases: cursor.array_attribute("phases")?,
            gaps: cursor.array_attribute("gaps")?,
            pitch: cursor.number_attribute("pitch")?,
            plane: cursor.number_attribute("plane")?,
            replicas: cursor.number_attribute("replicas")?,
            skew: cursor.number_attribute("skew")?,
            jump: 0,
            run: 1,
        };
        if cursor.token().kind == Kind::Word("jump") {
            parts.jump = cursor.number_attribute("jump")?;
            parts.run = cursor.number_attribute("run")?;
        }
        let layout = Layout::new(parts).map_err(|error| self.cursor.error(at, error))?;
        self.circuit.layouts.push(layout);
        Ok(())
    }

    /// `w0 = tensor "conv1.weight" [1, 1, 3, 3] = [0.5, ...]`.
    pub(super) fn tensor(&mut self) -> Parsed<()> {
        let next = self.circuit.tensors.next_key();
        let at = self.cursor.token();
        self.define(next, Subject::Tensor(next))?;
        self.cursor.keyword("tensor")?;
        let (name, shape) = (self.cursor.string()?, self.cursor.shape()?);
        self.cursor.mark("=")?;
        if self.cursor.accept_word("elided") {
            let tensor = format!("{next} `{name}`");
            return Err(self.cursor.error(at, ParseCause::Elided { tensor }));
        }
        let data = self.cursor.list(Cursor::f64)?;
        let tensor = Tensor::new(name, shape, data);
        let tensor = tensor.map_err(|error| self.cursor.error(at, error))?;
        self.circuit.tensors.push(tensor);
        Ok(())
    }

    /// `op0 = conv2d ...`.
    pub(super) fn operator(&mut self) -> Parsed<()> {
        let next = self.circuit.operators.next_key();
        self.define(next, Subject::Operator(next))?;
        let operator = parse_operator(&mut self.cursor, &mut self.table_entries)?;
        self.circuit.operators.push(operator);
        Ok(())
    }

    /// `c0 = diagonal op0 in=0 out=0 rotation=3 pre=0`, `c1 = fill op1 part=0`, `c2 = uniform op0 in=0 out=0 rotation=3`.
    pub(super) fn constant(&mut self) -> Parsed<()> {
        let next = self.circuit.constants.next_key();
        self.define(next, Subject::Constant(next))?;
        let cursor = &mut self.cursor;
        let constant = if cursor.accept_word("diagonal") {
            Constant::Diagonal {
                operator: cursor.entity()?,
                input: cursor.number_attribute("in")?,
                output: cursor.number_attribute("out")?,
                rotation: cursor.number_attribute("rotation")?,
                pre: cursor.number_attribute("pre")?,
            }
        } else if cursor.accept_word("fill") {
            Constant::Fill {
                operator: cursor.entity()?,
                part: cursor.number_attribute("part")?,
            }
        } else if cursor.accept_word("uniform") {
            Constant::Uniform {
                operator: cursor.entity()?,
                input: cursor.number_attribute("in")?,
                output: cursor.number_attribute("out")?,
                rotation: cursor.number_attribute("rotation")?,
            }
        } else {
            return Err(cursor.expected("`diagonal`, `fill` or `uniform`"));
        };
        self.circuit.constants.push(constant);
        Ok(())
    }

    /// `q3 =`, which must be the next of its table; after an error the table may have gaps.
    pub(super) fn define<K: Entity>(&mut self, next: K, subject: Subject) -> Parsed<()> {
        let at = self.cursor.token();
        let found: K = self.cursor.entity()?;
        if found != next && self.errors.is_empty() {
            return Err(self.cursor.expected_at(at, format!("`{next}`")));
        }
        self.map.note(subject, at.line);
        self.cursor.mark("=")
    }
}
