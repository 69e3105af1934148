//! What a file is, told from its first bytes: for refusing the wrong one by name, with the next step.

use peregrine_ir::{Container, FileKind};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes that tell. An archive of tapes has its magic at 257.
const TELLING: u64 = 4096;

/// The kind of a file, told by its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A folder.
    Folder,
    /// Nothing.
    Empty,
    /// One of this program's own.
    Own(FileKind),
    /// What git has in place of a large file.
    LfsPointer,
    /// One array.
    Npy,
    /// Arrays by name.
    Npz,
    /// What `torch.save` writes.
    Torch,
    /// An ONNX model.
    Onnx,
    /// A picture.
    Picture(&'static str),
    /// Another archive.
    Archive(&'static str),
    /// Another known format.
    Known(&'static str),
    /// A page of the web, as a download that failed leaves it.
    WebPage,
    /// JSON.
    Json,
    /// Other text.
    Text,
    /// None of these.
    Unknown,
}

/// First bytes that tell formats.
const MAGIC: [(&[u8], Content); 27] = [
    (b"version https://git-lfs", Content::LfsPointer),
    (b"\x93NUMPY", Content::Npy),
    // The magic number of the format before archives.
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", Content::Torch),
    (b"\x89PNG\r\n", Content::Picture("a PNG picture")),
    (b"\xff\xd8\xff", Content::Picture("a JPEG picture")),
    (b"GIF8", Content::Picture("a GIF picture")),
    (b"II*\0", Content::Picture("a TIFF picture")),
    (b"MM\0*", Content::Picture("a TIFF picture")),
    (b"P5\n", Content::Picture("a PGM picture")),
    (b"P6\n", Content::Picture("a PPM picture")),
    (b"\x1f\x8b", Content::Archive("data compressed with gzip")),
    (b"BZh", Content::Archive("data compressed with bzip2")),
    (b"\xfd7zXZ\0", Content::Archive("data compressed with xz")),
    (
        b"\x28\xb5\x2f\xfd",
        Content::Archive("data compressed with zstd"),
    ),
    (b"7z\xbc\xaf\x27\x1c", Content::Archive("a 7z archive")),
    (b"\x89HDF\r\n", Content::Known("an HDF5 file")),
    (b"MATLAB 5.0", Content::Known("a MATLAB file")),
    (b"%PDF", Content::Known("a PDF")),
    (b"\x7fELF", Content::Known("a program")),
    (b"\x80\x02", Content::Known("a Python pickle")),
    (b"\x80\x03", Content::Known("a Python pickle")),
    (b"\x80\x04", Content::Known("a Python pickle")),
    (b"\x80\x05", Content::Known("a Python pickle")),
    (b"<!DOCTYPE html", Content::WebPage),
    (b"<!doctype html", Content::WebPage),
    (b"<html", Content::WebPage),
    (b"SQLite format 3", Content::Known("an SQLite database")),
];

/// Bytes further on that tell formats.
const MAGIC_AT: [(usize, &[u8], Content); 4] = [
    (8, b"WEBP", Content::Picture("a WebP picture")),
    (4, b"TFL3", Content::Known("a TensorFlow Lite model")),
    (8, b"{\"", Content::Known("a safetensors file")),
    (257, b"ustar", Content::Archive("a tar archive")),
];

impl Content {
    /// The content of a path: a folder, or a file told by its beginning.
    pub fn at(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Ok(Self::Folder);
        }
        let mut bytes = Vec::new();
        file.take(TELLING).read_to_end(&mut bytes)?;
        Ok(Self::sniff(&bytes))
    }

    /// The content of a file that begins with these bytes.
    pub fn sniff(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..TELLING as usize).unwrap_or(bytes);
        let starts = |(magic, _): &&(&[u8], Self)| bytes.starts_with(magic);
        let has = |(at, magic, _): &&(usize, &[u8], Self)| {
            bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic))
        };
        if bytes.is_empty() {
            Self::Empty
        } else if let Some(kind) = Container::kind_of(bytes) {
            Self::Own(kind)
        } else if bytes.starts_with(b"PK") {
            archive(bytes)
        } else if let Some((_, content)) = MAGIC.iter().find(starts) {
            content.clone()
        } else if let Some((_, _, content)) = MAGIC_AT.iter().find(has) {
            content.clone()
        } else if is_onnx(bytes) {
            Self::Onnx
        } else {
            text(bytes)
        }
    }
}

