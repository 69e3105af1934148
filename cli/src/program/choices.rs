//! The options of the compiler, from the command line and the files that it names.

use super::args::{Choices, SecurityArg};
use super::error::Error;
use super::files;
use super::inputs::Inputs;
use super::warn::Promises;
use peregrine::{AskedRange, CompileOptions, KeyBudget, Model, Security};
use std::path::Path;

/// What was asked for a model in a file.
pub fn options(
    path: &Path,
    model: &Model,
    choices: &Choices,
    promises: &mut Promises,
) -> Result<CompileOptions, Error> {
    let like = choices.like.as_deref();
    let like = like.map(|path| files::interface(path, promises));
    let ranges = choices.input_range.iter().map(|arg| AskedRange {
        input: arg.name.clone(),
        low: arg.interval.min(),
        high: arg.interval.max(),
    });
    let calibrate = match choices.calibrate.as_slice() {
        [] => Vec::new(),
        files => Inputs::read(files, &model.input_names(), path)?.images(&model.inputs())?,
    };
    Ok(CompileOptions {
        precision_bits: choices.precision_bits,
        operation_bits: choices.operation_bits,
        headroom_bits: choices.headroom_bits,
        log_n: choices.log_n,
        security: match choices.security {
            SecurityArg::Classical128 => Security::Classical128,
            SecurityArg::None => Security::None,
        },
        key_budget: choices.key_budget.unwrap_or(KeyBudget::DEFAULT),
        like: like.transpose()?,
        profile: choices.profile.as_deref().map(files::profile).transpose()?,
        calibrate,
        input_ranges: ranges.collect(),
        without: choices.without.iter().copied().collect(),
        ablate: false,
        threads: None,
    })
}

/// Reads a model.
pub fn model(path: &Path) -> Result<Model, Error> {
    Model::open(path).map_err(Error::load)
}
