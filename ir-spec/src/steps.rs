//! Steps: a circuit cut into fragments that run one after the other, each for some seconds, at places where little has to be kept
//! between them. A run that is interrupted goes on behind the last step that it finished.

use crate::circuit::Circuit;
use crate::cost::CostModel;
use crate::cut::{CutError, cut};
use crate::entity::{SecondaryMap, Value};
use crate::inst::Inst;
use crate::types::{Form, Type};
use crate::verify::Verified;
use std::collections::BTreeSet;
use std::ops::Range;

/// One step of a circuit.
#[derive(Clone, Debug)]
pub struct Step {
    /// The instructions of the step. It imports what was kept before it; the first step, inputs of the circuit.
    pub fragment: Verified,
    /// The first value of the main program that is behind the step.
    pub end: Value,
    /// The values that later steps and the outputs need of this step, of those before it, and of the inputs of the circuit.
    pub kept: BTreeSet<Value>,
    /// The predicted seconds, for comparison with other steps.
    pub seconds: f64,
}

/// Cuts what a circuit computes from `from` on into steps, in the order in which they run. A step takes at least `seconds.start`
/// predicted seconds, if so much is left; of the places between that and `seconds.end` it ends at the one where what is kept takes
/// the fewest bytes. A call is never cut.
///
/// From the first value of the main program on, the steps compute all of the circuit, bit for bit; from the [`Step::end`] of a step
/// on, what is left behind it, whatever the seconds were.
///
/// Cost: O(size of the circuit) for each step.
///
/// # Errors
/// When the circuit is itself a fragment.
pub fn steps(
    circuit: &Verified,
    cost: &CostModel,
    seconds: Range<f64>,
    from: Value,
) -> Result<Vec<Step>, CutError> {
    let plan = Plan::new(circuit, cost, from);
    let ends = plan.ends(&seconds);
    // What is done already is fragment 0.
    let number = |value: Value| match plan.at(value) {
        at if at < plan.begin => 0,
        at => ends.partition_point(|&end| end <= at) + 1,
    };
    let encodes = |value| {
        let definition = circuit.values.get(value);
        definition.is_some_and(|definition| matches!(definition.inst, Inst::Encode { .. }))
    };
    // What is encoded is so anew in every step that uses it.
    let place = |value| (!encodes(value)).then(|| number(value) as u32);
    let fragments = cut(circuit, place)?;
    let first = |fragment: &Verified| fragment.exports().first().map(|link| link.whole);
    let step = |fragment: Verified| {
        let number = number(first(&fragment)?).checked_sub(1)?;
        let begin = number.checked_sub(1).and_then(|before| ends.get(before));
        let end = ends.get(number).copied().unwrap_or(plan.count());
        Some(Step {
            fragment,
            end: Value(plan.first.0 + end as u32),
            kept: plan.kept_at(circuit, end),
            seconds: plan.passed(end) - plan.passed(begin.copied().unwrap_or(plan.begin)),
        })
    };
    Ok(fragments.into_iter().filter_map(step).collect())
}

/// Times and sizes at each position of the main program, counted from its first value.
struct Plan {
    first: Value,
    /// The first position that is not done yet.
    begin: usize,
    /// The predicted seconds of what is before each position.
    passed: Vec<f64>,
    /// The position at which each value is used for the last time, that behind the program for outputs; none where it is not used.
    last: SecondaryMap<Value, Option<usize>>,
    /// About how many limbs are kept if the program is cut at each position; none where it cannot be.
    limbs: Vec<Option<u64>>,
}

impl Plan {
    fn new(circuit: &Circuit, cost: &CostModel, from: Value) -> Self {
        let each = cost.seconds_of_values(circuit);
        let main = circuit.main();
        let mut passed = vec![0.0];
        passed.extend(main.values().scan(0.0, |sum, value| {
            *sum += each.get(value.0 as usize).copied().unwrap_or(0.0);
            Some(*sum)
        }));
        let mut plan = Self {
            first: main.first,
            begin: 0,
            last: SecondaryMap::filled(&circuit.values, None),
            limbs: Vec::new(),
            passed,
        };
        plan.begin = plan.at(from).min(plan.count());
        for (value, definition) in circuit.definitions(main) {
            for operand in definition.inst.operands() {
                plan.last[operand] = Some(plan.at(value));
            }
        }
        for value in circuit.leaving() {
            plan.last[value] = Some(plan.count());
        }
        plan.limbs = plan.limbs(circuit);
        plan
    }

