//! Predicted seconds of a circuit: the sum over its instructions, each at the level of its operand.

use super::{CostModel, Phases};
use crate::{
    Basis, Circuit, Definition, Entity, Form, Inst, Key, KeyKind, Keys, Level, Pass, RingTable,
    SourceNode, Type, Value, constants,
};
use std::collections::BTreeMap;

/// The predicted time of a circuit, with as many threads as the profile was measured with.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Prediction {
    /// Seconds of all instructions.
    pub seconds: f64,
    /// Seconds of sharing instructions between threads.
    pub sharing_seconds: f64,
    /// Seconds of bringing every key into memory once.
    pub key_seconds: f64,
    /// The seconds of each ONNX node, in the order of `crate::stats::Stats`.
    pub nodes: Vec<NodeSeconds>,
}

/// The predicted time of one ONNX node.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NodeSeconds {
    /// The node; none for instructions that serve no node.
    pub node: Option<SourceNode>,
    /// Seconds of its instructions.
    pub seconds: f64,
}

/// The time of a run over the sum of its instructions' times: first uses of memory, caches that other work has emptied, keys that
/// are mapped again. Measured on circuits of 120 to 1800 steps.
const OVERHEAD: f64 = 1.4;

/// The largest share of the slots that is encoded by itself, where the others repeat it.
pub const LARGEST_SHARE: f64 = 1.0 / 16.0;

/// Seconds that a pass of an instruction takes longer where several threads share it: they are woken, and wait for the last of
/// them.
const SHARING: f64 = 8e-5;

impl CostModel {
    /// The seconds of each instruction in the order of definition, for an engine and operands that are in use anyway. A call
    /// takes the time of the body that it runs.
    pub fn seconds_of_values(&self, circuit: &Circuit) -> Vec<f64> {
        let pricing = Pricing::new(self, circuit);
        let values = circuit.values.values();
        let own = values.map(|definition| pricing.seconds(definition));
        circuit.with_calls(own.collect())
    }

    /// Predicts the time of one run of a circuit.
    pub fn predict(&self, circuit: &Circuit) -> Prediction {
        let own = circuit.values.values().map(|d| self.sharing(&d.inst));
        let sharing = circuit.with_calls(own.collect());
        let seconds = self.seconds_of_values(circuit);
        let of = |seconds: &[f64], value: Value| seconds.get(value.index()).copied().unwrap_or(0.0);
        let mut nodes: BTreeMap<_, f64> = BTreeMap::new();
        for (value, definition) in circuit.definitions(circuit.main()) {
            *nodes.entry(definition.node).or_insert(0.0) += OVERHEAD * of(&seconds, value);
        }
        let main = circuit.main().values();
        Prediction {
            sharing_seconds: main.map(|value| of(&sharing, value)).sum(),
            key_seconds: self.key_seconds(&circuit.rings, &circuit.keys),
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
    pub fn key_seconds(&self, ring: &RingTable, keys: &Keys) -> f64 {
        let load = |(key, &level): (&Key, &Level)| {
            let phases = self.bridge(ring, key.from, level);
            match key.kind {
                KeyKind::Raise(_) => phases.raised_from(1.0).key_load(),
                _ => phases.key_load(),
            }
        };
        keys.levels.iter().map(load).sum()
    }

    /// Seconds of sharing an instruction between threads, once for each of its passes. An `encode` is no step of its own.
    fn sharing(&self, inst: &Inst) -> f64 {
        let passes = match (self.threads, inst.passes().as_slice()) {
            (1, _) | (_, [Pass::Encode]) => 0,
            (_, passes) => passes.len(),
        };
        passes as f64 * SHARING
    }
}

/// The share of the slots that an `encode` encodes: the others repeat them, and take part in no transform.
pub fn encoded_share(circuit: &Circuit, inst: &Inst) -> f64 {
    let &Inst::Encode { level, .. } = inst else {
        return 1.0;
    };
    let periods = inst.constants().map(|c| constants::period(circuit, c));
    let period = periods.collect::<Option<Vec<u32>>>();
    let period = period.and_then(|periods| periods.into_iter().max());
    let slots = circuit.rings.at(level).slots();
    let share = period.map_or(1.0, |period| f64::from(period) / f64::from(slots));
    if share <= LARGEST_SHARE { share } else { 1.0 }
}

/// A circuit with the seconds of operations at every level.
struct Pricing<'c> {
    circuit: &'c Circuit,
    cost: &'c CostModel,
    lowest: Phases,
    phases: Vec<Phases>,
}

impl<'c> Pricing<'c> {
    fn new(cost: &'c CostModel, circuit: &'c Circuit) -> Self {
        let levels = (0..circuit.rings.levels.len() as u32).map(Level);
        Self {
            circuit,
            cost,
            lowest: cost.phases(&circuit.rings, Level(0)),
            phases: levels
                .map(|level| cost.phases(&circuit.rings, level))
                .collect(),
        }
    }

    fn at(&self, level: Level) -> &Phases {
        self.phases.get(level.0 as usize).unwrap_or(&self.lowest)
    }

    /// Level and form of the first ciphertext operand; without an operand, of the result.
    fn operand(&self, definition: &Definition) -> (Level, Form) {
        let mut operands = definition.inst.operands().into_iter();
        let first = operands.find_map(|value| self.circuit.type_of(value));
        match first.unwrap_or(&definition.ty) {
            Type::Cipher { level, form, .. } => (*level, *form),
            ty => (ty.level(), Form::Normal),
        }
    }

    fn seconds(&self, definition: &Definition) -> f64 {
        let ((from, form), to) = (self.operand(definition), definition.ty.level());
        let ring = &self.circuit.rings;
        let bridge;
        let phases = match definition.inst {
            Inst::SwitchRing { .. } => {
                bridge = self.cost.bridge(ring, ring.ring_of(from), to);
                &bridge
            }
            Inst::RaiseExt { .. } => {
                bridge = self.at(to).raised_from(self.at(from).primes());
                &bridge
            }
            _ => self.at(from),
        };
        let basis = match &definition.ty {
            Type::Plain { basis, .. } => *basis,
            Type::Cipher { .. } | Type::Digits { .. } => Basis::Normal,
        };
        let seconds = |pass| match pass {
            Pass::Encode => {
                let share = encoded_share(self.circuit, &definition.inst);
                self.at(to).encode(basis, share)
            }
            Pass::Add { count } => count as f64 * phases.add(form),
            Pass::AddPlain => phases.add_plain(form),
            Pass::MultiplyPlain { .. } => phases.multiply_plain(form),
            Pass::Dot { terms, .. } => phases.dot(form, terms),
            Pass::Multiply => phases.multiply(),
            Pass::MultiplyMonomial => phases.multiply_monomial(form),
            Pass::Decompose => phases.decompose(),
            Pass::KeyProduct => phases.key_product(),
            Pass::ModDown => phases.rescale(Form::Extended, self.at(to)),
            Pass::Rescale => phases.rescale(form, self.at(to)),
            Pass::DropLevel => phases.drop_level(form, self.at(to)),
            Pass::Gather => phases.gather(),
            Pass::Raise => phases.raise(),
        };
        definition.inst.passes().into_iter().map(seconds).sum()
    }
}
