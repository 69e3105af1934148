//! Predicted seconds of a circuit: the sum over its instructions, each at the level of its operand.

use super::{CostModel, Phases};
use peregrine_ir::{
    Circuit, Definition, Form, Inst, Key, KeyKind, Keys, Level, Ring, SourceNode, Type, Value,
};
use std::collections::BTreeMap;

/// What a circuit takes, with as many threads as the profile was measured with.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Prediction {
    /// All instructions.
    pub seconds: f64,
    /// Sharing them between threads.
    pub sharing_seconds: f64,
    /// Bringing every key into memory once, before or between them.
    pub key_seconds: f64,
    /// By ONNX node, in the order of `peregrine_ir::stats::Stats`.
    pub nodes: Vec<NodeSeconds>,
}

/// The share of one ONNX node.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NodeSeconds {
    /// The node; none for what serves no node.
    pub node: Option<SourceNode>,
    /// Its instructions.
    pub seconds: f64,
}

/// What a run takes over the sum of its instructions' times: first uses of memory, caches that others have emptied, keys that are
/// mapped again. Measured on circuits of 120 to 1800 steps.
const OVERHEAD: f64 = 1.4;

/// What a phase of an instruction takes beside that where several threads share it: they are woken for it, and wait for the last
/// of them.
const SHARING: f64 = 8e-5;

impl CostModel {
    /// Prices a circuit.
    pub fn predict(&self, circuit: &Circuit) -> Prediction {
        let levels = 0..circuit.ring.levels.len() as u32;
        let pricing = Pricing {
            circuit,
            cost: self,
            lowest: self.phases(&circuit.ring, Level(0)),
            phases: levels
                .map(|l| self.phases(&circuit.ring, Level(l)))
                .collect(),
        };
        let mut nodes: BTreeMap<_, f64> = BTreeMap::new();
        for definition in circuit.values.values() {
            let seconds = OVERHEAD * pricing.seconds(definition);
            *nodes.entry(definition.node).or_insert(0.0) += seconds;
        }
        let insts = circuit.values.values().map(|definition| &definition.inst);
        Prediction {
            sharing_seconds: insts.map(|inst| self.sharing(inst)).sum(),
            key_seconds: self.key_seconds(&circuit.ring, &circuit.keys),
            seconds: nodes.values().sum(),
            nodes: nodes
                .into_iter()
                .map(|(node, seconds)| NodeSeconds {
                    node: node.and_then(|n| circuit.nodes.get(n).cloned()),
                    seconds,
                })
                .collect(),
        }
    }
}

impl CostModel {
    /// Seconds of bringing keys into memory.
    pub fn key_seconds(&self, ring: &Ring, keys: &Keys) -> f64 {
        let load = |(key, &level): (&Key, &Level)| match key.kind {
            KeyKind::RingSwitch => self.bridge(ring, key.from, level).key_load(),
            _ => self.phases(ring, level).key_load(),
        };
        keys.levels.iter().map(load).sum()
    }

    /// What sharing an instruction between threads takes: as often as it has phases.
    fn sharing(&self, inst: &Inst) -> f64 {
        let phases = match inst {
            _ if self.threads == 1 => 0.0,
            // No step of its own.
            Inst::Input { .. } | Inst::Encode { .. } => 0.0,
            // Digits, their product with the key, and its division by P.
            Inst::Rotate { .. } | Inst::Relinearize(_) | Inst::Conjugate(_) => 3.0,
            // These, and what is kept of both parts.
            Inst::SwitchRing { .. } => 4.0,
            _ => 1.0,
        };
        phases * SHARING
    }
}

/// A circuit with the price of every level.
struct Pricing<'c> {
    circuit: &'c Circuit,
    cost: &'c CostModel,
    lowest: Phases,
    phases: Vec<Phases>,
}

impl Pricing<'_> {
    fn at(&self, level: Level) -> &Phases {
        self.phases.get(level.0 as usize).unwrap_or(&self.lowest)
    }

    /// The level and form of an operand; a level that a verified circuit has.
    fn operand(&self, value: Value) -> (&Phases, Form) {
        match self.circuit.type_of(value) {
            Some(Type::Cipher { level, form, .. }) => (self.at(*level), *form),
            Some(ty) => (self.at(ty.level()), Form::Normal),
            None => (&self.lowest, Form::Normal),
        }
    }

    fn seconds(&self, definition: &Definition) -> f64 {
        let with = |value: &Value, price: &dyn Fn(&Phases, Form) -> f64| {
            let (phases, form) = self.operand(*value);
            price(phases, form)
        };
        match &definition.inst {
            Inst::Input { .. } => 0.0,
            Inst::Encode { level, basis, .. } => self.at(*level).encode(*basis),
            Inst::Add(values) => {
                let added = values.len().saturating_sub(1) as f64;
                let first = values.first();
                first.map_or(0.0, |a| added * with(a, &|phases, form| phases.add(form)))
            }
            Inst::Sub(a, _) | Inst::Negate(a) => with(a, &Phases::add),
            Inst::AddPlain(a, _) => with(a, &Phases::add_plain),
            Inst::MulPlain(a, _) | Inst::MulScalar { a, .. } => with(a, &Phases::multiply_plain),
            Inst::Dot { ciphers, .. } | Inst::DotScalar { ciphers, .. } => {
                let first = ciphers.first();
                first.map_or(0.0, |a| {
                    with(a, &|phases, form| phases.dot(form, ciphers.len()))
                })
            }
            Inst::Mul(a, _) | Inst::Square(a) => with(a, &|phases, _| phases.multiply()),
            Inst::Relinearize(a) | Inst::Rotate { a, .. } | Inst::Conjugate(a) => {
                with(a, &|phases, _| phases.key_switch())
            }
            Inst::RelinearizeExt { a, .. } | Inst::RotateExt { a, .. } => {
                with(a, &|phases, _| phases.key_product())
            }
            Inst::Rescale { a, to } => with(a, &|from, form| from.rescale(form, self.at(*to))),
            Inst::DropLevel { a, to } => with(a, &|from, form| from.drop_level(form, self.at(*to))),
            Inst::SwitchRing { a, to } => {
                let ring = &self.circuit.ring;
                let from = self.circuit.type_of(*a).map(|ty| ring.ring_of(ty.level()));
                let from = from.unwrap_or(ring.top_ring());
                self.cost.bridge(ring, from, *to).switch_ring()
            }
            Inst::Decompose(a) => with(a, &|phases, _| phases.decompose()),
            Inst::ModDown(a) => with(a, &|phases, _| phases.mod_down()),
            Inst::MulMonomial { a, .. } => with(a, &Phases::multiply_monomial),
        }
    }
}
