//! `keygen`: the secret key and the evaluation keys of a circuit.

use crate::args::{Force, Keygen};
use crate::error::{Error, FileProblem};
use crate::files::{self, Existing, NewFile, Readers, commit_together};
use crate::progress::Bar;
use crate::report;
use peregrine_ir::FileKind;
use peregrine_runtime::ring::Randomness;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// What was made.
#[derive(Debug, Serialize)]
struct Report {
    fingerprint: String,
    secret: String,
    evaluation: String,
    keys: usize,
    evaluation_bytes: u64,
    seconds: f64,
}

/// Makes keys.
pub fn run(args: &Keygen) -> Result<(), Error> {
    let roles = [
        ("the client interface", args.client.as_path()),
        ("the secret key", &args.secret),
        ("the evaluation keys", &args.evaluation),
    ];
    files::distinct(&roles)?;
    let client = files::client(&args.client)?;
    if !args.force {
        refuse_existing(&args.secret)?;
        refuse_existing(&args.evaluation)?;
    }
    let mut secret_file = NewFile::replace(&args.secret, Readers::Owner)?;
    // A secret key is lost under --secret only.
    let mut evaluation_file =
        NewFile::create(&args.evaluation, FileKind::EvaluationKeys, Force::ALL)?;
    let started = Instant::now();
    let mut randomness = Randomness::from_os();
    let failed = || Error::client(&args.client);
    let secret = client.generate_secret(&mut randomness).map_err(failed())?;
    let bar = Bar::new("keygen");
    let out = evaluation_file.out();
    let made = |done, total| bar.count(done, total);
    client
        .write_evaluation_keys(&secret, &mut randomness, out, made)
        .map_err(Error::client(&args.evaluation))?;
    drop(bar);
    secret_file.write(&client.write_secret(&secret).map_err(failed())?)?;
    let existing = match args.force {
        true => Existing::Replaced,
        false => Existing::Kept,
    };
    let [_, evaluation_bytes] = commit_together([secret_file, evaluation_file], existing)?;
    let report = Report {
        fingerprint: report::hex(client.interface().fingerprint()),
        secret: args.secret.display().to_string(),
        evaluation: args.evaluation.display().to_string(),
        keys: client.interface().keys().levels.len(),
        evaluation_bytes,
        seconds: started.elapsed().as_secs_f64(),
    };
    report::print(args.json.json, &report, text)
}

fn refuse_existing(path: &Path) -> Result<(), Error> {
    match path.symlink_metadata() {
        Ok(_) => Err(Error::file(path, FileProblem::Exists)),
        Err(_) => Ok(()),
    }
}

fn text(report: &Report) -> String {
    let Report {
        secret,
        evaluation,
        keys,
        evaluation_bytes,
        ..
    } = report;
    report::list(&[
        [
            "secret key".to_owned(),
            format!("{secret}; keep it, and keep it to yourself"),
        ],
        [
            "evaluation keys".to_owned(),
            format!(
                "{evaluation}; {keys} keys, {}, for the server",
                report::bytes(*evaluation_bytes)
            ),
        ],
    ])
}
