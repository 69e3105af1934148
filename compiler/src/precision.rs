//! The search for parameters that give the outputs a precision.
//!
//! [`Config::precision_bits`] is about single operations and relative to 1. What it leads to at the outputs depends on the
//! network, and is known by trial: a [judge](compile) says how many bits of the outputs of a circuit are right. An error at
//! the outputs halves with every bit of the operations, so the difference to what was asked for is the next correction.
//! That law is exact as long as circuits have the same form; each answer is judged itself.

use crate::manage::parameters::ParameterError;
use crate::passes::keys::KeyError;
use crate::pipeline::{CompileError, Compiled, Config, Session, Watch};
use crate::tensor::Graph;

/// Most circuits that are judged.
pub const MAX_TRIALS: usize = 4;
/// Most compilations that end without parameters.
const MAX_REFUSALS: usize = 6;
/// Fewest bits per operation that are tried: of primes as short as fewer need there are not enough for many levels.
pub const LEAST_BITS: u32 = 6;
/// Bits of precision that the guard bits of operations leave for networks to gain: the first guess.
const GAIN_BITS: u32 = 1;
/// Most bits by which a trial differs from the one before: judges may find no precision at all.
const MAX_STEP: f64 = 16.0;

/// A circuit that is as precise as was asked for.
#[derive(Clone, Debug)]
pub struct Found<T = Compiled> {
    /// The circuit.
    pub compiled: T,
    /// Bits of the outputs that are right, by the judge; infinite without any error.
    pub predicted_bits: f64,
    /// Bits after the point that operations leave: what the configuration had to ask for.
    pub internal_bits: u32,
    /// Circuits that were judged.
    pub trials: usize,
}

/// Compiles a graph so that `bits` bits of its outputs are right, with as few bits per operation as give them; those that
/// `config` asks for do not matter.
///
/// `judge` says how many bits of the outputs of a circuit are right: log2 of the largest output over the largest error.
/// With a judge that always says the same of the same circuit, the result is always the same.
///
/// # Errors
/// When no parameters give the precision, when the judge fails, and as for [`crate::pipeline::compile`].
pub fn compile<E>(
    graph: &Graph,
    config: &Config,
    bits: u32,
    judge: impl FnMut(&Compiled) -> Result<f64, E>,
) -> Result<Found, SearchError<E>> {
    let mut session = Session::new(graph, &config.without)
        .map_err(|error| SearchError::Compile(CompileError::Rewrite(error)))?;
    compile_in(&mut session, config, bits, judge, &|_, _| {})
}

/// The same for a network of which others may have been compiled.
///
/// # Errors
/// As for [`compile`].
pub fn compile_in<E>(
    session: &mut Session,
    config: &Config,
    bits: u32,
    mut judge: impl FnMut(&Compiled) -> Result<f64, E>,
    watch: Watch<'_>,
) -> Result<Found, SearchError<E>> {
    let mut search = Search::new(bits);
    while let Some(internal) = search.next() {
        let config = Config {
            precision_bits: internal,
            ..config.clone()
        };
        match session.compile(&config, watch) {
            Ok(compiled) => {
                let predicted = judge(&compiled).map_err(SearchError::Judge)?;
                let log_n = compiled.circuit.rings.largest_log_n();
                search.judged(internal, (predicted, log_n), compiled);
            }
            Err(CompileError::Parameters(error)) => search.refused(internal, error.into()),
            Err(CompileError::Keys(error)) => {
                let refusal = Refusal::Keys { internal, error };
                if !refusal.is_near() {
                    return Err(refusal.into());
                }
                search.refused(internal, refusal);
            }
            Err(error) => return Err(SearchError::Compile(error)),
        }
    }
    search.finish()
}

/// What is known of numbers of bits per operation. Searching for fewer than are known to be enough, or for more than are
/// known to be too few, it never asks for the same twice.
#[derive(Debug)]
struct Search<T> {
    asked: u32,
    trials: usize,
    refusals: usize,
    /// The most that are judged too few, and the precision they give.
    few: Option<(u32, f64)>,
    /// The fewest that are judged enough.
    enough: Option<Enough<T>>,
    /// The fewest that may have parameters.
    least: u32,
    /// The fewest that are too many for any parameters.
    most: Option<u32>,
    /// The last refusal.
    refusal: Option<Refusal>,
}

