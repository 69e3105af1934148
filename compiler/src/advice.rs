//! What would make a network fit that no parameters hold.
//!
//! Each answer was tried: by the demands of a circuit that did not fit, where one was made; otherwise by what no circuit can do
//! without ([`crate::manage::possible`]), which is necessary and may not be enough.

use crate::manage::parameters::ParameterError;
use crate::pipeline::{Config, Session};
use crate::precision::LEAST_BITS;
use peregrine_ir::{RingTable, Security};

/// What would help; nothing where it would not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WaysOut {
    /// The smallest ring degree beyond those that were allowed, as a logarithm.
    pub log_n: Option<u32>,
    /// The most bits per operation that there are parameters for.
    pub operation_bits: Option<u32>,
    /// Bits that are missing even with the fewest bits per operation.
    pub missing_at_least_bits: Option<f64>,
    /// The largest allowed degree, where it would do without security.
    pub insecure_log_n: Option<u32>,
    /// About how many products of ciphertexts one after the other fit, and how many there are.
    pub products: Option<(u32, u32)>,
    /// Whether a circuit was made, so that the answers are about that.
    pub is_tried: bool,
}

impl WaysOut {
    /// Tries larger rings, fewer bits and no security.
    pub fn search(session: &Session, config: &Config, error: &ParameterError) -> Self {
        if config.like.is_some() {
            // Other parameters are not asked for.
            return Self::default();
        }
        let most = *config.log_n.end();
        let fits = |config: &Config, log_n| session.fits(config, log_n).is_ok();
        let with_bits = |precision_bits| Config {
            precision_bits,
            ..config.clone()
        };
        let insecure = Config {
            security: Security::None,
            ..config.clone()
        };
        let fewer = LEAST_BITS..config.precision_bits.max(LEAST_BITS);
        let least = session.fits(&with_bits(LEAST_BITS), most);
        Self {
            log_n: (most + 1..=*RingTable::LOG_N.end()).find(|&log_n| fits(config, log_n)),
            operation_bits: fewer.rev().find(|&bits| fits(&with_bits(bits), most)),
            missing_at_least_bits: least.err().and_then(|error| error.missing_bits()),
            insecure_log_n: fits(&insecure, most).then_some(most),
            products: held(error),
            is_tried: session.is_tried(),
        }
    }
}

/// How many of the products fit: the path shortened in proportion, beside what every network needs.
fn held(error: &ParameterError) -> Option<(u32, u32)> {
    let ParameterError::Depth {
        path, bits, limit, ..
    } = error
    else {
        return None;
    };
    let along = f64::from(path.bits);
    let share = ((limit - (bits - along)) / along).clamp(0.0, 1.0);
    Some(((share * f64::from(path.products)) as u32, path.products))
}
