//! Keys belong to a pair, not to a circuit: mixtures of pairs are refused, and one set of keys serves what it covers.

use crate::common::{Parties, Toy, Toybox, inputs, precision, simulate};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::KeySource;
use peregrine_runtime::client::{Client, KeyOrder, Secret};
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server};
use peregrine_runtime::wire::{KeyBytes, KeyFile};
use std::io::Cursor;
use std::sync::Arc;

const RESOURCES: Resources = Resources {
    window: 4,
    memory: None,
};

const TOY: Toy = Toy {
    log_n: 11,
    depth: 3,
    alpha: 2,
};

/// A square, rescaled, and rotations of it, one at each of some levels.
fn circuit(ring: RingTable, rotations: &[(u32, u32)]) -> Verified {
    let mut toy = Toybox::new(ring, Security::None);
    let x = toy.input("x");
    let top = toy.top;
    let square = toy.push(Inst::Square(x));
    let square = toy.push(Inst::Relinearize(square));
    let to = Level(top.0 - 1);
    let mut value = toy.push(Inst::Rescale { a: square, to });
    for &(step, level) in rotations {
        let to = Level(level);
        let rotation = Rotation(step);
        if toy.builder.type_of(value).unwrap().level() != to {
            value = toy.push(Inst::DropLevel { a: value, to });
        }
        value = toy.push(Inst::Rotate { a: value, rotation });
    }
    toy.output(value);
    toy.finish()
}

/// The same ring with fewer of its primes, numbered otherwise.
fn fewer(ring: &RingTable) -> RingTable {
    let kept: Vec<usize> = vec![2, 0, 1];
    let values: Vec<u64> = ring.primes.values().copied().collect();
    let prime = |old: &Prime| {
        kept.iter()
            .position(|&k| k == old.index())
            .map(|i| Prime::new(i as u32))
    };
    let renamed = |sets: &[Vec<Prime>]| -> Vec<Vec<Prime>> {
        let sets = sets
            .iter()
            .map(|set| set.iter().filter_map(prime).collect());
        sets.filter(|set: &Vec<Prime>| !set.is_empty()).collect()
    };
    let rows: Vec<Vec<Prime>> = ring.levels[..3].iter().map(|l| l.primes.clone()).collect();
    let view = ring.view(RingId(0));
    let primes = kept.iter().map(|&k| values[k]).collect();
    RingTable::of_one_ring(
        (view.log_n(), ring.unit_bits),
        (primes, ring.special.clone()),
        renamed(&rows),
        renamed(view.digits()),
    )
}

fn key_file(secret: &Secret, order: &KeyOrder, kept: &[&KeyFile], seed: u128) -> Vec<u8> {
    let mut randomness = Randomness::from_seed_for_tests(seed);
    let out = Cursor::new(Vec::new());
    let made = secret.write_evaluation_keys(order, kept, &mut randomness, out, |_, _| ());
    made.unwrap().into_inner()
}

fn open(file: &[u8]) -> KeyFile {
    KeyFile::open(KeyBytes::Held(file.to_vec())).unwrap()
}

/// Runs on ciphertexts with keys of some files, and compares with cleartext.
fn check(circuit: &Verified, secret: &Secret, files: &[&[u8]]) {
    let client = Client::new(Interface::of(circuit)).unwrap();
    let server = Server::new(circuit.clone()).unwrap();
    let keys = server.find_keys(files.iter().map(|file| open(file)).collect());
    let keys = keys.unwrap_or_else(|e| panic!("{e}"));
    let given = inputs(circuit, 5);
    let mut randomness = Randomness::from_seed_for_tests(77);
    let encrypted = client.encrypt(secret, &given, &mut randomness).unwrap();
    let session = server.session(Arc::new(keys), RESOURCES).unwrap();
    let outputs = session.run(encrypted, &Silent).unwrap();
    let found = client.decrypt(secret, &outputs, None).unwrap().outputs;
    let bits = precision(&simulate(circuit, &given), &found);
    assert!(bits > 17.0, "{bits:.1} bits");
}

