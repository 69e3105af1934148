//! Sizes of values, keys and scratch memory, by ring and level.

use crate::ckks::LEAST_LOG_RATIO;
use crate::ring::FACTORS_AT_ONCE;
use peregrine_ir::Type;
use peregrine_ir::stats::key_bytes;
use peregrine_ir::{
    Arena, Basis, Circuit, Definition, Factor, Form, Inst, Key, KeyKind, Level, Pass, Prime,
    RingId, RingTable, Value,
};
use std::num::NonZeroUsize;

/// The number of plaintexts that one `dot` has encoded at a time.
pub(super) const DOT_CHUNK: NonZeroUsize = match NonZeroUsize::new(32) {
    Some(count) => count,
    None => NonZeroUsize::MIN,
};

/// The memory that a thread which encodes a plaintext takes beside it, in limbs: slots, complex slots and the buffer of their
/// transform, coefficients as floats and as integers.
const ENCODING_LIMBS: u64 = 5;

/// The memory of a plaintext that is transformed where it is used, in limbs.
const MESSAGE_LIMBS: u64 = 1;

/// Whether an instruction encodes the plaintexts that it uses.
pub(super) fn encodes(inst: &Inst) -> bool {
    let by = Factor::Plaintext;
    let encodes = |pass: &Pass| match *pass {
        Pass::AddPlain => true,
        Pass::MultiplyPlain { by: found } | Pass::Dot { by: found, .. } => found == by,
        _ => false,
    };
    inst.passes().iter().any(encodes)
}

/// Whether a plaintext of an instruction has complex slots, so that it is transformed before it is used.
fn encodes_complex(circuit: &Circuit, inst: &Inst) -> bool {
    let is_complex = |value: Value| {
        let definition = circuit.values.get(value);
        let imaginary = definition.map(|d| {
            matches!(
                d.inst,
                Inst::Encode {
                    imaginary: Some(_),
                    ..
                }
            )
        });
        imaginary.unwrap_or(false)
    };
    inst.operands().into_iter().any(is_complex)
}

/// Sizes of values and keys in bytes and limbs, by ring and level.
#[derive(Clone, Debug)]
pub struct Sizes {
    levels: Vec<LevelSizes>,
    /// log2 of the degree of each ring.
    degrees: Arena<RingId, u32>,
}

/// The numbers on which sizes at one level depend.
#[derive(Clone, Copy, Debug, Default)]
struct LevelSizes {
    /// Bytes of a limb of the level's ring.
    limb_bytes: u64,
    limbs: u64,
    /// The number of primes of P.
    special: u64,
    digits: u64,
    key: KeySizes,
}

/// The numbers on which the sizes of a key that leads to one level depend, in the degree of the ring of that level.
#[derive(Clone, Copy, Debug, Default)]
struct KeySizes {
    log_n: u32,
    /// The number of primes, those of P included.
    limbs: u64,
    digits: u64,
    /// Bytes of the key in a file.
    packed: u64,
}

impl LevelSizes {
    fn new(ring: &RingTable, level: Level) -> Self {
        let (view, row) = (ring.at(level), ring.row(level).unwrap_or_default());
        let key_row = ring.key_row(level);
        let digits = |row: &[Prime]| {
            let meets = |digit: &&Vec<_>| digit.iter().any(|p| row.contains(p));
            view.digits().iter().filter(meets).count() as u64
        };
        let special = view.special_count() as u64;
        let any = Key::within(ring.ring_of(level), KeyKind::Relinearization);
        let key = KeySizes {
            log_n: view.log_n(),
            limbs: key_row.len() as u64 + special,
            digits: digits(&key_row),
            packed: key_bytes(ring, any, level),
        };
        Self {
            limb_bytes: 8 << view.log_n(),
            limbs: row.len() as u64,
            special,
            digits: digits(row),
            key,
        }
    }
}

impl Sizes {
    /// The sizes in a table of rings.
    pub fn new(ring: &RingTable) -> Self {
        let count = ring.levels.len() as u32;
        let levels = (0..count).map(|level| LevelSizes::new(ring, Level(level)));
        Self {
            levels: levels.collect(),
            degrees: ring.rings.values().map(|spec| spec.log_n).collect(),
        }
    }

    fn at(&self, level: Level) -> LevelSizes {
        let level = self.levels.get(level.0 as usize);
        level.copied().unwrap_or_default()
    }

    /// The number of primes of a level.
    pub fn limbs(&self, level: Level) -> u64 {
        self.at(level).limbs
    }

    /// The number of gadget digits at a level.
    pub fn digits(&self, level: Level) -> u64 {
        self.at(level).digits
    }

