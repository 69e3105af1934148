//! Hostile arrays are refused, never a panic; `tests/tests/fuzz_readers.rs` has the other readers.

use super::elements::{Integer, Real};
use super::parse::{parse_npy, read_archive};
use peregrine_tests::fuzz::{self, Dice};

/// Inputs in a usual run; `PEREGRINE_CASES` sets another number, `PEREGRINE_SEED` the first.
const CASES: u64 = 3000;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

fn sound() -> Vec<u8> {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 8, 8), }\n";
    let length = (header.len() as u16).to_le_bytes();
    [
        b"\x93NUMPY\x01\0".as_slice(),
        &length,
        header.as_bytes(),
        &[0; 256],
    ]
    .concat()
}

#[test]
fn hostile_arrays_are_refused_in_words() {
    let (first, cases) = (
        setting("PEREGRINE_SEED", 1),
        setting("PEREGRINE_CASES", CASES),
    );
    let mut accepted = 0;
    for seed in first..first + cases {
        let mut dice = Dice::new(seed);
        let array = fuzz::npy(&mut dice, &sound());
        let refused = [
            parse_npy::<Real>(&array).map(drop).err(),
            parse_npy::<Integer>(&array).map(drop).err(),
        ];
        accepted += refused.iter().filter(|refused| refused.is_none()).count();
        let other = fuzz::npy(&mut dice, &sound());
        let name = dice.pick(&["a.npy", "a", "../../b.npy", ""]).unwrap();
        let archive = fuzz::npz(&mut dice, &[(name, array), ("b.npy", other)]);
        let read =
            [None, Some("a"), Some("c")].map(|wanted| read_archive::<Real>(&archive, wanted));
        let problems = read.into_iter().filter_map(Result::err);
        for problem in problems.chain(refused.into_iter().flatten()) {
            assert!(!problem.to_string().is_empty(), "PEREGRINE_SEED={seed}");
        }
    }
    assert!(
        accepted > 0 && accepted < 2 * cases as usize,
        "{accepted} of {cases}"
    );
}
