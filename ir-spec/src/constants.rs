//! Following the recipes of constants: from weights, attributes and layouts to slot values.
//!
//! A linear operator `y = A x` between layouts becomes, for each pair of an output ciphertext `o` and an input ciphertext
//! `i`, a sum over rotations `k` of `diagonal_k * rotate(x_i, k)`. Slot `t` of `diagonal_k` holds the coefficient of the
//! element at slot `t` of `o` on the element at slot `t + k` of `i`.
//!
//! Where `o` is folded `f` times its slots repeat with the period `P = S / f`, and the sum over `i` and `k` is summed up
//! once more over the `f` slots that are equal modulo `P`. So a coefficient may be in any of these, and where the input has
//! replicas it may be reached by several rotations. It counts once: at the smallest rotation in `0 .. P` that reaches the
//! element from any of the slots ([`Reach::rotation`]), and there in the lowest of the slots that sees it.
//!
//! Cost of a diagonal: O(S) after one O(S) table per (layout, ciphertext), which is kept. One number is read without tables.

mod uniform;

use crate::circuit::{Circuit, Constant, Operator};
use crate::entity::{Const, Entity, LayoutId, OperatorId};
use crate::layout::{Layout, Place};
use crate::linear::{BoundMap, LinearError};
use crate::shape::Broadcast;
use std::sync::OnceLock;

/// Fills constants of one circuit; shared freely between threads.
#[derive(Debug)]
pub struct Filler<'c> {
    circuit: &'c Circuit,
    operators: Vec<Bound<'c>>,
    /// Per layout, per ciphertext: the element of each slot, `NONE` where there is none.
    tables: Vec<Vec<OnceLock<Vec<u32>>>>,
}

/// The slots of a plaintext.
#[derive(Clone, Debug, PartialEq)]
pub struct Slots {
    /// The real parts.
    pub re: Vec<f64>,
    /// The imaginary parts, as many; none where every slot is real.
    pub im: Option<Vec<f64>>,
}

impl Slots {
    /// Real slots.
    pub fn real(re: Vec<f64>) -> Self {
        Self { re, im: None }
    }
}

#[derive(Debug)]
enum Bound<'c> {
    Linear {
        map: BoundMap<'c>,
        input: LayoutId,
        output: LayoutId,
        fold: u32,
    },
    Broadcast {
        data: &'c [f64],
        broadcast: Broadcast,
        layout: LayoutId,
    },
}

const NONE: u32 = u32::MAX;

impl<'c> Filler<'c> {
    /// Prepares the operators of a circuit.
    ///
    /// # Errors
    /// When an operator is not well formed; never for a verified circuit.
    pub fn new(circuit: &'c Circuit) -> Result<Self, FillError> {
        let operators = circuit
            .operators
            .iter()
            .map(|(id, op)| bind(circuit, id, op))
            .collect::<Result<_, _>>()?;
        let tables = circuit
            .layouts
            .values()
            .map(|layout| (0..layout.ciphertexts()).map(|_| OnceLock::new()).collect())
            .collect();
        Ok(Self {
            circuit,
            operators,
            tables,
        })
    }

    /// The slots that an instruction encodes: those of a constant, with those of another as imaginary parts if it names one.
    ///
    /// # Errors
    /// Those of [`Self::fill`].
    pub fn slots(&self, re: Const, im: Option<Const>) -> Result<Slots, FillError> {
        Ok(Slots {
            re: self.fill(re)?,
            im: im.map(|im| self.fill(im)).transpose()?,
        })
    }

