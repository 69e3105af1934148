//! One refusal per check, and what is accepted.

use super::*;

/// Primes that are 1 modulo 2^10.
fn literal() -> ParametersLiteral {
    ParametersLiteral {
        log_n: 5,
        pool: vec![12289, 13313, 15361],
        special: vec![18433, 19457],
        digits: vec![vec![0, 1], vec![2]],
        rows: vec![vec![0], vec![1, 0], vec![2, 0, 1]],
    }
}

fn refusal(change: impl FnOnce(&mut ParametersLiteral)) -> ParametersError {
    let mut literal = literal();
    change(&mut literal);
    Parameters::new(literal).unwrap_err()
}

#[test]
fn rows_are_sets_whatever_their_order() {
    let parameters = Parameters::new(literal()).unwrap();
    assert_eq!(parameters.row(1).unwrap().primes(), [0, 1]);
    assert_eq!(parameters.extended_row(1).unwrap().primes(), [0, 1, 3, 4]);
    assert_eq!(
        parameters.row(3).unwrap_err(),
        ParametersError::Level { level: 3, count: 3 }
    );
    assert_eq!(
        parameters
            .digits_of(parameters.row(0).unwrap())
            .collect::<Vec<_>>(),
        [(0, RnsBasis::new([0]))]
    );
}

#[test]
fn primes_are_checked() {
    use ParametersError::*;
    let prime = 1_501_199_875_801_089;
    assert!(UNSAFE_PRIMES.contains(&prime));
    assert_eq!(refusal(|l| l.pool[0] = prime), UnsafePrime { prime });
    assert_eq!(
        refusal(|l| l.pool[0] = (1 << 51) - 1),
        UnsafePrime {
            prime: (1 << 51) - 1
        }
    );
    assert_eq!(
        refusal(|l| l.pool[0] = UNSAFE_PRIMES.start),
        UnsafePrime {
            prime: UNSAFE_PRIMES.start
        }
    );
    assert_eq!(
        refusal(|l| l.pool[0] = UNSAFE_PRIMES.start - 1),
        LargePrime {
            prime: UNSAFE_PRIMES.start - 1
        }
    );
    assert_eq!(
        refusal(|l| l.pool[0] = 1 << 50),
        LargePrime { prime: 1 << 50 }
    );
    assert_eq!(
        refusal(|l| l.special[0] = 12291),
        Composite { value: 12291 }
    );
    assert_eq!(
        refusal(|l| l.special[0] = 12289 + 4),
        Composite { value: 12293 }
    );
    assert_eq!(
        refusal(|l| l.special[0] = 101),
        RootOfUnity {
            prime: 101,
            order: 64
        }
    );
    assert_eq!(
        refusal(|l| l.special[0] = 12289),
        RepeatedPrime { prime: 12289 }
    );
    assert_eq!(refusal(|l| l.log_n = 2), Degree { log_n: 2 });
    assert_eq!(refusal(|l| l.log_n = 18), Degree { log_n: 18 });
}

#[test]
fn rows_and_digits_are_checked() {
    use ParametersError::*;
    assert_eq!(refusal(|l| l.rows.clear()), NoLevels);
    assert_eq!(
        refusal(|l| l.rows[1].clear()),
        EmptySet {
            set: PrimeSet::Level(1)
        }
    );
    assert_eq!(
        refusal(|l| l.rows[1][0] = 3),
        PrimeIndex {
            set: PrimeSet::Level(1),
            index: 3,
            count: 3
        }
    );
    assert_eq!(
        refusal(|l| l.rows[1][1] = 1),
        RepeatedIndex {
            set: PrimeSet::Level(1),
            index: 1
        }
    );
    assert_eq!(refusal(|l| l.digits.truncate(1)), NotInDigit { index: 2 });
    assert_eq!(
        refusal(|l| l.digits[1].push(0)),
        RepeatedIndex {
            set: PrimeSet::Digit(1),
            index: 0
        }
    );
    assert_eq!(
        refusal(|l| l.digits.clear()),
        HalfKeySwitching {
            digits: 0,
            special: 2
        }
    );
    assert_eq!(
        refusal(|l| l.special.clear()),
        HalfKeySwitching {
            digits: 2,
            special: 0
        }
    );
}

#[test]
fn special_primes_must_outweigh_every_digit_in_use() {
    let error = refusal(|l| l.special.truncate(1));
    assert!(
        matches!(
            error,
            ParametersError::SmallSpecial {
                digit: 0,
                level: 1,
                ..
            }
        ),
        "{error}"
    );
    let mut unused = literal();
    unused.special.truncate(1);
    unused.rows = vec![vec![0], vec![1, 2]];
    assert!(Parameters::new(unused).is_ok());
}

#[test]
fn parameters_without_key_switching_need_no_digits() {
    let plain = ParametersLiteral {
        special: vec![],
        digits: vec![],
        ..literal()
    };
    assert!(Parameters::new(plain).is_ok());
}
