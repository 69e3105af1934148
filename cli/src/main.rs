//! `peregrine`: compile ONNX networks to encrypted programs and run them.
//!
//! One file per verb in `verbs`; `args` says what each takes, `error` how a failure reads. Results go to standard output,
//! progress and warnings to standard error. Exit code 1 for failures, 2 for a command line that cannot be
//! understood, 3 for an answer that is garbage.

#![allow(
    clippy::result_large_err,
    reason = "an error is moved a few times and then ends the program"
)]

mod ablation_table;
mod args;
mod arrays;
mod costs;
mod drawn;
mod error;
mod expectations;
mod files;
mod help;
mod inputs;
mod key_table;
mod labels;
mod machine;
mod measured;
mod outputs;
mod plan;
mod precision;
mod progress;
mod ranges;
mod report;
mod values;
mod verbs;
mod verdict;
mod ways_out;

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match verbs::run(args::Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error is closed.
            let _ = writeln!(std::io::stderr(), "{}", error.render());
            ExitCode::from(error.code())
        }
    }
}
