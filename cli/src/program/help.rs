//! How a failure reads: what is wrong, and a way out where one is known.

use super::error::{Error, FileProblem, InputProblem};
use peregrine::ClientError;
use peregrine::CompileError;
use peregrine::PortError;
use peregrine::ServerError;
use peregrine::arrays::ArrayError;
use peregrine::calibrate::CalibrateError;
use peregrine_compiler::advice::WaysOut;
use peregrine_compiler::passes::keys::KeyError;
use peregrine_compiler::pipeline;
use peregrine_compiler::precision::{LEAST_BITS, PrecisionError};
use peregrine_compiler::ranges::{Limit, RangeError};
use peregrine_ir::binary::ContainerError;
use peregrine_ir::{FileKind, KeyShapeError, ReadError};
use peregrine_runtime::wire::WireError;
use std::io::ErrorKind;

/// An error with its causes and its way out, as the lines to print.
pub fn render(error: &Error) -> String {
    let mut text = match error {
        // These carry the word, once for each.
        Error::Import(errors) => errors.to_string(),
        error => format!("error: {error}"),
    };
    if let Some(help) = help(error) {
        text.push_str("\nhelp: ");
        text.push_str(&help);
    }
    text
}

/// A way out.
fn help(error: &Error) -> Option<String> {
    let known = match error {
        Error::Garbage(garbage) => return Some(garbage.help()),
        Error::File { problem, .. } => file_help(problem),
        Error::KeyPairs(_) => Some(
            "secret key, evaluation keys and ciphertexts go together when they are of one `peregrine keygen`; `keygen --add` \
             makes more evaluation keys for a secret key there is",
        ),
        Error::Inputs {
            problem: InputProblem::Unnamed { .. },
            ..
        } => Some("write --input NAME=FILE"),
        Error::About { source, .. } => return about_help(source),
        _ => None,
    };
    known.map(str::to_owned)
}

/// A way out of what the library says; of some refusals it was searched for.
fn about_help(error: &peregrine::Error) -> Option<String> {
    if let peregrine::Error::Compile(error) = error
        && let Some(found) = compile_help(error)
    {
        return Some(found);
    }
    let known = match error {
        error if error.input().is_some() => error.input().and_then(port_help),
        peregrine::Error::Read(ReadError::Container(error)) => container_help(error),
        peregrine::Error::Client(error) => client_help(error),
        peregrine::Error::Server(error) => server_help(error),
        peregrine::Error::Profile(_) => {
            Some("`peregrine bench --profile-out FILE.json` measures this machine")
        }
        peregrine::Error::Ranges(error) => range_help(error),
        _ => None,
    };
    known.map(str::to_owned)
}

fn client_help(error: &ClientError) -> Option<&'static str> {
    match error {
        ClientError::File(WireError::Container(error)) => container_help(error),
        ClientError::File(WireError::Name { .. }) => {
            Some("decrypt takes what `peregrine run` wrote")
        }
        ClientError::Insecure { .. }
        | ClientError::File(WireError::Shape(KeyShapeError::Insecure { .. })) => {
            Some("make keys of their own for circuits without security")
        }
        ClientError::Incompatible { .. } => Some(
            "compile one of them with `--like OTHER.client`, or make keys for each with `keygen --add` and files of their own",
        ),
        ClientError::Decrypt { .. } => Some(
            "if the key is right, values left the range the circuit was compiled for: compile with --calibrate or \
             more --headroom-bits",
        ),
        _ => None,
    }
}

fn server_help(error: &ServerError) -> Option<&'static str> {
    match error {
        ServerError::File(WireError::Container(error)) => container_help(error),
        ServerError::File(WireError::Name { .. }) => {
            Some("run takes what `peregrine encrypt` wrote")
        }
        ServerError::File(WireError::Missing(_)) => Some(
            "`peregrine keygen --add MODEL.client --secret FILE --evaluation FILE` makes just these; a circuit that is compiled \
             with `--like OTHER.client` can use the keys of the other",
        ),
        ServerError::Memory(_) => {
            Some("raise --memory, or compile for a smaller ring (fewer --precision-bits)")
        }
        _ => None,
    }
}

/// Which option would help, with which value.
fn compile_help(error: &CompileError) -> Option<String> {
    match error {
        CompileError::NoParameters { ways_out, .. } => Some(parameters(ways_out)),
        CompileError::Precision(source) => Some(precision(source)),
        CompileError::Circuit(pipeline::CompileError::Keys(KeyError::Budget { least, .. })) => {
            Some(format!(
                "--key-budget {}MiB is the least that was found, `--key-budget none` sets no limit; fewer --precision-bits make keys \
                 smaller, too",
                least.div_ceil(1 << 20)
            ))
        }
        CompileError::Keys {
            operation_bits,
            source: KeyError::Budget { least, .. },
        } => Some(format!(
            "`--operation-bits {operation_bits} --key-budget {}MiB` compiles it, for outputs as precise as that makes them; more bits \
             need larger keys; `--key-budget none` sets no limit",
            least.div_ceil(1 << 20)
        )),
        CompileError::Calibrate(CalibrateError::Ranges(error)) => {
            range_help(error).map(str::to_owned)
        }
        _ => None,
    }
}

