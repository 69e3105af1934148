//! The profile that is used where none is given: one core of an Intel Xeon with AVX-512 IFMA, as `peregrine bench --profile-out`
//! measured it.

use super::Rates;
use std::collections::BTreeMap;

/// Bytes read and written per second when memory is copied.
pub(super) const BYTES_PER_SECOND: f64 = 2.45e10;

/// At degree 2^13.
pub(super) const RATES_13: Rates = Rates {
    transform: 1.12e-5,
    add: 5.67e-6,
    multiply: 1.14e-5,
    accumulate: 5.50e-6,
    key_product: 2.35e-5,
    convert: 1.17e-5,
    encode_fixed: 4.38e-5,
    encode_limb: 2.98e-5,
    expand: 1.90e-4,
};

/// At degree 2^14.
const RATES_14: Rates = Rates {
    transform: 2.64e-5,
    add: 1.33e-5,
    multiply: 2.48e-5,
    accumulate: 1.13e-5,
    key_product: 4.80e-5,
    convert: 1.82e-5,
    encode_fixed: 8.89e-5,
    encode_limb: 5.61e-5,
    expand: 3.96e-4,
};

/// At degree 2^15.
const RATES_15: Rates = Rates {
    transform: 5.94e-5,
    add: 3.02e-5,
    multiply: 5.70e-5,
    accumulate: 2.66e-5,
    key_product: 1.05e-4,
    convert: 3.25e-5,
    encode_fixed: 1.70e-4,
    encode_limb: 1.26e-4,
    expand: 8.33e-4,
};

/// At degree 2^16.
const RATES_16: Rates = Rates {
    transform: 1.31e-4,
    add: 6.90e-5,
    multiply: 1.47e-4,
    accumulate: 5.37e-5,
    key_product: 3.32e-4,
    convert: 8.77e-5,
    encode_fixed: 3.61e-4,
    encode_limb: 2.86e-4,
    expand: 1.75e-3,
};

/// By log2 of the ring degree.
pub(super) fn degrees() -> BTreeMap<u32, Rates> {
    [
        (13, RATES_13),
        (14, RATES_14),
        (15, RATES_15),
        (16, RATES_16),
    ]
    .into()
}
