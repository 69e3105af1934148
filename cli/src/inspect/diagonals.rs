//! The operators of a node: their diagonals, and the rotations that these are split into.

use peregrine_ir::bounds::macs;
use peregrine_ir::{Basis, Circuit, Constant, Form, Layout, Node, Operator, OperatorId, Type};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A linear operator or a constant tensor as a node uses it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperatorReport {
    /// Identifier of the operator or tensor in the text form.
    pub operator: String,
    /// Kind of the operator: `conv2d`, `contract`, `broadcast` and so on.
    pub kind: &'static str,
    /// Identifier of the layout of its input; none for a broadcast.
    pub input: Option<String>,
    /// Identifier of the layout of its result.
    pub output: String,
    /// Structurally nonzero entries of the matrix.
    pub macs: u64,
    /// The fewest products of ciphertexts and plaintexts that these entries take.
    pub least_products: u64,
    /// The diagonals that it is multiplied by; none where it takes no product.
    pub diagonals: Option<DiagonalsReport>,
}

/// The diagonals of a linear operator that a node multiplies by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiagonalsReport {
    /// Number of diagonals.
    pub count: usize,
    /// Pairs of an input and an output ciphertext with a diagonal.
    pub pairs: usize,
    /// Pairs of an input and an output ciphertext, with or without a diagonal.
    pub all_pairs: u64,
    /// Fewest and most diagonals of a pair that has some.
    pub per_pair: [usize; 2],
    /// The rotations of the diagonals: the slot that is read less the slot that is written.
    pub rotations: Vec<u32>,
    /// Baby steps: rotations of the input ciphertexts.
    pub baby_steps: Vec<u32>,
    /// Giant steps: rotations of sums of products.
    pub giant_steps: Vec<u32>,
    /// Number of diagonals that are one scalar for all slots, which takes no encoding.
    pub uniform: usize,
    /// Number of equal parts of a ciphertext that hold partial sums, which further rotations add up.
    pub fold: u32,
    /// Whether products are summed before they are divided by P.
    pub extended: bool,
}

impl OperatorReport {
    /// The operators whose constants a node uses.
    pub(super) fn all(
        circuit: &Circuit,
        node: Node,
        operators: &BTreeSet<OperatorId>,
    ) -> Vec<Self> {
        let mut collected = collect(circuit, node);
        let used = operators
            .iter()
            .filter_map(|&id| Some((id, circuit.operators.get(id)?)));
        used.map(|(id, operator)| {
            let macs = macs(circuit, id);
            let (kind, input) = match operator {
                Operator::Linear { map, input, .. } => (map.keyword(), Some(input.to_string())),
                Operator::Broadcast { .. } => ("broadcast", None),
            };
            let output = operator.result();
            let slots = circuit.layouts.get(output).map_or(1, Layout::slots);
            let fold = match operator {
                Operator::Linear { fold, .. } => *fold,
                Operator::Broadcast { .. } => 1,
            };
            let split = collected.remove(&id);
            Self {
                operator: id.to_string(),
                kind,
                input,
                output: output.to_string(),
                macs,
                least_products: macs.div_ceil(slots.into()),
                diagonals: split.map(|split| split.finish(all_pairs(circuit, operator), fold)),
            }
        })
        .collect()
    }
}

/// Diagonals of an operator as they are met.
#[derive(Default)]
struct Split {
    count: usize,
    pairs: BTreeMap<[u32; 2], usize>,
    rotations: BTreeSet<u32>,
    baby_steps: BTreeSet<u32>,
    giant_steps: BTreeSet<u32>,
    uniform: usize,
    extended: bool,
}

/// The diagonals that a node uses, by operator; each constant once.
fn collect(circuit: &Circuit, node: Node) -> BTreeMap<OperatorId, Split> {
    let mut seen = BTreeSet::new();
    let mut splits: BTreeMap<OperatorId, Split> = BTreeMap::new();
    let served = circuit.values.values().filter(|d| d.node == Some(node));
    for definition in served {
        let extended = match &definition.ty {
            Type::Cipher { form, .. } => *form == Form::Extended,
            Type::Plain { basis, .. } => *basis == Basis::Extended,
            Type::Digits { .. } => false,
        };
        for id in definition.inst.constants() {
            let fresh = seen.insert(id);
            if let Some(constant) = circuit.constants.get(id).filter(|_| fresh) {
                let slots = circuit.slots_of(constant).unwrap_or(1);
                let split = splits.entry(constant.operator()).or_default();
                split.meet(constant, slots, extended);
            }
        }
    }
    splits.retain(|_, split| split.count > 0);
    splits
}

impl Split {
    fn meet(&mut self, constant: &Constant, slots: u32, extended: bool) {
        let (input, output, rotation, pre) = match *constant {
            Constant::Diagonal {
                input,
                output,
                rotation,
                pre,
                ..
            } => (input, output, rotation, pre),
            Constant::Uniform {
                input,
                output,
                rotation,
                ..
            } => (input, output, rotation, 0),
            Constant::Fill { .. } => return,
        };
        self.count += 1;
        self.uniform += usize::from(constant.is_uniform());
        *self.pairs.entry([input, output]).or_default() += 1;
        self.rotations.insert(rotation);
        self.baby_steps.insert((rotation + pre) % slots);
        self.giant_steps.insert((slots - pre) % slots);
        self.extended |= extended;
    }

    fn finish(self, all_pairs: u64, fold: u32) -> DiagonalsReport {
        let per_pair = self.pairs.values();
        let least = per_pair.clone().min().copied().unwrap_or(0);
        let most = per_pair.max().copied().unwrap_or(0);
        DiagonalsReport {
            count: self.count,
            pairs: self.pairs.len(),
            all_pairs,
            per_pair: [least, most],
            rotations: self.rotations.into_iter().collect(),
            baby_steps: self.baby_steps.into_iter().collect(),
            giant_steps: self.giant_steps.into_iter().collect(),
            uniform: self.uniform,
            fold,
            extended: self.extended,
        }
    }
}

fn all_pairs(circuit: &Circuit, operator: &Operator) -> u64 {
    let parts = |id| {
        circuit
            .layouts
            .get(id)
            .map_or(0, |l| u64::from(l.ciphertexts()))
    };
    match operator {
        Operator::Linear { input, output, .. } => parts(*input) * parts(*output),
        Operator::Broadcast { .. } => 0,
    }
}
