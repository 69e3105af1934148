//! The search for parameters that give the outputs a wanted precision.
//!
//! [`Config::precision_bits`] is about single operations and relative to 1. The precision that it leads to at the outputs
//! depends on the network, and is found by trial: a [judge](compile) says how many bits of the outputs of a circuit are
//! right. An error at the outputs halves with every bit of the operations, so the difference to the wanted precision is the
//! next correction. That law is exact as long as circuits have the same form; each answer is judged itself.

use crate::manage::parameters::ParameterError;
use crate::passes::keys::KeyError;
use crate::pipeline::{CompileError, Compiled, Config, Session, Watch};
use crate::tensor::Graph;

/// The largest number of circuits that are judged.
pub const MAX_TRIALS: usize = 4;
/// The largest number of compilations that end without parameters.
const MAX_REFUSALS: usize = 6;
/// The smallest number of bits per operation that is tried: of primes for fewer bits there are too few for many levels.
pub const LEAST_BITS: u32 = 6;
/// The bits of precision that the first trial expects the outputs to gain beyond those of operations, from their guard bits.
const GAIN_BITS: u32 = 1;
/// The largest number of bits by which a trial differs from the one before: a judge may find no precision at all.
const MAX_STEP: f64 = 16.0;

/// A circuit that has the wanted precision, and how it was found.
#[derive(Clone, Debug)]
pub struct Found<T = Compiled> {
    /// The compiled circuit.
    pub compiled: T,
    /// Bits of the outputs that are right, by the judge; infinite without any error.
    pub predicted_bits: f64,
    /// Bits after the point of single operations: the [`Config::precision_bits`] of the compilation.
    pub internal_bits: u32,
    /// The number of circuits that were judged.
    pub trials: usize,
}

/// Compiles a graph so that `bits` bits of its outputs are right, with as few bits per operation as that takes; the
/// [`Config::precision_bits`] of `config` does not matter.
///
/// `judge` returns how many bits of the outputs of a circuit are right: log2 of the largest output over the largest error.
/// With a deterministic judge, the compilation is deterministic.
///
/// # Errors
/// When no parameters give the precision, when the judge fails, and when [`crate::pipeline::compile`] has an error.
pub fn compile<E>(
    graph: &Graph,
    config: &Config,
    bits: u32,
    mut judge: impl FnMut(&Compiled) -> Result<f64, E>,
) -> Result<Found, SearchError<E>> {
    let mut session = Session::new(graph, &config.without)
        .map_err(|error| SearchError::Compile(CompileError::Rewrite(error)))?;
    let judge = |compiled: &Compiled| Ok((judge(compiled)?, ()));
    let (found, ()) = compile_in(&mut session, config, bits, judge, &|_, _| {})?;
    Ok(found)
}

