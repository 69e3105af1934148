//! `compile`: an ONNX model to a circuit and a client interface.

use crate::program::args::Compile;
use crate::program::choices;
use crate::program::error::Error;
use crate::program::files::{self, Existing, NewFile, commit_together};
use crate::program::print;
use crate::program::progress::Bars;
use crate::program::tables;
use crate::program::values::InputArg;
use crate::program::warn::{Promises, warn_of_drowned};
use peregrine::compile::WrittenFile;
use peregrine::{CompileOptions, Compiled, compile_watched};
use peregrine_ir::{FileKind, binary};
use std::path::{Path, PathBuf};

/// Runs `peregrine compile`.
pub fn run(args: &Compile) -> Result<(), Error> {
    let client = distinct(args)?;
    let model = choices::model(&args.model)?;
    let mut circuit_file = NewFile::create(&args.output, FileKind::Circuit, args.force)?;
    let mut client_file = NewFile::create(&client, FileKind::Interface, args.force)?;
    let mut promises = Promises::default();
    let options = CompileOptions {
        ablate: args.ablate,
        ..choices::options(&args.model, &model, &args.choices, &mut promises)?
    };
    let compiled = compile_watched(&model, options, &Bars);
    let compiled = compiled.map_err(Error::about(&args.model))?;
    // It may be as large as the circuit.
    drop(model);
    let Compiled {
        circuit,
        interface,
        mut report,
        drowned,
        ..
    } = compiled;
    promises.meet(interface.name(), interface.security());
    warn_of_drowned(&drowned);
    let written = binary::write_circuit_to(&circuit, circuit_file.out());
    written.map_err(Error::writing(&args.output))?;
    client_file.write(&binary::write_interface(&interface))?;
    let written = |path: &Path, bytes| WrittenFile {
        path: path.display().to_string(),
        bytes,
    };
    let [circuit_bytes, client_bytes] =
        commit_together([circuit_file, client_file], Existing::Replaced)?;
    report.files = vec![
        written(&args.output, circuit_bytes),
        written(&client, client_bytes),
    ];
    print::print(args.json.json, promises, &report, tables::compile::text)
}

/// Where the client interface goes; refuses files that are given as two things.
fn distinct(args: &Compile) -> Result<PathBuf, Error> {
    let client = args
        .client
        .clone()
        .unwrap_or_else(|| args.output.with_extension("client"));
    let mut roles = vec![
        ("the model", args.model.as_path()),
        ("the circuit", &args.output),
        ("the client interface", &client),
    ];
    roles.extend(
        args.choices
            .profile
            .iter()
            .map(|path| ("the profile", path.as_path())),
    );
    files::distinct(&roles)?;
    for output in [&args.output, &client] {
        InputArg::distinct(&args.choices.calibrate, output)?;
    }
    Ok(client)
}
