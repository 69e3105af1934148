//! What identifies a circuit: its name, ring, levels and what they promise.

use crate::words::{bytes, count};
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::stats::KeyStats;
use peregrine_ir::{Interface, KeyKind, Level, RingId, RingTable, SecretKind, Security};
use serde::Serialize;

/// The name, ring, levels and security of a circuit, as every report begins.
///
/// ```
/// # fn main() -> Result<(), peregrine::Error> {
/// use peregrine::{CircuitSummary, CompileOptions, Model, Security, compile};
///
/// let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/digits/digits.onnx"))?;
/// let interface = compile(&model, &CompileOptions::default())?.interface;
/// let summary = CircuitSummary::new(&interface);
/// assert_eq!(summary.security, Security::Classical128);
/// assert!(summary.modulus_bits <= f64::from(summary.modulus_limit_bits.unwrap()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CircuitSummary {
    /// Name of the circuit.
    pub name: String,
    /// Hash of everything that clients and servers must agree on, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// The security that the parameters promise.
    pub security: Security,
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Slots of a ciphertext: half the ring degree.
    pub slots: u32,
    /// Number of levels, the lowest included.
    pub levels: usize,
    /// Number of primes of the modulus chain.
    pub primes: usize,
    /// Number of primes of P, by which key switching divides.
    pub special_primes: usize,
    /// log2 of the modulus of the highest level.
    pub chain_bits: f64,
    /// log2 of P.
    pub special_bits: f64,
    /// log2 of the largest modulus that anything is encrypted under, on which security depends.
    pub modulus_bits: f64,
    /// The largest `modulus_bits` that 128-bit security allows at this degree; none for degrees without an estimate.
    pub modulus_limit_bits: Option<u32>,
    /// The smaller ring of the lowest levels, where the circuit switches rings.
    pub small_ring: Option<SmallRingSummary>,
    /// The sparse secret under which moduli are raised, where the circuit refreshes values.
    pub sparse_secret: Option<SparseSecretSummary>,
}

/// The smaller ring that a circuit switches to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SmallRingSummary {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Slots of a ciphertext.
    pub slots: u32,
    /// Number of levels of the ring, the lowest of the circuit included.
    pub levels: u32,
    /// Number of primes of P in this ring, by which key switching divides.
    pub special_primes: u32,
    /// log2 of the largest modulus that anything is encrypted under, on which security depends.
    pub modulus_bits: f64,
    /// The largest `modulus_bits` that 128-bit security allows at this degree.
    pub modulus_limit_bits: Option<u32>,
}

/// The sparse secret of a circuit, under which moduli are raised.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SparseSecretSummary {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// The number of its coefficients that are not 0.
    pub weight: u32,
    /// log2 of the largest modulus of a key that leads to it, on which its security depends.
    pub modulus_bits: f64,
    /// The largest `modulus_bits` that 128-bit security allows; none for degrees and weights without an estimate.
    pub modulus_limit_bits: Option<u32>,
}

impl SparseSecretSummary {
    fn of(interface: &Interface) -> Option<Self> {
        let rings = interface.rings();
        let mut sparse = rings.rings.keys().filter_map(|id| {
            let secret = rings.view(id).secret();
            match secret.kind {
                SecretKind::Ternary => None,
                SecretKind::Sparse { weight } => Some(Self {
                    log_n: secret.log_n,
                    weight,
                    modulus_bits: rings.published_bits(id, interface.keys()),
                    modulus_limit_bits: secret.max_modulus_bits(),
                }),
            }
        });
        sparse.next()
    }
}

impl SmallRingSummary {
    fn of(ring: &RingTable) -> Option<Self> {
        let main = ring.view(ring.top_ring()).log_n();
        let smaller = |id: &RingId| ring.view(*id).log_n() < main;
        let id = ring.descent().into_iter().rfind(smaller)?;
        let (view, log_n) = (ring.view(id), ring.view(id).log_n());
        Some(Self {
            log_n,
            slots: view.slots(),
            levels: ring.levels_of(id).count() as u32,
            special_primes: view.special_count() as u32,
            modulus_bits: ring.total_bits(id),
            modulus_limit_bits: Security::max_modulus_bits(log_n),
        })
    }
}

impl CircuitSummary {
    /// Summarises the circuit of a client interface.
    pub fn new(interface: &Interface) -> Self {
        let ring = interface.rings();
        let top = ring.levels.len().saturating_sub(1) as u32;
        let main = ring.top_ring();
        let (view, log_n) = (ring.view(main), ring.view(main).log_n());
        Self {
            name: interface.name().to_owned(),
            fingerprint: hex(interface.fingerprint()),
            security: interface.security(),
            log_n,
            slots: view.slots(),
            levels: ring.levels.len(),
            primes: ring.primes.len(),
            special_primes: ring.special.len(),
            chain_bits: ring.level_bits(Level(top)).unwrap_or(0.0),
            special_bits: view.special_bits(),
            modulus_bits: ring.total_bits(main),
            modulus_limit_bits: Security::max_modulus_bits(log_n),
            small_ring: SmallRingSummary::of(ring),
            sparse_secret: SparseSecretSummary::of(interface),
        }
    }
}

/// A fingerprint as 64 hexadecimal digits.
pub fn hex(fingerprint: Fingerprint) -> String {
    format!("{fingerprint:?}")
}

/// Evaluation keys in a few words: how many, how many of them for rotations, and their size in a file.
pub fn key_summary(keys: &[KeyStats]) -> String {
    let is_rotation = |key: &&KeyStats| matches!(key.key.kind, KeyKind::Rotation(_));
    let rotations = keys.iter().filter(is_rotation).count();
    let total = keys.iter().map(|key| key.bytes).sum();
    let others = keys.len() - rotations;
    format!(
        "{} ({}, {others} other), {}",
        keys.len(),
        count(rotations, "rotation"),
        bytes(total)
    )
}
