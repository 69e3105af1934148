//! What follows decryption: `finish [softmax axis=1, reshape [10]]`.

use super::cursor::{Cursor, Parsed};
use crate::finish::{Finish, FinishStep};
use crate::text::lexer::Kind;

/// The steps in brackets, if the word `finish` announces them.
pub(super) fn parse_finish(cursor: &mut Cursor<'_>) -> Parsed<Finish> {
    if !cursor.accept_word("finish") {
        return Ok(Finish::default());
    }
    cursor.list(step).map(Finish)
}

fn step(cursor: &mut Cursor<'_>) -> Parsed<FinishStep> {
    let at = cursor.token();
    let Kind::Word(word) = at.kind else {
        return Err(cursor.expected("a step after decryption"));
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
        _ => return Err(cursor.expected_at(at, "a step after decryption")),
    })
}
