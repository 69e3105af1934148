//! Measures a network from file to answer, each verb as a process of its own, and prints what was predicted beside it: the
//! table in the README.
//!
//! ```sh
//! cargo build --release
//! cargo run --release -p peregrine-examples --example measure -- model.onnx image.npy [options of compile]
//! ```
//! Times are medians of five processes, those of compiling and of making keys of three. The error is that of one image, relative
//! to its largest output; what is predicted of it is what `simulate --noise` says.

use serde_json::Value;
use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The program, in a folder for its files.
struct Peregrine {
    program: PathBuf,
    folder: tempfile::TempDir,
}

/// What a verb reported, and the seconds of its process.
struct Ran {
    report: Value,
    seconds: f64,
}

fn main() -> Outcome<()> {
    let mut args = std::env::args_os().skip(1);
    let (Some(model), Some(image)) = (args.next(), args.next()) else {
        return Err("usage: measure MODEL.onnx IMAGE.npy [options of compile]".into());
    };
    let (model, image) = (PathBuf::from(model), std::path::absolute(image)?);
    let mut options = Vec::new();
    for option in args {
        // The program runs in another folder.
        let path = Path::new(&option);
        options.push(match path.exists() {
            true => std::path::absolute(path)?.into_os_string(),
            false => option,
        });
    }
    let peregrine = Peregrine::beside_this()?;
    let model = std::path::absolute(model)?;
    let mut compile: Vec<&OsStr> = ["compile", "-o", "m.fhe"].map(OsStr::new).into();
    compile.push(model.as_os_str());
    compile.extend(options.iter().map(|option| option.as_os_str()));
    let compiled = peregrine.median(3, &compile, &["m.fhe", "m.client"])?;
    let keys = [
        "keygen",
        "m.client",
        "--secret",
        "s.key",
        "--evaluation",
        "e.key",
    ];
    let keys = peregrine.median(3, &keys.map(OsStr::new), &["s.key", "e.key"])?;
    let encrypt = [
        "encrypt", "m.client", "--secret", "s.key", "-o", "x.ct", "--input",
    ];
    let encrypt: Vec<&OsStr> = encrypt
        .map(OsStr::new)
        .into_iter()
        .chain([image.as_os_str()])
        .collect();
    peregrine.run(&encrypt)?;
    let run = [
        "run",
        "m.fhe",
        "--evaluation",
        "e.key",
        "--input",
        "x.ct",
        "-o",
        "y.ct",
    ];
    let run = peregrine.median(5, &run.map(OsStr::new), &["y.ct"])?;
    let decrypt = [
        "decrypt", "m.client", "--secret", "s.key", "--input", "y.ct", "-o", "y.npz",
    ];
    let decrypted = peregrine.run(&decrypt.map(OsStr::new))?;
    let simulate = |rest: &[&'static str]| {
        let verb = ["simulate", "m.fhe", "--input"].map(OsStr::new);
        let rest = rest.iter().map(OsStr::new);
        let line: Vec<&OsStr> = verb
            .into_iter()
            .chain([image.as_os_str()])
            .chain(rest)
            .collect();
        peregrine.run(&line)
    };
    let (exact, noisy) = (simulate(&[])?, simulate(&["--noise"])?);
    print(&[
        ("compile", format!("{:.2} s", compiled.seconds)),
        (
            "ring",
            text(&compiled.report, "/circuit/log_n", |n| format!("2^{n}"))?,
        ),
        (
            "levels",
            text(&compiled.report, "/circuit/levels", |n| n.to_string())?,
        ),
        ("keygen", format!("{:.2} s", keys.seconds)),
        ("keys", text(&keys.report, "/keys", |n| n.to_string())?),
        (
            "bytes of keys, predicted",
            text(&compiled.report, "/stats/key_bytes", |n| n.to_string())?,
        ),
        (
            "bytes of keys",
            text(&keys.report, "/evaluation_bytes", |n| n.to_string())?,
        ),
        (
            "run, predicted",
            seconds(
                &compiled.report,
                &["/predicted/seconds", "/predicted/key_seconds"],
            )?,
        ),
        ("run", seconds(&run.report, &["/seconds"])?),
        ("whole process", format!("{:.3} s", run.seconds)),
        (
            "memory, predicted",
            mebibytes(&run.report, "/predicted_peak")?,
        ),
        ("memory", mebibytes(&run.report, "/measured_peak")?),
        (
            "precision, predicted",
            text(&noisy.report, "/precision_bits", |n| format!("{n:.1} bits"))?,
        ),
        (
            "precision",
            format!("{:.1} bits", precision(&decrypted.report, &exact.report)?),
        ),
    ]);
    Ok(())
}

