//! Errors of layouts, lowering and management say which node they are about. The front end and the rewrites refuse most such
//! graphs before; these are made by hand.

use peregrine_compiler::layout::{Cut, LayoutPlan, Place, Planning, Quotes};
use peregrine_compiler::manage::demand::Demand;
use peregrine_compiler::manage::parameters::Planner;
use peregrine_compiler::manage::rescales::Policy;
use peregrine_compiler::manage::{Settled, emit, settle};
use peregrine_compiler::optimisation::Without;
use peregrine_compiler::pipeline::{Config, compile};
use peregrine_compiler::slots::{Full, Program, SlotOp, SlotPort, lower};
use peregrine_compiler::tensor::{Graph, Op};
use peregrine_ir::cost::CostModel;
use peregrine_ir::linear::{Contract, LinearKind};
use peregrine_ir::{Layout, LayoutParts, RingTable, Security, Shape, SourceNode, TensorId};
use peregrine_tests::builder::Builder;
use petgraph::graph::NodeIndex;

/// An input of 16 elements, `node0`, and what is made of it, `node1`.
fn graph(make: impl FnOnce(&mut Builder, NodeIndex) -> NodeIndex) -> Graph {
    let mut builder = Builder::default();
    let x = builder.input("x", &[1, 16]);
    let y = make(&mut builder, x);
    builder.output("y", y);
    builder.graph
}

fn square(builder: &mut Builder, x: NodeIndex) -> NodeIndex {
    builder.node(Op::Multiply, &[1, 16], &[x, x])
}

/// A product that has only one operand.
fn half_a_product(builder: &mut Builder, x: NodeIndex) -> NodeIndex {
    builder.node(Op::Multiply, &[1, 16], &[x])
}

/// A product without operands.
fn no_product(builder: &mut Builder, _: NodeIndex) -> NodeIndex {
    builder.node(Op::Multiply, &[1, 16], &[])
}

/// A matrix whose weight is not there.
fn weightless(builder: &mut Builder, x: NodeIndex) -> NodeIndex {
    let kind = LinearKind::Contract(Contract::matrix(TensorId(5), 16, 16));
    builder.linear(kind, x, &[1, 16], None)
}

fn dense(builder: &mut Builder, x: NodeIndex) -> NodeIndex {
    let weight = builder.weights(&[1, 16, 16], 0.5);
    let kind = LinearKind::Contract(Contract::matrix(weight, 16, 16));
    builder.linear(kind, x, &[1, 16], None)
}

fn planner<'p>(cost: &'p CostModel, without: &'p Without) -> Planner<'p> {
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

fn ring(log_n: u32, demand: &Demand) -> RingTable {
    let (cost, without) = (CostModel::default(), Without::new());
    planner(&cost, &without).ring(log_n, demand).unwrap()
}

/// The plan for a graph, or what the error says.
fn planned(graph: &Graph, log_slots: u32, cut: Option<Cut>) -> Result<LayoutPlan, String> {
    let without = Without::new();
    let place = Place {
        graph,
        log_slots,
        cut,
        without: &without,
    };
    let prices = CostModel::default().prices(&ring(6, &Demand::default()));
    let mut quotes = Quotes::default();
    let planning = Planning::new(place, prices, &mut quotes);
    let plan = planning.and_then(|mut planning| planning.fewest_levels());
    plan.map_err(|error| error.to_string())
}

#[test]
fn layouts() {
    let refused = |make: fn(&mut Builder, NodeIndex) -> NodeIndex, log_slots, cut| {
        planned(&graph(make), log_slots, cut).unwrap_err()
    };
    assert_eq!(
        refused(no_product, 5, None),
        "internal error: Test `node1` lacks an operand"
    );
    assert_eq!(
        refused(weightless, 5, None),
        "Test `node1`: weight tensor w5 does not exist"
    );
    // All slots of the only ciphertext are in use, so half of them do not hold it.
    assert_eq!(
        refused(square, 4, Some(Cut(NodeIndex::new(1)))),
        "internal error: no layout suits Test `node1`"
    );
    let large = refused(square, 40, None);
    assert!(
        large.starts_with("the result of Test `node0` cannot be packed: "),
        "{large}"
    );
}

/// Lowers a graph by the plan of another one.
fn lowered(
    planned_for: fn(&mut Builder, NodeIndex) -> NodeIndex,
    make: fn(&mut Builder, NodeIndex) -> NodeIndex,
) -> String {
    let plan = planned(&graph(planned_for), 5, None).unwrap();
    lower(&graph(make), &plan).unwrap_err().to_string()
}

#[test]
fn lowering() {
    assert_eq!(
        lowered(square, half_a_product),
        "internal error: Test `node1` lacks an operand or its plan"
    );
    assert_eq!(
        lowered(dense, weightless),
        "internal error: Test `node1`: weight tensor w5 does not exist"
    );
}

/// A program with one input of which something is made.
fn settled(op: impl FnOnce(peregrine_compiler::slots::SlotValue) -> SlotOp) -> Settled {
    let mut program = Program::default();
    let node = program.nodes.push(SourceNode {
        name: "conv1".to_owned(),
        op: "Conv".to_owned(),
    });
    let x = program.push(SlotOp::Input, node);
    let y = program.push(op(x), node);
    let layout = Layout::new(LayoutParts {
        shape: [16, 1, 1],
        log_slots: 4,
        phases: [1, 1],
        gaps: [1, 1],
        pitch: 1,
        plane: 1,
        replicas: 1,
        skew: 0,
        jump: 0,
        run: 1,
    });
    let layout = program.layout(layout.unwrap());
    let port = |name: &str, value| SlotPort {
        name: name.to_owned(),
        shape: Shape::new([16]).unwrap(),
        packed: Full {
            layout,
            values: vec![value],
        },
    };
    (program.inputs, program.outputs) = (vec![port("x", x)], vec![port("y", y)]);
    settle(program, Policy::Eager).unwrap()
}

fn emitted(settled: Settled, ring: RingTable) -> String {
    let (cost, without) = (CostModel::default(), Without::new());
    let bits = planner(&cost, &without).scale_bits(5);
    let circuit = emit(settled, ring, bits, Security::None, "c");
    circuit.unwrap_err().to_string()
}

#[test]
fn management() {
    let no_products = settled(|_| SlotOp::Dot(Vec::new()));
    let table = ring(5, &no_products.demand);
    assert_eq!(
        emitted(no_products, table),
        "internal error in manage at Conv `conv1`: a value is used before it is emitted"
    );
    let nothing = settled(|_| SlotOp::Add(Vec::new()));
    let table = ring(5, &nothing.demand);
    let error = emitted(nothing, table);
    assert!(
        error.starts_with("internal error in manage at Conv `conv1`: "),
        "{error}"
    );
    let square = settled(|x| SlotOp::Mul(x, x));
    assert_eq!(
        emitted(square, ring(5, &Demand::default())),
        "internal error in manage: the ring has 1 levels, the program needs 2"
    );
}

/// What a user meets: the front end makes no such graph, but whoever builds one by hand gets an error with a name.
#[test]
fn a_whole_compilation() {
    let refused = |make: fn(&mut Builder, NodeIndex) -> NodeIndex| {
        let error = compile(&graph(make), &Config::new("c")).unwrap_err();
        error.to_string()
    };
    assert_eq!(refused(half_a_product), "`node1` has 1 operands");
    assert_eq!(
        refused(weightless),
        "`node1`: weight tensor w5 does not exist"
    );
}
