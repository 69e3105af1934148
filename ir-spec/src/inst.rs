//! The operations of a circuit.
//!
//! The phases of key switching are operations of their own, so that hoisting is sharing a [`Inst::Decompose`], double
//! hoisting is moving a [`Inst::ModDown`] past sums, and lazy relinearization is moving [`Inst::Relinearize`] past sums:
//! rewrites of the circuit, not tricks of a runtime.
//!
//! In the docs `a`, `b` are ciphertexts, `p` plaintexts, `d` digits; `Q_l` is the modulus of level `l`, `P` the special
//! modulus; *key switch* marks the operations that need an evaluation key.

use crate::entity::{Const, FunctionId, Value};
use crate::key::KeyKind;
use crate::ring::{Level, Rotation};
use crate::scale::Scale;
use crate::types::{Basis, Type};

/// One operation; its operands are earlier values.
#[derive(Clone, Debug, PartialEq)]
pub enum Inst {
    /// A value that comes from outside: a ciphertext of an input tensor as the client sends it, a parameter of a function, or an
    /// import of a fragment.
    ///
    /// ## Typing
    /// States its type: any ciphertext or plaintext; of an input port a `ct<l, s>`.
    Input {
        /// Its type.
        ty: Type,
    },
    /// Digits that come from outside, of the input that is named: a parameter of a function or an import of a fragment.
    ///
    /// ## Typing
    /// The type of `decompose` of that input.
    InputDigits(Value),
    /// Encodes a constant at a level, scale and basis.
    ///
    /// ## Typing
    /// States its type: `pt<l, s>` or `pt<l, s, ext>`.
    Encode {
        /// The recipe of its slots, or of their real parts.
        constant: Const,
        /// The recipe of their imaginary parts; none where they are real.
        imaginary: Option<Const>,
        /// Level.
        level: Level,
        /// Scale.
        scale: Scale,
        /// Modulus.
        basis: Basis,
    },
    /// Sum of two or more ciphertexts.
    ///
    /// ## Typing
    /// All types equal, or the first `ct<l, s, deg 2>` and some others `ct<l, s>`; the result has the type of the first.
    Add(Vec<Value>),
    /// `a - b`.
    ///
    /// ## Typing
    /// Equal types.
    Sub(Value, Value),
    /// `-a`.
    Negate(Value),
    /// `a + p`, slot by slot.
    ///
    /// ## Typing
    /// Level, scale and basis agree; `a` is not extended (it carries a factor P, the plaintext does not).
    AddPlain(Value, Value),
    /// `a * p`, slot by slot.
    ///
    /// ## Typing
    /// Level and basis agree; scales multiply.
    MulPlain(Value, Value),
    /// `r * a` for a real scalar `r`, which needs no encoding: every coefficient is multiplied by the integer `round(r * scale)`.
    ///
    /// ## Typing
    /// Scales multiply.
    MulScalar {
        /// The ciphertext.
        a: Value,
        /// The scalar.
        factor: f64,
        /// Scale at which it is rounded.
        scale: Scale,
    },
    /// `a_1 * p_1 + a_2 * p_2 + ...` in one pass.
    ///
    /// ## Typing
    /// As many plaintexts as ciphertexts, at least one; each list has one type; as [`Inst::MulPlain`].
    Dot {
        /// The ciphertexts.
        ciphers: Vec<Value>,
        /// The plaintexts.
        plains: Vec<Value>,
    },
    /// `r_1 * a_1 + r_2 * a_2 + ...` with one scalar for each ciphertext, in one pass: the sum of `round(r_i * scale) * a_i`.
    /// Nothing is encoded.
    ///
    /// ## Typing
    /// As many constants as ciphertexts, at least one; the ciphertexts have one type, scales multiply. The verifier asks that
    /// the constants are of kind [`Constant::Uniform`](crate::Constant::Uniform).
    DotScalar {
        /// The ciphertexts.
        ciphers: Vec<Value>,
        /// The scalars.
        constants: Vec<Const>,
        /// Scale at which each is rounded.
        scale: Scale,
    },
    /// `a * b`, slot by slot.
    ///
    /// ## Typing
    /// Both `ct<l, _>`; the result is `ct<l, s t, deg 2>`.
    Mul(Value, Value),
    /// `a * a`, slot by slot: the result of [`Inst::Mul`] with equal operands, for less work.
    Square(Value),
    /// Turns three parts into two; key switch.
    ///
    /// ## Typing
    /// `ct<l, s, deg 2>` to `ct<l, s>`.
    Relinearize(Value),
    /// Turns three parts into an extended ciphertext, from shared digits of the third part; key switch without its `mod_down`.
    ///
    /// ## Typing
    /// `ct<l, s, deg 2>` and `digits<l>` to `ct<l, s, ext>`.
    RelinearizeExt {
        /// The product.
        a: Value,
        /// Digits of `a`.
        digits: Value,
    },
    /// Turns three parts into two at a lower level: `relinearize` and `rescale` in one; key switch.
    ///
    /// ## Typing
    /// `ct<l, s, deg 2>` to `ct<to, s Q_to / Q_l>` as [`Inst::Rescale`].
    RelinearizeRescale {
        /// The product.
        a: Value,
        /// Target level.
        to: Level,
    },
    /// Divides by `Q_l / Q_l'`: moves to a lower level and divides the scale by the same ratio. An extended ciphertext is divided by P in
    /// the same pass.
    ///
    /// ## Typing
    /// `ct<l, s>` or `ct<l, s, deg 2>` to the same form at level `to < l`, scale `s Q_l' / Q_l`; `ct<l, s, ext>` to `ct<l', s Q_l' / Q_l>`;
    /// the prime sets need not be nested.
    Rescale {
        /// The ciphertext.
        a: Value,
        /// Target level.
        to: Level,
    },
    /// Moves to a lower level by leaving limbs out; message and scale stay.
    ///
    /// ## Typing
    /// To level `to < l` whose primes are among those of `l`.
    DropLevel {
        /// The ciphertext.
        a: Value,
        /// Target level.
        to: Level,
    },
    /// Moves to another ring; key switch. In one of smaller degree, with `S` slots, slot `j` is the mean of the slots `j`, `j + S`,
    /// `j + 2 S`, ... of `a`; in one of larger degree the slots of `a` repeat.
    ///
    /// ## Typing
    /// `ct<l, s>` to level `to` of a ring of another degree or with a secret of another kind, whose primes are among those of `l`.
    SwitchRing {
        /// The ciphertext.
        a: Value,
        /// Target level.
        to: Level,
    },
    /// Reads the residues of a ciphertext as integers of least magnitude, modulo a larger modulus, on the way to another ring; then
    /// rotates to the left by `rotation` slots. Under the secret of its ring the message becomes `m + Q_l I`, with an integer polynomial `I`
    /// that is the same for every rotation, and small where the secret is sparse; in a ring of larger degree the slots of that repeat. Leaves out
    /// the final `mod_down`; key switch, without decomposition because what is switched is small.
    ///
    /// ## Typing
    /// `ct<l, s>` to `ct<to, s, ext>` of a ring with another secret and no smaller degree, which has all primes of `l` at `to`, and more, and
    /// special primes whose product is `Q_l` or larger. `rotation` is below the slots of `a`; 0 rotates by none.
    RaiseExt {
        /// The ciphertext.
        a: Value,
        /// Slots by which it is rotated to the left.
        rotation: Rotation,
        /// Level of the result.
        to: Level,
    },
    /// Splits the last part of a ciphertext into gadget digits and raises each to `Q_l * P`.
    ///
    /// ## Typing
    /// `ct<l, _>` or `ct<l, _, deg 2>` to `digits<l>`.
    Decompose(Value),
    /// Rotates to the left by `rotation` slots, from shared digits, leaving out the final `mod_down`; key switch.
    ///
    /// ## Typing
    /// `ct<l, s>` and its `digits<l>` to `ct<l, s, ext>`.
    RotateExt {
        /// The ciphertext.
        a: Value,
        /// Digits of `a`.
        digits: Value,
        /// Slots by which it is rotated to the left.
        rotation: Rotation,
    },
    /// Divides an extended ciphertext by P.
    ///
    /// ## Typing
    /// `ct<l, s, ext>` to `ct<l, s>`.
    ModDown(Value),
    /// Rotates to the left: `decompose`, `rotate_ext` and `mod_down` in one; key switch.
    ///
    /// ## Typing
    /// `ct<l, s>` to the same.
    Rotate {
        /// The ciphertext.
        a: Value,
        /// Slots by which it is rotated to the left.
        rotation: Rotation,
    },
    /// Complex conjugate of every slot; key switch.
    ///
    /// ## Typing
    /// `ct<l, s>` to the same.
    Conjugate(Value),
    /// Multiplies the polynomial by `X^exponent`; `N / 2` multiplies every slot by i.
    ///
    /// ## Typing
    /// Same type; `exponent < 2 N`.
    MulMonomial {
        /// The ciphertext.
        a: Value,
        /// Power of X.
        exponent: u32,
    },
    /// Runs a function on arguments and defines its first result; [`Inst::Result`] defines the others.
    ///
    /// ## Typing
    /// As many arguments as the function has parameters, of their types; digits are those of the argument whose digits the
    /// parameter is. The type of the first result.
    Call {
        /// The function, which is defined before the body that calls it.
        function: FunctionId,
        /// Its arguments.
        arguments: Vec<Value>,
    },
    /// A further result of a call. It stands directly after the call, or after another result of the call.
    ///
    /// ## Typing
    /// The type of that result of the function.
    Result {
        /// The call.
        call: Value,
        /// The index of the result, counted from 0; at least 1.
        index: u32,
    },
}

