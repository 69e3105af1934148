//! `bench`: how fast the primitives of the engine are on this machine.

use crate::program::args::Bench;
use crate::program::content::Content;
use crate::program::error::Error;
use crate::program::files::NewFile;
use crate::program::print;
use crate::program::progress::Bars;
use crate::program::tables;
use crate::program::warn::Promises;
use peregrine::bench::{BenchOptions, RefreshOptions, measure, measure_refresh};

/// Runs `peregrine bench`.
pub fn run(args: &Bench) -> Result<(), Error> {
    let mut file = args
        .profile_out
        .as_deref()
        .map(|path| NewFile::over(path, args.force, |found| *found == Content::Json))
        .transpose()?;
    let options = BenchOptions {
        log_n: args.log_n,
        threads: args.threads,
    };
    let promises = Promises::default();
    if args.refresh {
        let options = RefreshOptions {
            messages: args.messages.into(),
            threads: options.thread_counts(),
            refresh_bits: args.refresh_bits,
        };
        let report = measure_refresh(&options, &Bars)?;
        return print::print(args.json.json, promises, &report, tables::refresh::text);
    }
    let report = measure(&options, &Bars)?;
    if let Some(file) = &mut file {
        let threads = options.thread_counts().last().copied().unwrap_or(1);
        let text = serde_json::to_string_pretty(&report.profile(threads))? + "\n";
        file.write(text.as_bytes())?;
    }
    print::print(args.json.json, promises, &report, tables::bench::text)?;
    file.map_or(Ok(()), |file| file.commit().map(drop))
}
