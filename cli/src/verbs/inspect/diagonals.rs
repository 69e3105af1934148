//! The operators of a node: their diagonals, and the rotations that these are split into.

use crate::report::{count, short};
use peregrine_ir::bounds::macs;
use peregrine_ir::{Basis, Circuit, Constant, Form, Layout, Node, Operator, OperatorId, Type};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// An operator as a node uses it.
#[derive(Debug, Serialize)]
pub struct UsedOperator {
    /// As the text form of the circuit calls it.
    pub operator: String,
    pub kind: &'static str,
    /// Layouts; a broadcast has no input.
    pub input: Option<String>,
    pub output: String,
    /// Structurally nonzero entries of the matrix.
    pub macs: u64,
    /// Products that these take at least.
    pub least_products: u64,
    pub diagonals: Option<Diagonals>,
}

/// The diagonals of a linear operator that a node multiplies by.
#[derive(Debug, Serialize)]
pub struct Diagonals {
    pub count: usize,
    /// Pairs of an input and an output ciphertext with a diagonal, out of so many.
    pub pairs: usize,
    pub all_pairs: u64,
    /// Fewest and most diagonals of such a pair.
    pub per_pair: [usize; 2],
    /// How far each reaches: the slot it reads less the slot it writes.
    pub rotations: Vec<u32>,
    /// Rotations of the input ciphertexts.
    pub baby_steps: Vec<u32>,
    /// Rotations of sums of products.
    pub giant_steps: Vec<u32>,
    /// How many of them are one number for all slots, which takes no encoding.
    pub uniform: usize,
    /// How many equal parts of a ciphertext hold partial sums, which further rotations add up.
    pub fold: u32,
    /// Whether products are summed before they are divided by P.
    pub extended: bool,
}

impl UsedOperator {
    /// The operators whose constants a node uses.
    pub fn all(circuit: &Circuit, node: Node, operators: &BTreeSet<OperatorId>) -> Vec<Self> {
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

    /// Lines for people; those after the first are details.
    pub fn lines(&self) -> Vec<String> {
        let Self {
            operator,
            kind,
            input,
            output,
            macs,
            least_products,
            diagonals,
        } = self;
        let Some(diagonals) = diagonals else {
            return vec![format!("{operator}: {kind} to {output}")];
        };
        let input = input.as_deref().unwrap_or("");
        let least = count(*least_products as usize, "product");
        let mut lines = vec![format!(
            "{operator}: {kind} from {input} to {output}, {} MACs, which take at least {least}",
            short(*macs)
        )];
        lines.extend(diagonals.lines());
        lines
    }
}

impl Diagonals {
    fn lines(&self) -> Vec<String> {
        let [least, most] = self.per_pair;
        let each = match least == most {
            true => format!("{most} each"),
            false => format!("{least} to {most} each"),
        };
        let pairs = format!("{} of {} pairs of ciphertexts", self.pairs, self.all_pairs);
        let sums = match self.extended {
            true => "summed before division by P",
            false => "summed after division by P",
        };
        let uniform = match self.uniform {
            0 => String::new(),
            all if all == self.count => ", every one a single number".to_owned(),
            some => format!(", {some} of them single numbers"),
        };
        let diagonals = count(self.count, "diagonal");
        let mut lines = vec![
            format!("{diagonals} between {pairs}, {each}{uniform}; products are {sums}"),
            format!("rotations   {}", runs(&self.rotations)),
            format!("baby steps  {} (of the input)", runs(&self.baby_steps)),
            format!("giant steps {} (of sums)", runs(&self.giant_steps)),
        ];
        if self.fold > 1 {
            lines.push(format!(
                "partial sums in {} parts of a ciphertext, which rotations add up",
                self.fold
            ));
        }
        lines
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
        for &id in definition.inst.constants() {
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

    fn finish(self, all_pairs: u64, fold: u32) -> Diagonals {
        let per_pair = self.pairs.values();
        let least = per_pair.clone().min().copied().unwrap_or(0);
        let most = per_pair.max().copied().unwrap_or(0);
        Diagonals {
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

/// Ascending numbers, those in equal steps as runs: `0, 1, 31..=33, 64..=512/64`.
fn runs(numbers: &[u32]) -> String {
    const SHOWN: usize = 10;
    let mut shown = Vec::new();
    let mut rest = numbers;
    while let [first, ..] = *rest {
        let step = rest.get(1).map_or(0, |second| second - first);
        let pairs = rest.windows(2);
        let length = 1 + pairs.take_while(|pair| pair[1] - pair[0] == step).count();
        // A run must be shorter to read than its numbers.
        let taken = if length >= 3 + usize::from(step > 1) {
            length
        } else {
            1
        };
        let (run, after) = rest.split_at(taken);
        rest = after;
        shown.push(match (run, step) {
            ([only], _) => only.to_string(),
            ([first, .., last], 1) => format!("{first}..={last}"),
            ([first, .., last], _) => format!("{first}..={last}/{step}"),
            ([], _) => String::new(),
        });
    }
    if shown.len() > SHOWN {
        shown.truncate(SHOWN);
        shown.push(format!("... ({} in all)", numbers.len()));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_are_written_in_runs() {
        assert_eq!(runs(&[0, 1, 31, 32, 33]), "0, 1, 31..=33");
        assert_eq!(runs(&[0, 64, 128, 192, 512]), "0..=192/64, 512");
        assert_eq!(runs(&[0, 10, 20, 21, 22]), "0, 10, 20..=22");
        assert_eq!(runs(&[]), "");
        assert_eq!(runs(&[7]), "7");
        let squares: Vec<u32> = (0..40).map(|i| i * i).collect();
        assert!(runs(&squares).ends_with("81, ... (40 in all)"));
    }
}
