//! Instructions as text.

use super::{CommaList, List};
use crate::circuit::{Circuit, Definition};
use crate::entity::Value;
use crate::inst::Inst;
use std::fmt::{self, Formatter};

/// `@n1 v2 = rotate v1, 3 : ct<1, D>`.
pub(super) fn definition(
    circuit: &Circuit,
    value: Value,
    definition: &Definition,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    let Definition { inst, ty, node } = definition;
    let unit = circuit.rings.unit_bits;
    match node {
        Some(node) => write!(f, "@{node} ")?,
        None => f.write_str("    ")?,
    }
    write!(f, "{value} = {}", inst.keyword())?;
    arguments(inst, unit, f)?;
    writeln!(f, " : {}", ty.display(unit))
}

/// Prints the arguments of an instruction, without levels, scales and bases that the type states.
fn arguments(inst: &Inst, unit: u32, f: &mut Formatter<'_>) -> fmt::Result {
    match inst {
        Inst::Input { ty: _ } => Ok(()),
        Inst::Encode {
            constant,
            imaginary,
            level: _,
            scale: _,
            basis: _,
        } => {
            write!(f, " {constant}")?;
            imaginary.map_or(Ok(()), |imaginary| write!(f, ", {imaginary}"))
        }
        Inst::Add(values) => write!(f, " {}", CommaList(values)),
        Inst::Dot { ciphers, plains } => write!(f, " {} {}", List(ciphers), List(plains)),
        Inst::DotScalar {
            ciphers,
            constants,
            scale,
        } => write!(
            f,
            " {} {}, {}",
            List(ciphers),
            List(constants),
            scale.display(unit)
        ),
        Inst::Sub(a, b) | Inst::AddPlain(a, b) | Inst::MulPlain(a, b) | Inst::Mul(a, b) => {
            write!(f, " {a}, {b}")
        }
        Inst::RelinearizeExt { a, digits } => write!(f, " {a}, {digits}"),
        Inst::RotateExt {
            a,
            digits,
            rotation,
        } => write!(f, " {a}, {digits}, {rotation}"),
        Inst::Rotate { a, rotation } | Inst::RaiseExt { a, rotation, to: _ } => {
            write!(f, " {a}, {rotation}")
        }
        Inst::MulMonomial { a, exponent } => write!(f, " {a}, {exponent}"),
        Inst::MulScalar { a, factor, scale } => {
            write!(f, " {a}, {factor:?}, {}", scale.display(unit))
        }
        Inst::Call {
            function,
            arguments,
        } => write!(f, " {function} {}", List(arguments)),
        Inst::Result { call, index } => write!(f, " {call}, {index}"),
        Inst::InputDigits(a)
        | Inst::Negate(a)
        | Inst::Square(a)
        | Inst::Relinearize(a)
        | Inst::RelinearizeRescale { a, to: _ }
        | Inst::Rescale { a, to: _ }
        | Inst::DropLevel { a, to: _ }
        | Inst::SwitchRing { a, to: _ }
        | Inst::Decompose(a)
        | Inst::ModDown(a)
        | Inst::Conjugate(a) => write!(f, " {a}"),
    }
}