impl Inst {
    /// The word of the text form for this instruction.
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::InputDigits(_) => "input_digits",
            Self::Encode { .. } => "encode",
            Self::Add(_) => "add",
            Self::Sub(..) => "sub",
            Self::Negate(_) => "negate",
            Self::AddPlain(..) => "add_plain",
            Self::MulPlain(..) => "mul_plain",
            Self::MulScalar { .. } => "mul_scalar",
            Self::Dot { .. } => "dot",
            Self::DotScalar { .. } => "dot_scalar",
            Self::Mul(..) => "mul",
            Self::Square(_) => "square",
            Self::Relinearize(_) => "relinearize",
            Self::RelinearizeExt { .. } => "relinearize_ext",
            Self::RelinearizeRescale { .. } => "relinearize_rescale",
            Self::Rescale { .. } => "rescale",
            Self::DropLevel { .. } => "drop_level",
            Self::SwitchRing { .. } => "switch_ring",
            Self::RaiseExt { .. } => "raise_ext",
            Self::Decompose(_) => "decompose",
            Self::RotateExt { .. } => "rotate_ext",
            Self::ModDown(_) => "mod_down",
            Self::Rotate { .. } => "rotate",
            Self::Conjugate(_) => "conjugate",
            Self::MulMonomial { .. } => "mul_monomial",
            Self::Call { .. } => "call",
            Self::Result { .. } => "result",
        }
    }

    /// Calls `f` for every operand, in order.
    pub fn for_each_operand(&self, mut f: impl FnMut(Value)) {
        match self {
            Self::Input { .. } | Self::Encode { .. } => {}
            Self::Add(values)
            | Self::DotScalar {
                ciphers: values, ..
            }
            | Self::Call {
                arguments: values, ..
            } => values.iter().copied().for_each(f),
            Self::Dot { ciphers, plains } => ciphers.iter().chain(plains).copied().for_each(f),
            Self::Sub(a, b) | Self::AddPlain(a, b) | Self::MulPlain(a, b) | Self::Mul(a, b) => {
                f(*a);
                f(*b);
            }
            Self::RelinearizeExt { a, digits } | Self::RotateExt { a, digits, .. } => {
                f(*a);
                f(*digits);
            }
            Self::Negate(a)
            | Self::MulScalar { a, .. }
            | Self::Square(a)
            | Self::Relinearize(a)
            | Self::RelinearizeRescale { a, .. }
            | Self::Rescale { a, .. }
            | Self::DropLevel { a, .. }
            | Self::SwitchRing { a, .. }
            | Self::RaiseExt { a, .. }
            | Self::Decompose(a)
            | Self::ModDown(a)
            | Self::Rotate { a, .. }
            | Self::Conjugate(a)
            | Self::MulMonomial { a, .. }
            | Self::InputDigits(a)
            | Self::Result { call: a, .. } => f(*a),
        }
    }

    /// The operands in order.
    pub fn operands(&self) -> Vec<Value> {
        let mut operands = Vec::new();
        self.for_each_operand(|value| operands.push(value));
        operands
    }

    /// The instruction with every operand replaced by `f` of it.
    pub fn map_operands(&self, mut f: impl FnMut(Value) -> Value) -> Self {
        let mut inst = self.clone();
        match &mut inst {
            Self::Input { .. } | Self::Encode { .. } => {}
            Self::Add(values)
            | Self::DotScalar {
                ciphers: values, ..
            }
            | Self::Call {
                arguments: values, ..
            } => values.iter_mut().for_each(|v| *v = f(*v)),
            Self::Dot { ciphers, plains } => {
                ciphers.iter_mut().chain(plains).for_each(|v| *v = f(*v))
            }
            Self::Sub(a, b) | Self::AddPlain(a, b) | Self::MulPlain(a, b) | Self::Mul(a, b) => {
                *a = f(*a);
                *b = f(*b);
            }
            Self::RelinearizeExt { a, digits } | Self::RotateExt { a, digits, .. } => {
                *a = f(*a);
                *digits = f(*digits);
            }
            Self::Negate(a)
            | Self::MulScalar { a, .. }
            | Self::Square(a)
            | Self::Relinearize(a)
            | Self::RelinearizeRescale { a, .. }
            | Self::Rescale { a, .. }
            | Self::DropLevel { a, .. }
            | Self::SwitchRing { a, .. }
            | Self::RaiseExt { a, .. }
            | Self::Decompose(a)
            | Self::ModDown(a)
            | Self::Rotate { a, .. }
            | Self::Conjugate(a)
            | Self::MulMonomial { a, .. }
            | Self::InputDigits(a)
            | Self::Result { call: a, .. } => *a = f(*a),
        }
        inst
    }

    /// The instruction with other operands.
    ///
    /// # Errors
    /// The first one of `f`.
    pub fn try_map_operands<E>(
        &self,
        mut f: impl FnMut(Value) -> Result<Value, E>,
    ) -> Result<Self, E> {
        let mut failed = None;
        let mapped = self.map_operands(|old| match f(old) {
            Ok(new) => new,
            Err(error) => {
                failed.get_or_insert(error);
                old
            }
        });
        failed.map_or(Ok(mapped), Err)
    }

    /// The constants that the instruction names, in order.
    pub fn constants(&self) -> impl Iterator<Item = Const> {
        let (slots, scalars): ([Option<Const>; 2], &[Const]) = match self {
            Self::Encode {
                constant,
                imaginary,
                ..
            } => ([Some(*constant), *imaginary], &[]),
            Self::DotScalar { constants, .. } => ([None; 2], constants),
            _ => ([None; 2], &[]),
        };
        slots.into_iter().flatten().chain(scalars.iter().copied())
    }

    /// The constants or the scalar that the instruction rounds at a scale that it states; `None` for instructions that round
    /// none.
    pub fn rounded(&self) -> Option<Rounded<'_>> {
        let (what, scale) = match self {
            Self::Encode {
                constant,
                imaginary,
                scale,
                ..
            } => {
                let (re, im) = (*constant, *imaginary);
                (RoundedValue::Slots { re, im }, scale)
            }
            Self::DotScalar {
                constants, scale, ..
            } => (RoundedValue::Uniform(constants), scale),
            Self::MulScalar { factor, scale, .. } => (RoundedValue::Number(*factor), scale),
            _ => return None,
        };
        Some(Rounded { what, scale })
    }

    /// Renames the constants that the instruction names.
    pub fn rename_constants(&mut self, name: impl Fn(Const) -> Const) {
        match self {
            Self::Encode {
                constant,
                imaginary,
                ..
            } => {
                *constant = name(*constant);
                *imaginary = imaginary.map(name);
            }
            Self::DotScalar { constants, .. } => {
                constants.iter_mut().for_each(|c| *c = name(*c));
            }
            _ => {}
        }
    }

    /// The kind of the evaluation key that the instruction needs, if any; see also [`Circuit::key`](crate::Circuit::key).
    pub fn key(&self) -> Option<KeyKind> {
        match self {
            Self::Relinearize(_)
            | Self::RelinearizeRescale { .. }
            | Self::RelinearizeExt { .. } => Some(KeyKind::Relinearization),
            Self::RotateExt { rotation, .. } | Self::Rotate { rotation, .. } => {
                Some(KeyKind::Rotation(*rotation))
            }
            Self::Conjugate(_) => Some(KeyKind::Conjugation),
            Self::SwitchRing { .. } => Some(KeyKind::RingSwitch),
            Self::RaiseExt { rotation, .. } => Some(KeyKind::Raise(*rotation)),
            Self::Input { .. }
            | Self::Encode { .. }
            | Self::Add(_)
            | Self::Sub(..)
            | Self::Negate(_)
            | Self::AddPlain(..)
            | Self::MulPlain(..)
            | Self::MulScalar { .. }
            | Self::Dot { .. }
            | Self::DotScalar { .. }
            | Self::Mul(..)
            | Self::Square(_)
            | Self::Rescale { .. }
            | Self::DropLevel { .. }
            | Self::Decompose(_)
            | Self::ModDown(_)
            | Self::MulMonomial { .. }
            | Self::InputDigits(_)
            | Self::Call { .. }
            | Self::Result { .. } => None,
        }
    }

    /// Whether the instruction defines a value that comes from outside of its body.
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Input { .. } | Self::InputDigits(_))
    }

    /// Whether an executor has something to compute in the instruction's turn. It has not for inputs, which are there, for an
    /// `encode`, which is computed where the plaintext is used, and for a further result, which the call has computed.
    pub fn is_step(&self) -> bool {
        !matches!(
            self,
            Self::Input { .. } | Self::InputDigits(_) | Self::Encode { .. } | Self::Result { .. }
        )
    }

    /// The ciphertext that the instruction decomposes, or whose digits it inputs.
    pub fn digits_of(&self) -> Option<Value> {
        match self {
            Self::Decompose(a) | Self::InputDigits(a) => Some(*a),
            _ => None,
        }
    }
}

/// Numbers that an instruction rounds to integers at a scale that it states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounded<'i> {
    /// The numbers.
    pub what: RoundedValue<'i>,
    /// The scale.
    pub scale: &'i Scale,
}

/// The numbers of a [`Rounded`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RoundedValue<'i> {
    /// Constants with slots, which are encoded.
    Slots {
        /// The recipe of the real parts.
        re: Const,
        /// The recipe of the imaginary parts.
        im: Option<Const>,
    },
    /// Uniform constants: a scalar for each term.
    Uniform(&'i [Const]),
    /// A scalar.
    Number(f64),
}