fn order(circuits: &[&Verified]) -> KeyOrder {
    let interfaces: Vec<Interface> = circuits.iter().map(|c| Interface::of(c)).collect();
    KeyOrder::covering(&interfaces).unwrap()
}

fn message(error: impl std::error::Error) -> String {
    error.to_string()
}

fn secret(seed: u128) -> Secret {
    Secret::without_security(&mut Randomness::from_seed_for_tests(seed))
}

#[test]
fn every_mixture_of_two_key_pairs_of_one_circuit_is_refused_naming_both() {
    let circuit = circuit(TOY.ring(), &[(3, 2)]);
    let mut mine = Parties::new(&circuit);
    let mut theirs = Parties::new(&circuit);
    theirs.secret = secret(2);
    let pairs = [&mine, &theirs].map(|p| p.secret.key_pair());
    assert_ne!(pairs[0], pairs[1]);
    let names = |text: String| {
        assert!(
            pairs.iter().all(|pair| text.contains(&pair.to_string())),
            "{text}"
        );
    };
    let given = inputs(&circuit, 5);
    // Held in memory and read from a file alike.
    let held: [Arc<dyn KeySource>; 2] = [mine.keys(), theirs.keys()];
    let files = [mine.key_file(), theirs.key_file()];
    let read = |file: &Vec<u8>| mine.server.read_keys(KeyBytes::Held(file.clone())).unwrap();
    let stored = files
        .each_ref()
        .map(|file| Arc::new(read(file)) as Arc<dyn KeySource>);
    let encrypted = [mine.encrypt(&given), theirs.encrypt(&given)];
    for (keys, pair) in [&held, &stored]
        .into_iter()
        .flat_map(|keys| keys.iter().zip(pairs))
    {
        let session = mine.server.session(keys.clone(), RESOURCES).unwrap();
        for inputs in &encrypted {
            // As the server gets them.
            let sent = mine.client.write_inputs(inputs);
            let inputs = mine.server.read_inputs(&sent).unwrap();
            let (own, run) = (inputs.key_pair() == pair, session.run(inputs, &Silent));
            if !own {
                names(message(run.unwrap_err()));
                continue;
            }
            let answer = mine.server.write_outputs(&run.unwrap());
            let answer = mine.client.read_outputs(&answer).unwrap();
            for secret in [&mine.secret, &theirs.secret] {
                let decrypted = mine.client.decrypt(secret, &answer, None);
                match secret.key_pair() == pair {
                    true => drop(decrypted.unwrap()),
                    false => names(message(decrypted.unwrap_err())),
                }
            }
        }
    }
    let both = files.iter().map(|file| open(file)).collect();
    names(message(mine.server.find_keys(both).unwrap_err()));
    let kept = open(&files[0]);
    let out = Cursor::new(Vec::new());
    let none = order(&[&circuit]);
    let added = theirs.secret.write_evaluation_keys(
        &none,
        &[&kept],
        &mut theirs.randomness,
        out,
        |_, _| (),
    );
    names(message(added.map(drop).unwrap_err()));
}

#[test]
fn keys_in_memory_of_other_rings_are_refused() {
    let ring = TOY.ring();
    let (one, other) = (
        circuit(ring.clone(), &[(3, 2)]),
        circuit(fewer(&ring), &[(3, 1)]),
    );
    let keys = Parties::new(&one).keys();
    let refused = Server::new(other)
        .unwrap()
        .session(keys, RESOURCES)
        .map(drop);
    assert_eq!(
        message(refused.unwrap_err()),
        "the evaluation keys are for a circuit with other rings"
    );
}

