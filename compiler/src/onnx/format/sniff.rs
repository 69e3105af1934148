//! What a file is that was given in place of a model, by its first bytes.
#![deny(clippy::indexing_slicing)]

use std::fmt;

/// The type of a file that is no ONNX model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// A file without bytes.
    Empty,
    /// A pointer that git leaves where git-lfs did not fetch the file.
    GitLfsPointer,
    /// A file that this program writes.
    Own(OwnFile),
    /// Weights saved by PyTorch.
    PyTorch,
    /// A program saved by PyTorch.
    TorchScript,
    /// A network saved by `torch.export.save`.
    TorchExport,
    /// One numpy array.
    Npy,
    /// Several numpy arrays.
    Npz,
    /// A zip archive of something else.
    Zip,
    /// A compressed file or archive.
    Compressed,
    /// Weights of Keras, or other data.
    Hdf5,
    /// A TensorFlow Lite model.
    TfLite,
    /// A model that ONNX Runtime converted to its own format.
    OnnxRuntime,
    /// Weights without the network.
    Safetensors,
    /// A language model for llama.cpp.
    Gguf,
    /// Python objects.
    Pickle,
    /// An image.
    Image,
    /// A web page, often the error message of a download.
    WebPage,
    /// JSON.
    Json,
    /// Readable text.
    Text,
}

/// A kind of file that this program writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnFile {
    /// A circuit.
    Circuit,
    /// A client interface.
    Interface,
    /// A secret key.
    SecretKey,
    /// Evaluation keys.
    EvaluationKeys,
    /// Encrypted inputs or outputs.
    Ciphertext,
    /// A file of another version of the program.
    Other,
}

impl FileType {
    /// The type of a file with these bytes, or that starts with them (some hundred tell most types); `None` when they may
    /// be a model's.
    pub fn sniff(head: &[u8]) -> Option<Self> {
        if head.is_empty() {
            return Some(Self::Empty);
        }
        let own = head.strip_prefix(b"PEREGRIN").map(OwnFile::of);
        own.map(Self::Own)
            .or_else(|| by_magic(head))
            .or_else(|| text(head))
    }

    /// What to do about a file of this type, as an imperative sentence.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::Empty => "the export or the copy was interrupted: export or copy the model again",
            Self::GitLfsPointer => "run `git lfs pull` in its repository to fetch the file itself",
            Self::Own(OwnFile::Circuit) => {
                "a circuit is compiled already: give it to `keygen`, `encrypt` or `run`"
            }
            Self::Own(_) => "give the .onnx file that the circuit was, or is to be, compiled from",
            Self::PyTorch | Self::Pickle => {
                "load it into its network in PyTorch and export that with `torch.onnx.export(model.eval(), example_input, \"model.onnx\")`"
            }
            Self::TorchScript => {
                "load it with `torch.jit.load` and export it with `torch.onnx.export`"
            }
            Self::TorchExport => {
                "load it with `torch.export.load` and export it with `torch.onnx.export`"
            }
            Self::Npy | Self::Npz | Self::Image => {
                "this is data: give it as input, and the .onnx file as model"
            }
            Self::Zip | Self::Compressed => "unpack it and give the .onnx file in it",
            Self::Hdf5 | Self::TfLite => "convert the model with `tf2onnx`",
            Self::OnnxRuntime => "give the .onnx file that it was converted from",
            Self::Safetensors => {
                "these are weights without the network: load them into it and export that with `torch.onnx.export`"
            }
            Self::Gguf => {
                "this is a language model, and no convolutional network that could be compiled"
            }
            Self::WebPage => {
                "the download gave a web page instead of the file: use the link of the file itself"
            }
            Self::Json | Self::Text => "give the binary .onnx file",
        }
    }
}

impl OwnFile {
    /// From what follows the magic: version and kind, four bytes each.
    fn of(rest: &[u8]) -> Self {
        match rest.get(4..8) {
            Some([1, 0, 0, 0]) => Self::Circuit,
            Some([2, 0, 0, 0]) => Self::Interface,
            Some([3, 0, 0, 0]) => Self::SecretKey,
            Some([4, 0, 0, 0]) => Self::EvaluationKeys,
            Some([5, 0, 0, 0]) => Self::Ciphertext,
            _ => Self::Other,
        }
    }
}

