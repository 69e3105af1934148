//! The secret key as a file.

use super::messages::SecretHeader;
use super::{BODY, HEADER, WireError, expect};
use crate::params::Parameters;
use crate::rlwe::SecretKey;
use peregrine_ir::binary::{Container, FileKind, Fingerprint, container};
use prost::Message;
use zeroize::Zeroizing;

/// A secret key as a file; wiped when dropped.
pub fn write_secret_key(
    key: &SecretKey,
    params: &Parameters,
    fingerprint: Fingerprint,
) -> Zeroizing<Vec<u8>> {
    let header = SecretHeader {
        log_n: params.log_n(),
    };
    let bytes = key.coefficients().iter().map(|&c| c as u8);
    let body: Zeroizing<Vec<u8>> = Zeroizing::new(bytes.collect());
    let header = header.encode_to_vec();
    let chunks = [(HEADER, header.as_slice()), (BODY, body.as_slice())];
    Zeroizing::new(container::encode(FileKind::SecretKey, fingerprint, &chunks))
}

/// Reads the secret key made for a circuit.
///
/// # Errors
/// When the file is damaged, of another kind or circuit, or does not hold N coefficients of -1, 0 or 1.
pub fn read_secret_key(
    file: &[u8],
    params: &Parameters,
    fingerprint: Fingerprint,
) -> Result<SecretKey, WireError> {
    let container = Container::parse(file)?;
    container.expect_kind(FileKind::SecretKey)?;
    container.expect_fingerprint(fingerprint)?;
    expect("the number of chunks", container.tags().len() as u64, 2)?;
    let SecretHeader { log_n } = SecretHeader::decode(container.chunk(HEADER)?)?;
    expect("log_n", log_n.into(), params.log_n().into())?;
    let body = container.chunk(BODY)?;
    expect(
        "the number of coefficients",
        body.len() as u64,
        params.degree() as u64,
    )?;
    let coefficients = Zeroizing::new(body.iter().map(|&byte| byte as i8).collect());
    Ok(SecretKey::from_coefficients(params, coefficients)?)
}
