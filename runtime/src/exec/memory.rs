//! How much memory a run takes, known before it starts.
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
//! A key for switching rings has limbs of the ring that it leads from, `K` and `d` of the ring that it leads to.
//!
//! The peak is the largest sum, over the waves of a [`Plan`], of the values alive and what the wave makes: results,
//! plaintexts encoded on the fly (one limb each where they are for one `dot`), scratch of threads that encode and of the fused key
//! switches, and keys. To it come what is there from beginning
//! to end: plaintexts kept from one run to the next, circuit and tables ([`fixed_bytes`]), and what the caller says of
//! the process around the run. Nothing is added for the allocator: limbs of a ring are buffers of one size, which leave no gaps. The
//! buffers of one ring are of no use to another, so what each takes at its worst moment adds up.

mod fixed;
mod ring_bytes;
mod sizes;

pub use fixed::fixed_bytes;
pub use sizes::Sizes;

use super::keys::KeyResidence;
use super::plan::{Plan, PlanOptions, SharedPlains, Wave};
use super::{cache, key_plan};
use peregrine_ir::{Circuit, Definition, Inst, Key, Level, RingId, Type, Value};
use ring_bytes::RingBytes;

/// The plaintexts one `dot` encodes at a time.
pub(super) const DOT_CHUNK: usize = 32;

/// The memory a run is predicted to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Prediction {
    /// Values alive at the worst moment, with what is being computed then.
    pub values: u64,
    /// Evaluation keys in memory at that moment.
    pub keys: u64,
    /// Encoded plaintexts kept from one run to the next.
    pub cache: u64,
    /// Circuit, tables, inputs and outputs, and the process around them.
    pub fixed: u64,
    /// Instructions that run side by side.
    pub window: usize,
    /// The first value computed at the worst moment.
    pub at: Option<Value>,
}

impl Prediction {
    /// Everything together.
    pub fn total(&self) -> u64 {
        let Self {
            values,
            keys,
            cache,
            fixed,
            ..
        } = *self;
        let parts = [values, keys, cache, fixed];
        parts.into_iter().fold(0, u64::saturating_add)
    }
}

/// Predicts the peak of a plan in a process that takes no memory itself, run by the threads of the current pool.
pub fn predict(circuit: &Circuit, plan: &Plan) -> Prediction {
    let meter = Meter {
        circuit,
        plan,
        sizes: Sizes::new(&circuit.ring),
        threads: rayon::current_num_threads() as u64,
    };
    let inputs = circuit.inputs.iter().flat_map(|port| &port.values);
    let mut live: RingBytes = inputs.map(|v| meter.value(v)).sum();
    let mut keys = match plan.options().keys {
        KeyResidence::Held => meter.keys(circuit.keys.levels.keys()),
        KeyResidence::Stored => 0,
    };
    let mut peak = Prediction {
        values: padded(live.total()),
        keys,
        cache: plan
            .cached()
            .iter()
            .map(|v| meter.value(v))
            .sum::<RingBytes>()
            .total(),
        fixed: fixed_bytes(circuit),
        window: plan.options().window,
        at: None,
    };
    // Limbs go back to a pool that keeps them, so values never take less than they once did; keys leave memory.
    let mut most = live.clone();
    for wave in plan.waves() {
        keys += meter.keys(&wave.keys);
        let reading = live.clone().plus(&meter.reading(&wave.keys));
        keys += meter.keys(&wave.ahead);
        live += &meter.values(&wave.plains).plus(&meter.values(&wave.steps));
        let beside = meter.scratch(wave).plus(&meter.reading(&wave.ahead));
        most = most.max(&reading.max(&live.clone().plus(&beside)));
        if padded(most.total()) + keys > peak.values + peak.keys {
            let at = wave.steps.first().copied();
            peak = Prediction {
                values: padded(most.total()),
                keys,
                at,
                ..peak
            };
        }
        live -= &meter.values(&wave.dead);
        keys -= meter.keys(&wave.spent);
    }
    peak
}

/// Bytes that buffers take with what the allocator leaves between them: measured, one part in thirty.
fn padded(bytes: u64) -> u64 {
    bytes + bytes / 30
}

/// Bytes of the things in a circuit.
struct Meter<'c> {
    circuit: &'c Circuit,
    plan: &'c Plan,
    sizes: Sizes,
    threads: u64,
}

