//! Parameters of a refresh: primes, levels, scales and the polynomial for a ring degree, from a handful of choices.
//!
//! The pool has five short primes, of which one is the lowest modulus `q_0`, and as many long ones as the security limit leaves. Rows of
//! levels are subsets: every long prime up to a number, and some short ones, so that a modulus is met to about a bit:
//!
//! ```text
//! top           the whole pool
//!  :            coefficients to slots, powers, squarings
//! out           what the refresh gives back
//!  :            (levels of the network)
//! from          q_0 and three short primes
//!  :            slots to coefficients
//! base          q_0
//! low           q_0                                sparse secret
//! ```
//!
//! Where values repeat, the levels of slots to coefficients are there twice: once in the ring of the network, once in a smaller one.

use super::choices::{Choices, GroupChoice, Packing};
use super::exponential::Exponential;
use super::function::{ExponentialLevels, Group, Refresh};
pub use super::rows::PlanError;
use super::rows::{CHAIN, Descent, LOW, Pool};
use super::tail::failure_bits;
use crate::moduli::primes::TOLERANCE_BITS;
use peregrine_ir::{Level, RingTable, Scale};

/// The factor of two of a doubled power, as a loss of its scale.
const DOUBLED_BITS: f64 = 1.0;

/// A refresh with the rings it runs in.
#[derive(Clone, Debug)]
pub struct RefreshPlan {
    /// The ternary ring, then the sparse one.
    pub rings: RingTable,
    /// The refresh.
    pub refresh: Refresh,
    /// The level at which outputs leave, that of the argument or below.
    pub leaving: Level,
    /// The message divided by what the refresh gives.
    pub gain: f64,
    /// log2 of the modulus of the argument, and of the results.
    pub modulus_bits: [f64; 2],
    /// log2 of the probability that a coefficient of a ciphertext wraps further than the polynomial reaches.
    pub failure_bits: f64,
}

impl Choices {
    /// The refresh that gains as much as the limit allows.
    ///
    /// # Errors
    /// When there are too few primes, or the modulus is too short for the steps of a refresh.
    pub fn plan(&self) -> Result<RefreshPlan, PlanError> {
        Ok(self.in_table(self.table(None, &[])?))
    }

    /// The refresh with rows for a network between its results and its argument: rescales that drop these bits, or a few more, lead
    /// from the one to the other. The modulus is raised no further than that takes.
    ///
    /// # Errors
    /// When there are too few primes, or the limit is too low.
    pub fn plan_for(&self, drops: &[u32]) -> Result<RefreshPlan, PlanError> {
        // With all the primes that there are room for, or else none; then with as few as do.
        let most = self.table(None, drops)?;
        let fewer = 1..most.primes.len();
        let mut tables = fewer.filter_map(|longs| self.table(Some(longs), drops).ok());
        Ok(self.in_table(tables.next().unwrap_or(most)))
    }

    /// The rings, with as many long primes as there is room for or with `longs`, and with rows for the network as in [`Self::plan_for`].
    fn table(&self, longs: Option<usize>, drops: &[u32]) -> Result<RingTable, PlanError> {
        let log_n = self.log_n;
        if let Packing::Sparse { log_values } = self.packing
            && !(2..log_n - 1).contains(&log_values)
        {
            return Err(PlanError::Values { log_n, log_values });
        }
        let pool = Pool::new(self, longs)?;
        let mut descent = Descent::new(&pool);
        self.slots_above(&mut descent)?;
        self.exponential_above(&mut descent)?;
        below(&mut descent, drops)?;
        let rows = descent.rows;
        Ok(pool.rings(self, &rows))
    }

