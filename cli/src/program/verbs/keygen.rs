//! `keygen`: a secret key, and evaluation keys that serve some circuits; or more evaluation keys for a secret key there is.
//!
//! Keys that exist are copied as they are. The file with all of them takes the place of the old one at the very end, so that an
//! interruption loses none.

use crate::program::args::Keygen;
use crate::program::error::{Belongs, Error, FileProblem};
use crate::program::files::{self, Existing, NewFile, Readers, commit_together};
use crate::program::force::Force;
use crate::program::print;
use crate::program::progress::Bars;
use crate::program::tables::grid;
use crate::program::warn::Promises;
use peregrine::summary::hex;
use peregrine::words;
use peregrine::{
    Interface, KeyFile, KeyOrder, KeygenReport, Randomness, Secret, Security, Watcher,
};
use peregrine_ir::FileKind;
use std::path::Path;
use std::time::Instant;

/// Runs `peregrine keygen`.
pub fn run(args: &Keygen) -> Result<(), Error> {
    distinct(args)?;
    let started = Instant::now();
    let mut promises = Promises::default();
    let interfaces = args.clients.iter().map(|path| {
        // The engine must be able to work in its rings.
        Ok(files::client(path, &mut promises)?.interface().clone())
    });
    let interfaces = interfaces.collect::<Result<Vec<Interface>, Error>>()?;
    let first = args.clients.first().map_or(Path::new(""), |path| path);
    let order = KeyOrder::covering(&interfaces).map_err(Error::about(first))?;
    let (secret, made) = match args.add {
        true => add(args, order)?,
        false => new(args, &order)?,
    };
    let circuits = interfaces.iter().map(|i| hex(i.fingerprint()));
    let report = KeygenReport {
        key_pair: format!("{:?}", secret.key_pair()),
        circuits: circuits.collect(),
        secret: args.secret.display().to_string(),
        evaluation: args.evaluation.display().to_string(),
        keys: made.keys,
        kept: made.kept,
        evaluation_bytes: made.bytes,
        seconds: started.elapsed().as_secs_f64(),
    };
    print::print(args.json.json, promises, &report, text)
}

/// No file in two roles.
fn distinct(args: &Keygen) -> Result<(), Error> {
    let clients = args.clients.iter();
    let mut roles: Vec<(&'static str, &Path)> = clients
        .map(|path| ("the client interface", path.as_path()))
        .collect();
    roles.push(("the secret key", &args.secret));
    roles.push(("the evaluation keys", &args.evaluation));
    let besides = args.besides.iter();
    roles.extend(besides.map(|path| ("evaluation keys that are there", path.as_path())));
    files::distinct(&roles)
}

/// A file of evaluation keys that was written.
struct Made {
    keys: usize,
    kept: usize,
    bytes: u64,
}

/// A new pair.
fn new(args: &Keygen, order: &KeyOrder) -> Result<(Secret, Made), Error> {
    if !args.force {
        refuse_existing(&args.secret)?;
        refuse_existing(&args.evaluation)?;
    }
    let mut secret_file = NewFile::replace(&args.secret, Readers::Owner)?;
    // A secret key is lost under --secret only.
    let mut evaluation_file =
        NewFile::create(&args.evaluation, FileKind::EvaluationKeys, Force::ALL)?;
    let mut randomness = Randomness::from_os();
    let secret = match order.security() {
        Security::Classical128 => Secret::generate(&mut randomness),
        Security::None => Secret::without_security(&mut randomness),
    };
    write(args, &secret, order, &[], &mut evaluation_file)?;
    // On disk as late as can be.
    secret_file.write(&secret.write())?;
    let existing = match args.force {
        true => Existing::Replaced,
        false => Existing::Kept,
    };
    // Whoever adds to the old keys is done first.
    let _lock = files::lock(&args.evaluation)?;
    let [_, bytes] = commit_together([secret_file, evaluation_file], existing)?;
    let made = Made {
        keys: order.shapes().len(),
        kept: 0,
        bytes,
    };
    Ok((secret, made))
}

/// More evaluation keys of a pair.
fn add(args: &Keygen, order: KeyOrder) -> Result<(Secret, Made), Error> {
    let secret = files::read_secret(&args.secret)?;
    let secret = Secret::read(&secret).map_err(Error::about(&args.secret))?;
    let _lock = files::lock(&args.evaluation)?;
    let own = args.evaluation.symlink_metadata().is_ok();
    let own = own.then(|| known(args, &secret, &args.evaluation));
    let own: Vec<KeyFile> = own.transpose()?.into_iter().collect();
    let besides = args.besides.iter().map(|path| known(args, &secret, path));
    let besides = besides.collect::<Result<Vec<_>, _>>()?;
    let all: Vec<&KeyFile> = own.iter().chain(&besides).collect();
    let order = order.without(&all);
    let order = order.map_err(Error::about(&args.evaluation))?;
    let kept: usize = own.iter().map(|file| file.shapes().len()).sum();
    let keys = kept + order.shapes().len();
    let bytes = match order.shapes() {
        [] if !own.is_empty() => std::fs::metadata(&args.evaluation).map_or(0, |known| known.len()),
        _ => {
            let mut file =
                NewFile::create(&args.evaluation, FileKind::EvaluationKeys, Force::default())?;
            let copied: Vec<&KeyFile> = own.iter().collect();
            write(args, &secret, &order, &copied, &mut file)?;
            match own.is_empty() {
                true => file.commit_new()?,
                false => file.commit()?,
            }
        }
    };
    Ok((secret, Made { keys, kept, bytes }))
}

/// A file of evaluation keys of the pair.
fn known(args: &Keygen, secret: &Secret, path: &Path) -> Result<KeyFile, Error> {
    let file = files::key_file(path)?;
    let own = Belongs::to(&args.secret, secret.key_pair());
    Belongs::to(path, file.key_pair()).check(own)?;
    Ok(file)
}

fn write(
    args: &Keygen,
    secret: &Secret,
    order: &KeyOrder,
    kept: &[&KeyFile],
    file: &mut NewFile,
) -> Result<(), Error> {
    let task = Bars.begin("keygen");
    let made = |done, total| task.count(done, total);
    let (out, mut randomness) = (file.out(), Randomness::from_os());
    let written = secret.write_evaluation_keys(order, kept, &mut randomness, out, made);
    written.map(drop).map_err(Error::about(&args.evaluation))
}

fn refuse_existing(path: &Path) -> Result<(), Error> {
    match path.symlink_metadata() {
        Ok(_) => Err(Error::file(path, FileProblem::Exists)),
        Err(_) => Ok(()),
    }
}

fn text(report: &KeygenReport) -> String {
    let KeygenReport {
        secret,
        evaluation,
        keys,
        kept,
        evaluation_bytes,
        ..
    } = report;
    let (keys, bytes) = (words::count(*keys, "key"), words::bytes(*evaluation_bytes));
    let kept = match kept {
        0 => String::new(),
        kept => format!(" ({kept} of them were there)"),
    };
    grid::list(&[
        [
            "key pair".to_owned(),
            report.key_pair.get(..16).unwrap_or_default().to_owned(),
        ],
        [
            "secret key".to_owned(),
            format!("{secret}; keep it, and keep it to yourself"),
        ],
        [
            "evaluation keys".to_owned(),
            format!("{evaluation}; {keys}{kept}, {bytes}, for the server"),
        ],
    ])
}
