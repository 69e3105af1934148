//! The rule on numbers.

use super::*;

fn deviation(largest: f64, bits: f64) -> Deviation {
    Deviation {
        error: largest * (-bits).exp2(),
        largest,
    }
}

fn expectation(magnitude: f64, origin: Origin) -> Expectation {
    Expectation {
        magnitude,
        noise: 1e-4,
        origin,
    }
}

/// A good answer.
fn reading() -> Reading {
    let spread = |slots| Spread {
        deviation: 0.8e-4,
        slots,
    };
    Reading {
        elements: 10,
        largest: 7.5,
        limit: 512.0,
        zeros: spread(4000),
        replicas: spread(0),
        imaginary: spread(4096),
        largest_imaginary: 3e-4,
        imaginary_limit: None,
    }
}

fn faults(reading: Reading, origin: Origin) -> Vec<String> {
    let expected = expectation(8.0, origin);
    let fault = reading.fault("y", Some(&expected));
    fault.iter().map(ToString::to_string).collect()
}

#[test]
fn precision_within_the_tolerance_is_no_fault() {
    let predicted = Some(deviation(3.0, 12.0));
    for good in [14.0, 12.0, 10.0, 6.5] {
        assert_eq!(imprecise("y", deviation(5.0, good), predicted), None);
    }
    let bad = imprecise("y", deviation(5.0, 5.5), predicted).unwrap();
    assert_eq!(
        bad.to_string(),
        "output `y`: 5.5 bits of the largest value are right, 12.0 are predicted"
    );
    assert_eq!(imprecise("y", deviation(5.0, 5.5), None), None);
}

#[test]
fn less_than_a_bit_is_a_fault_whatever_was_predicted() {
    for predicted in [None, Some(deviation(1.0, 0.5)), Some(deviation(1.0, 20.0))] {
        let fault = imprecise("y", deviation(4.0, 0.5), predicted);
        assert!(matches!(fault, Some(Fault::Drowned { .. })), "{fault:?}");
        let none = imprecise("y", deviation(4.0, f64::NEG_INFINITY), predicted);
        assert!(matches!(none, Some(Fault::Drowned { .. })));
    }
    let exact = Deviation::default();
    assert_eq!(imprecise("y", exact, Some(exact)), None);
}

#[test]
fn a_good_answer_has_no_faults() {
    for origin in Origin::ALL {
        assert_eq!(faults(reading(), origin), [""; 0]);
    }
    assert_eq!(reading().fault("y", None), None);
}

#[test]
fn noise_far_above_the_predicted_is_a_fault() {
    let loud = Spread {
        deviation: 0.01,
        slots: 4000,
    };
    let zeros = Reading {
        zeros: loud,
        ..reading()
    };
    let said = "output `y`: noise of 0.0100 in slots that hold nothing, 2^-13.3 is predicted";
    assert_eq!(faults(zeros, Origin::Assumed), [said]);
    let replicas = Reading {
        replicas: loud,
        ..reading()
    };
    let said = "output `y`: noise of 0.0100 in replicas of the same values, 2^-13.3 is predicted";
    assert_eq!(faults(replicas, Origin::Assumed), [said]);
}

#[test]
fn imaginary_parts_count_only_where_nothing_else_tells() {
    let loud = Spread {
        deviation: 5.0,
        slots: 4096,
    };
    let packed = Reading {
        imaginary: loud,
        ..reading()
    };
    assert_eq!(faults(packed, Origin::Calibrated), [""; 0]);
    let full = Reading {
        zeros: Spread::default(),
        ..packed
    };
    let found = faults(full, Origin::Calibrated);
    assert!(found[0].contains("imaginary parts"), "{found:?}");
}

#[test]
fn values_beyond_what_is_expected_are_a_fault_where_someone_vouches() {
    let far = Reading {
        largest: 33.0,
        ..reading()
    };
    assert_eq!(faults(far, Origin::Assumed), [""; 0]);
    assert_eq!(
        faults(far, Origin::Calibrated),
        ["output `y` reaches 33.0000, no more than 8.0000 is expected (seen in calibration)"]
    );
}

