//! Circuits that go on in a smaller ring: ciphertexts against the simulator, files, and what is refused.

use crate::common::files::{Dice, Files, Reader, chunks, forge};
use crate::common::{
    Parties, Toy, Toybox, chain_ring, check, inputs, numbers, precision, simulate,
};
use peregrine_ir::*;
use peregrine_runtime::backend::cpu::{CpuFootprint, KeySource, Sizes};
use peregrine_runtime::exec::memory;
use peregrine_runtime::exec::{KeyForm, KeyResidence};
use peregrine_runtime::exec::{Plan, PlanOptions, SharedPlains, SharedSums, Silent};
use peregrine_runtime::rlwe::SwitchKey;
use peregrine_runtime::server::{Resources, Usage};
use peregrine_runtime::simulate::{self as simulator, Options};
use peregrine_runtime::wire::KeyBytes;
use std::sync::Arc;

/// A toy ring whose lower half of levels is in a ring `2^log_ratio` times smaller, with one special prime less if there are two.
fn ring(toy: Toy, log_ratio: u32) -> RingTable {
    let ring = toy.ring();
    let levels = ring.levels.len() as u32 / 2;
    let special = (ring.special.len() as u32 - 1).max(1);
    with_small(ring, log_ratio, levels, special)
}

/// The lowest levels in a ring `2^log_ratio` times smaller, with digits of as many primes as it has special ones.
fn with_small(ring: RingTable, log_ratio: u32, levels: u32, special: u32) -> RingTable {
    let primes = ring.key_row(Level(levels - 1));
    let digits = primes.chunks(special as usize);
    let spec = RingSpec {
        secret: SecretKind::Ternary,
        log_n: ring.largest_log_n() - log_ratio,
        special: ring.special.keys().take(special as usize).collect(),
        digits: digits.map(<[Prime]>::to_vec).collect(),
    };
    ring.with_lowest_in(levels as usize, spec)
}

/// A full-width layout of the small ring.
fn narrow(toy: &mut Toybox) -> (LayoutId, Shape) {
    let circuit = toy.builder.circuit();
    let slots = circuit.rings.view(RingId(1)).slots();
    let layout = Layout::row_major(slots.ilog2(), [slots, 1, 1]).unwrap();
    let layout = circuit.layouts.push(layout);
    (layout, Shape::new([1, slots]).unwrap())
}

/// `rotate(x, 1) x` in the main ring, an output of its own; switched, rotated and squared with an input of the small ring beside it.
fn circuit(ring: RingTable) -> Verified {
    let low = ring.levels_of(RingId(1)).last().unwrap();
    let middle = Level(low.0 + 1);
    let mut toy = Toybox::new(ring, Security::None);
    let mut x = toy.input("x");
    let to = Level(middle.0 + 1);
    if to < toy.top {
        x = toy.push(Inst::DropLevel { a: x, to });
    }
    let rotate = |toy: &mut Toybox, a, k| {
        let rotation = Rotation(k);
        toy.push(Inst::Rotate { a, rotation })
    };
    let turned = rotate(&mut toy, x, 1);
    let product = toy.push(Inst::Mul(x, turned));
    let product = toy.push(Inst::Relinearize(product));
    let product = toy.push(Inst::Rescale {
        a: product,
        to: middle,
    });
    toy.output(product);
    let switched = toy.push(Inst::SwitchRing {
        a: product,
        to: low,
    });

    let (layout, shape) = narrow(&mut toy);
    let scale = toy
        .builder
        .type_of(switched)
        .unwrap()
        .scale()
        .unwrap()
        .clone();
    let z = toy
        .builder
        .input("z", shape.clone(), layout, (low, scale))
        .unwrap()[0];
    (toy.layout, toy.shape) = (layout, shape);
    let sum = toy.push(Inst::Add(vec![switched, z]));
    let turned = rotate(&mut toy, sum, 1);
    let weights = toy.plain(numbers(5, toy.shape.elements()), turned);
    let weighed = toy.push(Inst::MulPlain(turned, weights));
    let weighed = toy.push(Inst::Rescale {
        a: weighed,
        to: Level(low.0 - 1),
    });
    let last = rotate(&mut toy, weighed, 3);
    toy.output(last);
    toy.finish()
}

const TOY: Toy = Toy {
    log_n: 6,
    depth: 3,
    alpha: 2,
};

#[test]
fn ciphertexts_follow_the_simulator() {
    for (log_n, log_ratio, depth, alpha) in
        [(6, 1, 3, 2), (6, 3, 4, 1), (8, 2, 5, 3), (10, 1, 6, 2)]
    {
        let toy = Toy {
            log_n,
            depth,
            alpha,
        };
        check(&circuit(ring(toy, log_ratio)), 34.0 - f64::from(log_n));
    }
}

