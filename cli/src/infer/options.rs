//! What an inference is asked for.

use crate::options::CompileOptions;
use serde::{Deserialize, Serialize};

/// How [`infer`](crate::infer::infer) compiles and runs a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InferOptions {
    /// The options of the compiler.
    pub compile: CompileOptions,
    /// The labels of the images, one for each, where they are known.
    pub labels: Option<Vec<i64>>,
    /// Most images that are run; 3 by default.
    pub limit: usize,
    /// Most bytes for the whole process while circuits run; by default nine tenths of what is free.
    pub memory: Option<u64>,
}

impl Default for InferOptions {
    fn default() -> Self {
        Self {
            compile: CompileOptions::default(),
            labels: None,
            limit: 3,
            memory: None,
        }
    }
}