#[test]
fn what_the_modulus_does_not_hold_is_a_fault_unless_zeros_show_that_it_does() {
    let large = Reading {
        largest: 600.0,
        ..reading()
    };
    assert_eq!(faults(large, Origin::Assumed), [""; 0]);
    let full = Reading {
        zeros: Spread::default(),
        replicas: reading().zeros,
        ..large
    };
    assert_eq!(
        faults(full, Origin::Assumed),
        ["output `y` reaches 600.0000, the modulus holds values below 512.0000"]
    );
    // Close to it others may have wrapped around.
    let close = |largest| Reading { largest, ..full };
    let said = "output `y` reaches 40.0000, no more than 8.0000 is expected (assumed)";
    assert_eq!(faults(close(40.0), Origin::Assumed), [said]);
    assert_eq!(faults(close(30.0), Origin::Assumed), [""; 0]);
    // Fewer zeros than half show too little.
    let few = Reading {
        zeros: Spread {
            slots: 1000,
            ..reading().zeros
        },
        ..large
    };
    assert_eq!(faults(few, Origin::Assumed).len(), 1);
}

#[test]
fn noise_that_only_a_wrapped_message_leaves_is_a_fault_without_a_prediction() {
    let wrapped = Reading {
        zeros: Spread {
            deviation: 300.0,
            slots: 4000,
        },
        ..reading()
    };
    assert_eq!(
        wrapped.fault("y", None).unwrap().to_string(),
        "output `y`: noise of 300.0000 in slots that hold nothing: the message has wrapped around its modulus"
    );
}

#[test]
fn an_answer_as_small_as_its_noise_is_a_fault() {
    let small = Reading {
        largest: 2e-4,
        ..reading()
    };
    let found = faults(small, Origin::Calibrated);
    assert!(found[0].contains("less than one bit"), "{found:?}");
    // Without an expectation the measured noise decides.
    assert!(matches!(
        small.fault("y", None),
        Some(Fault::Drowned { .. })
    ));
    // Nothing is expected of an output that is zero.
    let zero = expectation(0.0, Origin::Asked);
    assert_eq!(small.fault("y", Some(&zero)), None);
}

#[test]
fn noise_of_far_larger_values_that_nobody_vouches_for_is_not_that_of_an_answer() {
    let expected = |origin| Expectation {
        noise: 5000.0,
        ..expectation(6e7, origin)
    };
    let good = reading().fault("y", Some(&expected(Origin::Assumed)));
    assert_eq!(good, None);
    let vouched = reading().fault("y", Some(&expected(Origin::Calibrated)));
    assert!(
        matches!(vouched, Some(Fault::Drowned { .. })),
        "{vouched:?}"
    );
    let small = Reading {
        largest: 2e-4,
        ..reading()
    };
    let drowned = small.fault("y", Some(&expected(Origin::Assumed)));
    assert!(
        matches!(drowned, Some(Fault::Drowned { .. })),
        "{drowned:?}"
    );
}

#[test]
fn what_is_no_number_is_a_fault() {
    let nan = Reading {
        largest: f64::NAN,
        ..reading()
    };
    assert!(nan.fault("y", None).is_some());
    let place = Place::Node("conv".into());
    let said = overflow(place, f64::INFINITY, 512.0).unwrap().to_string();
    assert_eq!(
        said,
        "node `conv` reaches no number, the modulus holds values below 512.0000"
    );
}

#[test]
fn headroom_for_a_value_has_a_sign_and_a_margin() {
    let found = [0.25, 511.0, 3e4, 1e38].map(headroom_bits);
    assert_eq!(found, [Some(2), Some(12), Some(18), None]);
}

#[test]
fn imaginary_parts_beyond_their_limit_tell_of_refreshes() {
    let told = |largest_imaginary| Reading {
        largest_imaginary,
        imaginary_limit: Some(2.0),
        // Noise is no matter of imaginary parts then.
        imaginary: Spread {
            deviation: 1.0,
            slots: 4096,
        },
        zeros: Spread::default(),
        ..reading()
    };
    let expected = expectation(8.0, Origin::Calibrated);
    assert_eq!(told(1.9).fault("y", Some(&expected)), None);
    for changed in [2.1, 1e9, f64::NAN] {
        let fault = told(changed).fault("y", Some(&expected)).unwrap();
        assert!(
            matches!(fault, Fault::Refresh { limit: 2.0, .. }),
            "{fault}"
        );
    }
}
