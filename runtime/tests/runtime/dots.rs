//! Sums of products over the same ciphertexts: computed together, they give the same bytes as each by itself.

use crate::common::{Parties, Toy, inputs, numbers};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::{CpuFootprint, Sizes};
use peregrine_runtime::exec::memory::{self, Budget};
use peregrine_runtime::exec::{
    KeyResidence, Plan, PlanOptions, Progress, SharedPlains, SharedSums, Silent, Step,
};
use peregrine_runtime::server::Resources;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;

const TOY: Toy = Toy {
    log_n: 9,
    depth: 3,
    alpha: 2,
};

/// Sums of products of so many ciphertexts with constants that repeat after so many slots, and with scalars; each is rescaled at
/// once. `slot` is in the first constant of the last sum with constants.
fn circuit(terms: usize, periods: &[usize], slot: f64) -> Verified {
    let mut toy = TOY.builder();
    let given = [toy.input("x"), toy.input("y")];
    let (slots, scale) = (toy.shape.elements(), toy.scale());
    let mut ciphers = given.to_vec();
    while ciphers.len() < terms {
        let [.., a, b] = ciphers[..] else {
            panic!("two inputs");
        };
        let both = toy.push(Inst::Sub(b, a));
        ciphers.push(both);
    }
    ciphers.truncate(terms);
    let mut outputs = Vec::new();
    for (row, &period) in periods.iter().enumerate() {
        let plains = (0..terms).map(|at| {
            // One of them does not repeat, and keeps its sum alone.
            let period = if (row, at) == (2, 3) { slots } else { period };
            let mut part = numbers((row * terms + at) as u64, period);
            if at == 0 && row + 1 == periods.len() {
                part[0] = slot;
            }
            toy.plain(part, ciphers[0])
        });
        let plains = plains.collect();
        let ciphers = ciphers.clone();
        outputs.push(toy.push(Inst::Dot { ciphers, plains }));
        let constants = toy.taps(&numbers(row as u64, terms));
        outputs.push(toy.push(Inst::DotScalar {
            ciphers: given.into_iter().cycle().take(terms).collect(),
            constants,
            scale: scale.clone(),
        }));
        for at in [outputs.len() - 2, outputs.len() - 1] {
            let a = outputs[at];
            outputs[at] = toy.push(Inst::Rescale { a, to: Level(2) });
        }
    }
    for value in outputs {
        toy.output(value);
    }
    toy.finish()
}

fn plan(circuit: &Verified, window: usize, sums: SharedSums) -> Plan {
    let options = PlanOptions {
        window,
        plains: SharedPlains::Keep,
        sums,
        keys: KeyResidence::Held,
    };
    Plan::new(circuit, options)
}

#[test]
fn bytes_do_not_depend_on_what_is_computed_together() {
    // Numbers, short periods, and none; more sums than are computed together, and more terms than are encoded at a time.
    for (terms, periods) in [
        (7, &[1, 1][..]),
        (9, &[4, 1, 16, 256, 2, 8, 1, 4, 16, 2, 1]),
        (37, &[2, 1, 256, 4]),
    ] {
        let circuit = circuit(terms, periods, 0.5);
        let mut parties = Parties::new(&circuit);
        let keys = parties.keys();
        let encrypted = parties.encrypt(&inputs(&circuit, 3));
        let run = |window, threads| {
            let resources = Resources {
                window,
                memory: None,
            };
            let session = parties.server.session(keys.clone(), resources).unwrap();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            pool.install(|| session.run(encrypted.clone(), &Silent).unwrap())
        };
        let alone = run(1, 1);
        for (window, threads) in [(1, 3), (2, 1), (2, 4), (16, 2)] {
            assert_eq!(alone, run(window, threads), "{terms} terms, {window}");
        }
        crate::common::check(&circuit, 20.0);
    }
}

