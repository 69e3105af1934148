//! Entries, instructions and returns.

use super::Parser;
use super::cursor::{Cursor, Parsed};
use super::expectation::{parse_expectation, parse_range};
use super::finish::{parse_finish, parse_prepare};
use super::types::{parse_scale, parse_type};
use crate::circuit::{Definition, Port};
use crate::entity::{Const, Entity, Node, Value};
use crate::finish::Finish;
use crate::inst::Inst;
use crate::ring::Rotation;
use crate::text::error::ParseCause;
use crate::text::lexer::{Kind, Token};
use crate::types::Type;
use crate::verify::Subject;

impl<'s> Parser<'s> {
    /// `entry "image" [1, 1, 4, 4] l0 (v0: ct<2, D>) range [0.0, 1.0] asked`; a value without type is defined elsewhere.
    pub(super) fn entry(&mut self) -> Parsed<()> {
        let port = self.circuit.inputs.len() as u32;
        self.map
            .note(Subject::Input(port), self.cursor.token().line);
        let mut port = self.port(|parser| {
            let at = parser.cursor.token();
            let value = parser.cursor.entity()?;
            if parser.cursor.accept(":") {
                let unit_bits = parser.circuit.rings.unit_bits;
                let stated = parser.cursor.token();
                let ty = parse_type(&mut parser.cursor, unit_bits)?;
                let inst = Draft::Input.finish(&ty, stated, &parser.cursor)?;
                let node = None;
                parser.add(at, value, Definition { inst, ty, node })?;
            }
            Ok(value)
        })?;
        port.prepare = parse_prepare(&mut self.cursor)?;
        port.range = parse_range(&mut self.cursor)?;
        self.circuit.inputs.push(port);
        Ok(())
    }

    /// `return "y" [1, 10] l0 (v13) finish [softmax axis=1] expect magnitude=7.5 noise=0.001 asked`.
    pub(super) fn output(&mut self) -> Parsed<()> {
        let port = self.circuit.outputs.len() as u32;
        self.map
            .note(Subject::Output(port), self.cursor.token().line);
        let mut port = self.port(|parser| parser.cursor.entity())?;
        port.finish = parse_finish(&mut self.cursor)?;
        if self.cursor.accept_word("imaginary") {
            port.imaginary = Some(self.cursor.f64()?);
        }
        port.expectation = parse_expectation(&mut self.cursor)?;
        self.circuit.outputs.push(port);
        Ok(())
    }

    fn port(&mut self, mut value: impl FnMut(&mut Self) -> Parsed<Value>) -> Parsed<Port> {
        self.cursor.advance();
        let (name, shape) = (self.cursor.string()?, self.cursor.shape()?);
        let layout = self.cursor.entity()?;
        self.cursor.mark("(")?;
        let mut values = Vec::new();
        while !self.cursor.accept(")") {
            values.push(value(self)?);
            if !self.cursor.accept(",") {
                self.cursor.mark(")")?;
                break;
            }
        }
        Ok(Port {
            name,
            shape,
            layout,
            values,
            finish: Finish::default(),
            prepare: None,
            range: None,
            expectation: None,
            imaginary: None,
        })
    }

    /// `@n1 v2 = rotate v1, 3 : ct<1, D>`.
    pub(super) fn instruction(&mut self) -> Parsed<()> {
        let node = if self.cursor.accept("@") {
            Some(self.cursor.entity::<Node>()?)
        } else {
            None
        };
        let at = self.cursor.token();
        let value = self.cursor.entity()?;
        self.cursor.mark("=")?;
        let unit_bits = self.circuit.rings.unit_bits;
        let draft = operation(&mut self.cursor, unit_bits)?;
        self.cursor.mark(":")?;
        let stated = self.cursor.token();
        let ty = parse_type(&mut self.cursor, unit_bits)?;
        let inst = draft.finish(&ty, stated, &self.cursor)?;
        self.add(at, value, Definition { inst, ty, node })
    }

