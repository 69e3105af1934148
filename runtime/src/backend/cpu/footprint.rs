//! The memory that running a circuit on this processor takes.
//!
//! Notation: a *limb* is N words of 8 bytes; level l has `L` primes, P has `K`, and `d` gadget digits meet level l; all these are
//! those of the ring that l is in.
//!
//! | value | limbs |
//! |---|---|
//! | `ct<l>`, `ct<l, deg 2>`, `ct<l, ext>` | `2 L`, `3 L`, `2 (L + K)` |
//! | `pt<l>`, `pt<l, ext>` | `L`, `L + K` |
//! | `digits<l>` | `d (L + K)` |
//! | evaluation key at level l | streamed: its bytes in the file; expanded: `2 d (L + K)`, half of that beside it while it is read |
//!
//! Scratch is the memory for plaintexts encoded when they are used (one limb each where they are for one `dot`), for threads that
//! encode, and for fused key switches. One part in thirty is added for the allocator: limbs of a ring are buffers of one size,
//! which leave no gaps. The buffers of one ring are of no use to another, so the largest needs of all rings add up.
//!
//! Scratch is that of plaintexts encoded on the fly (one limb each where they are for one `dot`), of threads that encode and of the
//! fused key switches. Nothing is added for the allocator but one part in thirty: limbs of a ring are buffers of one size, which leave
//! no gaps. The buffers of one ring are of no use to another, so what each takes at its worst moment adds up.

use super::fixed::{shared_bytes, transfer_bytes};
use super::ring_bytes::RingBytes;
use super::sizes::{self, Sizes};
use crate::exec::{Footprint, KeyForm, Pools, Wave};
use peregrine_ir::{Circuit, Definition, Key, Level, RingId, Type, Value};

/// The memory of encoding beside its limbs, in limbs of its ring: the slots, and the complex transform.
const EMBEDDING_LIMBS: u64 = 4;

/// The bytes of buffers, with what the allocator leaves between them: measured, one part in thirty.
fn padded(bytes: u64) -> u64 {
    bytes + bytes / 30
}

/// The bytes that running a circuit on this processor takes for its parts.
#[derive(Clone, Debug)]
pub struct CpuFootprint<'c> {
    circuit: &'c Circuit,
    sizes: Sizes,
    threads: u64,
}

impl<'c> CpuFootprint<'c> {
    /// The footprint of a circuit that runs on the threads of the current pool.
    pub fn of(circuit: &'c Circuit) -> Self {
        Self {
            circuit,
            sizes: Sizes::new(&circuit.rings),
            threads: rayon::current_num_threads() as u64,
        }
    }

    fn ring_of(&self, level: Level) -> RingId {
        self.circuit.rings.ring_of(level)
    }

    /// The bytes that an instruction takes beside its operands and its result.
    fn step(&self, definition: &Definition) -> RingBytes {
        let bytes = self.sizes.scratch(self.circuit, definition);
        RingBytes::of(self.circuit.ring_of_work(definition), bytes)
    }

    /// The bytes of all threads that encode at a level.
    fn threads(&self, level: Level) -> RingBytes {
        let bytes = self.threads * self.sizes.encoding_bytes(level);
        RingBytes::of(self.ring_of(level), bytes)
    }
}

impl Footprint for CpuFootprint<'_> {
    type Pools = RingBytes;

    fn value(&self, value: Value) -> RingBytes {
        let ty = self.circuit.type_of(value);
        let bytes = |ty: &Type| RingBytes::of(self.ring_of(ty.level()), self.sizes.bytes_of(ty));
        ty.map(bytes).unwrap_or_default()
    }

    /// The bytes of the instructions of a wave, and of the threads that encode for them.
    fn scratch(&self, wave: &Wave) -> RingBytes {
        let steps = wave.steps.iter();
        let definitions = steps.filter_map(|&v| self.circuit.values.get(v));
        let (mut scratch, mut encoding) = (RingBytes::default(), RingBytes::default());
        for definition in definitions {
            scratch += self.step(definition);
            if sizes::encodes(&definition.inst) {
                encoding = encoding.larger(self.threads(definition.ty.level()));
            }
        }
        for plain in wave.plains.iter().filter_map(|&v| self.circuit.type_of(v)) {
            encoding = encoding.larger(self.threads(plain.level()));
        }
        scratch + encoding
    }

    fn key(&self, key: Key, form: KeyForm) -> u64 {
        let level = self.circuit.keys.levels.get(&key);
        level.map_or(0, |&level| match form {
            KeyForm::Expanded => self.sizes.key_bytes(key, level),
            KeyForm::Streamed => self.sizes.packed_key_bytes(key, level),
        })
    }

    fn reading(&self, key: Key, form: KeyForm) -> RingBytes {
        let level = self.circuit.keys.levels.get(&key);
        let level = level.filter(|_| form == KeyForm::Expanded);
        let bytes = |&level: &Level| {
            let bytes = self.sizes.key_reading_bytes(key, level);
            RingBytes::of(key.from, bytes)
        };
        level.map(bytes).unwrap_or_default()
    }

    fn shared(&self) -> u64 {
        shared_bytes(self.circuit)
    }

    fn transfer(&self) -> u64 {
        transfer_bytes(self.circuit)
    }

    fn held(&self, most: RingBytes) -> u64 {
        padded(most.total())
    }

    fn encoding(&self, plain: Value) -> u64 {
        let ty = self.circuit.type_of(plain);
        let work = |ty: &Type| {
            let limbs = self.sizes.limbs_of(ty) + EMBEDDING_LIMBS;
            limbs * self.sizes.limb_bytes(ty.level())
        };
        ty.map_or(0, work)
    }
}
