//! Encrypted tensors as files, on their way to the server and back.

use super::error::{WireError, expect};
use super::messages::{BODY, CiphertextsHeader, Direction, HEADER, OnlyDirection, PortHeader};
use super::words::{PolyReader, SEED_BYTES, put_poly, read_seed, seed_bytes};
use crate::binding;
use crate::ckks::{Ciphertext, SeededCiphertext};
use crate::params::{Parameters, Rings};
use peregrine_ir::binary::{Container, FileKind, Fingerprint, KeyPairId, container};
use peregrine_ir::{Interface, InterfacePort, Level};
use prost::Message;

/// One tensor as ciphertexts, in the order of its layout.
#[derive(Clone, Debug, PartialEq)]
pub struct EncryptedPort<C> {
    pub(crate) name: String,
    pub(crate) level: Level,
    pub(crate) ciphertexts: Vec<C>,
}

impl<C> EncryptedPort<C> {
    /// The name of the input or output.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The level of every ciphertext.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The ciphertexts, in the order of the layout.
    pub fn ciphertexts(&self) -> &[C] {
        &self.ciphertexts
    }
}

/// The inputs that a client sends: every input of a circuit, with half of each ciphertext as a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct EncryptedInputs {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) key_pair: KeyPairId,
    pub(crate) ports: Vec<EncryptedPort<SeededCiphertext>>,
}

impl EncryptedInputs {
    /// The circuit that the inputs are for.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The key pair that the inputs are encrypted under.
    pub fn key_pair(&self) -> KeyPairId {
        self.key_pair
    }

    /// The tensors, in the order of the circuit's inputs.
    pub fn ports(&self) -> &[EncryptedPort<SeededCiphertext>] {
        &self.ports
    }
}

/// The outputs that a server answers with: every output of a circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct EncryptedOutputs {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) key_pair: KeyPairId,
    pub(crate) ports: Vec<EncryptedPort<Ciphertext>>,
}

impl EncryptedOutputs {
    /// The circuit that the outputs are from.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The key pair that the outputs are encrypted under.
    pub fn key_pair(&self) -> KeyPairId {
        self.key_pair
    }

    /// The tensors, in the order of the circuit's outputs.
    pub fn ports(&self) -> &[EncryptedPort<Ciphertext>] {
        &self.ports
    }
}

/// The bytes of a file of inputs.
pub fn write_inputs(inputs: &EncryptedInputs, rings: &Rings) -> Vec<u8> {
    let EncryptedInputs {
        fingerprint,
        key_pair,
        ports,
    } = inputs;
    let header = |port: &EncryptedPort<SeededCiphertext>| {
        let seeds = port.ciphertexts.iter().map(|c| seed_bytes(c.seed()));
        let seeds = seeds.collect::<Vec<_>>().concat();
        header(&port.name, port.level, port.ciphertexts.len(), seeds)
    };
    let headers = ports.iter().map(header).collect();
    let bodies = ports.iter().map(|port| {
        let (params, mut body) = (rings.at(binding::level(port.level)), Vec::new());
        for ciphertext in &port.ciphertexts {
            put_poly(&mut body, params, ciphertext.body());
        }
        body
    });
    let owners = (*fingerprint, *key_pair);
    write(owners, Direction::Input, headers, bodies.collect())
}

/// The bytes of a file of outputs.
pub fn write_outputs(outputs: &EncryptedOutputs, rings: &Rings) -> Vec<u8> {
    let EncryptedOutputs {
        fingerprint,
        key_pair,
        ports,
    } = outputs;
    let header = |port: &EncryptedPort<Ciphertext>| {
        header(&port.name, port.level, port.ciphertexts.len(), Vec::new())
    };
    let headers = ports.iter().map(header).collect();
    let bodies = ports.iter().map(|port| {
        let (params, mut body) = (rings.at(binding::level(port.level)), Vec::new());
        for part in port.ciphertexts.iter().flat_map(Ciphertext::parts) {
            put_poly(&mut body, params, part);
        }
        body
    });
    let owners = (*fingerprint, *key_pair);
    write(owners, Direction::Output, headers, bodies.collect())
}

