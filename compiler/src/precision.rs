//! The search for parameters that give the outputs a wanted precision.
//!
//! [`Config::precision_bits`] is about single operations and relative to 1. The precision that it leads to at the outputs
//! depends on the network, and is found by trial: a [judge](compile) says how many bits of the outputs of a circuit are
//! right. An error at the outputs halves with every bit of the operations, so the difference to the wanted precision is the
//! next correction. That law is exact as long as circuits have the same form; each answer is judged itself. Where values are refreshed and
//! bits of operations gain less than half of what they should, refreshes are what limits: then they get the missing bits, too.

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
/// The largest number of circuits that are judged where refreshes are made finer.
const MAX_REFRESHED_TRIALS: usize = 6;
/// The largest number of bits by which refreshes are made finer.
pub const MAX_REFRESH_BITS: u32 = 4;
/// Bits by which refreshes are made finer beyond those that are missing: their errors are not the only ones.
const REFRESH_MARGIN: u32 = 1;
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
    /// Bits by which refreshes are finer: the [`Config::refresh_bits`] of the compilation.
    pub refresh_bits: u32,
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
            refresh_bits: search.finer,
            ..config.clone()
        };
        match session.compile(&config, watch) {
            Ok(compiled) => {
                let (predicted, judged_by) = judge(&compiled).map_err(SearchError::Judge)?;
                let form = Form {
                    log_n: compiled.circuit.rings.largest_log_n(),
                    is_refreshed: compiled.refreshes.is_some(),
                };
                search.judged(internal, (predicted, form), (compiled, judged_by));
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
        refresh_bits: found.refresh_bits,
        trials: found.trials,
    };
    Ok((found, judged_by))
}

/// The knowledge about numbers of bits per operation. The search is for fewer than are known to be enough, and for more than
/// are known to be too few, so it never tries a number twice.
#[derive(Debug)]
struct PrecisionSearch<T> {
    asked: u32,
    /// Bits by which refreshes are finer.
    finer: u32,
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
    /// Bits by which refreshes are finer.
    finer: u32,
    result: T,
}

/// What matters of a circuit that was judged.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// log2 of the ring degree.
    log_n: u32,
    /// Whether values are refreshed.
    is_refreshed: bool,
}

impl<T> PrecisionSearch<T> {
    fn new(asked: u32) -> Self {
        Self {
            asked,
            finer: 0,
            trials: 0,
            refusals: 0,
            few: None,
            enough: None,
            least: LEAST_BITS,
            most: None,
            refusal: None,
        }
    }

    fn judged(&mut self, bits: u32, (predicted, form): (f64, Form), result: T) {
        self.trials += 1;
        let log_n = form.log_n;
        if predicted < f64::from(self.asked) {
            // Bits that operations were given in vain.
            let vain = self.few.is_some_and(|(few, before)| {
                2.0 * (predicted - before) < f64::from(bits.saturating_sub(few))
            });
            if form.is_refreshed && vain {
                let missing = self.missing(predicted) + REFRESH_MARGIN;
                self.finer = (self.finer + missing).min(MAX_REFRESH_BITS);
            }
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
                finer: self.finer,
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
        let most = match self.finer {
            0 => MAX_TRIALS,
            _ => MAX_REFRESHED_TRIALS,
        };
        if self.trials == most || self.refusals == MAX_REFUSALS {
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
            Some((few, predicted)) => few + self.missing(predicted),
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

    /// Bits that are missing where so many are right.
    fn missing(&self, predicted: f64) -> u32 {
        let missing = f64::from(self.asked) - predicted;
        missing.ceil().clamp(1.0, MAX_STEP) as u32
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
                refresh_bits: enough.finer,
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
mod tests;
