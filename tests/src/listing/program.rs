//! Slot programs as text: an operation a line, `c0`, `c1`, ... its constants.
//!
//! ```text
//! s0 = input
//! s1 = rotate s0 3
//! s2 = dot s0*c0 + s1*c1
//! s3 = scalars s0*c0 + s1*c1 mask c2
//! s4 = mask s2*c0 + s2*c1
//! s5 = add_const s4 c3
//! s6 = mul_scalar s5 0.5
//! s7 = add s5 s6
//! s8 = negate s7
//! s9 = mul s8 s8
//! s10 = switch_ring s9
//! s11 = refresh s10*1 + s9*0.5 of 1
//! output s10
//! ```

#![allow(
    clippy::panic,
    reason = "a program that cannot be read is a mistake of the test that has it"
)]

use super::{Source, number};
use peregrine_compiler::slots::{Full, Program, SlotOp, SlotPort, SlotValue};
use peregrine_ir::{
    Const, Constant, Entity, Layout, LayoutParts, Operator, Rotation, Shape, SourceNode, Tensor,
};
use std::fmt::Write;

/// The operations of a program, and which values are inputs and outputs.
pub(super) fn print(program: &Program) -> String {
    let mut text = String::new();
    let ports = [("input", &program.inputs), ("output", &program.outputs)];
    for (what, port) in ports
        .iter()
        .flat_map(|(w, p)| p.iter().map(move |p| (w, p)))
    {
        _ = writeln!(text, "{what} {} {:?}", port.name, port.packed.values);
    }
    for (id, constant) in program.constants.iter() {
        _ = writeln!(text, "{id} = {constant:?}");
    }
    for (value, inst) in program.values.iter() {
        let node = program.nodes.get(inst.node);
        let node = node.map_or("", |node| node.name.as_str());
        _ = writeln!(text, "{value} = {} @{node}", operation(&inst.op));
    }
    text
}

/// An operation as the head of this file shows it.
pub(super) fn operation(op: &SlotOp) -> String {
    let products = |terms: &[(SlotValue, Const)]| {
        let terms: Vec<String> = terms.iter().map(|(a, c)| format!("{a}*{c}")).collect();
        terms.join(" + ")
    };
    match op {
        SlotOp::Input => "input".to_owned(),
        SlotOp::Rotate(a, by) => format!("rotate {a} {}", by.0),
        SlotOp::Dot(terms) => format!("dot {}", products(terms)),
        SlotOp::Scalars(terms, None) => format!("scalars {}", products(terms)),
        SlotOp::Scalars(terms, Some(mask)) => format!("scalars {} mask {mask}", products(terms)),
        SlotOp::Mask(terms) => format!("mask {}", products(terms)),
        SlotOp::AddConst(a, c) => format!("add_const {a} {c}"),
        SlotOp::MulScalar(a, factor) => format!("mul_scalar {a} {factor}"),
        SlotOp::Add(terms) => {
            let terms: Vec<String> = terms.iter().map(ToString::to_string).collect();
            format!("add {}", terms.join(" "))
        }
        SlotOp::Negate(a) => format!("negate {a}"),
        SlotOp::Mul(a, b) => format!("mul {a} {b}"),
        SlotOp::SwitchRing(a) => format!("switch_ring {a}"),
        SlotOp::Refresh(values, of) => {
            let values: Vec<String> = values.iter().map(|(a, x)| format!("{a}*{x}")).collect();
            format!("refresh {} of {of}", values.join(" + "))
        }
    }
}

