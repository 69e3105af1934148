//! The yardsticks: one forward transform of a limb, by this engine and by `tfhe-ntt`, and the speed at which memory is copied.
//!
//! A transform alone finds its tables in the nearest cache. *In turn*, each limb modulo another prime, is how an engine works,
//! and then the tables of all primes compete for the cache. Yardsticks are the least of several runs, not their median.

use super::error::BenchError;
use super::timing::{Timing, median, median_on};
use peregrine_ir::cost::Machine;
use peregrine_runtime::params::Parameters;
use peregrine_runtime::ring::{Baseline, Coefficient, Ring, RnsBasis, RnsPoly};
use serde::Serialize;
use std::convert::Infallible;
use std::hint::black_box;
use std::num::NonZeroUsize;

/// Bytes of the memory that is copied.
const COPIED: usize = 64 << 20;

/// Primes of transforms in turn.
const IN_TURN: usize = 32;

/// How fast memory is copied on one thread.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Copying {
    /// Bytes read and written per second.
    pub bytes_per_second: f64,
}

impl Copying {
    pub(super) fn measure() -> Self {
        let source = vec![1u8; COPIED];
        let mut target = vec![0u8; COPIED];
        let copied = median(|| {
            black_box(&mut target).copy_from_slice(black_box(&source));
            Ok::<_, Infallible>(())
        });
        let Ok(Timing { least_seconds, .. }) = copied;
        Self {
            bytes_per_second: 2.0 * COPIED as f64 / least_seconds,
        }
    }
}

/// Seconds of one forward transform of one limb, on one thread.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Transforms {
    /// How many primes transforms in turn go through.
    pub primes: usize,
    /// Transforms of this engine.
    pub peregrine: Forward,
    /// Transforms of `tfhe-ntt`.
    pub tfhe_ntt: Forward,
}

/// Seconds of a forward transform of one limb.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Forward {
    /// Seconds where one prime is transformed again and again.
    pub alone_seconds: f64,
    /// Seconds where all primes are transformed in turn.
    pub in_turn_seconds: f64,
}

impl Transforms {
    /// Measures both; to be called on one thread.
    pub(super) fn measure(params: &Parameters) -> Result<Self, BenchError> {
        let primes: Vec<u64> = params.ring().moduli().iter().map(|m| m.value()).collect();
        Ok(Self {
            primes: primes.len(),
            peregrine: Forward {
                alone_seconds: ours(params.ring(), &RnsBasis::new([0]))?,
                in_turn_seconds: in_turn(params)?,
            },
            tfhe_ntt: theirs(params.log_n(), &primes)?,
        })
    }
}

/// One limb's share of transforms that go through all primes, on the threads of the current pool.
pub(super) fn in_turn(params: &Parameters) -> Result<f64, BenchError> {
    ours(params.ring(), params.all_primes())
}

/// Words that are below every prime.
fn words(count: usize) -> Vec<u64> {
    (0..count as u64)
        .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 15)
        .collect()
}

/// One limb's share of transforming a polynomial.
fn ours(ring: &Ring, basis: &RnsBasis) -> Result<f64, BenchError> {
    let coefficients: Vec<i64> = words(ring.degree()).iter().map(|&w| w as i64).collect();
    let poly = || RnsPoly::<Coefficient>::from_signed(ring, basis, &coefficients);
    poly()?;
    // As many polynomials as make the transforms long enough to measure.
    let count = IN_TURN.div_ceil(basis.len());
    let make = || (0..count).flat_map(|_| poly()).collect();
    let transform = |polys: Vec<RnsPoly<Coefficient>>| {
        let transformed = polys.into_iter().map(|poly| poly.into_ntt(ring));
        Ok::<_, Infallible>(transformed.collect::<Vec<_>>())
    };
    let Ok(Timing { least_seconds, .. }) = median_on(make, transform);
    Ok(least_seconds / (count * basis.len()) as f64)
}

fn theirs(log_n: u32, primes: &[u64]) -> Result<Forward, BenchError> {
    let plan = |&prime: &u64| Baseline::new(log_n, prime).ok_or(BenchError::Baseline { prime });
    let plans: Vec<Baseline> = primes.iter().map(plan).collect::<Result<_, _>>()?;
    let degree = 1 << log_n;
    let limbs = words(degree * IN_TURN);
    let seconds = |plans: &[Baseline]| {
        let transform = |mut limbs: Vec<u64>| {
            for (limb, plan) in limbs.chunks_mut(degree).zip(plans.iter().cycle()) {
                plan.forward(limb);
            }
            Ok::<_, Infallible>(limbs)
        };
        let Ok(Timing { least_seconds, .. }) = median_on(|| limbs.clone(), transform);
        least_seconds / IN_TURN as f64
    };
    Ok(Forward {
        alone_seconds: seconds(plans.get(..1).unwrap_or_default()),
        in_turn_seconds: seconds(&plans),
    })
}

/// What is measured on.
pub(super) fn machine() -> Machine {
    Machine {
        cores: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        kernels: peregrine_runtime::ring::kernels_in_use().to_owned(),
    }
}
