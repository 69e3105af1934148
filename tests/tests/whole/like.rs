//! Circuits within the parameters of another one: its keys serve them, too.

use peregrine_compiler::manage::like::{Like, Misfit};
use peregrine_compiler::manage::parameters::ParameterError;
use peregrine_compiler::onnx::{self, NoExternalData, Options};
use peregrine_compiler::passes::keys::KeyBudget;
use peregrine_compiler::pipeline::{CompileError, Config, compile};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::{Interface, KeyKind, Security, Verified, fingerprint};
use peregrine_runtime::client::{Client, KeyOrder, Secret};
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server};
use peregrine_runtime::wire::{KeyBytes, KeyFile};
use peregrine_tests::flow::{self, error_bits};
use peregrine_tests::networks;
use std::io::Cursor;
use std::sync::Arc;

fn import(model: &[u8]) -> Graph {
    onnx::import(model, &NoExternalData, &Options::new("model")).unwrap()
}

/// A configuration for toy rings.
fn toy(name: &str) -> Config {
    let mut config = Config::new(name);
    config.security = Security::None;
    config.log_n = 11..=11;
    config
}

fn like(name: &str, other: &Verified) -> Config {
    let mut config = toy(name);
    config.log_n = 3..=3;
    config.like = Some(Like::new(&Interface::of(other)));
    config
}

fn key_file(secret: &Secret, order: &KeyOrder) -> Vec<u8> {
    let (out, mut randomness) = (Cursor::new(Vec::new()), Randomness::from_os());
    let made = secret.write_evaluation_keys(order, &[], &mut randomness, out, |_, _| ());
    made.unwrap().into_inner()
}

/// log2 of the error of a run on ciphertexts with keys of some files.
fn run(graph: &Graph, circuit: &Verified, secret: &Secret, files: &[&[u8]]) -> f64 {
    let count: usize = graph
        .inputs()
        .map(|(node, _)| graph.node(node).shape.elements())
        .sum();
    let pixels = (0..count).map(|i| (i as f64 * 0.37).sin() * 0.8);
    let inputs = flow::inputs(graph, &[pixels.collect()]).unwrap();
    let client = Client::new(Interface::of(circuit)).unwrap();
    let server = Server::new(circuit.clone()).unwrap();
    let files = files
        .iter()
        .map(|file| KeyFile::open(KeyBytes::Held(file.to_vec())).unwrap());
    let keys = server
        .find_keys(files.collect())
        .unwrap_or_else(|e| panic!("{e}"));
    let encrypted = client
        .encrypt(secret, &inputs, &mut Randomness::from_os())
        .unwrap();
    let session = server
        .session(Arc::new(keys), Resources::of_thread_pool(None))
        .unwrap();
    let answer = session.run(encrypted, &Silent).unwrap();
    let found = client.decrypt(secret, &answer, None).unwrap().outputs;
    error_bits(&found, &flow::reference(graph, &inputs).unwrap())
}

#[test]
fn the_same_network_with_other_weights_needs_no_new_keys() {
    let [first, second] = [1, 2].map(|seed| import(&networks::convolutions(seed, 8, &[4, 4])));
    let one = compile(&first, &toy("first")).unwrap().circuit;
    let other = compile(&second, &like("second", &one)).unwrap().circuit;
    assert_ne!(fingerprint(&one), fingerprint(&other));
    assert_eq!((&one.rings, &one.keys), (&other.rings, &other.keys));
    let said = other
        .remarks
        .iter()
        .any(|r| r.text == "made like `first`: its keys serve this circuit, too");
    assert!(said, "{:?}", other.remarks);
    let secret = Secret::without_security(&mut Randomness::from_os());
    let keys = key_file(
        &secret,
        &KeyOrder::covering([&Interface::of(&one)]).unwrap(),
    );
    for (graph, circuit) in [(&first, &one), (&second, &other)] {
        let bits = run(graph, circuit, &secret, &[&keys]);
        assert!(bits < -7.0, "2^{bits:.1}");
    }
}

/// As few keys as make a run little longer are those of its siblings, too.
#[test]
fn the_keys_of_a_budget_by_default_serve_siblings() {
    let [first, second] = [1, 2].map(|seed| import(&networks::convolutions(seed, 8, &[4, 4])));
    let mut config = toy("first");
    config.key_budget = KeyBudget::DEFAULT;
    let one = compile(&first, &config).unwrap().circuit;
    let mut config = like("second", &one);
    config.key_budget = KeyBudget::DEFAULT;
    let other = compile(&second, &config).unwrap().circuit;
    let new = config.like.as_ref().map(|like| like.lacks(&other));
    assert_eq!(new, Some(Vec::new()));
    assert_eq!(one.rings, other.rings);
}

/// What is asked of a circuit in bits is what another circuit's parameters leave, and fewer where more headroom is needed.
#[test]
fn precision_is_that_of_the_other_circuit() {
    let graph = import(&networks::convolutions(1, 8, &[4]));
    let mut config = toy("first");
    config.precision_bits = 15;
    let one = compile(&graph, &config).unwrap().circuit;
    let like = Like::new(&Interface::of(&one));
    let headroom = config.headroom_bits;
    assert_eq!(
        [headroom - 3, headroom].map(|bits| like.precision_bits(bits)),
        [15, 15]
    );
    let more = like.precision_bits(headroom + 4);
    assert!((10..=12).contains(&more), "{more}");
    config.like = Some(like);
    (config.precision_bits, config.headroom_bits) = (more, headroom + 4);
    compile(&graph, &config).unwrap();
}

