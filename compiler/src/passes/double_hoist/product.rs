//! Sums of products of ciphertexts with constants: one type for the three instructions that compute them.

use peregrine_ir::{Const, Inst, Scale, TypeError, Value};

/// A sum of products: ciphertexts, each with a constant.
#[derive(Clone, Debug)]
pub(super) enum Product {
    /// Products with plaintexts: `mul_plain` and `dot`.
    Plains(Vec<(Value, Value)>),
    /// Products with scalars at a scale: `dot_scalar`.
    Numbers(Vec<(Value, Const)>, Scale),
}

impl Product {
    /// The sum of products that an instruction computes; `None` for other instructions.
    pub(super) fn of(inst: &Inst) -> Option<Self> {
        match inst {
            Inst::MulPlain(a, p) => Some(Self::Plains(vec![(*a, *p)])),
            Inst::Dot { ciphers, plains } => {
                let terms = ciphers.iter().copied().zip(plains.iter().copied());
                Some(Self::Plains(terms.collect()))
            }
            Inst::DotScalar {
                ciphers,
                constants,
                scale,
            } => {
                let terms = ciphers.iter().copied().zip(constants.iter().copied());
                Some(Self::Numbers(terms.collect(), scale.clone()))
            }
            _ => None,
        }
    }

    /// The instruction that computes the sum.
    pub(super) fn into_inst(self) -> Inst {
        match self {
            Self::Plains(terms) => match terms.as_slice() {
                [(a, p)] => Inst::MulPlain(*a, *p),
                _ => {
                    let (ciphers, plains) = terms.into_iter().unzip();
                    Inst::Dot { ciphers, plains }
                }
            },
            Self::Numbers(terms, scale) => {
                let (ciphers, constants) = terms.into_iter().unzip();
                Inst::DotScalar {
                    ciphers,
                    constants,
                    scale,
                }
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Plains(terms) => terms.len(),
            Self::Numbers(terms, _) => terms.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ciphertexts in order.
    pub(super) fn ciphers(&self) -> impl Iterator<Item = Value> {
        let (plains, numbers) = match self {
            Self::Plains(terms) => (terms.as_slice(), [].as_slice()),
            Self::Numbers(terms, _) => ([].as_slice(), terms.as_slice()),
        };
        let plains = plains.iter().map(|&(a, _)| a);
        plains.chain(numbers.iter().map(|&(a, _)| a))
    }

    /// The plaintexts in order; none for products with scalars.
    pub(super) fn plains(&self) -> impl Iterator<Item = Value> {
        let plains = match self {
            Self::Plains(terms) => terms.as_slice(),
            Self::Numbers(..) => [].as_slice(),
        };
        plains.iter().map(|&(_, p)| p)
    }

    /// The terms for whose ciphertext `is` holds, and the other terms, each in order.
    pub(super) fn partition(self, is: impl Fn(Value) -> bool) -> (Self, Self) {
        match self {
            Self::Plains(terms) => {
                let (yes, no) = terms.into_iter().partition(|&(a, _)| is(a));
                (Self::Plains(yes), Self::Plains(no))
            }
            Self::Numbers(terms, scale) => {
                let (yes, no) = terms.into_iter().partition(|&(a, _)| is(a));
                (Self::Numbers(yes, scale.clone()), Self::Numbers(no, scale))
            }
        }
    }

    /// Renames the ciphertexts.
    pub(super) fn try_map_ciphers(
        &mut self,
        mut f: impl FnMut(Value) -> Result<Value, TypeError>,
    ) -> Result<(), TypeError> {
        let rename = |a: &mut Value| f(*a).map(|new| *a = new);
        match self {
            Self::Plains(terms) => terms.iter_mut().map(|(a, _)| a).try_for_each(rename),
            Self::Numbers(terms, _) => terms.iter_mut().map(|(a, _)| a).try_for_each(rename),
        }
    }

    /// Renames the plaintexts.
    pub(super) fn try_map_plains(
        &mut self,
        mut f: impl FnMut(Value) -> Result<Value, TypeError>,
    ) -> Result<(), TypeError> {
        match self {
            Self::Plains(terms) => terms
                .iter_mut()
                .try_for_each(|(_, p)| f(*p).map(|new| *p = new)),
            Self::Numbers(..) => Ok(()),
        }
    }
}
