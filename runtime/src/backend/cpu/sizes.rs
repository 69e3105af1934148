//! Sizes of values, keys and scratch, from ring and level.

use crate::ring::FACTORS_AT_ONCE;
use peregrine_ir::stats::key_bytes;
use peregrine_ir::{Basis, Circuit, Definition, Form, Inst, KeyKind, Level, Prime, Ring};
use peregrine_ir::{Type, Value};
use std::num::NonZeroUsize;

/// The plaintexts that one `dot` has encoded at a time.
pub(super) const DOT_CHUNK: NonZeroUsize = match NonZeroUsize::new(32) {
    Some(count) => count,
    None => NonZeroUsize::MIN,
};

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
    levels: Vec<LevelSizes>,
}

/// What sizes at one level depend on.
#[derive(Clone, Copy, Debug, Default)]
struct LevelSizes {
    /// Of a limb of its ring.
    limb_bytes: u64,
    limbs: u64,
    /// Primes of P.
    special: u64,
    digits: u64,
    key: KeySizes,
    /// Of the key that leads to it from the main ring, where it is in the small one.
    bridge: KeySizes,
}

/// What sizes of a key for one level depend on.
#[derive(Clone, Copy, Debug, Default)]
struct KeySizes {
    limb_bytes: u64,
    /// Primes, those of P included.
    limbs: u64,
    digits: u64,
    /// Bytes in a file.
    packed: u64,
}

impl LevelSizes {
    fn new(ring: &Ring, level: Level) -> Self {
        let (view, row) = (ring.at(level), ring.row(level).unwrap_or_default());
        let key_row = ring.key_row(level);
        let digits = |row: &[Prime]| {
            let meets = |digit: &&Vec<_>| digit.iter().any(|p| row.contains(p));
            view.digits.iter().filter(meets).count() as u64
        };
        let special = view.special.len() as u64;
        let key = |kind: KeyKind, log_n: u32| KeySizes {
            limb_bytes: 8 << log_n,
            limbs: key_row.len() as u64 + special,
            digits: digits(&key_row),
            packed: key_bytes(ring, kind, level),
        };
        Self {
            limb_bytes: 8 << view.log_n,
            limbs: row.len() as u64,
            special,
            digits: digits(row),
            key: key(KeyKind::Relinearization, view.log_n),
            bridge: key(KeyKind::RingSwitch, ring.log_n),
        }
    }
}

impl Sizes {
    /// The sizes in these rings.
    pub fn new(ring: &Ring) -> Self {
        let count = ring.levels.len() as u32;
        let levels = (0..count).map(|level| LevelSizes::new(ring, Level(level)));
        Self {
            levels: levels.collect(),
        }
    }

    fn at(&self, level: Level) -> LevelSizes {
        let level = self.levels.get(level.0 as usize);
        level.copied().unwrap_or_default()
    }

    /// Primes of a level.
    pub fn limbs(&self, level: Level) -> u64 {
        self.at(level).limbs
    }

    /// Gadget digits at a level.
    pub fn digits(&self, level: Level) -> u64 {
        self.at(level).digits
    }

    /// Primes of P in the ring of a level.
    pub fn special(&self, level: Level) -> u64 {
        self.at(level).special
    }

    /// Bytes of a limb at a level.
    pub fn limb_bytes(&self, level: Level) -> u64 {
        self.at(level).limb_bytes
    }

    /// Limbs of a value.
    pub fn limbs_of(&self, ty: &Type) -> u64 {
        let here = self.limbs(ty.level());
        let raised = here + self.special(ty.level());
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
        self.limbs_of(ty) * self.limb_bytes(ty.level())
    }

    fn key(&self, kind: KeyKind, level: Level) -> KeySizes {
        let level = self.at(level);
        match kind {
            KeyKind::RingSwitch => level.bridge,
            KeyKind::Relinearization | KeyKind::Conjugation | KeyKind::Rotation(_) => level.key,
        }
    }

    /// Bytes of an evaluation key once expanded.
    pub fn key_bytes(&self, kind: KeyKind, level: Level) -> u64 {
        let key = self.key(kind, level);
        2 * key.digits * key.limbs * key.limb_bytes
    }

    /// Bytes of an evaluation key in a file.
    pub fn packed_key_bytes(&self, kind: KeyKind, level: Level) -> u64 {
        self.key(kind, level).packed
    }

    /// Bytes that expanding a key takes beside it: its half in the file, and one polynomial on its way.
    pub(super) fn key_reading_bytes(&self, kind: KeyKind, level: Level) -> u64 {
        let key = self.key(kind, level);
        (key.digits + 1) * key.limbs * key.limb_bytes
    }

    /// Bytes that one thread needs for encoding at a level and for transforming factors: it does one or the other.
    pub(super) fn encoding_bytes(&self, level: Level) -> u64 {
        ENCODING_LIMBS.max(FACTORS_AT_ONCE as u64) * self.limb_bytes(level)
    }

    /// Bytes an instruction needs beside its operands and its result, with plaintexts as they are encoded for it; without what
    /// threads need that encode them. Of the ring of its result, but of the main ring for what leads from it.
    pub(super) fn scratch(&self, circuit: &Circuit, definition: &Definition) -> u64 {
        let level = definition.ty.level();
        let raised = self.limbs(level) + self.special(level);
        let digits = self.digits(level) * raised;
        let value = |v: &Value| circuit.type_of(*v).map_or(0, |ty| self.limbs_of(ty));
        let limbs = match &definition.inst {
            Inst::Dot { plains, .. } => {
                let at_a_time = plains.len().min(DOT_CHUNK.get()) as u64;
                let sums = u64::from(plains.len() > DOT_CHUNK.get()) * 2;
                MESSAGE_LIMBS * at_a_time + at_a_time / 2 + sums * self.limbs_of(&definition.ty)
            }
            Inst::AddPlain(_, p) | Inst::MulPlain(_, p) => value(p),
            Inst::Rotate { .. } | Inst::Relinearize(_) | Inst::Conjugate(_) => digits + 2 * raised,
            // As a key switch of the main ring, and its result.
            Inst::SwitchRing { .. } => digits + 2 * (raised + self.limbs(level)),
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
        let ring = match definition.inst {
            Inst::SwitchRing { a, .. } => circuit.type_of(a).map_or(level, Type::level),
            _ => level,
        };
        limbs * self.limb_bytes(ring)
    }
}
