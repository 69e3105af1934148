//! Sizes of values, keys and scratch, from ring and level.

use super::DOT_CHUNK;
use crate::ring::FACTORS_AT_ONCE;
use peregrine_ir::stats::key_bytes;
use peregrine_ir::{Basis, Circuit, Definition, Form, Inst, Level, Prime, Ring, Type, Value};

/// What a thread that encodes a plaintext takes beside it: slots, complex slots and the buffer of their transform, coefficients as
/// floats and as integers.
const ENCODING_LIMBS: u64 = 5;

/// A plaintext that is transformed where it is used.
const MESSAGE_LIMBS: u64 = 1;

/// Whether an instruction encodes what it needs.
pub(super) fn encodes(inst: &Inst) -> bool {
    matches!(
        inst,
        Inst::Dot { .. } | Inst::AddPlain(..) | Inst::MulPlain(..)
    )
}

/// Sizes of values, from ring and level.
#[derive(Clone, Debug)]
pub struct Sizes {
    limb_bytes: u64,
    special: u64,
    levels: Vec<LevelSizes>,
}

/// What sizes at one level depend on.
#[derive(Clone, Debug)]
struct LevelSizes {
    limbs: u64,
    digits: u64,
    key: KeySizes,
}

/// What sizes of a key for one level depend on.
#[derive(Clone, Copy, Debug, Default)]
struct KeySizes {
    /// Primes, those of P included.
    limbs: u64,
    digits: u64,
    /// Bytes in a file.
    packed: u64,
}

impl Sizes {
    /// The sizes in this ring.
    pub fn new(ring: &Ring) -> Self {
        let special = ring.special.len() as u64;
        let digits = |row: &[Prime]| {
            let meets = |digit: &&Vec<_>| digit.iter().any(|p| row.contains(p));
            ring.digits.iter().filter(meets).count() as u64
        };
        let level = |(level, row): (u32, &Vec<Prime>)| {
            let key_row = ring.key_row(Level(level));
            LevelSizes {
                limbs: row.len() as u64,
                digits: digits(row),
                key: KeySizes {
                    limbs: key_row.len() as u64 + special,
                    digits: digits(&key_row),
                    packed: key_bytes(ring, Level(level)),
                },
            }
        };
        let levels = (0..).zip(&ring.levels).map(level).collect();
        Self {
            limb_bytes: 8 << ring.log_n,
            special,
            levels,
        }
    }

    /// Primes of a level.
    pub fn limbs(&self, level: Level) -> u64 {
        self.levels.get(level.0 as usize).map_or(0, |l| l.limbs)
    }

    /// Gadget digits at a level.
    pub fn digits(&self, level: Level) -> u64 {
        self.levels.get(level.0 as usize).map_or(0, |l| l.digits)
    }

    /// Primes of P.
    pub fn special(&self) -> u64 {
        self.special
    }

    /// Limbs of a value.
    pub fn limbs_of(&self, ty: &Type) -> u64 {
        let here = self.limbs(ty.level());
        let raised = here + self.special;
        match ty {
            Type::Cipher { form, .. } => match form {
                Form::Normal => 2 * here,
                Form::Product => 3 * here,
                Form::Extended => 2 * raised,
            },
            Type::Plain { basis, .. } => match basis {
                Basis::Normal => here,
                Basis::Extended => raised,
            },
            Type::Digits { level } => self.digits(*level) * raised,
        }
    }

    /// Bytes of a value.
    pub fn bytes_of(&self, ty: &Type) -> u64 {
        self.limbs_of(ty) * self.limb_bytes
    }

    fn key(&self, level: Level) -> KeySizes {
        let level = self.levels.get(level.0 as usize);
        level.map_or(KeySizes::default(), |level| level.key)
    }

    /// Bytes of an evaluation key once expanded.
    pub fn key_bytes(&self, level: Level) -> u64 {
        let key = self.key(level);
        2 * key.digits * key.limbs * self.limb_bytes
    }

    /// Bytes of an evaluation key in a file.
    pub fn packed_key_bytes(&self, level: Level) -> u64 {
        self.key(level).packed
    }

    /// Bytes that expanding a key takes beside it: its half in the file, and one polynomial on its way.
    pub(in crate::exec) fn key_reading_bytes(&self, level: Level) -> u64 {
        let key = self.key(level);
        (key.digits + 1) * key.limbs * self.limb_bytes
    }

    /// Bytes that one thread needs for encoding and for transforming factors: it does one or the other.
    pub(super) fn encoding_bytes(&self) -> u64 {
        ENCODING_LIMBS.max(FACTORS_AT_ONCE as u64) * self.limb_bytes
    }

    /// Bytes an instruction needs beside its operands and its result, with plaintexts as they are encoded for it; without what
    /// threads need that encode them.
    pub(super) fn scratch(&self, circuit: &Circuit, definition: &Definition) -> u64 {
        let level = definition.ty.level();
        let raised = self.limbs(level) + self.special;
        let digits = self.digits(level) * raised;
        let value = |v: &Value| circuit.type_of(*v).map_or(0, |ty| self.limbs_of(ty));
        let limbs = match &definition.inst {
            Inst::Dot { plains, .. } => {
                let at_a_time = plains.len().min(DOT_CHUNK) as u64;
                let sums = u64::from(plains.len() > DOT_CHUNK) * 2;
                MESSAGE_LIMBS * at_a_time + at_a_time / 2 + sums * self.limbs_of(&definition.ty)
            }
            Inst::AddPlain(_, p) | Inst::MulPlain(_, p) => value(p),
            Inst::Rotate { .. } | Inst::Relinearize(_) | Inst::Conjugate(_) => digits + 2 * raised,
            Inst::Rescale { a, .. } | Inst::ModDown(a) | Inst::Decompose(a) => value(a),
            Inst::Input { .. }
            | Inst::Encode { .. }
            | Inst::Add(_)
            | Inst::Sub(..)
            | Inst::Negate(_)
            | Inst::MulScalar { .. }
            | Inst::DotScalar { .. }
            | Inst::Mul(..)
            | Inst::Square(_)
            | Inst::RelinearizeExt { .. }
            | Inst::DropLevel { .. }
            | Inst::RotateExt { .. }
            | Inst::MulMonomial { .. }
            | Inst::Bootstrap { .. } => 0,
        };
        limbs * self.limb_bytes
    }
}
