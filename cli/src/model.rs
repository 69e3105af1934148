//! Models: networks that were read from ONNX.

use crate::arrays::{BatchError, split};
use peregrine_compiler::onnx::{self, ImportErrors, LoadError, NoExternalData, Options};
use peregrine_compiler::tensor::{Graph, Stated};
use peregrine_ir::Shape;
use peregrine_runtime::ports::{Array, Arrays};
use std::path::Path;

/// A network that was read from ONNX and can be compiled: every operator is one that the compiler knows, and activations are
/// polynomials.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use peregrine::Model;
///
/// let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/digits.onnx"))?;
/// assert_eq!(model.name(), "digits");
/// let (name, shape) = model.inputs()[0];
/// assert_eq!((name, shape.dims()), ("image", &[1, 1, 8, 8][..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Model {
    name: String,
    graph: Graph,
}

impl Model {
    /// Reads the model in a file; external data are looked for in its folder. Circuits of the model are called as the file.
    ///
    /// # Errors
    /// When the file cannot be read; when the model cannot be compiled, with every reason.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let file = path.file_name().unwrap_or(path.as_os_str());
        let options = Options::new(file.to_string_lossy());
        Ok(Self {
            graph: onnx::load(path, &options)?,
            name: identifier(&path.file_stem().unwrap_or_default().to_string_lossy()),
        })
    }

    /// Reads a model from the bytes of an ONNX file without external data. `name` is what circuits of it are called; what is
    /// no letter or digit becomes an underscore.
    ///
    /// ```
    /// use peregrine::Model;
    ///
    /// let refused = Model::from_bytes("none", b"not a model").unwrap_err();
    /// assert!(refused.to_string().contains("not an ONNX model"));
    /// ```
    ///
    /// # Errors
    /// When the model cannot be compiled, with every reason.
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, ImportErrors> {
        let graph = onnx::import(bytes, &NoExternalData, &Options::new(name))?;
        let name = identifier(name);
        Ok(Self { name, graph })
    }

    /// A model with the tensor graph of any other source.
    pub fn from_graph(name: &str, graph: Graph) -> Self {
        let name = identifier(name);
        Self { name, graph }
    }

    /// The name of the model, by which circuits of it are called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The network as a graph of tensors.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The ranges of values that the model's metadata state, if any: `peregrine-finetune` writes them.
    pub fn stated(&self) -> Option<&Stated> {
        self.graph.stated.as_ref()
    }

    /// Name and shape of each input, as a client gives it, in the model's order.
    pub fn inputs(&self) -> Vec<(&str, &Shape)> {
        let inputs = self.graph.inputs();
        inputs
            .map(|(node, name)| (name, self.graph.given_shape(node)))
            .collect()
    }

    /// The names of the inputs, in the model's order.
    pub fn input_names(&self) -> Vec<&str> {
        self.graph.inputs().map(|(_, name)| name).collect()
    }

    /// Name and shape of each output, as a client gets it, in the model's order.
    pub fn outputs(&self) -> Vec<(String, Shape)> {
        let outputs = self.blank_outputs();
        let names = self.graph.outputs.iter().map(|output| &output.name);
        names
            .filter_map(|name| Some((name.clone(), outputs.get(name)?.shape().clone())))
            .collect()
    }

    /// The images of a batch, each with all inputs of the model: [`split`].
    ///
    /// # Errors
    /// When the batch does not fit the inputs.
    pub fn images(&self, batch: &Arrays) -> Result<Vec<Arrays>, BatchError> {
        split(batch, &self.inputs())
    }

    /// Outputs as the model gives them, without values.
    pub(crate) fn blank_outputs(&self) -> Arrays {
        let outputs = self.graph.outputs.iter().filter_map(|output| {
            let shape = self.graph.node(output.node).shape.clone();
            let zeros = vec![0.0; shape.elements()];
            let array = Array::new(shape, zeros).ok()?;
            Some((output.name.clone(), array.finished(&output.finish).ok()?))
        });
        outputs.collect()
    }
}

/// A name as an identifier: what no identifier may have becomes an underscore.
fn identifier(name: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut name: String = name.chars().take(60).map(word).collect();
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
        assert_eq!(identifier("resnet20"), "resnet20");
        assert_eq!(identifier("lenet 5-sq.v2"), "lenet_5_sq_v2");
        assert_eq!(identifier("5"), "_5");
    }
}
