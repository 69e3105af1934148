//! Rules of imports and exports of fragments.

use super::error::{Report, Subject};
use crate::circuit::Circuit;
use crate::entity::Value;
use crate::fragment::Link;
use std::collections::BTreeSet;

pub(crate) fn check(circuit: &Circuit, report: &mut Report) {
    let has_ports = !circuit.inputs.is_empty() || !circuit.outputs.is_empty();
    if circuit.fragment.is_some() && has_ports {
        report.push(Subject::Circuit, LinkError::Ports);
    }
    check_side(circuit, circuit.imports(), Subject::Import, report);
    check_side(circuit, circuit.exports(), Subject::Export, report);
    for (link, at) in circuit.imports().iter().zip(0..) {
        if !circuit.is_input(link.value) {
            let value = link.value;
            report.push(Subject::Import(at), LinkError::NotInput { value });
        }
    }
}

fn check_side(circuit: &Circuit, links: &[Link], subject: fn(u32) -> Subject, report: &mut Report) {
    let (mut values, mut wholes) = (BTreeSet::new(), BTreeSet::new());
    for (&Link { value, whole }, at) in links.iter().zip(0..) {
        if !circuit.main().contains(value) {
            report.push(subject(at), LinkError::NoValue { value });
        }
        for (known, value) in [(&mut values, value), (&mut wholes, whole)] {
            if !known.insert(value) {
                report.push(subject(at), LinkError::Twice { value });
            }
        }
    }
}

/// A rule of imports and exports that is broken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum LinkError {
    #[error("the circuit is a fragment and has ports; a fragment has imports and exports instead")]
    Ports,
    #[error("{value} is no value of the main program")]
    NoValue { value: Value },
    #[error("{value} is no input")]
    NotInput { value: Value },
    #[error("{value} is listed twice")]
    Twice { value: Value },
}