/// Why bits per operation are too many, or too few.
#[derive(Clone, Debug)]
enum Refusal {
    /// There are no parameters for them.
    Parameters(ParameterError),
    /// Evaluation keys are too large with them.
    Keys {
        /// The bits.
        internal: u32,
        /// By how much.
        error: KeyError,
    },
}

impl Refusal {
    /// Whether fewer bits may change it: keys become smaller with them, but not by half.
    fn is_near(&self) -> bool {
        match self {
            Self::Keys {
                error: KeyError::Budget { budget, least },
                ..
            } => *least <= budget.saturating_add(budget / 2),
            Self::Parameters(_) => true,
            Self::Keys { .. } => false,
        }
    }
}

impl From<ParameterError> for Refusal {
    fn from(error: ParameterError) -> Self {
        Self::Parameters(error)
    }
}

impl<E> From<Refusal> for SearchError<E> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Parameters(error) => Self::Compile(CompileError::Parameters(error)),
            Refusal::Keys { internal, error } => Self::Keys { internal, error },
        }
    }
}

/// Bits per operation that are enough.
#[derive(Debug)]
struct Enough<T> {
    bits: u32,
    /// Bits of the outputs.
    predicted: f64,
    /// log2 of the ring degree.
    log_n: u32,
    result: T,
}

impl<T> Search<T> {
    fn new(asked: u32) -> Self {
        Self {
            asked,
            trials: 0,
            refusals: 0,
            few: None,
            enough: None,
            least: LEAST_BITS,
            most: None,
            refusal: None,
        }
    }

    fn judged(&mut self, bits: u32, (predicted, log_n): (f64, u32), result: T) {
        self.trials += 1;
        if predicted < f64::from(self.asked) {
            self.few = Some((bits, predicted));
            self.least = self.least.max(bits + 1);
        } else if self.enough.as_ref().is_some_and(|e| e.log_n < log_n) {
            // A larger ring, because it has more of the short primes, costs more than bits do.
            self.least = self.least.max(bits + 1);
        } else {
            self.enough = Some(Enough {
                bits,
                predicted,
                log_n,
                result,
            });
        }
    }

    fn refused(&mut self, internal: u32, refusal: Refusal) {
        self.refusals += 1;
        match refusal {
            // Of short primes there are too few.
            Refusal::Parameters(ParameterError::Primes { .. }) => self.least = internal + 1,
            _ => self.most = Some(internal),
        }
        self.refusal = Some(refusal);
    }

    /// The bits per operation to try next; none when there is nothing to gain.
    fn next(&self) -> Option<u32> {
        if self.trials == MAX_TRIALS || self.refusals == MAX_REFUSALS {
            return None;
        }
        let asked = f64::from(self.asked);
        if let Some(enough) = &self.enough {
            let spare = (enough.predicted - asked).floor().min(MAX_STEP) as u32;
            if spare <= self.tolerated() {
                return None;
            }
            let fewer = enough.bits.saturating_sub(spare).max(self.least);
            return (fewer < enough.bits).then_some(fewer);
        }
        let wanted = match self.few {
            Some((few, predicted)) => few + (asked - predicted).ceil().clamp(1.0, MAX_STEP) as u32,
            None => self.asked.saturating_sub(GAIN_BITS),
        };
        let wanted = wanted.max(self.least);
        let next = match (self.most, self.few) {
            (Some(most), Some((few, _))) if wanted >= most => few.midpoint(most),
            (Some(most), None) if wanted >= most => {
                let excess = self.refusal.as_ref().map_or(1, excess);
                let fewer = most.saturating_sub(excess.saturating_mul(self.refusals as u32));
                fewer.clamp(self.least.min(most - 1), most - 1)
            }
            _ => wanted,
        };
        (next >= self.least).then_some(next)
    }

    /// Spare bits that are not worth another compilation: the law has found all but one where it holds.
    fn tolerated(&self) -> u32 {
        u32::from(self.trials > 1)
    }