    /// The refresh in rings that are made for it.
    fn in_table(&self, rings: RingTable) -> RefreshPlan {
        let top = rings.top().map_or(0, |top| top.0);
        let refresh = self.refresh(top);
        let bits = |level: Level| rings.level_bits(level).unwrap_or(0.0);
        let share = (f64::from(self.base_scale_bits()) - bits(Level(LOW))).exp2();
        RefreshPlan {
            gain: refresh.gain(share),
            modulus_bits: [bits(refresh.from.0), bits(refresh.levels.out)],
            failure_bits: failure_bits(
                self.weight,
                self.domain.wraps,
                self.domain.ratio_bits,
                self.packing.coefficients(self.log_n),
            ),
            leaving: refresh.from.0,
            rings,
            refresh,
        }
    }

    /// The rows of coefficients to slots.
    fn slots_above(&self, rows: &mut Descent<'_>) -> Result<(), PlanError> {
        let mut scale = f64::from(self.short_bits[0]);
        let last = self.to_slots.len().saturating_sub(1);
        for (i, group) in self.to_slots.iter().enumerate() {
            // A stage halves; the first group divides by what doublings made, and the last by the bound of the argument, too.
            let mut bound = 0.0;
            if i == 0 {
                bound += f64::from(self.doublings());
            }
            if i == last {
                bound += (2.0 * self.domain.bound()).log2();
            }
            let entries = f64::from(group.entry_bits) + f64::from(group.stages) + bound;
            let wanted = f64::from(group.scale_bits);
            rows.lower(scale + entries - wanted)?;
            scale = wanted;
        }
        Ok(())
    }

    /// The rows of the exponential.
    fn exponential_above(&self, rows: &mut Descent<'_>) -> Result<(), PlanError> {
        let bits = &self.exponential;
        let last = self.to_slots.last();
        let mut scale = last.map_or(0.0, |group| f64::from(group.scale_bits));
        for wanted in bits.powers {
            // Of the value that the power is a multiple of: what doubles stays behind.
            let product = 2.0 * scale - DOUBLED_BITS;
            scale = product - rows.lower(product - f64::from(wanted))?;
        }
        rows.lower(f64::from(bits.coefficients))?;
        let mut value = f64::from(bits.value);
        rows.lower(2.0 * scale - value)?;
        for i in 0..self.squarings {
            let wanted = f64::from(bits.value) - f64::from(i + 1);
            value = 2.0 * value - rows.lower(2.0 * value - wanted)?;
        }
        rows.lower(2.0 * value - f64::from(bits.out))?;
        Ok(())
    }

    /// The refresh, for a table whose highest level of the ternary ring is `top`.
    fn refresh(&self, top: u32) -> Refresh {
        let group = |choice: &GroupChoice, stages, to| Group {
            stages,
            babies: choice.babies,
            to: Level(to),
            scale: Scale::power_of_two(choice.scale_bits as i32),
        };
        let descends = self.inner_log_n() < self.log_n;
        let descent = LOW + CHAIN;
        let from = if descends { descent + CHAIN } else { descent };
        let mut reached = 0;
        let to_coefficients = (0..).zip(&self.to_coefficients).map(|(i, choice)| {
            let from = reached + 1;
            reached += choice.stages;
            group(choice, (from, reached), descent - 1 - i)
        });
        let to_coefficients = to_coefficients.collect();
        let mut left = self.stages();
        let to_slots = (0..).zip(&self.to_slots).map(|(i, choice)| {
            let to = left;
            left -= choice.stages;
            group(choice, (left + 1, to), top - 1 - i)
        });
        let to_slots: Vec<Group> = to_slots.collect();
        let below = |steps: u32| Level(top - to_slots.len() as u32 - steps);
        Refresh {
            from: (Level(from), Scale::power_of_two(self.from_bits as i32)),
            packing: self.packing,
            log_slots: self.log_n - 1,
            stages: self.stages(),
            descent: Level(descent),
            to_coefficients,
            doublings: self.doublings(),
            raise: [Level(LOW), Level(top)],
            exponential: Exponential::fit(self.domain, 15, self.squarings, |wrap| {
                self.fit_weight(wrap)
            }),
            levels: ExponentialLevels {
                powers: [below(1), below(2), below(3)],
                coefficients: below(4),
                squares: (5..=5 + self.squarings).map(below).collect(),
                scale: Scale::power_of_two(self.exponential.value as i32),
                out: below(6 + self.squarings),
            },
            to_slots,
        }
    }
}

