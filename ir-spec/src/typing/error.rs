//! Typing errors.

use crate::entity::{FunctionId, Value};
use crate::ring::{Level, Rotation};
use crate::scale::Scale;
use crate::types::{Basis, Form};

/// Why an instruction does not type.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentences name every field")]
pub enum TypeError {
    #[error("{op}: {value} is not defined before its use")]
    Undefined { op: &'static str, value: Value },
    #[error("{op}: {value} is {found}, expected {expected}")]
    Kind {
        op: &'static str,
        value: Value,
        found: String,
        expected: &'static str,
    },
    #[error("{op}: operand levels differ: {a} is at level {a_level}, {b} at level {b_level}")]
    Levels {
        op: &'static str,
        a: Value,
        a_level: Level,
        b: Value,
        b_level: Level,
    },
    #[error("{op}: operand scales differ: {a} has scale {a_scale}, {b} has {b_scale}")]
    Scales {
        op: &'static str,
        a: Value,
        a_scale: String,
        b: Value,
        b_scale: String,
    },
    #[error("{op}: operand forms differ: {a} is {a_form:?}, {b} is {b_form:?}")]
    Forms {
        op: &'static str,
        a: Value,
        a_form: Form,
        b: Value,
        b_form: Form,
    },
    #[error("{op}: {value} is in form {found:?}, expected {expected:?}")]
    Form {
        op: &'static str,
        value: Value,
        found: Form,
        expected: Form,
    },
    #[error("{op}: {a} is modulo the {a_basis:?} basis, plaintext {p} modulo the {p_basis:?} one")]
    Basis {
        op: &'static str,
        a: Value,
        a_basis: Basis,
        p: Value,
        p_basis: Basis,
    },
    #[error("{op}: {found} operands, expected {expected}")]
    Count {
        op: &'static str,
        found: usize,
        expected: &'static str,
    },
    #[error("{op}: level {level} does not exist, there are {levels}")]
    NoLevel {
        op: &'static str,
        level: Level,
        levels: usize,
    },
    #[error("{op}: level {to} is not below level {from}")]
    NotLower {
        op: &'static str,
        from: Level,
        to: Level,
    },
    #[error("{op}: level {to} has a prime that level {from} lacks")]
    NotNested {
        op: &'static str,
        from: Level,
        to: Level,
    },
    #[error(
        "{op}: level {from} and level {to} are of different rings: only switch_ring and raise_ext lead from one to another"
    )]
    OtherRing {
        op: &'static str,
        from: Level,
        to: Level,
    },
    #[error(
        "{op}: goes to a ring of another degree, or with a secret of another kind; that of level {to} is neither for level {from}"
    )]
    NoSwitch {
        op: &'static str,
        from: Level,
        to: Level,
    },
    #[error(
        "{op}: goes to a ring with another secret, of no smaller degree; that of level {to} is none for level {from}"
    )]
    NoRaise {
        op: &'static str,
        from: Level,
        to: Level,
    },
    #[error("{op}: level {to} has not more modulus than level {from}, or lacks one of its primes")]
    NotRaised {
        op: &'static str,
        from: Level,
        to: Level,
    },
    #[error("{op}: rotation {rotation} is not in 0..{slots}")]
    RaiseRotation {
        op: &'static str,
        rotation: Rotation,
        slots: u32,
    },
    #[error(
        "{op}: the modulus of level {from} is larger than the special primes together ({special:.1} bits): the key would drown the message in noise"
    )]
    SmallSpecial {
        op: &'static str,
        from: Level,
        special: f64,
    },
    #[error("{op}: scale {scale} names a prime outside the pool")]
    ScalePrime { op: &'static str, scale: String },
    #[error("{op}: scale {scale} ({bits:.1} bits) exceeds the modulus ({modulus_bits:.1} bits)")]
    ScaleTooLarge {
        op: &'static str,
        scale: String,
        bits: f64,
        modulus_bits: f64,
    },
    #[error("{op}: scale {scale} ({bits:.1} bits) is below 1")]
    ScaleTooSmall {
        op: &'static str,
        scale: String,
        bits: f64,
    },
    #[error("{op}: an exponent of the scale exceeds {}", Scale::MAX_EXPONENT)]
    ScaleExponent { op: &'static str },
    #[error("{op}: the ring has no special primes, so it has no extended basis")]
    NoSpecialPrimes { op: &'static str },
    #[error("{op}: rotation {rotation} is not in 1..{slots}")]
    Rotation {
        op: &'static str,
        rotation: Rotation,
        slots: u32,
    },
    #[error("mul_monomial: exponent {exponent} is not below {bound}")]
    Exponent { exponent: u32, bound: u32 },
    #[error("mul_scalar: factor {factor} is not finite")]
    Factor { factor: String },
    #[error("input: digits come in by `input_digits`, which says whose they are")]
    InputDigits,
    #[error("input_digits: {value} is no input, whose digits come in with it")]
    NotInput { value: Value },
    #[error("{op}: function {function} does not exist")]
    NoFunction {
        op: &'static str,
        function: FunctionId,
    },
    #[error("call: {found} arguments, {function} has {expected} parameters")]
    Arguments {
        function: FunctionId,
        found: usize,
        expected: usize,
    },
    #[error("call: {value} is {found}, but parameter {parameter} of {function} is {expected}")]
    Argument {
        function: FunctionId,
        parameter: Value,
        value: Value,
        found: String,
        expected: String,
    },
    #[error("{function} has {results} results, there is none numbered {index}")]
    NoResult {
        function: FunctionId,
        index: u32,
        results: usize,
    },
    #[error("result: {value} is no call")]
    NotCall { value: Value },
}
