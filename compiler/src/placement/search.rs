//! The search for the fastest cuts.

use super::Placement;
use crate::tensor::{Graph, NodeName, PerNode};
use petgraph::graph::NodeIndex;

/// What refreshes cost, and how many bits they leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refreshing {
    /// Predicted seconds of a refresh of one ciphertext, and of two together.
    pub seconds: [f64; 2],
    /// Bits between the result of a refresh and its argument.
    pub room: f64,
    /// Bits that it takes to bring a value to the argument, and a result to the working scale.
    pub spent: [f64; 2],
}

impl Refreshing {
    /// Predicted seconds for so many ciphertexts.
    fn price(&self, ciphertexts: u32) -> f64 {
        let [one, two] = self.seconds;
        f64::from(ciphertexts / 2) * two + f64::from(ciphertexts % 2) * one
    }
}

/// A network whose values are to be refreshed.
#[derive(Clone, Debug)]
pub struct Problem<'a> {
    /// The network.
    pub graph: &'a Graph,
    /// Bits that each node drops.
    pub weights: PerNode<u32>,
    /// Ciphertexts of each node.
    pub ciphertexts: PerNode<u32>,
    /// The magnitude that the values of each node stay below; none where nothing bounds them.
    pub bounds: PerNode<Option<f64>>,
}

/// Cuts, and what they cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Refreshes {
    /// The cuts.
    pub placement: Placement,
    /// Predicted seconds of all refreshes.
    pub seconds: f64,
    /// Bits of the longest stretch, as far as the weights of the nodes tell.
    pub longest: f64,
}

/// There are no cuts that make every stretch short enough.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlacementError {
    /// A node alone drops more bits than a refresh gives back.
    #[error("{node} alone drops {bits:.0} bits, a refresh leaves {room:.0}")]
    Long {
        /// The node.
        node: NodeName,
        /// Bits that it drops, bringing values to a refresh and back included.
        bits: f64,
        /// Bits that there are.
        room: f64,
    },
    /// Stretches need more bits than estimated, however short they are made.
    #[error("the stretches between refreshes do not become short enough")]
    Unsettled,
    /// The values that would be refreshed have no bound.
    #[error(
        "values would have to be refreshed within {room:.0} bits after {after}, where nothing bounds them: `--calibrate` with samples, \
         or ranges that the model states, bound them"
    )]
    Unbounded {
        /// The last node before which there is a bound.
        after: NodeName,
        /// Bits that a refresh leaves.
        room: f64,
    },
}

/// The fastest cuts, those with the shortest longest stretch among them.
///
/// # Errors
/// When no cuts make every stretch short enough.
pub fn place(problem: &Problem<'_>, refreshing: &Refreshing) -> Result<Refreshes, PlacementError> {
    let search = Search::new(problem);
    let best = search.run(refreshing, refreshing.room)?;
    // The same time with shorter stretches, by halving.
    let (mut enough, mut few) = (best.longest, 0.0);
    let mut shortest = best;
    while enough - few > 1.0 {
        let room = f64::midpoint(enough, few);
        match search.run(refreshing, room) {
            Ok(found) if found.seconds <= shortest.seconds => {
                enough = found.longest.min(room);
                shortest = found;
            }
            _ => few = room,
        }
    }
    Ok(shortest)
}

struct Search<'p> {
    problem: &'p Problem<'p>,
    operands: Vec<Vec<usize>>,
    /// The position of the last user of each node; its own where it has none.
    last_use: Vec<usize>,
}

/// The best cuts up to a position.
#[derive(Clone, Copy, Debug)]
struct Best {
    seconds: f64,
    longest: f64,
    /// The cut before.
    from: usize,
}

impl Best {
    fn is_better_than(&self, other: &Self) -> bool {
        (self.seconds, self.longest) < (other.seconds, other.longest)
    }
}

impl<'p> Search<'p> {
    fn new(problem: &'p Problem<'p>) -> Self {
        let graph = problem.graph;
        let operands = graph.nodes().map(|index| {
            let operands = graph.operands(index).into_iter();
            operands.map(NodeIndex::index).collect()
        });
        let last_use = graph.nodes().map(|index| {
            let users = graph.users(index);
            users.last().unwrap_or(&index).index()
        });
        Self {
            problem,
            operands: operands.collect(),
            last_use: last_use.collect(),
        }
    }