#[test]
fn one_set_of_keys_serves_every_circuit_that_it_covers() {
    let ring = TOY.ring();
    let large = circuit(ring.clone(), &[(3, 2), (5, 1)]);
    // Other values and another program; the keys are those of the first, or of lower levels, or of fewer primes.
    let covered = [
        circuit(ring.clone(), &[(5, 1), (3, 1)]),
        circuit(fewer(&ring), &[(3, 1)]),
        circuit(fewer(&ring), &[(5, 1), (3, 0)]),
    ];
    let (secret, order) = (secret(1), order(&[&large]));
    let file = key_file(&secret, &order, &[], 2);
    check(&large, &secret, &[&file]);
    for circuit in &covered {
        assert_ne!(fingerprint(circuit), fingerprint(&large));
        check(circuit, &secret, &[&file]);
    }
}

#[test]
fn the_union_of_two_circuits_serves_both_and_has_no_key_twice() {
    let ring = TOY.ring();
    let (low, high) = (
        circuit(fewer(&ring), &[(3, 1), (7, 1), (9, 0)]),
        circuit(ring, &[(3, 2), (5, 1)]),
    );
    let secret = secret(1);
    let union = order(&[&low, &high]);
    // A product; rotations by 3, 5, 7 and 9.
    assert_eq!(union.shapes().len(), 5);
    let [one, other] = [&low, &high].map(|circuit| order(&[circuit]).bytes());
    assert!(union.bytes() < one + other && union.bytes() > other);
    let file = key_file(&secret, &union, &[], 3);
    check(&low, &secret, &[&file]);
    check(&high, &secret, &[&file]);
}

#[test]
fn missing_keys_are_named_with_their_bytes_and_made_beside_those_that_are_there() {
    let ring = TOY.ring();
    let (small, large) = (
        circuit(fewer(&ring), &[(3, 1)]),
        circuit(ring, &[(3, 2), (5, 1)]),
    );
    let secret = secret(1);
    let first = key_file(&secret, &order(&[&small]), &[], 4);
    let server = Server::new(large.clone()).unwrap();
    let refused = message(server.find_keys(vec![open(&first)]).unwrap_err());
    let missing = order(&[&large]).without(&[&open(&first)]).unwrap();
    assert_eq!(missing.shapes().len(), 3);
    assert_eq!(
        refused,
        format!(
            "3 evaluation keys that the circuit needs are missing, {:.1} KiB in a file: 2 rotation keys of degree 2^11 (3, 5), \
             relinearization key of degree 2^11; 2 of them would be there if they were for the same primes",
            missing.bytes() as f64 / 1024.0
        )
    );
    // In a file of their own, or in one with the others, whose bytes stay.
    let more = key_file(&secret, &missing, &[], 5);
    check(&large, &secret, &[&first, &more]);
    check(&small, &secret, &[&first, &more]);
    let old = open(&first);
    let all = key_file(&secret, &missing, &[&old], 6);
    check(&large, &secret, &[&all]);
    check(&small, &secret, &[&all]);
    let [before, after] = [&first, &all].map(|file| crate::common::files::chunks(file));
    let kept = after.iter().zip(&before).take(old.shapes().len());
    assert!(kept.into_iter().all(|(after, before)| after == before));
    let nothing = order(&[&large]).without(&[&open(&all)]).unwrap();
    assert_eq!((nothing.shapes().len(), nothing.bytes()), (0, 0));
}

#[test]
fn circuits_with_other_primes_of_one_degree_have_no_union() {
    let ring = TOY.ring();
    let other = RingTable {
        special: crate::common::primes(11, 49).take(2).collect(),
        ..ring.clone()
    };
    let mut digits = ring.clone();
    digits.rings.get_mut(RingId(0)).unwrap().digits = ring.primes.keys().map(|p| vec![p]).collect();
    let interface = |ring| Interface::of(&circuit(ring, &[(3, 2)]));
    for (other, differs) in [(other, "special primes"), (digits, "digits of primes")] {
        let both = [interface(ring.clone()), interface(other)];
        let text = message(KeyOrder::covering(&both).unwrap_err());
        let expected = format!(
            "`toy` and `toy` use ring degree 2^11 with other {differs}, so no keys serve both"
        );
        assert_eq!(text, expected);
    }
    // Of other degrees, there is nothing to share.
    let both = [interface(ring), interface(Toy { log_n: 10, ..TOY }.ring())];
    assert_eq!(KeyOrder::covering(&both).unwrap().shapes().len(), 4);
}

