//! Constants that stay encoded from one run to the next, and keys that leave and come back.

use crate::common::{Parties, Toy, inputs, numbers};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::{CpuFootprint, Sizes};
use peregrine_runtime::exec::memory::{self, Budget, MemoryError, Prediction};
use peregrine_runtime::exec::{self, Cache, Encoding, Evaluator, KeyResidence, Plan, Wave};
use peregrine_runtime::exec::{ScaleValue, Silent, Site, Weights};
use peregrine_runtime::server::{Resources, Usage};
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::Mutex;

const TOY: Toy = Toy {
    log_n: 6,
    depth: 3,
    alpha: 2,
};
const SLOTS: usize = 32;

/// Seven constants, one of them used twice, at two levels; two rotations that are each used twice.
fn circuit() -> Verified {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let rotate = |toy: &mut crate::common::Toybox, a, k| {
        let rotation = Rotation(k);
        toy.push(Inst::Rotate { a, rotation })
    };
    let turned: Vec<Value> = [1, 2, 1]
        .iter()
        .scan(x, |a, &k| {
            *a = rotate(&mut toy, *a, k);
            Some(*a)
        })
        .collect();
    let plains = (0..3).map(|i| toy.plain(numbers(i, SLOTS), x)).collect();
    let sum = toy.push(Inst::Dot {
        ciphers: turned,
        plains,
    });
    let low = toy.push(Inst::Rescale {
        a: sum,
        to: Level(2),
    });
    let low = rotate(&mut toy, low, 2);
    let shared = toy.plain(numbers(9, SLOTS), low);
    let mut terms = Vec::new();
    for i in 4..7 {
        let w = toy.plain(numbers(i, SLOTS), low);
        let a = toy.push(Inst::MulPlain(low, w));
        terms.push(a);
    }
    terms.push(toy.push(Inst::MulPlain(low, shared)));
    terms.push(toy.push(Inst::MulPlain(low, shared)));
    let sum = toy.push(Inst::Add(terms));
    toy.output(sum);
    toy.finish()
}

fn budget(cache: u64) -> Budget {
    Budget {
        window: 4,
        keys: KeyResidence::Stored,
        expanded: 0,
        limit: None,
        cache,
        process: 0,
    }
}

fn fit(circuit: &Circuit, budget: Budget) -> Result<(Plan, Prediction), MemoryError> {
    memory::fit(circuit, &CpuFootprint::of(circuit), budget)
}

/// Computes nothing, and notes what it encodes.
#[derive(Default)]
struct Counting(Mutex<Vec<Value>>);

impl Counting {
    /// What was encoded since the last call, in order of definition.
    fn take(&self) -> Vec<Value> {
        let mut encoded = std::mem::take(&mut *self.0.lock().unwrap());
        encoded.sort_unstable();
        encoded
    }
}

type Done = Result<(), Infallible>;

#[rustfmt::skip]
impl Evaluator for Counting {
    type Cipher = ();
    type Plain = Value;
    type Digits = ();
    type Error = Infallible;

