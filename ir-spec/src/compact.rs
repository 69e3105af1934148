//! Removal of table rows that nothing refers to.

use crate::circuit::{Circuit, Constant, Operator};
use crate::entity::{Arena, Entity, SecondaryMap, TensorId};
use crate::linear::LinearMap;

/// New names for the rows of a table that are used, in order.
struct Kept<K> {
    names: SecondaryMap<K, Option<K>>,
}

impl<K: Entity> Kept<K> {
    fn new<V>(table: &Arena<K, V>, used: impl Iterator<Item = K>) -> Self {
        let mut names = SecondaryMap::filled(table, None);
        for key in used {
            names[key] = Some(key);
        }
        for (next, name) in (0..).zip(names.values_mut().flatten()) {
            *name = K::new(next);
        }
        Self { names }
    }

    fn name(&self, old: K) -> K {
        *self.names.known(old)
    }

    fn filter<V: Clone>(&self, table: &Arena<K, V>) -> Arena<K, V> {
        table
            .iter()
            .filter(|(key, _)| self.names[*key].is_some())
            .map(|(_, v)| v.clone())
            .collect()
    }
}

/// The circuit without the constants, operators, tensors and layouts that nothing refers to. Nodes stay.
///
/// # Panics
/// When a row refers to one that does not exist; never for a circuit whose tables verify.
pub fn compact_tables(mut circuit: Circuit) -> Circuit {
    // Which rows stay: constants that instructions name, then what each table names in the next.
    let used = circuit.values.values().flat_map(|d| d.inst.constants());
    let constants = Kept::new(&circuit.constants, used);
    circuit.constants = constants.filter(&circuit.constants);
    let operators = Kept::new(
        &circuit.operators,
        circuit.constants.values().map(Constant::operator),
    );
    circuit.operators = operators.filter(&circuit.operators);
    let weights = circuit.operators.values().filter_map(|op| match op {
        Operator::Linear { map, .. } => map.weight(),
        Operator::Broadcast { tensor, .. } => Some(*tensor),
    });
    let tensors = Kept::new(&circuit.tensors, weights);
    circuit.tensors = tensors.filter(&circuit.tensors);
    let in_operators = circuit.operators.values().flat_map(|op| match op {
        Operator::Linear { input, output, .. } => vec![*input, *output],
        Operator::Broadcast { layout, .. } => vec![*layout],
    });
    let in_ports = circuit
        .inputs
        .iter()
        .chain(&circuit.outputs)
        .map(|port| port.layout);
    let layouts = Kept::new(&circuit.layouts, in_operators.chain(in_ports));
    circuit.layouts = layouts.filter(&circuit.layouts);

    // Names that lead into these tables become the new ones.
    for constant in circuit.constants.values_mut() {
        let operator = constant.operator_mut();
        *operator = operators.name(*operator);
    }
    for operator in circuit.operators.values_mut() {
        match operator {
            Operator::Linear {
                map,
                input,
                output,
                fold: _,
                period: _,
            } => {
                *map = reweighted(map, &tensors);
                (*input, *output) = (layouts.name(*input), layouts.name(*output));
            }
            Operator::Broadcast { tensor, layout, .. } => {
                (*tensor, *layout) = (tensors.name(*tensor), layouts.name(*layout));
            }
        }
    }
    for port in circuit.inputs.iter_mut().chain(&mut circuit.outputs) {
        port.layout = layouts.name(port.layout);
    }
    for definition in circuit.values.values_mut() {
        definition.inst.rename_constants(|c| constants.name(c));
    }
    circuit
}

fn reweighted(map: &LinearMap, tensors: &Kept<TensorId>) -> LinearMap {
    map.weight().map_or_else(
        || map.clone(),
        |weight| map.with_weight(tensors.name(weight)),
    )
}
