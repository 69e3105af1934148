//! The knee: the fewest keys with which a run is hardly longer.
//!
//! Budgets are halved until a run is too long, then the last step is halved a few times: every budget is priced after all
//! passes, and the search for keys only ever gives up more, so the state before a step is kept to go back to.
//!
//! Where another circuit's keys serve this one, no new keys at all are tried first.

use super::search::KeySearch;
use super::{Chooser, Found, KeyChoice, NO_NEW, PassError};
use peregrine_ir::Circuit;
use std::cmp::Reverse;

/// The number of halvings of all keys that are shown, however long a run is with them.
const SHOWN: u32 = 3;
/// The largest number of halvings.
const MOST: u32 = 12;
/// How often the last step is halved: the remaining uncertainty is a sixteenth of a halving.
const REFINEMENTS: u32 = 4;

/// A choice of keys, and the search after it.
struct Step {
    choice: (Circuit, KeyChoice),
    after: KeySearch,
}

impl Chooser<'_> {
    /// Chooses the fewest bytes of keys with which the run is at most `slower` times as long as without a limit, and at most
    /// `most` bytes.
    pub(super) fn knee(&mut self, slower: f64, most: u64) -> Result<Found, PassError> {
        let free = self.step(None)?;
        if self.having.like.is_some() {
            let none = self.step(Some(0))?;
            if none.choice.1.fits && none.choice.1.seconds <= free.choice.1.seconds * NO_NEW {
                let table = vec![free.choice.1, none.choice.1.clone()];
                let choice = none.choice;
                return Ok(Found { choice, table });
            }
            self.search = free.after.clone();
        }
        let longest = free.choice.1.seconds * slower;
        let mut table = vec![free.choice.1.clone()];
        let mut best = free;
        if best.choice.1.bytes > most {
            best = self.step(Some(most))?;
            table.push(best.choice.1.clone());
        }
        if best.choice.1.fits && best.choice.1.seconds <= longest {
            let (fewest, refused) = self.halved(best, longest, &mut table)?;
            best = match refused {
                Some(refused) => self.refined(fewest, refused, longest)?,
                None => fewest,
            };
        }
        let choice = best.choice;
        if !table.contains(&choice.1) {
            table.push(choice.1.clone());
        }
        table.sort_by_key(|row| Reverse(row.budget.unwrap_or(u64::MAX)));
        Ok(Found { choice, table })
    }

    fn step(&mut self, budget: Option<u64>) -> Result<Step, PassError> {
        let choice = self.choose(budget)?;
        let after = self.search.clone();
        Ok(Step { choice, after })
    }

    /// Halves the budget while a run is short enough. Returns the last choice for which it is, and the first budget for which
    /// it is not, if one is reached.
    fn halved(
        &mut self,
        first: Step,
        longest: f64,
        table: &mut Vec<KeyChoice>,
    ) -> Result<(Step, Option<u64>), PassError> {
        let (mut best, mut refused) = (first, None);
        for halvings in 1..=MOST {
            let is_shown = halvings <= SHOWN && self.has_table();
            if refused.is_some() && !is_shown {
                break;
            }
            let budget = self.all.bytes >> halvings;
            if budget >= best.choice.1.bytes {
                continue;
            }
            let step = self.step(Some(budget))?;
            let (_, choice) = &step.choice;
            let (is_least, is_fast) = (!choice.fits, choice.seconds <= longest);
            if is_shown {
                table.push(choice.clone());
            }
            // Budgets after the first one refused are for the table only.
            if refused.is_none() {
                match is_fast {
                    true => best = reached(step),
                    false => refused = Some(budget),
                }
            }
            if is_least {
                break;
            }
        }
        Ok((best, refused))
    }

    /// Looks for fewer keys, between those of a choice and a budget with which a run is too long.
    fn refined(
        &mut self,
        mut best: Step,
        mut refused: u64,
        longest: f64,
    ) -> Result<Step, PassError> {
        for _ in 0..REFINEMENTS {
            let between = (best.choice.1.bytes as f64 * refused as f64).sqrt() as u64;
            if between <= refused || between >= best.choice.1.bytes {
                break;
            }
            self.search = best.after.clone();
            let step = self.step(Some(between))?;
            let (_, choice) = &step.choice;
            match choice.fits && choice.seconds <= longest {
                true => best = step,
                false => refused = between,
            }
        }
        Ok(best)
    }
}

/// A choice that counts as within its budget: the fewest keys that can be reached are no failure here.
fn reached(mut step: Step) -> Step {
    let (_, choice) = &mut step.choice;
    if !choice.fits {
        (choice.budget, choice.fits) = (Some(choice.bytes), true);
    }
    step
}
