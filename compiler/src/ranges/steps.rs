//! The operations of a circuit on the way to the value of a polynomial.
//!
//! The lowering itself is asked: it writes its operations on one ciphertext into a program of their own, and each of these
//! is a polynomial in the operand again.

use crate::slots::{Evaluation, Program, SlotOp, SlotValue};
use crate::tensor::Polynomial;
use peregrine_ir::{
    Broadcast, Const, Constant, Entity, LayoutId, Node, Operator, SecondaryMap, Shape, Tensors,
};

/// The coefficients of values as polynomials in the operand, constant first; none for a value that is no polynomial in it.
type Known = SecondaryMap<SlotValue, Option<Vec<f64>>>;

/// The operations of a polynomial operator.
pub(super) struct Steps {
    program: Program,
    result: SlotValue,
}

impl Steps {
    /// The operations of `p` on a tensor of `shape`.
    pub(super) fn of(p: &Polynomial, shape: &Shape, tensors: &Tensors) -> Self {
        let mut program = Program::default();
        program.tensors.clone_from(tensors);
        let node = Node(0);
        let x = program.push(SlotOp::Input, node);
        let packed = (shape, LayoutId::new(0), node);
        let result = Evaluation::new(&mut program, p.coefficients(), packed).apply(x, 0);
        Self { program, result }
    }

    /// The coefficients, constant first, of each operation between operand and result for an element of the tensor; none for
    /// an operation that is no polynomial in the operand.
    pub(super) fn at(&self, element: usize) -> Vec<Option<Vec<f64>>> {
        let all: Known = SecondaryMap::in_order(&self.program.values, |before, _, inst| {
            self.step(&inst.op, element, before)
        });
        let between = |v: SlotValue| v.index() != 0 && v != self.result;
        let steps = all.iter().filter(|(v, _)| between(*v));
        steps.map(|(_, step)| step.clone()).collect()
    }

    fn step(&self, op: &SlotOp, element: usize, before: &Known) -> Option<Vec<f64>> {
        let value = |v: &SlotValue| before[*v].clone();
        match op {
            SlotOp::Input => Some(vec![0.0, 1.0]),
            SlotOp::Negate(a) => Some(scaled(value(a)?, -1.0)),
            SlotOp::MulScalar(a, factor) => Some(scaled(value(a)?, *factor)),
            SlotOp::Dot(terms) => terms.iter().try_fold(Vec::new(), |sum, (a, factor)| {
                let term = scaled(value(a)?, self.constant(*factor, element)?);
                Some(added(sum, &term))
            }),
            SlotOp::AddConst(a, term) => Some(added(value(a)?, &[self.constant(*term, element)?])),
            SlotOp::Add(terms) => terms
                .iter()
                .try_fold(Vec::new(), |sum, a| Some(added(sum, &value(a)?))),
            SlotOp::Mul(a, b) => Some(product(&value(a)?, &value(b)?)),
            SlotOp::Rotate(..)
            | SlotOp::Scalars(..)
            | SlotOp::Mask(_)
            | SlotOp::SwitchRing(_)
            | SlotOp::Refresh(..) => None,
        }
    }

    /// The value of a constant for an element.
    fn constant(&self, constant: Const, element: usize) -> Option<f64> {
        let Constant::Fill { operator, .. } = self.program.constants[constant] else {
            return None;
        };
        let Operator::Broadcast { tensor, shape, .. } = &self.program.operators[operator] else {
            return None;
        };
        let tensor = &self.program.tensors[*tensor];
        let source = Broadcast::new(tensor.shape(), shape)?.source(element);
        Some(tensor.data()[source])
    }
}

fn scaled(mut c: Vec<f64>, factor: f64) -> Vec<f64> {
    c.iter_mut().for_each(|c| *c *= factor);
    c
}

fn added(mut a: Vec<f64>, b: &[f64]) -> Vec<f64> {
    a.resize(a.len().max(b.len()), 0.0);
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}

fn product(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut c = vec![0.0; (a.len() + b.len()).saturating_sub(1)];
    for (i, a) in a.iter().enumerate() {
        for (c, b) in c.iter_mut().skip(i).zip(b) {
            *c += a * b;
        }
    }
    c
}
