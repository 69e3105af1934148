//! The stages that file tests run, each from the text of its file to the text of its snapshot.
//!
//! Predicted seconds are left out: a snapshot says what is chosen, not why.

#![allow(clippy::panic, reason = "a stage that fails is a test that fails")]

use super::network::network;
use super::program::{operation, print, program};
use super::{Source, number};
use peregrine_compiler::layout::{Choice, Cut, LayoutPlan, Place, Planning, Quotes, depth, words};
use peregrine_compiler::manage::demand::{Demand, Need};
use peregrine_compiler::manage::parameters::Planner;
use peregrine_compiler::manage::rescales::Policy;
use peregrine_compiler::manage::{Settled, emit, settle};
use peregrine_compiler::optimisation::Without;
use peregrine_compiler::passes::keys::{self, Having, KeyBudget};
use peregrine_compiler::slots::lower;
use peregrine_compiler::tensor::Graph;
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Layout, RingTable, Security, text, verify};
use std::fmt::{Display, Write};

/// The layout of every tensor of a network. Options: `log_n`, the degree; `reluctance`, to spend levels on conversions; `cut`, the
/// node after which the degree is half of it.
pub fn layout(text: &str) -> String {
    let source = Source::new("layout", text);
    let (graph, plan) = planned(&source);
    let mut text = String::new();
    for index in graph.nodes() {
        let choice = plan.choice(index);
        let node = graph.node(index);
        _ = write!(text, "{} {}:", graph.name(index), node.shape);
        _ = write!(text, " {}", words::packing(&choice.layout));
        for (position, operand) in graph.operands(index).into_iter().enumerate() {
            let brought = plan.operand(&graph, index, position);
            let other = brought.filter(|&layout| layout != outgoing(plan.choice(operand)));
            if let Some(layout) = other {
                let name = graph.name(operand);
                _ = write!(
                    text,
                    ", {name} first brought to {}",
                    words::packing(&layout)
                );
            }
        }
        if choice.turned {
            text.push_str(", copies turned by masks");
        }
        if let Some(switched) = &choice.switched {
            _ = write!(
                text,
                ", then at half the degree {}",
                words::packing(switched)
            );
        }
        text.push('\n');
    }
    text
}

/// The slot program of a network. Options as for [`layout()`].
pub fn slots(text: &str) -> String {
    let (graph, plan) = planned(&Source::new("slots", text));
    print(&succeeds(lower(&graph, &plan)))
}

/// Places, scales, demand, and the circuit of a slot program. Options: `log_n`, the degree; `policy=lazy`, so that products of
/// ciphertexts wait for the next product with constants.
pub fn manage(text: &str) -> String {
    let source = Source::new("manage", text);
    let log_n = source.number("log_n", 5);
    let policy = match source.options.get("policy") {
        Some(&"lazy") => Policy::Lazy,
        _ => Policy::Eager,
    };
    let program = program(&source, 1 << (log_n - 1));
    let settled = succeeds(settle(program, policy));
    let (cost, without) = (CostModel::default(), Without::new());
    let planner = planner(&cost, &without);
    let ring = succeeds(planner.ring(log_n, &settled.demand));
    let mut text = listed(&settled);
    let bits = planner.scale_bits(log_n);
    let circuit = succeeds(emit(settled, ring, bits, Security::None, "managed"));
    let circuit = succeeds(verify(circuit));
    _ = write!(text, "\n{}", text::print(&circuit));
    text
}

/// The keys of a circuit and the circuit that they are for. Options: `budget`, in bytes.
pub fn keys(text: &str) -> String {
    let source = Source::new("keys", text);
    let circuit = succeeds(text::parse(&source.lines.join("\n")));
    let (cost, without) = (CostModel::default(), Without::new());
    let having = Having {
        cost: &cost,
        without: &without,
        like: None,
    };
    let budget = source.options.get("budget").map(|bytes| number(bytes));
    let budget = budget.map_or(KeyBudget::Unlimited, KeyBudget::AtMost);
    let circuit = succeeds(verify(circuit)).into_inner();
    let mut settled = succeeds(keys::choose_keys(circuit, having, budget));
    settled.circuit.remarks.clear();
    let chosen = &settled.chosen;
    let mut text = format!("{} keys of {} bytes\n\n", chosen.keys, chosen.bytes);
    let circuit = succeeds(verify(settled.circuit));
    text.push_str(&text::print(&circuit));
    text
}

