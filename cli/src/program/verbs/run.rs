//! `run`: a circuit on encrypted inputs. Reads no secret.

use crate::program::args::Run;
use crate::program::checkpoint::{Folder, SteppedRun};
use crate::program::content::Wanted;
use crate::program::error::{Belongs, Error};
use crate::program::files::{self, NewFile};
use crate::program::machine;
use crate::program::print;
use crate::program::progress::Bars;
use crate::program::tables;
use crate::program::warn::Promises;
use peregrine::machine::{MemoryReport, PROGRAM_BYTES, memory_limit};
use peregrine::summary::hex;
use peregrine::words;
use peregrine::{
    KeyFile, RunReport, Server, ServerError, ServerOptions, Session, StoredKeys, Usage, Watcher,
};
use peregrine_ir::FileKind;
use peregrine_runtime::backend::cpu::CkksRunError;
use peregrine_runtime::exec::ExecError;
use peregrine_runtime::exec::memory::Prediction;
use peregrine_runtime::wire::{EncryptedInputs, EncryptedOutputs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs `peregrine run`.
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
    let mut promises = Promises::default();
    let ready = Ready::new(args, &mut promises)?;
    machine::announce(ready.session.prediction(), &args.machine);
    let mut file = NewFile::create(&args.output, FileKind::Ciphertext, args.force)?;
    let server = ready.server.clone();
    let started = Instant::now();
    let Computed {
        outputs,
        memory,
        folder,
    } = ready.computed(args)?;
    let seconds = started.elapsed().as_secs_f64();
    file.write(&server.write_outputs(&outputs))?;
    let report = RunReport {
        fingerprint: hex(server.interface().fingerprint()),
        seconds,
        threads: rayon::current_num_threads(),
        memory: MemoryReport::measure(memory),
        path: args.output.display().to_string(),
        bytes: file.commit()?,
    };
    folder.map_or(Ok(()), Folder::remove)?;
    print::print(args.json.json, promises, &report, |report| {
        let RunReport {
            path,
            bytes,
            threads,
            ..
        } = report;
        let time = words::time(Duration::from_secs_f64(report.seconds));
        let memory = tables::memory::text(&report.memory);
        let (bytes, threads) = (words::bytes(*bytes), words::count(*threads, "thread"));
        format!("{path}: {bytes}, computed in {time} on {threads}\nmemory: {memory}\n")
    })
}

/// What a run starts from: read, and found to belong together.
struct Ready {
    options: ServerOptions,
    server: Server,
    inputs: EncryptedInputs,
    session: Session,
}

/// What a run leaves.
struct Computed<'a> {
    outputs: EncryptedOutputs,
    memory: Prediction,
    /// What it kept of its steps, to be removed once the outputs are written.
    folder: Option<Folder<'a>>,
}

impl Ready {
    fn new(args: &Run, promises: &mut Promises) -> Result<Self, Error> {
        let circuit = files::circuit(&args.circuit, promises)?;
        let options = ServerOptions {
            memory: memory_limit(args.machine.memory),
            usage: Usage {
                process: PROGRAM_BYTES,
                ..Usage::default()
            },
            ..ServerOptions::default()
        };
        let server = Server::with_options(circuit, options).map_err(Error::about(&args.circuit))?;
        let keys = keys(args, &server)?;
        let inputs = {
            let file = files::read(&args.input, Wanted::Own(FileKind::Ciphertext))?;
            let inputs = server.read_inputs(&file);
            inputs.map_err(Error::about(&args.input))?
        };
        let pair = Belongs::to(first_keys(args), keys.key_pair());
        Belongs::encrypted(&args.input, inputs.key_pair()).check(pair)?;
        let session = server.session(Arc::new(keys), server.resources());
        Ok(Self {
            session: session.map_err(Error::about(&args.circuit))?,
            options,
            server,
            inputs,
        })
    }

    /// Runs the circuit, in steps if they are to be kept.
    fn computed(self, args: &Run) -> Result<Computed<'_>, Error> {
        let task = Bars.begin("run");
        let culprit = |error: &ServerError| culprit(args, error);
        let Some(folder) = &args.checkpoint.folder else {
            let outputs = self.session.run(self.inputs, &task);
            return Ok(Computed {
                outputs: outputs.map_err(|error| Error::about(culprit(&error))(error))?,
                memory: self.session.prediction(),
                folder: None,
            });
        };
        let stepped = SteppedRun {
            circuit: &args.circuit,
            asked: &args.checkpoint,
            server: &self.server,
            options: self.options,
            keys: &|server| keys(args, server),
            culprit: &culprit,
        };
        let stepped = stepped.run(self.inputs, folder, &task)?;
        Ok(Computed {
            outputs: stepped.outputs,
            memory: stepped.memory.unwrap_or(self.session.prediction()),
            folder: Some(stepped.folder),
        })
    }
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
    keys.map_err(Error::about(first_keys(args)))
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
