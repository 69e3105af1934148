//! What is left when a verb is interrupted, or when two write the same files at once.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod common;

use common::Folder;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Numbers of the signals that people and systems send, by name.
const SIGNALS: [(&str, i32); 3] = [("INT", 2), ("TERM", 15), ("HUP", 1)];

/// Whether what is started here ignores a signal: a hangup under `nohup`, an interrupt behind `&`.
fn ignores(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

fn start(folder: &Folder, line: &str) -> Child {
    let mut command = folder.command(line);
    // Slow enough to be met at work.
    command.env("RAYON_NUM_THREADS", "1");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn send(signal: &str, to: &Child) {
    let to = to.id().to_string();
    let sent = Command::new("kill").args(["-s", signal, &to]).status();
    assert!(sent.unwrap().success());
}

/// Interrupts a verb at work; whether it was still there to be interrupted.
fn interrupted(folder: &Folder, line: &str, (name, number): (&str, i32), after: u64) -> bool {
    let mut child = start(folder, line);
    sleep(Duration::from_millis(after));
    send(name, &child);
    let status = child.wait().unwrap();
    assert!(
        status.success() || status.signal() == Some(number),
        "{name}: {status}"
    );
    !status.success()
}

#[test]
fn signals_leave_nothing_behind() {
    let folder = Folder::new("signals");
    folder.ok("compile digits.onnx -o digits.fhe --log-n 16");
    let keygen = "keygen digits.client --secret secret.key --evaluation eval.keys";
    let before = folder.names();
    for signal in SIGNALS {
        let (name, number) = signal;
        if ignores(number) {
            println!("skipped: {name}, which this process was started to ignore");
            continue;
        }
        let mut met = 0;
        for after in [20, 60, 120, 200, 300] {
            if interrupted(&folder, keygen, signal, after) {
                met += 1;
                assert_eq!(folder.names(), before, "{} after {after} ms", signal.0);
            } else {
                folder.remove(&["secret.key", "eval.keys"]);
            }
        }
        assert!(met > 0, "{} never met it at work", signal.0);
    }
    // What was there before stays.
    folder.ok(keygen);
    let keys = folder.bytes("eval.keys");
    let met = [20, 60, 120]
        .map(|after| interrupted(&folder, &format!("{keygen} --force"), SIGNALS[0], after));
    assert!(met.contains(&false) || keys == folder.bytes("eval.keys"));
    assert!(folder.names().iter().all(|name| !name.ends_with(".tmp")));
}

#[test]
fn what_was_started_to_ignore_a_signal_goes_on() {
    let folder = Folder::new("nohup");
    let program = env!("CARGO_BIN_EXE_peregrine");
    let compile = format!("exec {program} compile digits.onnx -o digits.fhe --log-n 16");
    let line = format!("trap '' HUP; echo ready; {compile}");
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path("")).args(["-c", &line]);
    let mut child = shell.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut ready = String::new();
    said.read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    let said = std::thread::spawn(move || std::io::read_to_string(said));
    for _ in 0..5 {
        sleep(Duration::from_millis(10));
        send("HUP", &child);
    }
    assert!(child.wait().unwrap().success());
    assert!(said.join().unwrap().unwrap().contains("digits.fhe"));
    assert!(folder.path("digits.client").exists());
}

/// Starts two at once and waits for both.
fn race(folder: &Folder, lines: [&str; 2]) {
    let both = lines.map(|line| {
        let mut command = folder.command(line);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    });
    for mut child in both {
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn keys_made_at_once_are_a_pair() {
    let folder = Folder::new("race-keygen");
    let succeeds = |line: &str| {
        let output = folder.run(line);
        assert!(output.status.success(), "{line}: {output:?}");
        output
    };
    succeeds("compile digits.onnx -o d.fhe --security none --log-n 11");
    let keygen = "keygen d.client --secret s.key --evaluation e.keys --force";
    for _ in 0..30 {
        race(&folder, [keygen; 2]);
        succeeds("encrypt d.client --secret s.key --input image.npy -o x.ct");
        succeeds("run d.fhe --evaluation e.keys --input x.ct -o y.ct");
        let answer = succeeds("decrypt d.client --secret s.key --input y.ct --json");
        let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        let largest = answer["outputs"]["logits"]["largest_magnitude"]
            .as_f64()
            .unwrap();
        assert!(largest < 100.0, "the keys are of two pairs: {answer}");
    }
    // Without force one of the two is first, and the other says so.
    folder.remove(&["s.key", "e.keys"]);
    let keygen = keygen.strip_suffix(" --force").unwrap();
    let both = [keygen; 2].map(|line| start(&folder, line));
    let done = both.map(|mut child| child.wait().unwrap().success());
    assert!(done.contains(&true), "{done:?}");
}

#[test]
fn a_circuit_and_an_interface_compiled_at_once_belong_together() {
    let folder = Folder::new("race-compile");
    let compile = |bits| format!("compile digits.onnx -o d.fhe --precision-bits {bits}");
    for _ in 0..10 {
        race(&folder, [&compile(10), &compile(11)]);
        let fingerprint = |file: &str| {
            let report = folder.json(&format!("inspect {file}"));
            report["circuit"]["fingerprint"].clone()
        };
        assert_eq!(fingerprint("d.fhe"), fingerprint("d.client"));
    }
}

/// A limit on the length of files stands for a disk that is full.
#[test]
fn a_full_disk_is_one_error() {
    let folder = Folder::new("full-disk");
    folder.ok("compile digits.onnx -o digits.fhe");
    let before = folder.names();
    let program = env!("CARGO_BIN_EXE_peregrine");
    let limited = |line: &str| {
        let line = format!("trap '' XFSZ; ulimit -f 1; exec {program} {line}");
        let mut shell = Command::new("bash");
        let output = shell
            .current_dir(folder.path(""))
            .args(["-c", &line])
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(folder.names(), before);
        String::from_utf8(output.stderr).unwrap()
    };
    for name in ["y.npz", "y.csv"] {
        let said = limited(&format!("simulate digits.fhe --input images.npy -o {name}"));
        assert_eq!(
            said,
            format!("error: {name}: cannot be written: File too large\n")
        );
    }
    let said = limited("keygen digits.client --secret s.key --evaluation e.keys");
    assert!(
        said.starts_with("error: e.keys: ") && said.lines().count() == 1,
        "{said}"
    );
}

/// Waits until something is so, or the program has ended.
fn wait_for(child: &mut Child, so: impl Fn() -> bool) {
    while !so() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(1));
    }
}

/// Kills a program, unless it has ended.
fn kill(mut child: Child) -> ExitStatus {
    let _ = child.kill();
    child.wait().unwrap()
}

/// The names in the folder of a checkpoint, none where it is not there.
fn kept(folder: &Folder) -> Vec<String> {
    let names = std::fs::read_dir(folder.path("steps"));
    let names = names.into_iter().flatten().map(|entry| entry.unwrap());
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".values")).collect()
}

