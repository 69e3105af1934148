use super::*;
use crate::{Arena, Basis, Form, Prime, RingId};

/// A prime for each level, digits of two and three special primes; nothing here asks for values of primes.
fn ring(depth: u32) -> RingTable {
    let primes: Arena<Prime, u64> = (0..=depth).map(|_| 1 << 40).collect();
    let names: Vec<Prime> = primes.keys().collect();
    let rows = (1..=names.len()).map(|n| names[..n].to_vec()).collect();
    let digits = names.chunks(2).map(<[Prime]>::to_vec).collect();
    let special = (0..3).map(|_| 1 << 49).collect();
    RingTable::of_one_ring((14, 30), (primes, special), rows, digits)
}

fn profile() -> Profile {
    let rates = Rates {
        transform: 3.5e-5,
        add: 2e-6,
        multiply: 4e-6,
        accumulate: 3e-6,
        key_product: 8.125e-6,
        convert: 4e-6,
        fill: 1e-4,
        encode_fixed: 4e-4,
        encode_limb: 4.5e-5,
        read: 3e-4,
    };
    Profile {
        version: Profile::VERSION,
        machine: Machine {
            cores: 2,
            kernels: "avx2".to_owned(),
        },
        threads: 2,
        bytes_per_second: 1.25e10,
        degrees: [(14, rates)].into(),
    }
}

fn json() -> String {
    serde_json::to_string(&profile()).unwrap()
}

#[test]
fn a_profile_survives_its_file() {
    assert_eq!(Profile::parse(&json()), Ok(profile()));
    assert!(CostModel::new(profile()).is_ok());
}

#[test]
fn files_that_are_no_profile_are_refused_by_field() {
    let refused = |json: &str| Profile::parse(json).unwrap_err().to_string();
    let check = |json: &str, expected: &str| {
        let found = refused(json);
        assert!(found.contains(expected), "{found}, not {expected}");
    };
    check("", "no machine profile");
    check("[]", "no machine profile");
    check(
        &json().replace("\"convert\"", "\"converts\""),
        "unknown field `converts`",
    );
    check(&json().replace("\"add\":2e-6,", ""), "missing field `add`");
    check(
        &json().replace("\"add\":2e-6,", "\"add\":null,"),
        "expected f64",
    );
    check(&json().replace("2e-6", "NaN"), "no machine profile");
    check(&json().replace("2e-6", "1e999"), "number out of range");
    check(&json().replace("\"14\"", "\"many\""), "no machine profile");
    check(
        &json().replace("\"version\":2", "\"version\":1"),
        "version 1, expected version 2",
    );
    check(
        &json().replace("\"version\":2,", ""),
        "missing field `version`",
    );
}

#[test]
fn numbers_that_no_measurement_gives_are_refused_by_field() {
    type Change = fn(&mut Profile, f64);
    let fields: [(Change, &str); 3] = [
        (|p, x| p.bytes_per_second = x, "`bytes_per_second`"),
        (
            |p, x| p.degrees.get_mut(&14).unwrap().transform = x,
            "`degrees.14.transform`",
        ),
        (
            |p, x| p.degrees.get_mut(&14).unwrap().encode_limb = x,
            "`degrees.14.encode_limb`",
        ),
    ];
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-6, 0.0] {
        for (change, field) in fields {
            let mut profile = profile();
            change(&mut profile, value);
            let error = CostModel::new(profile).unwrap_err();
            assert!(matches!(error, ProfileError::Number { .. }), "{error}");
            assert!(error.to_string().contains(field), "{error}");
        }
    }
    let with = |degrees| {
        CostModel::new(Profile {
            degrees,
            ..profile()
        })
    };
    assert_eq!(with(BTreeMap::new()), Err(ProfileError::NoDegrees));
    let rates = profile().degrees[&14];
    assert_eq!(
        with([(60, rates)].into()),
        Err(ProfileError::Degree { log_n: 60 })
    );
    let idle = Profile {
        threads: 0,
        ..profile()
    };
    assert_eq!(CostModel::new(idle), Err(ProfileError::NoThreads));
    let found = Profile {
        version: 7,
        ..profile()
    };
    assert_eq!(
        CostModel::new(found),
        Err(ProfileError::Version { found: 7 })
    );
}

