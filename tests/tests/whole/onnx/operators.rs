//! Small random models through the front end and through tract, an implementation of ONNX of its own: numbers agree.

use super::oracle::{Chain, agree, float, int, ints};
use onnx_protobuf::AttributeProto;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Window {
    kernel: [u32; 2],
    strides: [u32; 2],
    dilations: [u32; 2],
    pads: [u32; 4],
}

fn window() -> impl Strategy<Value = Window> {
    (
        [1..4u32, 1..4u32],
        [1..4u32, 1..4u32],
        [1..3u32, 1..3u32],
        [0..3u32, 0..3u32, 0..3u32, 0..3u32],
    )
        .prop_map(|(kernel, strides, dilations, pads)| Window {
            kernel,
            strides,
            dilations,
            pads,
        })
}

impl Window {
    fn attributes(&self) -> Vec<AttributeProto> {
        vec![
            ints("kernel_shape", &self.kernel),
            ints("strides", &self.strides),
            ints("pads", &self.pads),
        ]
    }

    fn fits(&self, size: [u32; 2]) -> bool {
        (0..2).all(|a| {
            let reach = (self.kernel[a] - 1) * self.dilations[a] + 1;
            size[a] + self.pads[a] + self.pads[a + 2] >= reach
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_global_rejects: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn convolutions(w in window(), n in 1..3u32, groups in 1..4u32, ci in 1..3u32, co in 1..3u32,
                    size in [1..9u32, 1..9u32], bias in any::<bool>()) {
        prop_assume!(w.fits(size));
        let dims = [n, groups * ci, size[0], size[1]];
        let mut chain = Chain::new(&dims);
        let mut weights = vec![chain.weight(&[groups * co, ci, w.kernel[0], w.kernel[1]])];
        if bias {
            weights.push(chain.weight(&[groups * co]));
        }
        let mut attributes = w.attributes();
        attributes.extend([ints("dilations", &w.dilations), int("group", groups)]);
        chain.node("Conv", &weights, attributes);
        agree(chain, &dims)?;
    }

    #[test]
    fn poolings(mut w in window(), channels in 1..3u32, size in [1..9u32, 1..9u32], count in 0..2u32) {
        w.dilations = [1, 1];
        for (a, pad) in w.pads.iter_mut().enumerate() {
            *pad = (*pad).min(w.kernel[a % 2] - 1);
        }
        prop_assume!(w.fits(size));
        let dims = [1, channels, size[0], size[1]];
        let mut chain = Chain::new(&dims);
        let mut attributes = w.attributes();
        attributes.push(int("count_include_pad", count));
        chain.node("AveragePool", &[], attributes);
        agree(chain, &dims)?;
    }

    #[test]
    fn products(rows in 1..5u32, k in 1..6u32, m in 1..6u32, trans_a in 0..2u32, trans_b in 0..2u32,
                alpha in 0.5..2.0f32, beta in 0.5..2.0f32) {
        let dims = if trans_a == 1 { [k, rows] } else { [rows, k] };
        let mut chain = Chain::new(&dims);
        let b = if trans_b == 1 { [m, k] } else { [k, m] };
        let weights = vec![chain.weight(&b), chain.weight(&[m])];
        let attributes = vec![
            int("transA", trans_a),
            int("transB", trans_b),
            float("alpha", alpha),
            float("beta", beta),
        ];
        chain.node("Gemm", &weights, attributes);
        agree(chain, &dims)?;
    }

    #[test]
    fn batched_products(batch in [1..3u32, 1..4u32], n in 1..4u32, k in 1..5u32, m in 1..5u32,
                        weight_batch in 0..4u32) {
        let dims = [batch[0], batch[1], n, k];
        let mut chain = Chain::new(&dims);
        let weight = match weight_batch {
            0 => chain.weight(&[k, m]),
            1 => chain.weight(&[batch[1], k, m]),
            2 => chain.weight(&[batch[0], 1, k, m]),
            _ => chain.weight(&[1, 1, k, m]),
        };
        chain.node("MatMul", &[weight], vec![]);
        agree(chain, &dims)?;
    }

    #[test]
    fn networks(w in window(), size in [3..9u32, 3..9u32], channels in 1..4u32, perm in 0..2usize) {
        prop_assume!(w.fits(size));
        let dims = [1, 2, size[0], size[1]];
        let mut chain = Chain::new(&dims);
        let weights = vec![chain.weight(&[channels, 2, w.kernel[0], w.kernel[1]])];
        let mut attributes = w.attributes();
        attributes.push(ints("dilations", &w.dilations));
        chain.node("Conv", &weights, attributes);
        let statistics = (0..4).map(|i| {
            let name = chain.weight(&[channels]);
            if i == 3 {
                // A variance is not negative.
                let data = &mut chain.graph.initializer.last_mut().unwrap().float_data;
                data.iter_mut().for_each(|v| *v = v.abs() + 0.1);
            }
            name
        });
        let statistics: Vec<String> = statistics.collect();
        chain.node("BatchNormalization", &statistics, vec![]);
        let factor = chain.weight(&[channels, 1, 1]);
        chain.node("Mul", &[factor], vec![]);
        let square = chain.last.clone();
        chain.node("Mul", &[square], vec![]);
        let order = [[0, 2, 3, 1], [0, 1, 3, 2]][perm];
        chain.node("Transpose", &[], vec![ints("perm", &order)]);
        chain.node("GlobalAveragePool", &[], vec![]);
        chain.node("Flatten", &[], vec![int("axis", 1)]);
        agree(chain, &dims)?;
    }
}
