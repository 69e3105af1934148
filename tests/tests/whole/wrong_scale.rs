//! Images on another scale than the network was trained with: a client that knows the scale refuses them, one that does not
//! never takes garbage for an answer.

use ndarray::{ArrayD, Axis};
use peregrine_compiler::pipeline::{Config, compile};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::{InputRange, Interface, Origin, Verified};
use peregrine_runtime::backend::cpu::HeldKeys;
use peregrine_runtime::client::{Client, Decryption};
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::{Array, Arrays};
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server};
use peregrine_runtime::simulate::predict;
use peregrine_tests::flow::{self, arg_max};
use peregrine_tests::shared::shared;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const SCALES: [f64; 5] = [10.0, 16.0, 255.0, 1000.0, f64::NAN];

/// The first images of a file, as inputs of `graph`.
fn images(path: &Path, graph: &Graph, count: usize) -> Vec<Arrays> {
    let array: ArrayD<f32> = ndarray_npy::read_npy(path).unwrap();
    let rows = array.axis_iter(Axis(0)).take(count);
    let image = |values: Vec<f64>| flow::inputs(graph, &[values]).unwrap();
    rows.map(|row| image(row.iter().map(|&x| f64::from(x)).collect()))
        .collect()
}

fn scaled(image: &Arrays, factor: f64) -> Arrays {
    let scale = |array: &Array| {
        let data = array.data().iter().map(|x| x * factor);
        Array::new(array.shape().clone(), data.collect()).unwrap()
    };
    let arrays = image.iter();
    arrays
        .map(|(name, array)| (name.clone(), scale(array)))
        .collect()
}

/// The circuit with what samples let expect, which somebody vouches for or not.
fn expecting(circuit: &Verified, graph: &Graph, samples: &[Arrays], origin: Origin) -> Verified {
    let values = || {
        samples
            .iter()
            .flat_map(BTreeMap::values)
            .flat_map(Array::data)
    };
    let range = InputRange {
        low: values().copied().fold(f64::INFINITY, f64::min),
        high: values().copied().fold(f64::NEG_INFINITY, f64::max),
        origin,
    };
    let inputs = graph.inputs().map(|(_, name)| (name.to_owned(), range));
    let samples: Vec<_> = samples
        .iter()
        .map(|inputs| flow::sample(graph, inputs.clone()).unwrap())
        .collect();
    let prediction = predict(circuit, &samples, &Silent).unwrap();
    let outputs = prediction.expectations(&BTreeMap::new(), origin);
    assert_eq!(outputs.len(), graph.outputs.len());
    let circuit = circuit.clone().expecting(&inputs.collect(), &outputs);
    circuit.unwrap()
}

/// Everyone, with fresh keys.
struct Parties {
    client: Client,
    server: Server,
    secret: peregrine_runtime::client::Secret,
    keys: Arc<HeldKeys>,
}

impl Parties {
    fn new(circuit: &Verified) -> Self {
        let client = Client::new(Interface::of(circuit)).unwrap();
        let mut randomness = Randomness::from_os();
        let secret = client.generate_secret(&mut randomness).unwrap();
        let keys = client.evaluation_keys(&secret, &mut randomness).unwrap();
        Self {
            client,
            server: Server::new(circuit.clone()).unwrap(),
            secret,
            keys: Arc::new(keys),
        }
    }

    /// The answer to an image, or why it is not encrypted or not decrypted.
    fn ask(&self, image: &Arrays) -> Result<Decryption, String> {
        let mut randomness = Randomness::from_os();
        let encrypted = self.client.encrypt(&self.secret, image, &mut randomness);
        let encrypted = encrypted.map_err(|e| e.to_string())?;
        let resources = Resources::of_thread_pool(None);
        let session = self.server.session(self.keys.clone(), resources).unwrap();
        let answer = session.run(encrypted, &Silent).unwrap();
        let decrypted = self.client.decrypt(&self.secret, &answer, None);
        decrypted.map_err(|e| e.to_string())
    }

    /// The image itself is answered; on another scale it is answered right, or called garbage. How often which.
    fn never_wrong(&self, graph: &Graph, image: &Arrays, scales: &[f64]) -> (usize, usize) {
        let (mut right, mut garbage) = (0, 0);
        for &scale in scales {
            let image = scaled(image, scale);
            let found = match self.ask(&image) {
                Ok(found) if found.faults.is_empty() => found,
                Ok(found) => {
                    println!("{scale}: {}", found.faults[0]);
                    assert!(scale != 1.0);
                    garbage += 1;
                    continue;
                }
                Err(said) => {
                    println!("{scale}: {said}");
                    assert!(scale != 1.0);
                    garbage += 1;
                    continue;
                }
            };
            let want = flow::reference(graph, &image).unwrap();
            for (name, want) in &want {
                let found = found.outputs[name].data();
                assert_eq!(
                    arg_max(found),
                    arg_max(want),
                    "{scale}: {found:?}, not {want:?}"
                );
            }
            right += 1;
        }
        (right, garbage)
    }
}

