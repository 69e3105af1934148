//! Limits of memory are kept by the process as a whole, from the least that is accepted upwards.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod common;

use common::Folder;

#[cfg(not(target_os = "linux"))]
#[test]
fn skipped_because_peak_memory_is_only_read_on_linux() {
    let why = "peak memory of a process is only read on Linux";
    peregrine_tests::shared::skipped("memory limits", why);
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Folder;
    use serde_json::Value;
    use std::process::Stdio;
    use std::time::{Duration, Instant};
    use wait4::Wait4;

    const MIB: f64 = (1 << 20) as f64;
    /// How far a process may exceed its limit.
    const TOLERANCE: f64 = 1.05;

    /// A finished run.
    struct Ran {
        report: Value,
        /// As the system counted it, in bytes.
        peak: f64,
        time: Duration,
    }

    impl Ran {
        fn number(&self, name: &str) -> f64 {
            self.report[name].as_f64().unwrap()
        }
    }

    /// Runs a verb that must succeed, with its peak memory.
    fn measure(folder: &Folder, line: &str) -> Ran {
        let started = Instant::now();
        let out = folder.path("report.json");
        let mut command = folder.command(&format!("{line} --json"));
        command.stdout(std::fs::File::create(&out).unwrap());
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let usage = child.wait4().unwrap();
        assert!(usage.status.success(), "{line}");
        Ran {
            report: serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap(),
            peak: usage.rusage.maxrss as f64,
            time: started.elapsed(),
        }
    }

    /// The least memory that a verb accepts, in MiB, as its refusal of a limit names it.
    ///
    /// Keys are not compared before and after: a child inherits the peak memory of the process that starts it.
    fn least(folder: &Folder, line: &str, limit: &str) -> f64 {
        let output = folder.run(&format!("{line} --memory {limit}"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let needs = said.split_once("the run needs ");
        let number = needs.and_then(|(_, rest)| rest.split_once(" MiB of memory"));
        let (number, _) = number.unwrap_or_else(|| panic!("{said}"));
        number.parse().unwrap()
    }

    /// Runs a verb with limits from the least to several times that, and once without.
    fn keeps_its_limits(folder: &Folder, line: &str, factors: &[f64]) -> Vec<Ran> {
        let least = least(folder, line, "1MiB");
        let mut runs = Vec::new();
        for limit in factors.iter().map(|factor| least * factor) {
            let ran = measure(folder, &format!("{line} --memory {limit:.1}MiB"));
            let predicted = ran.number("predicted_peak") / MIB;
            let (own, peak) = (ran.number("measured_peak") / MIB, ran.peak / MIB);
            println!(
                "limit {limit:.1} MiB: predicted {predicted:.1}, measured {own:.1}, {peak:.1} by the system"
            );
            assert!(
                predicted <= limit + 0.1,
                "predicted {predicted:.1} at {limit:.1} MiB"
            );
            assert!(peak <= TOLERANCE * limit, "{peak:.1} MiB at {limit:.1} MiB");
            assert!(
                (own / peak - 1.0).abs() < 0.1,
                "{own:.1} MiB reported of {peak:.1} MiB"
            );
            runs.push(ran);
        }
        let started = Instant::now();
        let below = format!("{:.1}MiB", 0.9 * least);
        let again = self::least(folder, line, &below);
        assert!(
            (again / least - 1.0).abs() < 0.05,
            "{again} and {least} MiB"
        );
        let refused = started.elapsed();
        let fastest = runs.iter().map(|ran| ran.time).min().unwrap();
        assert!(
            refused < fastest,
            "{refused:?} to refuse, {fastest:?} to run"
        );
        runs
    }

    /// A folder in which the example is compiled with these choices, with keys and an encrypted image.
    fn compiled(name: &str, choices: &str) -> Folder {
        let folder = Folder::new(name);
        folder.ok(&format!(
            "compile digits.onnx -o digits.fhe {LARGE} {choices}"
        ));
        folder.ok("keygen digits.client --secret secret.key --evaluation eval.keys");
        folder.ok("encrypt digits.client --secret secret.key --input image.npy -o x.ct");
        folder
    }

    /// Options for a circuit that is large enough to be measured.
    const LARGE: &str = "--operation-bits 12 --headroom-bits 10 --key-budget none";

    const RUN: &str = "run digits.fhe --evaluation eval.keys --input x.ct -o y.ct";

    #[test]
    fn a_run_keeps_its_limit() {
        let folder = compiled("memory", "");
        keeps_its_limits(&folder, RUN, &[1.0, 1.3, 1.6, 2.0, 3.0, 10.0]);
    }

    #[test]
    fn a_run_of_hundreds_of_mebibytes_keeps_its_limit() {
        let folder = compiled("memory-large", "--log-n 15");
        let mut answers = Vec::new();
        for factors in [&[1.0][..], &[1.5], &[2.5]] {
            keeps_its_limits(&folder, RUN, factors);
            answers.push(folder.bytes("y.ct"));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn inference_keeps_its_limit_and_uses_what_is_left_for_constants() {
        let folder = Folder::new("memory-infer");
        let line = &format!("infer digits.onnx --input images.npy --limit 3 {LARGE}");
        // What the process holds when keys are made is known then only, and differs from run to run.
        let runs = keeps_its_limits(&folder, line, &[1.2, 1.4, 4.0]);
        let cache = |ran: &Ran| ran.report["predicted_memory"]["cache"].as_u64().unwrap();
        let cached: Vec<u64> = runs.iter().map(cache).collect();
        assert!(cached.is_sorted() && cached[0] < cached[2], "{cached:?}");
        assert_eq!(cache(&measure(&folder, line)), cached[2]);
        let once = &format!("infer digits.onnx --input images.npy --limit 1 {LARGE}");
        assert_eq!(cache(&measure(&folder, once)), 0);
    }
}
