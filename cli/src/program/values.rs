//! Values on the command line that are not plain numbers.

use super::error::{Error, InputProblem};
use super::files;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use peregrine_compiler::optimisation::Optimisation;
use peregrine_compiler::passes::keys::KeyBudget;
use peregrine_compiler::ranges::Interval;
use peregrine_ir::RingTable;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::Path;
use std::str::FromStr;
use std::thread;

/// Beyond this a flood is lost beside any double, or any double beside it.
const MAX_FLOOD_BITS: f64 = 64.0;

/// A file, and the input it is for: `FILE` or `NAME=FILE`, where both may contain `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputArg(OsString);

impl From<OsString> for InputArg {
    fn from(text: OsString) -> Self {
        Self(text)
    }
}

impl InputArg {
    /// Refuses an output that is also an input.
    pub fn distinct(inputs: &[Self], output: &Path) -> Result<(), Error> {
        let paths = inputs.iter().flat_map(Self::paths);
        paths
            .into_iter()
            .try_for_each(|path| files::distinct(&[("an input", path), ("the output", output)]))
    }

    /// The file, and the input it is said to be for. A file of the whole text is meant where there is one; else what stands before
    /// an `=` is the name of an input of the model.
    pub fn resolve(&self, inputs: &[&str]) -> Result<(Option<&str>, &Path), Error> {
        let whole = Path::new(&self.0);
        let mut splits = self.splits().peekable();
        if splits.peek().is_none() || whole.exists() {
            return Ok((None, whole));
        }
        let known = |name: &str| inputs.contains(&name);
        if let Some((name, path)) = self.splits().find(|(name, _)| known(name)) {
            return Ok((Some(name), path));
        }
        match splits.find(|(_, path)| path.exists()) {
            // The name is the mistake, which is said where inputs are put together.
            Some((name, path)) => Ok((Some(name), path)),
            None => Err(self.refuse(inputs)),
        }
    }

    fn refuse(&self, inputs: &[&str]) -> Error {
        let name = self.splits().next().map_or("", |(name, _)| name);
        Error::Inputs {
            path: (&self.0).into(),
            problem: InputProblem::NoSuch {
                name: name.to_owned(),
                known: inputs.iter().map(|name| format!("`{name}`")).collect(),
            },
        }
    }

    /// The whole text, and what may be a file in it.
    fn paths(&self) -> Vec<&Path> {
        let parts = self.splits().map(|(_, path)| path);
        std::iter::once(Path::new(&self.0)).chain(parts).collect()
    }

    /// What stands before and after each `=`.
    fn splits(&self) -> impl Iterator<Item = (&str, &Path)> {
        let text = self.0.to_str().unwrap_or_default();
        let split = |(at, sign): (usize, &str)| {
            let (name, path) = (text.get(..at)?, text.get(at + sign.len()..)?);
            Some((name, Path::new(path)))
        };
        text.match_indices('=').filter_map(split)
    }
}

/// An interval, and the input it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeArg {
    /// The input, if it is named.
    pub name: Option<String>,
    /// What its values are within.
    pub interval: Interval,
}

impl FromStr for RangeArg {
    type Err = &'static str;

    /// Everything before the last `=` is the name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, ends) = match text.rsplit_once('=') {
            Some((name, ends)) => (Some(name.to_owned()), ends),
            None => (None, text),
        };
        let ends = ends.split_once(',').and_then(|(low, high)| {
            let end = |text: &str| text.trim().parse::<f64>().ok();
            Some(Interval::new(end(low)?, end(high)?))
        });
        let interval = ends.filter(|interval| interval.is_bounded());
        let interval = interval.ok_or("expected the least and the largest value, as in -1,1")?;
        Ok(Self { name, interval })
    }
}

/// Threads for each processor, beyond which they only get in each other's way.
const THREADS_PER_PROCESSOR: usize = 8;

/// A number of threads that this machine can make use of.
pub fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let most = THREADS_PER_PROCESSOR * processors;
    let value: Option<NonZeroUsize> = text.parse().ok();
    let value = value.filter(|threads| threads.get() <= most);
    value.ok_or_else(|| {
        format!("expected a number from 1 to {most}, {THREADS_PER_PROCESSOR} for each of the {processors} processors here")
    })
}

/// A time.
pub fn seconds(text: &str) -> Result<f64, String> {
    let value: Option<f64> = text.parse().ok();
    let value = value.filter(|seconds| (0.0..=1e9).contains(seconds) && *seconds > 0.0);
    value.ok_or_else(|| "expected a number of seconds above 0".to_owned())
}