    /// Definitions may come in any order (inputs stand in entries); together they number from 0 without gaps.
    pub(super) fn add(
        &mut self,
        at: Token<'s>,
        value: Value,
        definition: Definition,
    ) -> Parsed<()> {
        let known = self.circuit.values.get(value).is_some() || self.waiting.contains_key(&value);
        if known {
            let what = value.to_string();
            return Err(self.cursor.error(at, ParseCause::Twice { what }));
        }
        self.map.note(Subject::Value(value), at.line);
        if value != self.circuit.values.next_key() {
            self.waiting.insert(value, (at, definition));
            return Ok(());
        }
        self.circuit.values.push(definition);
        while let Some((_, next)) = self.waiting.remove(&self.circuit.values.next_key()) {
            self.circuit.values.push(next);
        }
        Ok(())
    }

    /// After the last definition none may wait for one before it.
    pub(super) fn check_gaps(&mut self) {
        if let Some((value, (at, _))) = self.waiting.first_key_value() {
            let defined = self.circuit.values.len() + self.waiting.len();
            let cause = ParseCause::Gap {
                found: value.to_string(),
                last: defined - 1,
            };
            let error = self.cursor.error(*at, cause);
            self.errors.push(*error);
        }
    }
}

/// An operation that may lack what only its type states.
enum Draft {
    Ready(Inst),
    Input,
    Encode(Const, Option<Const>),
    RelinearizeRescale(Value),
    Rescale(Value),
    DropLevel(Value),
    SwitchRing(Value),
    RaiseExt(Value, Rotation),
}

impl Draft {
    fn finish<'s>(self, ty: &Type, stated: Token<'s>, cursor: &Cursor<'s>) -> Parsed<Inst> {
        let level = ty.level();
        let cause = |expected: &str| ParseCause::Expected {
            expected: expected.into(),
            found: "another type".into(),
        };
        match (self, ty) {
            (Self::Ready(inst), _) => Ok(inst),
            (Self::RelinearizeRescale(a), _) => Ok(Inst::RelinearizeRescale { a, to: level }),
            (Self::Rescale(a), _) => Ok(Inst::Rescale { a, to: level }),
            (Self::DropLevel(a), _) => Ok(Inst::DropLevel { a, to: level }),
            (Self::SwitchRing(a), _) => Ok(Inst::SwitchRing { a, to: level }),
            (Self::RaiseExt(a, rotation), _) => Ok(Inst::RaiseExt {
                a,
                rotation,
                to: level,
            }),
            (Self::Input, Type::Cipher { .. } | Type::Plain { .. }) => {
                Ok(Inst::Input { ty: ty.clone() })
            }
            (Self::Encode(constant, imaginary), Type::Plain { scale, basis, .. }) => {
                Ok(Inst::Encode {
                    constant,
                    imaginary,
                    level,
                    scale: scale.clone(),
                    basis: *basis,
                })
            }
            (Self::Input, Type::Digits { .. }) => {
                Err(cursor.error(stated, cause("the type of a ciphertext or a plaintext")))
            }
            (Self::Encode(..), Type::Cipher { .. } | Type::Digits { .. }) => {
                Err(cursor.error(stated, cause("the type of a plaintext")))
            }
        }
    }
}

/// An operation with one operand and a level, which its type states.
fn leveled(keyword: &str) -> Option<fn(Value) -> Draft> {
    Some(match keyword {
        "relinearize_rescale" => Draft::RelinearizeRescale,
        "rescale" => Draft::Rescale,
        "drop_level" => Draft::DropLevel,
        "switch_ring" => Draft::SwitchRing,
        _ => return None,
    })
}

/// An operation that lacks what only its type states.
fn unfinished(cursor: &mut Cursor<'_>, keyword: &str) -> Parsed<Option<Draft>> {
    Ok(Some(match keyword {
        "input" => Draft::Input,
        "encode" => {
            let constant = cursor.entity()?;
            let imaginary = cursor.accept(",").then(|| cursor.entity()).transpose()?;
            Draft::Encode(constant, imaginary)
        }
        "raise_ext" => {
            let a = cursor.entity()?;
            Draft::RaiseExt(a, Rotation(next(cursor, Cursor::u32)?))
        }
        _ => match leveled(keyword) {
            Some(make) => make(cursor.entity()?),
            None => return Ok(None),
        },
    }))
}

