//! The secret keys of a circuit as a file.

use super::messages::SecretHeader;
use super::{BODY, HEADER, WireError, expect};
use crate::params::{Parameters, Rings};
use crate::rlwe::{SecretKey, SecretKeys};
use peregrine_ir::binary::{Container, FileKind, Fingerprint, container};
use prost::Message;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The secret keys of all rings as a file; wiped when dropped.
pub fn write_secret_keys(
    keys: &SecretKeys,
    rings: &Rings,
    fingerprint: Fingerprint,
) -> Zeroizing<Vec<u8>> {
    let header = header(rings).encode_to_vec();
    let bodies = [Some(keys.main()), keys.small()].map(|key| key.map(|key| bytes(key)));
    let bodies = bodies.iter().flatten().map(|body| body.as_slice());
    let mut chunks = vec![(HEADER, header.as_slice())];
    chunks.extend((BODY..).zip(bodies));
    Zeroizing::new(container::encode(FileKind::SecretKey, fingerprint, &chunks))
}

fn header(rings: &Rings) -> SecretHeader {
    SecretHeader {
        log_n: rings.main().log_n(),
        small_log_n: rings.small().map_or(0, |small| small.log_n()),
    }
}

fn bytes(key: &SecretKey) -> Zeroizing<Vec<u8>> {
    let bytes = key.coefficients().iter().map(|&c| c as u8);
    Zeroizing::new(bytes.collect())
}

/// Reads the secret keys made for a circuit.
///
/// # Errors
/// When the file is damaged, of another kind or circuit, or does not hold as many coefficients of -1, 0 or 1 as each ring has.
pub fn read_secret_keys(
    file: &[u8],
    rings: &Rings,
    fingerprint: Fingerprint,
) -> Result<SecretKeys, WireError> {
    let container = Container::parse(file)?;
    container.expect_kind(FileKind::SecretKey)?;
    container.expect_fingerprint(fingerprint)?;
    let chunks = if rings.small().is_some() { 3 } else { 2 };
    let found = container.tags().len() as u64;
    expect("the number of chunks", found, chunks)?;
    let found = SecretHeader::decode(container.chunk(HEADER)?)?;
    let expected = header(rings);
    expect("log_n", found.log_n.into(), expected.log_n.into())?;
    let (found, expected) = (found.small_log_n, expected.small_log_n);
    expect("log_n of the small ring", found.into(), expected.into())?;
    let mut tags = BODY..;
    rings.params().try_map(|params| {
        let tag = tags.next().unwrap_or(BODY);
        read(params, container.chunk(tag)?)
    })
}

fn read(params: &Parameters, body: &[u8]) -> Result<Arc<SecretKey>, WireError> {
    expect(
        "the number of coefficients",
        body.len() as u64,
        params.degree() as u64,
    )?;
    let coefficients = Zeroizing::new(body.iter().map(|&byte| byte as i8).collect());
    let key = SecretKey::from_coefficients(params, coefficients)?;
    Ok(Arc::new(key))
}