#[test]
fn the_simulator_averages_slots() {
    let circuit = circuit(ring(TOY, 1));
    let given = inputs(&circuit, 1);
    let (x, z, w) = (given["x"].data(), given["z"].data(), numbers(5, 16));
    let found = simulate(&circuit, &given);
    let product = |t: usize| x[t % 32] * x[(t + 1) % 32];
    let sum = |t: usize| (product(t % 16) + product(t % 16 + 16)) / 2.0 + z[t % 16];
    for t in 0..16 {
        let expected = sum(t + 4) * w[(t + 3) % 16];
        assert!((found["y1"].data()[t] - expected).abs() < 1e-12);
    }
    // Several images side by side, and with noise.
    let images: Vec<_> = (0..3).map(|seed| inputs(&circuit, seed)).collect();
    for noise in [None, Some(7)] {
        let together = simulator::run_all(&circuit, &images, Options { noise }, &Silent).unwrap();
        let alone = simulator::run(&circuit, &images[0], Options { noise }, &Silent).unwrap();
        assert_eq!(together.outputs[0], alone.outputs);
        let bits = precision(&simulate(&circuit, &images[2]), &together.outputs[2]);
        assert!(
            noise.is_none() || (20.0..40.0).contains(&bits),
            "{bits:.1} bits"
        );
    }
}