    fn finish<E>(self) -> Result<Found<T>, SearchError<E>> {
        let Self {
            asked,
            trials,
            few,
            enough,
            refusal,
            ..
        } = self;
        if let Some(enough) = enough {
            return Ok(Found {
                compiled: enough.result,
                predicted_bits: enough.predicted,
                internal_bits: enough.bits,
                trials,
            });
        }
        let Some((internal, reached)) = few else {
            let none = SearchError::Compile(CompileError::NoDegree);
            return Err(refusal.map_or(none, SearchError::from));
        };
        let limit = match refusal {
            Some(Refusal::Parameters(error)) => CompileError::Parameters(error),
            Some(Refusal::Keys { error, .. }) => CompileError::Keys(error),
            None => CompileError::NoDegree,
        };
        Err(SearchError::Precision(match self.most {
            Some(_) => PrecisionError::Unreached {
                asked,
                reached,
                internal,
                limit: Box::new(limit),
            },
            None => PrecisionError::Stalled {
                asked,
                reached,
                internal,
                trials,
            },
        }))
    }
}

/// By how many bits per operation a refused request was too much, at least one: that of the longest prime, or the excess of
/// the whole modulus shared by all its primes, the special ones taken for one.
fn excess(refusal: &Refusal) -> u32 {
    let Refusal::Parameters(error) = refusal else {
        return 1;
    };
    let excess = match error {
        ParameterError::Depth {
            path, bits, limit, ..
        } => ((bits - limit) / f64::from(path.products + path.linear + 2)).ceil() as u32,
        ParameterError::Precision { .. } => error.too_long().map_or(1, |(_, bits)| bits),
        ParameterError::Security {
            depth,
            chain_bits,
            special_bits,
            limit,
            ..
        } => {
            let rescales = f64::from(depth + 1);
            ((chain_bits + special_bits - limit) / (rescales + 1.0)).ceil() as u32
        }
        _ => 1,
    };
    excess.max(1)
}

/// Why no circuit has the precision.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PrecisionError {
    /// No parameters give it.
    #[error(
        "{asked} bits of the largest output are asked for, {reached:.1} are reached, with {internal} bits after the point \
         of every operation: {:.1} bits are missing; more has no parameters: {limit}", f64::from(*asked) - reached
    )]
    Unreached {
        /// Bits of the outputs.
        asked: u32,
        /// Bits of the outputs, the most that was found.
        reached: f64,
        /// Bits per operation that give them.
        internal: u32,
        /// Why there are no more.
        limit: Box<CompileError>,
    },
    /// More bits per operation do not help.
    #[error(
        "{asked} bits of the largest output are asked for, {reached:.1} are reached, with {internal} bits after the point \
         of every operation: {:.1} bits are missing after {trials} compilations", f64::from(*asked) - reached
    )]
    Stalled {
        /// Bits of the outputs.
        asked: u32,
        /// Bits of the outputs, the most that was found.
        reached: f64,
        /// Bits per operation that give them.
        internal: u32,
        /// Circuits that were judged.
        trials: usize,
    },
}

