//! Damaged and hostile files: typed errors, never a panic.

use crate::common::files::{Dice, Files, Reader, chunks, forge, rebuild, seal};
use crate::common::{Toy, Toybox, primes};
use peregrine_ir::binary::{Container, container};
use peregrine_ir::*;
use peregrine_runtime::wire::{KeyBytes, WireError};

const TOY: Toy = Toy {
    log_n: 4,
    depth: 1,
    alpha: 1,
};

#[test]
fn whole_files_are_read() {
    let files = Files::new(TOY);
    for (file, read) in files.readers() {
        assert_eq!(read(file.to_vec()), Ok(()));
    }
}

#[test]
fn damage_is_always_noticed() {
    let files = Files::new(TOY);
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for (file, read) in files.readers() {
        for _ in 0..1000 {
            let mut damaged = file.to_vec();
            dice.damage(&mut damaged);
            if damaged != file {
                assert!(read(damaged).is_err(), "damage went unnoticed");
            }
        }
    }
}

#[test]
fn hostile_files_with_right_checksums_never_panic() {
    let files = Files::new(TOY);
    let mut dice = Dice(0x0fed_cba9_8765_4321);
    let mut refused = 0;
    for (file, read) in files.readers() {
        for _ in 0..2000 {
            refused += usize::from(read(dice.mutate(file)).is_err());
        }
    }
    // A flipped low bit of a residue or seed is another valid file; most damage is not.
    assert!(refused > 6000, "{refused}");
}

/// All lengths below one, of large ones only some.
fn lengths(end: usize) -> impl Iterator<Item = usize> {
    let few = (0..end.min(2500)).chain((2500..end).step_by(4093));
    few.chain((end.max(2500) - 2500 / 10).max(2500)..end)
}

#[test]
fn files_cut_short_are_refused_wherever_the_cut_is() {
    let files = Files::new(TOY);
    for (file, read) in files.readers() {
        for length in lengths(file.len()) {
            let mut cut = file[..length].to_vec();
            assert!(read(cut.clone()).is_err(), "{length} of {}", file.len());
            // The same with a length and checksums that say nothing is missing.
            if length >= 64 {
                cut[56..64].copy_from_slice(&(length as u64).to_le_bytes());
                seal(&mut cut);
                assert!(read(cut).is_err(), "{length} of {}", file.len());
            }
        }
        for (tag, chunk) in chunks(file) {
            for length in lengths(chunk.len()) {
                let short = forge(file, tag, |chunk| chunk.truncate(length));
                assert!(read(short).is_err(), "{length} bytes of chunk {tag}");
            }
        }
    }
}

#[test]
fn each_refusal_says_what_is_wrong() {
    let files = Files::new(TOY);
    let [secret, keys, inputs, _] = files.readers();
    let text = |(file, read): &(&[u8], Reader<'_>), tag, change: fn(&mut Vec<u8>)| {
        read(forge(file, tag, change)).unwrap_err()
    };
    assert_eq!(
        text(&secret, 2, |b| b[5] = 2),
        "coefficient 5 of the secret key is 2, which is not -1, 0 or 1"
    );
    assert_eq!(
        text(&secret, 2, |b| b.truncate(5)),
        "the number of coefficients is 5, expected 16"
    );
    assert_eq!(
        text(&secret, 0, |b| b[1] = 2),
        "the secret key is for degrees 2^2 to 2^17, supported are 2^3 to 2^17"
    );
    assert_eq!(
        text(&secret, 0, |b| b[1] = 4),
        "the number of chunks is 16, expected 15"
    );
    assert!(text(&inputs, 1, |b| b[..8].fill(0xff)).contains("is not reduced"));
    assert_eq!(
        text(&inputs, 1, |b| b.push(0)),
        "the length of a chunk is 181, expected 180"
    );
    assert_eq!(
        text(&inputs, 0, |b| b.extend([0x28, 1])),
        format!(
            "the length of the header is {}, expected {}",
            header(&files.inputs).len() + 2,
            header(&files.inputs).len()
        )
    );
    assert!(text(&keys, 1, |b| b[..8].fill(0xff)).contains("is not reduced"));
    assert_eq!(
        text(&keys, 1, |b| b.truncate(7)),
        "the length of a chunk is 7, expected 560"
    );
}

fn header(file: &[u8]) -> Vec<u8> {
    Container::parse(file).unwrap().chunk(0).unwrap().to_vec()
}

