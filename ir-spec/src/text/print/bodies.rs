//! Functions, and the imports and exports of fragments, as text.

use super::{CommaList, Quoted, inst};
use crate::circuit::Circuit;
use crate::entity::{FunctionId, Value};
use crate::fragment::Link;
use crate::function::{Body, Function};
use crate::inst::Inst;
use crate::verify::is_identifier;
use std::fmt::{self, Formatter};

/// Every function with its body.
pub(super) fn functions(circuit: &Circuit, f: &mut Formatter<'_>) -> fmt::Result {
    for (id, function) in circuit.functions.iter() {
        let body = circuit.body(id).into_iter();
        body.into_iter()
            .try_for_each(|body| one(circuit, (id, function, body), f))?;
    }
    Ok(())
}

fn one(
    circuit: &Circuit,
    (id, function, body): (FunctionId, &Function, Body),
    f: &mut Formatter<'_>,
) -> fmt::Result {
    let Function {
        name,
        end: _, // follows from the body
        results,
    } = function;
    write!(f, "    {id} = function %")?;
    match is_identifier(name) {
        true => f.write_str(name)?,
        false => write!(f, "{}", Quoted(name))?,
    }
    f.write_str(" (")?;
    let parameters: Vec<Value> = circuit.parameters(id).collect();
    for (i, &value) in parameters.iter().enumerate() {
        let separator = if i == 0 { "" } else { ", " };
        f.write_str(separator)?;
        input(circuit, value, f)?;
    }
    writeln!(f, ") -> ({}) {{", CommaList(results))?;
    let definitions = circuit.definitions(body).skip(parameters.len());
    for (value, definition) in definitions {
        inst::definition(circuit, value, definition, f)?;
    }
    f.write_str("    }\n")
}

/// `v1: digits<1> of v0`.
fn input(circuit: &Circuit, value: Value, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{value}")?;
    let Some(definition) = circuit.values.get(value) else {
        return Ok(());
    };
    write!(f, ": {}", definition.ty.display(circuit.rings.unit_bits))?;
    match definition.inst {
        Inst::InputDigits(of) => write!(f, " of {of}"),
        _ => Ok(()),
    }
}

/// The circuit that was cut, and every import with the value that it defines.
pub(super) fn imports(circuit: &Circuit, f: &mut Formatter<'_>) -> fmt::Result {
    if let Some(fragment) = &circuit.fragment {
        writeln!(f, "    fragment \"{:?}\"", fragment.whole)?;
    }
    for Link { value, whole } in circuit.imports() {
        f.write_str("import ")?;
        input(circuit, *value, f)?;
        writeln!(f, " from {whole}")?;
    }
    Ok(())
}

/// Every export.
pub(super) fn exports(circuit: &Circuit, f: &mut Formatter<'_>) -> fmt::Result {
    for Link { value, whole } in circuit.exports() {
        writeln!(f, "    export {value} to {whole}")?;
    }
    Ok(())
}