    fn count(&self) -> usize {
        self.passed.len() - 1
    }

    fn at(&self, value: Value) -> usize {
        value.0.saturating_sub(self.first.0) as usize
    }

    fn passed(&self, at: usize) -> f64 {
        self.passed.get(at).copied().unwrap_or(0.0)
    }

    /// The positions at which all steps but the last end.
    fn ends(&self, seconds: &Range<f64>) -> Vec<usize> {
        let all = self.passed(self.count());
        let (mut ends, mut begin) = (Vec::new(), self.begin);
        loop {
            let so_far = self.passed(begin);
            let passed = |least: f64| self.passed.partition_point(|&sum| sum < so_far + least);
            let earliest = passed(seconds.start).max(begin + 1);
            let latest = passed(seconds.end).max(earliest + 1);
            let possible = |from: usize| {
                let limbs = |at: usize| self.limbs.get(at).copied().flatten();
                (from..self.count()).filter_map(move |at| Some((limbs(at)?, at)))
            };
            let near = possible(earliest).take_while(|&(_, at)| at < latest);
            let end = near.min().or_else(|| possible(latest).next());
            match end.map(|(_, at)| at) {
                Some(end) if all - self.passed(end) >= seconds.start => {
                    ends.push(end);
                    begin = end;
                }
                _ => return ends,
            }
        }
    }

    /// The values that a program which is cut at a position needs of what is before it.
    fn kept_at(&self, circuit: &Circuit, end: usize) -> BTreeSet<Value> {
        let mut kept = BTreeSet::new();
        for (value, definition) in circuit.definitions(circuit.main()) {
            let (inst, ty) = (&definition.inst, &definition.ty);
            let before = self.at(value) < end || inst.is_input();
            let needed = self.last[value].is_some_and(|last| last >= end);
            if before && needed && !matches!(ty, Type::Plain { .. }) {
                kept.insert(value);
                kept.extend(circuit.digits_of(value));
            }
        }
        kept
    }

    /// See the field.
    fn limbs(&self, circuit: &Circuit) -> Vec<Option<u64>> {
        let mut change = vec![0i64; self.count() + 2];
        let mut inside = vec![false; self.count() + 1];
        for (value, definition) in circuit.definitions(circuit.main()) {
            let place = self.at(value);
            // Not between a call and its results.
            inside[place] = matches!(definition.inst, Inst::Result { .. });
            if let Some(last) = self.last[value].filter(|&last| last > place) {
                let limbs = limbs(circuit, &definition.ty) as i64;
                change[place + 1] += limbs;
                change[last + 1] -= limbs;
            }
        }
        let sums = change.iter().scan(0i64, |sum, change| {
            *sum += change;
            Some(*sum as u64)
        });
        let limbs = sums.zip(inside);
        limbs
            .map(|(sum, inside)| (!inside).then_some(sum))
            .collect()
    }
}

/// The limbs of a value that a later step needs; none for plaintexts, which are encoded anew.
fn limbs(circuit: &Circuit, ty: &Type) -> u64 {
    let (rings, level) = (&circuit.rings, ty.level());
    let row = || rings.row(level).map_or(0, |row| row.len() as u64);
    let extended = || rings.key_row(level).len() as u64;
    match ty {
        Type::Cipher { form, .. } => match form {
            Form::Normal => 2 * row(),
            Form::Product => 3 * row(),
            Form::Extended => 2 * extended(),
        },
        Type::Digits { .. } => rings.at(level).digits().len() as u64 * extended(),
        Type::Plain { .. } => 0,
    }
}
