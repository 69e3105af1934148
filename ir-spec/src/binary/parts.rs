//! The two parts of a circuit, encoded, and the fingerprint of both.

use super::fingerprint::PrivateHash;
use super::{private, public};
use crate::fingerprint::Fingerprint;
use crate::interface::PublicPart;
use crate::verify::Verified;

/// The fingerprint of a circuit, which names it by its content: equal circuits have equal fingerprints, on every
/// machine.
pub fn fingerprint(circuit: &Verified) -> Fingerprint {
    let (_, public, private) = split(circuit);
    Fingerprint::of(&public, PrivateHash::of(&private))
}

/// The public fields of a circuit, the public part encoded, and the private part encoded.
pub(crate) fn split(circuit: &Verified) -> (PublicPart, Vec<u8>, Vec<u8>) {
    let part = public::extract(circuit);
    let encoded = public::encode(&part);
    (part, encoded, private::encode(circuit))
}