fn header(name: &str, level: Level, ciphertexts: usize, seeds: Vec<u8>) -> PortHeader {
    PortHeader {
        name: name.to_owned(),
        level: level.0,
        ciphertexts: ciphertexts as u32,
        seeds,
    }
}

fn write(
    (fingerprint, key_pair): (Fingerprint, KeyPairId),
    direction: Direction,
    ports: Vec<PortHeader>,
    bodies: Vec<Vec<u8>>,
) -> Vec<u8> {
    let header = CiphertextsHeader {
        direction: direction.into(),
        ports,
        key_pair: key_pair.0.to_vec(),
    };
    let header = header.encode_to_vec();
    let mut chunks = vec![(HEADER, header.as_slice())];
    chunks.extend((BODY..).zip(bodies.iter().map(Vec::as_slice)));
    container::encode(FileKind::Ciphertext, fingerprint, &chunks)
}

/// Reads the inputs of a circuit.
///
/// # Errors
/// When the file is damaged, of another kind or circuit, or anything in it is not what the circuit states.
pub fn read_inputs(
    file: &[u8],
    interface: &Interface,
    rings: &Rings,
) -> Result<EncryptedInputs, WireError> {
    let (key_pair, ports) = open(file, interface, rings, Direction::Input)?;
    // All are checked before the first is read.
    let readers = ports.iter().map(|port| port.reader(1, SEED_BYTES));
    let readers = readers.collect::<Result<Vec<_>, _>>()?;
    let read = ports.iter().zip(readers);
    let read = read.map(|(port, reader)| port.seeded(reader));
    Ok(EncryptedInputs {
        fingerprint: interface.fingerprint(),
        key_pair,
        ports: read.collect::<Result<_, _>>()?,
    })
}

/// Reads the outputs of a circuit.
///
/// # Errors
/// When the file is damaged, of another kind or circuit, or anything in it is not what the circuit states.
pub fn read_outputs(
    file: &[u8],
    interface: &Interface,
    rings: &Rings,
) -> Result<EncryptedOutputs, WireError> {
    let (key_pair, ports) = open(file, interface, rings, Direction::Output)?;
    let readers = ports.iter().map(|port| port.reader(2, 0));
    let readers = readers.collect::<Result<Vec<_>, _>>()?;
    let read = ports.iter().zip(readers);
    let read = read.map(|(port, reader)| port.whole(reader));
    Ok(EncryptedOutputs {
        fingerprint: interface.fingerprint(),
        key_pair,
        ports: read.collect::<Result<_, _>>()?,
    })
}

/// A port of a file beside the port of the circuit that it must match.
struct Opened<'a> {
    port: &'a InterfacePort,
    /// The parameters of the ring of its level.
    params: &'a Parameters,
    header: PortHeader,
    body: &'a [u8],
}

/// Checks everything but the words of the polynomials.
fn open<'a>(
    file: &'a [u8],
    interface: &'a Interface,
    rings: &'a Rings,
    direction: Direction,
) -> Result<(KeyPairId, Vec<Opened<'a>>), WireError> {
    let expected = match direction {
        Direction::Input => interface.inputs(),
        Direction::Output | Direction::Unspecified => interface.outputs(),
    };
    let container = Container::parse(file)?;
    container.expect_kind(FileKind::Ciphertext)?;
    container.expect_fingerprint(interface.fingerprint())?;
    let header = container.chunk(HEADER)?;
    // Decodes nothing else, so it takes no memory.
    let OnlyDirection { direction: found } = OnlyDirection::decode(header)?;
    let found = Direction::try_from(found).unwrap_or(Direction::Unspecified);
    if found != direction {
        return Err(WireError::Name {
            what: "the direction of the ciphertexts",
            found: found.word().to_owned(),
            expected: direction.word().to_owned(),
        });
    }
    let chunks = container.tags().len() as u64;
    expect("the number of chunks", chunks, expected.len() as u64 + 1)?;
    let length = header_bytes(direction, expected);
    expect("the length of the header", header.len() as u64, length)?;
    let CiphertextsHeader {
        ports, key_pair, ..
    } = CiphertextsHeader::decode(header)?;
    let found = key_pair.len();
    let key_pair = key_pair.try_into();
    let key_pair = key_pair.map_err(|_| WireError::KeyPairBytes { found })?;
    expect(
        "the number of tensors",
        ports.len() as u64,
        expected.len() as u64,
    )?;
    let opened = (BODY..)
        .zip(ports)
        .zip(expected)
        .map(|((tag, header), port)| {
            check_header(&header, port)?;
            let body = container.chunk(tag)?;
            Ok(Opened {
                port,
                params: rings.at(binding::level(port.level)),
                header,
                body,
            })
        });
    let opened: Result<_, WireError> = opened.collect();
    Ok((KeyPairId(key_pair), opened?))
}

