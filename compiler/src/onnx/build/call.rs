//! A node as its lowering sees it: values of its operands, attributes with defaults.
#![deny(clippy::indexing_slicing)]

use super::value::Value;
use crate::onnx::format::Constant;
use crate::onnx::problems::Problem;
use crate::onnx::schema::{self, SchemaError};
use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::{AttributeProto, NodeProto, TensorProto};
use petgraph::graph::NodeIndex;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// A node with its operands.
pub(in crate::onnx) struct Call<'a> {
    pub(in crate::onnx) node: &'a NodeProto,
    /// Version of the default domain.
    pub(in crate::onnx) opset: i64,
    /// One per input of the node; `None` for an optional one left out.
    pub(in crate::onnx) inputs: Vec<Option<Value>>,
    /// Which outputs another node or the model's user reads.
    pub(in crate::onnx) outputs_used: Vec<bool>,
    /// The attributes that its lowering has asked for.
    asked: RefCell<BTreeSet<&'static str>>,
    handed_on: Cell<bool>,
}

impl<'a> Call<'a> {
    pub(in crate::onnx) fn new(
        node: &'a NodeProto,
        opset: i64,
        inputs: Vec<Option<Value>>,
        outputs_used: Vec<bool>,
    ) -> Self {
        Self {
            node,
            opset,
            inputs,
            outputs_used,
            asked: RefCell::default(),
            handed_on: Cell::new(false),
        }
    }

    /// This node with another first operand.
    pub(in crate::onnx) fn with_first(&self, value: Value) -> Self {
        let others = self.inputs.iter().skip(1).cloned();
        let inputs = std::iter::once(Some(value)).chain(others).collect();
        Self::new(self.node, self.opset, inputs, self.outputs_used.clone())
    }

    /// Counts the attributes that another lowering of the node has asked for.
    pub(in crate::onnx) fn asked_too(&self, other: &Self) {
        self.asked.borrow_mut().extend(other.asked.borrow().iter());
    }

    /// Counts every attribute as asked for: all are handed on to the library that evaluates the node.
    pub(in crate::onnx) fn hand_on(&self) {
        self.handed_on.set(true);
    }
}

