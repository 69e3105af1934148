//! Scales and types.

use super::cursor::{Cursor, Parsed, entity_number};
use crate::entity::{Entity, Prime};
use crate::scale::Scale;
use crate::text::error::ParseCause;
use crate::text::lexer::Kind;
use crate::types::{Basis, Form, Type};
use std::collections::BTreeMap;

/// `ct<2, D*q2, ext>`, `pt<2, D>`, `digits<2>`.
pub(super) fn parse_type(cursor: &mut Cursor<'_>, unit_bits: u32) -> Parsed<Type> {
    if cursor.accept_word("digits") {
        cursor.mark("<")?;
        let level = cursor.level()?;
        cursor.mark(">")?;
        return Ok(Type::Digits { level });
    }
    let cipher = cursor.accept_word("ct");
    if !cipher && !cursor.accept_word("pt") {
        return Err(cursor.expected("a type: `ct`, `pt` or `digits`"));
    }
    cursor.mark("<")?;
    let level = cursor.level()?;
    cursor.mark(",")?;
    let scale = parse_scale(cursor, unit_bits)?;
    let mut form = Form::Normal;
    if cursor.accept(",") {
        if cursor.accept_word("ext") {
            form = Form::Extended;
        } else if cipher && cursor.accept_word("deg") {
            let at = cursor.token();
            if cursor.u32()? != 2 {
                return Err(cursor.expected_at(at, "`2`"));
            }
            form = Form::Product;
        } else {
            let forms = if cipher { "`ext` or `deg 2`" } else { "`ext`" };
            return Err(cursor.expected(forms));
        }
    }
    cursor.mark(">")?;
    if cipher {
        return Ok(Type::Cipher { level, scale, form });
    }
    let basis = match form {
        Form::Extended => Basis::Extended,
        Form::Normal | Form::Product => Basis::Normal,
    };
    Ok(Type::Plain {
        level,
        scale,
        basis,
    })
}

/// `D^2*q3/q1`: factors `1`, `2`, `D` or a prime of the pool, with powers.
pub(super) fn parse_scale(cursor: &mut Cursor<'_>, unit_bits: u32) -> Parsed<Scale> {
    let start = cursor.token();
    let mut log2 = 0i64;
    let mut primes: BTreeMap<Prime, i64> = BTreeMap::new();
    let mut sign = 1;
    loop {
        let at = cursor.token();
        let factor = match at.kind {
            Kind::Number("1") => Factor::Two(0),
            Kind::Number("2") => Factor::Two(1),
            Kind::Word("D") => Factor::Two(i64::from(unit_bits)),
            Kind::Word(word) => match entity_number(word, Prime::PREFIX) {
                Some(number) => Factor::Prime(Prime(number)),
                None => return Err(cursor.expected("a scale")),
            },
            _ => return Err(cursor.expected("a scale")),
        };
        cursor.advance();
        let exponent = if cursor.accept("^") {
            i64::from(cursor.number::<u16>("an exponent")?)
        } else {
            1
        };
        // At most 2^16 * 2^32 each, so no text of sane length overflows.
        match factor {
            Factor::Two(bits) => log2 = log2.saturating_add(sign * exponent * bits),
            Factor::Prime(prime) => *primes.entry(prime).or_insert(0) += sign * exponent,
        }
        sign = if cursor.accept("*") {
            1
        } else if cursor.accept("/") {
            -1
        } else {
            break;
        };
    }
    let bounded = |e: i64| i32::try_from(e).unwrap_or(i32::MAX);
    let factors = primes.into_iter().filter(|&(_, e)| e != 0);
    Scale::new(bounded(log2), factors.map(|(p, e)| (p, bounded(e))))
        .ok_or_else(|| cursor.error(start, ParseCause::Exponent))
}

enum Factor {
    /// Two to this power.
    Two(i64),
    Prime(Prime),
}
