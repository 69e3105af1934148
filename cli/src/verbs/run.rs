//! `run`: a circuit on encrypted inputs. Reads no secret.

use crate::args::Run;
use crate::error::{Belongs, Error};
use crate::files::{self, NewFile, Wanted};
use crate::machine::{self, Memory};
use crate::progress::Bar;
use crate::report;
use peregrine_ir::FileKind;
use peregrine_runtime::backend::cpu::CkksRunError;
use peregrine_runtime::exec::ExecError;
use peregrine_runtime::server::{Server, ServerError, ServerOptions, Usage};
use peregrine_runtime::wire::{KeyFile, StoredKeys};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was run.
#[derive(Debug, Serialize)]
struct Report {
    fingerprint: String,
    seconds: f64,
    threads: usize,
    #[serde(flatten)]
    memory: Memory,
    path: String,
    bytes: u64,
}

/// Runs.
pub fn run(args: &Run) -> Result<(), Error> {
    machine::start_threads(&args.machine)?;
    let mut roles = vec![
        ("the circuit", args.circuit.as_path()),
        ("the inputs", &args.input),
        ("the outputs", &args.output),
    ];
    let evaluation = args.evaluation.iter();
    roles.extend(evaluation.map(|path| ("the evaluation keys", path.as_path())));
    files::distinct(&roles)?;
    let options = ServerOptions {
        memory: machine::memory_limit(&args.machine),
        usage: Usage {
            process: machine::PROGRAM_BYTES,
            ..Usage::default()
        },
        ..ServerOptions::default()
    };
    let server = Server::with_options(files::circuit(&args.circuit)?, options)
        .map_err(Error::server(&args.circuit))?;
    let keys = keys(args, &server)?;
    let inputs = {
        let file = files::read(&args.input, Wanted::Own(FileKind::Ciphertext))?;
        let inputs = server.read_inputs(&file);
        inputs.map_err(Error::server(&args.input))?
    };
    let pair = Belongs::to(first_keys(args), keys.key_pair());
    Belongs::encrypted(&args.input, inputs.key_pair()).check(pair)?;
    let session = server
        .session(Arc::new(keys), server.resources())
        .map_err(Error::server(&args.circuit))?;
    machine::announce(session.prediction(), &args.machine);
    let mut file = NewFile::create(&args.output, FileKind::Ciphertext, args.force)?;
    let started = Instant::now();
    let outputs = session.run(inputs, &Bar::new("run"));
    let outputs = outputs.map_err(|error| Error::server(culprit(args, &error))(error))?;
    let seconds = started.elapsed().as_secs_f64();
    file.write(&server.write_outputs(&outputs))?;
    let report = Report {
        fingerprint: report::hex(server.interface().fingerprint()),
        seconds,
        threads: rayon::current_num_threads(),
        memory: Memory::measure(session.prediction()),
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
        let memory = report.memory.text();
        let (bytes, threads) = (report::bytes(*bytes), report::count(*threads, "thread"));
        format!("{path}: {bytes}, computed in {time} on {threads}\nmemory: {memory}\n")
    })
}

/// The keys of all files, of one pair.
fn keys(args: &Run, server: &Server) -> Result<StoredKeys, Error> {
    let files = args.evaluation.iter().map(|path| files::key_file(path));
    let files = files.collect::<Result<Vec<KeyFile>, Error>>()?;
    let belongs = |(path, file): (&PathBuf, &KeyFile)| Belongs::to(path, file.key_pair());
    let mut belongs = args.evaluation.iter().zip(&files).map(belongs);
    if let Some(first) = belongs.next() {
        belongs.try_for_each(|other| other.check(first.clone()))?;
    }
    let keys = server.find_keys(files);
    keys.map_err(Error::server(first_keys(args)))
}

fn first_keys(args: &Run) -> &Path {
    args.evaluation.first().map_or(Path::new(""), |path| path)
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
        ) => first_keys(args),
        _ => &args.circuit,
    }
}