/// A folder with a circuit, two pairs of keys, and inputs under them.
fn ready(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.ok("compile digits.onnx -o digits.fhe --log-n 16");
    for pair in ["", "2"] {
        folder.ok(&format!(
            "keygen digits.client --secret secret{pair}.key --evaluation eval{pair}.keys"
        ));
    }
    for (input, pair) in [("x", ""), ("other", ""), ("foreign", "2")] {
        folder.ok(&format!(
            "encrypt digits.client --secret secret{pair}.key --input image=image.npy -o {input}.ct"
        ));
    }
    folder
}

/// Runs to the end, from a checkpoint if one is left, and says so.
fn goes_on(folder: &Folder, run: &str) {
    let left = !kept(folder).is_empty();
    let output = folder.run(run);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.contains("the run goes on from there"), left, "{said}");
}

const RUN: &str = "run digits.fhe --evaluation eval.keys --input x.ct";
const STEPS: &str = "--checkpoint steps --step-seconds 0.005";

#[test]
fn runs_that_are_killed_go_on_from_their_checkpoint() {
    let folder = ready("checkpoint");
    folder.ok(&format!("{RUN} -o whole.ct"));
    let by_steps = format!("{RUN} {STEPS} -o y.ct");
    let (mut killed, mut places) = (0, Vec::new());
    for i in 0..10u64 {
        let mut child = start(&folder, &by_steps);
        if i % 2 == 0 {
            wait_for(&mut child, || !kept(&folder).is_empty());
        }
        sleep(Duration::from_millis(i * i * 37 % 120));
        killed += usize::from(!kill(child).success());
        assert!(kept(&folder).len() <= 2, "{:?}", kept(&folder));
        places.extend(kept(&folder));
    }
    assert!(
        killed > 0 && !places.is_empty(),
        "{killed} killed, kept {places:?}"
    );
    goes_on(&folder, &by_steps);
    assert_eq!(folder.bytes("y.ct"), folder.bytes("whole.ct"));
    assert!(!folder.path("steps").exists());
}

