//! The search on laws of precision that are given.

use super::*;
use crate::manage::parameters::MAX_BASE_BITS;

/// Searches where `b` bits per operation give `precision(b)` and have parameters if they are in a range. Returns the
/// bits per operation that are found, and those that were tried.
fn search(
    asked: u32,
    possible: std::ops::RangeInclusive<u32>,
    precision: impl Fn(u32) -> f64,
) -> (Result<u32, SearchError<()>>, Vec<u32>) {
    search_rings(asked, possible, precision, |_| 13)
}

/// Searches like [`search`], with ring degrees that depend on the bits.
fn search_rings(
    asked: u32,
    possible: std::ops::RangeInclusive<u32>,
    precision: impl Fn(u32) -> f64,
    log_n: impl Fn(u32) -> u32,
) -> (Result<u32, SearchError<()>>, Vec<u32>) {
    let mut search = PrecisionSearch::new(asked);
    let mut tried = Vec::new();
    while let Some(bits) = search.next() {
        assert!(!tried.contains(&bits), "{bits} again, after {tried:?}");
        tried.push(bits);
        if possible.contains(&bits) {
            let form = Form {
                log_n: log_n(bits),
                is_refreshed: false,
            };
            search.judged(bits, (precision(bits), form), ());
        } else if bits < *possible.start() {
            search.refused(bits, ParameterError::Primes { log_n: 14 }.into());
        } else {
            let needed = MAX_BASE_BITS + bits - possible.end();
            search.refused(bits, ParameterError::Precision { log_n: 14, needed }.into());
        }
    }
    (search.finish().map(|found| found.internal_bits), tried)
}

#[test]
fn the_fewest_bits_are_found_in_two_trials_where_errors_halve() {
    for asked in 4..30 {
        for gain in [-7.3, -1.0, 0.0, 0.4, 3.9, 9.5] {
            let (found, tried) = search(asked, 1..=60, |b| f64::from(b) + gain);
            let expected = (f64::from(asked) - gain).ceil() as u32;
            let expected = expected.max(LEAST_BITS);
            assert_eq!(found, Ok(expected), "{asked} {gain}: {tried:?}");
            assert!(tried.len() <= 2, "{asked} {gain}: {tried:?}");
        }
    }
}

#[test]
fn what_is_found_is_enough_where_other_rings_change_the_noise() {
    // A ring twice as large, and with it another draw of the noise, from 14 bits on.
    let law = |b: u32| f64::from(b) + if b < 14 { 1.2 } else { -0.9 };
    for asked in 4..30 {
        let (found, tried) = search(asked, 1..=60, law);
        assert!(law(found.unwrap()) >= f64::from(asked), "{tried:?}");
        assert!(tried.len() <= MAX_TRIALS, "{tried:?}");
    }
}

#[test]
fn too_few_primes_lead_upwards() {
    let (found, tried) = search(7, 9..=30, |b| f64::from(b) + 2.0);
    assert_eq!((found, tried), (Ok(9), vec![6, 7, 8, 9]));
}

#[test]
fn fewer_bits_in_a_larger_ring_are_not_taken() {
    let ring = |bits| if bits < 9 { 15 } else { 14 };
    let (found, tried) = search_rings(11, 1..=30, |b| f64::from(b) + 4.0, ring);
    assert_eq!((found, tried), (Ok(9), vec![10, 7, 8, 9]));
}

#[test]
fn keys_that_nearly_fit_lead_to_fewer_bits() {
    let refusal = |internal, least| Refusal::Keys {
        internal,
        error: KeyError::Budget {
            budget: 1000,
            least,
        },
    };
    assert!(refusal(9, 1500).is_near() && !refusal(9, 1501).is_near());
    let mut search = PrecisionSearch::new(10);
    assert_eq!(search.next(), Some(9));
    search.refused(9, refusal(9, 1100));
    assert_eq!(search.next(), Some(8));
    let form = Form {
        log_n: 13,
        is_refreshed: false,
    };
    search.judged(8, (10.2, form), ());
    assert_eq!(search.next(), None);
    let found = search.finish::<()>().unwrap();
    assert_eq!((found.internal_bits, found.trials), (8, 1));

    let mut search: PrecisionSearch<()> = PrecisionSearch::new(10);
    search.refused(9, refusal(9, 1100));
    let error = search.finish::<()>().unwrap_err();
    assert!(matches!(error, SearchError::Keys { internal: 9, .. }));
}

/// Where refreshes limit the precision they are made finer, and only then.
#[test]
fn refreshes_are_made_finer_where_operations_gain_nothing() {
    let found = |asked: u32, limit: f64, is_refreshed| {
        let mut search = PrecisionSearch::new(asked);
        let mut tried = Vec::new();
        while let Some(bits) = search.next() {
            let limit = limit + f64::from(search.finer);
            let form = Form {
                log_n: 16,
                is_refreshed,
            };
            tried.push((bits, search.finer));
            search.judged(bits, ((f64::from(bits) - 2.0).min(limit), form), ());
        }
        let found = search.finish::<()>();
        (
            found.map(|found| (found.internal_bits, found.refresh_bits)),
            tried,
        )
    };
    for asked in 7..12 {
        let (enough, _) = found(asked, f64::from(asked), true);
        assert_eq!(enough, Ok((asked + 2, 0)));
        for missing in [0.3, 1.5, 3.2] {
            let limit = f64::from(asked) - missing;
            let (enough, tried) = found(asked, limit, true);
            let (_, finer) = enough.unwrap();
            let least = missing.ceil() as u32;
            assert!((least..=least + 2).contains(&finer), "{tried:?}");
            assert!(tried.len() <= MAX_REFRESHED_TRIALS, "{tried:?}");
            let (refused, tried) = found(asked, limit, false);
            assert!(refused.is_err() && tried.iter().all(|t| t.1 == 0));
        }
    }
    let (refused, tried) = found(20, 10.0, true);
    assert!(refused.is_err(), "{tried:?}");
}

#[test]
fn what_is_out_of_reach_is_refused_with_the_bits_that_are_missing() {
    let reach = |asked| search(asked, 1..=20, |b| f64::from(b) - 2.5);
    assert_eq!(reach(17).0, Ok(20));
    for asked in [18, 19, 20, 25, 40] {
        let (found, tried) = reach(asked);
        let Err(SearchError::Precision(PrecisionError::Unreached {
            reached, internal, ..
        })) = found
        else {
            panic!("{asked}: {found:?}, {tried:?}");
        };
        assert_eq!((internal, reached), (20, 17.5), "{asked}: {tried:?}");
    }
    let (found, tried) = search(20, 1..=200, |_| f64::NEG_INFINITY);
    assert!(
        matches!(
            found,
            Err(SearchError::Precision(PrecisionError::Stalled { .. }))
        ),
        "{tried:?}"
    );
    let (found, _) = search(20, 100..=101, f64::from);
    assert!(matches!(found, Err(SearchError::Compile(_))), "{found:?}");
}
