//! Moduli: primes for the rings of a circuit, and how long they and the scales beside them have to be.

pub(crate) mod bits;
pub mod primes;
pub mod scale_bits;
