//! A node held against what its operator takes.

use super::custom::{CUSTOM, NN_TOOLS};
use super::error::{AttributeKind, SchemaError, similar};
use super::row::{Row, RowForm};
use super::table;
use onnx_protobuf::attribute_proto::AttributeType;
use onnx_protobuf::{AttributeProto, NodeProto};
use std::collections::BTreeSet;

/// What an operator takes at one opset.
#[derive(Clone, Copy)]
pub(in crate::onnx) struct Signature {
    pub(in crate::onnx) operands: &'static str,
    pub(in crate::onnx) results: &'static str,
    attributes: &'static str,
}

fn domain_rows(domain: &str) -> &'static [Row] {
    match domain {
        "" | "ai.onnx" => table::OPERATORS,
        NN_TOOLS => CUSTOM,
        _ => &[],
    }
}

/// Whether `op` of `domain` has rows.
#[cfg(test)]
pub(in crate::onnx) fn is_known(domain: &str, op: &str) -> bool {
    !rows(domain, op).is_empty()
}

/// The rows of `op`, oldest first.
fn rows(domain: &str, op: &str) -> &'static [Row] {
    let rows = domain_rows(domain);
    let start = rows.partition_point(|row| row.name < op);
    let end = rows.partition_point(|row| row.name <= op);
    rows.get(start..end).unwrap_or(&[])
}

/// What the operator of `node` takes at `opset`; `None` for an operator without rows.
pub(in crate::onnx) fn signature(
    node: &NodeProto,
    opset: i64,
) -> Result<Option<Signature>, SchemaError> {
    let rows = rows(&node.domain, &node.op_type);
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let Some(row) = rows.iter().rfind(|row| row.since <= opset) else {
        let since = first.since;
        return Err(SchemaError::Newer { since, opset });
    };
    let since = row.since;
    match row.form {
        RowForm::Removed => Err(SchemaError::Removed { since, opset }),
        RowForm::Takes {
            operands,
            results,
            attributes,
        } => Ok(Some(Signature {
            operands,
            results,
            attributes,
        })),
    }
}

/// Everything in which `node` differs from what its operator takes at `opset`.
pub(in crate::onnx) fn check(node: &NodeProto, opset: i64) -> Vec<SchemaError> {
    let signature = match signature(node, opset) {
        Ok(Some(signature)) => signature,
        Ok(None) => return Vec::new(),
        Err(error) => return vec![error],
    };
    let mut errors = Vec::new();
    errors.extend(check_count(signature.operands, &node.input, |range| {
        SchemaError::Operands {
            found: node.input.len(),
            least: range.0,
            most: range.1,
        }
    }));
    errors.extend(check_count(signature.results, &node.output, |range| {
        SchemaError::Results {
            found: node.output.len(),
            least: range.0,
            most: range.1,
        }
    }));
    errors.extend(missing_operand(signature.operands, &node.input));
    let mut seen = BTreeSet::new();
    for attribute in &node.attribute {
        if !seen.insert(attribute.name.as_str()) {
            let name = attribute.name.clone();
            errors.push(SchemaError::Repeated { name });
        }
        errors.extend(check_attribute(node, attribute, signature, opset));
    }
    for (name, _, required) in attributes(signature.attributes) {
        if required && !seen.contains(name) {
            errors.push(SchemaError::MissingAttribute { name });
        }
    }
    errors
}

/// Name, type and whether it must be given, of every attribute in a list.
fn attributes(list: &'static str) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    list.split(' ').filter_map(|word| {
        let (name, kind) = word.split_once(':')?;
        let required = kind.ends_with('!');
        Some((name, kind.trim_end_matches('!'), required))
    })
}

/// The least and the greatest number of operands or results in a list.
fn counts(list: &str) -> (usize, Option<usize>) {
    let words = || list.split(' ').filter(|word| !word.is_empty());
    let needed = words().filter(|word| !word.ends_with('?')).count();
    let most = (!list.ends_with('*')).then(|| words().count());
    (needed, most)
}

fn check_count(
    list: &str,
    found: &[String],
    error: impl Fn((usize, Option<usize>)) -> SchemaError,
) -> Option<SchemaError> {
    let (least, most) = counts(list);
    let wrong = found.len() < least || most.is_some_and(|most| found.len() > most);
    wrong.then(|| error((least, most)))
}

/// An operand that must be there, left out by an empty name.
fn missing_operand(list: &str, found: &[String]) -> Option<SchemaError> {
    let mut words = list.split(' ').zip(found).enumerate();
    words.find_map(|(index, (word, name))| {
        let missing = name.is_empty() && !word.ends_with(['?', '*']);
        missing.then_some(SchemaError::EmptyOperand { index })
    })
}

/// What is wrong with the presence or the type of an attribute.
fn check_attribute(
    node: &NodeProto,
    found: &AttributeProto,
    signature: Signature,
    opset: i64,
) -> Option<SchemaError> {
    let known = |list| attributes(list).find(|(name, ..)| *name == found.name);
    if let Some((name, expected, _)) = known(signature.attributes) {
        let kind = AttributeKind::of(found);
        return (kind.word() != expected).then_some(SchemaError::AttributeType {
            name,
            found: kind,
            expected,
        });
    }
    let rows = rows(&node.domain, &node.op_type).iter();
    let other = rows.filter_map(|row| match row.form {
        RowForm::Takes { attributes, .. } => known(attributes).map(|_| row.since),
        RowForm::Removed => None,
    });
    let versions: Vec<i64> = other.collect();
    let name = found.name.clone();
    Some(match versions.as_slice() {
        [first, ..] if *first > opset => SchemaError::NewerAttribute {
            name,
            since: *first,
            opset,
        },
        [_, ..] => SchemaError::OlderAttribute { name, opset },
        [] => SchemaError::UnknownAttribute {
            similar: similar(&name, attributes(signature.attributes).map(|(n, ..)| n)),
            name,
        },
    })
}

impl AttributeKind {
    fn of(attribute: &AttributeProto) -> Self {
        if !attribute.ref_attr_name.is_empty() {
            return Self::Reference;
        }
        match attribute.type_.enum_value() {
            Ok(AttributeType::INT) => Self::Int,
            Ok(AttributeType::INTS) => Self::Ints,
            Ok(AttributeType::FLOAT) => Self::Float,
            Ok(AttributeType::FLOATS) => Self::Floats,
            Ok(AttributeType::STRING) => Self::String,
            Ok(AttributeType::STRINGS) => Self::Strings,
            Ok(AttributeType::TENSOR) => Self::Tensor,
            Ok(AttributeType::SPARSE_TENSOR) => Self::SparseTensor,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests;
