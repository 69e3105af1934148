//! The printer: writes the canonical text of a circuit.

mod bodies;
mod inst;
mod operator;

use crate::circuit::{Circuit, Constant, Operator, Port, Remark};
use crate::entity::{LayoutId, RingId, Value};
use crate::inst::Inst;
use crate::key::KeyKind;
use crate::layout::Layout;
use crate::ring::{Level, LevelSpec, RingSpec, RingTable, Rotation, SecretKind};
use crate::tensor::Tensor;
use crate::types::Type;
use crate::verify::is_identifier;
use std::collections::{BTreeMap, HashSet};
use std::fmt::{self, Display, Formatter};

/// What to do with the data of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    Full,
    Elided,
}

/// A circuit, displayed as text.
pub(super) struct Text<'c> {
    pub(super) circuit: &'c Circuit,
    pub(super) weights: Weights,
}

/// Numbers of a tensor on one line.
const PER_LINE: usize = 8;

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let circuit = self.circuit;
        let (name, security) = (&circuit.name, circuit.security);
        if is_identifier(name) {
            writeln!(f, "circuit %{name} security={security} {{")?;
        } else {
            writeln!(f, "circuit %{} security={security} {{", Quoted(name))?;
        }
        rings(&circuit.rings, f)?;
        keys(circuit, f)?;
        for (id, node) in circuit.nodes.iter() {
            let (name, op) = (Quoted(&node.name), Word(&node.op));
            writeln!(f, "    {id} = node {name} {op}")?;
        }
        for Remark { node, text } in &circuit.remarks {
            let node = node.map_or_else(String::new, |node| format!("{node} "));
            writeln!(f, "    remark {node}{}", Quoted(text))?;
        }
        for (id, packing) in circuit.layouts.iter() {
            layout(circuit, id, packing, f)?;
        }
        for (id, weights) in circuit.tensors.iter() {
            write!(f, "    {id} = ")?;
            tensor(weights, self.weights, f)?;
        }
        for (id, op) in circuit.operators.iter() {
            match op {
                Operator::Linear {
                    map,
                    input,
                    output,
                    fold,
                    period,
                } => {
                    write!(f, "    {id} = ")?;
                    operator::linear(map, *input, *output, f)?;
                    if *fold != 1 {
                        write!(f, " fold={fold}")?;
                    }
                    if let Some(period) = period {
                        write!(f, " period={period}")?;
                    }
                    f.write_str("\n")?;
                }
                Operator::Broadcast {
                    tensor,
                    shape,
                    layout,
                } => writeln!(f, "    {id} = broadcast {tensor} {shape} {layout}")?,
            }
        }
        for (id, recipe) in circuit.constants.iter() {
            write!(f, "    {id} = ")?;
            constant(recipe, f)?;
        }
        program(circuit, f)?;
        f.write_str("}\n")
    }
}

fn rings(ring: &RingTable, f: &mut Formatter<'_>) -> fmt::Result {
    for (id, spec) in ring.rings.iter() {
        let RingSpec {
            log_n,
            secret,
            special,
            digits: _, // after the primes
        } = spec;
        write!(f, "    {id} = ring log_n={log_n}")?;
        if let SecretKind::Sparse { weight } = secret {
            write!(f, " secret_weight={weight}")?;
        }
        match special.as_slice() {
            [] => f.write_str("\n")?,
            special => writeln!(f, " special_primes={}", List(special))?,
        }
    }
    writeln!(f, "    D = scale 2^{}", ring.unit_bits)?;
    for (id, prime) in ring.primes.iter() {
        writeln!(f, "    {id} = prime {prime:#x}")?;
    }
    for (id, prime) in ring.special.iter() {
        writeln!(f, "    {id} = special_prime {prime:#x}")?;
    }
    for (i, LevelSpec { ring, primes }) in ring.levels.iter().enumerate() {
        writeln!(f, "    level {i}{} = {}", InRing(*ring), List(primes))?;
    }
    for (id, RingSpec { digits, .. }) in ring.rings.iter() {
        for (i, digit) in digits.iter().enumerate() {
            writeln!(f, "    digit {i}{} = {}", InRing(id), List(digit))?;
        }
    }
    Ok(())
}

/// A ring after what is in it: nothing for the first ring.
struct InRing(RingId);

impl Display for InRing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            RingId(0) => Ok(()),
            ring => write!(f, " {ring}"),
        }
    }
}

fn keys(circuit: &Circuit, f: &mut Formatter<'_>) -> fmt::Result {
    let mut rotations: BTreeMap<Level, Vec<Rotation>> = BTreeMap::new();
    let mut raises: BTreeMap<(Level, RingId), Vec<Rotation>> = BTreeMap::new();
    for (key, level) in &circuit.keys.levels {
        match key.kind {
            KeyKind::Relinearization => writeln!(f, "    relinearization_key level={level}")?,
            KeyKind::Conjugation => writeln!(f, "    conjugation_key level={level}")?,
            KeyKind::RingSwitch => {
                let from = key.from;
                writeln!(f, "    ring_switching_key level={level} from={from}")?;
            }
            KeyKind::Raise(rotation) => {
                let from = (*level, key.from);
                raises.entry(from).or_default().push(rotation);
            }
            KeyKind::Rotation(rotation) => rotations.entry(*level).or_default().push(rotation),
        }
    }
    for ((level, from), rotations) in raises.iter().rev() {
        let rotations = List(rotations);
        writeln!(f, "    raising_keys level={level} from={from} {rotations}")?;
    }
    for (level, rotations) in rotations.iter().rev() {
        writeln!(f, "    rotation_keys level={level} {}", List(rotations))?;
    }
    Ok(())
}

