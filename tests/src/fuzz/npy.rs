//! Arrays: `.npy`, and archives of them.

use super::{Dice, bytes, words};

/// Types of elements, and what is none.
const TYPES: [&str; 18] = [
    "'<f4'",
    "'>f8'",
    "'<f2'",
    "'|b1'",
    "'|u1'",
    "'<i8'",
    "'<u8'",
    "'>u2'",
    "'|V2'",
    "'<c8'",
    "'|O'",
    "'<U7'",
    "'|S3'",
    "''",
    "[('a', '<f4')]",
    "[]",
    "None",
    "'<f99999999999'",
];

/// Shapes, and what is none.
const SHAPES: [&str; 16] = [
    "()",
    "(0,)",
    "(1,)",
    "(64,)",
    "(8, 8)",
    "(1, 1, 8, 8)",
    "(4294967296,)",
    "(18446744073709551615,)",
    "(1099511627776, 1099511627776)",
    "(-1,)",
    "(8, -8)",
    "(1.5,)",
    "64",
    "[8, 8]",
    "('a',)",
    "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 64)",
];

/// An array made from a sound one: its header or its data damaged, the length of the header right again.
pub fn npy(dice: &mut Dice, file: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    if dice.once_in(4) {
        bytes(dice, &mut file);
        return file;
    }
    let start = 10;
    let length = file.get(8..10).and_then(|b| b.first_chunk()).copied();
    let end = start + usize::from(u16::from_le_bytes(length.unwrap_or_default()));
    let header = file.get(start..end).unwrap_or_default();
    let header = String::from_utf8_lossy(header).into_owned();
    let header = match dice.roll(3) {
        0 => words(dice, &header),
        _ => {
            let order = dice
                .pick(&["True", "False", "1", "'yes'"])
                .unwrap_or_default();
            let ty = dice.pick(&TYPES).unwrap_or_default();
            let shape = dice.pick(&SHAPES).unwrap_or_default();
            format!("{{'descr': {ty}, 'fortran_order': {order}, 'shape': {shape}, }}\n")
        }
    };
    let mut data = file.get(end..).unwrap_or_default().to_vec();
    if dice.once_in(4) {
        bytes(dice, &mut data);
    }
    let version = dice.pick(&[1, 2, 3, 0, 255]).unwrap_or(1);
    let length = match version {
        1 => (header.len() as u16).to_le_bytes().to_vec(),
        _ => (header.len() as u32).to_le_bytes().to_vec(),
    };
    [
        b"\x93NUMPY",
        [version, 0].as_slice(),
        &length,
        header.as_bytes(),
        &data,
    ]
    .concat()
}

/// An archive that stores files by name uncompressed, their checksums right, with numbers of its directory damaged now and then.
pub fn npz(dice: &mut Dice, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    let damaged = |dice: &mut Dice, number: usize| {
        let number = number as u32;
        match dice.once_in(30) {
            true => dice.telling(number.into()) as u32,
            false => number,
        }
    };
    for (name, file) in files {
        let start = out.len();
        let length = damaged(dice, file.len());
        let mut common = vec![20, 0, 0, 0];
        let method = u16::from(dice.once_in(40)) * 8;
        common.extend(method.to_le_bytes());
        common.extend([0; 4]);
        common.extend(crc(file).to_le_bytes());
        common.extend(length.to_le_bytes());
        common.extend(damaged(dice, file.len()).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0; 2]);
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(file);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(damaged(dice, start).to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = out.len();
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    let count = damaged(dice, files.len()) as u16;
    out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend(damaged(dice, directory.len()).to_le_bytes());
    out.extend(damaged(dice, start).to_le_bytes());
    out.extend([0; 2]);
    out
}

/// The checksum of archives.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| {
        if crc & 1 == 1 {
            crc >> 1 ^ 0xedb8_8320
        } else {
            crc >> 1
        }
    };
    let crc = bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc))
    });
    !crc
}
