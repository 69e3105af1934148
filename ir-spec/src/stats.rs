//! Statistics of a circuit: operations by ONNX node, keys and ciphertexts, counted.
//!
//! Fused operations count as their phases, so that the numbers say what is computed and not how it is spelled: a whole
//! rotation is one key switch, one decomposition and one `mod_down`; of hoisted rotations each is a key switch, and the
//! decomposition and the `mod_down` they share are counted once.
//!
//! Bytes are those of files. One half of a key is stored, the other is expanded from a seed; likewise for a fresh ciphertext.

use crate::bounds::{AllBounds, Bounds};
use crate::circuit::{Circuit, Keys, Port, SourceNode};
use crate::entity::{Entity, Prime};
use crate::expectation::{Expectation, InputRange};
use crate::finish::{Finish, Prepare};
use crate::inst::Inst;
use crate::interface::InterfacePort;
use crate::key::Key;
use crate::passes::{Factor, Pass};
use crate::ring::{Level, RingTable};
use crate::shape::Shape;
use crate::types::Type;
use std::collections::BTreeMap;
use std::ops::AddAssign;

/// The operations, keys and ports of a circuit, counted.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Stats {
    /// The statistics of each ONNX node, in the circuit's order; those of instructions that serve no node come first.
    pub nodes: Vec<NodeStats>,
    /// The operations of all nodes.
    pub total: Counts,
    /// The bounds of the circuit: the sum over the nodes.
    pub bounds: Bounds,
    /// Evaluation keys.
    pub keys: Vec<KeyStats>,
    /// Bytes of all keys in a file.
    pub key_bytes: u64,
    /// The input tensors.
    pub inputs: Vec<PortStats>,
    /// The output tensors.
    pub outputs: Vec<PortStats>,
}

/// The operations of one ONNX node, counted.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NodeStats {
    /// The node; none for inputs and other instructions that serve no node.
    pub node: Option<SourceNode>,
    /// The highest level of a ciphertext that the node takes.
    pub level_in: Option<Level>,
    /// The lowest level of a ciphertext that the node gives.
    pub level_out: Option<Level>,
    /// Its operations.
    #[serde(flatten)]
    pub counts: Counts,
    /// Its work, beside the least that any packing needs.
    pub bounds: Bounds,
}

/// How often each kind of operation is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Instructions that a run executes; those of a function count as often as it is called.
    pub instructions: u64,
    /// Products of a ciphertext and a plaintext, terms of a `dot` included.
    pub plaintext_products: u64,
    /// Products of a ciphertext and a scalar: one for each term of a `dot_scalar`, one for each `mul_scalar` whatever its factor
    /// (a product with 1 that only changes a scale is computed like any other).
    pub scalar_products: u64,
    /// Products of two ciphertexts.
    pub ciphertext_products: u64,
    /// Ciphertexts decomposed into gadget digits.
    pub decompositions: u64,
    /// Rotations that share their digits.
    pub hoisted_rotations: u64,
    /// Rotations that decompose their operand themselves.
    pub full_rotations: u64,
    /// Inner products with an evaluation key.
    pub key_switches: u64,
    /// Divisions by P.
    pub mod_downs: u64,
    /// Rescales.
    pub rescales: u64,
    /// Plaintexts encoded.
    pub encodes: u64,
}

/// The size of one evaluation key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct KeyStats {
    /// The key.
    #[serde(flatten)]
    pub key: Key,
    /// The highest level of use.
    pub level: Level,
    /// Bytes in a file.
    pub bytes: u64,
}

/// The size of an input or output tensor.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PortStats {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// The number of ciphertexts that hold it.
    pub ciphertexts: u64,
    /// The level of these ciphertexts.
    pub level: Option<Level>,
    /// log2 of their scale.
    pub scale_bits: Option<f64>,
    /// The steps that the client takes after decryption.
    pub finish: Finish,
    /// The range of an input's values.
    pub range: Option<InputRange>,
    /// The magnitude and the noise of an output's values.
    pub expectation: Option<Expectation>,
    /// The tensor that the client is given, and the steps it takes before encryption.
    pub prepare: Option<Prepare>,
}

impl Stats {
    /// Counts the operations, keys and ports of a circuit.
    pub fn of(circuit: &Circuit) -> Self {
        let bounds = AllBounds::of(circuit);
        let nodes = nodes(circuit, &bounds);
        let mut total = Counts::default();
        for node in &nodes {
            total += node.counts;
        }
        let keys = KeyStats::all(&circuit.rings, &circuit.keys);
        let ports = |ports: &[Port]| ports.iter().map(|p| PortStats::of(circuit, p)).collect();
        Self {
            nodes,
            total,
            bounds: bounds.total,
            key_bytes: keys.iter().map(|key| key.bytes).sum(),
            keys,
            inputs: ports(&circuit.inputs),
            outputs: ports(&circuit.outputs),
        }
    }
}

