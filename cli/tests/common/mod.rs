//! Running the binary in a folder of its own.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with the digits example in it.
pub struct Folder(PathBuf);

/// Files of the example.
const EXAMPLE: [&str; 4] = ["digits.onnx", "image.npy", "images.npy", "labels.npy"];

impl Folder {
    /// A fresh folder of this name.
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("cli")
            .join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
        for file in EXAMPLE {
            fs::copy(example.join(file), path.join(file)).unwrap();
        }
        Self(path)
    }

    /// A folder in which the example is compiled, with keys and an encrypted image.
    pub fn compiled(name: &str) -> Self {
        let folder = Self::new(name);
        folder.ok("compile digits.onnx -o digits.fhe");
        folder.ok("keygen digits.client --secret secret.key --evaluation eval.keys");
        folder.ok("encrypt digits.client --secret secret.key --input image.npy -o x.ct");
        folder
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    pub fn bytes(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    }

    pub fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(file), bytes).unwrap();
    }

    /// The names of all files, hidden ones among them.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap());
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub fn remove(&self, files: &[&str]) {
        for file in files {
            fs::remove_file(self.path(file)).unwrap();
        }
    }

    /// All files and their content.
    fn content(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.path().is_file());
        files
            .map(|e| {
                (
                    e.file_name().into_string().unwrap(),
                    fs::read(e.path()).unwrap(),
                )
            })
            .collect()
    }

    /// A command line that is not yet run.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peregrine"));
        command.current_dir(&self.0).args(line.split_whitespace());
        command
    }

    /// Runs a command line.
    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs what must succeed without a word on standard error; its standard output.
    pub fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && errors.is_empty(),
            "{line}: {}\n{errors}",
            output.status
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs what must succeed and print one JSON object.
    pub fn json(&self, line: &str) -> Value {
        let printed = self.ok(&format!("{line} --json"));
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{line}: {e}\n{printed}"))
    }

    /// Runs what must fail with exit code 1, print nothing and leave the folder as it is; what it says, fingerprints
    /// left out.
    pub fn fails(&self, line: &str) -> String {
        let before = self.content();
        let output = self.run(line);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert!(output.stdout.is_empty(), "{line}: printed before it failed");
        let after = self.content();
        assert!(
            before.keys().eq(after.keys()),
            "{line}: {:?} became {:?}",
            before.keys(),
            after.keys()
        );
        assert!(before == after, "{line}: a file was changed");
        without_fingerprints(said.trim_end())
    }
}

/// Words of 16 hexadecimal digits become `<fingerprint>`.
fn without_fingerprints(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        let hex = word.len() == 16 && word.chars().all(|c| c.is_ascii_hexdigit());
        out.push_str(if hex { "<fingerprint>" } else { word });
        word.clear();
    };
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c);
        } else {
            flush(&mut word, &mut out);
            out.push(c);
        }
    }
    flush(&mut word, &mut out);
    out
}
