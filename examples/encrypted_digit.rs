//! One digit, encrypted: the three roles in one small program.
//!
//! The model owner compiles, the client keeps the secret key, the server computes on what it cannot read.
//! Run it with `cargo run --release --example encrypted_digit`.

use peregrine_compiler::onnx::{self, Options};
use peregrine_compiler::pipeline::{Config, compile};
use peregrine_ir::Interface;
use peregrine_runtime::client::Client;
use peregrine_runtime::exec::Silent;
use peregrine_runtime::ports::Array;
use peregrine_runtime::ring::Randomness;
use peregrine_runtime::server::{Resources, Server};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    println!("the digit is a {}", recognise()?);
    Ok(())
}

fn recognise() -> Result<usize, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("digits");

    // The model owner compiles; the client gets the interface (parameters, packings, key list), never the weights.
    let graph = onnx::load(&folder.join("digits.onnx"), &Options::new("digits.onnx"))?;
    let circuit = compile(&graph, &Config::new("digits"))?.circuit;
    let interface = Interface::of(&circuit);

    // The client makes its keys and encrypts an image.
    let client = Client::new(interface)?;
    let mut randomness = Randomness::from_os();
    let secret = client.generate_secret(&mut randomness)?;
    let evaluation_keys = client.evaluation_keys(&secret, &mut randomness)?;
    let pixels: ndarray::ArrayD<f32> = ndarray_npy::read_npy(folder.join("image.npy"))?;
    let pixels = pixels.iter().map(|&x| f64::from(x)).collect();
    let port = client
        .interface()
        .inputs()
        .first()
        .ok_or("the model has no input")?;
    let image = Array::new(port.shape.clone(), pixels)?;
    let inputs = [(port.name.clone(), image)].into();
    let encrypted = client.encrypt(&secret, &inputs, &mut randomness)?;

    // The server has the circuit and the evaluation keys; nothing in its hands decrypts.
    let server = Server::new(circuit)?;
    let session = server.session(Arc::new(evaluation_keys), Resources::of_thread_pool(None))?;
    let answer = session.run(encrypted, &Silent)?;

    // Back at the client: ten scores, the largest wins.
    let decryption = client.decrypt(&secret, &answer, None)?;
    if let Some(fault) = decryption.faults.first() {
        return Err(format!("the answer is garbage: {fault}").into());
    }
    let scores = decryption.outputs;
    let scores = scores
        .values()
        .next()
        .ok_or("the model has no output")?
        .data()
        .to_vec();
    let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    best.ok_or_else(|| "the model has no classes".into())
}

#[test]
fn the_first_image_is_a_two() {
    assert_eq!(recognise().unwrap(), 2);
}
