//! The verbs, one file each.

mod bench;
mod compile;
mod decrypt;
mod encrypt;
mod infer;
mod inspect;
mod keygen;
mod run;
mod simulate;

use super::args::Verb;
use super::error::Error;

/// Runs the verb of a command line.
pub fn run(verb: Verb) -> Result<(), Error> {
    match verb {
        Verb::Compile(args) => compile::run(&args),
        Verb::Inspect(args) => inspect::run(&args),
        Verb::Simulate(args) => simulate::run(&args),
        Verb::Keygen(args) => keygen::run(&args),
        Verb::Encrypt(args) => encrypt::run(&args),
        Verb::Run(args) => run::run(&args),
        Verb::Decrypt(args) => decrypt::run(&args),
        Verb::Infer(args) => infer::run(&args),
        Verb::Bench(args) => bench::run(&args),
    }
}