#[test]
fn a_checkpoint_of_something_else_is_refused_and_stays() {
    let folder = ready("checkpoint-foreign");
    let mut child = start(&folder, &format!("{RUN} {STEPS} -o y.ct"));
    wait_for(&mut child, || !kept(&folder).is_empty());
    kill(child);
    let before = kept(&folder);
    folder.ok("compile digits.onnx -o twin.fhe --log-n 15");
    folder.ok("keygen twin.client --secret twin.key --evaluation twin.keys");
    folder.ok("encrypt twin.client --secret twin.key --input image=image.npy -o twin.ct");
    for (run, why) in [
        (
            "digits.fhe --evaluation eval.keys --input other.ct",
            "inputs",
        ),
        (
            "digits.fhe --evaluation eval2.keys --input foreign.ct",
            "key",
        ),
        ("twin.fhe --evaluation twin.keys --input twin.ct", "circuit"),
    ] {
        let said = folder.fails(&format!("run {run} {STEPS} -o z.ct"));
        let place = format!("steps/{}", before[0]);
        assert!(said.contains(&place) && said.contains(why), "{said}");
        assert!(said.contains("remove"), "{said}");
        assert_eq!(kept(&folder), before);
    }
    // A damaged one, too.
    let path = folder.path(&format!("steps/{}", before[0]));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let said = folder.fails(&format!("{RUN} {STEPS} -o z.ct"));
    assert!(said.contains(&before[0]), "{said}");
    // One that claims to be further than it is lacks values.
    std::fs::write(folder.path("steps/v999999.values"), &bytes).unwrap();
    let said = folder.fails(&format!("{RUN} {STEPS} -o z.ct"));
    assert!(said.contains("error"), "{said}");
    std::fs::remove_file(folder.path("steps/v999999.values")).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    goes_on(&folder, &format!("{RUN} {STEPS} -o z.ct"));
    folder.ok(&format!("{RUN} -o whole.ct"));
    assert_eq!(folder.bytes("z.ct"), folder.bytes("whole.ct"));
}

#[test]
fn two_runs_do_not_share_a_checkpoint() {
    let folder = ready("checkpoint-twice");
    // As a run does while it uses the folder.
    std::fs::create_dir(folder.path("steps")).unwrap();
    let used = std::fs::File::create(folder.path("steps/in-use")).unwrap();
    used.lock().unwrap();
    let said = folder.fails(&format!("{RUN} {STEPS} -o y.ct"));
    assert!(said.contains("in use by another run"), "{said}");
    assert!(!folder.path("y.ct").exists());
    drop(used);
    folder.ok(&format!("{RUN} {STEPS} -o y.ct"));
    assert!(!folder.path("steps").exists());
    // A run keeps it locked from its first step on.
    let mut first = start(&folder, &format!("{RUN} {STEPS} -o z.ct"));
    wait_for(&mut first, || !kept(&folder).is_empty());
    let in_use = std::fs::File::open(folder.path("steps/in-use")).unwrap();
    assert!(in_use.try_lock().is_err());
    kill(first);
    in_use.lock().unwrap();
}

/// Files of limited length stand for a disk that is full.
#[test]
fn a_run_goes_on_after_its_checkpoint_found_no_room() {
    let folder = ready("checkpoint-full");
    folder.ok(&format!("{RUN} -o whole.ct"));
    let program = env!("CARGO_BIN_EXE_peregrine");
    let line = format!("trap '' XFSZ; ulimit -f 1; exec {program} {RUN} {STEPS} -o y.ct");
    let mut shell = Command::new("bash");
    let output = shell
        .current_dir(folder.path(""))
        .args(["-c", &line])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("error: steps/v") && said.contains("cannot be written"),
        "{said}"
    );
    assert!(kept(&folder).is_empty() && !folder.path("y.ct").exists());
    folder.ok(&format!("{RUN} {STEPS} -o y.ct"));
    assert_eq!(folder.bytes("y.ct"), folder.bytes("whole.ct"));
}
