//! Compiling models: options and samples in, a circuit with its interface and a report out.
//!
//! | file | what |
//! |---|---|
//! | `make` | from a model to a circuit |
//! | `precision` | parameters that give the outputs a precision, by simulated noise |
//! | `expectations` | what the circuit tells its clients to expect |
//! | `chosen` | what was chosen and why, in a few sentences |
//! | `report` | everything that is known of it, as data |

mod chosen;
mod error;
mod expectations;
mod make;
mod precision;
mod report;

pub use error::CompileError;
pub use make::{Compiled, compile, compile_watched};
pub use precision::PrecisionReport;
pub(crate) use precision::{finite, predict, samples};
pub use report::{CompileReport, WrittenFile};