    /// The slots of a constant, `N / 2` values.
    ///
    /// # Errors
    /// When the constant is one number, or it or a part it names does not exist; never for what a verified circuit encodes.
    pub fn fill(&self, constant: Const) -> Result<Vec<f64>, FillError> {
        let missing = || FillError::Missing { constant };
        let recipe = self.circuit.constants.get(constant).ok_or_else(missing)?;
        let bound = self
            .operators
            .get(recipe.operator().index())
            .ok_or_else(missing)?;
        match (recipe, bound) {
            (
                Constant::Diagonal {
                    input,
                    output,
                    rotation,
                    pre,
                    ..
                },
                Bound::Linear {
                    map,
                    input: x,
                    output: y,
                    fold,
                },
            ) => {
                let from = self.side(*x, *input).ok_or_else(missing)?;
                let to = self.side(*y, *output).ok_or_else(missing)?;
                let reach = Reach::new(from.layout, *fold).through(*rotation);
                Ok(diagonal(map, (&from, &to), &reach, *pre))
            }
            (
                Constant::Fill { part, .. },
                Bound::Broadcast {
                    data,
                    broadcast,
                    layout,
                },
            ) => {
                let side = self.side(*layout, *part).ok_or_else(missing)?;
                let value = |&e: &u32| {
                    data.get(broadcast.source(e as usize))
                        .copied()
                        .unwrap_or(0.0)
                };
                Ok(side
                    .elements
                    .iter()
                    .map(|e| if *e == NONE { 0.0 } else { value(e) })
                    .collect())
            }
            (Constant::Uniform { .. }, _) => Err(FillError::OneNumber { constant }),
            (Constant::Diagonal { .. }, Bound::Broadcast { .. })
            | (Constant::Fill { .. }, Bound::Linear { .. }) => Err(missing()),
        }
    }

    fn side(&self, layout: LayoutId, ciphertext: u32) -> Option<Side<'_>> {
        let parts = self.circuit.layouts.get(layout)?;
        let cell = self.tables.get(layout.index())?.get(ciphertext as usize)?;
        let elements = cell.get_or_init(|| {
            let element = |slot| parts.element_flat(Place { ciphertext, slot });
            (0..parts.slots())
                .map(|slot| element(slot).map_or(NONE, |e| e as u32))
                .collect()
        });
        Some(Side {
            layout: parts,
            elements,
        })
    }
}

/// One ciphertext of a layout.
struct Side<'a> {
    layout: &'a Layout,
    elements: &'a [u32],
}

fn diagonal(
    map: &BoundMap<'_>,
    (from, to): (&Side<'_>, &Side<'_>),
    reach: &ReachThrough<'_>,
    pre: u32,
) -> Vec<f64> {
    let slots = to.elements.len();
    let mask = slots - 1;
    let pre = pre as usize & mask;
    (0..slots)
        .map(|t| {
            let at = (t + pre) & mask;
            let source = (at + reach.rotation as usize) & mask;
            match (to.elements.get(at), from.elements.get(source)) {
                (Some(&y), Some(&x))
                    if y != NONE && x != NONE && reach.counts(source as u32, at as u32) =>
                {
                    map.coefficient(y as usize, x as usize)
                }
                _ => 0.0,
            }
        })
        .collect()
}

/// Which rotations bring elements of a packed input to the slots of a result: the one rule by which plans and constants agree.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'l> {
    input: &'l Layout,
    /// Slots after which the result repeats.
    period: u32,
}

impl<'l> Reach<'l> {
    /// For a result that is folded `fold` times, a power of two.
    pub fn new(input: &'l Layout, fold: u32) -> Self {
        let period = input.slots() / fold.clamp(1, input.slots());
        Self { input, period }
    }

    /// All rotations are below this.
    pub fn bound(&self) -> u32 {
        match self.input.is_aligned() {
            true => self.period.min(self.input.block()),
            false => self.period,
        }
    }

    /// The smallest rotation by which a slot that is `t` modulo the period sees the element at `slot` of replica 0.
    pub fn rotation(&self, slot: u32, t: u32) -> u32 {
        let distance = |slot: u32| slot.wrapping_sub(t) & (self.period - 1);
        if self.input.is_aligned() {
            return distance(slot) & (self.bound() - 1);
        }
        let replicas = 0..self.input.parts().replicas;
        let distances = replicas.map(|replica| distance(self.input.replica(slot, replica)));
        distances.min().unwrap_or(0)
    }