/// Prints a layout. Its number of slots is that of the first ring unless it says otherwise.
fn layout(circuit: &Circuit, id: LayoutId, layout: &Layout, f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "    {id} = layout gip ")?;
    let log_slots = layout.parts().log_slots;
    if log_slots.checked_add(1) != Some(circuit.rings.view(RingId(0)).log_n()) {
        write!(f, "log_slots={log_slots} ")?;
    }
    writeln!(f, "{layout}")
}

fn tensor(tensor: &Tensor, weights: Weights, f: &mut Formatter<'_>) -> fmt::Result {
    let (name, shape) = (Quoted(&tensor.name), tensor.shape());
    match weights {
        Weights::Elided => writeln!(f, "tensor {name} {shape} = elided"),
        Weights::Full => {
            writeln!(f, "tensor {name} {shape} = [")?;
            for line in tensor.data().chunks(PER_LINE) {
                f.write_str("       ")?;
                line.iter().try_for_each(|x| write!(f, " {x:?},"))?;
                f.write_str("\n")?;
            }
            f.write_str("    ]\n")
        }
    }
}

fn constant(constant: &Constant, f: &mut Formatter<'_>) -> fmt::Result {
    match constant {
        Constant::Diagonal {
            operator,
            input,
            output,
            rotation,
            pre,
        } => writeln!(
            f,
            "diagonal {operator} in={input} out={output} rotation={rotation} pre={pre}"
        ),
        Constant::Fill { operator, part } => writeln!(f, "fill {operator} part={part}"),
        Constant::Uniform {
            operator,
            input,
            output,
            rotation,
        } => writeln!(
            f,
            "uniform {operator} in={input} out={output} rotation={rotation}"
        ),
    }
}

fn program(circuit: &Circuit, f: &mut Formatter<'_>) -> fmt::Result {
    let mut entered: HashSet<Value> = circuit.imports().iter().map(|link| link.value).collect();
    bodies::functions(circuit, f)?;
    bodies::imports(circuit, f)?;
    for Port {
        name,
        shape,
        layout,
        values,
        prepare,
        range,
        finish: _, // an input has none of these
        expectation: _,
        imaginary: _,
    } in &circuit.inputs
    {
        write!(f, "entry {} {shape} {layout} (", Quoted(name))?;
        for (i, value) in values.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{value}")?;
            if let Some(ty) = entry_type(circuit, *value)
                && entered.insert(*value)
            {
                write!(f, ": {}", ty.display(circuit.rings.unit_bits))?;
            }
        }
        f.write_str(")")?;
        if let Some(prepare) = prepare {
            write!(f, " prepare {prepare}")?;
        }
        if let Some(range) = range {
            write!(f, " {range}")?;
        }
        f.write_str("\n")?;
    }
    for (value, definition) in circuit.definitions(circuit.main()) {
        if !entered.contains(&value) {
            inst::definition(circuit, value, definition, f)?;
        }
    }
    circuit
        .outputs
        .iter()
        .try_for_each(|port| output(port, f))?;
    bodies::exports(circuit, f)
}

fn output(port: &Port, f: &mut Formatter<'_>) -> fmt::Result {
    let Port {
        name,
        shape,
        layout,
        values,
        finish,
        expectation,
        imaginary,
        prepare: _, // an output has neither
        range: _,
    } = port;
    let values = CommaList(values);
    write!(f, "    return {} {shape} {layout} ({values})", Quoted(name))?;
    if !finish.is_empty() {
        write!(f, " finish [{finish}]")?;
    }
    if let Some(imaginary) = imaginary {
        write!(f, " imaginary {imaginary:?}")?;
    }
    if let Some(expectation) = expectation {
        write!(f, " {expectation}")?;
    }
    f.write_str("\n")
}

/// The type of a value that its entry defines: an input that serves no node.
fn entry_type(circuit: &Circuit, value: Value) -> Option<&Type> {
    let definition = circuit.values.get(value)?;
    let plain = matches!(definition.inst, Inst::Input { .. }) && definition.node.is_none();
    plain.then_some(&definition.ty)
}

/// `[a, b]`.
struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", CommaList(self.0))
    }
}

/// `a, b`.
struct CommaList<'a, T>(&'a [T]);

impl<T: Display> Display for CommaList<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{item}")?;
        }
        Ok(())
    }
}

/// A string in quotes.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// An identifier, or a string where it is none.
struct Word<'a>(&'a str);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if is_identifier(self.0) {
            f.write_str(self.0)
        } else {
            Quoted(self.0).fmt(f)
        }
    }
}
