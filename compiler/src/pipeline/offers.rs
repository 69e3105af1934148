//! Offers: circuits of one network among which predicted seconds decide, once their keys are chosen.

use super::attempt::Candidate;
use super::{CompileError, Config};
use crate::passes::keys::{self, KeyError, KeyedCircuit};
use crate::placement::RefreshReport;
use peregrine_ir::{Circuit, Remark};

/// How a circuit does with the modulus that its ring has.
pub(super) enum Way {
    /// In one ring.
    OneRing,
    /// At half the degree from some node on; with a remark on it.
    HalfTheDegree(String),
    /// With refreshes.
    Refreshed(Box<RefreshReport>),
}

/// A circuit, before circuit passes, for which keys are worth choosing.
pub(super) struct Offer {
    circuit: Circuit,
    /// Predicted seconds with a key for each rotation.
    seconds: f64,
    way: Way,
}

impl Offer {
    /// Predicted seconds with a key for each rotation.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    pub(super) fn new(candidate: Candidate, way: Way) -> Self {
        Self {
            circuit: candidate.circuit,
            seconds: candidate.seconds,
            way,
        }
    }
}

/// The fastest circuit with its keys, and its refreshes if it has any.
pub(super) struct Taken {
    pub(super) keyed: KeyedCircuit,
    pub(super) refreshes: Option<RefreshReport>,
}

/// Chooses keys for each circuit that may turn out the fastest, and returns the fastest of those whose keys fit the budget; the first
/// of several that are as fast.
///
/// # Errors
/// When no circuit has keys that fit.
pub(super) fn with_keys(mut offers: Vec<Offer>, config: &Config) -> Result<Taken, CompileError> {
    offers.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let (mut best, mut refused): (Option<(KeyedCircuit, Way)>, Option<KeyError>) = (None, None);
    let mut others = Vec::new();
    for Offer {
        circuit,
        seconds,
        way,
    } in offers
    {
        // Fewer keys make no run faster.
        if let Some((known, _)) = &best
            && known.shared_seconds() <= seconds
        {
            break;
        }
        match keys::choose_keys(circuit, config.having(), config.key_budget) {
            Ok(found) => match best.take() {
                Some((known, other)) if known.shared_seconds() <= found.shared_seconds() => {
                    others.push((way, found.chosen.seconds));
                    best = Some((known, other));
                }
                known => {
                    others.extend(known.map(|(known, way)| (way, known.chosen.seconds)));
                    best = Some((found, way));
                }
            },
            Err(error @ KeyError::Budget { .. }) => refused = Some(refused.unwrap_or(error)),
            Err(error) => return Err(error.into()),
        }
    }
    match (best, refused) {
        (Some((keyed, way)), _) => Ok(taken(keyed, way, &others)),
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(CompileError::NoDegree),
    }
}

/// The circuit that is taken, with remarks on its way in front of the others, and on what others led to.
fn taken(mut keyed: KeyedCircuit, way: Way, others: &[(Way, f64)]) -> Taken {
    let mut texts = match &way {
        Way::OneRing => Vec::new(),
        Way::HalfTheDegree(reason) => vec![reason.clone()],
        Way::Refreshed(report) => report.sentences(),
    };
    for (other, seconds) in others {
        match other {
            Way::HalfTheDegree(reason) => texts.push(format!(
                "not taken, because with keys it takes {seconds:.2} s: {reason}"
            )),
            Way::Refreshed(_) => texts.push(format!(
                "values are not refreshed, because with keys it takes {seconds:.2} s"
            )),
            Way::OneRing if matches!(way, Way::Refreshed(_)) => texts.push(format!(
                "without refreshes it takes {seconds:.2} s in one ring of this degree"
            )),
            Way::OneRing => {}
        }
    }
    let remarks = texts.into_iter().map(|text| Remark { node: None, text });
    keyed.circuit.remarks.splice(0..0, remarks);
    Taken {
        keyed,
        refreshes: match way {
            Way::Refreshed(report) => Some(*report),
            _ => None,
        },
    }
}
