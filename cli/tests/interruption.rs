//! What is left when a verb is interrupted, or when two write the same files at once.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod common;

use common::Folder;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Numbers of the signals that people and systems send, by name.
const SIGNALS: [(&str, i32); 3] = [("INT", 2), ("TERM", 15), ("HUP", 1)];

/// Whether what is started here ignores a hangup, as under `nohup`.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
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
        if signal.0 == "HUP" && ignores_hangup() {
            println!("skipped: HUP, which this process was started to ignore");
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
    let line = format!("trap '' HUP; exec {program} compile digits.onnx -o digits.fhe --log-n 16");
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path("")).args(["-c", &line]);
    let mut child = shell.stdout(Stdio::null()).spawn().unwrap();
    for _ in 0..5 {
        sleep(Duration::from_millis(10));
        send("HUP", &child);
    }
    assert!(child.wait().unwrap().success());
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