/// The program of a file on vectors of `slots` elements. All operations are of one node, all constants ones in every slot.
pub(super) fn program(source: &Source<'_>, slots: u32) -> Program {
    let mut program = Program::default();
    let node = program.nodes.push(SourceNode {
        name: "node".to_owned(),
        op: "Test".to_owned(),
    });
    for line in &source.lines {
        if let Some(names) = line.strip_prefix("output ") {
            let values: Vec<SlotValue> = names.split(' ').map(entity).collect();
            // After a switch of rings there are half as many slots.
            let is_switch = |op: &SlotOp| matches!(op, SlotOp::SwitchRing(_));
            let switched = program.values.values().any(|inst| is_switch(&inst.op));
            let slots = if switched { slots / 2 } else { slots };
            let name = format!("y{}", program.outputs.len());
            let port = port(&mut program, name, slots, values);
            program.outputs.push(port);
            continue;
        }
        let Some((name, text)) = line.split_once(" = ") else {
            panic!("`{line}` is no operation");
        };
        let op = parse(text);
        let is_input = op == SlotOp::Input;
        for constant in constants(&op) {
            while program.constants.len() <= constant.index() {
                ones(&mut program, slots);
            }
        }
        let value = program.push(op, node);
        assert_eq!(value, entity::<SlotValue>(name), "operations in order");
        if is_input {
            let name = format!("x{}", program.inputs.len());
            let port = port(&mut program, name, slots, vec![value]);
            program.inputs.push(port);
        }
    }
    program
}

fn entity<K: Entity>(name: &str) -> K {
    let digits = name.strip_prefix(K::PREFIX);
    K::new(number(digits.unwrap_or(name)))
}

fn parse(text: &str) -> SlotOp {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let words: Vec<&str> = rest.split(' ').collect();
    let a = || entity(words[0]);
    let products = |text: &str| -> Vec<(SlotValue, Const)> {
        let terms = text.split(" + ").filter_map(|term| term.split_once('*'));
        terms.map(|(a, c)| (entity(a), entity(c))).collect()
    };
    match word {
        "input" => SlotOp::Input,
        "rotate" => SlotOp::Rotate(a(), Rotation(number(words[1]))),
        "dot" => SlotOp::Dot(products(rest)),
        "scalars" => match rest.split_once(" mask ") {
            Some((terms, mask)) => SlotOp::Scalars(products(terms), Some(entity(mask))),
            None => SlotOp::Scalars(products(rest), None),
        },
        "mask" => SlotOp::Mask(products(rest)),
        "add_const" => SlotOp::AddConst(a(), entity(words[1])),
        "mul_scalar" => SlotOp::MulScalar(a(), number(words[1])),
        "add" => SlotOp::Add(words.iter().map(|word| entity(word)).collect()),
        "negate" => SlotOp::Negate(a()),
        "mul" => SlotOp::Mul(a(), entity(words[1])),
        "switch_ring" => SlotOp::SwitchRing(a()),
        "refresh" => {
            let (values, of) = rest.split_once(" of ").unwrap_or((rest, "0"));
            let values = values.split(" + ").filter_map(|term| term.split_once('*'));
            let values = values.map(|(a, bound)| (entity(a), number(bound)));
            SlotOp::Refresh(values.collect(), number(of))
        }
        _ => panic!("`{word}` is no operation"),
    }
}

fn constants(op: &SlotOp) -> Vec<Const> {
    match op {
        SlotOp::Dot(terms) | SlotOp::Mask(terms) => terms.iter().map(|&(_, c)| c).collect(),
        SlotOp::Scalars(terms, mask) => terms.iter().map(|&(_, c)| c).chain(*mask).collect(),
        SlotOp::AddConst(_, c) => vec![*c],
        _ => Vec::new(),
    }
}

/// Appends a constant of ones.
fn ones(program: &mut Program, slots: u32) {
    let shape = checked(Shape::new([slots]));
    let name = format!("ones{}", program.constants.len());
    let tensor = Tensor::new(name, shape.clone(), vec![1.0; slots as usize]);
    let operator = Operator::Broadcast {
        tensor: program.tensors.push(checked(tensor)),
        shape,
        layout: program.layout(vector(slots)),
    };
    let operator = program.operators.push(operator);
    program.constant(Constant::Fill { operator, part: 0 });
}

fn port(program: &mut Program, name: String, slots: u32, values: Vec<SlotValue>) -> SlotPort {
    SlotPort {
        name,
        shape: checked(Shape::new([slots])),
        packed: Full {
            layout: program.layout(vector(slots)),
            values,
        },
    }
}

/// Every slot an element.
fn vector(slots: u32) -> Layout {
    checked(Layout::new(LayoutParts {
        shape: [slots, 1, 1],
        log_slots: slots.ilog2(),
        phases: [1, 1],
        gaps: [1, 1],
        pitch: 1,
        plane: 1,
        replicas: 1,
        skew: 0,
        jump: 0,
        run: 1,
    }))
}

fn checked<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
