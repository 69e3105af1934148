//! `peregrine`: compile ONNX networks to encrypted programs and run them.
//!
//! The library of the same name computes; the program has arguments, files, progress, tables and exit codes. Results go to
//! standard output, progress and warnings to standard error. Exit code 1 for failures, 2 for a command line that cannot be
//! understood, 3 for an answer that is garbage.

mod program;

use std::process::ExitCode;

fn main() -> ExitCode {
    program::main()
}