fn precision(error: &PrecisionError) -> String {
    let (PrecisionError::Unreached { reached, .. } | PrecisionError::Stalled { reached, .. }) =
        error;
    let less = match *reached >= 1.0 {
        true => format!(
            "--precision-bits {:.0} is within reach; or ",
            reached.floor()
        ),
        false => String::new(),
    };
    format!(
        "{less}leave --log-n out; where few values are large, a penalty on large activations in fine-tuning leaves room for more"
    )
}

/// What would make the network fit.
fn parameters(ways_out: &WaysOut) -> String {
    let WaysOut {
        log_n,
        operation_bits,
        missing_at_least_bits,
        insecure_log_n,
        products,
        is_tried,
    } = *ways_out;
    let (would, holds) = match is_tried {
        true => ("would do", "holds"),
        false => ("may do", "can hold at most"),
    };
    let mut ways = Vec::new();
    if let Some(log_n) = log_n {
        ways.push(format!("--log-n {log_n} {would}"));
    }
    if let Some(bits) = operation_bits {
        ways.push(format!(
            "--operation-bits {bits} {would}, for outputs about as precise as that"
        ));
    }
    if let (None, Some(missing)) = (operation_bits, missing_at_least_bits) {
        ways.push(format!(
            "fewer bits do not help: with {LEAST_BITS} per operation, the fewest, {:.0} bits are missing",
            missing.ceil()
        ));
    }
    if let Some((held, needed)) = products {
        ways.push(format!(
            "this ring {holds} about {held} of the {needed} products that follow each other: use fewer activations, or of a lower degree"
        ));
    }
    if let Some(log_n) = insecure_log_n {
        ways.push(format!(
            "--security none --log-n {log_n} {would}, for tests: it protects nothing"
        ));
    }
    if ways.is_empty() {
        ways.push("use a network with fewer activations, or of a lower degree".to_owned());
    }
    ways.join("; ")
}

fn file_help(problem: &FileProblem) -> Option<&'static str> {
    match problem {
        FileProblem::Exists => Some(
            "--force overwrites it; what was encrypted with an old key can then not be decrypted",
        ),
        FileProblem::SecretKey => Some("choose another output, or remove the key first"),
        FileProblem::Overwrites(_) => Some("choose another output; --force overwrites it"),
        FileProblem::Absent(wanted, _) => Some(wanted.help()),
        FileProblem::Content { found, wanted } => Some(wanted.help_with(found)),
        FileProblem::Outputs { .. } => Some("a .npz holds all of them by name"),
        FileProblem::Array(problem) => array_help(problem),
        FileProblem::Write(error) if error.kind() == ErrorKind::NotFound => {
            Some("the folder is not there: make it first")
        }
        FileProblem::InUse => Some("wait for it, or give this run a folder of its own"),
        FileProblem::Checkpoint(_) => {
            Some("remove the folder to begin anew, or give this run another one")
        }
        FileProblem::Read(_)
        | FileProblem::Write(_)
        | FileProblem::TooLarge { .. }
        | FileProblem::NotRegular
        | FileProblem::Folder
        | FileProblem::Ending(_)
        | FileProblem::Twice(..) => None,
    }
}

fn array_help(error: &ArrayError) -> Option<&'static str> {
    match error {
        ArrayError::NotNpy => Some("save the array with `numpy.save` or `numpy.savez`"),
        ArrayError::Inexact { .. } => {
            Some("scale as the model was trained, and save with `x.astype('float32')`")
        }
        ArrayError::Type { found, .. } if found.starts_with('[') => {
            Some("save one array of numbers, not of records: a single field, as with `x['field']`")
        }
        ArrayError::Type { found, .. } if found.ends_with("V2") => {
            Some("numpy has no bfloat16: save with `x.astype('float32')`")
        }
        ArrayError::Type { found, .. } if found.contains('c') => {
            Some("complex numbers have no meaning here: save the real parts")
        }
        ArrayError::Type {
            expected: "integers",
            ..
        } => Some("save class numbers, as with `labels.astype('int64')`"),
        ArrayError::Type { .. } => {
            Some("save numbers, as with `x.astype('float32')`, scaled as the model was trained")
        }
        ArrayError::Damaged(_)
        | ArrayError::Header
        | ArrayError::Archive(_)
        | ArrayError::TooLarge { .. }
        | ArrayError::Unpacked { .. }
        | ArrayError::NoArray { .. }
        | ArrayError::Empty
        | ArrayError::Several
        | ArrayError::Unnamed
        | ArrayError::Shape(_) => None,
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
            FileKind::Values => {
                "values between fragments are for those who run fragments with the library"
            }
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
