//! `bench`: the primitives on this machine, at 128-bit parameters with two thirds of the levels the degree allows.
//!
//! Each time is a median; everything is measured at the highest level, where it costs most.

use crate::args::Bench;
use crate::error::Error;
use crate::progress::Bar;
use crate::report;
use peregrine_compiler::manage::parameters::{ParameterError, Planner};
use peregrine_ir::{Ring, Security};
use peregrine_runtime::ckks::{
    Ciphertext, CkksError, Decryptor, Encoder, Encryptor, Evaluator, Plaintext,
};
use peregrine_runtime::parameters;
use peregrine_runtime::params::{Parameters, ParametersError};
use peregrine_runtime::ring::{Randomness, RingError};
use peregrine_runtime::rlwe::{EvaluationKey, EvaluationKeys, KeyKind, RlweError, SecretKey};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ring degrees, as logarithms.
const LOG_N: [u32; 3] = [13, 14, 15];
/// Runs of each primitive: at least the first, more within the time, at most the second.
const RUNS: (usize, usize) = (3, 25);
const TIME: Duration = Duration::from_millis(200);

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    threads: usize,
    rings: Vec<Measured>,
}

/// The primitives of one ring.
#[derive(Debug, Serialize)]
struct Measured {
    log_n: u32,
    levels: usize,
    digits: usize,
    special_primes: usize,
    modulus_bits: f64,
    primitives: Vec<Primitive>,
}

/// One primitive.
#[derive(Debug, Serialize)]
struct Primitive {
    name: &'static str,
    runs: usize,
    median_seconds: f64,
}

/// Measures.
pub fn run(args: &Bench) -> Result<(), Error> {
    let degrees = args.log_n.map_or(LOG_N.to_vec(), |log_n| vec![log_n]);
    let bar = Bar::new("bench");
    let mut rings = Vec::new();
    for (done, &log_n) in degrees.iter().enumerate() {
        rings.push(measure(log_n).map_err(|source| Error::Bench { log_n, source })?);
        bar.count(done + 1, degrees.len());
    }
    drop(bar);
    let threads = rayon::current_num_threads();
    report::print(args.json.json, &Report { threads, rings }, text)
}

/// A ring with two thirds of the levels that security allows: the deepest would leave no room for special primes, and
/// key switching would be slower than in any circuit.
fn typical_ring(log_n: u32) -> Result<Ring, ParameterError> {
    let planner = Planner {
        security: Security::Classical128,
        precision_bits: 12,
        headroom_bits: 10,
    };
    let deepest = (1..)
        .take_while(|&depth| planner.ring(log_n, depth).is_ok())
        .last();
    planner.ring(log_n, deepest.map_or(1, |depth| (2 * depth).div_ceil(3)))
}

/// What primitives are measured on.
struct Bed {
    params: Arc<Parameters>,
    secret: Arc<SecretKey>,
    encoder: Encoder,
    evaluator: Evaluator,
    top: usize,
    scale: f64,
    slots: Vec<f64>,
    plain: Plaintext,
    cipher: Ciphertext,
    randomness: Randomness,
}

impl Bed {
    fn new(ring: &Ring) -> Result<Self, BenchError> {
        let params = parameters(ring)?;
        let mut randomness = Randomness::from_os();
        let secret = Arc::new(SecretKey::generate(&params, &mut randomness)?);
        let top = params.levels() - 1;
        let rotation = KeyKind::Galois(params.ring().rotation_exponent(1));
        let mut keys = EvaluationKeys::default();
        for kind in [KeyKind::Relinearization, rotation] {
            keys.insert(EvaluationKey::generate(
                &params,
                &secret,
                kind,
                top,
                &mut randomness,
            )?);
        }
        let encoder = Encoder::new(&params);
        let scale = f64::from(ring.unit_bits).exp2();
        let slots: Vec<f64> = (0..params.slots()).map(|i| (i as f64).sin()).collect();
        let plain = encoder.encode_real(&slots, scale, params.row(top)?)?;
        let cipher = Encryptor::new(&params, &secret).encrypt(&plain, top, &mut randomness)?;
        Ok(Self {
            evaluator: Evaluator::new(&params, &Arc::new(keys)),
            cipher: cipher.expand(&params)?,
            params,
            secret,
            encoder,
            top,
            scale,
            slots,
            plain,
            randomness,
        })
    }