/// An archive of files, by the name of the first.
fn archive(bytes: &[u8]) -> Content {
    let length = bytes.get(26..28).and_then(|b| b.first_chunk());
    let length = length.map_or(0, |b| usize::from(u16::from_le_bytes(*b)));
    let name = bytes
        .get(30..)
        .map(|rest| rest.get(..length).unwrap_or(rest));
    let name = String::from_utf8_lossy(name.unwrap_or_default());
    if name.ends_with(".npy") || name.is_empty() {
        return Content::Npz;
    }
    let inside = [
        "data.pkl",
        ".format_version",
        "byteorder",
        "version",
        "constants.pkl",
    ];
    let torch = name
        .split_once('/')
        .is_some_and(|(_, file)| inside.contains(&file));
    match torch {
        true => Content::Torch,
        false => Content::Archive("a zip archive"),
    }
}

/// Whether this looks like a model: its version comes first, as all exporters have it, and then another of its fields.
fn is_onnx(bytes: &[u8]) -> bool {
    const FIELDS: [u8; 9] = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2];
    matches!(bytes, [0x08, 1..=20, field, ..] if FIELDS.contains(field))
}

fn text(bytes: &[u8]) -> Content {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Cut in a character.
        Err(error) if bytes.len() - error.valid_up_to() < 4 => {
            std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default())
                .unwrap_or_default()
        }
        Err(_) => return Content::Unknown,
    };
    if whole.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Content::Unknown;
    }
    match whole.trim_start().starts_with(['{', '[']) {
        true => Content::Json,
        false => Content::Text,
    }
}

impl fmt::Display for Content {
    /// What follows the name of a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self, Self::Folder | Self::Empty) {
            f.write_str("holds ")?;
        }
        f.write_str(match self {
            Self::Folder => "is a folder",
            Self::Empty => "is empty",
            Self::Own(kind) => own(*kind),
            Self::LfsPointer => "a git-lfs pointer, not the file itself",
            Self::Npy => "a NumPy array (.npy)",
            Self::Npz => "an archive of NumPy arrays (.npz)",
            Self::Torch => "a PyTorch file (.pt, .pth)",
            Self::Onnx => "an ONNX model",
            Self::Picture(name) | Self::Archive(name) | Self::Known(name) => name,
            Self::WebPage => "a web page (perhaps one that asks for a login)",
            Self::Json => "JSON",
            Self::Text => "text",
            Self::Unknown => "data of no known kind",
        })
    }
}

fn own(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Circuit => "a circuit (.fhe)",
        FileKind::Interface => "a client interface (.client)",
        FileKind::SecretKey => "a secret key",
        FileKind::EvaluationKeys => "evaluation keys",
        FileKind::Ciphertext => "ciphertexts",
        FileKind::Values => "values between fragments",
    }
}

/// The kind of file that a verb reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One of this program's own.
    Own(FileKind),
    /// A circuit or a client interface.
    Compiled,
    /// Arrays.
    Arrays,
    /// A profile of a machine.
    Profile,
}

impl Wanted {
    /// Whether this may be it; only then it is worth reading.
    pub fn fits(self, found: &Content) -> bool {
        match self {
            Self::Own(kind) => *found == Content::Own(kind),
            Self::Compiled => {
                matches!(found, Content::Own(FileKind::Circuit | FileKind::Interface))
            }
            Self::Arrays => matches!(
                found,
                Content::Npy | Content::Npz | Content::Archive("a zip archive")
            ),
            Self::Profile => matches!(found, Content::Json),
        }
    }