/// All inputs, keys and outputs as files; keys in memory in every form.
#[test]
fn everything_goes_through_files() {
    let circuit = circuit(ring(Toy { log_n: 11, ..TOY }, 1));
    let given = inputs(&circuit, 5);
    let mut parties = Parties::new(&circuit);
    let secret = parties.client.write_secret(&parties.secret).unwrap();
    parties.secret = parties.client.read_secret(&secret).unwrap();
    let file = parties.key_file();
    let sent = parties.encrypt(&given);
    let sent = parties.client.write_inputs(&sent);
    let server = &parties.server;
    let keys = Arc::new(server.read_keys(KeyBytes::Held(file)).unwrap());
    assert!(keys.levels().keys().eq(circuit.keys.levels.keys()));
    let mut answers = Vec::new();
    for (window, expanded_keys) in [(1, 0), (4, u64::MAX), (4, 1 << 18)] {
        let memory = None;
        let resources = Resources { window, memory };
        let usage = Usage {
            expanded_keys,
            ..Usage::default()
        };
        let server = parties.server_for(usage);
        let session = server.session(keys.clone(), resources).unwrap();
        let inputs = server.read_inputs(&sent).unwrap();
        answers.push(server.write_outputs(&session.run(inputs, &Silent).unwrap()));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    let outputs = parties.client.read_outputs(&answers[0]).unwrap();
    let bits = precision(&simulate(&circuit, &given), &parties.decrypt(&outputs));
    assert!(bits >= 23.0, "{bits:.1} bits");
}

#[test]
fn files_are_as_long_as_the_statistics_say() {
    let files = Files::of(circuit(ring(TOY, 2)));
    let ring = &files.circuit.rings;
    let bodies = |file: &[u8]| -> Vec<u64> {
        let bodies = chunks(file).into_iter().filter(|(tag, _)| *tag > 0);
        bodies.map(|(_, body)| body.len() as u64).collect()
    };
    let stats = stats::Stats::of(&files.circuit);
    let keys: Vec<u64> = stats.keys.iter().map(|key| key.bytes).collect();
    // A product and a rotation, two rotations of the small ring, and the way there.
    assert_eq!((bodies(&files.keys), keys.len()), (keys, 5));
    // Whatever the rings of a circuit are.
    let degrees: Vec<u64> = (3..=17).map(|log_n| 1 << log_n).collect();
    assert_eq!(bodies(&files.secret), degrees);
    let bytes = |level| stats::seeded_ciphertext_bytes(ring, Level(level));
    assert_eq!(bodies(&files.inputs), [bytes(3), bytes(1)]);
    assert_eq!(bodies(&files.outputs), [2 * bytes(2), 2 * bytes(0)]);
}

/// Of what is really in memory.
#[test]
fn sizes_are_those_of_the_ring_of_a_level() {
    let files = Files::of(circuit(ring(TOY, 2)));
    let ring = &files.circuit.rings;
    let sizes = Sizes::new(ring);
    let server = &files.parties.server;
    let keys = server
        .read_keys(KeyBytes::Held(files.keys.clone()))
        .unwrap();
    for (&key, &level) in keys.levels() {
        let loaded = keys.load(key, KeyForm::Expanded).unwrap();
        let halves = loaded.iter().flat_map(|key| match key {
            SwitchKey::Expanded(key) => key.digits(),
            SwitchKey::Streamed(_) => panic!("an expanded key was asked for"),
        });
        let bytes: usize = halves.map(|digit| 2 * digit.b().bytes()).sum();
        assert_eq!(sizes.key_bytes(key, level), bytes as u64, "{key}");
        let packed = stats::key_bytes(ring, key, level);
        assert_eq!(sizes.packed_key_bytes(key, level), packed, "{key}");
    }
    let outputs = files.parties.client.read_outputs(&files.outputs).unwrap();
    for port in outputs.ports() {
        let ty = Type::cipher(port.level(), Scale::power_of_two(1));
        for ciphertext in port.ciphertexts() {
            assert_eq!(sizes.bytes_of(&ty), ciphertext.bytes() as u64);
        }
    }
}

/// Buffers of one ring are of no use to the other.
#[test]
fn a_prediction_counts_both_rings() {
    let circuit = circuit(ring(TOY, 1));
    let options = PlanOptions {
        window: 1,
        plains: SharedPlains::Keep,
        sums: SharedSums::AsTheyCome,
        keys: KeyResidence::Stored,
    };
    let plan = Plan::new(&circuit, options);
    let prediction = memory::predict(&circuit, &CpuFootprint::of(&circuit), &plan);
    let sizes = Sizes::new(&circuit.rings);
    let bytes = |value| circuit.type_of(value).map_or(0, |ty| sizes.bytes_of(ty));
    let of = |ring| {
        let values = circuit.values.iter();
        let values = values.filter(|(_, d)| circuit.rings.ring_of(d.ty.level()) == ring);
        values.map(|(value, _)| bytes(value)).max().unwrap()
    };
    // A value of each at the least, and not as if every value were of the main ring.
    let least = of(RingId(0)) + of(RingId(1));
    assert!(prediction.values >= least && prediction.keys > 0);
    let mut wide = (*circuit).clone();
    let log_n = wide.rings.largest_log_n();
    wide.rings.rings.get_mut(RingId(1)).unwrap().log_n = log_n;
    let wide = memory::predict(&wide, &CpuFootprint::of(&wide), &plan);
    assert!(prediction.values < wide.values && prediction.fixed < wide.fixed);
}

#[test]
fn hostile_files_are_refused_and_never_panic() {
    let files = Files::of(circuit(ring(Toy { log_n: 5, ..TOY }, 1)));
    let mut dice = Dice(0x0fed_cba9_8765_4321);
    let mut refused = 0;
    for (file, read) in files.readers() {
        assert_eq!(read(file.to_vec()), Ok(()));
        for _ in 0..1000 {
            refused += usize::from(read(dice.mutate(file)).is_err());
        }
    }
    assert!(refused > 3000, "{refused}");
}

#[test]
fn each_refusal_says_what_is_wrong() {
    let files = Files::of(circuit(ring(TOY, 1)));
    let [_, keys, inputs, _] = files.readers();
    let text = |(file, read): &(&[u8], Reader<'_>), tag, change: &dyn Fn(&mut Vec<u8>)| {
        read(forge(file, tag, change)).unwrap_err()
    };
    assert!(text(&inputs, 2, &|b| b[..8].fill(0xff)).contains("is not reduced"));
    for tag in 1..=5 {
        assert!(text(&keys, tag, &|b| b[..8].fill(0xff)).contains("is not reduced"));
    }
    // The degree that the key for switching rings leads to.
    let other = text(&keys, 0, &|header| {
        let keys = header
            .windows(16)
            .position(|pair| pair[0] == 6 && pair[8] == 5);
        header[keys.unwrap() + 8] = 4;
    });
    assert!(
        other.contains("ring-switching key from degree 2^6 to 2^5"),
        "{other}"
    );
}

/// 109 bits at degree 4096, 218 at most at degree 8192.
#[test]
fn degree_8192_to_4096() {
    // The highest level of the small ring stands once more in the main ring.
    let mut ring = chain_ring(13, &[36, 32, 32, 32], 40);
    ring.levels.insert(2, ring.levels[1].clone());
    let ring = with_small(ring, 1, 2, 1);
    let small = ring.total_bits(RingId(1));
    assert!((107.0..109.0).contains(&small), "{small:.1} bits");
    let mut toy = Toybox::new(ring, Security::Classical128);
    let (slots, unit) = (toy.shape.elements(), Scale::power_of_two(32));
    let (shape, layout, top) = (toy.shape.clone(), toy.layout, toy.top);
    let input = toy.builder.input("x", shape, layout, (top, unit.clone()));
    let x = input.unwrap()[0];
    let constant = toy.constant(numbers(1, slots));
    let plain = toy.encode(constant, x, unit.clone());
    let product = toy.push(Inst::MulPlain(x, plain));
    let mut value = product;
    for level in [3, 2] {
        let to = Level(level);
        value = toy.push(Inst::Rescale { a: value, to });
        if level == 3 {
            let square = toy.push(Inst::Square(value));
            value = toy.push(Inst::Relinearize(square));
        }
    }
    let to = Level(1);
    let small = toy.push(Inst::SwitchRing { a: value, to });
    (toy.layout, toy.shape) = narrow(&mut toy);
    let rotation = Rotation(5);
    let turned = toy.push(Inst::Rotate { a: small, rotation });
    let square = toy.push(Inst::Square(turned));
    let square = toy.push(Inst::Relinearize(square));
    let to = Level(0);
    let last = toy.push(Inst::Rescale { a: square, to });
    toy.output(last);
    check(&toy.finish(), 13.0);
}