/// A ring degree as a logarithm.
pub fn log_n(text: &str) -> Result<u32, String> {
    let (least, most) = (RingTable::LOG_N.start(), RingTable::LOG_N.end());
    let value: Option<u32> = text.parse().ok();
    let value = value.filter(|n| RingTable::LOG_N.contains(n));
    value.ok_or_else(|| format!("expected a number from {least} to {most}"))
}

/// The size of a flood in bits: one that changes doubles of ordinary size.
pub fn flood_bits(text: &str) -> Result<f64, String> {
    let value: Option<f64> = text.parse().ok();
    let value = value.filter(|bits| bits.abs() <= MAX_FLOOD_BITS);
    value.ok_or_else(|| format!("expected a number from -{MAX_FLOOD_BITS} to {MAX_FLOOD_BITS}"))
}

/// The name of an optimisation; help lists them with what they do.
pub fn optimisation() -> impl TypedValueParser<Value = Optimisation> {
    let known = Optimisation::ALL.map(|o| PossibleValue::new(o.name()).help(o.summary()));
    PossibleValuesParser::new(known).try_map(|name| name.parse::<Optimisation>())
}

/// A budget for evaluation keys: a number of bytes, or none.
pub fn key_budget(text: &str) -> Result<KeyBudget, String> {
    match text {
        "none" => Ok(KeyBudget::Unlimited),
        size => bytes(size).map(KeyBudget::AtMost).map_err(|_| {
            "expected a size such as 2GiB or 500MB, or `none` for no limit".to_owned()
        }),
    }
}

/// A number of bytes: digits, then a unit.
pub fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    let unit = UNITS
        .iter()
        .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (number, size) = unit.unwrap_or((text, 1));
    let number: Option<f64> = number.trim().parse().ok();
    let number = number.filter(|n| n.is_finite() && *n > 0.0);
    let number = number.ok_or_else(|| "expected a size such as 8GiB or 500MB".to_owned())?;
    Ok((number * size as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("8GiB"), Ok(8 << 30));
        assert_eq!(bytes("1.5 KB"), Ok(1500));
        assert_eq!(bytes("17"), Ok(17));
        assert!(bytes("GiB").is_err() && bytes("-1GiB").is_err() && bytes("nan").is_err());
    }

    #[test]
    fn floods_are_neither_lost_nor_infinite() {
        assert_eq!(flood_bits("-2.5"), Ok(-2.5));
        assert!(
            ["65", "-65", "nan", "inf", "1e400", "few"]
                .map(flood_bits)
                .iter()
                .all(Result::is_err)
        );
    }

    #[test]
    fn ranges_have_two_ends_in_order() {
        let arg = |text: &str| text.parse::<RangeArg>();
        let expected = RangeArg {
            name: Some("image".into()),
            interval: Interval::new(-1.5, 2.0),
        };
        assert_eq!(arg("image=-1.5,2"), Ok(expected));
        assert_eq!(arg("0,1").unwrap().name, None);
        for wrong in ["", "1", "2,1", "0,inf", "nan,1", "x=", "0,1,2"] {
            assert!(arg(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_one_of_the_model() {
        let resolve = |text: &str, inputs: &[&str]| {
            let arg = InputArg(text.into());
            let (name, path) = arg.resolve(inputs).ok()?;
            Some((name.map(str::to_owned), path.to_owned()))
        };
        let named = |name: &str, path: &str| Some((Some(name.to_owned()), path.into()));
        assert_eq!(resolve("a=b=c.npy", &["a", "x"]), named("a", "b=c.npy"));
        assert_eq!(resolve("a=b=c.npy", &["a=b"]), named("a=b", "c.npy"));
        assert_eq!(resolve("x.npy", &["a"]), Some((None, "x.npy".into())));
        assert_eq!(resolve("b=missing.npy", &["a"]), None);
        // Paths are relative to the package here.
        assert_eq!(resolve("b=Cargo.toml", &["a"]), named("b", "Cargo.toml"));
    }

    #[test]
    fn as_many_threads_as_help() {
        assert_eq!(threads("1").map(NonZeroUsize::get), Ok(1));
        for wrong in ["0", "-1", "1000000", "many"] {
            assert!(threads(wrong).is_err(), "{wrong}");
        }
    }
}