/// Why a search failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SearchError<E> {
    /// The graph does not compile, whatever the precision.
    #[error(transparent)]
    Compile(CompileError),
    /// Keys are larger than their budget with as few bits per operation as were tried.
    #[error("with {internal} bits per operation, {error}")]
    Keys {
        /// The bits.
        internal: u32,
        /// By how much.
        error: KeyError,
    },
    /// The precision is out of reach.
    #[error(transparent)]
    Precision(PrecisionError),
    /// The judge failed.
    #[error("{0}")]
    Judge(E),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manage::parameters::MAX_BASE_BITS;

    /// Searches where `b` bits per operation give `precision(b)` and there are parameters for those in a range: the bits per
    /// operation that are found, and those that were asked for on the way.
    fn search(
        asked: u32,
        possible: std::ops::RangeInclusive<u32>,
        precision: impl Fn(u32) -> f64,
    ) -> (Result<u32, SearchError<()>>, Vec<u32>) {
        search_rings(asked, possible, precision, |_| 13)
    }

    /// The same with the ring degree that these bits lead to.
    fn search_rings(
        asked: u32,
        possible: std::ops::RangeInclusive<u32>,
        precision: impl Fn(u32) -> f64,
        log_n: impl Fn(u32) -> u32,
    ) -> (Result<u32, SearchError<()>>, Vec<u32>) {
        let mut search = Search::new(asked);
        let mut tried = Vec::new();
        while let Some(bits) = search.next() {
            assert!(!tried.contains(&bits), "{bits} again, after {tried:?}");
            tried.push(bits);
            if possible.contains(&bits) {
                search.judged(bits, (precision(bits), log_n(bits)), ());
            } else if bits < *possible.start() {
                search.refused(bits, ParameterError::Primes { log_n: 14 }.into());
            } else {
                let needed = MAX_BASE_BITS + bits - possible.end();
                search.refused(bits, ParameterError::Precision { log_n: 14, needed }.into());
            }
        }
        (search.finish().map(|found| found.internal_bits), tried)
    }

    #[test]
    fn the_fewest_bits_are_found_in_two_trials_where_errors_halve() {
        for asked in 4..30 {
            for gain in [-7.3, -1.0, 0.0, 0.4, 3.9, 9.5] {
                let (found, tried) = search(asked, 1..=60, |b| f64::from(b) + gain);
                let expected = (f64::from(asked) - gain).ceil() as u32;
                let expected = expected.max(LEAST_BITS);
                assert_eq!(found, Ok(expected), "{asked} {gain}: {tried:?}");
                assert!(tried.len() <= 2, "{asked} {gain}: {tried:?}");
            }
        }
    }

    #[test]
    fn what_is_found_is_enough_where_other_rings_change_the_noise() {
        // A ring twice as large, and with it another draw of the noise, from 14 bits on.
        let law = |b: u32| f64::from(b) + if b < 14 { 1.2 } else { -0.9 };
        for asked in 4..30 {
            let (found, tried) = search(asked, 1..=60, law);
            assert!(law(found.unwrap()) >= f64::from(asked), "{tried:?}");
            assert!(tried.len() <= MAX_TRIALS, "{tried:?}");
        }
    }

    #[test]
    fn too_few_primes_lead_upwards() {
        let (found, tried) = search(7, 9..=30, |b| f64::from(b) + 2.0);
        assert_eq!((found, tried), (Ok(9), vec![6, 7, 8, 9]));
    }

    #[test]
    fn fewer_bits_in_a_larger_ring_are_not_taken() {
        let ring = |bits| if bits < 9 { 15 } else { 14 };
        let (found, tried) = search_rings(11, 1..=30, |b| f64::from(b) + 4.0, ring);
        assert_eq!((found, tried), (Ok(9), vec![10, 7, 8, 9]));
    }

    #[test]
    fn keys_that_nearly_fit_lead_to_fewer_bits() {
        let refusal = |internal, least| Refusal::Keys {
            internal,
            error: KeyError::Budget {
                budget: 1000,
                least,
            },
        };
        assert!(refusal(9, 1500).is_near() && !refusal(9, 1501).is_near());
        let mut search = Search::new(10);
        assert_eq!(search.next(), Some(9));
        search.refused(9, refusal(9, 1100));
        assert_eq!(search.next(), Some(8));
        search.judged(8, (10.2, 13), ());
        assert_eq!(search.next(), None);
        let found = search.finish::<()>().unwrap();
        assert_eq!((found.internal_bits, found.trials), (8, 1));

        let mut search: Search<()> = Search::new(10);
        search.refused(9, refusal(9, 1100));
        let error = search.finish::<()>().unwrap_err();
        assert!(matches!(error, SearchError::Keys { internal: 9, .. }));
    }

    #[test]
    fn what_is_out_of_reach_is_refused_with_the_bits_that_are_missing() {
        let reach = |asked| search(asked, 1..=20, |b| f64::from(b) - 2.5);
        assert_eq!(reach(17).0, Ok(20));
        for asked in [18, 19, 20, 25, 40] {
            let (found, tried) = reach(asked);
            let Err(SearchError::Precision(PrecisionError::Unreached {
                reached, internal, ..
            })) = found
            else {
                panic!("{asked}: {found:?}, {tried:?}");
            };
            assert_eq!((internal, reached), (20, 17.5), "{asked}: {tried:?}");
        }
        let (found, tried) = search(20, 1..=200, |_| f64::NEG_INFINITY);
        assert!(
            matches!(
                found,
                Err(SearchError::Precision(PrecisionError::Stalled { .. }))
            ),
            "{tried:?}"
        );
        let (found, _) = search(20, 100..=101, f64::from);
        assert!(matches!(found, Err(SearchError::Compile(_))), "{found:?}");
    }
}
