//! Evaluation of constants: from weights, attributes and layouts to the values of slots.
//!
//! A linear operator `y = A x` between layouts becomes, for each pair of an output ciphertext `o` and an input ciphertext
//! `i`, a sum over rotations `k` of `diagonal_k * rotate(x_i, k)`. Slot `t` of `diagonal_k` holds the coefficient of the
//! element at slot `t` of `o` on the element at slot `t + k` of `i`.
//!
//! Where `o` is folded `f` times its slots repeat with the period `P = S / f`, and the sum over `i` and `k` is followed by a sum
//! over the `f` slots that are equal modulo `P`. So a coefficient may be in any of these slots, and where the input has replicas
//! it may be reached by several rotations. It counts once: at the smallest rotation in `0 .. P` that reaches the element from any
//! of the slots ([`Reach::rotation`]), and there in the lowest of the slots that the element reaches.
//!
//! Cost of a diagonal: O(S), after one O(S) table for each ciphertext of a layout, which is kept. A scalar is read without
//! tables.

mod diagonal;
mod uniform;

use crate::circuit::{Circuit, Constant, Operator};
use crate::entity::{Const, Entity, LayoutId, OperatorId};
use crate::layout::Layout;
use crate::linear::{BoundMap, LinearError};
use crate::shape::Broadcast;
use diagonal::{Elements, NONE, Side, diagonal, repeated};
use std::sync::OnceLock;

/// Evaluates the constants of one circuit. A filler may be shared by threads.
#[derive(Debug)]
pub struct Filler<'c> {
    circuit: &'c Circuit,
    operators: Vec<Bound<'c>>,
    /// For each layout and each of its ciphertexts: what its slots hold.
    tables: Vec<Vec<OnceLock<Elements>>>,
}

/// The values in the slots of a plaintext, `N / 2` of them, real or complex.
#[derive(Clone, Debug, PartialEq)]
pub struct Slots {
    /// The real parts.
    pub re: Vec<f64>,
    /// The imaginary parts, in equal number; `None` where every slot is real.
    pub im: Option<Vec<f64>>,
}

impl Slots {
    /// Slots with these real parts and no imaginary parts.
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
        period: Option<u32>,
    },
    Broadcast {
        data: &'c [f64],
        broadcast: Broadcast,
        layout: LayoutId,
    },
}

impl<'c> Filler<'c> {
    /// A filler for the constants of `circuit`.
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

    /// The slots of a constant, with the slots of another one as imaginary parts if `im` names one: what an `encode` instruction
    /// encodes.
    ///
    /// # Errors
    /// When [`Self::fill`] has an error for either of them.
    pub fn slots(&self, re: Const, im: Option<Const>) -> Result<Slots, FillError> {
        Ok(Slots {
            re: self.fill(re)?,
            im: im.map(|im| self.fill(im)).transpose()?,
        })
    }

    /// The slots of a constant, `N / 2` real values.
    ///
    /// # Errors
    /// When the constant is a scalar, or it or a part it names does not exist; never for a constant that a verified circuit
    /// encodes.
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
                    period,
                },
            ) => {
                let from = self.side(*x, *input).ok_or_else(missing)?;
                let to = self.side(*y, *output).ok_or_else(missing)?;
                let reach = Reach::new(from.layout, *fold);
                let rotated = (&reach, *rotation);
                Ok(match period {
                    None => diagonal(map, (&from, &to), rotated, *pre),
                    Some(period) => repeated(map, (&from, &to), rotated, (*pre, *period)),
                })
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
                let elements = side.elements.in_slots().iter();
                Ok(elements
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
        let elements = cell.get_or_init(|| Elements::of(parts, ciphertext));
        Some(Side {
            layout: parts,
            elements,
        })
    }
}

/// The rotations by which elements of a packed input reach the slots of a result. Plans and constants both follow this one rule.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'l> {
    input: &'l Layout,
    /// Slots after which the result repeats, `P`.
    period: u32,
}

impl<'l> Reach<'l> {
    /// The rotations that bring elements packed as `input` to a result that is folded `fold` times, a power of two.
    pub fn new(input: &'l Layout, fold: u32) -> Self {
        let period = input.slots() / fold.clamp(1, input.slots());
        Self { input, period }
    }

    /// The bound below which all rotations are: the period `P` of the result.
    pub fn bound(&self) -> u32 {
        match self.input.is_aligned() {
            true => self.period.min(self.input.block()),
            false => self.period,
        }
    }

    /// The smallest rotation that brings the element at `slot` of replica 0 to a slot that is `t` modulo the period.
    pub fn rotation(&self, slot: u32, t: u32) -> u32 {
        let distance = |slot: u32| slot.wrapping_sub(t) & (self.period - 1);
        if self.input.is_aligned() {
            return distance(slot) & (self.bound() - 1);
        }
        let replicas = 0..self.input.parts().replicas;
        let distances = replicas.map(|replica| distance(self.input.replica(slot, replica)));
        distances.min().unwrap_or(0)
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
            period,
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
                period: *period,
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

/// After how many slots, a power of two, those of a constant repeat, where its operator says so.
pub fn period(circuit: &Circuit, constant: Const) -> Option<u32> {
    let operator = circuit.constants.get(constant)?.operator();
    let (tensor, shape, layout) = match circuit.operators.get(operator)? {
        Operator::Linear { period, .. } => return *period,
        Operator::Broadcast {
            tensor,
            shape,
            layout,
        } => (tensor, shape, layout),
    };
    let (tensor, layout) = (circuit.tensors.get(*tensor)?, circuit.layouts.get(*layout)?);
    let slots = layout.slots();
    let in_order = Layout::row_major(slots.ilog2(), [slots, 1, 1]).ok()? == *layout;
    let mut dims = tensor.shape().dims();
    while let [1, inner @ ..] = dims {
        dims = inner;
    }
    let repeats = shape.elements() == slots as usize && shape.dims().ends_with(dims);
    let period = u32::try_from(tensor.shape().elements()).ok()?;
    (in_order && repeats && period.is_power_of_two()).then_some(period)
}

/// Why a constant cannot be evaluated.
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
    /// A constant whose slots are asked for is a scalar.
    #[error(
        "{constant}: is one number, which `dot_scalar` multiplies by; only a diagonal or a fill has slots"
    )]
    OneNumber {
        /// The constant.
        constant: Const,
    },
    /// A constant whose scalar is asked for has slots.
    #[error("{constant}: has slots, which `encode` takes; only a uniform constant is one number")]
    Slots {
        /// The constant.
        constant: Const,
    },
}
