//! Instructions in columns: an opcode for each instruction, and its arguments in columns by kind. Types are not stored:
//! reading derives them.

use super::column::{Column, Differences};
use super::error::DecodeError;
use super::fields::range;
use super::public::{decode_scale, encode_scale};
use super::wire;
use crate::circuit::{Circuit, Definition};
use crate::entity::{Arena, Const, FunctionId, Node, Value};
use crate::inst::Inst;
use crate::ring::{Level, RingTable, Rotation};
use crate::scale::Scale;
use crate::types::{Basis, Form, Type};
use crate::typing::result_type;
use std::collections::HashMap;

/// Opcodes are part of the format: a number is never reused.
mod opcode {
    pub(super) const INPUT: u8 = 1;
    pub(super) const ENCODE: u8 = 2;
    pub(super) const ENCODE_EXT: u8 = 3;
    pub(super) const ADD: u8 = 4;
    pub(super) const SUB: u8 = 5;
    pub(super) const NEGATE: u8 = 6;
    pub(super) const ADD_PLAIN: u8 = 7;
    pub(super) const MUL_PLAIN: u8 = 8;
    pub(super) const MUL_SCALAR: u8 = 9;
    pub(super) const DOT: u8 = 10;
    pub(super) const MUL: u8 = 11;
    pub(super) const SQUARE: u8 = 12;
    pub(super) const RELINEARIZE: u8 = 13;
    pub(super) const RELINEARIZE_EXT: u8 = 14;
    pub(super) const RESCALE: u8 = 15;
    pub(super) const DROP_LEVEL: u8 = 16;
    pub(super) const DECOMPOSE: u8 = 17;
    pub(super) const ROTATE_EXT: u8 = 18;
    pub(super) const MOD_DOWN: u8 = 19;
    pub(super) const ROTATE: u8 = 20;
    pub(super) const CONJUGATE: u8 = 21;
    pub(super) const MUL_MONOMIAL: u8 = 22;
    pub(super) const DOT_SCALAR: u8 = 24;
    pub(super) const SWITCH_RING: u8 = 25;
    pub(super) const INPUT_PRODUCT: u8 = 26;
    pub(super) const INPUT_EXT: u8 = 27;
    pub(super) const INPUT_PLAIN: u8 = 28;
    pub(super) const INPUT_PLAIN_EXT: u8 = 29;
    pub(super) const INPUT_DIGITS: u8 = 30;
    pub(super) const CALL: u8 = 31;
    pub(super) const RESULT: u8 = 32;
    pub(super) const ENCODE_COMPLEX: u8 = 33;
    pub(super) const ENCODE_COMPLEX_EXT: u8 = 34;
    pub(super) const RAISE_EXT: u8 = 35;
    pub(super) const RELINEARIZE_RESCALE: u8 = 36;
}

pub(super) fn encode(values: &Arena<Value, Definition>) -> wire::Program {
    let mut encoder = Encoder::default();
    for (value, definition) in values.iter() {
        let Definition {
            inst,
            ty: _, // follows from the rest
            node,
        } = definition;
        encoder.node(*node);
        encoder.operands.rebase(value.0);
        encoder.inst(inst);
    }
    let Encoder {
        mut program,
        operands,
        constants,
        scale_rows: _,
    } = encoder;
    program.operands = operands.values;
    program.constants = constants.values;
    program
}

#[derive(Default)]
struct Encoder {
    program: wire::Program,
    operands: Differences,
    constants: Differences,
    scale_rows: HashMap<Scale, u32>,
}

impl Encoder {
    fn node(&mut self, node: Option<Node>) {
        let node = node.map_or(0, |n| n.0.saturating_add(1));
        match self.program.nodes.as_mut_slice() {
            [.., last, count] if *last == node => *count += 1,
            _ => self.program.nodes.extend([node, 1]),
        }
    }

