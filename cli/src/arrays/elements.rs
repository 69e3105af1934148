//! The numbers in `.npy` data: any width, either byte order, one type for each use.

use super::problem::{ArrayError, MAX_ELEMENTS};
use half::f16;
use ndarray_npy::{ReadDataError, ReadableElement};
use py_literal::Value as PyValue;
use std::io::{self, Read};

/// An array element that is a real number of any width.
#[derive(Clone, Copy, Debug)]
pub struct Real(pub f64);

/// An array element that is a truth value or an integer of any width, as a double equal to it.
#[derive(Clone, Copy, Debug)]
pub struct Whole(pub f64);

/// An array element that is an integer of any width.
#[derive(Clone, Copy, Debug)]
pub struct Integer(pub i64);

/// Integers beyond this are not all doubles.
const EXACT: u64 = 1 << 53;

impl ReadableElement for Real {
    fn read_to_end_exact_vec<R: Read>(
        reader: R,
        descriptor: &PyValue,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        match word(descriptor).as_str() {
            "<f2" => words(reader, len, |b| Self(f16::from_le_bytes(b).into())),
            ">f2" => words(reader, len, |b| Self(f16::from_be_bytes(b).into())),
            "<f4" => words(reader, len, |b| Self(f32::from_le_bytes(b).into())),
            ">f4" => words(reader, len, |b| Self(f32::from_be_bytes(b).into())),
            "<f8" => words(reader, len, |b| Self(f64::from_le_bytes(b))),
            ">f8" => words(reader, len, |b| Self(f64::from_be_bytes(b))),
            found => Err(wrong_type(found, "real numbers or integers")),
        }
    }
}

impl ReadableElement for Whole {
    fn read_to_end_exact_vec<R: Read>(
        reader: R,
        descriptor: &PyValue,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        match word(descriptor).as_str() {
            "|b1" => words(reader, len, |[b]: [u8; 1]| Self((b != 0).into())),
            _ => {
                let expected = "real numbers or integers";
                let integers = integers(reader, descriptor, len, expected)?;
                integers.into_iter().map(exact).collect()
            }
        }
    }
}

impl ReadableElement for Integer {
    fn read_to_end_exact_vec<R: Read>(
        reader: R,
        descriptor: &PyValue,
        len: usize,
    ) -> Result<Vec<Self>, ReadDataError> {
        let integers = integers(reader, descriptor, len, "integers")?;
        // What is no class of any model stays none.
        let class = |x: i128| Self(x.try_into().unwrap_or(i64::MAX));
        Ok(integers.into_iter().map(class).collect())
    }
}

/// Integers of any width.
fn integers(
    reader: impl Read,
    descriptor: &PyValue,
    len: usize,
    expected: &'static str,
) -> Result<Vec<i128>, ReadDataError> {
    match word(descriptor).as_str() {
        "|u1" => words(reader, len, |b| u8::from_le_bytes(b).into()),
        "|i1" => words(reader, len, |b| i8::from_le_bytes(b).into()),
        "<u2" => words(reader, len, |b| u16::from_le_bytes(b).into()),
        ">u2" => words(reader, len, |b| u16::from_be_bytes(b).into()),
        "<i2" => words(reader, len, |b| i16::from_le_bytes(b).into()),
        ">i2" => words(reader, len, |b| i16::from_be_bytes(b).into()),
        "<u4" => words(reader, len, |b| u32::from_le_bytes(b).into()),
        ">u4" => words(reader, len, |b| u32::from_be_bytes(b).into()),
        "<i4" => words(reader, len, |b| i32::from_le_bytes(b).into()),
        ">i4" => words(reader, len, |b| i32::from_be_bytes(b).into()),
        "<u8" => words(reader, len, |b| u64::from_le_bytes(b).into()),
        ">u8" => words(reader, len, |b| u64::from_be_bytes(b).into()),
        "<i8" => words(reader, len, |b| i64::from_le_bytes(b).into()),
        ">i8" => words(reader, len, |b| i64::from_be_bytes(b).into()),
        found => Err(wrong_type(found, expected)),
    }
}

fn exact(x: i128) -> Result<Whole, ReadDataError> {
    if x.unsigned_abs() > EXACT.into() {
        let value = x.to_string();
        return Err(ReadDataError::ParseData(Box::new(ArrayError::Inexact {
            value,
        })));
    }
    Ok(Whole(x as f64))
}

fn word(descriptor: &PyValue) -> String {
    match descriptor {
        PyValue::String(word) => word.clone(),
        other => other.to_string(),
    }
}

fn wrong_type(found: &str, expected: &'static str) -> ReadDataError {
    let found = found.to_owned();
    ReadDataError::ParseData(Box::new(ArrayError::Type { found, expected }))
}

/// Exactly `len` words of `N` bytes to the end of the reader.
fn words<const N: usize, T>(
    mut reader: impl Read,
    len: usize,
    decode: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, ReadDataError> {
    if len > MAX_ELEMENTS {
        let problem = ArrayError::TooLarge { elements: len };
        return Err(ReadDataError::ParseData(Box::new(problem)));
    }
    let mut bytes = Vec::new();
    reader
        .by_ref()
        .take((len * N) as u64)
        .read_to_end(&mut bytes)?;
    if bytes.len() < len * N {
        return Err(ReadDataError::MissingData);
    }
    let extra = io::copy(&mut reader.take(1), &mut io::sink())?;
    if extra > 0 {
        return Err(ReadDataError::ExtraBytes(extra as usize));
    }
    let (words, _) = bytes.as_chunks::<N>();
    Ok(words.iter().map(|&word| decode(word)).collect())
}
