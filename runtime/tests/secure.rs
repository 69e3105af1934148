//! One run at each of the smallest 128-bit secure degrees.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up fails"
)]

mod common;

use common::{Toybox, check, numbers, primes};
use peregrine_ir::*;

/// Primes of these sizes, one digit each, and one special prime.
fn ring(log_n: u32, chain: &[u32], special: u32) -> Ring {
    let mut ring = Ring {
        log_n,
        unit_bits: 30,
        ..Ring::default()
    };
    for &bits in chain {
        let taken: Vec<u64> = ring.primes.values().copied().collect();
        let prime = primes(log_n, bits).find(|p| !taken.contains(p)).unwrap();
        ring.primes.push(prime);
    }
    let mut large = primes(log_n, special).skip(chain.len());
    ring.special.push(large.next().unwrap());
    let pool: Vec<Prime> = ring.primes.keys().collect();
    ring.levels = (1..=pool.len()).map(|n| pool[..n].to_vec()).collect();
    ring.digits = pool.iter().map(|&p| vec![p]).collect();
    ring
}

/// `sum_k rotate(x, k) w_k`, squared as long as levels last.
fn network(ring: Ring) -> Verified {
    let slots = ring.slots() as usize;
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
    check(&network(ring(12, &[36, 30], 40)), 13.0);
}

#[test]
fn degree_8192() {
    check(&network(ring(13, &[40, 31, 31], 49)), 13.0);
}
