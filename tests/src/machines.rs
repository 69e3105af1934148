//! Models of machines that do not exist: some passes take long, so that what the compiler does about them shows.

use peregrine_ir::cost::{CostModel, Machine, Profile, ProfileError, Rates};

/// A machine on which passes at a ring degree of `2^log_n`, and by scaling at others, take this long.
///
/// # Errors
/// When a rate is not finite or not positive.
pub fn machine(log_n: u32, rates: Rates) -> Result<CostModel, ProfileError> {
    CostModel::new(Profile {
        version: Profile::VERSION,
        machine: Machine {
            cores: 1,
            kernels: "portable".to_owned(),
        },
        threads: 1,
        bytes_per_second: 1e10,
        degrees: [(log_n, rates)].into(),
    })
}
