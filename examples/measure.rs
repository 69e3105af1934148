//! Measures a network from file to answer, each verb as a process of its own, and prints what was predicted beside it: how the
//! tables of the README are made.
//!
//! ```sh
//! cargo build --release
//! cargo run --release -p peregrine-examples --example measure -- model.onnx image.npy [options of compile]
//! ```
//! Times are medians, of five processes for `run` and of three for `compile` and `keygen`. The error is that of one image,
//! relative to its largest output; what is predicted of it is what `simulate --noise` says.

use serde_json::Value;
use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut args = std::env::args_os().skip(1);
    let (Some(model), Some(image)) = (args.next(), args.next()) else {
        return Err("usage: measure MODEL.onnx IMAGE.npy [options of compile]".into());
    };
    let peregrine = Peregrine::beside_this()?;
    let (model, image) = (absolute(model)?.into(), absolute(image)?.into());
    let options = args.map(of_another_folder).collect::<Outcome<Vec<_>>>()?;
    measure(&peregrine, &[&[model], &options[..]].concat(), &[image])
}

/// The program runs in another folder.
fn of_another_folder(option: OsString) -> Outcome<OsString> {
    Ok(match Path::new(&option).exists() {
        true => absolute(option)?.into(),
        false => option,
    })
}

fn measure(peregrine: &Peregrine, model: &[OsString], image: &[OsString]) -> Outcome<()> {
    let compile = "compile -o m.fhe";
    let compiled = peregrine.median(3, compile, model, &["m.fhe", "m.client"])?;
    compiled.process("compile");
    compiled.number("log2 of the ring degree", "/circuit/log_n")?;
    if compiled.at("/circuit/small_ring/log_n").is_ok() {
        compiled.number("from some level on", "/circuit/small_ring/log_n")?;
    }
    compiled.number("levels", "/circuit/levels")?;

    let keygen = "keygen m.client --secret s.key --evaluation e.key";
    let keys = peregrine.median(3, keygen, &[], &["s.key", "e.key"])?;
    keys.process("keygen");
    keys.number("keys", "/keys")?;
    compiled.number("bytes of keys, predicted", "/stats/key_bytes")?;
    keys.number("bytes of keys, with headers", "/evaluation_bytes")?;

    let encrypt = "encrypt m.client --secret s.key -o x.ct --input";
    peregrine.run(encrypt, image)?.process("encrypt");
    let run = "run m.fhe --evaluation e.key --input x.ct -o y.ct";
    let run = peregrine.median(5, run, &[], &["y.ct"])?;
    run.process("run");
    run.seconds("computing", &["/seconds"])?;
    compiled.seconds(
        "computing, predicted",
        &[
            "/predicted/seconds",
            "/predicted/sharing_seconds",
            "/predicted/key_seconds",
        ],
    )?;
    run.mebibytes("peak memory", "/measured_peak")?;
    run.mebibytes("peak memory, predicted", "/predicted_peak")?;

    let decrypt = "decrypt m.client --secret s.key --input y.ct -o y.npz";
    let decrypted = peregrine.run(decrypt, &[])?;
    decrypted.process("decrypt");
    let exact = peregrine.run("simulate m.fhe --input", image)?;
    let noisy = peregrine.run("simulate m.fhe --noise --input", image)?;
    let bits = (exact.largest()? / decrypted.error(&exact)?).log2();
    print("bits of the largest output", &format!("{bits:.1}"));
    let predicted = noisy.at("/precision_bits")?;
    print("bits, predicted", &format!("{predicted:.1}"));
    Ok(())
}

/// The program, and a folder for its files.
struct Peregrine {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Peregrine {
    /// The program that was built with this one.
    fn beside_this() -> Outcome<Self> {
        let this = std::env::current_exe()?;
        let folder = this.parent().and_then(Path::parent).ok_or("no folder")?;
        let program = folder.join("peregrine");
        let program = program.with_extension(std::env::consts::EXE_EXTENSION);
        if !program.exists() {
            return Err(format!("{} is missing: cargo build --release", program.display()).into());
        }
        let folder = tempfile::tempdir()?;
        Ok(Self { program, folder })
    }

    fn run(&self, line: &str, rest: &[OsString]) -> Outcome<Ran> {
        let mut command = Command::new(&self.program);
        let command = command.args(line.split(' ')).args(rest).arg("--json");
        let started = Instant::now();
        let output = command.current_dir(&self.folder).output()?;
        let seconds = started.elapsed().as_secs_f64();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        let report = serde_json::from_slice(&output.stdout)?;
        Ok(Ran { report, seconds })
    }

    /// The middle one of several runs, each of which makes these files anew.
    fn median(&self, runs: usize, line: &str, rest: &[OsString], made: &[&str]) -> Outcome<Ran> {
        let mut all = Vec::new();
        for _ in 0..runs {
            for file in made.iter().map(|file| self.folder.path().join(file)) {
                if file.exists() {
                    std::fs::remove_file(file)?;
                }
            }
            all.push(self.run(line, rest)?);
        }
        all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        Ok(all.swap_remove(runs / 2))
    }
}

/// What a verb reported, and the seconds of its process.
struct Ran {
    report: Value,
    seconds: f64,
}

impl Ran {
    /// The number at a place of the report.
    fn at(&self, place: &str) -> Outcome<f64> {
        let number = self.report.pointer(place).and_then(Value::as_f64);
        number.ok_or_else(|| format!("no number at {place}").into())
    }

    /// The values of all outputs.
    fn outputs(&self) -> Outcome<Vec<f64>> {
        let outputs = self.report["outputs"].as_object().ok_or("no outputs")?;
        let values = outputs.values().filter_map(|o| o["values"].as_array());
        Ok(values.flatten().filter_map(Value::as_f64).collect())
    }

    fn largest(&self) -> Outcome<f64> {
        Ok(self.outputs()?.iter().fold(0.0, |m, x| x.abs().max(m)))
    }

    fn error(&self, exact: &Self) -> Outcome<f64> {
        let (found, exact) = (self.outputs()?, exact.outputs()?);
        let errors = found.iter().zip(&exact).map(|(a, b)| (a - b).abs());
        Ok(errors.fold(0.0, f64::max))
    }

    fn process(&self, verb: &str) {
        print(verb, &format!("{:.3} s", self.seconds));
    }

    fn number(&self, name: &str, place: &str) -> Outcome<()> {
        print(name, &self.at(place)?.to_string());
        Ok(())
    }

    fn seconds(&self, name: &str, places: &[&str]) -> Outcome<()> {
        let parts = places.iter().map(|place| self.at(place));
        print(name, &format!("{:.3} s", parts.sum::<Outcome<f64>>()?));
        Ok(())
    }

    fn mebibytes(&self, name: &str, place: &str) -> Outcome<()> {
        let mebibytes = self.at(place)? / f64::from(1 << 20);
        print(name, &format!("{mebibytes:.1} MiB"));
        Ok(())
    }
}

fn print(name: &str, value: &str) {
    // Who closes the pipe wants no more.
    let _ = writeln!(std::io::stdout(), "{name:28} {value}");
}