fn by_magic(head: &[u8]) -> Option<FileType> {
    let at = |offset: usize, magic: &[u8]| {
        head.get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    let magics: [(usize, &[u8], FileType); 21] = [
        (0, b"version https://git-lfs", FileType::GitLfsPointer),
        (0, b"\x93NUMPY", FileType::Npy),
        (0, b"\x89HDF\r\n", FileType::Hdf5),
        (4, b"TFL3", FileType::TfLite),
        (4, b"ORTM", FileType::OnnxRuntime),
        (0, b"GGUF", FileType::Gguf),
        (8, b"{\"", FileType::Safetensors),
        (0, b"\x89PNG\r\n", FileType::Image),
        (0, b"\xff\xd8\xff", FileType::Image),
        (0, b"GIF8", FileType::Image),
        (0, b"\x1f\x8b", FileType::Compressed),
        (0, b"\xfd7zXZ", FileType::Compressed),
        (0, b"7z\xbc\xaf", FileType::Compressed),
        (0, b"BZh", FileType::Compressed),
        (0, b"\x28\xb5\x2f\xfd", FileType::Compressed),
        (257, b"ustar", FileType::Compressed),
        (0, b"\x80\x02", FileType::Pickle),
        (0, b"\x80\x03", FileType::Pickle),
        (0, b"\x80\x04\x95", FileType::Pickle),
        (0, b"\x80\x05\x95", FileType::Pickle),
        (0, b"RIFF", FileType::Image),
    ];
    if at(0, b"PK\x03\x04") || at(0, b"PK\x05\x06") {
        return Some(zip(head));
    }
    let found = magics.iter().find(|(offset, magic, _)| at(*offset, magic));
    found.map(|(_, _, file)| *file)
}

/// How much of each end of an archive is searched for the names of its members.
const ENDS: usize = 1 << 16;

/// What a zip archive is, by the names of its members: each stands before its data, and all of them at the end.
fn zip(file: &[u8]) -> FileType {
    let start = file.get(..ENDS).unwrap_or(file);
    let end = file.get(file.len().saturating_sub(ENDS)..).unwrap_or(file);
    let has = |name: &[u8]| {
        let mut windows = start.windows(name.len()).chain(end.windows(name.len()));
        windows.any(|window| window == name)
    };
    if has(b"/code/__torch__") {
        FileType::TorchScript
    } else if has(b"/models/model.json") {
        FileType::TorchExport
    } else if has(b"data.pkl") {
        FileType::PyTorch
    } else if has(b".npy") {
        FileType::Npz
    } else {
        FileType::Zip
    }
}

/// Text: no model starts with a line of printable characters.
fn text(head: &[u8]) -> Option<FileType> {
    let start = head.get(..64).unwrap_or(head);
    let printable = |&b: &u8| matches!(b, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    if start.len() < 8 || !start.iter().all(printable) {
        return None;
    }
    let lower: Vec<u8> = start.trim_ascii_start().to_ascii_lowercase();
    Some(
        if lower.starts_with(b"<!doctype") || lower.starts_with(b"<html") {
            FileType::WebPage
        } else if lower.starts_with(b"{") || lower.starts_with(b"[") {
            FileType::Json
        } else {
            FileType::Text
        },
    )
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::GitLfsPointer => "a git-lfs pointer, not the file that it points to",
            Self::Own(OwnFile::Circuit) => "a circuit of peregrine",
            Self::Own(OwnFile::Interface) => "a client interface of peregrine",
            Self::Own(OwnFile::SecretKey) => "a secret key of peregrine",
            Self::Own(OwnFile::EvaluationKeys) => "evaluation keys of peregrine",
            Self::Own(OwnFile::Ciphertext) => "ciphertexts of peregrine",
            Self::Own(OwnFile::Other) => "a file of peregrine",
            Self::PyTorch => "a PyTorch file (.pt, .pth)",
            Self::TorchScript => "a TorchScript program",
            Self::TorchExport => "a network saved by torch.export (.pt2)",
            Self::Npy => "a numpy array (.npy)",
            Self::Npz => "numpy arrays (.npz)",
            Self::Zip => "a zip archive",
            Self::Compressed => "a compressed file or archive",
            Self::Hdf5 => "an HDF5 file (.h5, .keras)",
            Self::TfLite => "a TensorFlow Lite model",
            Self::OnnxRuntime => "a model in ONNX Runtime's own format (.ort)",
            Self::Safetensors => "a safetensors file",
            Self::Gguf => "a GGUF file",
            Self::Pickle => "a Python pickle",
            Self::Image => "an image",
            Self::WebPage => "a web page",
            Self::Json => "JSON",
            Self::Text => "text",
        })
    }
}
