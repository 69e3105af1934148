//! Secret keys as files.

use super::error::{WireError, expect};
use super::messages::{BODY, HEADER, SecretHeader};
use crate::rlwe::RlweError;
use peregrine_ir::Security;
use peregrine_ir::binary::{Container, FileKind, KeyPairId, container};
use prost::Message;
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The number in the header of a secret that is used with secure moduli only.
const SECURE: u32 = 1;
/// The number in the header of a secret that is used with any moduli.
const ANY: u32 = 2;

/// The coefficients of a secret for each degree, by log2 of the degree; wiped when dropped.
pub type SecretCoefficients = BTreeMap<u32, Arc<Zeroizing<Vec<i8>>>>;

/// The bytes of a file of a secret key, with its pair and the security it promises; wiped when dropped. The degrees must
/// follow each other.
pub fn write_secret(
    (key_pair, security): (KeyPairId, Security),
    secret: &SecretCoefficients,
) -> Zeroizing<Vec<u8>> {
    let degree = |entry: Option<(&u32, &Arc<_>)>| entry.map_or(0, |(&log_n, _)| log_n);
    let header = SecretHeader {
        least_log_n: degree(secret.first_key_value()),
        most_log_n: degree(secret.last_key_value()),
        security: match security {
            Security::Classical128 => SECURE,
            Security::None => ANY,
        },
    };
    let header = header.encode_to_vec();
    let bytes = |coefficients: &Arc<Zeroizing<Vec<i8>>>| {
        let bytes = coefficients.iter().map(|&c| c as u8);
        Zeroizing::new(bytes.collect::<Vec<u8>>())
    };
    let bodies: Vec<_> = secret.values().map(bytes).collect();
    let bodies = bodies.iter().map(|body| body.as_slice());
    let mut chunks = vec![(HEADER, header.as_slice())];
    chunks.extend((BODY..).zip(bodies));
    Zeroizing::new(container::encode(FileKind::SecretKey, key_pair, &chunks))
}

/// Reads a secret key from a file.
///
/// # Errors
/// When the file is damaged, of another kind, or does not hold as many coefficients of -1, 0 or 1 as each degree has.
pub fn read_secret(file: &[u8]) -> Result<((KeyPairId, Security), SecretCoefficients), WireError> {
    let container = Container::parse(file)?;
    container.expect_kind(FileKind::SecretKey)?;
    let SecretHeader {
        least_log_n,
        most_log_n,
        security,
    } = SecretHeader::decode(container.chunk(HEADER)?)?;
    let supported = peregrine_ir::RingTable::LOG_N;
    if least_log_n < *supported.start() || most_log_n > *supported.end() || least_log_n > most_log_n
    {
        return Err(WireError::Degrees {
            least_log_n,
            most_log_n,
        });
    }
    let found = container.tags().len() as u64;
    let expected = u64::from(most_log_n - least_log_n) + 2;
    expect("the number of chunks", found, expected)?;
    let degrees = (BODY..).zip(least_log_n..=most_log_n);
    let read = |(tag, log_n)| Ok((log_n, Arc::new(read(container.chunk(tag)?, log_n)?)));
    let secret = degrees.map(read).collect::<Result<_, WireError>>()?;
    let security = match security {
        SECURE => Security::Classical128,
        ANY => Security::None,
        found => {
            expect("the promise of the secret key", found.into(), SECURE.into())?;
            Security::Classical128
        }
    };
    Ok(((container.key_pair(), security), secret))
}

fn read(body: &[u8], log_n: u32) -> Result<Zeroizing<Vec<i8>>, WireError> {
    expect("the number of coefficients", body.len() as u64, 1 << log_n)?;
    let coefficients = Zeroizing::new(body.iter().map(|&byte| byte as i8).collect::<Vec<i8>>());
    let wrong = coefficients
        .iter()
        .enumerate()
        .find(|&(_, c)| !(-1..=1).contains(c));
    match wrong {
        None => Ok(coefficients),
        Some((index, &value)) => Err(RlweError::NotTernary { index, value }.into()),
    }
}
