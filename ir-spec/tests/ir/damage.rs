//! Damaged texts and files never panic, and are never taken for something else.

use peregrine_ir::binary::{self, Container, FileKind, PRIVATE, PUBLIC, container};
use peregrine_ir::testing::{Draw, choices, circuit};
use peregrine_ir::{Interface, text, verify};
use proptest::prelude::*;

/// Flips bits, cuts, repeats or moves a stretch.
fn damage(draw: &mut Draw<'_>, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..draw.between(1, 4) {
        let length = bytes.len() as u32;
        if length == 0 {
            break;
        }
        let at = draw.below(length) as usize;
        let end = (at + draw.between(1, 40) as usize).min(bytes.len());
        match draw.below(7) {
            0 | 1 => bytes[at] ^= 1 << draw.below(8),
            2 => bytes[at] = draw.below(256) as u8,
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let stretch = bytes[at..end].to_vec();
                let to = draw.below(length) as usize;
                bytes.splice(to..to, stretch);
            }
            _ => bytes.insert(at, *draw.pick(b"\x00\xff\x80\x01v0[]=;\"-9")),
        }
    }
    bytes
}

fn draws() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(any::<u32>(), 8..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn damaged_texts_do_not_panic(choices in choices(10), draws in draws()) {
        let circuit = circuit(&choices).unwrap();
        let damaged = damage(&mut Draw::new(&draws), text::print(&circuit).as_bytes());
        let damaged = String::from_utf8_lossy(&damaged);
        match text::parse(&damaged) {
            Ok(parsed) => {
                // What verifies is a circuit like any other.
                if let Ok(verified) = verify(parsed) {
                    let printed = text::print(&verified);
                    prop_assert_eq!(text::parse(&printed).unwrap(), verified.into_inner());
                }
            }
            Err(errors) => {
                prop_assert!(!errors.errors.is_empty());
                prop_assert!(errors.to_string().contains('^'));
            }
        }
    }

    #[test]
    fn any_text_at_all_does_not_panic(words in proptest::collection::vec(0..WORDS.len(), 0..60)) {
        let source: Vec<&str> = words.iter().map(|&i| WORDS[i]).collect();
        let source = format!("circuit %x security=none {{ {}", source.join(" "));
        if let Err(errors) = text::parse(&source) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn damaged_files_are_refused(choices in choices(8), draws in draws()) {
        let circuit = circuit(&choices).unwrap();
        let file = binary::write_circuit(&circuit);
        let damaged = damage(&mut Draw::new(&draws), &file);
        if damaged != file {
            prop_assert!(binary::read_circuit(&damaged).is_err());
        }
        let file = binary::write_interface(&Interface::of(&circuit));
        let damaged = damage(&mut Draw::new(&draws), &file);
        if damaged != file {
            prop_assert!(binary::read_interface(&damaged).is_err());
        }
    }

    /// With checksums made right again the damage reaches the decoder and, below it, the verifier.
    #[test]
    fn damaged_content_under_right_checksums_verifies_or_is_refused(choices in choices(15), draws in draws()) {
        let circuit = circuit(&choices).unwrap();
        let file = binary::write_circuit(&circuit);
        let opened = Container::parse(&file).unwrap();
        let mut draw = Draw::new(&draws);
        let mut parts = [PUBLIC, PRIVATE].map(|tag| (tag, opened.chunk(tag).unwrap().to_vec()));
        let hit = draw.below(4).min(1) as usize; // mostly the private part
        parts[hit].1 = damage(&mut draw, &parts[hit].1);
        let chunks = [(PUBLIC, parts[0].1.as_slice()), (PRIVATE, parts[1].1.as_slice())];
        let forged = container::encode(FileKind::Circuit, opened.fingerprint(), &chunks);
        match binary::read_circuit(&forged) {
            Ok(read) => prop_assert_eq!(read, circuit),
            Err(binary::ReadError::Fingerprint { found, .. }) => {
                // A forger can write the right fingerprint as well: then it is another circuit that verifies.
                let forged = container::encode(FileKind::Circuit, found, &chunks);
                let read = binary::read_circuit(&forged).unwrap();
                prop_assert_eq!(peregrine_ir::fingerprint(&read), found);
                prop_assert!(verify(read.into_inner()).is_ok());
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn damaged_interfaces_under_right_checksums_do_not_panic(choices in choices(8), draws in draws()) {
        let circuit = circuit(&choices).unwrap();
        let file = binary::write_interface(&Interface::of(&circuit));
        let opened = Container::parse(&file).unwrap();
        let hash = opened.chunk(binary::PRIVATE_HASH).unwrap();
        let public = damage(&mut Draw::new(&draws), opened.chunk(PUBLIC).unwrap());
        let chunks = [(PUBLIC, public.as_slice()), (binary::PRIVATE_HASH, hash)];
        let forged = container::encode(FileKind::Interface, opened.fingerprint(), &chunks);
        let Err(binary::ReadError::Fingerprint { found, .. }) = binary::read_interface(&forged) else {
            return Ok(());
        };
        let forged = container::encode(FileKind::Interface, found, &chunks);
        if let Ok(read) = binary::read_interface(&forged) {
            for port in read.inputs() {
                prop_assert_eq!(port.layout.slots(), read.rings().at(port.level).slots());
            }
        }
    }
}

const WORDS: [&str; 51] = [
    "r1 = ring log_n=3 special_primes=[p0]\n",
    "digit 0 r1 = [q0]\n",
    "switch_ring",
    "r0 = ring log_n=5\n",
    "ring",
    "log_n",
    "=",
    "D = scale 2^20\n",
    "q0 = prime 0x61\n",
    "q0",
    "p0 = special_prime 97\n",
    "level 0 = [q0]\n",
    "level",
    "digit 0 = [q0]\n",
    "rotation_keys level=0 [1]\n",
    "n0 = node \"a\" B\n",
    "v0",
    "l0 = layout gip shape=[1, 4, 4] phases=[1, 1] gaps=[1, 1] pitch=4 plane=16 replicas=1 skew=0\n",
    "layout",
    "w0 = tensor \"w\" [2] = [1.0, -2e5]\n",
    "tensor",
    "[",
    "]",
    "(",
    ")",
    ",",
    "\"",
    "-",
    "1e999",
    "99999999999",
    "op0 = gather [4] l0 -> [4] l0 axes=[0(3..=0, _*4000000000)]\n",
    "axes=[0(",
    "c0 = uniform op0 in=0 out=0 rotation=1\n",
    "v1 = dot_scalar [v0] [c0], 2^4 : ct<0, D*2^4>\n",
    "..=",
    "*",
    "/",
    "^",
    "}",
    "@n0",
    "entry \"x\" [1] l0 (v0: ct<0, D>)\n",
    "v1 = add v0, v0 : ct<0, D>\n",
    ":",
    "ct<0, D^65535^2>",
    "digits<0>",
    "return \"y\" [1] l0 (v1)\n",
    "return \"y\" [1] l0 (v1) finish [argmax axis=0 last, reshape [1, 1]]\n",
    "finish [softmax axis=",
    "; comment\n",
    "\u{1f600}",
    "v4000000000 = add : digits<0>\n",
];