    fn inst(&mut self, inst: &Inst) {
        self.program.opcodes.push(opcode_of(inst));
        match inst {
            Inst::Add(values) => self.program.counts.push(values.len() as u32),
            Inst::Dot { ciphers, plains } => self.counts([ciphers.len(), plains.len()]),
            Inst::DotScalar {
                ciphers,
                constants,
                scale,
            } => {
                self.counts([ciphers.len(), constants.len()]);
                self.scale(scale);
            }
            Inst::Input { ty } => {
                self.program.levels.push(ty.level().0);
                ty.scale().into_iter().for_each(|scale| self.scale(scale));
            }
            Inst::Call {
                function,
                arguments,
            } => {
                self.program.functions.push(function.0);
                self.program.counts.push(arguments.len() as u32);
            }
            Inst::Encode { level, scale, .. } => {
                self.program.levels.push(level.0);
                self.scale(scale);
            }
            Inst::MulScalar { factor, scale, .. } => {
                self.program.factors.push(*factor);
                self.scale(scale);
            }
            Inst::RelinearizeRescale { to, .. }
            | Inst::Rescale { to, .. }
            | Inst::DropLevel { to, .. }
            | Inst::SwitchRing { to, .. }
            | Inst::RaiseExt { to, .. } => self.program.levels.push(to.0),
            Inst::InputDigits(_)
            | Inst::Result { .. }
            | Inst::Rotate { .. }
            | Inst::RotateExt { .. }
            | Inst::MulMonomial { .. }
            | Inst::Sub(..)
            | Inst::AddPlain(..)
            | Inst::MulPlain(..)
            | Inst::Mul(..)
            | Inst::RelinearizeExt { .. }
            | Inst::Negate(_)
            | Inst::Square(_)
            | Inst::Relinearize(_)
            | Inst::Decompose(_)
            | Inst::ModDown(_)
            | Inst::Conjugate(_) => {}
        }
        self.program.powers.extend(power(inst));
        inst.for_each_operand(|v| self.operands.push(v.0));
        inst.constants().for_each(|c| self.constants.push(c.0));
    }

    fn counts(&mut self, counts: [usize; 2]) {
        self.program.counts.extend(counts.map(|count| count as u32));
    }

    fn scale(&mut self, scale: &Scale) {
        let row = match self.scale_rows.get(scale) {
            Some(&row) => row,
            None => {
                let row = self.program.scale_table.len() as u32;
                self.program.scale_table.push(encode_scale(scale));
                self.scale_rows.insert(scale.clone(), row);
                row
            }
        };
        self.program.scales.push(row);
    }
}

/// The rotation, the exponent or the index that an instruction states.
fn power(inst: &Inst) -> Option<u32> {
    match inst {
        Inst::Rotate { rotation, .. }
        | Inst::RotateExt { rotation, .. }
        | Inst::RaiseExt { rotation, .. } => Some(rotation.0),
        Inst::Result { index: power, .. }
        | Inst::MulMonomial {
            exponent: power, ..
        } => Some(*power),
        _ => None,
    }
}

fn opcode_of(inst: &Inst) -> u8 {
    match inst {
        Inst::Input { ty } => match ty {
            Type::Cipher { form, .. } => match form {
                Form::Normal => opcode::INPUT,
                Form::Product => opcode::INPUT_PRODUCT,
                Form::Extended => opcode::INPUT_EXT,
            },
            Type::Plain { basis, .. } => match basis {
                Basis::Normal => opcode::INPUT_PLAIN,
                Basis::Extended => opcode::INPUT_PLAIN_EXT,
            },
            // No input may be of this type: it does not read back.
            Type::Digits { .. } => opcode::INPUT_DIGITS,
        },
        Inst::InputDigits(_) => opcode::INPUT_DIGITS,
        Inst::Call { .. } => opcode::CALL,
        Inst::Result { .. } => opcode::RESULT,
        Inst::Encode {
            imaginary, basis, ..
        } => match (imaginary, basis) {
            (None, Basis::Normal) => opcode::ENCODE,
            (None, Basis::Extended) => opcode::ENCODE_EXT,
            (Some(_), Basis::Normal) => opcode::ENCODE_COMPLEX,
            (Some(_), Basis::Extended) => opcode::ENCODE_COMPLEX_EXT,
        },
        Inst::Add(_) => opcode::ADD,
        Inst::Sub(..) => opcode::SUB,
        Inst::Negate(_) => opcode::NEGATE,
        Inst::AddPlain(..) => opcode::ADD_PLAIN,
        Inst::MulPlain(..) => opcode::MUL_PLAIN,
        Inst::MulScalar { .. } => opcode::MUL_SCALAR,
        Inst::Dot { .. } => opcode::DOT,
        Inst::DotScalar { .. } => opcode::DOT_SCALAR,
        Inst::Mul(..) => opcode::MUL,
        Inst::Square(_) => opcode::SQUARE,
        Inst::Relinearize(_) => opcode::RELINEARIZE,
        Inst::RelinearizeExt { .. } => opcode::RELINEARIZE_EXT,
        Inst::RelinearizeRescale { .. } => opcode::RELINEARIZE_RESCALE,
        Inst::Rescale { .. } => opcode::RESCALE,
        Inst::DropLevel { .. } => opcode::DROP_LEVEL,
        Inst::SwitchRing { .. } => opcode::SWITCH_RING,
        Inst::RaiseExt { .. } => opcode::RAISE_EXT,
        Inst::Decompose(_) => opcode::DECOMPOSE,
        Inst::RotateExt { .. } => opcode::ROTATE_EXT,
        Inst::ModDown(_) => opcode::MOD_DOWN,
        Inst::Rotate { .. } => opcode::ROTATE,
        Inst::Conjugate(_) => opcode::CONJUGATE,
        Inst::MulMonomial { .. } => opcode::MUL_MONOMIAL,
    }
}

