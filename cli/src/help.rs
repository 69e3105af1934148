//! Ways out of failures.

use crate::error::{Error, FileProblem, InputProblem};
use peregrine_compiler::ranges::{Limit, RangeError};
use peregrine_ir::binary::ContainerError;
use peregrine_ir::{FileKind, KeyShapeError, ReadError};
use peregrine_runtime::client::ClientError;
use peregrine_runtime::ports::PortError;
use peregrine_runtime::server::ServerError;
use peregrine_runtime::wire::WireError;
use std::io::ErrorKind;

impl Error {
    /// The trouble with a container, however deep it lies.
    fn container(&self) -> Option<&ContainerError> {
        match self {
            Self::Read {
                source: ReadError::Container(error),
                ..
            }
            | Self::Client {
                source: ClientError::File(WireError::Container(error)),
                ..
            }
            | Self::Server {
                source: ServerError::File(WireError::Container(error)),
                ..
            } => Some(error),
            _ => None,
        }
    }

    /// A way out.
    pub fn help(&self) -> Option<&'static str> {
        if let Some(error) = self.container() {
            return container_help(error);
        }
        match self {
            Self::File { problem, .. } => problem.help(),
            Self::Client {
                source: ClientError::File(WireError::Name { .. }),
                ..
            } => Some("decrypt takes what `peregrine run` wrote"),
            Self::Server {
                source: ServerError::File(WireError::Name { .. }),
                ..
            } => Some("run takes what `peregrine encrypt` wrote"),
            Self::KeyPairs(_) => Some(
                "secret key, evaluation keys and ciphertexts go together when they are of one `peregrine keygen`; `keygen --add` \
                 makes more evaluation keys for a secret key there is",
            ),
            Self::Server {
                source: ServerError::File(WireError::Missing(_)),
                ..
            } => Some(
                "`peregrine keygen --add MODEL.client --secret FILE --evaluation FILE` makes just these; a circuit that is compiled \
                 with `--like OTHER.client` can use the keys of the other",
            ),
            Self::Client {
                source:
                    ClientError::Insecure { .. }
                    | ClientError::File(WireError::Shape(KeyShapeError::Insecure { .. })),
                ..
            } => Some("make keys of their own for circuits without security"),
            Self::Client {
                source: ClientError::Incompatible { .. },
                ..
            } => Some(
                "compile one of them with `--like OTHER.client`, or make keys for each with `keygen --add` and files of their own",
            ),
            Self::Profile { .. } => {
                Some("`peregrine bench --profile-out FILE.json` measures this machine")
            }
            Self::Inputs {
                problem: InputProblem::Unnamed { .. },
                ..
            } => Some("write --input NAME=FILE"),
            Self::Input { source, .. } => port_help(source),
            Self::Ranges { source, .. } => range_help(source),
            Self::Client {
                source: ClientError::Decrypt { .. },
                ..
            } => Some(
                "if the key is right, values left the range the circuit was compiled for: compile with --calibrate or \
                 more --headroom-bits",
            ),
            Self::Server {
                source: ServerError::Memory(_),
                ..
            } => Some("raise --memory, or compile for a smaller ring (fewer --precision-bits)"),
            _ => None,
        }
    }
}

impl FileProblem {
    fn help(&self) -> Option<&'static str> {
        match self {
            Self::Exists => Some(
                "--force overwrites it; what was encrypted with an old key can then not be decrypted",
            ),
            Self::SecretKey => Some("choose another output, or remove the key first"),
            Self::Overwrites(_) => Some("choose another output; --force overwrites it"),
            Self::Absent(wanted, _) => Some(wanted.help()),
            Self::Content { found, wanted } => Some(wanted.help_with(found)),
            Self::Outputs { .. } => Some("a .npz holds all of them by name"),
            Self::Array(problem) => problem.help(),
            Self::Write(error) if error.kind() == ErrorKind::NotFound => {
                Some("the folder is not there: make it first")
            }
            Self::Read(_)
            | Self::Write(_)
            | Self::TooLarge { .. }
            | Self::NotRegular
            | Self::Folder
            | Self::Ending(_)
            | Self::Twice(..) => None,
        }
    }
}

fn container_help(error: &ContainerError) -> Option<&'static str> {
    match error {
        ContainerError::Kind { found, .. } => Some(match found {
            FileKind::Circuit => "a circuit (.fhe) is for inspect, simulate and run",
            FileKind::Interface => {
                "a client interface (.client) is for inspect, keygen, encrypt and decrypt"
            }
            FileKind::SecretKey => "a secret key is for --secret of encrypt and decrypt",
            FileKind::EvaluationKeys => "evaluation keys are for --evaluation of run",
            FileKind::Ciphertext => "ciphertexts are for --input of run and decrypt",
        }),
        ContainerError::Magic { found } => match found.as_slice() {
            // An ONNX model begins with the field of its version.
            [8, ..] => Some("`peregrine compile` turns an ONNX model into a circuit"),
            [0x93, b'N', ..] => Some("`peregrine encrypt` turns arrays into ciphertexts"),
            _ => None,
        },
        ContainerError::Foreign { .. } => Some(
            "ciphertexts are packed for one compiled circuit: encrypt again with its client interface",
        ),
        ContainerError::Version { .. } | ContainerError::UnknownKind { .. } => {
            Some("make the file again with this version of peregrine")
        }
        ContainerError::Truncated { .. }
        | ContainerError::Trailing { .. }
        | ContainerError::HeaderChecksum
        | ContainerError::ChunkChecksum { .. }
        | ContainerError::Directory { .. }
        | ContainerError::Padding { .. }
        | ContainerError::NoChunk { .. } => Some("copy or make the file again"),
    }
}

fn range_help(error: &RangeError) -> Option<&'static str> {
    match error {
        RangeError::Leaves {
            limit: Limit::Asked(_),
            ..
        } => Some(
            "ask for more --headroom-bits, or for none: --calibrate then finds them; where few samples run away, fine-tune the \
             model with a penalty on large activations",
        ),
        RangeError::Leaves {
            limit: Limit::Parameters { .. },
            ..
        } => Some(
            "fine-tune the model with a penalty on large activations, or leave samples out on which it fails anyway; \
             where the model states ranges, --calibrate overrides them; where inputs are drawn, a narrower --input-range or \
             --calibrate makes values smaller; fewer --precision-bits or a smaller ring (--log-n) leave room for a few bits more",
        ),
        RangeError::Stated { .. } => Some("state a wider --input-range, or none: samples give one"),
        RangeError::Linear(_) => None,
    }
}

fn port_help(error: &PortError) -> Option<&'static str> {
    match error {
        PortError::Missing { .. } => {
            Some("write --input NAME=FILE, or --input FILE.npz with an array of that name")
        }
        PortError::NotFinite { .. } => Some("only finite numbers can be encrypted"),
        PortError::Shape { .. } => Some(
            "give one image in the shape of the model; a leading axis of size 1 may be left out",
        ),
        PortError::TooLarge { .. } | PortError::OutOfRange(_) => Some(
            "scale inputs as the model was trained; where they are right, compile with --calibrate FILE on inputs like these, or \
             with --input-range LO,HI",
        ),
        PortError::Integers { .. } => {
            Some("scale as the model was trained, and save with `x.astype('float32')`")
        }
        PortError::Prepare { .. } => {
            Some("give the numbers that the model declares: unscaled bytes for uint8")
        }
        PortError::Unknown { .. } | PortError::Length { .. } | PortError::Finish(_) => None,
    }
}