#[test]
fn the_identity_of_a_pair_is_no_function_of_the_secret_and_survives_files() {
    let (one, other) = (secret(1), secret(2));
    assert_ne!(one.key_pair(), other.key_pair());
    let read = Secret::read(&one.write()).unwrap();
    assert_eq!(read.key_pair(), one.key_pair());
    // The coefficients do not change with it: they are drawn after it.
    let identity = one.key_pair().0;
    let file = one.write();
    let place = file
        .windows(32)
        .position(|window| window == identity)
        .unwrap();
    assert_eq!(
        (place, file.windows(32).filter(|w| *w == identity).count()),
        (16, 1)
    );
}

#[test]
fn a_modulus_beyond_the_line_is_refused_where_the_circuit_promises_security() {
    let toy = |depth| {
        Toy {
            log_n: 13,
            depth,
            alpha: 1,
        }
        .ring()
    };
    let circuit = |depth, security| {
        let mut toy = Toybox::new(toy(depth), security);
        let x = toy.input("x");
        let square = toy.push(Inst::Square(x));
        let square = toy.push(Inst::Relinearize(square));
        toy.output(square);
        toy.finish()
    };
    // 190 and 230 bits; the line is 218.
    let (secure, toy) = (
        circuit(2, Security::Classical128),
        circuit(3, Security::None),
    );
    let both = [&secure, &toy].map(Interface::of);
    let insecure = "the relinearization key of degree 2^13 has a modulus of 220 bits, degree 2^13 is secure up to 218";
    assert_eq!(message(KeyOrder::covering(&both).unwrap_err()), insecure);
    let secret = secret(1);
    let file = key_file(&secret, &order(&[&toy]), &[], 7);
    let server = Server::new(secure.clone()).unwrap();
    assert_eq!(
        message(server.find_keys(vec![open(&file)]).unwrap_err()),
        insecure
    );
    assert_eq!(
        message(order(&[&secure]).without(&[&open(&file)]).unwrap_err()),
        insecure
    );
}

/// Keys and ciphertexts of a toy would give away the secret of secure circuits of its degree.
#[test]
fn a_secret_of_secure_circuits_is_used_for_no_toy() {
    let toy = circuit(TOY.ring(), &[(3, 2)]);
    let client = Client::new(Interface::of(&toy)).unwrap();
    let mut randomness = Randomness::from_seed_for_tests(1);
    let secure = Secret::generate(&mut randomness);
    let secure = Secret::read(&secure.write()).unwrap();
    let refused = client.evaluation_keys(&secure, &mut randomness).map(drop);
    assert!(message(refused.unwrap_err()).contains("degree 2^11 is secure up to 53"));
    let out = Cursor::new(Vec::new());
    let refused =
        secure.write_evaluation_keys(&order(&[&toy]), &[], &mut randomness, out, |_, _| ());
    assert!(message(refused.map(drop).unwrap_err()).contains("degree 2^11 is secure up to 53"));
    let refused = client
        .encrypt(&secure, &inputs(&toy, 1), &mut randomness)
        .map(drop);
    assert!(message(refused.unwrap_err()).contains("that would give the secret key away"));
    // The client of a toy makes a secret for toys.
    let toys = client.generate_secret(&mut randomness).unwrap();
    let toys = Secret::read(&toys.write()).unwrap();
    client
        .encrypt(&toys, &inputs(&toy, 1), &mut randomness)
        .unwrap();
}