/// Compiles the network of a session so that `bits` bits of its outputs are right, like [`compile`]. The session may have
/// compiled others before. Beside the bits, `judge` returns what it judged by; that of the circuit that is found comes with it.
///
/// # Errors
/// When [`compile`] has an error.
pub fn compile_in<J, E>(
    session: &mut Session,
    config: &Config,
    bits: u32,
    mut judge: impl FnMut(&Compiled) -> Result<(f64, J), E>,
    watch: Watch<'_>,
) -> Result<(Found, J), SearchError<E>> {
    let mut search = PrecisionSearch::new(bits);
    while let Some(internal) = search.next() {
        let config = Config {
            precision_bits: internal,
            ..config.clone()
        };
        match session.compile(&config, watch) {
            Ok(compiled) => {
                let (predicted, judged_by) = judge(&compiled).map_err(SearchError::Judge)?;
                let log_n = compiled.circuit.rings.largest_log_n();
                search.judged(internal, (predicted, log_n), (compiled, judged_by));
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
    let found = search.finish()?;
    let (compiled, judged_by) = found.compiled;
    let found = Found {
        compiled,
        predicted_bits: found.predicted_bits,
        internal_bits: found.internal_bits,
        trials: found.trials,
    };
    Ok((found, judged_by))
}

/// The knowledge about numbers of bits per operation. The search is for fewer than are known to be enough, and for more than
/// are known to be too few, so it never tries a number twice.
#[derive(Debug)]
struct PrecisionSearch<T> {
    asked: u32,
    trials: usize,
    refusals: usize,
    /// The largest number that is judged too small, and the precision it gives.
    few: Option<(u32, f64)>,
    /// The smallest number that is judged enough.
    enough: Option<Enough<T>>,
    /// The smallest number that may have parameters.
    least: u32,
    /// The smallest number that is too large for any parameters.
    most: Option<u32>,
    /// The last refusal.
    refusal: Option<Refusal>,
}

/// The reason why a number of bits per operation is refused.
#[derive(Clone, Debug)]
enum Refusal {
    /// There are no parameters for it.
    Parameters(ParameterError),
    /// The evaluation keys are too large.
    Keys {
        /// The number of bits per operation.
        internal: u32,
        /// The error, which says by how much.
        error: KeyError,
    },
}

impl Refusal {
    /// Whether fewer bits may change the refusal: keys become smaller with fewer bits, but not by half.
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

/// A number of bits per operation that is enough, with its circuit.
#[derive(Debug)]
struct Enough<T> {
    bits: u32,
    /// Bits of the outputs that are right.
    predicted: f64,
    /// log2 of the ring degree.
    log_n: u32,
    result: T,
}

impl<T> PrecisionSearch<T> {
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

    /// The number of bits per operation to try next; `None` when nothing can be gained.
    fn next(&self) -> Option<u32> {
        if self.trials == MAX_TRIALS || self.refusals == MAX_REFUSALS {
            return None;
        }
        let asked = f64::from(self.asked);
        // Once a number is enough, by the law the spare bits of the outputs can be saved in every operation.
        if let Some(enough) = &self.enough {
            let spare = (enough.predicted - asked).floor().min(MAX_STEP) as u32;
            if spare <= self.tolerated() {
                return None;
            }
            let fewer = enough.bits.saturating_sub(spare).max(self.least);
            return (fewer < enough.bits).then_some(fewer);
        }
        // Before, by the same law, the missing bits are added; first comes a guess.
        let wanted = match self.few {
            Some((few, predicted)) => few + (asked - predicted).ceil().clamp(1.0, MAX_STEP) as u32,
            None => self.asked.saturating_sub(GAIN_BITS),
        };
        let wanted = wanted.max(self.least);
        // What has no parameters bounds the guess from above.
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

    /// Spare bits that are not worth another compilation: where the law holds, it has found all but one.
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
        // The smallest number that was enough.
        if let Some(enough) = enough {
            return Ok(Found {
                compiled: enough.result,
                predicted_bits: enough.predicted,
                internal_bits: enough.bits,
                trials,
            });
        }
        // Nothing was judged: the last refusal says why.
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

/// The number of bits per operation by which a refused request was too large, at least one: the excess of the longest prime,
/// or that of the whole modulus shared by all its primes, the special ones counted as one.
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

/// Why no circuit has the wanted precision.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PrecisionError {
    /// No parameters give the precision.
    #[error(
        "{asked} bits of the largest output are asked for, {reached:.1} are reached, with {internal} bits after the point \
         of every operation: {:.1} bits are missing; more has no parameters: {limit}", f64::from(*asked) - reached
    )]
    Unreached {
        /// Bits of the outputs that are wanted.
        asked: u32,
        /// The largest number of right bits of the outputs that was found.
        reached: f64,
        /// The bits per operation that give it.
        internal: u32,
        /// Why there are no parameters for more.
        limit: Box<CompileError>,
    },
    /// More bits per operation do not make outputs more precise.
    #[error(
        "{asked} bits of the largest output are asked for, {reached:.1} are reached, with {internal} bits after the point \
         of every operation: {:.1} bits are missing after {trials} compilations", f64::from(*asked) - reached
    )]
    Stalled {
        /// Bits of the outputs that are wanted.
        asked: u32,
        /// The largest number of right bits of the outputs that was found.
        reached: f64,
        /// The bits per operation that give it.
        internal: u32,
        /// The number of circuits that were judged.
        trials: usize,
    },
}

/// Why a search for a precision failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SearchError<E> {
    /// The graph does not compile at any precision.
    #[error(transparent)]
    Compile(CompileError),
    /// Evaluation keys exceed their budget with the smallest number of bits per operation that was tried.
    #[error("with {internal} bits per operation, {error}")]
    Keys {
        /// The number of bits per operation.
        internal: u32,
        /// The error, which says by how much.
        error: KeyError,
    },
    /// The precision cannot be reached.
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

    /// Searches where `b` bits per operation give `precision(b)` and have parameters if they are in a range. Returns the
    /// bits per operation that are found, and those that were tried.
    fn search(
        asked: u32,
        possible: std::ops::RangeInclusive<u32>,
        precision: impl Fn(u32) -> f64,
    ) -> (Result<u32, SearchError<()>>, Vec<u32>) {
        search_rings(asked, possible, precision, |_| 13)
    }

    /// Searches like [`search`], with ring degrees that depend on the bits.
    fn search_rings(
        asked: u32,
        possible: std::ops::RangeInclusive<u32>,
        precision: impl Fn(u32) -> f64,
        log_n: impl Fn(u32) -> u32,
    ) -> (Result<u32, SearchError<()>>, Vec<u32>) {
        let mut search = PrecisionSearch::new(asked);
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
        let mut search = PrecisionSearch::new(10);
        assert_eq!(search.next(), Some(9));
        search.refused(9, refusal(9, 1100));
        assert_eq!(search.next(), Some(8));
        search.judged(8, (10.2, 13), ());
        assert_eq!(search.next(), None);
        let found = search.finish::<()>().unwrap();
        assert_eq!((found.internal_bits, found.trials), (8, 1));

        let mut search: PrecisionSearch<()> = PrecisionSearch::new(10);
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