impl Meter<'_> {
    fn ring_of(&self, level: Level) -> RingId {
        self.circuit.ring.ring_of(level)
    }

    fn value(&self, value: &Value) -> RingBytes {
        let ty = self.circuit.type_of(*value);
        let bytes = |ty: &Type| RingBytes::of(self.ring_of(ty.level()), self.sizes.bytes_of(ty));
        ty.map(bytes).unwrap_or_default()
    }

    fn values(&self, values: &[Value]) -> RingBytes {
        values.iter().map(|v| self.value(v)).sum()
    }

    /// Whether a key is held in memory expanded.
    fn is_expanded(&self, key: &Key) -> bool {
        self.plan.options().keys == KeyResidence::Held || self.plan.expanded().contains(key)
    }

    fn keys<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> u64 {
        let bytes = |key: &Key| {
            let level = *self.circuit.keys.levels.get(key)?;
            Some(match self.is_expanded(key) {
                true => self.sizes.key_bytes(*key, level),
                false => self.sizes.packed_key_bytes(*key, level),
            })
        };
        keys.into_iter().filter_map(bytes).sum()
    }

    /// Beside keys that are being read.
    fn reading(&self, keys: &[Key]) -> RingBytes {
        let bytes = |key: &Key| {
            let level = *self.circuit.keys.levels.get(key)?;
            let bytes = self.sizes.key_reading_bytes(*key, level);
            Some(RingBytes::of(key.from, bytes))
        };
        let keys = keys.iter().filter(|key| self.is_expanded(key));
        keys.filter_map(bytes).sum()
    }

    /// Beside the operands and results of a wave: what its instructions need, and what each thread that encodes for one of them
    /// does.
    fn scratch(&self, wave: &Wave) -> RingBytes {
        let steps = wave.steps.iter();
        let definitions = steps.filter_map(|&v| self.circuit.values.get(v));
        let (mut scratch, mut encoding) = (RingBytes::default(), RingBytes::default());
        for definition in definitions {
            scratch += &self.step(definition);
            if sizes::encodes(&definition.inst) {
                encoding = encoding.max(&self.encoding(definition.ty.level()));
            }
        }
        for plain in wave.plains.iter().filter_map(|&v| self.circuit.type_of(v)) {
            encoding = encoding.max(&self.encoding(plain.level()));
        }
        scratch.plus(&encoding)
    }

    /// Beside the operands and the result of an instruction.
    fn step(&self, definition: &Definition) -> RingBytes {
        let own = definition.ty.level();
        let level = match definition.inst {
            Inst::SwitchRing { a, .. } => self.circuit.type_of(a).map_or(own, Type::level),
            _ => own,
        };
        RingBytes::of(
            self.ring_of(level),
            self.sizes.scratch(self.circuit, definition),
        )
    }

    /// By all threads that encode at a level.
    fn encoding(&self, level: Level) -> RingBytes {
        let bytes = self.threads * self.sizes.encoding_bytes(level);
        RingBytes::of(self.ring_of(level), bytes)
    }
}

/// What a plan may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Most instructions side by side.
    pub window: usize,
    /// What their source does with keys.
    pub keys: KeyResidence,
    /// Most bytes for keys that are expanded for good.
    pub expanded: u64,
    /// Most bytes for everything.
    pub limit: Option<u64>,
    /// Most bytes for plaintexts kept from one run to the next.
    pub cache: u64,
    /// Bytes that the process takes beside the run.
    pub process: u64,
}

/// The widest plan that stays below the limit; then as many expanded keys, and then as many kept plaintexts, as it leaves
/// room for.
///
/// Gives up instructions side by side first, and then plaintexts used several times, which are encoded anew for each use.
///
/// # Errors
/// When no plan fits; with the smallest prediction.
pub fn fit(circuit: &Circuit, budget: Budget) -> Result<(Plan, Prediction), MemoryError> {
    let mut options = PlanOptions {
        window: budget.window.max(1),
        plains: SharedPlains::Keep,
        keys: budget.keys,
    };
    let limit = budget.limit.unwrap_or(u64::MAX);
    let predict = |plan: &Plan| {
        let mut prediction = predict(circuit, plan);
        prediction.fixed = prediction.fixed.saturating_add(budget.process);
        prediction
    };
    let mut least: Option<Prediction> = None;
    loop {
        let mut plan = Plan::new(circuit, options);
        let prediction = predict(&plan);
        if let Some(room) = limit.checked_sub(prediction.total()) {
            let room = room.min(budget.expanded);
            plan.expand(circuit, key_plan::choose(circuit, &plan, room));
            let room = limit.saturating_sub(predict(&plan).total());
            plan.cache(cache::choose(circuit, &plan, room.min(budget.cache)));
            let prediction = predict(&plan);
            return Ok((plan, prediction));
        }
        let best = least.filter(|least| least.total() <= prediction.total());
        let prediction = best.unwrap_or(prediction);
        least = Some(prediction);
        options = thriftier(options).ok_or(MemoryError { limit, prediction })?;
    }
}

/// The next plan to try when one takes too much.
fn thriftier(mut options: PlanOptions) -> Option<PlanOptions> {
    match (options.window, options.plains) {
        (2.., _) => options.window /= 2,
        (_, SharedPlains::Keep) => options.plains = SharedPlains::Reencode,
        (_, SharedPlains::Reencode) => return None,
    }
    Some(options)
}

/// A circuit does not fit the memory it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the run needs {} of memory ({} of values, {} of evaluation keys, {} of program, weights and tables), the limit is {}",
    Bytes(prediction.total()), Bytes(prediction.values), Bytes(prediction.keys),
    Bytes(prediction.fixed), Bytes(*limit)
)]
pub struct MemoryError {
    /// The limit in bytes.
    pub limit: u64,
    /// The least that any plan takes; with this limit the circuit runs.
    pub prediction: Prediction,
}

/// Bytes for reading, never less than there are.
pub(crate) struct Bytes(pub(crate) u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let power = (self.0.ilog2() / 10).min(UNITS.len() as u32);
        let unit = UNITS.get(power as usize - 1).unwrap_or(&"KiB");
        let value = self.0 as f64 / 1024f64.powi(power as i32);
        write!(f, "{:.1} {unit}", (value * 10.0).ceil() / 10.0)
    }
}
