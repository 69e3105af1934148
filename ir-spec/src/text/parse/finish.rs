//! What the client does: `prepare uint8 [1, 8, 8, 1] [transpose [0, 3, 1, 2]]` before encryption,
//! `finish [softmax axis=1, reshape [10]]` after decryption.

use super::cursor::{Cursor, Parsed};
use crate::finish::{ElementFunction, Finish, FinishStep, FunctionKind, InputElement, Prepare};
use crate::text::lexer::Kind;

/// The steps in brackets, if the word `finish` announces them.
pub(super) fn parse_finish(cursor: &mut Cursor<'_>) -> Parsed<Finish> {
    if !cursor.accept_word("finish") {
        return Ok(Finish::default());
    }
    cursor.list(step).map(Finish)
}

/// Type, shape and steps, if the word `prepare` announces them.
pub(super) fn parse_prepare(cursor: &mut Cursor<'_>) -> Parsed<Option<Prepare>> {
    if !cursor.accept_word("prepare") {
        return Ok(None);
    }
    let named = |word| InputElement::ALL.into_iter().find(|e| e.keyword() == word);
    let element = match cursor.token().kind {
        Kind::Word(word) => named(word),
        _ => None,
    };
    let element = element.ok_or_else(|| cursor.expected("a type of numbers"))?;
    cursor.advance();
    Ok(Some(Prepare {
        element,
        shape: cursor.shape()?,
        steps: cursor.list(step).map(Finish)?,
    }))
}

fn step(cursor: &mut Cursor<'_>) -> Parsed<FinishStep> {
    let at = cursor.token();
    let Kind::Word(word) = at.kind else {
        return Err(cursor.expected("a step of the client"));
    };
    cursor.advance();
    Ok(match word {
        "softmax" => FinishStep::Softmax {
            axis: cursor.number_attribute("axis")?,
        },
        "log_softmax" => FinishStep::LogSoftmax {
            axis: cursor.number_attribute("axis")?,
        },
        "sigmoid" => FinishStep::Sigmoid,
        "tanh" => FinishStep::Tanh,
        "argmax" => FinishStep::ArgMax {
            axis: cursor.number_attribute("axis")?,
            last: cursor.accept_word("last"),
        },
        "argmin" => FinishStep::ArgMin {
            axis: cursor.number_attribute("axis")?,
            last: cursor.accept_word("last"),
        },
        "reshape" => FinishStep::Reshape {
            shape: cursor.shape()?,
        },
        "affine" => FinishStep::Affine {
            axis: cursor.number_attribute("axis")?,
            factor: numbers(cursor, "factor")?,
            offset: numbers(cursor, "offset")?,
        },
        "transpose" => FinishStep::Transpose {
            order: cursor.list(Cursor::u32)?,
        },
        "slice" => slice(cursor)?,
        "take" => FinishStep::Take {
            axis: cursor.number_attribute("axis")?,
            positions: cursor.list(Cursor::u32)?,
        },
        word => match FunctionKind::from_keyword(word) {
            Some(kind) => FinishStep::Elementwise(function(cursor, kind)?),
            None => return Err(cursor.expected_at(at, "a step of the client")),
        },
    })
}

fn numbers(cursor: &mut Cursor<'_>, name: &str) -> Parsed<Vec<f64>> {
    cursor.attribute(name)?;
    cursor.list(Cursor::f64)
}

fn slice(cursor: &mut Cursor<'_>) -> Parsed<FinishStep> {
    Ok(FinishStep::Slice {
        axis: cursor.number_attribute("axis")?,
        start: cursor.number_attribute("start")?,
        step: {
            cursor.attribute("step")?;
            cursor.number("a step")?
        },
        count: cursor.number_attribute("count")?,
    })
}

fn function(cursor: &mut Cursor<'_>, kind: FunctionKind) -> Parsed<ElementFunction> {
    let mut parameters = [0.0; 2];
    for (name, parameter) in kind.parameters().iter().zip(&mut parameters) {
        cursor.attribute(name)?;
        *parameter = cursor.f64()?;
    }
    Ok(ElementFunction { kind, parameters })
}