    /// The number of primes of P in the ring of a level.
    pub fn special(&self, level: Level) -> u64 {
        self.at(level).special
    }

    /// Bytes of a limb at a level.
    pub fn limb_bytes(&self, level: Level) -> u64 {
        self.at(level).limb_bytes
    }

    /// Limbs of a value of a type.
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

    /// Bytes of a value of a type.
    pub fn bytes_of(&self, ty: &Type) -> u64 {
        self.limbs_of(ty) * self.limb_bytes(ty.level())
    }

    /// Bytes of a limb of a ring.
    fn ring_limb_bytes(&self, ring: RingId) -> u64 {
        self.degrees.get(ring).map_or(0, |&log_n| 8 << log_n)
    }

    /// Bytes of an evaluation key for uses up to a level, expanded.
    pub fn key_bytes(&self, key: Key, level: Level) -> u64 {
        let sizes = self.at(level).key;
        2 * sizes.digits * sizes.limbs * self.ring_limb_bytes(key.from)
    }

    /// Bytes of an evaluation key for uses up to a level, in a file.
    pub fn packed_key_bytes(&self, key: Key, level: Level) -> u64 {
        let sizes = self.at(level).key;
        let from = self.degrees.get(key.from).copied();
        let longer = from.and_then(|from| from.checked_sub(sizes.log_n));
        sizes.packed << longer.unwrap_or(0)
    }

    /// Bytes that expanding a key takes beside it: the half of it in the file, and one polynomial at a time.
    pub(super) fn key_reading_bytes(&self, key: Key, level: Level) -> u64 {
        let sizes = self.at(level).key;
        (sizes.digits + 1) * sizes.limbs * self.ring_limb_bytes(key.from)
    }

    /// Bytes that one thread needs for encoding at a level or for transforming factors, which it does in turn.
    pub(super) fn encoding_bytes(&self, level: Level) -> u64 {
        ENCODING_LIMBS.max(FACTORS_AT_ONCE as u64) * self.limb_bytes(level)
    }

    /// Bytes that an instruction needs beside its operands and its result: the plaintexts that are encoded for it, without those
    /// of the threads that encode them. They are in the ring of its result; where it leads to another ring, in the ring that it
    /// leads from.
    pub(super) fn scratch(&self, circuit: &Circuit, definition: &Definition) -> u64 {
        let (inst, level) = (&definition.inst, definition.ty.level());
        let operands = inst.operands().into_iter();
        let mut types = operands.filter_map(|v| circuit.type_of(v));
        let first = types.clone().next();
        let operand = || first.map_or(0, |ty| self.limbs_of(ty));
        let mut plaintext = || {
            let plain = types.find(|ty| matches!(ty, Type::Plain { .. }));
            plain.map_or(0, |ty| self.limbs_of(ty))
        };
        let passes = inst.passes();
        let limbs = match passes.as_slice() {
            // Done in a copy of the operand.
            [Pass::Rescale | Pass::ModDown | Pass::Decompose] => operand(),
            [Pass::AddPlain | Pass::MultiplyPlain { .. }] => plaintext(),
            &[
                Pass::Dot {
                    terms,
                    by: Factor::Plaintext,
                },
            ] => {
                let at_a_time = terms.min(DOT_CHUNK.get()) as u64;
                let sums = u64::from(terms > DOT_CHUNK.get()) * 2;
                let whole = plaintext();
                let plain = match encodes_complex(circuit, inst) {
                    true => whole,
                    false => MESSAGE_LIMBS,
                };
                // Slots that repeat are encoded for all primes.
                let short = (whole * at_a_time).div_ceil(1 << LEAST_LOG_RATIO);
                let plains = short.max(plain * at_a_time + at_a_time / 2);
                plains + sums * self.limbs_of(&definition.ty)
            }
            // What one pass hands to the next.
            [before @ .., _] => {
                let level = match inst {
                    Inst::SwitchRing { .. } | Inst::RaiseExt { .. } => level,
                    _ => first.map_or(level, Type::level),
                };
                before.iter().map(|pass| self.handed_on(*pass, level)).sum()
            }
            [] => 0,
        };
        limbs * self.ring_limb_bytes(circuit.ring_of_work(definition))
    }

    /// Limbs of the result of a pass at a level that the next pass uses.
    fn handed_on(&self, pass: Pass, level: Level) -> u64 {
        let raised = self.limbs(level) + self.special(level);
        match pass {
            Pass::Decompose => self.digits(level) * raised,
            Pass::KeyProduct => 2 * raised,
            // Both parts, of which the second one is extended.
            Pass::Raise => self.limbs(level) + raised,
            _ => 2 * self.limbs(level),
        }
    }
}