/// Decodes the instructions into a circuit whose ring and tables have been read.
pub(super) fn decode(program: &wire::Program, circuit: &mut Circuit) -> Result<(), DecodeError> {
    let mut decoder = Decoder::new(program, &circuit.rings)?;
    for &opcode in &program.opcodes {
        let value = circuit.values.next_key();
        let node = decoder.node()?;
        decoder.operands.rebase(value.0);
        let inst = decoder.inst(value, opcode)?;
        let ty = result_type(&inst, circuit, |v| circuit.type_of(v))
            .map_err(|source| DecodeError::Type { value, source })?;
        circuit.values.push(Definition { inst, ty, node });
    }
    decoder.finish()
}

struct Decoder<'a> {
    nodes: Column<'a, u32>,
    /// The node that instructions serve, and for how many more of them.
    serving: (Option<Node>, u32),
    operands: Column<'a, i64>,
    counts: Column<'a, u32>,
    constants: Column<'a, i64>,
    levels: Column<'a, u32>,
    scales: Column<'a, u32>,
    scale_table: Vec<Scale>,
    powers: Column<'a, u32>,
    factors: Column<'a, f64>,
    functions: Column<'a, u32>,
}

impl<'a> Decoder<'a> {
    fn new(program: &'a wire::Program, ring: &RingTable) -> Result<Self, DecodeError> {
        let wire::Program {
            opcodes: _,
            nodes,
            operands,
            counts,
            constants,
            levels,
            scales,
            scale_table,
            powers,
            factors,
            functions,
        } = program;
        let scale_table = scale_table.iter().map(|scale| decode_scale(scale, ring));
        Ok(Self {
            nodes: Column::new("nodes", nodes),
            serving: (None, 0),
            operands: Column::new("operands", operands),
            counts: Column::new("counts", counts),
            constants: Column::new("constants", constants),
            levels: Column::new("levels", levels),
            scales: Column::new("scales", scales),
            scale_table: scale_table.collect::<Result<_, _>>()?,
            powers: Column::new("powers", powers),
            factors: Column::new("factors", factors),
            functions: Column::new("functions", functions),
        })
    }

    fn finish(self) -> Result<(), DecodeError> {
        if self.serving.1 != 0 {
            let left = self.serving.1 as usize;
            return Err(DecodeError::ColumnLeft {
                column: "nodes",
                left,
            });
        }
        self.nodes.finish()?;
        self.operands.finish()?;
        self.counts.finish()?;
        self.constants.finish()?;
        self.levels.finish()?;
        self.scales.finish()?;
        self.powers.finish()?;
        self.functions.finish()?;
        self.factors.finish()
    }

    fn node(&mut self) -> Result<Option<Node>, DecodeError> {
        if self.serving.1 == 0 {
            let node = self.nodes.next()?.checked_sub(1).map(Node);
            let count = self.nodes.next()?;
            self.serving = (node, count);
        }
        let (node, count) = self.serving;
        let Some(left) = count.checked_sub(1) else {
            return Err(range("nodes", 0, "a positive count"));
        };
        self.serving = (node, left);
        Ok(node)
    }

    fn inst(&mut self, value: Value, opcode: u8) -> Result<Inst, DecodeError> {
        Ok(match opcode {
            opcode::INPUT => self.input(Form::Normal)?,
            opcode::INPUT_PRODUCT => self.input(Form::Product)?,
            opcode::INPUT_EXT => self.input(Form::Extended)?,
            opcode::INPUT_PLAIN => self.input_plain(Basis::Normal)?,
            opcode::INPUT_PLAIN_EXT => self.input_plain(Basis::Extended)?,
            opcode::CALL => {
                let (function, count) = (self.functions.next()?, self.counts.next()?);
                Inst::Call {
                    function: FunctionId(function),
                    arguments: self.list(count)?,
                }
            }
            opcode::ENCODE => self.encode(false, Basis::Normal)?,
            opcode::ENCODE_EXT => self.encode(false, Basis::Extended)?,
            opcode::ENCODE_COMPLEX => self.encode(true, Basis::Normal)?,
            opcode::ENCODE_COMPLEX_EXT => self.encode(true, Basis::Extended)?,
            opcode::ADD => {
                let count = self.counts.next()?;
                Inst::Add(self.list(count)?)
            }
            opcode::DOT => {
                let (ciphers, plains) = (self.counts.next()?, self.counts.next()?);
                Inst::Dot {
                    ciphers: self.list(ciphers)?,
                    plains: self.list(plains)?,
                }
            }
            opcode::DOT_SCALAR => {
                let (ciphers, constants) = (self.counts.next()?, self.counts.next()?);
                Inst::DotScalar {
                    ciphers: self.list(ciphers)?,
                    constants: self.constants(constants)?,
                    scale: self.scale()?,
                }
            }
            opcode::SUB => Inst::Sub(self.value()?, self.value()?),
            opcode::ADD_PLAIN => Inst::AddPlain(self.value()?, self.value()?),
            opcode::MUL_PLAIN => Inst::MulPlain(self.value()?, self.value()?),
            opcode::MUL => Inst::Mul(self.value()?, self.value()?),
            opcode::RELINEARIZE_EXT => Inst::RelinearizeExt {
                a: self.value()?,
                digits: self.value()?,
            },
            opcode::ROTATE_EXT => Inst::RotateExt {
                a: self.value()?,
                digits: self.value()?,
                rotation: Rotation(self.powers.next()?),
            },
            _ => {
                let a = self.value()?;
                self.unary(a, opcode)?
                    .ok_or(DecodeError::Opcode { value, opcode })?
            }
        })
    }

