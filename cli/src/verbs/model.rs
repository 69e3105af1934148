//! From a model file to a circuit: what `compile` and `infer` share.

use crate::args::{Choices, SecurityArg};
use crate::error::Error;
use crate::files;
use peregrine_compiler::manage::like::Like;
use peregrine_compiler::onnx::{self, Options};
use peregrine_compiler::passes::keys::KeyBudget;
use peregrine_compiler::pipeline::Config;
use peregrine_compiler::tensor::Graph;
use peregrine_ir::{Security, Shape};
use std::path::Path;

/// Reads a model.
pub fn load(path: &Path) -> Result<Graph, Error> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    onnx::load(path, &Options::new(name.to_string_lossy())).map_err(Error::load)
}

/// The inputs of a model with their shapes.
pub fn ports(graph: &Graph) -> Vec<(&str, &Shape)> {
    let inputs = graph.inputs();
    inputs
        .map(|(node, name)| (name, graph.given_shape(node)))
        .collect()
}

/// The names of the inputs of a model.
pub fn names(graph: &Graph) -> Vec<&str> {
    graph.inputs().map(|(_, name)| name).collect()
}

/// The configuration that was chosen, for a circuit that is called as its model's file.
pub fn config(path: &Path, choices: &Choices) -> Result<Config, Error> {
    let mut config = Config::new(identifier(path));
    config.security = match choices.security {
        SecurityArg::Classical128 => Security::Classical128,
        SecurityArg::None => Security::None,
    };
    config.precision_bits = choices.operation_bits.unwrap_or(config.precision_bits);
    config.headroom_bits = choices.headroom_bits.unwrap_or(config.headroom_bits);
    if let Some(log_n) = choices.log_n {
        config.log_n = log_n..=log_n;
    }
    let like = choices.like.as_deref().map(files::interface).transpose()?;
    config.like = like.as_ref().map(Like::new);
    config.key_budget = choices.key_budget.unwrap_or(KeyBudget::DEFAULT);
    config.without = choices.without.iter().copied().collect();
    config.cost = files::cost_model(choices.profile.as_deref())?;
    Ok(config)
}

/// The stem of a file name as an identifier.
fn identifier(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut name: String = stem.chars().take(60).map(word).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circuit_is_called_as_its_file() {
        let name = |path: &str| identifier(Path::new(path));
        assert_eq!(name("a/b.c/resnet20.onnx"), "resnet20");
        assert_eq!(name("lenet 5-sq.v2.onnx"), "lenet_5_sq_v2");
        assert_eq!(name("5.onnx"), "_5");
    }
}
