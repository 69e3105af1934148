//! What the client refuses.

use crate::ckks::CkksError;
use crate::params::ParametersError;
use crate::ports::PortError;
use crate::rlwe::RlweError;
use crate::wire::WireError;
use peregrine_ir::KeyPairId;
use peregrine_ir::binary::Fingerprint;

/// Why the client cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Rings of the circuit that the engine cannot work in.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// A tensor that is not what the input takes.
    #[error(transparent)]
    Input(#[from] PortError),
    /// An input value that does not fit the modulus.
    #[error(
        "input `{input}` holds {value:e}, the largest magnitude that can be encrypted is {limit:.4e}"
    )]
    TooLarge {
        /// Name of the input.
        input: String,
        /// The value.
        value: f64,
        /// The largest magnitude that can be encrypted.
        limit: f64,
    },
    /// A file or object that belongs to another circuit.
    #[error("{what} belongs to circuit {found}, expected one for circuit {expected}")]
    Foreign {
        /// What belongs to another circuit.
        what: &'static str,
        /// The circuit that it belongs to.
        found: Fingerprint,
        /// The circuit of this client.
        expected: Fingerprint,
    },
    /// A file or object that belongs to another key pair.
    #[error("{what} key pair {found}, the secret key belongs to {expected}")]
    KeyPair {
        /// What belongs to another key pair, and how.
        what: &'static str,
        /// The key pair that it belongs to.
        found: KeyPairId,
        /// The pair of the secret key.
        expected: KeyPairId,
    },
    /// A modulus beyond what is secure, for a secret key that promises security.
    #[error(
        "input `{input}` would be encrypted modulo {bits:.0} bits, degree 2^{log_n} is secure up to {limit}: that would give the secret \
         key away, which is for secure circuits"
    )]
    Insecure {
        /// Name of the input.
        input: String,
        /// log2 of the ring degree.
        log_n: u32,
        /// Bits of the modulus.
        bits: f64,
        /// The largest modulus in bits that is secure at this degree.
        limit: u32,
    },
    /// A secret key that has no coefficients for a degree.
    #[error("the secret key is not for degree 2^{log_n}")]
    NoDegree {
        /// log2 of the ring degree.
        log_n: u32,
    },
    /// Two circuits that no keys serve together.
    #[error(
        "`{one}` and `{other}` use ring degree 2^{log_n} with other {differs}, so no keys serve both"
    )]
    Incompatible {
        /// Name of the one circuit.
        one: String,
        /// Name of the other circuit.
        other: String,
        /// log2 of the ring degree of the first key that the circuits cannot share.
        log_n: u32,
        /// What differs between the two circuits.
        differs: &'static str,
    },
    /// An output that does not decrypt.
    #[error("output `{output}`: {source}")]
    Decrypt {
        /// Name of the output.
        output: String,
        /// Why the engine cannot decrypt it.
        source: CkksError,
    },
    /// A scale that is not a finite number; no checked interface has one.
    #[error("internal error: the scale of `{port}` is not a number")]
    Scale {
        /// Name of the input or output.
        port: String,
    },
    /// A file that is not what it should be.
    #[error(transparent)]
    File(#[from] WireError),
    /// An operation on keys that the engine refuses.
    #[error(transparent)]
    Rlwe(#[from] RlweError),
    /// An operation on ciphertexts that the engine refuses.
    #[error(transparent)]
    Ckks(#[from] CkksError),
}
