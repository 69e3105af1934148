//! The headers of files as protocol-buffers messages, and the numbers of chunks.

/// The chunk of the header.
pub(super) const HEADER: u64 = 0;
/// The chunk of the first body; the others follow.
pub(super) const BODY: u64 = 1;

/// The header of a secret key.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct SecretHeader {
    /// log2 of the smallest degree.
    #[prost(uint32, tag = "1")]
    pub(super) least_log_n: u32,
    /// log2 of the largest degree.
    #[prost(uint32, tag = "2")]
    pub(super) most_log_n: u32,
    /// The moduli that it is used with: 1 for secure ones only, 2 for any.
    #[prost(uint32, tag = "3")]
    pub(super) security: u32,
}

/// The header of a file of ciphertexts.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct CiphertextsHeader {
    #[prost(enumeration = "Direction", tag = "1")]
    pub(super) direction: i32,
    #[prost(message, repeated, tag = "2")]
    pub(super) ports: Vec<PortHeader>,
    /// The key pair that they are encrypted under; 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) key_pair: Vec<u8>,
}

/// The header of a file of values.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct ValuesHeader {
    /// The key pair that they are encrypted under; 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) key_pair: Vec<u8>,
    /// The names of the values in the circuit that was cut, in the order of their chunks.
    #[prost(uint32, repeated, tag = "2")]
    pub(super) values: Vec<u32>,
    /// The inputs that they were computed from; 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) inputs: Vec<u8>,
}

/// The beginning of a header of ciphertexts; decoding skips the rest.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct OnlyDirection {
    #[prost(enumeration = "Direction", tag = "1")]
    pub(super) direction: i32,
}

/// The direction in which ciphertexts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Direction {
    Unspecified = 0,
    /// From the client, seeded.
    Input = 1,
    /// From the server.
    Output = 2,
}

/// The header of one tensor.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct PortHeader {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(uint32, tag = "2")]
    pub(super) level: u32,
    #[prost(uint32, tag = "3")]
    pub(super) ciphertexts: u32,
    /// The seeds of inputs, 16 bytes for each ciphertext.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) seeds: Vec<u8>,
}

impl Direction {
    /// The direction as part of a sentence.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}
