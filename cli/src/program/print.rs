//! What verbs print: text for people, one JSON object for machines with what circuits promise.

use super::error::Error;
use super::warn::Promises;
use peregrine::Security;
use serde::Serialize;
use std::io::{self, Write};

/// A report as JSON: its fields, after what the circuit behind it promises. No verb can forget to say so, and no report
/// has a field of this name itself.
#[derive(Serialize)]
struct Stamped<'r, R> {
    #[serde(skip_serializing_if = "Option::is_none")]
    security: Option<Security>,
    #[serde(flatten)]
    report: &'r R,
}

/// Prints a result: as one JSON object, or as text.
pub fn print<R: Serialize>(
    json: bool,
    promises: Promises,
    report: &R,
    text: impl FnOnce(&R) -> String,
) -> Result<(), Error> {
    let text = if json {
        let security = promises.weakest();
        serde_json::to_string_pretty(&Stamped { security, report })? + "\n"
    } else {
        text(report)
    };
    print_text(&text)
}

/// Prints text; a reader that has enough is no failure.
pub fn print_text(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(()),
    }
}