/// What a client that knows the range of a network's images says to others: nothing else than an error.
fn refuses_other_scales(circuit: &Verified, image: &Arrays) {
    let client = Client::new(Interface::of(circuit)).unwrap();
    assert_eq!(client.oddities(image).unwrap(), []);
    for scale in SCALES {
        let error = client.oddities(&scaled(image, scale)).unwrap_err();
        println!("{scale}: {error}");
    }
}

/// A network with the images it knows.
fn network(model: &Path, images_file: &Path, config: Config) {
    let graph = flow::load(model).unwrap();
    let samples = images(images_file, &graph, 3);
    let circuit = compile(&graph, &config).unwrap().circuit;
    refuses_other_scales(
        &expecting(&circuit, &graph, &samples, Origin::Calibrated),
        &samples[0],
    );
    let parties = Parties::new(&expecting(&circuit, &graph, &samples, Origin::Assumed));
    let scales = [1.0, 10.0, 16.0, 255.0, 1000.0, f64::NAN, 3e38];
    let (right, garbage) = parties.never_wrong(&graph, &samples[0], &scales);
    println!("{}: {right} right, {garbage} refused", model.display());
    assert!(right >= 1 && garbage >= 2);
}

/// The circuit is made, and answers are expected, for inputs drawn from -3 to 3, as they are where nobody says what images are like:
/// the outputs of these are far larger, and so is their noise. An image is answered all the same, and never wrongly on other scales.
fn answers_beside_drawn_inputs(model: &Path, images_file: &Path) {
    let graph = flow::load(model).unwrap();
    let image = &images(images_file, &graph, 1)[0];
    let drawn = image.iter().map(|(name, array)| {
        let data = (0..array.data().len()).map(|i| 3.0 * (i as f64 * 12.9898).sin());
        let drawn = Array::new(array.shape().clone(), data.collect()).unwrap();
        (name.clone(), drawn)
    });
    let config = Config {
        headroom_bits: 30,
        ..Config::new("drawn")
    };
    let circuit = compile(&graph, &config).unwrap().circuit;
    let circuit = expecting(&circuit, &graph, &[drawn.collect()], Origin::Assumed);
    let scales = [1.0, 10.0, 255.0, 1000.0];
    let (right, _) = Parties::new(&circuit).never_wrong(&graph, image, &scales);
    assert!(right >= 1);
}

#[test]
fn digits_beside_drawn_inputs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    answers_beside_drawn_inputs(&folder.join("digits.onnx"), &folder.join("images.npy"));
}

#[test]
fn lenet_beside_drawn_inputs() {
    let Some(folder) = shared("lenet_beside_drawn_inputs", "models") else {
        return;
    };
    let images = folder.join("ref/mnist_100_input_f32.npy");
    answers_beside_drawn_inputs(&folder.join("mnist_lenet_sq.onnx"), &images);
}

#[test]
fn digits() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    let config = Config::new("digits");
    network(
        &folder.join("digits.onnx"),
        &folder.join("images.npy"),
        config,
    );
}

#[test]
fn lenet_with_squares() {
    let Some(folder) = shared("lenet_with_squares", "models") else {
        return;
    };
    let images = folder.join("ref/mnist_100_input_f32.npy");
    let config = Config::new("lenet");
    network(&folder.join("mnist_lenet_sq.onnx"), &images, config);
}

#[test]
fn resnet20() {
    let Some(folder) = shared("resnet20", "models") else {
        return;
    };
    let graph = flow::load(&folder.join("resnet20_cifar10_poly2.onnx")).unwrap();
    let samples = images(&folder.join("ref/cifar10_100_input_f32.npy"), &graph, 3);
    let config = Config {
        precision_bits: 9,
        ..Config::new("resnet20")
    };
    let circuit = compile(&graph, &config).unwrap().circuit;
    refuses_other_scales(
        &expecting(&circuit, &graph, &samples, Origin::Calibrated),
        &samples[0],
    );
    let parties = Parties::new(&expecting(&circuit, &graph, &samples, Origin::Assumed));
    let found = parties.never_wrong(&graph, &samples[0], &[16.0]);
    assert_eq!(found.0 + found.1, 1);
}