/// The layout in which others find a result.
fn outgoing(choice: &Choice) -> Layout {
    choice.switched.unwrap_or(choice.layout)
}

fn planned(source: &Source<'_>) -> (Graph, LayoutPlan) {
    let (graph, nodes) = network(source);
    let log_n = source.number("log_n", 5);
    let cut = source.options.get("cut").map(|name| Cut(nodes[name]));
    let (cost, without) = (CostModel::default(), Without::new());
    let prices = cost.prices(&expected_ring(
        &graph,
        log_n,
        cut,
        &planner(&cost, &without),
    ));
    let place = Place {
        graph: &graph,
        log_slots: log_n - 1,
        cut,
        without: &without,
    };
    let mut quotes = Quotes::default();
    let mut planning = succeeds(Planning::new(place, prices, &mut quotes));
    let reluctance = source.options.get("reluctance").map(|text| number(text));
    let spent = reluctance.and_then(|r| succeeds(planning.worthwhile_levels(r)));
    let plan = spent.unwrap_or_else(|| succeeds(planning.fewest_levels()));
    (graph, plan)
}

/// A ring that a network is expected to need.
fn expected_ring(graph: &Graph, log_n: u32, cut: Option<Cut>, planner: &Planner<'_>) -> RingTable {
    let demand = Demand::uniform(depth::expected(graph), Need::LINEAR.of_product());
    let demand = match cut {
        Some(cut) => demand.switched_after(depth::before(graph, cut)),
        None => demand,
    };
    succeeds(planner.ring(log_n, &demand))
}

fn planner<'c>(cost: &'c CostModel, without: &'c Without) -> Planner<'c> {
    Planner {
        security: Security::None,
        precision_bits: 12,
        refresh_bits: 0,
        headroom_bits: 10,
        cost,
        without,
        modulus_bits: None,
        like: None,
    }
}

/// By operation its place, its scale in working scales and divisors, and whether it waits for a rescale; then the demand.
fn listed(settled: &Settled) -> String {
    let mut text = String::new();
    for (value, inst) in settled.program.values.iter() {
        let place = settled.rescales.place(value);
        let scale = settled.scales.known(value);
        let dropped: Vec<String> = scale
            .prime_part()
            .iter()
            .map(|(prime, exponent)| format!(" drop{}^{exponent}", prime.0))
            .collect();
        let lazy = if settled.rescales.is_lazy(value) {
            " lazy"
        } else {
            ""
        };
        _ = writeln!(
            text,
            "{value} = {}: {} depth {}, scale D^{}{}{lazy}",
            operation(&inst.op),
            place.region,
            place.depth,
            scale.log2_part(),
            dropped.concat(),
        );
    }
    for (region, demand) in settled.demand.regions.iter() {
        for (i, needs) in demand.rescales.iter().enumerate() {
            let needs: Vec<String> = needs.iter().map(need).collect();
            _ = writeln!(text, "{region} rescale {}: {}", i + 1, needs.join(" or "));
        }
        for (depth, work) in demand.work.iter().enumerate() {
            _ = writeln!(
                text,
                "{region} depth {depth}: {} key switches, {} products, {} keys",
                work.switches, work.products, work.keys
            );
        }
    }
    text
}

fn need(need: &Need) -> String {
    let parts = [
        (need.weights, " + weights"),
        (need.numbers, " + numbers"),
        (need.mask, " + mask"),
    ];
    let parts = parts.iter().filter(|(there, _)| *there);
    let parts: String = parts.map(|(_, text)| *text).collect();
    format!("{} D{parts}", need.units)
}

fn succeeds<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
