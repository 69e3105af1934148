//! Randomness: seeds, and what is sampled from them.
//!
//! A [`Seed`] of 128 bits keys AES in counter mode; stream `i` starts at byte `i 2^48`, so streams of one seed do not overlap
//! and limbs expand in parallel. Public seeds (the uniform halves of keys and ciphertexts) and secret ones (keys, noise) are
//! separate outputs of a [`Randomness`], itself such a generator seeded by the operating system.
//!
//! The expansion is part of the file formats: a uniform residue modulo `p` is the next little-endian 64-bit word of the
//! stream that is below the largest multiple of `p` that fits, reduced modulo `p`.
//!
//! An error polynomial is sampled once, as integers, and then reduced modulo every prime: sampling per prime would make
//! residues of no small integer.

use super::{Basis, Coefficient, Ntt, Ring, RnsPoly};
use std::fmt;
use tfhe::core_crypto::commons::math::random::{
    CompressionSeed, DefaultRandomGenerator, RandomGenerator, Seed as TfheSeed, UniformTernary,
};
use zeroize::{Zeroize, Zeroizing};

/// The standard deviation of an error coefficient, before it is rounded to an integer.
pub const NOISE_DEVIATION: f64 = 3.2;

/// log2 of the bytes reserved for each stream of a seed.
const LOG2_STREAM_BYTES: u32 = 48;

/// 128 bits from which polynomials are expanded.
#[derive(Clone, Copy, PartialEq, Eq, Zeroize)]
pub struct Seed(pub u128);

/// Not shown: some seeds are secret.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// Stream `stream` of a seed.
fn generator(seed: Seed, stream: u64) -> RandomGenerator<DefaultRandomGenerator> {
    let mut start = CompressionSeed::from(TfheSeed(seed.0));
    start
        .inner
        .first_index
        .increase(u128::from(stream) << LOG2_STREAM_BYTES);
    RandomGenerator::new(start.inner)
}

/// A source of fresh seeds.
pub struct Randomness(RandomGenerator<DefaultRandomGenerator>);

impl fmt::Debug for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Randomness(..)")
    }
}

impl Randomness {
    /// Seeded by the operating system.
    #[cfg(unix)]
    pub fn from_os() -> Self {
        use tfhe::core_crypto::seeders::{Seeder, UnixSeeder};
        Self(generator(Seed(UnixSeeder::new(0).seed().0), 0))
    }

    /// Seeded by the operating system or the processor.
    #[cfg(not(unix))]
    pub fn from_os() -> Self {
        Self(generator(
            Seed(tfhe::core_crypto::seeders::new_seeder().seed().0),
            0,
        ))
    }

    /// The same sequence each time: for tests only, whoever knows the seed knows every secret drawn from it.
    pub fn from_seed_for_tests(seed: u128) -> Self {
        Self(generator(Seed(seed), 0))
    }

    /// The next seed.
    pub fn seed(&mut self) -> Seed {
        Seed(self.0.random_uniform())
    }

    /// A generator for another thread, independent of this one.
    pub fn fork(&mut self) -> Self {
        Self(generator(self.seed(), 0))
    }
}

impl Ring {
    /// Expands a uniformly random polynomial; the limb of prime `p` is stream `first_stream + p`, so that a basis and its
    /// subsets give the same residues.
    pub fn expand_uniform(&self, basis: &Basis, seed: Seed, first_stream: u64) -> RnsPoly<Ntt> {
        let mut out = RnsPoly::any(self, basis);
        out.par_limbs_mut_heavy(self, |prime, limb| {
            let modulus = self.modulus(prime);
            let limit = u64::MAX - (u64::MAX % modulus.value() + 1) % modulus.value();
            let mut stream = generator(seed, first_stream + prime as u64);
            for word in limb {
                let mut drawn: u64 = stream.random_uniform();
                while drawn > limit {
                    drawn = stream.random_uniform();
                }
                *word = modulus.reduce(drawn);
            }
        });
        out
    }

    /// N coefficients, each -1, 0 or 1 with probability 1/3.
    pub fn sample_ternary(&self, seed: Seed) -> Zeroizing<Vec<i8>> {
        let mut stream = generator(seed, 0);
        let mut out = Zeroizing::new(vec![0; self.degree()]);
        for coefficient in out.iter_mut() {
            *coefficient = stream.random_from_distribution::<u8, _>(UniformTernary) as i8;
        }
        out
    }

    /// An error polynomial: coefficients of standard deviation [`NOISE_DEVIATION`].
    pub fn sample_noise(&self, basis: &Basis, seed: Seed) -> Zeroizing<RnsPoly<Coefficient>> {
        let mut torus = Zeroizing::new(vec![0u64; self.degree()]);
        generator(seed, 0).fill_slice_with_random_gaussian(
            &mut torus,
            0.0,
            NOISE_DEVIATION / 2f64.powi(64),
        );
        let mut integers = Zeroizing::new(vec![0i64; self.degree()]);
        for (integer, &word) in integers.iter_mut().zip(torus.iter()) {
            *integer = word as i64;
        }
        let mut out = RnsPoly::any(self, basis);
        out.par_limbs_mut(self, |prime, limb| {
            self.kernels
                .reduce_signed(limb, &integers, self.modulus(prime))
        });
        Zeroizing::new(out)
    }
}
