//! How much memory a run takes, known before it starts.
//!
//! Notation: a *limb* is N words of 8 bytes; level l has `L` primes, P has `K`, and `d` gadget digits meet level l.
//!
//! | value | limbs |
//! |---|---|
//! | `ct<l>`, `ct<l, deg 2>`, `ct<l, ext>` | `2 L`, `3 L`, `2 (L + K)` |
//! | `pt<l>`, `pt<l, ext>` | `L`, `L + K` |
//! | `digits<l>` | `d (L + K)` |
//! | evaluation key at level l | `2 d (L + K)` once expanded |
//!
//! The peak is the largest sum, over the waves of a [`Plan`], of the values alive and what the wave makes: results,
//! plaintexts encoded on the fly, scratch of the fused key switches, and keys.
//!
//! Beyond that a run holds the weights of the circuit and tables of a few megabytes, which are not counted.

use super::keys::KeyResidence;
use super::plan::{Plan, PlanOptions, SharedPlains};
use peregrine_ir::{Basis, Circuit, Definition, Form, Inst, KeyKind, Level, Ring, Type, Value};

/// The plaintexts one `dot` encodes at a time.
pub(super) const DOT_CHUNK: usize = 16;

/// What encoding one plaintext takes beside it: slots, complex slots, coefficients as floats and as integers.
const ENCODING_LIMBS: u64 = 4;

/// Sizes of values, from ring and level.
#[derive(Clone, Debug)]
pub struct Sizes {
    limb_bytes: u64,
    special: u64,
    /// Per level: primes, gadget digits.
    levels: Vec<(u64, u64)>,
}

impl Sizes {
    /// The sizes in this ring.
    pub fn new(ring: &Ring) -> Self {
        let levels = ring
            .levels
            .iter()
            .map(|row| {
                let meets = |digit: &&Vec<_>| digit.iter().any(|p| row.contains(p));
                (
                    row.len() as u64,
                    ring.digits.iter().filter(meets).count() as u64,
                )
            })
            .collect();
        Self {
            limb_bytes: 8 << ring.log_n,
            special: ring.special.len() as u64,
            levels,
        }
    }

    /// Primes of a level.
    pub fn limbs(&self, level: Level) -> u64 {
        self.levels.get(level.0 as usize).map_or(0, |l| l.0)
    }