/// The length of the header of a file with these tensors, which does not depend on seeds.
fn header_bytes(direction: Direction, ports: &[InterfacePort]) -> u64 {
    let header = |port: &InterfacePort| {
        let count = port.layout.ciphertexts() as usize;
        let seeds = match direction {
            Direction::Input => vec![0; SEED_BYTES * count],
            Direction::Output | Direction::Unspecified => Vec::new(),
        };
        header(&port.name, port.level, count, seeds)
    };
    let header = CiphertextsHeader {
        direction: direction.into(),
        ports: ports.iter().map(header).collect(),
        key_pair: vec![0; size_of::<KeyPairId>()],
    };
    header.encoded_len() as u64
}

fn check_header(header: &PortHeader, port: &InterfacePort) -> Result<(), WireError> {
    if header.name != port.name {
        return Err(WireError::Name {
            what: "the name of a tensor",
            found: header.name.clone(),
            expected: port.name.clone(),
        });
    }
    expect(
        "the level of a tensor",
        header.level.into(),
        port.level.0.into(),
    )?;
    let count = port.layout.ciphertexts();
    expect(
        "the number of ciphertexts",
        header.ciphertexts.into(),
        count.into(),
    )
}

impl Opened<'_> {
    fn count(&self) -> usize {
        self.port.layout.ciphertexts() as usize
    }

    fn level(&self) -> usize {
        binding::level(self.port.level)
    }

    fn port<C>(&self, ciphertexts: Vec<C>) -> EncryptedPort<C> {
        EncryptedPort {
            name: self.port.name.clone(),
            level: self.port.level,
            ciphertexts,
        }
    }

    /// A reader of ciphertexts of `polys` polynomials and `seed_bytes` bytes of seeds each.
    fn reader<'s>(&'s self, polys: usize, seed_bytes: usize) -> Result<PolyReader<'s>, WireError> {
        let (found, expected) = (self.header.seeds.len(), seed_bytes * self.count());
        expect("the bytes of seeds", found as u64, expected as u64)?;
        let row = self.params.row(self.level())?;
        PolyReader::new(self.params, row, polys * self.count(), self.body)
    }

    fn seeded(
        &self,
        mut reader: PolyReader<'_>,
    ) -> Result<EncryptedPort<SeededCiphertext>, WireError> {
        let ciphertexts = self.header.seeds.chunks(SEED_BYTES).map(|seed| {
            let (body, seed) = (reader.poly(), read_seed(seed)?);
            let (params, level) = (self.params, self.level());
            Ok(SeededCiphertext::from_parts(params, body, seed, level)?)
        });
        let ciphertexts: Result<_, WireError> = ciphertexts.collect();
        Ok(self.port(ciphertexts?))
    }

    fn whole(&self, mut reader: PolyReader<'_>) -> Result<EncryptedPort<Ciphertext>, WireError> {
        let ciphertexts = (0..self.count()).map(|_| {
            let parts = vec![reader.poly(), reader.poly()];
            let (params, level) = (self.params, self.level());
            Ok(Ciphertext::from_parts(params, parts, level, false)?)
        });
        let ciphertexts: Result<_, WireError> = ciphertexts.collect();
        Ok(self.port(ciphertexts?))
    }
}
