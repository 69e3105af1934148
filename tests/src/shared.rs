//! Data that tests use and the project does not contain: real models, conformance cases.
//!
//! The folder is named by the environment variable `PEREGRINE_SHARED`, or lies as `shared` beside the workspace. A test
//! that needs it and does not find it says so and passes.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A folder or file of the shared data, or `None` with a line on standard error that says that `test` was skipped, and why: past
/// the harness, which keeps to itself what tests print that pass.
pub fn shared(test: &str, path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PEREGRINE_SHARED").map_or_else(beside, PathBuf::from);
    let found = folder.join(path);
    if found.exists() {
        return Some(found);
    }
    let found = found.display();
    skipped(
        test,
        &format!("{found} is not there; PEREGRINE_SHARED=FOLDER says where shared data lies"),
    );
    None
}

/// Says that a test is skipped, and why.
pub fn skipped(test: &str, why: &str) {
    // A test is not failed for want of a terminal.
    let _ = writeln!(io::stderr(), "skipped: {test}: {why}");
}

fn beside() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = manifest.parent().unwrap_or(manifest);
    workspace.parent().unwrap_or(workspace).join("shared")
}