fn operation(cursor: &mut Cursor<'_>, unit_bits: u32) -> Parsed<Draft> {
    let at = cursor.token();
    let Kind::Word(keyword) = at.kind else {
        return Err(cursor.expected("an operation"));
    };
    cursor.advance();
    if let Some(draft) = unfinished(cursor, keyword)? {
        return Ok(draft);
    }
    Ok(Draft::Ready(match keyword {
        "add" => Inst::Add(sum(cursor)?),
        "dot" => Inst::Dot {
            ciphers: cursor.list(Cursor::entity)?,
            plains: cursor.list(Cursor::entity)?,
        },
        "dot_scalar" => Inst::DotScalar {
            ciphers: cursor.list(Cursor::entity)?,
            constants: cursor.list(Cursor::entity)?,
            scale: next(cursor, |cursor| parse_scale(cursor, unit_bits))?,
        },
        "relinearize_ext" => pair(cursor, |a, digits| Inst::RelinearizeExt { a, digits })?,
        "call" => Inst::Call {
            function: cursor.entity()?,
            arguments: cursor.list(Cursor::entity)?,
        },
        "result" => Inst::Result {
            call: cursor.entity()?,
            index: next(cursor, Cursor::u32)?,
        },
        "rotate" => Inst::Rotate {
            a: cursor.entity()?,
            rotation: Rotation(next(cursor, Cursor::u32)?),
        },
        "rotate_ext" => Inst::RotateExt {
            a: cursor.entity()?,
            digits: next(cursor, Cursor::entity)?,
            rotation: Rotation(next(cursor, Cursor::u32)?),
        },
        "mul_monomial" => Inst::MulMonomial {
            a: cursor.entity()?,
            exponent: next(cursor, Cursor::u32)?,
        },
        "mul_scalar" => Inst::MulScalar {
            a: cursor.entity()?,
            factor: next(cursor, Cursor::f64)?,
            scale: next(cursor, |cursor| parse_scale(cursor, unit_bits))?,
        },
        _ => match (unary(keyword), binary(keyword)) {
            (Some(make), _) => make(cursor.entity()?),
            (None, Some(make)) => pair(cursor, make)?,
            (None, None) => return Err(cursor.expected_at(at, "an operation")),
        },
    }))
}

/// An operation with one operand and nothing else.
fn unary(keyword: &str) -> Option<fn(Value) -> Inst> {
    Some(match keyword {
        "input_digits" => Inst::InputDigits,
        "negate" => Inst::Negate,
        "square" => Inst::Square,
        "relinearize" => Inst::Relinearize,
        "decompose" => Inst::Decompose,
        "mod_down" => Inst::ModDown,
        "conjugate" => Inst::Conjugate,
        _ => return None,
    })
}

/// An operation with two operands and nothing else.
fn binary(keyword: &str) -> Option<fn(Value, Value) -> Inst> {
    Some(match keyword {
        "sub" => Inst::Sub,
        "add_plain" => Inst::AddPlain,
        "mul_plain" => Inst::MulPlain,
        "mul" => Inst::Mul,
        _ => return None,
    })
}

/// What follows a comma.
fn next<'s, T>(
    cursor: &mut Cursor<'s>,
    item: impl FnOnce(&mut Cursor<'s>) -> Parsed<T>,
) -> Parsed<T> {
    cursor.mark(",")?;
    item(cursor)
}

fn pair<A: Entity, B: Entity>(
    cursor: &mut Cursor<'_>,
    make: impl FnOnce(A, B) -> Inst,
) -> Parsed<Inst> {
    Ok(make(cursor.entity()?, next(cursor, Cursor::entity)?))
}

/// `v1, v2, v3`; possibly nothing, which the verifier refuses.
fn sum(cursor: &mut Cursor<'_>) -> Parsed<Vec<Value>> {
    let mut values = Vec::new();
    if matches!(cursor.token().kind, Kind::Mark(":")) {
        return Ok(values);
    }
    values.push(cursor.entity()?);
    while cursor.accept(",") {
        values.push(cursor.entity()?);
    }
    Ok(values)
}
