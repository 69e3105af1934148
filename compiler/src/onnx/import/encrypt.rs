//! Inputs on their way from the client to the server: what is worked on before it is encrypted, and the encryption.
#![deny(clippy::indexing_slicing)]

use super::given::Given;
use super::importer::Importer;
use crate::onnx::build::{Base, Finished, Value};
use crate::onnx::format::Element;
use crate::onnx::model::Input;
use crate::onnx::problems::Problem;
use crate::tensor::{Source, SourceId};
use peregrine_ir::{Finish, InputElement, Prepare, Shape};

impl<'m> Importer<'m> {
    /// An input that the client does not encrypt as it is.
    pub(super) fn given(&mut self, input: &Input<'m>) -> Result<(), Problem> {
        let source = SourceId(self.builder.graph.sources.len() as u32);
        let shape = Shape::new(input.dims.clone())?;
        self.builder.check_size(shape.dims())?;
        self.builder.graph.sources.push(Source {
            name: input.name.to_owned(),
            op: "Input".to_owned(),
        });
        let value = Value::Finished(Finished {
            base: Base::Input(self.given.len()),
            shape,
            finish: Finish::default(),
            dims: input.dims.clone(),
            element: input.element,
        });
        let (name, element) = (input.name, input.element);
        self.given.push(Given {
            name,
            element,
            source,
        });
        if self.values.insert(name, value).is_some() {
            let name = name.to_owned();
            self.report(None, Problem::Duplicate { name });
        }
        Ok(())
    }

    /// The encrypted tensor that the client makes of an input.
    fn encrypt(&mut self, made: &Finished, input: usize) -> Result<Value, Problem> {
        let Some(given) = self.given.get(input) else {
            return Ok(Value::Unavailable);
        };
        let name = given.name.to_owned();
        if !made.element.is_float() {
            let element = made.element;
            return Err(Problem::Integers { name, element });
        }
        let element = match given.element {
            Element::Integer { signed: true, bits } => InputElement::Signed(bits),
            Element::Integer { bits, .. } => InputElement::Unsigned(bits),
            Element::Bool => InputElement::Bool,
            Element::Float(_) | Element::Other(_) => InputElement::Real,
        };
        let (of, shape) = (given.source, made.shape.clone());
        let of = std::mem::replace(&mut self.builder.source, of);
        let node = self.builder.input(&name, &made.dims);
        self.builder.source = of;
        let node = node?;
        if !made.finish.is_empty() || element != InputElement::Real {
            let steps = made.finish.clone();
            let prepare = Prepare {
                shape,
                element,
                steps,
            };
            self.builder.graph.prepare.insert(name, prepare);
        }
        Ok(Value::Encrypted(node))
    }

    /// The value called `name` as the server has it.
    pub(super) fn server_value(&mut self, name: &'m str) -> Result<Value, Problem> {
        let value = self.value(name)?;
        let Value::Finished(made) = &value else {
            return Ok(value);
        };
        let Base::Input(input) = made.base else {
            return Ok(value);
        };
        let encrypted = self.encrypt(made, input);
        let kept = encrypted.as_ref().map_or(Value::Unavailable, Value::clone);
        self.values.insert(name, kept);
        encrypted
    }
}
