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
    /// The engine cannot work in the circuit's ring.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// A tensor is wrong.
    #[error(transparent)]
    Input(#[from] PortError),
    /// An input value does not fit the modulus.
    #[error(
        "input `{input}` holds {value:e}, the largest magnitude that can be encrypted is {limit:.4e}"
    )]
    TooLarge {
        /// Name of the input.
        input: String,
        /// The value.
        value: f64,
        /// The limit.
        limit: f64,
    },
    /// Something that belongs to another circuit.
    #[error("{what} belongs to circuit {found}, expected one for circuit {expected}")]
    Foreign {
        /// What it is.
        what: &'static str,
        /// Its circuit.
        found: Fingerprint,
        /// The circuit of this client.
        expected: Fingerprint,
    },
    /// Something that belongs to another key pair.
    #[error("{what} key pair {found}, the secret key belongs to {expected}")]
    KeyPair {
        /// What it is and how it belongs there.
        what: &'static str,
        /// Its pair.
        found: KeyPairId,
        /// The pair of the secret key.
        expected: KeyPairId,
    },
    /// A secret key that promises security, and a modulus that has none.
    #[error(
        "input `{input}` would be encrypted modulo {bits:.0} bits, degree 2^{log_n} is secure up to {limit}: that would give the secret \
         key away, which is for secure circuits"
    )]
    Insecure {
        /// Name of the input.
        input: String,
        /// log2 of the degree.
        log_n: u32,
        /// Bits of the modulus.
        bits: f64,
        /// The line.
        limit: u32,
    },
    /// A secret key without coefficients of a degree.
    #[error("the secret key is not for degree 2^{log_n}")]
    NoDegree {
        /// log2 of the degree.
        log_n: u32,
    },
    /// Two circuits that no keys serve both.
    #[error(
        "`{one}` and `{other}` use ring degree 2^{log_n} with other {differs}, so no keys serve both"
    )]
    Incompatible {
        /// A circuit.
        one: String,
        /// Another one.
        other: String,
        /// log2 of the degree of the first key that they cannot share.
        log_n: u32,
        /// What differs.
        differs: &'static str,
    },
    /// An output that does not decrypt.
    #[error("output `{output}`: {source}")]
    Decrypt {
        /// Name of the output.
        output: String,
        /// What the engine says.
        source: CkksError,
    },
    /// A scale that is not a number; no checked interface has one.
    #[error("internal error: the scale of `{port}` is not a number")]
    Scale {
        /// The port.
        port: String,
    },
    /// A file is not what it should be.
    #[error(transparent)]
    File(#[from] WireError),
    /// The engine refused.
    #[error(transparent)]
    Rlwe(#[from] RlweError),
    /// The engine refused.
    #[error(transparent)]
    Ckks(#[from] CkksError),
}
