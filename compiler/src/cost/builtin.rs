//! The profile that is used where none is given: one core of an Intel Xeon with AVX-512 IFMA, as `peregrine bench --profile-out`
//! measured it.

use super::Rates;
use std::collections::BTreeMap;

/// Bytes read and written per second when memory is copied.
pub(super) const BYTES_PER_SECOND: f64 = 2.47e10;

/// At degree 2^13.
pub(super) const RATES_13: Rates = Rates {
    transform: 1.15e-5,
    add: 1.31e-6,
    multiply: 1.92e-6,
    accumulate: 1.88e-6,
    key_product: 7.59e-6,
    convert: 1.36e-6,
    fill: 1.0e-4,
    encode_fixed: 4.72e-5,
    encode_limb: 1.42e-5,
    read: 1.15e-5,
};

/// At degree 2^14.
const RATES_14: Rates = Rates {
    transform: 2.45e-5,
    add: 5.88e-6,
    multiply: 9.75e-6,
    accumulate: 3.93e-6,
    key_product: 1.73e-5,
    convert: 1.42e-6,
    fill: 1.0e-4,
    encode_fixed: 9.32e-5,
    encode_limb: 3.02e-5,
    read: 2.29e-5,
};

/// At degree 2^15.
const RATES_15: Rates = Rates {
    transform: 5.16e-5,
    add: 1.70e-5,
    multiply: 2.64e-5,
    accumulate: 8.77e-6,
    key_product: 3.64e-5,
    convert: 2.90e-6,
    fill: 1.0e-4,
    encode_fixed: 1.81e-4,
    encode_limb: 6.57e-5,
    read: 4.61e-5,
};

/// At degree 2^16.
const RATES_16: Rates = Rates {
    transform: 1.11e-4,
    add: 3.54e-5,
    multiply: 5.36e-5,
    accumulate: 2.11e-5,
    key_product: 1.27e-4,
    convert: 9.33e-6,
    fill: 1.0e-4,
    encode_fixed: 4.02e-4,
    encode_limb: 1.41e-4,
    read: 9.44e-5,
};

/// Threads that worked.
pub(super) const THREADS: usize = 2;

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
