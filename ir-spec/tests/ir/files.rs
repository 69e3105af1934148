//! What a wrong file is told apart by, and how large a right one is.

use peregrine_ir::binary::container::{Writer, encode};
use peregrine_ir::binary::{self, Container, FileKind};
use peregrine_ir::testing::circuit;
use peregrine_ir::{Fingerprint, Interface, Verified};
use std::io::Cursor;

const OWNER: Fingerprint = Fingerprint([7; 32]);

fn sample() -> Vec<u8> {
    encode(
        FileKind::SecretKey,
        OWNER,
        &[(1, b"one"), (2, b""), (9, &[3; 200])],
    )
}

fn refusal(file: &[u8]) -> String {
    Container::parse(file).unwrap_err().to_string()
}

#[test]
fn chunks_come_back_aligned() {
    let file = sample();
    let container = Container::parse(&file).unwrap();
    assert_eq!(container.kind(), FileKind::SecretKey);
    assert_eq!(container.fingerprint(), OWNER);
    assert_eq!(container.tags().collect::<Vec<_>>(), [1, 2, 9]);
    assert_eq!(container.chunk(1).unwrap(), b"one");
    assert_eq!(container.chunk(2).unwrap(), b"");
    let chunk = container.chunk(9).unwrap();
    assert_eq!(chunk, [3; 200]);
    assert_eq!((chunk.as_ptr() as usize - file.as_ptr() as usize) % 64, 0);
    assert_eq!(
        container.chunk(3).unwrap_err().to_string(),
        "the file has no chunk 0x3"
    );
}

#[test]
fn streaming_writes_the_same_bytes() {
    let mut writer = Writer::new(Cursor::new(Vec::new()), FileKind::SecretKey, OWNER, 3).unwrap();
    writer.chunk(1, b"one").unwrap();
    writer.chunk(2, b"").unwrap();
    assert!(writer.chunk(2, b"again").is_err());
    writer.chunk(9, &[3; 200]).unwrap();
    assert!(writer.chunk(10, b"too many").is_err());
    assert_eq!(writer.finish().unwrap().into_inner(), sample());

    let writer = Writer::new(Cursor::new(Vec::new()), FileKind::SecretKey, OWNER, 1).unwrap();
    assert!(writer.finish().is_err());
}

#[test]
fn wrong_files_are_named() {
    let file = sample();
    assert_eq!(
        refusal(b"PK\x03\x04 something zipped"),
        "not a peregrine file: expected the magic \"PEREGRIN\", found \"PK\\x03\\x04 som\""
    );
    assert!(refusal(b"").contains("expected the magic"));
    let mut newer = file.clone();
    newer[8] = 99;
    assert_eq!(
        refusal(&newer),
        "format version 99 is not supported, expected 6"
    );
    assert_eq!(
        refusal(&file[..file.len() - 1]),
        format!(
            "file is truncated: expected {} bytes, found {}",
            file.len(),
            file.len() - 1
        )
    );
    assert_eq!(
        refusal(&file[..20]),
        "file is truncated: expected 64 bytes, found 20"
    );
    let longer = [file.as_slice(), b"x"].concat();
    assert_eq!(
        refusal(&longer),
        format!(
            "bytes follow the end of the file: expected {} bytes, found {}",
            file.len(),
            longer.len()
        )
    );
    let mut header = file.clone();
    header[70] ^= 1;
    assert_eq!(
        refusal(&header),
        "file is damaged: the header does not match its checksum"
    );
    let mut data = file.clone();
    *data.last_mut().unwrap() ^= 1;
    let damaged = Container::parse(&data).unwrap();
    assert_eq!(
        damaged.chunk(9).unwrap_err().to_string(),
        "file is damaged: chunk 0x9 does not match its checksum"
    );
    assert_eq!(damaged.chunk(1).unwrap(), b"one");
    let twice = encode(FileKind::SecretKey, OWNER, &[(1, b"one"), (1, b"two")]);
    assert_eq!(
        refusal(&twice),
        "file is damaged: the directory places chunk 0x1 wrongly"
    );
}

#[test]
fn kind_and_owner_are_asked_for() {
    let file = sample();
    let container = Container::parse(&file).unwrap();
    assert_eq!(
        container
            .expect_kind(FileKind::EvaluationKeys)
            .unwrap_err()
            .to_string(),
        "expected an evaluation keys file, found a secret key file"
    );
    assert_eq!(
        container
            .expect_fingerprint(Fingerprint([0; 32]))
            .unwrap_err()
            .to_string(),
        "belongs to circuit 0707070707070707, expected one for circuit 0000000000000000"
    );
    container.expect_kind(FileKind::SecretKey).unwrap();
    container.expect_fingerprint(OWNER).unwrap();
    assert_eq!(
        binary::read_circuit(&file).unwrap_err().to_string(),
        "expected a circuit file, found a secret key file"
    );
}

fn toy() -> Verified {
    circuit(
        &(0..400u32)
            .map(|i| i.wrapping_mul(2_654_435_761))
            .collect::<Vec<_>>(),
    )
    .unwrap()
}

#[test]
fn an_interface_of_another_circuit_is_noticed() {
    let (one, other) = (toy(), circuit(&[]).unwrap());
    let file = binary::write_interface(&Interface::of(&one));
    let opened = Container::parse(&file).unwrap();
    let foreign = encode(
        FileKind::Interface,
        peregrine_ir::fingerprint(&other),
        &[binary::PUBLIC, binary::PRIVATE_HASH].map(|tag| (tag, opened.chunk(tag).unwrap())),
    );
    let error = binary::read_interface(&foreign).unwrap_err().to_string();
    assert!(error.starts_with("the content has fingerprint"), "{error}");
}

#[test]
fn the_interface_holds_no_weights_and_no_names_of_nodes() {
    let circuit = toy();
    let file = binary::write_interface(&Interface::of(&circuit));
    let holds = |bytes: &[u8]| file.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(circuit.inputs[0].name.as_bytes()));
    let ports = circuit.inputs.iter().chain(&circuit.outputs);
    let public: Vec<&str> = ports.map(|port| port.name.as_str()).collect();
    let private = |name: &str| name.len() > 8 && !public.iter().any(|port| port.contains(name));
    for node in circuit.nodes.values().filter(|node| private(&node.name)) {
        assert!(!holds(node.name.as_bytes()));
    }
    assert!(!holds(&0.1f64.to_le_bytes()));
}
