//! What import reports: every problem with its place, rendered for the model's owner.

use super::advice::{Help, Note};
use super::problem::Problem;
use std::fmt;

/// Why a model cannot be compiled: everything wrong with it, in node order.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportErrors {
    /// The name of the model in messages.
    pub model: String,
    /// The problems, at least one; those of the model as a whole come first.
    pub diagnostics: Vec<Diagnostic>,
}

/// A problem of a model with its place, reason and way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// The node that has the problem; none for the model as a whole.
    pub site: Option<Site>,
    /// What is wrong.
    pub problem: Problem,
    /// The reason for the limit that is exceeded.
    pub note: Option<Note>,
    /// A way out of the problem.
    pub help: Option<Help>,
}

/// A node of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Name of the node; `<op>_<position>` when the model gives none.
    pub node: String,
    /// Operator of the node.
    pub op: String,
    /// Place of the node in the model, counted from 1.
    pub position: usize,
    /// Number of nodes of the model.
    pub of: usize,
    /// Name of the node's first output.
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
