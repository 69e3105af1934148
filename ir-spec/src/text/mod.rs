//! The text form, which people read, compare and write in tests. `SPEC.md` has its grammar.
//!
//! [`print()`] and [`parse`] are inverse: parsing a printed circuit gives the same circuit, and printing a parsed one gives
//! the canonical spelling. The parser only knows syntax: it stores the types a text states, so a wrong circuit parses
//! and is refused by the verifier, which names the entity; [`SourceMap`] tells its line.
//!
//! Both take time in proportion to the text, and neither recurses.

mod error;
mod lexer;
mod map;
mod parse;
mod print;

pub use error::{ParseCause, ParseError, ParseErrors};
pub use lexer::{Comment, comments};
pub use map::SourceMap;
pub use parse::{parse, parse_mapped};

use crate::circuit::Circuit;
use print::{Text, Weights};

/// The canonical text of a circuit.
pub fn print(circuit: &Circuit) -> String {
    let weights = Weights::Full;
    Text { circuit, weights }.to_string()
}

/// The text of a circuit for reading, without the data of its tensors. The parser refuses it.
pub fn print_without_weights(circuit: &Circuit) -> String {
    let weights = Weights::Elided;
    Text { circuit, weights }.to_string()
}