#[test]
fn sums_over_the_same_ciphertexts_come_together() {
    let circuit = circuit(8, &[1; 11], 0.5);
    let groups = |window, sums| {
        let plan = plan(&circuit, window, sums);
        for wave in plan.waves() {
            assert!(wave.steps.is_sorted() && wave.steps.len() <= window.max(8));
            assert!(wave.dots.iter().flatten().all(|v| wave.steps.contains(v)));
        }
        let groups = plan.waves().iter().flat_map(|wave| wave.dots.clone());
        groups.map(|group| group.len()).collect::<Vec<_>>()
    };
    assert!(groups(1, SharedSums::Gather).is_empty());
    let few = groups(2, SharedSums::AsTheyCome);
    assert!(few.iter().all(|&size| size == 2), "{few:?}");
    for window in [2, 16] {
        let groups = groups(window, SharedSums::Gather);
        assert!(groups.iter().all(|&size| size <= 8), "{groups:?}");
        assert!(groups.iter().any(|&size| size >= 7), "{groups:?}");
        let together: usize = groups.iter().sum();
        assert!(together >= 18, "{groups:?} of 22");
    }
}

/// How often each value was timed, and the number of instructions that are done.
#[derive(Default)]
struct Times(Mutex<(BTreeMap<Value, usize>, usize)>);

impl Progress for Times {
    fn advance(&self, step: &Step<'_>) -> ControlFlow<()> {
        self.0.lock().unwrap().1 = step.done;
        ControlFlow::Continue(())
    }

    fn wants_times(&self) -> bool {
        true
    }

    fn timed(&self, value: Value, _: Option<Node>, took: Duration) {
        assert!(took > Duration::ZERO);
        *self.0.lock().unwrap().0.entry(value).or_default() += 1;
    }
}

#[test]
fn each_is_timed_once() {
    let circuit = circuit(8, &[1, 2, 4], 0.5);
    let mut parties = Parties::new(&circuit);
    let (keys, encrypted) = (parties.keys(), parties.encrypt(&inputs(&circuit, 3)));
    let resources = Resources {
        window: 4,
        memory: None,
    };
    let session = parties.server.session(keys, resources).unwrap();
    let times = Times::default();
    session.run(encrypted, &times).unwrap();
    let (seen, done) = times.0.into_inner().unwrap();
    let steps = circuit.values.iter().filter(|(_, d)| d.inst.is_step());
    let steps: Vec<Value> = steps.map(|(value, _)| value).collect();
    assert_eq!(done, steps.len());
    assert!(steps.iter().all(|step| seen.get(step) == Some(&1)));
}

#[test]
fn the_one_that_fails_is_named() {
    let circuit = circuit(8, &[1, 2, 1], 129.4f64.exp2());
    let mut parties = Parties::new(&circuit);
    let (keys, encrypted) = (parties.keys(), parties.encrypt(&inputs(&circuit, 3)));
    let error = |window| {
        let resources = Resources {
            window,
            memory: None,
        };
        let session = parties.server.session(keys.clone(), resources).unwrap();
        session
            .run(encrypted.clone(), &Silent)
            .unwrap_err()
            .to_string()
    };
    let sums = circuit.values.iter();
    let mut sums = sums.filter(|(_, d)| matches!(d.inst, Inst::Dot { .. }));
    let (last, definition) = sums.next_back().unwrap();
    let constant = definition.inst.operands()[8];
    let named = |v: Value| error(1).contains(&v.to_string());
    assert!(named(last) || named(constant), "{}", error(1));
    assert_eq!(error(1), error(8));
}

#[test]
fn what_waits_for_its_use_is_predicted_and_given_up_first() {
    let circuit = circuit(8, &[1; 11], 0.5);
    let fit = |limit| {
        let budget = Budget {
            window: 4,
            keys: KeyResidence::Held,
            expanded: 0,
            limit,
            cache: 0,
            process: 0,
        };
        memory::fit(&circuit, &CpuFootprint::of(&circuit), budget).unwrap()
    };
    let (plan, most) = fit(None);
    assert_eq!(plan.options().sums, SharedSums::Gather);
    let (plan, less) = fit(Some(most.total() - 1));
    assert_eq!(plan.options().sums, SharedSums::AsTheyCome);
    assert_eq!(plan.options().window, 4);
    // More results are there at once.
    let bytes =
        Sizes::new(&circuit.rings).bytes_of(circuit.type_of(plan.waves()[0].steps[0]).unwrap());
    assert!(most.values >= less.values + 3 * bytes, "{most:?} {less:?}");
}