impl Call<'_> {
    /// Whether the node computes a constant: there are operands, and all are known.
    pub(in crate::onnx) fn is_constant(&self) -> bool {
        let mut operands = self.inputs.iter().flatten().peekable();
        operands.peek().is_some() && operands.all(|value| matches!(value, Value::Known(_)))
    }

    /// The value of operand `i`, or `None` when it is left out.
    pub(in crate::onnx) fn optional(&self, i: usize) -> Result<Option<&Value>, Problem> {
        match self.inputs.get(i).and_then(Option::as_ref) {
            Some(Value::Integers { name, element, .. }) => Err(Problem::Integers {
                name: name.clone(),
                element: *element,
            }),
            other => Ok(other),
        }
    }

    /// The value of operand `i`.
    pub(in crate::onnx) fn value(&self, i: usize, role: &'static str) -> Result<&Value, Problem> {
        self.optional(i)?.ok_or(Problem::MissingOperand { role })
    }

    /// Operand `i`, which must be encrypted.
    pub(in crate::onnx) fn encrypted(
        &self,
        i: usize,
        role: &'static str,
    ) -> Result<NodeIndex, Problem> {
        match self.value(i, role)? {
            Value::Encrypted(node) => Ok(*node),
            Value::Known(_) => Err(Problem::Known { role }),
            Value::Finished(_) | Value::Integers { .. } | Value::Unavailable => {
                Err(Problem::OfClient)
            }
        }
    }

    /// Operand `i`, which must be known.
    pub(in crate::onnx) fn constant(
        &self,
        i: usize,
        role: &'static str,
    ) -> Result<&Constant, Problem> {
        self.optional_constant(i, role)?
            .ok_or(Problem::MissingOperand { role })
    }

    /// Operand `i`, which must be known if it is there.
    pub(in crate::onnx) fn optional_constant(
        &self,
        i: usize,
        role: &'static str,
    ) -> Result<Option<&Constant>, Problem> {
        match self.optional(i)? {
            Some(Value::Known(constant)) => Ok(Some(constant)),
            Some(_) => Err(Problem::Encrypted { role }),
            None => Ok(None),
        }
    }

    /// A list of integers that older opsets give as an attribute and newer ones as operand `i`.
    pub(in crate::onnx) fn list(
        &self,
        name: &'static str,
        i: usize,
        role: &'static str,
    ) -> Result<Option<Vec<i64>>, Problem> {
        if let Some(list) = self.ints(name)? {
            return Ok(Some(list.to_vec()));
        }
        self.optional_constant(i, role)?
            .map(|c| c.list_of_integers(role))
            .transpose()
    }

    /// Refuses uses of outputs after the first.
    pub(in crate::onnx) fn only_first_output(&self) -> Result<(), Problem> {
        match self.outputs_used.iter().skip(1).position(|&used| used) {
            Some(index) => Err(Problem::ExtraOutput { index: index + 1 }),
            None => Ok(()),
        }
    }

    fn attribute(&self, name: &'static str) -> Option<&AttributeProto> {
        self.asked.borrow_mut().insert(name);
        self.node.attribute.iter().find(|a| a.name == name)
    }

    /// Refuses attributes that the lowering did not ask for: none is ignored in silence.
    pub(in crate::onnx) fn all_read(&self) -> Result<(), Problem> {
        if self.handed_on.get() {
            return Ok(());
        }
        let asked = self.asked.borrow();
        let unread = |a: &&AttributeProto| {
            !asked.contains(a.name.as_str()) && !schema::is_ignorable(&self.node.op_type, &a.name)
        };
        match self.node.attribute.iter().find(unread) {
            Some(attribute) => Err(Problem::Schema(SchemaError::Unread {
                name: attribute.name.clone(),
            })),
            None => Ok(()),
        }
    }

    fn typed(
        &self,
        name: &'static str,
        wanted: AttributeType,
        supported: &'static str,
    ) -> Result<Option<&AttributeProto>, Problem> {
        match self.attribute(name) {
            None => Ok(None),
            Some(a) if a.type_.enum_value() == Ok(wanted) => Ok(Some(a)),
            Some(a) => Err(Problem::Attribute {
                name,
                found: format!("of type {:?}", a.type_),
                supported,
            }),
        }
    }

    pub(in crate::onnx) fn int(&self, name: &'static str) -> Result<Option<i64>, Problem> {
        Ok(self
            .typed(name, AttributeType::INT, "an integer")?
            .map(|a| a.i))
    }

    pub(in crate::onnx) fn int_or(&self, name: &'static str, default: i64) -> Result<i64, Problem> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    /// An integer attribute that is 0 or 1. Of other numbers implementations take some for 0 and some for 1.
    pub(in crate::onnx) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Problem> {
        match self.int(name)? {
            None => Ok(default),
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(other) => Err(Problem::Attribute {
                name,
                found: other.to_string(),
                supported: "0 or 1",
            }),
        }
    }

    pub(in crate::onnx) fn ints(&self, name: &'static str) -> Result<Option<&[i64]>, Problem> {
        Ok(self
            .typed(name, AttributeType::INTS, "a list of integers")?
            .map(|a| a.ints.as_slice()))
    }

    pub(in crate::onnx) fn float(&self, name: &'static str) -> Result<Option<f64>, Problem> {
        Ok(self
            .typed(name, AttributeType::FLOAT, "a number")?
            .map(|a| f64::from(a.f)))
    }

    pub(in crate::onnx) fn float_or(
        &self,
        name: &'static str,
        default: f64,
    ) -> Result<f64, Problem> {
        Ok(self.float(name)?.unwrap_or(default))
    }

    pub(in crate::onnx) fn floats(&self, name: &'static str) -> Result<Option<&[f32]>, Problem> {
        Ok(self
            .typed(name, AttributeType::FLOATS, "a list of numbers")?
            .map(|a| a.floats.as_slice()))
    }

    /// A string attribute; not UTF-8 reads as the replacement character, which no operator knows.
    pub(in crate::onnx) fn string_or(
        &self,
        name: &'static str,
        default: &str,
    ) -> Result<String, Problem> {
        Ok(self
            .typed(name, AttributeType::STRING, "a string")?
            .map_or(default.to_owned(), |a| {
                String::from_utf8_lossy(&a.s).into_owned()
            }))
    }

    pub(in crate::onnx) fn tensor(
        &self,
        name: &'static str,
    ) -> Result<Option<&TensorProto>, Problem> {
        Ok(self
            .typed(name, AttributeType::TENSOR, "a tensor")?
            .and_then(|a| a.t.as_ref()))
    }
}