#[test]
fn the_built_in_profile_is_sound() {
    let CostModel {
        machine,
        threads,
        bytes_per_second,
        degrees,
    } = CostModel::default();
    let profile = Profile {
        version: Profile::VERSION,
        machine,
        threads,
        bytes_per_second,
        degrees,
    };
    assert_eq!(CostModel::new(profile), Ok(CostModel::default()));
}

#[test]
fn everything_costs_more_at_a_higher_level() {
    let (ring, model) = (ring(9), CostModel::new(profile()).unwrap());
    let prices = |level: u32| {
        let phases = model.phases(&ring, Level(level));
        let lower = model.phases(&ring, Level(level - 1));
        [
            phases.add(Form::Normal),
            phases.add_plain(Form::Extended),
            phases.multiply_plain(Form::Product),
            phases.dot(Form::Normal, 5),
            phases.multiply(),
            phases.multiply_monomial(Form::Normal),
            phases.decompose(),
            phases.key_product(),
            phases.mod_down(),
            phases.key_switch(),
            phases.rescale(Form::Normal, &lower),
            phases.drop_level(Form::Normal, &lower),
            phases.encode(Basis::Extended, 1.0),
            phases.key_load(),
        ]
    };
    for level in 2..10 {
        let (low, high) = (prices(level - 1), prices(level));
        for (i, (low, high)) in low.iter().zip(&high).enumerate() {
            assert!(
                low < high,
                "price {i} at level {level}: {high}, below {low}"
            );
        }
    }
}

#[test]
fn phases_count_as_the_engine_computes() {
    let mut profile = profile();
    let rates = profile.degrees.get_mut(&14).unwrap();
    // Nothing but transforms has a price that shows.
    *rates = Rates {
        transform: 1.0,
        add: 1e-12,
        multiply: 1e-12,
        accumulate: 1e-12,
        key_product: 1e-12,
        convert: 1e-12,
        fill: 1e-12,
        encode_fixed: 1e-12,
        encode_limb: 1.0,
        read: 1e-12,
    };
    let (ring, model) = (ring(9), CostModel::new(profile).unwrap());
    let (k, s, d) = (
        10.0,
        ring.special.len() as f64,
        ring.view(RingId(0)).digits().len() as f64,
    );
    let (phases, lower) = (model.phases(&ring, Level(9)), model.phases(&ring, Level(8)));
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}");
    close(phases.decompose(), d * (k + s));
    close(phases.mod_down(), 2.0 * (k + s));
    close(phases.rescale(Form::Normal, &lower), 2.0 * k);
    close(phases.rescale(Form::Product, &lower), 3.0 * k);
    close(phases.encode(Basis::Extended, 1.0), k + s);
}

#[test]
fn other_degrees_are_scaled_from_the_nearest() {
    let model = CostModel::new(profile()).unwrap();
    let (known, larger) = (model.rates(14), model.rates(16));
    assert_eq!(known, profile().degrees[&14]);
    assert_eq!(larger.add, 4.0 * known.add);
    assert!((larger.transform / known.transform - 4.0 * 16.0 / 14.0).abs() < 1e-12);
}

#[test]
fn prices_are_looked_up_from_the_top() {
    let (ring, model) = (ring(3), CostModel::default());
    let prices = model.prices(&ring);
    for depth in 0..6u32 {
        let level = Level(3u32.saturating_sub(depth));
        assert_eq!(
            *prices.after(depth),
            model.phases(&ring, level).linear(),
            "{depth}"
        );
    }
}