    /// The same for one rotation.
    fn through(self, rotation: u32) -> ReachThrough<'l> {
        let replicas = 0..self.input.parts().replicas;
        ReachThrough {
            reach: self,
            rotation,
            turns: replicas.map(|r| self.input.turn(r)).collect(),
        }
    }
}

/// What of an input is reached by one rotation.
struct ReachThrough<'l> {
    reach: Reach<'l>,
    rotation: u32,
    /// See [`Layout::turn`], for each replica.
    turns: Vec<u32>,
}

impl ReachThrough<'_> {
    /// Whether the coefficient on the element at `source`, which slot `at` sees through the rotation, belongs there.
    ///
    /// That is, the rotation is [`Reach::rotation`], and no slot below `at` that is equal to it modulo the period sees the element,
    /// too.
    fn counts(&self, source: u32, at: u32) -> bool {
        let Reach { input, period } = self.reach;
        let block = input.block();
        if input.is_aligned() {
            // Copies lie a block apart, the slots that are summed a period.
            let folded = period < input.slots();
            return self.rotation < self.reach.bound() && (!folded || at < period.max(block));
        }
        let turn = self.turns.get((source / block) as usize).unwrap_or(&0);
        let slot = source.wrapping_sub(*turn);
        let hidden = |(start, turn): (u32, &u32)| {
            let copy = start + (slot.wrapping_add(*turn) & (block - 1));
            let distance = copy.wrapping_sub(at) & (period - 1);
            let from = copy.wrapping_sub(self.rotation) & (input.slots() - 1);
            distance < self.rotation || (distance == self.rotation && from < at)
        };
        let starts = (0..).step_by(block as usize);
        self.rotation < period && !starts.zip(&self.turns).any(hidden)
    }
}

fn bind<'c>(
    circuit: &'c Circuit,
    id: OperatorId,
    op: &'c Operator,
) -> Result<Bound<'c>, FillError> {
    match op {
        Operator::Linear {
            map,
            input,
            output,
            fold,
        } => {
            let map = map
                .bind(&circuit.tensors)
                .map_err(|source| FillError::Linear {
                    operator: id,
                    source,
                })?;
            Ok(Bound::Linear {
                map,
                input: *input,
                output: *output,
                fold: *fold,
            })
        }
        Operator::Broadcast {
            tensor,
            shape,
            layout,
        } => {
            let tensor = circuit
                .tensors
                .get(*tensor)
                .ok_or(FillError::Broadcast { operator: id })?;
            let broadcast = Broadcast::new(tensor.shape(), shape)
                .ok_or(FillError::Broadcast { operator: id })?;
            Ok(Bound::Broadcast {
                data: tensor.data(),
                broadcast,
                layout: *layout,
            })
        }
    }
}

/// Why a constant cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// A linear operator is not well formed.
    #[error("{operator}: {source}")]
    Linear {
        /// The operator.
        operator: OperatorId,
        /// What is wrong.
        source: LinearError,
    },
    /// A broadcast operator has no tensor, or one that does not broadcast.
    #[error("{operator}: its tensor is missing or does not broadcast")]
    Broadcast {
        /// The operator.
        operator: OperatorId,
    },
    /// A constant names something that does not exist or is of another kind.
    #[error("{constant}: names an operator or part that does not exist")]
    Missing {
        /// The constant.
        constant: Const,
    },
    /// A constant that is one number has no slots of its own.
    #[error(
        "{constant}: is one number, which `dot_scalar` multiplies by; only a diagonal or a fill has slots"
    )]
    OneNumber {
        /// The constant.
        constant: Const,
    },
    /// A constant with slots is not one number.
    #[error("{constant}: has slots, which `encode` takes; only a uniform constant is one number")]
    Slots {
        /// The constant.
        constant: Const,
    },
}
