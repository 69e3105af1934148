//! A circuit in its two parts, encoded, and the fingerprint of both.

use super::fingerprint::PrivateHash;
use super::{private, public};
use crate::fingerprint::Fingerprint;
use crate::interface::PublicPart;
use crate::verify::Verified;

/// Names a circuit by its content. Equal circuits have equal fingerprints, on every machine.
pub fn fingerprint(circuit: &Verified) -> Fingerprint {
    let (_, public, private) = split(circuit);
    Fingerprint::of(&public, PrivateHash::of(&private))
}

/// The public fields, and both parts encoded.
pub(crate) fn split(circuit: &Verified) -> (PublicPart, Vec<u8>, Vec<u8>) {
    let part = public::extract(circuit);
    let encoded = public::encode(&part);
    (part, encoded, private::encode(circuit))
}
