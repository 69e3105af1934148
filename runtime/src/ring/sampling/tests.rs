use super::*;
use crate::ring::is_prime;
use aes::cipher::BlockCipherEncrypt;
use proptest::prelude::*;

/// Key bytes 0, 1, .. 15.
const SEED: Seed = Seed(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100);

/// A stream by the definition, block by block.
fn reference(seed: Seed, stream: u64) -> impl Iterator<Item = u8> {
    let aes = Aes128::new(&Array(seed.0.to_le_bytes()));
    (0u128..).flat_map(move |block| {
        let mut bytes = Array(((u128::from(stream) << 44) + block).to_be_bytes());
        aes.encrypt_block(&mut bytes);
        bytes.0
    })
}

fn words(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u64> {
    let mut bytes = bytes;
    std::iter::from_fn(move || {
        let mut word = [0; 8];
        for byte in &mut word {
            *byte = bytes.next()?;
        }
        Some(u64::from_le_bytes(word))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The smallest prime from a number on.
fn prime_from(start: u64) -> Modulus {
    Modulus::new((start..).find(|&n| is_prime(n)).unwrap())
}

/// Primes just below and just above powers of two, and one between.
fn moduli() -> [Modulus; 6] {
    let between = prime_from((1 << 44) + (1 << 43));
    [
        Modulus::new(17),
        prime_from((1 << 40) + 1),
        prime_from((1 << 40) - 200),
        between,
        Modulus::new(1_125_899_903_827_969),
        prime_from((1 << 49) + 1),
    ]
}

/// `sum (found - expected)^2 / expected`; about as much as there are classes if all is well.
fn chi_square(found: &[u64], expected: &[f64]) -> f64 {
    let pairs = found.iter().zip(expected);
    pairs
        .map(|(&found, expected)| (found as f64 - expected).powi(2) / expected)
        .sum()
}

/// Those of rings of a usual degree here.
fn kernels() -> Kernels {
    Kernels::detect(10)
}

/// Six deviations above the mean of a chi-square distribution.
fn limit(classes: usize) -> f64 {
    let freedom = classes as f64 - 1.0;
    freedom + 6.0 * (2.0 * freedom).sqrt()
}

/// `openssl enc -aes-128-ctr -K 000102030405060708090a0b0c0d0e0f -iv 00000000000000000000300000000000` on zeros, and the same
/// with `-iv 000000000000000000003000000000ff`.
#[test]
fn a_stream_is_what_another_implementation_makes_of_its_seed() {
    let first = "632b8106a2560b9b464540dbd0f3eb3bf4756ef5686da81e807d1c07cb2bf004b501b7b7b467b53021927b08a253e0bd";
    let last_and_next = "72d61a02ea286420d85a9d0db96167d49a0dc2fa6d7f8018bd1e234bf3e9df59";
    let mut stream = KeyStream::new(SEED, 3);
    assert_eq!(hex(&stream.peek()[..48]), first);
    stream.used = 255 * 16;
    assert_eq!(hex(stream.peek()), last_and_next[..32]);
    stream.used = BUFFER_BYTES;
    assert_eq!(hex(&stream.peek()[..16]), last_and_next[32..]);
    let independent: Vec<u8> = reference(SEED, 3).take(48).collect();
    assert_eq!(hex(&independent), first);
    // A source of seeds is stream 0.
    let mut randomness = Randomness::from_seed_for_tests(SEED.0);
    let seeds = [randomness.seed().0, randomness.seed().0].map(u128::to_le_bytes);
    let expected: Vec<u8> = reference(SEED, 0).take(32).collect();
    assert_eq!(seeds.concat(), expected);
}

proptest! {
    #[test]
    fn residues_are_the_words_that_fit_however_they_are_asked_for(
        seed in any::<u128>(),
        stream in 0..1u64 << 40,
        which in 0..6usize,
        pieces in prop::collection::vec(0..1500usize, 1..6),
    ) {
        let modulus = moduli()[which];
        let mask = (1 << modulus.bits()) - 1;
        let residues = words(reference(Seed(seed), stream)).map(|word| word & mask);
        let total = pieces.iter().sum();
        let expected: Vec<u64> = residues.filter(|&r| r < modulus.value()).take(total).collect();
        for kernels in Kernels::all(10) {
            let mut uniform = UniformStream::new(kernels, Seed(seed), stream, &modulus);
            let mut found = Vec::new();
            for &piece in &pieces {
                let mut residues = vec![0; piece];
                uniform.fill(&mut residues);
                found.extend(residues);
            }
            prop_assert_eq!(&found, &expected, "{:?}", kernels);
        }
    }

    #[test]
    fn secrets_follow_the_table(seed in any::<u128>(), log_n in 3..9u32) {
        let ring = Ring::new(log_n, &[]).unwrap();
        let pairs = reference(Seed(seed), 0).flat_map(|byte| [0, 2, 4, 6].map(|shift| byte >> shift & 3));
        let expected: Vec<i8> = pairs.filter(|&p| p < 3).map(|p| p as i8 - 1).take(ring.degree()).collect();
        prop_assert_eq!(&*ring.sample_ternary(Seed(seed)), &expected);
        let bits = |word: u64, from: u32| (from..from + 21).map(|i| (word >> i & 1) as i64).sum::<i64>();
        let errors = words(reference(Seed(seed), 0)).map(|word| bits(word, 0) - bits(!word, 21));
        let expected: Vec<i64> = errors.take(700).collect();
        prop_assert_eq!(&*sample_binomial(Seed(seed), 700), &expected);
    }
}

#[test]
fn residues_are_uniform() {
    const CLASSES: usize = 256;
    for (stream, modulus) in moduli().iter().enumerate() {
        let mut residues = vec![0; 1 << 17];
        UniformStream::new(kernels(), Seed(8), stream as u64, modulus).fill(&mut residues);
        let p = u128::from(modulus.value());
        let classes = CLASSES.min(modulus.value() as usize);
        let class = |r: u64| u128::from(r) * classes as u128 / p;
        // Residues of a class: those from the first whose quotient it is to the last.
        let first = |class: usize| (class as u128 * p).div_ceil(classes as u128) as f64;
        let expected = |c: usize| (first(c + 1) - first(c)) / p as f64 * residues.len() as f64;
        let (mut high, mut low) = (vec![0; classes], vec![0; 16]);
        for &residue in &residues {
            assert!(residue < modulus.value());
            high[class(residue) as usize] += 1;
            low[residue as usize % 16] += 1;
        }
        let found = chi_square(&high, &(0..classes).map(expected).collect::<Vec<_>>());
        assert!(found < limit(classes), "{modulus:?}: {found}");
        if classes == CLASSES {
            let found = chi_square(&low, &[residues.len() as f64 / 16.0; 16]);
            assert!(found < limit(16), "{modulus:?}: {found}");
        }
    }
}

#[test]
fn a_prime_just_above_a_power_of_two_takes_every_other_word() {
    let modulus = prime_from((1 << 40) + 1);
    let mut residues = vec![0; 1 << 16];
    UniformStream::new(kernels(), Seed(9), 0, &modulus).fill(&mut residues);
    let mask = (1 << modulus.bits()) - 1;
    let last = residues[residues.len() - 1];
    let words = words(reference(Seed(9), 0)).map(|word| word & mask);
    let used = words.take_while(|&word| word != last).count() + 1;
    let rate = residues.len() as f64 / used as f64;
    let expected = modulus.value() as f64 / (mask + 1) as f64;
    // One deviation is sqrt(1/4 / 2^17) = 0.0014.
    assert!((rate - expected).abs() < 0.007, "{rate}, not {expected}");
}

#[test]
fn ternary_coefficients_are_uniform_and_independent_of_their_neighbours() {
    let ring = Ring::new(17, &[]).unwrap();
    let coefficients = ring.sample_ternary(Seed(10));
    let digit = |i: usize| (coefficients[i] + 1) as usize;
    let count = coefficients.len();
    for distance in [1, 2, 3, 4, 64] {
        let mut pairs = vec![0; 9];
        for i in distance..count {
            pairs[3 * digit(i) + digit(i - distance)] += 1;
        }
        let expected = (count - distance) as f64 / 9.0;
        let found = chi_square(&pairs, &[expected; 9]);
        assert!(found < limit(9), "at distance {distance}: {found}");
    }
}

#[test]
fn errors_are_binomial() {
    let count = 1 << 18;
    let errors = sample_binomial(Seed(11), count);
    assert!(errors.iter().all(|e| e.abs() <= 21));
    // Classes -10 .. 10; the tails beyond join the last ones.
    let mut found = vec![0; 21];
    for error in errors.iter() {
        found[(error.clamp(&-10, &10) + 10) as usize] += 1;
    }
    let mut expected = vec![0.0; 21];
    let mut choices = count as f64 / (1u64 << NOISE_BITS) as f64;
    for ones in 0..=NOISE_BITS as usize {
        expected[ones.clamp(11, 31) - 11] += choices;
        choices *= f64::from(NOISE_BITS - ones as u32) / (ones + 1) as f64;
    }
    let distance = chi_square(&found, &expected);
    assert!(distance < limit(21), "{distance}");
    let mean = errors.iter().sum::<i64>() as f64 / count as f64;
    let square = errors.iter().map(|e| e * e).sum::<i64>() as f64 / count as f64;
    assert!(mean.abs() < 0.03, "{mean}");
    assert!((square - 10.5).abs() < 0.15, "{square}");
    let variance = peregrine_ir::noise::ERROR_VARIANCE;
    assert!((NOISE_DEVIATION * NOISE_DEVIATION - variance).abs() < 1e-12);
    // Neighbours do not go together.
    let product = errors.windows(2).map(|e| e[0] * e[1]).sum::<i64>() as f64 / count as f64;
    assert!(product.abs() < 0.12, "{product}");
}

#[test]
fn the_key_stream_of_a_secret_is_wiped() {
    let mut stream = KeyStream::new(SEED, 0);
    stream.peek();
    stream.zeroize();
    assert_eq!(stream.buffer, [0; BUFFER_BYTES]);
}