impl RefreshPlan {
    /// Bits between the argument and the results.
    pub fn gained_bits(&self) -> f64 {
        let [from, out] = self.modulus_bits;
        out - from
    }

    /// Lets outputs leave at the lowest level that has so many bits, if the argument has more.
    pub fn leave_with(&mut self, bits: f64) {
        let Level(from) = self.refresh.from.0;
        let mut levels = (from + 1 - CHAIN..=from).map(Level);
        let enough = levels.find(|&level| self.rings.level_bits(level) >= Some(bits));
        self.leaving = enough.unwrap_or(Level(from));
    }
}

/// The rows of a network below the results of a refresh, but for the last, which is that of the argument.
fn below(rows: &mut Descent<'_>, drops: &[u32]) -> Result<(), PlanError> {
    let Some((&last, drops)) = drops.split_last() else {
        return Ok(());
    };
    let rest = |i: usize| drops.iter().skip(i).sum::<u32>() + last;
    for (i, &drop) in drops.iter().enumerate() {
        let lowered = rows.lower_at_least(f64::from(drop));
        let missing = f64::from(rest(i)) - rows.left();
        lowered.map_err(|error| match error {
            PlanError::Room { bits } => PlanError::Room {
                bits: bits.max(missing),
            },
            error => error,
        })?;
    }
    let missing = f64::from(last) - rows.left();
    match missing <= TOLERANCE_BITS {
        true => Ok(()),
        false => Err(PlanError::Room { bits: missing }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peregrine_ir::cost::CostModel;
    use peregrine_ir::{RingId, Security, verify};

    #[test]
    fn a_refresh_at_128_bits_gains_840() {
        for packing in [
            Packing::Full,
            Packing::Sparse { log_values: 14 },
            Packing::Sparse { log_values: 12 },
        ] {
            let plan = Choices::reference(16, 1747.0, packing).plan().unwrap();
            let [from, out] = plan.modulus_bits;
            assert!(
                out - from >= 840.0,
                "{packing:?}: {from:.0} to {out:.0} bits"
            );
            assert!(plan.failure_bits < -100.0, "{}", plan.failure_bits);
            let total = plan.rings.total_bits(RingId(0));
            assert!(total <= 1747.0, "{total}");
        }
    }

    #[test]
    fn a_modulus_without_room_is_refused() {
        for bits in [300.0, 600.0] {
            let choices = Choices::reference(15, bits, Packing::Full);
            let error = choices.plan().unwrap_err();
            assert!(
                matches!(error, PlanError::Room { bits } if bits > 0.0),
                "{error}"
            );
        }
    }

    #[test]
    fn values_that_do_not_repeat_are_refused() {
        for log_values in [0, 1, 8, 9, u32::MAX] {
            let choices = Choices::reference(9, 1747.0, Packing::Sparse { log_values });
            let refused = PlanError::Values {
                log_n: 9,
                log_values,
            };
            assert_eq!(choices.plan().unwrap_err(), refused);
        }
    }

    /// Rows differ, ascend, and are whole digits' worth below the special primes.
    #[test]
    fn every_degree_has_a_plan_that_the_verifier_takes() {
        for log_n in [9, 12, 15] {
            let sparse = (2..log_n - 1).map(|log_values| Packing::Sparse { log_values });
            for packing in sparse.chain([Packing::Full]) {
                let plan = Choices::reference(log_n, 1747.0, packing).plan().unwrap();
                let circuit = plan
                    .circuit(2, Security::None, &CostModel::default())
                    .unwrap();
                verify(circuit).unwrap_or_else(|errors| panic!("2^{log_n}: {errors}"));
            }
        }
    }
}
