//! Random networks of canonical operators, from a list of random numbers: smaller numbers give simpler networks, so that
//! shrinking the list shrinks the network. Whatever an ONNX front end makes of convolutional networks can occur: windows
//! of every kind, moved elements, matrices, polynomials, sums and products at different depths.

mod elements;
mod matrices;
mod moves;
mod windows;

use crate::builder::Builder;
use peregrine_compiler::tensor::Graph;
use petgraph::graph::NodeIndex;
use std::collections::BTreeSet;

/// Random numbers that a network can use up.
pub const NUMBERS: usize = 160;

/// Elements of the largest tensor.
const MOST_ELEMENTS: usize = 2 * 8 * 40 * 40;
/// The largest extent of an axis.
const MOST_EXTENT: u32 = 48;
/// Multiplications of the largest linear operator.
const MOST_MACS: usize = 150_000;

/// A network and the ring to compile it for.
#[derive(Debug)]
pub struct RandomGraph {
    /// The network.
    pub graph: Graph,
    /// log2 of a ring degree: small enough for large maps not to fit, large enough for the test to end.
    pub log_n: u32,
    /// What occurs in it, in words.
    pub features: BTreeSet<&'static str>,
}

/// The network that these numbers describe; missing ones are 0.
pub fn random_graph(numbers: &[u32]) -> RandomGraph {
    let mut choices = Choices(numbers.iter());
    let mut network = Network::default();
    let log_n = 5 + choices.below(7);
    network.inputs(&mut choices);
    let operators = 1 + choices.below(6);
    while network.operators < operators && choices.any() {
        network.operator(&mut choices);
    }
    if network.operators == 0 {
        network.polynomial(&mut choices);
    }
    network.outputs(&mut choices);
    let graph = network.builder.graph;
    let sizes = graph.nodes().map(|i| graph.node(i).shape.elements());
    let largest = sizes.max().unwrap_or(1);
    // At most 64 ciphertexts for each tensor, or so.
    let least = 1 + (largest / 64).next_power_of_two().ilog2();
    RandomGraph {
        graph,
        log_n: log_n.max(least),
        features: network.features,
    }
}

/// Numbers that steer the construction of a network; missing ones read as 0.
struct Choices<'c>(std::slice::Iter<'c, u32>);

impl Choices<'_> {
    fn any(&self) -> bool {
        !self.0.as_slice().is_empty()
    }

    /// Below `bound`, in proportion to the next number.
    fn below(&mut self, bound: u32) -> u32 {
        let number = self.0.next().copied().unwrap_or(0);
        ((u64::from(number) * u64::from(bound)) >> 32) as u32
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.below(count) + 1 == count
    }

    /// One of these; the first when no numbers are left.
    fn of<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        items.get(self.below(items.len() as u32) as usize).copied()
    }
}

/// A network under construction.
#[derive(Default)]
struct Network {
    builder: Builder,
    operators: u32,
    features: BTreeSet<&'static str>,
}

impl Network {
    fn inputs(&mut self, choices: &mut Choices<'_>) {
        let extent = |choices: &mut Choices<'_>| {
            let most = if choices.one_in(3) { 40 } else { 13 };
            1 + choices.below(most)
        };
        let count = if choices.one_in(4) { 2 } else { 1 };
        let mut dims = [1, 1, 1, 1];
        for i in 0..count {
            if i == 0 || choices.one_in(2) {
                let (h, w) = (extent(choices), extent(choices));
                let batch = if choices.one_in(10) { 2 } else { 1 };
                dims = [batch, 1 + choices.below(8), h, w];
            }
            self.builder.input(&format!("x{i}"), &dims);
        }
        if count > 1 {
            self.features.insert("several inputs");
        }
        if dims[0] > 1 {
            self.features.insert("batch");
        }
    }

    /// Adds an operator; none when the one drawn does not fit what there is.
    fn operator(&mut self, choices: &mut Choices<'_>) {
        let before = self.builder.graph.len();
        match choices.below(23) {
            0..=3 => self.convolution(choices),
            4..=6 => self.polynomial(choices),
            7..=9 => self.meet(choices),
            10 | 11 => self.pool(choices),
            12 => self.global_pool(choices),
            13 => self.transposed_convolution(choices),
            14 => self.upsampling(choices),
            15 => self.concatenation(choices),
            16 => self.piece(choices),
            17 => self.padding(choices),
            18 | 19 => self.rearrangement(choices),
            20 => self.matrix(choices),
            21 => self.reduction(choices),
            _ => self.fully_connected(choices),
        };
        self.operators += u32::from(self.builder.graph.len() > before);
    }

    fn outputs(&mut self, choices: &mut Choices<'_>) {
        let last = self.builder.graph.len() - 1;
        let mut outputs = vec![last];
        if choices.one_in(3) {
            self.features.insert("several outputs");
            outputs.push(choices.below(last as u32 + 1) as usize);
        }
        for (i, at) in outputs.into_iter().enumerate() {
            self.builder.output(&format!("y{i}"), NodeIndex::new(at));
        }
    }

    /// A tensor: late ones more often than early ones, so that networks get deep.
    fn pick(&self, choices: &mut Choices<'_>) -> NodeIndex {
        let last = self.builder.graph.len() as u32 - 1;
        NodeIndex::new((last - choices.below(3).min(last)) as usize)
    }

    /// An image and its dimensions; of the late ones, too. The inputs are images, so there is one.
    fn pick_image(&self, choices: &mut Choices<'_>) -> Option<(NodeIndex, [u32; 4])> {
        let images = self.builder.graph.nodes().rev();
        let images = images.filter_map(|i| Some((i, self.builder.image(i)?)));
        choices.of(&images.take(3).collect::<Vec<_>>())
    }
}

/// Whether a tensor of this shape may occur.
fn fits(dims: &[u32]) -> bool {
    let elements: usize = dims.iter().map(|&d| d as usize).product();
    elements <= MOST_ELEMENTS && dims.iter().skip(1).all(|d| (1..=MOST_EXTENT).contains(d))
}
