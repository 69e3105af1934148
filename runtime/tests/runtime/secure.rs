//! One run at each of the smallest 128-bit secure degrees.

use crate::common::{Toybox, chain_ring, check, numbers};
use peregrine_ir::*;

/// `sum_k rotate(x, k) w_k`, squared as long as levels last.
fn network(ring: RingTable) -> Verified {
    let slots = 1 << (ring.largest_log_n() - 1);
    let top = ring.top().unwrap().0;
    let mut toy = Toybox::new(ring, Security::Classical128);
    let unit = Scale::power_of_two(30);
    let at = (Level(top), unit.clone());
    let (shape, layout) = (toy.shape.clone(), toy.layout);
    let x = toy.builder.input("x", shape, layout, at).unwrap()[0];
    let digits = toy.push(Inst::Decompose(x));
    let rotated: Vec<Value> = [1, 2, 64]
        .map(|k| {
            toy.push(Inst::RotateExt {
                a: x,
                digits,
                rotation: Rotation(k),
            })
        })
        .to_vec();
    let plains = (0..3)
        .map(|k| {
            let constant = toy.constant(numbers(k, slots));
            toy.encode(constant, rotated[0], unit.clone())
        })
        .collect();
    let sum = toy.push(Inst::Dot {
        ciphers: rotated,
        plains,
    });
    let mut value = toy.push(Inst::ModDown(sum));
    for level in (0..top).rev() {
        let a = value;
        value = toy.push(Inst::Rescale {
            a,
            to: Level(level),
        });
        if level > 0 {
            let square = toy.push(Inst::Square(value));
            value = toy.push(Inst::Relinearize(square));
        }
    }
    toy.output(value);
    toy.finish()
}

#[test]
fn degree_4096() {
    check(&network(chain_ring(12, &[36, 30], 40)), 13.0);
}

#[test]
fn degree_8192() {
    check(&network(chain_ring(13, &[40, 31, 31], 49)), 13.0);
}
