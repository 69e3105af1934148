//! One digit, encrypted: the three roles in one small program.
//!
//! The model owner compiles, the client keeps the secret key, the server computes on what it cannot read.
//! Run it with `cargo run --release --example encrypted_digit`.

use peregrine::{Client, CompileOptions, DecryptOptions, Model, Randomness, Server};
use peregrine::{Error, Silent, argmax, arrays, compile, decrypt};
use std::sync::Arc;

fn main() -> Result<(), Error> {
    println!("the digit is a {}", recognise()?.unwrap_or_default());
    Ok(())
}

fn recognise() -> Result<Option<usize>, Error> {
    let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/digits");

    // The model owner compiles; the client gets the interface (parameters, packings, key list), never the weights.
    let model = Model::open(format!("{digits}/digits.onnx"))?;
    let compiled = compile(&model, &CompileOptions::default())?;

    // The client makes its keys and encrypts an image.
    let (client, mut randomness) = (Client::new(compiled.interface)?, Randomness::from_os());
    let secret = client.generate_secret(&mut randomness)?;
    let keys = client.evaluation_keys(&secret, &mut randomness)?;
    let image = arrays::named([("image", arrays::load(format!("{digits}/image.npy"))?)]);
    let encrypted = client.encrypt(&secret, &image, &mut randomness)?;

    // The server has the circuit and the evaluation keys; nothing in its hands decrypts.
    let server = Server::new(compiled.circuit)?;
    let session = server.session(Arc::new(keys), server.resources())?;
    let answer = session.run(encrypted, &Silent)?;

    // Back at the client: ten scores, the largest wins.
    let scores = decrypt(&client, &secret, &answer, &DecryptOptions::default())?.answer()?;
    Ok(scores.values().find_map(argmax))
}

#[test]
fn the_first_image_is_a_two() {
    assert_eq!(recognise().unwrap(), Some(2));
}
