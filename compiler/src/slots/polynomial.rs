//! Lowering polynomials: degree `d` at depth `ceil(log2(d + 1))`, one less when the leading coefficient is 1 or -1 and
//! the degree a power of two.
//!
//! With `m` the largest power of two up to `d`, `p(x) = x^m hi(x) + lo(x)`; both halves recurse, powers are shared.
//! A quadratic is `x (a x + b) + c`: one product of ciphertexts, and of constants none when `a = 1`.

use super::{Program, SlotOp, SlotValue};
use peregrine_ir::{
    Const, Constant, LayoutId, Node, Operator, OperatorId, Shape, Tensor, TensorId,
};

/// A coefficient of a polynomial, as the lowering sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Coefficient {
    Zero,
    /// One scalar for all elements.
    Number(f64),
    /// Different numbers for the elements: an operator whose constants fill the layout.
    Tensor(OperatorId),
}

/// Emits the evaluation of one polynomial on the ciphertexts of a packed tensor.
pub struct Evaluation<'p> {
    program: &'p mut Program,
    node: Node,
    layout: LayoutId,
    shape: Shape,
    coefficients: Vec<Coefficient>,
    /// The constant term of any polynomial must respect the zeros around the tensor: always an operator.
    part: u32,
}

impl<'p> Evaluation<'p> {
    /// Prepares a polynomial with these coefficients (constant first) on a tensor of `shape` packed as `layout`.
    pub fn new(
        program: &'p mut Program,
        coefficients: &[TensorId],
        (shape, layout, node): (&Shape, LayoutId, Node),
    ) -> Self {
        let mut kinds: Vec<Coefficient> = coefficients
            .iter()
            .map(|&id| classify(program, id, shape, layout))
            .collect();
        while kinds.last() == Some(&Coefficient::Zero) {
            kinds.pop();
        }
        Self {
            program,
            node,
            layout,
            shape: shape.clone(),
            coefficients: kinds,
            part: 0,
        }
    }

    /// Emits the polynomial of ciphertext number `part`.
    pub fn apply(&mut self, x: SlotValue, part: u32) -> SlotValue {
        self.part = part;
        let mut powers = vec![x];
        let coefficients = self.coefficients.clone();
        match self.eval(&mut powers, &coefficients) {
            Some(value) => value,
            None => self.push(SlotOp::MulScalar(x, 0.0)),
        }
    }

    fn push(&mut self, op: SlotOp) -> SlotValue {
        self.program.push(op, self.node)
    }

    /// Emits a polynomial in powers of a value. `None` is the zero polynomial, which has no ciphertext of its own. A
    /// constant polynomial needs a ciphertext to be added to.
    fn eval(&mut self, powers: &mut Vec<SlotValue>, c: &[Coefficient]) -> Option<SlotValue> {
        let x = *powers.first()?;
        match c {
            [] => None,
            [c0] => {
                let zero = self.push(SlotOp::MulScalar(x, 0.0));
                Some(self.plus(zero, *c0))
            }
            [c0, c1] => {
                let linear = self.times(x, *c1)?;
                Some(self.plus(linear, *c0))
            }
            [c0, c1, c2] => {
                let inner = self.times(x, *c2);
                let inner = match inner {
                    Some(inner) => self.plus(inner, *c1),
                    None => return self.eval(powers, &[*c0, *c1]),
                };
                let product = self.push(SlotOp::Mul(x, inner));
                Some(self.plus(product, *c0))
            }
            _ => self.split(powers, c),
        }
    }

    fn split(&mut self, powers: &mut Vec<SlotValue>, c: &[Coefficient]) -> Option<SlotValue> {
        let log = (c.len() - 1).ilog2() as usize;
        let m = 1usize << log;
        let (low, high) = c.split_at(m);
        let power = self.power(powers, log)?;
        let top = match high {
            [only] => self.times(power, *only),
            _ => self
                .eval(powers, high)
                .map(|high| self.push(SlotOp::Mul(power, high))),
        };
        let used = low
            .iter()
            .rposition(|k| *k != Coefficient::Zero)
            .map_or(0, |last| last + 1);
        match (top, &low[..used]) {
            (None, rest) => self.eval(powers, rest),
            (top, []) => top,
            (Some(top), [c0]) => Some(self.plus(top, *c0)),
            (Some(top), rest) => {
                let rest = self.eval(powers, rest)?;
                Some(self.push(SlotOp::Add(vec![top, rest])))
            }
        }
    }