    fn accept(&self, _: &Circuit) -> Done { Ok(()) }
    fn prepare(&self, _: &[Key]) -> Done { Ok(()) }
    fn release(&self, _: &[Key]) {}
    fn dot_chunk(&self) -> NonZeroUsize { NonZeroUsize::MAX }
    fn seal(&self, _: Site<'_>, (): ()) -> Done { Ok(()) }
    fn encode(&self, _: Slots, at: Encoding<'_>) -> Result<Value, Infallible> {
        self.0.lock().unwrap().push(at.value);
        Ok(at.value)
    }
    fn add(&self, _: &[&()]) -> Done { Ok(()) }
    fn sub(&self, (): &(), (): &()) -> Done { Ok(()) }
    fn negate(&self, (): &()) -> Done { Ok(()) }
    fn add_plain(&self, (): &(), _: &Value) -> Done { Ok(()) }
    fn mul_plain(&self, (): &(), _: &Value) -> Done { Ok(()) }
    fn mul_scalar(&self, (): &(), _: f64, _: ScaleValue<'_>) -> Done { Ok(()) }
    fn dot(&self, _: &[&()], _: &[&Value]) -> Done { Ok(()) }
    fn dot_scalar(&self, _: &[&()], _: &[f64], _: ScaleValue<'_>) -> Done { Ok(()) }
    fn mul(&self, (): &(), (): &()) -> Done { Ok(()) }
    fn square(&self, (): &()) -> Done { Ok(()) }
    fn relinearize(&self, (): &()) -> Done { Ok(()) }
    fn relinearize_rescale(&self, (): &(), _: Level) -> Done { Ok(()) }
    fn relinearize_ext(&self, (): &(), (): &()) -> Done { Ok(()) }
    fn rescale(&self, (): &(), _: Level) -> Done { Ok(()) }
    fn drop_level(&self, (): &(), _: Level) -> Done { Ok(()) }
    fn switch_ring(&self, (): &(), _: Level) -> Done { Ok(()) }
    fn raise_ext(&self, (): &(), _: Rotation, _: Level) -> Done { Ok(()) }
    fn decompose(&self, (): &()) -> Done { Ok(()) }
    fn rotate_ext(&self, (): &(), (): &(), _: Rotation) -> Done { Ok(()) }
    fn mod_down(&self, (): &()) -> Done { Ok(()) }
    fn rotate(&self, (): &(), _: Rotation) -> Done { Ok(()) }
    fn conjugate(&self, (): &()) -> Done { Ok(()) }
    fn mul_monomial(&self, (): &(), _: u32) -> Done { Ok(()) }
}

/// What each of three runs encodes.
fn encoded(circuit: &Verified, budget: Budget) -> [Vec<Value>; 3] {
    let (plan, _) = fit(circuit, budget).unwrap();
    let (counting, cache) = (Counting::default(), Cache::of(&plan));
    [(); 3].map(|()| {
        let inputs = vec![vec![()]];
        exec::run_again(circuit, &counting, &plan, &cache, inputs, &Silent).unwrap();
        counting.take()
    })
}

#[test]
fn a_constant_that_is_kept_is_encoded_once() {
    let circuit = circuit();
    let [first, second, third] = encoded(&circuit, budget(u64::MAX));
    assert_eq!(first.len(), 7);
    assert!(second.is_empty() && third.is_empty());
    for run in encoded(&circuit, budget(0)) {
        assert_eq!(run, first);
    }
}

/// Each plan has an evaluator of its own, as clients with keys of their own have.
#[test]
fn plans_that_share_weights_encode_each_constant_once() {
    let circuit = circuit();
    let mut weights = Weights::default();
    let bytes = |_| 1;
    let mut encoded = Vec::new();
    for window in [4, 1, 8] {
        let budget = Budget {
            window,
            ..budget(u64::MAX)
        };
        let (plan, _) = fit(&circuit, budget).unwrap();
        let (counting, cache) = (Counting::default(), weights.cache(&plan, bytes));
        exec::run_again(&circuit, &counting, &plan, &cache, vec![vec![()]], &Silent).unwrap();
        encoded.push(counting.take().len());
    }
    assert_eq!(encoded, [7, 0, 0]);
    assert_eq!((weights.encoded(), weights.bytes()), (7, 7));
    weights.sweep();
    assert_eq!((weights.encoded(), weights.bytes()), (0, 0));
}

#[test]
fn small_constants_are_kept_first_and_never_more_than_predicted() {
    let circuit = circuit();
    let bytes = |v: Value| Sizes::new(&circuit.rings).bytes_of(circuit.type_of(v).unwrap());
    let all = fit(&circuit, budget(u64::MAX)).unwrap().1.cache;
    let mut last = 0;
    for room in (0..=all).step_by(256) {
        let (plan, prediction) = fit(&circuit, budget(room)).unwrap();
        let cached = plan.cached();
        assert_eq!(
            prediction.cache,
            cached.iter().map(|&v| bytes(v)).sum::<u64>()
        );
        assert!(prediction.cache <= room && cached.len() >= last);
        last = cached.len();
        let [first, second, third] = encoded(&circuit, budget(room));
        assert_eq!(second, third);
        assert!(first.len() == 7 && second.iter().all(|v| !cached.contains(v)));
        assert_eq!(second.len() + cached.len(), 7);
        let largest = cached.iter().map(|&v| bytes(v)).max();
        assert!(largest <= second.iter().map(|&v| bytes(v)).max() || second.is_empty());
    }
    assert_eq!(last, 7);
}

#[test]
fn a_limit_leaves_what_it_can_to_the_cache() {
    let circuit = circuit();
    let [once, many] = [0, u64::MAX].map(|cache| fit(&circuit, budget(cache)).unwrap().1);
    assert_eq!(once.cache, 0);
    let mut caches = Vec::new();
    for limit in (once.total()..once.total() + 3 * many.cache).step_by(500) {
        let budget = Budget {
            limit: Some(limit),
            ..budget(u64::MAX)
        };
        let (_, prediction) = fit(&circuit, budget).unwrap();
        assert!(prediction.total() <= limit, "{prediction:?} of {limit}");
        caches.push(prediction.cache);
    }
    assert!(caches.is_sorted());
    assert_eq!(
        (caches.first(), caches.last()),
        (Some(&0), Some(&many.cache))
    );
    assert!(caches.iter().any(|&cache| 0 < cache && cache < many.cache));
}

#[test]
fn results_are_the_same_with_and_without_kept_constants() {
    let circuit = circuit();
    let mut parties = Parties::new(&circuit);
    let keys = parties.keys();
    let encrypted = parties.encrypt(&inputs(&circuit, 3));
    let resources = Resources {
        window: 4,
        memory: None,
    };
    let once = parties.server.session(keys.clone(), resources).unwrap();
    let expected = once.run(encrypted.clone(), &Silent).unwrap();
    let usage = Usage {
        cache: u64::MAX,
        process: 1000,
        ..Usage::default()
    };
    let many = parties.server_for(usage).session(keys, resources).unwrap();
    for _ in 0..3 {
        let found = many.run(encrypted.clone(), &Silent).unwrap();
        assert_eq!(found, expected);
    }
    let (once, many) = (once.prediction(), many.prediction());
    assert_eq!((once.cache, once.fixed + 1000), (0, many.fixed));
    assert!(many.cache > 0);
}

#[test]
fn streamed_keys_come_and_go_and_expanded_ones_stay() {
    let circuit = circuit();
    let moves = |plan: &Plan| {
        let count = |keys: fn(&Wave) -> usize| plan.waves().iter().map(keys).sum::<usize>();
        let come = count(|w| w.keys.len() + w.prefetch.len());
        (come, count(|w| w.released.len()))
    };
    let planned = |keys, window, expanded| {
        let budget = Budget {
            keys,
            window,
            expanded,
            ..budget(0)
        };
        fit(&circuit, budget).unwrap()
    };
    assert_eq!(moves(&planned(KeyResidence::Held, 1, u64::MAX).0), (0, 0));
    // Rotations by 1, 2, 1, then two other instructions, then by 2.
    assert_eq!(moves(&planned(KeyResidence::Stored, 1, 0).0), (4, 4));
    for window in [1, 4] {
        let (plan, streamed) = planned(KeyResidence::Stored, window, 0);
        assert!(plan.expanded().is_empty());
        let (plan, all) = planned(KeyResidence::Stored, window, u64::MAX);
        assert_eq!((plan.expanded().len(), moves(&plan)), (2, (2, 0)));
        let (plan, some) = planned(KeyResidence::Stored, window, all.keys);
        assert_eq!(plan.expanded().len(), 1);
        assert!(streamed.keys < some.keys && some.keys < all.keys);
        assert!(some.total() <= streamed.total() + all.keys);
    }
}