    /// How to come by one.
    pub fn help(self) -> &'static str {
        match self {
            Self::Own(FileKind::Circuit) | Self::Compiled => {
                "`peregrine compile MODEL.onnx -o MODEL.fhe` makes the circuit and the client interface"
            }
            Self::Own(FileKind::Interface) => {
                "`peregrine compile` makes the client interface together with the circuit"
            }
            Self::Own(FileKind::SecretKey | FileKind::EvaluationKeys) => {
                "`peregrine keygen` makes the secret key together with the evaluation keys"
            }
            Self::Own(FileKind::Values) => "the library writes what fragments of a circuit give",
            Self::Own(FileKind::Ciphertext) => {
                "`peregrine encrypt` makes the inputs of `run`, and `run` those of `decrypt`"
            }
            Self::Arrays => "save the array with `numpy.save` or `numpy.savez`",
            Self::Profile => "`peregrine bench --profile-out FILE.json` measures this machine",
        }
    }

    /// What to do with a file that is something else.
    pub fn help_with(self, found: &Content) -> &'static str {
        match (found, self) {
            (Content::LfsPointer, _) => "`git lfs pull` fetches the file itself",
            (Content::Own(FileKind::Circuit), _) => {
                "a circuit (.fhe) is for inspect, simulate and run"
            }
            (Content::Own(FileKind::Interface), _) => {
                "a client interface (.client) is for inspect, keygen, encrypt and decrypt"
            }
            (Content::Own(FileKind::SecretKey), _) => {
                "a secret key is for --secret of encrypt and decrypt"
            }
            (Content::Own(FileKind::EvaluationKeys), _) => {
                "evaluation keys are for --evaluation of run"
            }
            (Content::Own(FileKind::Ciphertext), _) => {
                "ciphertexts are for --input of run and decrypt"
            }
            (Content::Own(FileKind::Values), _) => {
                "values between fragments are for those who run fragments with the library"
            }
            (Content::Npy | Content::Npz, Self::Own(FileKind::Ciphertext)) => {
                "`peregrine encrypt` turns arrays into ciphertexts"
            }
            (Content::Npy | Content::Npz, Self::Own(_) | Self::Compiled) => {
                "arrays are for --input of encrypt, simulate and infer"
            }
            (Content::Torch | Content::Known("a Python pickle"), Self::Arrays) => {
                "save the tensor as an array, as with `numpy.save('x.npy', x.numpy())`"
            }
            (
                Content::Torch,
                Self::Own(FileKind::Circuit | FileKind::Interface) | Self::Compiled,
            ) => "export the network with `torch.onnx.export`, then `peregrine compile` it",
            (Content::Onnx, _) => {
                "`peregrine compile` turns an ONNX model into a circuit and a client interface"
            }
            (Content::Picture(_), Self::Arrays) => {
                "save its pixels as an array, scaled as the model was trained, as with `numpy.save('x.npy', pixels)`"
            }
            (Content::Archive(_), _) => "unpack it first",
            _ => self.help(),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own(kind) => own(*kind),
            Self::Compiled => "a circuit (.fhe) or a client interface (.client)",
            Self::Arrays => "arrays (.npy, .npz)",
            Self::Profile => "a profile of a machine (.json)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell() {
        let zip = |name: &str| {
            let length = (name.len() as u16).to_le_bytes();
            [
                b"PK\x03\x04",
                [0; 22].as_slice(),
                &length,
                &[0; 2],
                name.as_bytes(),
            ]
            .concat()
        };
        let cases: [(Vec<u8>, Content); 13] = [
            (b"".to_vec(), Content::Empty),
            (zip("logits.npy"), Content::Npz),
            (zip("net/data.pkl"), Content::Torch),
            (zip("a/readme.md"), Content::Archive("a zip archive")),
            (b"PK\x05\x06".to_vec(), Content::Npz),
            (b"\x08\x08\x12\x07pytorch".to_vec(), Content::Onnx),
            (b"\x93NUMPY\x01\0".to_vec(), Content::Npy),
            (
                b"version https://git-lfs.github.com/spec/v1\noid".to_vec(),
                Content::LfsPointer,
            ),
            (
                b"RIFF\0\0\0\0WEBPVP8".to_vec(),
                Content::Picture("a WebP picture"),
            ),
            (b" {\"version\": 2}".to_vec(), Content::Json),
            ("1.5,2.5\nna\u{ef}ve\n".into(), Content::Text),
            ("na\u{ef}".as_bytes()[..3].to_vec(), Content::Text),
            (b"\x01\x02\xff\xfe\0\0\0\0".to_vec(), Content::Unknown),
        ];
        for (bytes, content) in cases {
            assert_eq!(Content::sniff(&bytes), content, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn every_beginning_of_anything_is_something() {
        let (zip, tar) = (
            [b"PK\x03\x04", [0xff; 60].as_slice()].concat(),
            vec![0; 300],
        );
        for bytes in [zip, tar, b"PEREGRIN\x04\0\0\0\x03\0\0\0".to_vec()] {
            for length in 0..=bytes.len() {
                assert!(!Content::sniff(&bytes[..length]).to_string().is_empty());
            }
        }
    }
}
