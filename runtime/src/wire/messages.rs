//! The headers, as protocol-buffers messages.

/// Of a secret key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct SecretHeader {
    #[prost(uint32, tag = "1")]
    pub(super) log_n: u32,
    /// That of the small ring, 0 where there is none.
    #[prost(uint32, tag = "2")]
    pub(super) small_log_n: u32,
}

/// Of a file of evaluation keys.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct KeysHeader {
    #[prost(message, repeated, tag = "1")]
    pub(super) keys: Vec<KeyHeader>,
}

/// Of one evaluation key.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct KeyHeader {
    #[prost(oneof = "KeyName", tags = "1, 2, 3, 7")]
    pub(super) kind: Option<KeyName>,
    /// The highest level it serves, which also says for which ring it is.
    #[prost(uint32, tag = "4")]
    pub(super) level: u32,
    /// Of the uniform halves; 16 bytes.
    #[prost(bytes = "vec", tag = "5")]
    pub(super) seed: Vec<u8>,
    /// Which digits it has, in the order of the body.
    #[prost(uint32, repeated, tag = "6")]
    pub(super) digits: Vec<u32>,
}

/// The kinds of evaluation keys.
#[derive(Clone, Copy, PartialEq, Eq, prost::Oneof)]
pub(super) enum KeyName {
    #[prost(bool, tag = "1")]
    Relinearization(bool),
    #[prost(bool, tag = "2")]
    Conjugation(bool),
    #[prost(uint32, tag = "3")]
    Rotation(u32),
    #[prost(bool, tag = "7")]
    RingSwitch(bool),
}

/// Of a file of ciphertexts.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct CiphertextsHeader {
    #[prost(enumeration = "Direction", tag = "1")]
    pub(super) direction: i32,
    #[prost(message, repeated, tag = "2")]
    pub(super) ports: Vec<PortHeader>,
}

/// What a header of ciphertexts begins with; decoding skips the rest.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct OnlyDirection {
    #[prost(enumeration = "Direction", tag = "1")]
    pub(super) direction: i32,
}

/// Where ciphertexts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Direction {
    Unspecified = 0,
    /// From the client, seeded.
    Input = 1,
    /// From the server.
    Output = 2,
}

/// Of one tensor.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct PortHeader {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(uint32, tag = "2")]
    pub(super) level: u32,
    #[prost(uint32, tag = "3")]
    pub(super) ciphertexts: u32,
    /// Inputs: 16 bytes for each ciphertext.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) seeds: Vec<u8>,
}

impl Direction {
    /// In a sentence.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}