#[test]
fn a_network_with_two_rings_has_the_keys_of_its_siblings() {
    let [first, second] = [1, 2].map(|seed| import(&networks::resnet8_of(seed)));
    let mut config = Config::new("first");
    config.precision_bits = 10;
    let one = compile(&first, &config).unwrap().circuit;
    assert_eq!(one.rings.rings.len(), 2);
    config.like = Some(Like::new(&Interface::of(&one)));
    let other = compile(&second, &config).unwrap().circuit;
    assert_eq!((&one.rings, &one.keys), (&other.rings, &other.keys));
}

#[test]
fn a_smaller_network_uses_some_of_the_levels_and_the_keys_that_there_are() {
    let first = import(&networks::convolutions(1, 8, &[4, 4, 4]));
    let second = import(&networks::convolutions(3, 8, &[6]));
    let one = compile(&first, &toy("first")).unwrap().circuit;
    let config = like("second", &one);
    let other = compile(&second, &config).unwrap().circuit;
    assert!(other.rings.levels.len() < one.rings.levels.len());
    assert_eq!(other.rings.special, one.rings.special);
    let one_order = KeyOrder::covering([&Interface::of(&one)]).unwrap();
    let union = KeyOrder::covering(&[&one, &other].map(Interface::of)).unwrap();
    let new = config.like.as_ref().unwrap().lacks(&other);
    let bytes: u64 = new.iter().map(|key| key.bytes()).sum();
    assert!(new.len() < other.keys.levels.len(), "no key is shared");
    assert!(union.bytes() <= one_order.bytes() + bytes);
    // Both run with the union, and with the keys of the first and just the new ones.
    let secret = Secret::without_security(&mut Randomness::from_os());
    let all = key_file(&secret, &union);
    let own = key_file(&secret, &one_order);
    let known = KeyFile::open(KeyBytes::Held(own.clone())).unwrap();
    let more = KeyOrder::covering([&Interface::of(&other)])
        .unwrap()
        .without(&[&known])
        .unwrap();
    assert_eq!(more.bytes(), bytes);
    let more = key_file(&secret, &more);
    for (graph, circuit) in [(&first, &one), (&second, &other)] {
        for files in [&[all.as_slice()][..], &[&own, &more]] {
            let bits = run(graph, circuit, &secret, files);
            assert!(bits < -6.0, "2^{bits:.1}");
        }
    }
}

#[test]
fn a_budget_bounds_the_new_keys_only() {
    let first = import(&networks::convolutions(1, 8, &[4, 4, 4]));
    let second = import(&networks::convolutions(3, 8, &[6]));
    let one = compile(&first, &toy("first")).unwrap().circuit;
    let mut config = like("second", &one);
    let lacking =
        |config: &Config, circuit: &Verified| config.like.as_ref().unwrap().lacks(circuit);
    let free = compile(&second, &config).unwrap().circuit;
    let bytes =
        |circuit: &Verified| -> u64 { lacking(&config, circuit).iter().map(|k| k.bytes()).sum() };
    let unlimited = bytes(&free);
    let rotations = lacking(&config, &free);
    assert!(
        rotations
            .iter()
            .all(|key| matches!(key.kind(), KeyKind::Rotation(_)))
    );
    config.key_budget = KeyBudget::AtMost(0);
    let none = match compile(&second, &config) {
        Ok(compiled) => compiled.circuit,
        Err(error) => panic!("{error}"),
    };
    let new: Vec<_> = config.like.as_ref().unwrap().lacks(&none);
    assert!(new.is_empty(), "{new:?} of {unlimited} bytes");
    let secret = Secret::without_security(&mut Randomness::from_os());
    let keys = key_file(
        &secret,
        &KeyOrder::covering([&Interface::of(&one)]).unwrap(),
    );
    let bits = run(&second, &none, &secret, &[&keys]);
    assert!(bits < -6.0, "2^{bits:.1}");
}

#[test]
fn what_does_not_fit_names_the_rescale_and_the_bits() {
    let first = import(&networks::convolutions(1, 8, &[4]));
    let second = import(&networks::convolutions(2, 8, &[4, 4]));
    let one = compile(&first, &toy("first")).unwrap().circuit;
    let refused = compile(&second, &like("second", &one))
        .map(drop)
        .unwrap_err();
    let text = refused.to_string();
    let CompileError::Parameters(ParameterError::Like { circuit, misfit }) = refused else {
        panic!("{text}");
    };
    assert_eq!(circuit, "first");
    let Misfit::Rescale {
        node: Some(node),
        needed,
        left,
        missing,
        ..
    } = *misfit
    else {
        panic!("{text}");
    };
    assert!(left < needed && missing >= needed - left, "{text}");
    assert!(text.contains(&format!("(node `{node}`)")), "{text}");
    // More bits of precision are refused, too.
    let mut precise = like("precise", &one);
    precise.precision_bits = 30;
    let text = compile(&first, &precise).map(drop).unwrap_err().to_string();
    assert!(
        text.starts_with("the parameters of `first` do not hold this network: "),
        "{text}"
    );
    // A toy ring is no place for a promise.
    let mut secure = like("secure", &one);
    secure.security = Security::Classical128;
    let text = compile(&first, &secure).map(drop).unwrap_err().to_string();
    assert!(text.contains("ring degree 2^11"), "{text}");
}