impl Peregrine {
    /// The program that was built with this one.
    fn beside_this() -> Outcome<Self> {
        let this = std::env::current_exe()?;
        let folder = this.parent().and_then(Path::parent).ok_or("no folder")?;
        let program = folder
            .join("peregrine")
            .with_extension(std::env::consts::EXE_EXTENSION);
        if !program.exists() {
            return Err(format!("{} is missing: cargo build --release", program.display()).into());
        }
        let folder = tempfile::tempdir()?;
        Ok(Self { program, folder })
    }

    fn run(&self, line: &[&OsStr]) -> Outcome<Ran> {
        let started = Instant::now();
        let mut command = Command::new(&self.program);
        let output = command
            .args(line)
            .arg("--json")
            .current_dir(&self.folder)
            .output()?;
        let seconds = started.elapsed().as_secs_f64();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let report = serde_json::from_slice(&output.stdout)?;
        Ok(Ran { report, seconds })
    }

    /// The middle one of several runs, each of which makes these files anew.
    fn median(&self, runs: usize, line: &[&OsStr], made: &[&str]) -> Outcome<Ran> {
        let mut all = Vec::new();
        for _ in 0..runs {
            for file in made.iter().map(|file| self.folder.path().join(file)) {
                if file.exists() {
                    std::fs::remove_file(file)?;
                }
            }
            all.push(self.run(line)?);
        }
        all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        Ok(all.swap_remove(runs / 2))
    }
}

/// The number at a place of a report.
fn number(report: &Value, place: &str) -> Outcome<f64> {
    let number = report.pointer(place).and_then(Value::as_f64);
    number.ok_or_else(|| format!("no number at {place}").into())
}

fn text(report: &Value, place: &str, show: impl Fn(f64) -> String) -> Outcome<String> {
    Ok(show(number(report, place)?))
}

fn seconds(report: &Value, places: &[&str]) -> Outcome<String> {
    let parts = places.iter().map(|place| number(report, place));
    Ok(format!("{:.3} s", parts.sum::<Outcome<f64>>()?))
}

fn mebibytes(report: &Value, place: &str) -> Outcome<String> {
    text(report, place, |bytes| {
        format!("{:.1} MiB", bytes / f64::from(1 << 20))
    })
}

/// Bits of the largest output that are right.
fn precision(found: &Value, exact: &Value) -> Outcome<f64> {
    let (found, exact) = (outputs(found)?, outputs(exact)?);
    let errors = found.iter().zip(&exact).map(|(a, b)| (a - b).abs());
    let largest = exact.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    Ok((largest / errors.fold(0.0, f64::max)).log2())
}

/// The values of all outputs.
fn outputs(report: &Value) -> Outcome<Vec<f64>> {
    let outputs = report["outputs"].as_object().ok_or("no outputs")?;
    let values = outputs
        .values()
        .flat_map(|output| output["values"].as_array())
        .flatten();
    Ok(values.filter_map(Value::as_f64).collect())
}

fn print(rows: &[(&str, String)]) {
    for (name, value) in rows {
        println!("{name:26} {value}");
    }
}