/// What a file of keys says of the first of them, a word of which is another: the words are the degree, that of the secret, kind,
/// rotation, two of the seed, one special prime, two others, in digits 0 and 1.
#[test]
fn keys_that_are_described_wrongly_are_refused() {
    let files = Files::new(TOY);
    let (file, read) = &files.readers()[1];
    let word = |at: usize, value: u64| {
        let change = |b: &mut Vec<u8>| b[8 * at..][..8].copy_from_slice(&value.to_le_bytes());
        read(forge(file, 0, change)).unwrap_err()
    };
    assert_eq!(
        word(0, 3),
        "no key of this kind leads from degree 2^3 to degree 2^4"
    );
    let length = "the length of a chunk is 560, expected ";
    assert_eq!(word(0, 5), format!("{length}1120"));
    assert_eq!(
        word(0, 64),
        "the description of key 0 of the file is too large"
    );
    assert_eq!(word(1, 5), format!("{length}1120"));
    assert_eq!(
        word(1, 3),
        "no key of this kind leads from degree 2^4 to degree 2^3"
    );
    assert_eq!(word(2, 7), "key 0 of the file has no valid kind");
    let cut = "the description of key 0 of the file has fewer words than it promises";
    for count in [u64::MAX, 1 << 61, 1000] {
        assert_eq!([word(6, count), word(7, count)], [cut; 2]);
    }
    let order = "the description of key 0 of the file has primes or digits out of order";
    let words: Vec<u64> = header(file)
        .as_chunks()
        .0
        .iter()
        .map(|w| u64::from_le_bytes(*w))
        .collect();
    let [special, first, second] = words[8..11] else {
        panic!("{words:?}");
    };
    assert_eq!(words[11..13], [0, 1]);
    assert_eq!(word(12, 2), format!("{length}840"));
    assert_eq!(word(11, 1), order);
    let repeated = |prime| {
        format!("the prime {prime} of an evaluation key is repeated, below 2 or not below 2^50")
    };
    assert!(word(8, first).starts_with(length) || word(8, first) == repeated(first));
    assert!(word(9, second).starts_with(length) || word(9, second) == repeated(second));
    assert_ne!(special, 0);
    // Other primes of as many bits: a key, but none of the circuit.
    let missing = word(9, first + 2);
    assert!(
        missing.contains("if they were for the same primes"),
        "{missing}"
    );
    let text = |change: fn(&mut Vec<u8>)| read(forge(file, 0, change)).unwrap_err();
    assert_eq!(text(Vec::clear), cut);
    assert_eq!(
        text(|b| b.push(0)),
        "the description of key 0 of the file ends within a word"
    );
    assert_eq!(
        text(|b| b.extend([0; 8])),
        "the description of key 2 of the file is none: words follow those of the last key"
    );
}

#[test]
fn a_key_that_is_there_twice_is_refused() {
    let files = Files::new(TOY);
    let mut parts = chunks(&files.keys);
    let header: Vec<u8> = parts.iter().find(|(tag, _)| *tag == 0).unwrap().1.clone();
    let first = header[..8 * 13].to_vec();
    let body = parts.iter().find(|(tag, _)| *tag == 1).unwrap().1.clone();
    parts.push((3, body));
    parts
        .iter_mut()
        .find(|(tag, _)| *tag == 0)
        .unwrap()
        .1
        .extend(first);
    let twice = rebuild(&files.keys, &parts);
    let refused = files.readers()[1].1(twice).unwrap_err();
    assert_eq!(
        refused,
        "the file has the relinearization key of degree 2^4 twice, for the same primes"
    );
}

#[test]
fn a_missing_chunk_is_a_typed_error() {
    let files = Files::new(TOY);
    let container = Container::parse(&files.keys).unwrap();
    let header = container.chunk(0).unwrap();
    let file = container::encode(container.kind(), container.fingerprint(), &[(0, header)]);
    let opened = peregrine_runtime::wire::KeyFile::open(KeyBytes::Held(file));
    assert!(matches!(opened, Err(WireError::KeyHeader { index: 0, .. })));
}

/// Lengths of the chunks behind the header.
fn bodies(file: &[u8]) -> Vec<u64> {
    let bodies = chunks(file).into_iter().filter(|(tag, _)| *tag > 0);
    bodies.map(|(_, body)| body.len() as u64).collect()
}

#[test]
fn files_are_as_long_as_the_statistics_say() {
    let files = Files::new(Toy {
        log_n: 7,
        depth: 4,
        alpha: 2,
    });
    let Files { circuit, .. } = &files;
    let stats = stats::Stats::of(circuit);
    let keys: Vec<u64> = stats.keys.iter().map(|key| key.bytes).collect();
    assert_eq!(bodies(&files.keys), keys);
    // Header, directory and alignment of two keys.
    let overhead = files.keys.len() as u64 - stats.key_bytes;
    assert!(overhead < 1000, "{overhead}");
    let level = circuit.rings.top().unwrap();
    let bytes = stats::seeded_ciphertext_bytes(&circuit.rings, level);
    assert_eq!(bodies(&files.inputs), [bytes]);
    assert_eq!(bodies(&files.outputs), [2 * bytes]);
}

/// 24 chain primes and 8 special ones just below 2^50, as degree 2^16 has them, in 3 digits; here for a small degree.
fn large_ring(log_n: u32) -> RingTable {
    let mut primes = primes(16, 50);
    let special = primes.by_ref().take(8).collect();
    crate::common::nested_ring((log_n, 40), (primes.take(24).collect(), special), 8)
}

#[test]
fn large_keys_stay_small() {
    let mut toy = Toybox::new(large_ring(5), Security::None);
    let x = toy.input("x");
    let full = toy.push(Inst::Rotate {
        a: x,
        rotation: Rotation(1),
    });
    let to = Level(9);
    let low = toy.push(Inst::DropLevel { a: full, to });
    let trimmed = toy.push(Inst::Rotate {
        a: low,
        rotation: Rotation(2),
    });
    toy.output(trimmed);
    let files = Files::of(toy.finish());
    // Sizes are proportional to N.
    let at_16: Vec<u64> = bodies(&files.keys).iter().map(|b| b << 11).collect();
    assert_eq!(at_16, [39_321_600, 14_745_600]);
    let key = Key::within(RingId(0), KeyKind::Rotation(Rotation(1)));
    let predicted = [23, 9].map(|level| stats::key_bytes(&large_ring(16), key, Level(level)));
    assert_eq!(at_16, predicted);
}