    /// The fastest cuts where stretches drop at most so many bits.
    fn run(&self, refreshing: &Refreshing, room: f64) -> Result<Refreshes, PlacementError> {
        let count = self.operands.len();
        let mut best: Vec<Option<Best>> = vec![None; count + 1];
        best[0] = Some(Best {
            seconds: 0.0,
            longest: 0.0,
            from: 0,
        });
        for from in 0..count {
            let Some(before) = best[from] else {
                continue;
            };
            for (to, (seconds, longest)) in self.stretches(from, refreshing, room) {
                let found = Best {
                    seconds: before.seconds + seconds,
                    longest: before.longest.max(longest),
                    from,
                };
                if best[to].is_none_or(|known| found.is_better_than(&known)) {
                    best[to] = Some(found);
                }
            }
        }
        let Some(last) = best[count] else {
            return Err(self.refusal(&best, refreshing, room));
        };
        let mut cuts = Vec::new();
        let mut at = last.from;
        while at > 0 {
            cuts.push(at);
            at = best[at].map_or(0, |best| best.from);
        }
        cuts.reverse();
        Ok(Refreshes {
            placement: Placement {
                cuts,
                bounds: self.problem.bounds.clone(),
            },
            seconds: last.seconds,
            longest: last.longest,
        })
    }

    /// The stretches that begin at a position and are short enough: where each ends, predicted seconds of the refreshes there, and the bits
    /// of its longest path.
    fn stretches(
        &self,
        from: usize,
        refreshing: &Refreshing,
        room: f64,
    ) -> Vec<(usize, (f64, f64))> {
        let count = self.operands.len();
        let [entering, leaving] = refreshing.spent;
        let mut depths: Vec<f64> = Vec::new();
        let mut found = Vec::new();
        for node in from..count {
            let depth = self.depth(node, from, &depths, leaving);
            if depth > room {
                break;
            }
            depths.push(depth);
            let to = node + 1;
            let crossing = (from..to).filter(|&n| self.last_use[n] >= to);
            let crossing: Vec<usize> = crossing.collect();
            let ends = match to == count {
                true => 0..to - from,
                false => 0..0,
            };
            let ends = ends.map(|i| depths[i]);
            let bits = crossing.iter().map(|&n| depths[n - from] + entering);
            let longest = bits.chain(ends).fold(0.0, f64::max);
            if longest > room {
                continue;
            }
            if let Some(ciphertexts) = self.ciphertexts(&crossing) {
                found.push((to, (refreshing.price(ciphertexts), longest)));
            }
        }
        found
    }

    /// Bits that the longest path from the beginning of a stretch to a node drops.
    fn depth(&self, node: usize, from: usize, depths: &[f64], leaving: f64) -> f64 {
        let before = self.operands[node].iter().map(|&operand| {
            let inside = operand.checked_sub(from).and_then(|i| depths.get(i));
            inside.copied().unwrap_or(leaving)
        });
        let weight = self.problem.weights[NodeIndex::new(node)];
        before.fold(0.0, f64::max) + f64::from(weight)
    }

    /// The ciphertexts of some nodes; none where a node has no bound.
    fn ciphertexts(&self, nodes: &[usize]) -> Option<u32> {
        let of = |&node: &usize| {
            let node = NodeIndex::new(node);
            self.problem.bounds[node]?;
            Some(self.problem.ciphertexts[node])
        };
        nodes.iter().map(of).sum()
    }

    /// Why no cuts reach the end.
    fn refusal(&self, best: &[Option<Best>], refreshing: &Refreshing, room: f64) -> PlacementError {
        let reached = best.iter().rposition(Option::is_some).unwrap_or(0);
        let graph = self.problem.graph;
        let name = |node: usize| graph.name(NodeIndex::new(node.min(graph.len() - 1)));
        let spent: f64 = refreshing.spent.iter().sum();
        let alone =
            |node: &usize| spent + f64::from(self.problem.weights[NodeIndex::new(*node)]) > room;
        match (reached..graph.len()).find(alone) {
            Some(node) => PlacementError::Long {
                node: name(node),
                bits: spent + f64::from(self.problem.weights[NodeIndex::new(node)]),
                room,
            },
            None => PlacementError::Unbounded {
                after: name(reached),
                room,
            },
        }
    }
}