impl KeyStats {
    /// The sizes of the keys that are declared, relinearization first, rotations ascending.
    pub fn all(ring: &RingTable, keys: &Keys) -> Vec<Self> {
        let keys = keys.levels.iter();
        keys.map(|(&key, &level)| Self {
            key,
            level,
            bytes: key_bytes(ring, key, level),
        })
        .collect()
    }
}

/// Bytes in a file of an evaluation key for uses up to a level: for each of the digits that meet [`RingTable::key_row`], one
/// polynomial modulo the primes of that row and the special primes. Seeds and checksums, some hundred bytes, are not counted. A
/// key that leads to another ring has the larger degree of the two, with the digits and special primes of the ring that it leads to.
pub fn key_bytes(ring: &RingTable, key: Key, level: Level) -> u64 {
    let (row, view) = (ring.key_row(level), ring.at(level));
    let log_n = ring.view(key.from).log_n().max(view.log_n());
    let meets = |digit: &&Vec<_>| digit.iter().any(|prime| row.contains(prime));
    let digits = view.digits().iter().filter(meets).count() as u64;
    let special: u64 = view.special().map(|p| limb_bytes(log_n, p)).sum();
    digits * (polynomial_bytes(ring, log_n, &row) + special)
}

/// Bytes in a file of a fresh ciphertext at a level, without its seed. Any other ciphertext has twice as many.
pub fn seeded_ciphertext_bytes(ring: &RingTable, level: Level) -> u64 {
    let log_n = ring.at(level).log_n();
    polynomial_bytes(ring, log_n, ring.row(level).unwrap_or_default())
}

fn polynomial_bytes(ring: &RingTable, log_n: u32, row: &[Prime]) -> u64 {
    let primes = row.iter().filter_map(|&prime| ring.primes.get(prime));
    primes.map(|&prime| limb_bytes(log_n, prime)).sum()
}

/// Bytes of a limb: as many residues as the degree, each of as many bits as the prime has.
pub(crate) fn limb_bytes(log_n: u32, prime: u64) -> u64 {
    u64::from(u64::BITS - prime.leading_zeros()) * (1 << log_n) / 8
}

fn nodes(circuit: &Circuit, bounds: &AllBounds) -> Vec<NodeStats> {
    let mut nodes: BTreeMap<_, NodeStats> = BTreeMap::new();
    let own = circuit.values.values().map(|d| Counts::of(&d.inst));
    let counts = circuit.with_calls(own.collect());
    for (value, definition) in circuit.definitions(circuit.main()) {
        let entry = nodes.entry(definition.node);
        let stats = entry.or_insert_with(|| NodeStats {
            node: definition.node.and_then(|n| circuit.nodes.get(n).cloned()),
            level_in: None,
            level_out: None,
            counts: Counts::default(),
            bounds: bounds
                .nodes
                .get(&definition.node)
                .copied()
                .unwrap_or_default(),
        });
        stats.counts += counts.get(value.index()).copied().unwrap_or_default();
        definition.inst.for_each_operand(|v| {
            if let Some(Type::Cipher { level, .. }) = circuit.type_of(v) {
                stats.level_in = stats.level_in.max(Some(*level));
            }
        });
        if let Type::Cipher { level, .. } = definition.ty {
            stats.level_out = Some(stats.level_out.map_or(level, |least| least.min(level)));
        }
    }
    nodes.into_values().collect()
}

impl Counts {
    /// The operations of one instruction.
    pub fn of(inst: &Inst) -> Self {
        let mut counts = Self {
            instructions: 1,
            hoisted_rotations: u64::from(matches!(inst, Inst::RotateExt { .. })),
            full_rotations: u64::from(matches!(inst, Inst::Rotate { .. })),
            ..Self::default()
        };
        for pass in inst.passes() {
            let (count, times) = match pass {
                Pass::Encode => (&mut counts.encodes, 1),
                Pass::MultiplyPlain { by } => (counts.products_by(by), 1),
                Pass::Dot { terms, by } => (counts.products_by(by), terms as u64),
                Pass::Multiply => (&mut counts.ciphertext_products, 1),
                Pass::Decompose => (&mut counts.decompositions, 1),
                Pass::KeyProduct => (&mut counts.key_switches, 1),
                Pass::ModDown => (&mut counts.mod_downs, 1),
                Pass::Rescale => (&mut counts.rescales, 1),
                Pass::Add { .. }
                | Pass::AddPlain
                | Pass::MultiplyMonomial
                | Pass::DropLevel
                | Pass::Gather
                | Pass::Raise => continue,
            };
            *count += times;
        }
        counts
    }
}

impl Counts {
    fn products_by(&mut self, factor: Factor) -> &mut u64 {
        match factor {
            Factor::Plaintext => &mut self.plaintext_products,
            Factor::Scalar => &mut self.scalar_products,
        }
    }