    /// Emits `x^(2^log)`, or reuses it.
    fn power(&mut self, powers: &mut Vec<SlotValue>, log: usize) -> Option<SlotValue> {
        while powers.len() <= log {
            let last = *powers.last()?;
            let square = self.push(SlotOp::Mul(last, last));
            powers.push(square);
        }
        powers.get(log).copied()
    }

    /// Emits `c * x`; `None` when `c` is zero.
    fn times(&mut self, x: SlotValue, c: Coefficient) -> Option<SlotValue> {
        match c {
            Coefficient::Zero => None,
            Coefficient::Number(1.0) => Some(x),
            Coefficient::Number(-1.0) => Some(self.push(SlotOp::Negate(x))),
            Coefficient::Number(c) => Some(self.push(SlotOp::MulScalar(x, c))),
            Coefficient::Tensor(operator) => {
                let constant = self.program.constant(Constant::Fill {
                    operator,
                    part: self.part,
                });
                Some(self.push(SlotOp::Dot(vec![(x, constant)])))
            }
        }
    }

    fn plus(&mut self, x: SlotValue, c: Coefficient) -> SlotValue {
        match self.fill(c) {
            Some(constant) => self.push(SlotOp::AddConst(x, constant)),
            None => x,
        }
    }

    fn fill(&mut self, c: Coefficient) -> Option<Const> {
        let operator = match c {
            Coefficient::Zero => return None,
            Coefficient::Tensor(operator) => operator,
            Coefficient::Number(value) => {
                let tensor = number(self.program, value)?;
                let (shape, layout) = (self.shape.clone(), self.layout);
                broadcast(self.program, tensor, shape, layout)
            }
        };
        Some(self.program.constant(Constant::Fill {
            operator,
            part: self.part,
        }))
    }
}

fn classify(program: &mut Program, id: TensorId, shape: &Shape, layout: LayoutId) -> Coefficient {
    let data = program.tensors[id].data();
    match data.first() {
        None => Coefficient::Zero,
        Some(&first) if data.iter().all(|&x| x == first) => {
            if first == 0.0 {
                Coefficient::Zero
            } else {
                Coefficient::Number(first)
            }
        }
        Some(_) => Coefficient::Tensor(broadcast(program, id, shape.clone(), layout)),
    }
}

/// The tensor of a single number, if it is finite.
fn number(program: &mut Program, value: f64) -> Option<TensorId> {
    let tensor = Tensor::new(format!("{value}"), Shape::scalar(), vec![value]).ok()?;
    Some(entered(program, tensor))
}

/// A tensor of a single number, which is entered into the table once.
fn entered(program: &mut Program, tensor: Tensor) -> TensorId {
    let equal = |t: &Tensor| t.name == tensor.name && t.data() == tensor.data();
    let known = program.tensors.iter().find(|(_, t)| equal(t));
    match known {
        Some((id, _)) => id,
        None => program.tensors.push(tensor),
    }
}

/// The operator whose parts are 1 where `layout` has an element and 0 elsewhere: masks.
pub fn ones(program: &mut Program, shape: Shape, layout: LayoutId) -> OperatorId {
    let one = entered(program, Tensor::one());
    broadcast(program, one, shape, layout)
}

/// The operator that broadcasts `tensor` to `shape` and packs it, which is entered into the table once.
pub fn broadcast(
    program: &mut Program,
    tensor: TensorId,
    shape: Shape,
    layout: LayoutId,
) -> OperatorId {
    let operator = Operator::Broadcast {
        tensor,
        shape,
        layout,
    };
    let known = program
        .operators
        .iter()
        .rev()
        .find(|(_, known)| **known == operator)
        .map(|(id, _)| id);
    known.unwrap_or_else(|| program.operators.push(operator))
}
