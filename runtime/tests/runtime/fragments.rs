//! Fragments: circuits that are cut anywhere, run piece by piece through files, and give the same bytes as in one run.

use crate::common::{Parties, Toy, inputs, numbers, unbounded};
use peregrine_ir::binary::{read_circuit, write_circuit};
use peregrine_ir::testing::circuits;
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::HeldKeys;
use peregrine_runtime::client::Client;
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::Arrays;
use peregrine_runtime::server::{Resources, Server, ServerError};
use peregrine_runtime::simulate;
use peregrine_runtime::wire::{FragmentValues, WireError};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const WIDE: Resources = Resources {
    window: 4,
    memory: None,
};

/// A place for every instruction: not before those of its operands, and otherwise as the numbers say. Some plaintexts have none.
fn places(circuit: &Circuit, numbers: &[u32], fragments: u32) -> BTreeMap<Value, Option<u32>> {
    let mut places: BTreeMap<Value, Option<u32>> = BTreeMap::new();
    let mut numbers = numbers.iter().copied().cycle();
    let mut draw = |bound: u32| numbers.next().unwrap_or(0) % bound.max(1);
    for (value, definition) in circuit.definitions(circuit.main()) {
        let operands = definition.inst.operands().into_iter();
        let least = operands
            .filter_map(|v| places.get(&v).copied().flatten())
            .max()
            .unwrap_or(0);
        let place = match definition.inst {
            Inst::Encode { .. } if draw(2) == 0 => None,
            Inst::Input { .. } | Inst::InputDigits(_) => None,
            Inst::Result { .. } => Some(least),
            _ => Some(least + draw(fragments - least)),
        };
        places.insert(value, place);
    }
    places
}

static CUTS: AtomicUsize = AtomicUsize::new(0);
static RUN: AtomicUsize = AtomicUsize::new(0);

