//! The search for the fastest cuts.

use super::Placement;
use super::weights::longest;
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
    pub(super) fn price(&self, ciphertexts: u32) -> f64 {
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

impl Problem<'_> {
    /// Seconds that refreshes take at least, wherever they are: a path through the network that drops many times the bits that a refresh
    /// leaves goes through a refresh as many times, but for its first stretch.
    pub(super) fn least_seconds(&self, refreshing: &Refreshing) -> f64 {
        let longest = longest(self.graph, &self.weights);
        let stretches = (longest / refreshing.room.max(1.0)).ceil();
        (stretches - 1.0).max(0.0) * refreshing.seconds[0]
    }
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
        let mut deepest: f64 = 0.0;
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
            deepest = deepest.max(depth);
            let bits = crossing.iter().map(|&n| depths[n - from] + entering);
            let longest = bits.fold(deepest, f64::max);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Node, Op, Output, SourceId};
    use peregrine_ir::{Finish, Shape};
    use proptest::prelude::*;

    const REFRESHING: Refreshing = Refreshing {
        seconds: [3.0, 4.0],
        room: 100.0,
        spent: [10.0, 5.0],
    };

    /// A graph of sums, each of one or two earlier nodes.
    fn graph(operands: &[(u8, u8)]) -> Graph {
        let mut graph = Graph::default();
        let node = |op| Node {
            op,
            shape: Shape::new([4]).unwrap(),
            source: SourceId(0),
        };
        let input = Op::Input { name: "x".into() };
        let mut nodes = vec![graph.add(node(input), &[])];
        for &(a, b) in operands {
            let of = |i: u8| nodes[nodes.len() - 1 - usize::from(i) % nodes.len()];
            let index = graph.add(node(Op::Add), &[of(a), of(b)]);
            nodes.push(index);
        }
        graph.outputs = vec![Output {
            name: "y".to_owned(),
            node: nodes[nodes.len() - 1],
            finish: Finish::default(),
        }];
        graph
    }

    /// Seconds and the longest stretch of some cuts, looked at node by node; none where they do not suffice.
    fn judged(problem: &Problem<'_>, cuts: Vec<usize>) -> Option<(f64, f64)> {
        let graph = problem.graph;
        let placement = Placement {
            cuts,
            bounds: problem.bounds.clone(),
        };
        let [entering, leaving] = REFRESHING.spent;
        let depths = PerNode::in_order(graph, |depths: &PerNode<f64>, node| {
            let before = graph.operands(node).into_iter().map(|operand| {
                match placement.crosses(operand, node) {
                    true => leaving,
                    false => depths[operand],
                }
            });
            before.fold(0.0, f64::max) + f64::from(problem.weights[node])
        });
        let mut longest = depths.values().copied().fold(0.0, f64::max);
        let mut seconds = 0.0;
        for stretch in 1..=placement.cuts.len() {
            let mut ciphertexts = 0;
            for node in placement.refreshed_at(graph, stretch) {
                problem.bounds[node]?;
                ciphertexts += problem.ciphertexts[node];
                longest = longest.max(depths[node] + entering);
            }
            seconds += REFRESHING.price(ciphertexts);
        }
        (longest <= REFRESHING.room).then_some((seconds, longest))
    }

    proptest! {
        #[test]
        fn no_cuts_are_faster(
            operands in proptest::collection::vec((0u8..3, 0u8..6), 1..9),
            weights in proptest::collection::vec(0u32..70, 9),
            ciphertexts in proptest::collection::vec(1u32..4, 9),
            unbounded in proptest::collection::vec(0u8..8, 9),
        ) {
            let graph = graph(&operands);
            let problem = Problem {
                weights: PerNode::from_fn(&graph, |node| match node.index() {
                    0 => 0,
                    at => weights[at - 1],
                }),
                ciphertexts: PerNode::from_fn(&graph, |node| ciphertexts[node.index() % 9]),
                bounds: PerNode::from_fn(&graph, |node| (unbounded[node.index() % 9] > 0).then_some(1.0)),
                graph: &graph,
            };
            let count = graph.len();
            let all = (0u32..1 << (count - 1)).filter_map(|set| {
                let cuts = (1..count).filter(|cut| set >> (cut - 1) & 1 == 1).collect();
                judged(&problem, cuts)
            });
            let best = all.min_by(|a, b| a.partial_cmp(b).unwrap());
            match (place(&problem, &REFRESHING), best) {
                (Ok(found), Some((seconds, longest))) => {
                    let judged = judged(&problem, found.placement.cuts.clone());
                    prop_assert_eq!(judged, Some((found.seconds, found.longest)));
                    prop_assert_eq!(found.seconds, seconds);
                    prop_assert!(found.longest <= longest + 1.0);
                    prop_assert!(problem.least_seconds(&REFRESHING) <= seconds);
                }
                (Err(_), None) => {}
                (found, best) => prop_assert!(false, "{found:?} {best:?}"),
            }
        }
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let graph = graph(&[(0, 0), (0, 0), (0, 0)]);
        let mut problem = Problem {
            weights: PerNode::filled(&graph, 60),
            ciphertexts: PerNode::filled(&graph, 1),
            bounds: PerNode::filled(&graph, None),
            graph: &graph,
        };
        let refused = place(&problem, &REFRESHING);
        assert!(
            matches!(refused, Err(PlacementError::Unbounded { .. })),
            "{refused:?}"
        );
        problem.bounds = PerNode::filled(&graph, Some(1.0));
        assert_eq!(
            place(&problem, &REFRESHING).unwrap().placement.cuts,
            [1, 2, 3]
        );
        problem.weights = PerNode::filled(&graph, 90);
        let refused = place(&problem, &REFRESHING);
        assert!(
            matches!(refused, Err(PlacementError::Long { bits: 105.0, .. })),
            "{refused:?}"
        );
    }
}
