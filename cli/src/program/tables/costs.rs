//! The costs of a circuit as tables.

use super::grid::{show, table};
use peregrine::predicted::PredictedRun;
use peregrine::words::{bytes, count, percent, plain, seconds, short, shorten};
use peregrine_ir::bounds::Bounds;
use peregrine_ir::cost::Prediction;
use peregrine_ir::stats::{Counts, NodeStats, PortStats, Stats};
use peregrine_ir::{Expectation, InputRange, Level, Remark};
use peregrine_runtime::ring::kernels_in_use;

/// One line about the predicted time of a run.
pub fn predicted(run: &PredictedRun) -> String {
    let (assumed, here) = (&run.machine.kernels, kernels_in_use());
    let kernels = match assumed == here {
        true => format!("{assumed} kernels"),
        false => format!("{assumed} kernels; here are {here} ones: `bench --profile-out`"),
    };
    format!(
        "{} on {} ({kernels}), {} to share that, and {} to read the keys",
        seconds(run.prediction.seconds),
        count(run.threads, "thread"),
        seconds(run.prediction.sharing_seconds),
        seconds(run.prediction.key_seconds)
    )
}

/// Inputs and outputs as a table, with the steps that follow decryption.
pub fn ports(inputs: &[PortStats], outputs: &[PortStats]) -> String {
    let mut table = table(
        &[
            "",
            "name",
            "shape",
            "ciphertexts",
            "level",
            "scale bits",
            "then",
            "expects",
        ],
        &[3, 4, 5],
    );
    for (direction, ports) in [("input", inputs), ("output", outputs)] {
        for port in ports {
            table.add_row([
                direction.to_owned(),
                port.name.clone(),
                port.shape.to_string(),
                port.ciphertexts.to_string(),
                level(port.level),
                port.scale_bits
                    .map_or(String::new(), |bits| format!("{bits:.1}")),
                match &port.prepare {
                    Some(prepare) => format!("from {prepare}"),
                    None => port.finish.to_string(),
                },
                expects(port),
            ]);
        }
    }
    show(&table)
}

/// What a client is told of the values of a port.
fn expects(port: &PortStats) -> String {
    let range = port.range.map(|range| {
        let InputRange { low, high, origin } = range;
        format!("{low:.4} to {high:.4}, {origin}")
    });
    let values = port.expectation.map(|expected| {
        let Expectation {
            magnitude,
            noise,
            origin,
        } = expected;
        format!(
            "up to {magnitude:.4}, noise 2^{:.1}, {origin}",
            noise.log2()
        )
    });
    range.or(values).unwrap_or_default()
}

/// The work of a circuit in one line.
pub fn work(total: &Counts, bounds: &Bounds) -> String {
    let against = bounds.product_ratio.map_or(String::new(), |ratio| {
        format!(
            " ({ratio:.1} times the {} that {} MACs need)",
            bounds.least_products,
            short(bounds.macs)
        )
    });
    format!(
        "{} products{against}, {} decompositions, {} hoisted rotations, {} divisions by P",
        bounds.products, total.decompositions, total.hoisted_rotations, total.mod_downs
    )
}

/// Nodes as two tables, what matters most first; the prediction is of the same nodes.
pub fn nodes(stats: &Stats, total: bool, predicted: &Prediction) -> String {
    format!(
        "{}\n{}",
        bounds(stats, total, predicted),
        operations(stats, total)
    )
}

/// What each node computes beside the least, and what that takes.
fn bounds(stats: &Stats, total: bool, predicted: &Prediction) -> String {
    let header = [
        "node",
        "operator",
        "levels",
        "MACs",
        "products",
        "least",
        "ratio",
        "result",
        "fill",
        "rot. keys",
        "size",
        "time",
    ];
    let mut table = table(&header, &[3, 4, 5, 6, 7, 8, 9, 10, 11]);
    for (node, time) in stats.nodes.iter().zip(&predicted.nodes) {
        let [name, op] = names(node);
        let levels = levels(node.level_in, node.level_out);
        let time = [seconds(time.seconds)];
        let cells = [name, op, levels].into_iter().chain(bound(&node.bounds));
        table.add_row(cells.chain(time));
    }
    if total {
        let time = [seconds(predicted.seconds)];
        let title = ["total", "", ""].map(str::to_owned).into_iter();
        table.add_row(title.chain(bound(&stats.bounds)).chain(time));
    }
    show(&table)
}

fn bound(bounds: &Bounds) -> [String; 8] {
    let Bounds {
        macs,
        products,
        least_products,
        product_ratio,
        ciphertexts,
        fill,
        rotation_keys,
        rotation_key_bytes,
    } = *bounds;
    let unless_zero = |value: u64, text: String| if value == 0 { String::new() } else { text };
    [
        unless_zero(macs, short(macs)),
        products.to_string(),
        unless_zero(macs, least_products.to_string()),
        product_ratio.map_or(String::new(), |ratio| format!("{ratio:.1}")),
        unless_zero(ciphertexts, ciphertexts.to_string()),
        fill.map_or(String::new(), percent),
        unless_zero(rotation_keys, rotation_keys.to_string()),
        unless_zero(rotation_keys, bytes(rotation_key_bytes)),
    ]
}

/// How often each node does what.
fn operations(stats: &Stats, total: bool) -> String {
    let header = [
        "node", "instr.", "plain", "scalar", "ct prod.", "key sw.", "decomp.", "hoisted", "rotate",
        "mod down", "rescale", "encode",
    ];
    let mut table = table(&header, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    for node in &stats.nodes {
        let [name, _] = names(node);
        table.add_row([name].into_iter().chain(counts(&node.counts)));
    }
    if total {
        let title = ["total".to_owned()].into_iter();
        table.add_row(title.chain(counts(&stats.total)));
    }
    show(&table)
}

/// The longest names of nodes and operators that a table shows in full.
const LONGEST: [usize; 2] = [44, 20];

fn names(node: &NodeStats) -> [String; 2] {
    let source = node.node.as_ref();
    let (name, op) = source.map_or(("(none)", ""), |n| (&n.name, &n.op));
    let [longest_name, longest_op] = LONGEST;
    [
        shorten(&plain(name), longest_name),
        shorten(&plain(op), longest_op),
    ]
}

fn counts(counts: &Counts) -> [String; 11] {
    let Counts {
        instructions,
        plaintext_products,
        scalar_products,
        ciphertext_products,
        decompositions,
        hoisted_rotations,
        full_rotations,
        key_switches,
        mod_downs,
        rescales,
        encodes,
    } = *counts;
    let counts = [
        instructions,
        plaintext_products,
        scalar_products,
        ciphertext_products,
        key_switches,
        decompositions,
        hoisted_rotations,
        full_rotations,
        mod_downs,
        rescales,
        encodes,
    ];
    counts.map(|count| count.to_string())
}

/// The levels between which a node works.
pub fn levels(from: Option<Level>, to: Option<Level>) -> String {
    match (from, to) {
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        (from, to) => level(from.or(to)),
    }
}

/// Remarks on the circuit as a whole, as rows.
pub fn remarks(remarks: &[Remark]) -> impl Iterator<Item = [String; 2]> {
    let whole = remarks.iter().filter(|remark| remark.node.is_none());
    whole.map(|remark| ["remark".to_owned(), plain(&remark.text)])
}

fn level(level: Option<Level>) -> String {
    level.map_or(String::new(), |level| level.to_string())
}
