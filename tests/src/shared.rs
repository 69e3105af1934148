//! Data that tests use and the project does not contain: real models, conformance cases.
//!
//! The folder is named by the environment variable `PEREGRINE_SHARED`, or lies as `shared` beside the workspace. A test
//! that needs it and does not find it says so and passes.

use std::path::{Path, PathBuf};

/// A folder or file of the shared data, or `None` with a line on standard output that says that `test` was skipped.
pub fn shared(test: &str, path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PEREGRINE_SHARED").map_or_else(beside, PathBuf::from);
    let found = folder.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: {test}: no shared models");
    None
}

fn beside() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = manifest.parent().unwrap_or(manifest);
    workspace.parent().unwrap_or(workspace).join("shared")
}