    /// Gadget digits at a level.
    pub fn digits(&self, level: Level) -> u64 {
        self.levels.get(level.0 as usize).map_or(0, |l| l.1)
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

    /// Bytes of an evaluation key once expanded.
    pub fn key_bytes(&self, level: Level) -> u64 {
        2 * self.digits(level) * (self.limbs(level) + self.special) * self.limb_bytes
    }

    /// Bytes an instruction needs beside its operands and its result; plaintexts with the buffers of their encoding.
    fn scratch(&self, circuit: &Circuit, definition: &Definition) -> u64 {
        let level = definition.ty.level();
        let raised = self.limbs(level) + self.special;
        let digits = self.digits(level) * raised;
        let value = |v: &Value| circuit.type_of(*v).map_or(0, |ty| self.limbs_of(ty));
        let plain = |v: &Value| value(v) + ENCODING_LIMBS;
        let limbs = match &definition.inst {
            Inst::Dot { plains, .. } => {
                let at_a_time = plains.len().min(DOT_CHUNK) as u64;
                let sums = u64::from(plains.len() > DOT_CHUNK) * 2;
                plains.first().map_or(0, plain) * at_a_time + sums * self.limbs_of(&definition.ty)
            }
            Inst::AddPlain(_, p) | Inst::MulPlain(_, p) => plain(p),
            Inst::Rotate { .. } | Inst::Relinearize(_) | Inst::Conjugate(_) => digits + 2 * raised,
            Inst::Rescale { a, .. } | Inst::ModDown(a) | Inst::Decompose(a) => value(a),
            Inst::Input { .. }
            | Inst::Encode { .. }
            | Inst::Add(_)
            | Inst::Sub(..)
            | Inst::Negate(_)
            | Inst::MulScalar { .. }
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

/// The memory a run is predicted to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Prediction {
    /// Values alive at the worst moment, with what is being computed then.
    pub values: u64,
    /// Evaluation keys in memory at that moment.
    pub keys: u64,
    /// Instructions that run side by side.
    pub window: usize,
    /// The first value computed at the worst moment.
    pub at: Option<Value>,
}

impl Prediction {
    /// Everything together.
    pub fn total(&self) -> u64 {
        self.values.saturating_add(self.keys)
    }
}

/// Predicts the peak of a plan.
pub fn predict(circuit: &Circuit, plan: &Plan) -> Prediction {
    let sizes = Sizes::new(&circuit.ring);
    let bytes = |value: Value| circuit.type_of(value).map_or(0, |ty| sizes.bytes_of(ty));
    let sum = |values: &[Value]| values.iter().map(|&v| bytes(v)).sum::<u64>();
    let key = |kind: &KeyKind| {
        circuit
            .keys
            .levels
            .get(kind)
            .map_or(0, |&l| sizes.key_bytes(l))
    };
    let scratch = |v: &Value| {
        let definition = circuit.values.get(*v);
        definition.map_or(0, |d| sizes.scratch(circuit, d))
    };
    let inputs = circuit.inputs.iter().flat_map(|port| &port.values);
    let mut live: u64 = inputs.map(|&v| bytes(v)).sum();
    let mut keys = 0;
    let mut peak = Prediction {
        values: live,
        keys,
        window: plan.options().window,
        at: None,
    };
    for wave in plan.waves() {
        keys += wave.keys.iter().map(key).sum::<u64>();
        live += sum(&wave.plains) + sum(&wave.steps);
        let values = live + wave.steps.iter().map(scratch).sum::<u64>();
        if values + keys > peak.total() {
            let at = wave.steps.first().copied();
            peak = Prediction {
                values,
                keys,
                at,
                ..peak
            };
        }
        live -= sum(&wave.dead);
        keys -= wave.spent.iter().map(key).sum::<u64>();
    }
    peak
}

/// The widest plan that stays below `limit` bytes.
///
/// Gives up in this order: keys that are used later or no more, as far as `keys` allows; instructions side by side; and
/// plaintexts used several times, which are then encoded anew for each use.
///
/// # Errors
/// When no plan fits; with the smallest prediction.
pub fn fit(
    circuit: &Circuit,
    window: usize,
    keys: KeyResidence,
    limit: Option<u64>,
) -> Result<(Plan, Prediction), MemoryError> {
    let mut options = PlanOptions {
        window: window.max(1),
        plains: SharedPlains::Keep,
        keys: KeyResidence::All,
    };
    loop {
        let plan = Plan::new(circuit, options);
        let prediction = predict(circuit, &plan);
        let Some(limit) = limit.filter(|&limit| prediction.total() > limit) else {
            return Ok((plan, prediction));
        };
        if options.keys != keys {
            options.keys = keys;
        } else if options.window > 1 {
            options.window /= 2;
        } else if options.plains == SharedPlains::Keep {
            options.plains = SharedPlains::Reencode;
        } else {
            return Err(MemoryError { limit, prediction });
        }
    }
}

/// A circuit does not fit the memory it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the run needs {} of memory ({} of values and {} of evaluation keys), the limit is {}",
    Bytes(prediction.total()), Bytes(prediction.values), Bytes(prediction.keys), Bytes(*limit)
)]
pub struct MemoryError {
    /// The limit in bytes.
    pub limit: u64,
    /// The least that any plan takes.
    pub prediction: Prediction,
}

/// Bytes for reading.
struct Bytes(u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let power = (self.0.ilog2() / 10).min(UNITS.len() as u32);
        let unit = UNITS.get(power as usize - 1).unwrap_or(&"KiB");
        write!(
            f,
            "{:.1} {unit}",
            self.0 as f64 / 1024f64.powi(power as i32)
        )
    }
}
