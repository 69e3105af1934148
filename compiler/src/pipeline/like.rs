//! Compiling within the parameters of another circuit.
//!
//! 1. The network is compiled at the other's degree as if it were alone: that settles layouts, where rescales go and where the degree
//!    changes. The same network with other weights is then planned as the other circuit was.
//! 2. These plans are carried out within the other's rows. Of circuits that fit, one without new keys is taken if a run takes at
//!    most [`NO_NEW`] times as long, otherwise the faster.
//! 3. Where no plan fits, one is sought within the rows.

use super::attempt::Attempt;
use super::offers::with_keys;
use super::{CompileError, Config, Plan, Session, Watch};
use crate::layout::Cut;
use crate::manage::like::Like;
use crate::passes::keys::{self, KeyError, KeyedCircuit, NO_NEW};
use peregrine_ir::Circuit;

impl Session<'_> {
    /// The circuit of a network within another circuit's parameters, with its keys chosen.
    pub(super) fn keyed_like(
        &mut self,
        like: &Like,
        config: &Config,
        watch: Watch<'_>,
    ) -> Result<KeyedCircuit, CompileError> {
        let log_n = like.log_n();
        let alone = Config {
            like: None,
            bounds: Vec::new(),
            log_n: log_n..=log_n,
            ..config.clone()
        };
        let plans = match self.emitted(&alone, watch) {
            Ok(emitted) => emitted.plans,
            Err(CompileError::Parameters(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        let (mut best, mut refused): (Option<KeyedCircuit>, Option<KeyError>) = (None, None);
        for plan in plans {
            let Some(circuit) = self.again((config, &alone), plan, watch)? else {
                continue;
            };
            match keys::choose_keys(circuit, config.having(), config.key_budget) {
                Ok(found) => best = Some(better(best.take(), found)),
                Err(error) => refused = Some(error),
            }
        }
        match (best, refused) {
            (Some(best), _) => Ok(best),
            (None, Some(error)) => Err(error.into()),
            (None, None) => Ok(with_keys(self.emitted(config, watch)?.offers, config)?.keyed),
        }
    }

    /// The circuit of a plan within the other circuit's rows; `None` where they do not hold it.
    fn again(
        &mut self,
        (config, alone): (&Config, &Config),
        (plan, cut): (Plan, Option<Cut>),
        watch: Watch<'_>,
    ) -> Result<Option<Circuit>, CompileError> {
        let log_n = *alone.log_n.start();
        let (planner, pricing) = (self.planner(config), self.planner(alone));
        let least = self.promising(&pricing, log_n);
        let attempt = Attempt {
            graph: &self.graph,
            config,
            planner: &planner,
            log_n,
            cut,
            watch,
        };
        // Layouts are priced as they were when the plan was made.
        let alone = Attempt {
            planner: &pricing,
            ..attempt
        };
        let Some(priced) = alone.priced().ok().or(least.ok()) else {
            return Ok(None);
        };
        let found = attempt.planned(plan, &priced, &mut self.quotes)?;
        let found = found.and_then(Result::ok);
        Ok(found.map(|candidate| candidate.circuit))
    }
}

/// The better of two circuits.
fn better(known: Option<KeyedCircuit>, found: KeyedCircuit) -> KeyedCircuit {
    let Some(known) = known else {
        return found;
    };
    let (a, b) = (&known.chosen, &found.chosen);
    let spares = |a: u64, b: u64| a == 0 && b > 0;
    let takes = match (spares(a.bytes, b.bytes), spares(b.bytes, a.bytes)) {
        (true, _) => b.seconds * NO_NEW < a.seconds,
        (_, true) => b.seconds <= a.seconds * NO_NEW,
        _ => found.shared_seconds() < known.shared_seconds(),
    };
    if takes { found } else { known }
}
