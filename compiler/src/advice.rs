//! Advice for a network that no parameters hold: which changes would make it fit.
//!
//! Each answer was tried: by the demands of a circuit that did not fit, where one was made; otherwise by the bits that every
//! circuit needs ([`crate::manage::possible`]), which is necessary and may not be enough.

use crate::manage::parameters::ParameterError;
use crate::pipeline::{Config, Session};
use crate::precision::LEAST_BITS;
use peregrine_ir::{RingTable, Security};

/// The changes that would make a network fit; a field is none where its change would not help.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WaysOut {
    /// log2 of the smallest ring degree above the allowed ones that would do.
    pub log_n: Option<u32>,
    /// The largest number of bits per operation for which there are parameters.
    pub operation_bits: Option<u32>,
    /// Bits that are missing even with the smallest number of bits per operation.
    pub missing_at_least_bits: Option<f64>,
    /// log2 of the largest allowed degree, where it would do without security.
    pub insecure_log_n: Option<u32>,
    /// About how many products of ciphertexts in a row fit, and how many the network has.
    pub products: Option<(u32, u32)>,
    /// Whether the answers are about a circuit that was made.
    pub is_tried: bool,
}

impl WaysOut {
    /// Looks for changes that would make the network fit: larger rings, fewer bits per operation, and no security.
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

/// About how many of the products in a row fit: the path shortened in proportion, beside what every network needs.
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
