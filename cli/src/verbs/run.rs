//! `run`: a circuit on encrypted inputs. Reads no secret.

use crate::args::Run;
use crate::error::Error;
use crate::files::{self, NewFile};
use crate::progress::Bar;
use crate::report;
use peregrine_runtime::exec::memory::Prediction;
use peregrine_runtime::exec::{CkksRunError, ExecError};
use peregrine_runtime::server::{Resources, Server, ServerError};
use peregrine_runtime::wire;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was run.
#[derive(Debug, Serialize)]
struct Report {
    fingerprint: String,
    seconds: f64,
    threads: usize,
    predicted_memory: Prediction,
    path: String,
    bytes: u64,
}

/// Runs.
pub fn run(args: &Run) -> Result<(), Error> {
    if let Some(threads) = args.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()?;
    }
    let roles = [
        ("the circuit", args.circuit.as_path()),
        ("the evaluation keys", &args.evaluation),
        ("the inputs", &args.input),
        ("the outputs", &args.output),
    ];
    files::distinct(&roles)?;
    let server =
        Server::new(files::circuit(&args.circuit)?).map_err(Error::server(&args.circuit))?;
    let keys = wire::map_file(&args.evaluation).map_err(Error::reading(&args.evaluation))?;
    let keys = server
        .read_keys(keys)
        .map_err(Error::server(&args.evaluation))?;
    let inputs = files::read(&args.input)?;
    let inputs = server
        .read_inputs(&inputs)
        .map_err(Error::server(&args.input))?;
    let resources = Resources::of_thread_pool(args.memory);
    let session = server
        .session(Arc::new(keys), resources)
        .map_err(Error::server(&args.circuit))?;
    let mut file = NewFile::create(&args.output)?;
    let started = Instant::now();
    let outputs = session.run(inputs, &Bar::new("run"));
    let outputs = outputs.map_err(|error| Error::server(culprit(args, &error))(error))?;
    let seconds = started.elapsed().as_secs_f64();
    file.write(&server.write_outputs(&outputs))?;
    let report = Report {
        fingerprint: report::hex(server.interface().fingerprint()),
        seconds,
        threads: rayon::current_num_threads(),
        predicted_memory: session.prediction(),
        path: args.output.display().to_string(),
        bytes: file.commit()?,
    };
    report::print(args.json.json, &report, |report| {
        let Report {
            path,
            bytes,
            threads,
            ..
        } = report;
        let time = report::time(Duration::from_secs_f64(report.seconds));
        let memory = report::bytes(report.predicted_memory.total());
        let (bytes, threads) = (report::bytes(*bytes), report::count(*threads, "thread"));
        format!(
            "{path}: {bytes}, computed in {time} on {threads}, at most {memory} of values and keys\n"
        )
    })
}

/// The file to blame: keys are read when they are first used.
fn culprit<'a>(args: &'a Run, error: &ServerError) -> &'a Path {
    match error {
        ServerError::Run(
            ExecError::Refused(CkksRunError::Key(_))
            | ExecError::Instruction {
                source: CkksRunError::Key(_),
                ..
            },
        ) => &args.evaluation,
        _ => &args.circuit,
    }
}