    /// An instruction on one ciphertext.
    fn unary(&mut self, a: Value, opcode: u8) -> Result<Option<Inst>, DecodeError> {
        Ok(Some(match opcode {
            opcode::INPUT_DIGITS => Inst::InputDigits(a),
            opcode::RESULT => Inst::Result {
                call: a,
                index: self.powers.next()?,
            },
            opcode::NEGATE => Inst::Negate(a),
            opcode::SQUARE => Inst::Square(a),
            opcode::RELINEARIZE => Inst::Relinearize(a),
            opcode::DECOMPOSE => Inst::Decompose(a),
            opcode::MOD_DOWN => Inst::ModDown(a),
            opcode::CONJUGATE => Inst::Conjugate(a),
            opcode::MUL_SCALAR => Inst::MulScalar {
                a,
                factor: self.factors.next()?,
                scale: self.scale()?,
            },
            opcode::RELINEARIZE_RESCALE => Inst::RelinearizeRescale {
                a,
                to: self.level()?,
            },
            opcode::RESCALE => Inst::Rescale {
                a,
                to: self.level()?,
            },
            opcode::DROP_LEVEL => Inst::DropLevel {
                a,
                to: self.level()?,
            },
            opcode::RAISE_EXT => Inst::RaiseExt {
                a,
                rotation: Rotation(self.powers.next()?),
                to: self.level()?,
            },
            opcode::SWITCH_RING => Inst::SwitchRing {
                a,
                to: self.level()?,
            },
            opcode::ROTATE => Inst::Rotate {
                a,
                rotation: Rotation(self.powers.next()?),
            },
            opcode::MUL_MONOMIAL => Inst::MulMonomial {
                a,
                exponent: self.powers.next()?,
            },
            _ => return Ok(None),
        }))
    }

    fn input(&mut self, form: Form) -> Result<Inst, DecodeError> {
        let (level, scale) = (self.level()?, self.scale()?);
        let ty = Type::Cipher { level, scale, form };
        Ok(Inst::Input { ty })
    }

    fn input_plain(&mut self, basis: Basis) -> Result<Inst, DecodeError> {
        let ty = Type::Plain {
            level: self.level()?,
            scale: self.scale()?,
            basis,
        };
        Ok(Inst::Input { ty })
    }

    fn encode(&mut self, complex: bool, basis: Basis) -> Result<Inst, DecodeError> {
        let constant = Const(self.constants.next_number()?);
        let imaginary = match complex {
            true => Some(Const(self.constants.next_number()?)),
            false => None,
        };
        Ok(Inst::Encode {
            constant,
            imaginary,
            level: self.level()?,
            scale: self.scale()?,
            basis,
        })
    }

    fn value(&mut self) -> Result<Value, DecodeError> {
        self.operands.next_number().map(Value)
    }

    fn list(&mut self, count: u32) -> Result<Vec<Value>, DecodeError> {
        let count = count as usize;
        let mut values = Vec::with_capacity(count.min(self.operands.left()));
        for _ in 0..count {
            values.push(self.value()?);
        }
        Ok(values)
    }

    fn constants(&mut self, count: u32) -> Result<Vec<Const>, DecodeError> {
        let count = count as usize;
        let mut constants = Vec::with_capacity(count.min(self.constants.left()));
        for _ in 0..count {
            constants.push(Const(self.constants.next_number()?));
        }
        Ok(constants)
    }

    fn level(&mut self) -> Result<Level, DecodeError> {
        self.levels.next().map(Level)
    }

    fn scale(&mut self) -> Result<Scale, DecodeError> {
        let row = self.scales.next()?;
        let scale = self.scale_table.get(row as usize).cloned();
        scale.ok_or(range("row of the scale table", row, "one that exists"))
    }
}
