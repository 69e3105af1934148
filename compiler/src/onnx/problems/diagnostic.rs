//! What import reports: every problem with its place, rendered for the model's owner.

use super::advice::{Help, Note};
use super::problem::Problem;
use std::fmt;

/// Everything wrong with a model, in node order.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportErrors {
    /// What the model is called in messages.
    pub model: String,
    /// At least one; those of the model as a whole first.
    pub diagnostics: Vec<Diagnostic>,
}

/// One problem and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// The node, or `None` for the model as a whole.
    pub site: Option<Site>,
    /// What is wrong.
    pub problem: Problem,
    /// Why that is a limit.
    pub note: Option<Note>,
    /// A way out.
    pub help: Option<Help>,
}

/// A node of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name; `<op>_<position>` when the model gives none.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// Its place in the model, from 1.
    pub position: usize,
    /// How many nodes the model has.
    pub of: usize,
    /// Its first output.
    pub output: String,
}

impl Diagnostic {
    pub(in crate::onnx) fn new(site: Option<Site>, problem: Problem) -> Self {
        Self {
            site,
            note: problem.note(),
            help: problem.help(),
            problem,
        }
    }
}

impl ImportErrors {
    fn write(&self, f: &mut fmt::Formatter<'_>, diagnostic: &Diagnostic) -> fmt::Result {
        match &diagnostic.site {
            Some(site) => write!(
                f,
                "error: {} `{}`: {}\n  --> {}, node {} of {}, output `{}`",
                site.op,
                site.node,
                diagnostic.problem,
                self.model,
                site.position,
                site.of,
                site.output
            )?,
            None => write!(f, "error: {}\n  --> {}", diagnostic.problem, self.model)?,
        }
        if let Some(note) = diagnostic.note {
            write!(f, "\n   = note: {note}")?;
        }
        if let Some(help) = diagnostic.help {
            write!(f, "\n   = help: {help}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ImportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.diagnostics.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            self.write(f, diagnostic)?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportErrors {}
