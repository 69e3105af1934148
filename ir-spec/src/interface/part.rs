//! The public fields of a circuit: its ports, and the rules that they keep.

use crate::circuit::Keys;
use crate::expectation::{Expectation, InputRange};
use crate::finish::{Finish, Prepare};
use crate::layout::Layout;
use crate::ring::{Level, RingTable, Security};
use crate::scale::Scale;
use crate::shape::Shape;
use crate::types::Type;
use crate::typing::{TypeError, check_input};
use crate::verify::error::{Report, Subject, VerifyError};
use crate::verify::{keys, ports, ring, tables};

/// A port of an interface: an input or output tensor, with what a client needs to encrypt or decrypt it.
#[derive(Clone, Debug, PartialEq)]
pub struct InterfacePort {
    /// Its name in the model.
    pub name: String,
    /// The shape in which it is packed: the model's, after preparing and before finishing.
    pub shape: Shape,
    /// How it is packed.
    pub layout: Layout,
    /// Level of its ciphertexts.
    pub level: Level,
    /// Scale of its ciphertexts.
    pub scale: Scale,
    /// The steps that the client takes after decryption; none for inputs.
    pub finish: Finish,
    /// The tensor that the client is given and the steps it takes before encryption; `None` where the given tensor is
    /// the packed one, and for outputs.
    pub prepare: Option<Prepare>,
    /// The range of an input's values, if it is known; none for outputs.
    pub range: Option<InputRange>,
    /// The magnitude and the noise of an output's values, if they are known; none for inputs.
    pub expectation: Option<Expectation>,
    /// The magnitude below which the imaginary parts of an output's slots stay in a run whose refreshes were all of values within their bounds;
    /// none where imaginary parts mean nothing, and for inputs.
    pub imaginary: Option<f64>,
}

impl InterfacePort {
    /// The shape of the tensor that the client is given for this input.
    pub fn given_shape(&self) -> &Shape {
        given_shape(&self.shape, self.prepare.as_ref())
    }
}

/// The shape of the tensor that the client is given for an input whose packed shape is `packed`.
pub fn given_shape<'s>(packed: &'s Shape, prepare: Option<&'s Prepare>) -> &'s Shape {
    prepare.map_or(packed, |prepare| &prepare.shape)
}

/// The public fields, unchecked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PublicPart {
    pub(crate) name: String,
    pub(crate) security: Security,
    pub(crate) rings: RingTable,
    pub(crate) keys: Keys,
    pub(crate) inputs: Vec<InterfacePort>,
    pub(crate) outputs: Vec<InterfacePort>,
}

/// Checks the verifier's rules about public fields.
pub(super) fn check(part: &PublicPart) -> Result<(), InterfaceError> {
    let PublicPart {
        name,
        security,
        rings: ring,
        keys,
        inputs,
        outputs,
    } = part;
    let mut report = Report::default();
    if ring::check(ring, &mut report) {
        ring::check_security(ring, keys, *security, &mut report);
    }
    if let Some(error) = report.into_first() {
        return Err(error.into());
    }
    let mut report = Report::default();
    tables::check_circuit_name(name, &mut report);
    keys::check_declared(ring, keys, &mut report);
    check_ports(ring, inputs, Subject::Input, &mut report);
    check_ports(ring, outputs, Subject::Output, &mut report);
    if outputs.is_empty() {
        report.push(Subject::Circuit, ports::PortError::NoOutputs);
    }
    if let Some(mut error) = report.into_first() {
        error.name = match error.subject {
            Subject::Input(port) => inputs.get(port as usize).map(|p| p.name.clone()),
            Subject::Output(port) => outputs.get(port as usize).map(|p| p.name.clone()),
            _ => None,
        };
        return Err(error.into());
    }
    let named = inputs.iter().chain(outputs);
    named
        .into_iter()
        .try_for_each(|port| check_type(ring, port))
}

fn check_ports(
    ring: &RingTable,
    ports: &[InterfacePort],
    subject: fn(u32) -> Subject,
    report: &mut Report,
) {
    ports::check_names(ports.iter().map(|p| p.name.as_str()), subject, report);
    for (i, port) in ports.iter().enumerate() {
        let subject = subject(i as u32);
        tables::check_rank(subject, &port.shape, report);
        tables::check_slots(subject, &port.layout, ring.at(port.level).slots(), report);
        ports::check_secret(subject, ring.at(port.level).secret(), report);
        ports::check_packing(subject, &port.shape, &port.layout, report);
        ports::check_finish(subject, &port.shape, &port.finish, report);
        ports::check_prepare(subject, &port.shape, port.prepare.as_ref(), report);
        ports::check_expected(subject, port.range, port.expectation, report);
        ports::check_imaginary(subject, port.imaginary, report);
    }
    let ciphertexts = ports
        .iter()
        .map(|p| u64::from(p.layout.ciphertexts()))
        .sum();
    tables::check_ciphertexts(ciphertexts, report);
}

/// Checks that a port's level and scale are those of a ciphertext.
fn check_type(ring: &RingTable, port: &InterfacePort) -> Result<(), InterfaceError> {
    let ty = Type::cipher(port.level, port.scale.clone());
    check_input(&ty, ring).map_err(|source| InterfaceError::Type {
        port: port.name.clone(),
        source,
    })?;
    match port.scale.value(&ring.primes) {
        Some(_) => Ok(()),
        None => Err(InterfaceError::Scale {
            port: port.name.clone(),
            scale: port.scale.display(ring.unit_bits),
        }),
    }
}

/// Why public fields are not an interface.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InterfaceError {
    /// A rule of the verifier is broken that circuits and interfaces share.
    #[error(transparent)]
    Rule(Box<VerifyError>),
    /// The level and scale of a port are not those of a ciphertext.
    #[error("port `{port}`: {source}")]
    Type {
        /// The port.
        port: String,
        /// The rule.
        source: TypeError,
    },
    /// The scale of a port cannot be computed with in doubles.
    #[error("port `{port}`: scale {scale} is too large or too small to be computed with")]
    Scale {
        /// The port.
        port: String,
        /// Its scale.
        scale: String,
    },
}

impl From<VerifyError> for InterfaceError {
    fn from(error: VerifyError) -> Self {
        Self::Rule(Box::new(error))
    }
}