    /// Products of a ciphertext with a plaintext or a scalar.
    pub fn products(&self) -> u64 {
        self.plaintext_products + self.scalar_products
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let Self {
            instructions,
            plaintext_products,
            scalar_products,
            ciphertext_products,
            decompositions,
            hoisted_rotations,
            full_rotations,
            key_switches,
            mod_downs,
            rescales,
            encodes,
        } = other;
        self.instructions += instructions;
        self.plaintext_products += plaintext_products;
        self.scalar_products += scalar_products;
        self.ciphertext_products += ciphertext_products;
        self.decompositions += decompositions;
        self.hoisted_rotations += hoisted_rotations;
        self.full_rotations += full_rotations;
        self.key_switches += key_switches;
        self.mod_downs += mod_downs;
        self.rescales += rescales;
        self.encodes += encodes;
    }
}

impl PortStats {
    /// The size of a port of an interface.
    pub fn of_interface(ring: &RingTable, port: &InterfacePort) -> Self {
        Self {
            name: port.name.clone(),
            shape: port.shape.clone(),
            ciphertexts: port.layout.ciphertexts().into(),
            level: Some(port.level),
            scale_bits: port.scale.bits(&ring.primes),
            finish: port.finish.clone(),
            range: port.range,
            expectation: port.expectation,
            prepare: port.prepare.clone(),
        }
    }

    fn of(circuit: &Circuit, port: &Port) -> Self {
        let ty = port.values.first().and_then(|&v| circuit.type_of(v));
        let bits = |ty: &Type| ty.scale()?.bits(&circuit.rings.primes);
        Self {
            name: port.name.clone(),
            shape: port.shape.clone(),
            ciphertexts: port.values.len() as u64,
            level: ty.map(Type::level),
            scale_bits: ty.and_then(bits),
            finish: port.finish.clone(),
            range: port.range,
            expectation: port.expectation,
            prepare: port.prepare.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SecretKind;
    use crate::entity::{Arena, Prime, RingId, SpecialPrime};
    use crate::key::KeyKind;
    use crate::ring::{LevelSpec, RingSpec, Rotation};

    /// Levels 0 to 2 are in r0.
    fn ring() -> RingTable {
        let level = |n| LevelSpec {
            ring: RingId(0),
            primes: (0..n).map(Prime).collect(),
        };
        RingTable {
            unit_bits: 10,
            primes: Arena::<Prime, u64>::from_iter([12289, 13313, 15361]),
            special: Arena::<SpecialPrime, u64>::from_iter([18433]),
            rings: Arena::from_iter([RingSpec {
                secret: SecretKind::Ternary,
                log_n: 4,
                special: vec![SpecialPrime(0)],
                digits: vec![vec![Prime(0), Prime(1)], vec![Prime(2)]],
            }]),
            levels: (1..=3).map(level).collect(),
        }
    }

    #[test]
    fn a_key_is_one_half_per_digit_that_meets_its_level() {
        let key = Key::within(RingId(0), KeyKind::Relinearization);
        let bytes = |level| key_bytes(&ring(), key, Level(level));
        // Chain primes of 14 bits under a special prime of 15, two bytes for each bit.
        assert_eq!([bytes(0), bytes(1), bytes(2)], [2 * 29, 2 * 43, 2 * 2 * 57]);
        assert_eq!(seeded_ciphertext_bytes(&ring(), Level(1)), 2 * 28);
    }

    #[test]
    fn a_key_that_leads_to_a_smaller_ring_has_the_larger_degree() {
        let mut ring = ring();
        let (large, small) = (RingId(0), RingId(1));
        ring.rings.push(RingSpec {
            secret: SecretKind::Ternary,
            log_n: 3,
            special: vec![SpecialPrime(0)],
            digits: vec![vec![Prime(0)], vec![Prime(1)]],
        });
        ring.levels
            .iter_mut()
            .take(2)
            .for_each(|level| level.ring = small);
        let bytes = |key, level| key_bytes(&ring, key, Level(level));
        let relinearization = |ring| Key::within(ring, KeyKind::Relinearization);
        assert_eq!(bytes(relinearization(small), 1), 2 * 43);
        assert_eq!(bytes(Key::switching(large, small), 1), 2 * 2 * 43);
        assert_eq!(bytes(relinearization(large), 2), 2 * 2 * 57);
        assert_eq!(seeded_ciphertext_bytes(&ring, Level(1)), 28);
    }

    #[test]
    fn fused_operations_count_as_their_phases() {
        let rotation = Rotation(1);
        let a = crate::Value(0);
        let whole = Counts::of(&Inst::Rotate { a, rotation });
        let mut phases = Counts::of(&Inst::Decompose(a));
        let digits = crate::Value(1);
        phases += Counts::of(&Inst::RotateExt {
            a,
            digits,
            rotation,
        });
        phases += Counts::of(&Inst::ModDown(a));
        let spelling = |c: Counts| Counts {
            instructions: 0,
            hoisted_rotations: 0,
            full_rotations: 0,
            ..c
        };
        assert_eq!(spelling(whole), spelling(phases));
    }
}
