//! The program: one file per verb in `verbs`; `args` says what each takes, `help` how a failure reads.
//!
//! Each uses only those above it:
//!
//! | file | what |
//! |---|---|
//! | `content`, `garbage`, `error`, `help` | what a file is; failures, and their ways out |
//! | `warn`, `force` | warnings, and what circuits promise; `--force` |
//! | `files`, `arrays`, `labels` | reading and writing files |
//! | `values`, `args`, `inputs` | the command line, and the tensors that it names |
//! | `print`, `progress`, `machine`, `tables` | what is said while a verb runs, and at its end |
//! | `choices` | the options of the compiler |
//! | `verbs` | what is done |

#![allow(
    clippy::result_large_err,
    reason = "an error is moved a few times and then ends the program"
)]

mod args;
mod arrays;
mod checkpoint;
mod choices;
mod content;
mod error;
mod files;
mod force;
mod garbage;
mod help;
mod inputs;
mod labels;
mod machine;
mod print;
mod progress;
mod tables;
mod values;
mod verbs;
mod warn;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

/// Runs the program: reads the command line, runs its verb, prints an error and returns the exit code.
pub fn main() -> ExitCode {
    match verbs::run(args::Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error is closed.
            let _ = writeln!(std::io::stderr(), "{}", help::render(&error));
            ExitCode::from(error.code())
        }
    }
}
