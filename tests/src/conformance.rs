//! The ONNX project's own test cases, as the shared data lay them out.

use peregrine_compiler::onnx::{self, Options};
use peregrine_compiler::tensor::Graph;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What must happen.
    pub expect: Expect,
    /// The operators of its model.
    pub ops: Vec<String>,
    /// Where its files are.
    pub folder: PathBuf,
}

/// What must happen to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It compiles and computes the stored output.
    Compute,
    /// It is refused with an error that names the node.
    Refuse,
    /// Either is fine.
    Optional,
}

impl Case {
    /// The stored tensor `name` of the case, such as `input_0`.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub fn tensor(&self, name: &str) -> Result<onnx::TensorValue, super::flow::Failure> {
        let bytes = std::fs::read(self.folder.join(format!("{name}.pb")))?;
        Ok(onnx::read_tensor(&bytes)?)
    }

    /// The front end's graph of the model.
    ///
    /// # Errors
    /// When it is refused or cannot be read.
    pub fn import(&self) -> Result<Graph, String> {
        let bytes = self.model().map_err(|e| e.to_string())?;
        onnx::import(&bytes, &onnx::NoExternalData, &Options::new(&self.name))
            .map_err(|e| e.to_string())
    }

    /// Checks that the model is refused, that every reason names its node and offers a way out.
    ///
    /// # Errors
    /// What is missing.
    pub fn refused(&self) -> Result<(), String> {
        let bytes = self.model().map_err(|e| e.to_string())?;
        let options = Options::new(&self.name);
        let Err(errors) = onnx::import(&bytes, &onnx::NoExternalData, &options) else {
            return Err("was not refused".into());
        };
        let text = errors.to_string();
        for diagnostic in &errors.diagnostics {
            let site = diagnostic.site.as_ref();
            let site = site.ok_or_else(|| format!("names no node: {text}"))?;
            let named = text.contains(&format!("{} `{}`", site.op, site.node));
            if !named || diagnostic.help.is_none() {
                return Err(format!("names no node or no way out: {text}"));
            }
        }
        Ok(())
    }

    /// The model's bytes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn model(&self) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.folder.join("model.onnx"))
    }
}

/// The tolerance for a case whose stored output is rounded to four digits.
pub fn rounded(case: &Case) -> Option<f64> {
    (case.name == "test_averagepool_2d_ceil_last_window_starts_on_pad").then_some(1e-3)
}

/// All cases of a folder, in the order of its index.
///
/// # Errors
/// When the index cannot be read.
pub fn cases(folder: &Path) -> std::io::Result<Vec<Case>> {
    let index = std::fs::read_to_string(folder.join("index.csv"))?;
    let case = |line: &str| {
        let mut fields = line.split(',');
        let name = fields.next().unwrap_or_default().to_owned();
        let expect = match fields.next() {
            Some("compute") => Expect::Compute,
            Some("refuse") => Expect::Refuse,
            _ => Expect::Optional,
        };
        let ops = fields
            .next()
            .unwrap_or_default()
            .split(' ')
            .map(str::to_owned)
            .collect();
        Case {
            folder: folder.join(&name),
            name,
            expect,
            ops,
        }
    };
    Ok(index.lines().skip(1).map(case).collect())
}

/// How many cases of an operator went how.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: BTreeMap<String, [usize; 3]>,
    /// The cases that failed, with the reason.
    pub failures: Vec<String>,
}

impl Table {
    /// Records the outcome of a case under each of its operators.
    pub fn record(&mut self, case: &Case, outcome: &Result<Outcome, String>) {
        let column = match outcome {
            Ok(Outcome::Passed) => 0,
            Err(_) => 1,
            Ok(Outcome::NotSupported) => 2,
        };
        if let Err(reason) = outcome {
            self.failures.push(format!("{}: {reason}", case.name));
        }
        for op in &case.ops {
            let row = self.rows.entry(op.clone()).or_default();
            if let Some(count) = row.get_mut(column) {
                *count += 1;
            }
        }
    }

    /// Prints one line per operator.
    pub fn print(&self) {
        println!(
            "{:24} {:>7} {:>7} {:>18}",
            "operator", "passed", "failed", "not yet supported"
        );
        for (op, [passed, failed, missing]) in &self.rows {
            println!("{op:24} {passed:>7} {failed:>7} {missing:>18}");
        }
    }
}

/// How a case went, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it must.
    Passed,
    /// Refused, where computing it is a matter for later.
    NotSupported,
}
