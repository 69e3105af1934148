//! The built-in profile, for where none is given: two cores of an AMD EPYC with AVX-512 IFMA, as `peregrine bench
//! --profile-out` measured them.

use super::Rates;
use std::collections::BTreeMap;

/// Bytes read and written per second when memory is copied.
pub(super) const BYTES_PER_SECOND: f64 = 2.17e10;

/// Threads of the measurement.
pub(super) const THREADS: usize = 2;

/// Rates at degree 2^13.
pub(super) const RATES_13: Rates = Rates {
    transform: 7.77e-6,
    add: 1.02e-6,
    multiply: 1.59e-6,
    accumulate: 4.75e-7,
    key_product: 7.45e-6,
    convert: 8.00e-7,
    fill: 2.22e-5,
    encode_fixed: 2.82e-5,
    encode_limb: 8.40e-6,
    read: 5.80e-6,
};

/// Rates at degree 2^14.
const RATES_14: Rates = Rates {
    transform: 1.45e-5,
    add: 1.92e-6,
    multiply: 3.00e-6,
    accumulate: 9.70e-7,
    key_product: 1.31e-5,
    convert: 1.24e-6,
    fill: 5.50e-5,
    encode_fixed: 5.64e-5,
    encode_limb: 1.45e-5,
    read: 9.20e-6,
};

/// Rates at degree 2^15.
const RATES_15: Rates = Rates {
    transform: 3.01e-5,
    add: 3.59e-6,
    multiply: 6.03e-6,
    accumulate: 2.49e-6,
    key_product: 3.70e-5,
    convert: 2.70e-6,
    fill: 1.21e-4,
    encode_fixed: 1.18e-4,
    encode_limb: 2.90e-5,
    read: 1.81e-5,
};

/// Rates at degree 2^16.
const RATES_16: Rates = Rates {
    transform: 6.48e-5,
    add: 2.06e-5,
    multiply: 2.65e-5,
    accumulate: 4.80e-6,
    key_product: 7.49e-5,
    convert: 5.10e-6,
    fill: 2.46e-4,
    encode_fixed: 2.43e-4,
    encode_limb: 6.20e-5,
    read: 4.13e-5,
};

/// The measured rates by log2 of the ring degree.
pub(super) fn degrees() -> BTreeMap<u32, Rates> {
    [
        (13, RATES_13),
        (14, RATES_14),
        (15, RATES_15),
        (16, RATES_16),
    ]
    .into()
}
