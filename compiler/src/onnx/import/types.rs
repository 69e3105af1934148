//! Element types of values, followed from node to node.
//!
//! All floating-point types compute alike here, so a lowering need not know them; a model that mixes them without a Cast is
//! not one that other implementations take, and what it was meant to compute is not known.

use crate::onnx::build::Value;
use crate::onnx::format::Element;
use crate::onnx::schema::{SchemaError, Signature};
use onnx_protobuf::NodeProto;
use std::collections::BTreeMap;

/// The element types of the values that are known so far.
#[derive(Default)]
pub(super) struct Types<'m>(BTreeMap<&'m str, Element>);

impl<'m> Types<'m> {
    /// States the type of a value.
    pub(super) fn set(&mut self, name: &'m str, element: Element) {
        self.0.insert(name, element);
    }

    /// The type of a value, where it is known.
    pub(super) fn get(&self, name: &str) -> Option<Element> {
        self.0.get(name).copied()
    }

    /// Checks the operands of `node` against its signature, and notes the types of its results.
    pub(super) fn follow(
        &mut self,
        node: &'m NodeProto,
        signature: Signature,
        operands: &[Option<Value>],
    ) -> Result<(), SchemaError> {
        let mut bound: BTreeMap<&str, (Element, &str)> = BTreeMap::new();
        let words = words(signature.operands, node.input.len());
        for ((word, name), value) in words.zip(&node.input).zip(operands) {
            let Some(found) = self.of(name, value.as_ref()) else {
                continue;
            };
            let (expected, like) = match fixed(word) {
                Some(expected) => (expected, None),
                None => {
                    let (element, first) = *bound.entry(word).or_insert((found, name));
                    (element, Some(first.to_owned()))
                }
            };
            if found != expected {
                return Err(SchemaError::OperandType {
                    name: name.clone(),
                    found,
                    expected,
                    like,
                });
            }
        }
        for (word, name) in words_of(signature.results, node).zip(&node.output) {
            let bound = bound.get(word).map(|(element, _)| *element);
            if let Some(element) = fixed(word).or(bound).or_else(|| converted(node)) {
                self.0.insert(name, element);
            }
        }
        Ok(())
    }

    fn of(&self, name: &str, value: Option<&Value>) -> Option<Element> {
        match value? {
            Value::Known(constant) => Some(constant.element),
            Value::Integers { element, .. } => Some(*element),
            Value::Encrypted(_) | Value::Finished(_) | Value::Unavailable => self.get(name),
        }
    }
}

/// The words of a list, the last one repeated as often as `count` needs.
fn words(list: &'static str, count: usize) -> impl Iterator<Item = &'static str> {
    let words = list.split(' ');
    let last = list.rsplit(' ').next().filter(|word| word.ends_with('*'));
    let more = last.into_iter().cycle();
    words
        .chain(more)
        .take(count)
        .map(|word| word.trim_end_matches(['?', '*']))
}

fn words_of(list: &'static str, node: &NodeProto) -> impl Iterator<Item = &'static str> {
    words(list, node.output.len())
}

/// The type that a node converts to.
fn converted(node: &NodeProto) -> Option<Element> {
    let to = node.attribute.iter().find(|a| a.name == "to")?;
    Some(Element::from_onnx(i32::try_from(to.i).ok()?))
}

/// The type that a word stands for, if it is no variable.
fn fixed(word: &str) -> Option<Element> {
    Some(match word {
        "float" => Element::FLOAT32,
        "int64" => Element::INT64,
        "bool" => Element::Bool,
        _ => return None,
    })
}