/// The outputs of all fragments one after the other, everything through files.
fn piecewise(
    parties: &Parties,
    fragments: &[Verified],
    given: FragmentValues,
    keys: &Arc<HeldKeys>,
) -> Result<Vec<u8>, ServerError> {
    let whole = &parties.server;
    let mut files = vec![whole.write_values(&given)];
    for fragment in fragments {
        let fragment = read_circuit(&write_circuit(fragment)).unwrap();
        let server = Server::new(fragment).unwrap();
        let mut values: Option<FragmentValues> = None;
        for file in &files {
            let read = server.read_values(file).unwrap();
            match &mut values {
                Some(values) => values.join(read).unwrap(),
                None => values = Some(read),
            }
        }
        let session = server.session(keys.clone(), WIDE).unwrap();
        let exports = session.run_fragment(&values.unwrap(), &Silent)?;
        files.push(server.write_values(&exports));
    }
    let mut values = whole.read_values(&files[0]).unwrap();
    for file in &files[1..] {
        values.join(whole.read_values(file).unwrap()).unwrap();
    }
    Ok(whole.write_outputs(&whole.output_values(&values)?))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1400, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    fn fragments_compute_the_same(
        circuit in circuits(24),
        seed in 0..1000u64,
        cuts in proptest::collection::vec(any::<u32>(), 64),
        count in 1..6u32,
    ) {
        let circuit = unbounded(circuit);
        let places = places(&circuit, &cuts, count);
        let fragments = cut(&circuit, |value| places[&value]).unwrap();
        CUTS.fetch_add(1, Ordering::Relaxed);
        for fragment in &fragments {
            let text = text::print(fragment);
            prop_assert_eq!(&text::parse(&text).unwrap(), &**fragment, "{}", text);
        }
        let Ok(mut parties) = Client::new(Interface::of(&circuit)).map(|_| Parties::new(&circuit)) else {
            return Ok(());
        };
        let keys = parties.keys();
        let given = inputs(&circuit, seed);
        let Parties { client, secret, randomness, server } = &mut parties;
        let Ok(encrypted) = client.encrypt(secret, &given, randomness) else {
            return Ok(());
        };
        let values = server.input_values(encrypted.clone()).unwrap();
        let Ok(outputs) = server.session(keys.clone(), WIDE).unwrap().run(encrypted, &Silent) else {
            // A constant beyond the modulus is refused wherever it is encoded, unless nothing needs it.
            return Ok(());
        };
        let expected = server.write_outputs(&outputs);
        let found = piecewise(&parties, &fragments, values, &keys).unwrap();
        prop_assert!(found == expected);
        RUN.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn random_cuts() {
    fragments_compute_the_same();
    let (cuts, run) = (CUTS.load(Ordering::Relaxed), RUN.load(Ordering::Relaxed));
    assert!(
        cuts >= 1000 && run >= 1000,
        "only {run} of {cuts} cuts could be run"
    );
}

const TOY: Toy = Toy {
    log_n: 6,
    depth: 4,
    alpha: 2,
};

/// Two rotations that share digits, and their sum.
fn hoisted() -> (Verified, [Value; 4]) {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let plain = toy.plain(numbers(1, toy.shape.elements()), x);
    let product = toy.push(Inst::MulPlain(x, plain));
    let a = toy.push(Inst::Rescale {
        a: product,
        to: Level(toy.top.0 - 1),
    });
    let digits = toy.push(Inst::Decompose(a));
    let rotation = Rotation(1);
    let turned = toy.push(Inst::RotateExt {
        a,
        digits,
        rotation,
    });
    let low = toy.push(Inst::ModDown(turned));
    toy.output(low);
    (toy.finish(), [a, digits, turned, low])
}

/// Every type of value, each used by the next instruction.
fn every_type() -> Verified {
    let mut toy = TOY.builder();
    let x = toy.input("x");
    let digits = toy.push(Inst::Decompose(x));
    let (a, rotation) = (x, Rotation(1));
    let turned = toy.push(Inst::RotateExt {
        a,
        digits,
        rotation,
    });
    let raised = toy.plain(numbers(1, toy.shape.elements()), turned);
    let product = toy.push(Inst::MulPlain(turned, raised));
    let low = toy.push(Inst::ModDown(product));
    let low = toy.push(Inst::Rescale {
        a: low,
        to: Level(3),
    });
    let square = toy.push(Inst::Square(low));
    let digits = toy.push(Inst::Decompose(square));
    let square = toy.push(Inst::RelinearizeExt { a: square, digits });
    let square = toy.push(Inst::ModDown(square));
    let plain = toy.plain(numbers(2, toy.shape.elements()), square);
    let product = toy.push(Inst::MulPlain(square, plain));
    toy.output(product);
    toy.finish()
}

#[test]
fn every_type_of_value_goes_between_fragments() {
    let circuit = every_type();
    let mut parties = Parties::new(&circuit);
    let keys = parties.keys();
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let session = parties.server.session(keys.clone(), WIDE).unwrap();
    let outputs = session.run(encrypted.clone(), &Silent).unwrap();
    let expected = parties.server.write_outputs(&outputs);
    let mut crossed = BTreeSet::new();
    for value in circuit
        .definitions(circuit.main())
        .map(|(value, _)| value)
        .skip(2)
    {
        let fragments = cut(&circuit, |other| Some(u32::from(other >= value))).unwrap();
        let second = fragments.last().unwrap();
        crossed.extend(second.imports().iter().map(
            |link| match second.type_of(link.value).unwrap() {
                Type::Cipher { form, .. } => format!("{form:?}"),
                Type::Plain { basis, .. } => format!("plain {basis:?}"),
                Type::Digits { .. } => "digits".into(),
            },
        ));
        let given = parties.server.input_values(encrypted.clone()).unwrap();
        let found = piecewise(&parties, &fragments, given, &keys).unwrap();
        assert!(found == expected, "cut before {value}");
    }
    let kinds = [
        "Extended",
        "Normal",
        "Product",
        "digits",
        "plain Extended",
        "plain Normal",
    ];
    assert!(crossed.iter().eq(kinds), "{crossed:?}");
}

#[test]
fn digits_come_with_their_ciphertext() {
    let (circuit, [a, digits, turned, low]) = hoisted();
    let fragments = cut(&circuit, |value| Some(u32::from(value >= turned))).unwrap();
    let wholes = |links: &[Link]| links.iter().map(|link| link.whole).collect::<Vec<_>>();
    assert_eq!(fragments.len(), 2);
    assert_eq!(wholes(fragments[0].exports()), [a, digits]);
    assert_eq!(wholes(fragments[1].imports()), [a, digits]);
    assert_eq!(wholes(fragments[1].exports()), [low]);
    // Keys and tables go where they are used.
    assert_eq!(
        (
            fragments[0].keys.levels.len(),
            fragments[1].keys.levels.len()
        ),
        (0, 1)
    );
    assert_eq!(
        (fragments[0].tensors.len(), fragments[1].tensors.len()),
        (1, 0)
    );
}

#[test]
fn cuts_that_make_no_sense_are_refused() {
    let (circuit, [a, digits, ..]) = hoisted();
    let backwards = cut(&circuit, |value| Some(u32::from(value == a))).unwrap_err();
    assert_eq!(
        backwards.to_string(),
        format!(
            "{digits} of fragment 0 uses {a} of fragment 1; a fragment takes values of fragments before it only"
        )
    );
    let nowhere = cut(&circuit, |value| (value != a).then_some(0)).unwrap_err();
    assert_eq!(
        nowhere.to_string(),
        format!("{a} has no fragment; only plaintexts are encoded wherever they are used")
    );
    let fragment = cut(&circuit, |_| Some(0)).unwrap().remove(0);
    assert_eq!(cut(&fragment, |_| Some(0)).unwrap_err(), CutError::Fragment);
}

#[test]
fn a_fragment_is_not_run_as_a_circuit_nor_a_circuit_as_a_fragment() {
    let (circuit, _) = hoisted();
    let fragment = cut(&circuit, |_| Some(0)).unwrap().remove(0);
    let options = simulate::Options { noise: None };
    let error = simulate::run(&fragment, &Arrays::new(), options, &Silent).unwrap_err();
    let expected = format!(
        "the circuit is a fragment of circuit {}: it runs on values of other fragments, not on inputs",
        fingerprint(&circuit)
    );
    assert_eq!(error.to_string(), expected);
    let mut parties = Parties::new(&circuit);
    let keys = parties.keys();
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let given = parties.server.input_values(encrypted).unwrap();
    let session = parties.server.session(keys, WIDE).unwrap();
    let error = session.run_fragment(&given, &Silent).unwrap_err();
    let expected = "the circuit is no fragment: it runs on inputs, not on values of fragments";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn values_of_others_and_missing_ones_are_refused() {
    let (circuit, [a, _, turned, _]) = hoisted();
    let fragments = cut(&circuit, |value| Some(u32::from(value >= turned))).unwrap();
    let mut parties = Parties::new(&circuit);
    let keys = parties.keys();
    let encrypted = parties.encrypt(&inputs(&circuit, 1));
    let given = parties.server.input_values(encrypted).unwrap();
    let second = Server::new(fragments[1].clone()).unwrap();
    let session = second.session(keys.clone(), WIDE).unwrap();
    let missing = session
        .run_fragment(&given, &Silent)
        .unwrap_err()
        .to_string();
    assert!(
        missing.starts_with("2 values that come from other fragments are missing: v"),
        "{missing}"
    );
    // The file of the inputs has nothing for the second fragment.
    let file = parties.server.write_values(&given);
    assert_eq!(second.read_values(&file).unwrap().names().count(), 0);
    // Values of another circuit.
    let (first, toy) = (
        Server::new(fragments[0].clone()).unwrap(),
        crate::common::sum_of_products(1, Toy { depth: 3, ..TOY }),
    );
    let mut other = Parties::new(&toy);
    let encrypted = other.encrypt(&inputs(&toy, 1));
    let foreign = other.server.input_values(encrypted).unwrap();
    let session = first.session(keys.clone(), WIDE).unwrap();
    let error = session.run_fragment(&foreign, &Silent).unwrap_err();
    assert!(
        matches!(
            error,
            ServerError::Foreign {
                what: "a value",
                ..
            }
        ),
        "{error}"
    );
    let error = first
        .read_values(&other.server.write_values(&foreign))
        .unwrap_err();
    assert!(error.to_string().contains("belongs to circuit"), "{error}");
    // Values under another key.
    let mut stranger = Parties::with_seed(&circuit, 2);
    let encrypted = stranger.encrypt(&inputs(&circuit, 1));
    let mixed = stranger.server.input_values(encrypted).unwrap();
    let error = session.run_fragment(&mixed, &Silent).unwrap_err();
    assert!(matches!(error, ServerError::KeyPair { .. }), "{error}");
    let error = given.clone().join(mixed).unwrap_err();
    assert!(matches!(error, WireError::ValuePairs { .. }), "{error}");
    // Exports read as values of another type.
    let exports = session.run_fragment(&given, &Silent).unwrap();
    assert!(exports.names().any(|name| name == a));
    let file = first.write_values(&exports);
    for length in 0..file.len().min(400) {
        assert!(second.read_values(&file[..length]).is_err());
    }
}

#[test]
fn values_of_two_runs_are_not_mixed() {
    let (circuit, [_, _, turned, _]) = hoisted();
    let fragments = cut(&circuit, |value| Some(u32::from(value >= turned))).unwrap();
    let [first, second] = [0, 1].map(|at| Server::new(fragments[at].clone()).unwrap());
    let mut parties = Parties::new(&circuit);
    let keys = parties.keys();
    let session = first.session(keys.clone(), WIDE).unwrap();
    let [given, other] = [1, 2].map(|seed| {
        let encrypted = parties.encrypt(&inputs(&circuit, seed));
        parties.server.input_values(encrypted).unwrap()
    });
    // Two images under one key.
    let exported = session.run_fragment(&other, &Silent).unwrap();
    let file = first.write_values(&exported);
    let read = second.read_values(&file).unwrap();
    assert_eq!(read.inputs(), other.inputs());
    let error = given.clone().join(read).unwrap_err();
    assert!(matches!(error, WireError::ValueInputs { .. }), "{error}");
    // The same value, computed with other evaluation keys.
    let taken = session.run_fragment(&given, &Silent).unwrap();
    let rotated = |keys| {
        let session = second.session(keys, WIDE).unwrap();
        session.run_fragment(&taken, &Silent).unwrap()
    };
    let (mut once, again) = (rotated(keys.clone()), rotated(parties.keys()));
    let before = once.clone();
    once.join(rotated(keys)).unwrap();
    let error = once.join(again).unwrap_err();
    assert!(matches!(error, WireError::ValueDiffers { .. }), "{error}");
    assert_eq!(once, before);
}
