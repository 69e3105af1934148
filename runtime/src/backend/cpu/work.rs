//! The estimated work of instructions, for progress reports.
//!
//! Work is counted in *limb passes*, one pass over one limb of N words, and those in the bytes of a limb: rings differ. A transform
//! counts as six, which is what it costs beside an addition; the shares are only meant for a bar and an estimate of the time left.

use super::sizes::Sizes;
use peregrine_ir::{Circuit, Inst, Type, Value};

/// Estimated work of each value, in bytes that are passed over.
pub(super) fn of_values(circuit: &Circuit) -> Vec<u64> {
    let sizes = Sizes::new(&circuit.ring);
    let values = circuit.values.keys();
    values
        .map(|value| of_value(circuit, &sizes, value))
        .collect()
}

/// Estimated work of one instruction, in bytes that are passed over.
fn of_value(circuit: &Circuit, sizes: &Sizes, value: Value) -> u64 {
    let Some(definition) = circuit.values.get(value) else {
        return 0;
    };
    let level_of = |v: Value| {
        circuit
            .type_of(v)
            .map_or(definition.ty.level(), Type::level)
    };
    let level = definition.ty.level();
    let here = sizes.limbs(level);
    let raised = here + sizes.special(level);
    let digits = sizes.digits(level);
    let modulus = |ty: &Type| sizes.limbs_of(ty);
    let decompose = digits * raised * TRANSFORM;
    let product = digits * raised * 3;
    let mod_down = 2 * raised * TRANSFORM;
    let ring = match definition.inst {
        Inst::SwitchRing { a, .. } => level_of(a),
        _ => level,
    };
    let passes = match &definition.inst {
        Inst::Input { .. } => 0,
        Inst::Encode { .. } => modulus(&definition.ty) * TRANSFORM,
        Inst::Add(terms) => 2 * here * terms.len() as u64,
        Inst::DotScalar { ciphers, .. } => modulus(&definition.ty) * ciphers.len() as u64,
        Inst::Sub(..)
        | Inst::Negate(_)
        | Inst::MulScalar { .. }
        | Inst::DropLevel { .. }
        | Inst::MulMonomial { .. } => 2 * here,
        Inst::AddPlain(..) | Inst::MulPlain(..) => modulus(&definition.ty) * (1 + TRANSFORM),
        Inst::Dot { ciphers, .. } => {
            let count = ciphers.len() as u64;
            count * modulus(&definition.ty) * (1 + TRANSFORM)
        }
        Inst::Mul(..) | Inst::Square(_) => 5 * here,
        Inst::Relinearize(_)
        | Inst::Rotate { .. }
        | Inst::Conjugate(_)
        | Inst::SwitchRing { .. } => decompose + product + mod_down,
        Inst::RelinearizeExt { .. } | Inst::RotateExt { .. } => product,
        Inst::Rescale { a, .. } => 2 * sizes.limbs(level_of(*a)) * TRANSFORM,
        Inst::Decompose(_) => decompose,
        Inst::ModDown(_) | Inst::Bootstrap { .. } => mod_down,
    };
    passes * sizes.limb_bytes(ring)
}

/// Passes that a transform of one limb is worth.
const TRANSFORM: u64 = 6;
