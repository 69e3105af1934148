//! Random networks of operators with odd attributes, at random opsets, through the front end and through tract.
//!
//! `PEREGRINE_CASES` sets how many networks are made, `PEREGRINE_SEED` which. Both are printed, and so is how many of the
//! networks tract computes.

use super::oracle::{Chain, agree_where_tract_computes, float, int, ints, string};
use onnx_protobuf::AttributeProto;

/// Networks without `PEREGRINE_CASES`.
const CASES: u64 = 300;

const OPSETS: [i64; 9] = [7, 8, 9, 11, 12, 13, 15, 17, 18];

/// A network under construction; what it computes so far is an image `[1, c, h, w]`.
struct Network {
    chain: Chain,
    dims: [u32; 4],
    state: u64,
}

impl Network {
    fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut network = Self {
            chain: Chain::new(&[]),
            dims: [0; 4],
            state,
        };
        network.dims = [
            1,
            [2, 4][network.below(2) as usize],
            3 + network.below(4),
            3 + network.below(4),
        ];
        network.chain = Chain::new(&network.dims);
        network.chain.opset = OPSETS[network.below(9) as usize];
        network
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.state =
            (self.state.wrapping_mul(6364136223846793005)).wrapping_add(1442695040888963407);
        ((self.state >> 33) % u64::from(bound)) as u32
    }

    fn chance(&mut self) -> bool {
        self.below(2) == 0
    }

    fn then(&mut self, op: &str, weights: &[String], attributes: Vec<AttributeProto>) {
        self.chain.node(op, weights, attributes);
    }

    fn step(&mut self) {
        match self.below(12) {
            0 | 1 => self.convolution(),
            2 => self.normalisation(),
            3 => self.arithmetic(),
            4 => self.square(),
            5 => self.pool(),
            6 => self.transposition(),
            7 => self.slice(),
            8 => self.reduction(),
            9 => self.blocks(),
            10 => self.padding(),
            _ => self.joined(),
        }
    }

    /// Two extents of a window and its paddings that leave something.
    fn window(&mut self) -> ([u32; 2], [u32; 4], [u32; 2]) {
        let kernel = [1 + self.below(3), 1 + self.below(3)];
        let mut pads = [0; 4];
        for (i, pad) in pads.iter_mut().enumerate() {
            *pad = self.below(kernel[i % 2]);
        }
        let strides = [1 + self.below(3), 1 + self.below(3)];
        (kernel, pads, strides)
    }

    /// Height and width after a window, when it fits.
    fn swept(&self, kernel: [u32; 2], pads: [u32; 4], strides: [u32; 2]) -> Option<[u32; 2]> {
        let extent = |a: usize| {
            let room = (self.dims[2 + a] + pads[a] + pads[2 + a]).checked_sub(kernel[a])?;
            Some(room / strides[a] + 1)
        };
        Some([extent(0)?, extent(1)?])
    }

    fn convolution(&mut self) {
        let (kernel, pads, strides) = self.window();
        let Some([h, w]) = self.swept(kernel, pads, strides) else {
            return;
        };
        let c = self.dims[1];
        let groups = if self.chance() { 1 } else { c };
        let m = groups * (1 + self.below(2));
        let mut weights = vec![self.chain.weight(&[m, c / groups, kernel[0], kernel[1]])];
        if self.chance() {
            weights.push(self.chain.weight(&[m]));
        }
        let mut attributes = vec![ints("pads", &pads), ints("strides", &strides)];
        attributes.push(int("group", groups));
        if self.chance() {
            attributes.push(ints("kernel_shape", &kernel));
        }
        self.then("Conv", &weights, attributes);
        self.dims = [1, m, h, w];
    }

    fn pool(&mut self) {
        let (kernel, pads, strides) = self.window();
        let Some([h, w]) = self.swept(kernel, pads, strides) else {
            return;
        };
        let count = self.below(2);
        let attributes = vec![
            ints("kernel_shape", &kernel),
            ints("pads", &pads),
            ints("strides", &strides),
            int("count_include_pad", count),
        ];
        self.then("AveragePool", &[], attributes);
        (self.dims[2], self.dims[3]) = (h, w);
    }

    fn normalisation(&mut self) {
        let c = self.dims[1];
        let names: Vec<String> = (0..4).map(|_| self.chain.weight(&[c])).collect();
        let variance = self.chain.graph.initializer.last_mut().unwrap();
        variance
            .float_data
            .iter_mut()
            .for_each(|v| *v = v.abs() + 0.5);
        self.then(
            "BatchNormalization",
            &names,
            vec![float("epsilon", 0.01), float("momentum", 0.3)],
        );
    }

    fn arithmetic(&mut self) {
        let mut dims = self.dims.to_vec();
        for dim in &mut dims {
            if self.chance() {
                *dim = 1;
            }
        }
        let dims = dims.split_off(self.below(3) as usize);
        let weight = self.chain.weight(&dims);
        let op = ["Add", "Sub", "Mul"][self.below(3) as usize];
        self.then(op, &[weight], vec![]);
    }

    fn square(&mut self) {
        let last = self.chain.last.clone();
        self.then("Mul", &[last], vec![]);
    }

    fn transposition(&mut self) {
        let order = [[0, 1, 3, 2], [0, 2, 1, 3], [0, 3, 2, 1]][self.below(3) as usize];
        self.then(
            "Transpose",
            &[],
            vec![ints("perm", &order.map(|i| i as u32))],
        );
        self.dims = order.map(|i| self.dims[i]);
    }

    fn slice(&mut self) {
        let axis = 1 + self.below(3);
        let extent = self.dims[axis as usize];
        let start = self.below(extent);
        let (starts, ends, axes) = ([i64::from(start)], [i64::MAX], [i64::from(axis)]);
        if self.chain.opset < 10 {
            let attributes = vec![
                ints("starts", &starts),
                ints("ends", &ends),
                ints("axes", &axes),
            ];
            self.then("Slice", &[], attributes);
            self.dims[axis as usize] = extent - start;
        } else {
            let step = 1 + self.below(2);
            let lists = [starts, ends, axes, [i64::from(step)]].map(|l| self.chain.list(&l));
            self.then("Slice", &lists, vec![]);
            self.dims[axis as usize] = (extent - start).div_ceil(step);
        }
    }

    fn reduction(&mut self) {
        let op = ["ReduceMean", "ReduceSum", "ReduceSumSquare"][self.below(3) as usize];
        let axis = 1 + self.below(3);
        let first = if op == "ReduceSum" { 13 } else { 18 };
        if self.chain.opset >= first {
            let axes = self.chain.list(&[i64::from(axis) - 4]);
            self.then(op, &[axes], vec![int("keepdims", 1)]);
        } else {
            self.then(op, &[], vec![ints("axes", &[axis])]);
        }
        self.dims[axis as usize] = 1;
    }

    fn blocks(&mut self) {
        let [_, c, h, w] = self.dims;
        if c.is_multiple_of(4) {
            let mut attributes = vec![int("blocksize", 2)];
            if self.chain.opset >= 11 {
                let mode = ["DCR", "CRD"][self.below(2) as usize];
                attributes.push(string("mode", mode));
            }
            self.then("DepthToSpace", &[], attributes);
            self.dims = [1, c / 4, 2 * h, 2 * w];
        } else if h.is_multiple_of(2) && w.is_multiple_of(2) {
            self.then("SpaceToDepth", &[], vec![int("blocksize", 2)]);
            self.dims = [1, 4 * c, h / 2, w / 2];
        }
    }

    fn padding(&mut self) {
        let pads = [0, 0, 1, 0, 0, 0, 0, 1 + i64::from(self.below(2))];
        let mode = ["constant", "edge"][self.below(2) as usize];
        if self.chain.opset < 11 {
            self.then("Pad", &[], vec![ints("pads", &pads), string("mode", mode)]);
        } else {
            let list = self.chain.list(&pads);
            self.then("Pad", &[list], vec![string("mode", mode)]);
        }
        self.dims[2] += 1;
        self.dims[3] += pads[7] as u32;
    }

    fn joined(&mut self) {
        let axis = 1 + self.below(3);
        let last = self.chain.last.clone();
        self.then("Concat", &[last], vec![int("axis", axis)]);
        self.dims[axis as usize] *= 2;
    }

    /// Flatten and Gemm at the end of some.
    fn finish(&mut self) {
        if self.chance() {
            return;
        }
        let features = self.dims.iter().product();
        self.then("Flatten", &[], vec![int("axis", 1)]);
        let weights = [self.chain.weight(&[3, features]), self.chain.weight(&[3])];
        let attributes = vec![int("transB", 1), float("alpha", 0.5), float("beta", 2.0)];
        self.then("Gemm", &weights, attributes);
    }
}

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn random_networks_compute_what_tract_computes() {
    let cases = setting("PEREGRINE_CASES", CASES);
    let seed = setting("PEREGRINE_SEED", 1);
    println!("PEREGRINE_CASES={cases} PEREGRINE_SEED={seed}");
    let mut compared = 0;
    for case in 0..cases {
        let mut network = Network::new(seed.wrapping_mul(1 << 32) + case);
        let dims = network.dims;
        for _ in 0..2 + network.below(4) {
            if network.dims.iter().product::<u32>() < 2000 {
                network.step();
            }
        }
        network.finish();
        if network.chain.graph.node.is_empty() {
            continue;
        }
        let nodes = network.chain.graph.node.clone();
        match agree_where_tract_computes(network.chain, &dims) {
            Ok(done) => compared += u64::from(done),
            Err(error) => panic!("case {case}: {error}\n{nodes:#?}"),
        }
    }
    println!("{compared} of {cases} compared");
    assert!(
        compared > cases / 2,
        "tract computes only {compared} of {cases}"
    );
}