    /// All primitives, in the order of a program's life.
    fn measure(&mut self) -> Result<Vec<Primitive>, BenchError> {
        let Self {
            params,
            secret,
            encoder,
            evaluator,
            top,
            scale,
            slots,
            plain,
            cipher,
            randomness,
        } = self;
        let (top, scale) = (*top, *scale);
        let row = params.row(top)?;
        let (encryptor, decryptor) = (
            Encryptor::new(params, secret),
            Decryptor::new(params, secret),
        );
        let digits = evaluator.decompose(cipher)?;
        let kind = KeyKind::Relinearization;
        Ok(vec![
            primitive("key generation, each", || {
                EvaluationKey::generate(params, secret, kind, top, randomness)
            })?,
            primitive("encode", || encoder.encode_real(slots, scale, row))?,
            primitive("encrypt", || encryptor.encrypt(plain, top, randomness))?,
            primitive("decrypt and decode", || decryptor.decrypt(cipher, scale))?,
            primitive("add", || evaluator.add(cipher, cipher))?,
            primitive("plaintext product", || evaluator.mul_plain(cipher, plain))?,
            primitive("rescale", || evaluator.rescale(cipher, top - 1))?,
            primitive("decompose", || evaluator.decompose(cipher))?,
            primitive("hoisted rotation", || {
                evaluator.rotate_ext(cipher, &digits, 1)
            })?,
            primitive("rotate", || evaluator.rotate(cipher, 1))?,
            primitive("multiply and relinearize", || {
                evaluator.relinearize(&evaluator.mul(cipher, cipher)?)
            })?,
        ])
    }
}

fn measure(log_n: u32) -> Result<Measured, BenchError> {
    let ring = typical_ring(log_n)?;
    Ok(Measured {
        log_n,
        levels: ring.levels.len(),
        digits: ring.digits.len(),
        special_primes: ring.special.len(),
        modulus_bits: ring.total_bits(),
        primitives: Bed::new(&ring)?.measure()?,
    })
}

/// The median time of an operation; the first run only warms up.
fn primitive<T, E>(
    name: &'static str,
    mut operation: impl FnMut() -> Result<T, E>,
) -> Result<Primitive, E> {
    operation()?;
    let (started, mut times) = (Instant::now(), Vec::new());
    while times.len() < RUNS.0 || (times.len() < RUNS.1 && started.elapsed() < TIME) {
        let start = Instant::now();
        let result = operation()?;
        times.push(start.elapsed().as_secs_f64());
        // Freeing the result is not part of the operation.
        drop(result);
    }
    times.sort_by(f64::total_cmp);
    Ok(Primitive {
        name,
        runs: times.len(),
        median_seconds: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
    })
}

fn text(report: &Report) -> String {
    let ring = |ring: &Measured| format!("N = 2^{}", ring.log_n);
    let header: Vec<String> = std::iter::once(String::new())
        .chain(report.rings.iter().map(ring))
        .collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let numbers: Vec<usize> = (1..header.len()).collect();
    let mut table = report::table(&header, &numbers);
    let mut row = |name: &str, cell: &dyn Fn(&Measured) -> String| {
        let cells = report.rings.iter().map(cell);
        table.add_row(std::iter::once(name.to_owned()).chain(cells));
    };
    row("levels", &|ring| ring.levels.to_string());
    row("gadget digits", &|ring| ring.digits.to_string());
    row("modulus bits", &|ring| format!("{:.0}", ring.modulus_bits));
    let names = report
        .rings
        .first()
        .map_or(&[][..], |ring| &ring.primitives);
    for (i, primitive) in names.iter().enumerate() {
        row(primitive.name, &|ring| {
            let seconds = ring
                .primitives
                .get(i)
                .map_or(f64::NAN, |p| p.median_seconds);
            report::time(Duration::try_from_secs_f64(seconds).unwrap_or_default())
        });
    }
    format!(
        "{}\nmedians, at the highest level, on {} threads\n",
        report::show(&table),
        report.threads
    )
}

/// Why a primitive could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No parameters.
    #[error(transparent)]
    Planner(#[from] ParameterError),
    /// The engine refuses the parameters.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// The engine refuses an operation.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// The engine refuses a key.
    #[error(transparent)]
    Rlwe(#[from] RlweError),
    /// The engine refuses a polynomial.
    #[error(transparent)]
    Ring(#[from] RingError),
}
