//! One broken circuit per rule of the verifier: a good one with some text replaced.

use crate::common::{check_errors, prepared};
use peregrine_ir::linear::{AxisMap, Gather, LinearKind, LinearMap};
use peregrine_ir::{
    Circuit, FinishStep, LayoutId, Operator, Remark, Shape, SourceNode, text, verify,
};

/// Breaks no rule. Level 0 serves nobody, so it can be broken alone.
pub(super) const GOOD: &str = r#"
circuit %good security=none {
    r0 = ring log_n=4 special_primes=[p0]
    D = scale 2^30
    q0 = prime 0x1fffffffff61
    q1 = prime 0x3ffffe81
    q2 = prime 0x3ffffb41
    p0 = special_prime 0xfffffffffa81
    level 0 = [q2]
    level 1 = [q0]
    level 2 = [q0, q1]
    level 3 = [q0, q1, q2]
    digit 0 = [q0]
    digit 1 = [q1]
    digit 2 = [q2]
    relinearization_key level=2
    rotation_keys level=3 [1, 2]
    n0 = node "fc" Gemm
    l0 = layout gip shape=[8, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
    w0 = tensor "gain" [8] = [0.5, 1.0, 2.0, 3.0, 0.5, 1.0, 2.0, 3.0]
    w1 = tensor "bias" [8] = [0.5, 1.0, 2.0, 3.0, 0.5, 1.0, 2.0, 3.0]
    op0 = scale w0 [1, 8] l0 -> [1, 8] l0
    op1 = broadcast w1 [1, 8] l0
    c0 = diagonal op0 in=0 out=0 rotation=0 pre=0
    c1 = fill op1 part=0
entry "x" [1, 8] l0 (v0: ct<3, D>)
@n0 v1 = decompose v0 : digits<3>
@n0 v2 = rotate_ext v0, v1, 1 : ct<3, D, ext>
@n0 v3 = mod_down v2 : ct<3, D>
@n0 v4 = rotate v0, 2 : ct<3, D>
@n0 v5 = add v3, v4 : ct<3, D>
@n0 v6 = encode c0 : pt<3, q2>
@n0 v7 = mul_plain v5, v6 : ct<3, D*q2>
@n0 v8 = rescale v7 : ct<2, D>
@n0 v9 = encode c1 : pt<2, D>
@n0 v10 = add_plain v8, v9 : ct<2, D>
@n0 v11 = square v10 : ct<2, D^2, deg 2>
@n0 v12 = relinearize v11 : ct<2, D^2>
@n0 v13 = rescale v12 : ct<1, D^2/q1>
    return "y" [1, 8] l0 (v13)
}
"#;

/// What is replaced, and by what; the latter announces the errors.
type Case = &'static [(&'static str, &'static str)];

/// Puts another instruction before the return.
const RETURN: &str = "    return \"y\" [1, 8] l0 (v13)\n";

fn run(cases: &[Case]) {
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let broken = case.iter().fold(GOOD.to_string(), |text, (from, to)| {
                assert!(text.contains(from), "{from}");
                text.replace(from, to)
            });
            check_errors(&broken).err()
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn the_good_circuit_is_good() {
    check_errors(GOOD).unwrap();
}

#[test]
fn ring() {
    run(&[
        &[(
            "0x3ffffb41",
            "0x3fffffe1 ; error: q2: 1073741793 is not prime",
        )],
        &[(
            "0xfffffffffa81",
            "0x40000000000c1 ; error: p0: 1125899906842817 is not below 2^50",
        )],
        &[(
            "0x3ffffb41",
            "0x3fffffdd ; error: q2: 1073741789 is not 1 modulo 2 N = 32",
        )],
        &[(
            "0xfffffffffa81",
            "0x1fffffffff61 ; error: p0: 35184372088673 is also q0",
        )],
        &[(
            "level 0 = [q2]",
            "level 0 = [] ; error: level 0: the level has no primes",
        )],
        &[
            (
                "level 0 = [q2]",
                "level 0 = [q2, q2] ; error: level 0: the level names a prime twice",
            ),
            (
                "level 1 = [q0]",
                "level 1 = [q0] ; error: level 1: its modulus has 45.000 bits, the level below has 60.000",
            ),
        ],
        &[(
            "level 0 = [q2]",
            "level 0 = [q9] ; error: level 0: names q9, which is not in the pool",
        )],
        &[
            ("level 0 = [q2]", "level 0 = [q0]"),
            (
                "level 1 = [q0]",
                "level 1 = [q0] ; error: level 1: its modulus has 45.000 bits, the level below has 45.000: levels must ascend",
            ),
        ],
        &[(
            "digit 2 = [q2]",
            "digit 2 = [q2]\n digit 3 = [] ; error: digit 3: the digit has no primes",
        )],
        &[(
            "digit 2 = [q2]",
            "digit 2 = [q2, q1] ; error: digit 2: q1 is already in a digit; error: digit 2: has 60.0 bits",
        )],
        &[(
            "digit 2 = [q2]",
            "digit 2 = [q2, q9] ; error: digit 2: names q9",
        )],
        &[
            ("digit 2 = [q2]", ""),
            ("0x3ffffb41", "0x3ffffb41 ; error: q2: is in no digit"),
        ],
        &[
            ("security=none", "security=128"),
            (
                "special_primes=[p0]",
                "special_primes=[p0] ; error: ring r0: no modulus is 128-bit secure at degree 2^4",
            ),
        ],
    ]);
}

#[test]
fn security() {
    let source = |security: &str, comment: &str| {
        format!(
            r#"circuit %f security={security} {{
    r0 = ring log_n=10 {comment}
    D = scale 2^20
    q0 = prime 0x1fffffff9001
    level 0 = [q0]
    digit 0 = [q0]
    n0 = node "f" Neg
    l0 = layout gip shape=[1, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
entry "x" [] l0 (v0: ct<0, D>)
@n0 v1 = negate v0 : ct<0, D>
    return "y" [1] l0 (v1)
}}"#
        )
    };
    check_errors(&source("none", "")).unwrap();
    let comment = "; error: ring r0: log2(Q P) is 45.0, above the 26 bits that degree 2^10 carries";
    check_errors(&source("128", comment)).unwrap();
}

#[test]
fn tables() {
    run(&[
        &[(
            "circuit %good security=none {",
            "circuit %\"a b\" security=none { ; error: circuit `a b`: the name of the circuit is not an identifier",
        )],
        &[
            ("l0 = layout gip shape", "l0 = layout gip log_slots=4 shape"),
            (
                "skew=0",
                "skew=0 ; error: l0: has 16 slots per ciphertext, the ring has 8",
            ),
        ],
        &[
            (
                "skew=0",
                "skew=0\n l1 = layout gip shape=[16777216, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=8 replicas=1 skew=0",
            ),
            (
                "circuit %good security=none {",
                "circuit %good security=none { ; error: circuit `good`: the layouts have 16777217 ciphertexts together, expected at most 16777216",
            ),
        ],
        &[
            ("op0 = scale w0 [1, 8] l0", "op0 = scale w0 [1, 8] l7"),
            (
                "-> [1, 8] l0",
                "-> [1, 8] l0 ; error: op0: layout l7 does not exist",
            ),
            (
                "rotation=0 pre=0",
                "rotation=0 pre=0 ; error: c0: in=0 is not below 0",
            ),
        ],
        &[(
            "broadcast w1 [1, 8] l0",
            "broadcast w7 [1, 8] l0 ; error: op1: tensor w7 does not exist",
        )],
        &[(
            "scale w0 [1, 8] l0 -> [1, 8] l0",
            "scale w7 [1, 8] l0 -> [1, 8] l0 ; error: op0: weight tensor w7 does not exist",
        )],
        &[(
            "broadcast w1 [1, 8] l0",
            "broadcast w1 [2, 8] l0 ; error: op1: result has shape [2, 8], but its layout l0 packs [8, 1, 1]",
        )],
        &[(
            "broadcast w1 [1, 8] l0",
            "broadcast w1 [8, 1] l0 ; error: op1: w1 has shape [8], which does not broadcast to [8, 1]",
        )],
        &[(
            "-> [1, 8] l0",
            "-> [8, 1] l0 ; error: op0: scale: output shape is [8, 1], expected [1, 8]",
        )],
        &[(
            "c0 = diagonal op0 in=0 out=0 rotation=0 pre=0",
            "c0 = diagonal op1 in=0 out=0 rotation=0 pre=0 ; error: c0: op1 is not a linear operator",
        )],
        &[(
            "fill op1 part=0",
            "fill op0 part=0 ; error: c1: op0 is not a broadcast",
        )],
        &[(
            "    l0 = layout",
            "remark n1 \"why\" ; error: remark 0: is about node n1, which does not exist\n    l0 = layout",
        )],
        &[(
            "    l0 = layout",
            "remark n0 \"two\\nlines\" ; error: remark 0: has the control character '\\n'\n    l0 = layout",
        )],
        &[(
            "fill op1 part=0",
            "fill op7 part=0 ; error: c1: operator op7 does not exist",
        )],
        &[(
            "fill op1 part=0",
            "fill op1 part=1 ; error: c1: part=1 is not below 1",
        )],
        &[(
            "in=0 out=0 rotation=0 pre=0",
            "in=1 out=0 rotation=0 pre=0 ; error: c0: in=1 is not below 1",
        )],
        &[(
            "in=0 out=0 rotation=0 pre=0",
            "in=0 out=1 rotation=0 pre=0 ; error: c0: out=1 is not below 1",
        )],
        &[(
            "in=0 out=0 rotation=0 pre=0",
            "in=0 out=0 rotation=8 pre=0 ; error: c0: rotation=8 is not below 8",
        )],
        &[(
            "fill op1 part=0",
            "fill op1 part=0\n    c2 = uniform op0 in=0 out=0 rotation=8 ; error: c2: rotation=8 is not below 8",
        )],
        &[(
            "fill op1 part=0",
            "fill op1 part=0\n    c2 = uniform op0 in=1 out=0 rotation=0 ; error: c2: in=1 is not below 1",
        )],
        &[(
            "fill op1 part=0",
            "fill op1 part=0\n    c2 = uniform op1 in=0 out=0 rotation=0 ; error: c2: op1 is not a linear operator",
        )],
        &[(
            "in=0 out=0 rotation=0 pre=0",
            "in=0 out=0 rotation=0 pre=8 ; error: c0: pre=8 is not below 8",
        )],
    ]);
}

#[test]
fn values() {
    run(&[
        &[(
            "add_plain v8, v9 : ct<2, D>",
            "add_plain v8, v6 : ct<2, D> ; error: v10 (Gemm `fc`): add_plain: operand levels differ: v8 is at level 2, v6 at level 3",
        )],
        &[(
            "add v3, v4 : ct<3, D>",
            "add v3, v13 : ct<3, D> ; error: v5 (Gemm `fc`): add: v13 is not defined before its use",
        )],
        &[(
            "add v3, v4 : ct<3, D>",
            "add v3, v5 : ct<3, D> ; error: v5 (Gemm `fc`): add: v5 is not defined before its use",
        )],
        &[(
            "add v3, v4 : ct<3, D>",
            "add v3 : ct<3, D> ; error: v5 (Gemm `fc`): add: 1 operands, expected at least two",
        )],
        &[(
            RETURN,
            "@n0 v14 = negate v13 : ct<1, D> ; error: v14 (Gemm `fc`): negate: states ct<1, D>, but the operation gives ct<1, D^2/q1>\n return \"y\" [1, 8] l0 (v13)",
        )],
        &[(
            RETURN,
            "@n0 v14 = mul_scalar v3, 1.0, q1^2000/q2^2000 : ct<3, D*q1^2000/q2^2000> ; error: v14 (Gemm `fc`): scale D*q1^2000/q2^2000 is too large or too small; error: scale q1^2000/q2^2000 is too large\n return \"y\" [1, 8] l0 (v13)",
        )],
        &[(
            RETURN,
            "@n0 v14 = mul_scalar v13, 1e30, 1 : ct<1, D^2/q1> ; error: v14 (Gemm `fc`): 1e30 at scale 1 has 99.7 bits, the modulus carries 45.0\n return \"y\" [1, 8] l0 (v13)",
        )],
        &[(
            RETURN,
            "@n0 v14 = mul_scalar v13, NaN, 1 : ct<1, D^2/q1> ; error: mul_scalar: factor NaN is not finite\n return \"y\" [1, 8] l0 (v13)",
        )],
        &[(
            RETURN,
            "@n0 v14 = encode c0 : pt<1, q0> ; error: v14 (Gemm `fc`): 3e0 at scale q0 has 46.6 bits, the modulus carries 45.0\n return \"y\" [1, 8] l0 (v13)",
        )],
        &[(
            "(v0: ct<3, D>)\n",
            "(v0)\n@n0 v0 = input : ct<3, D> ; error: v0 (Gemm `fc`): input: states n0, inputs serve no node\n",
        )],
        &[(
            "@n0 v13 = rescale v12 : ct<1, D^2/q1>",
            "v13 = rescale v12 : ct<1, D^2/q1> ; error: v13: rescale: does not say which node it serves",
        )],
        &[(
            "@n0 v13 = rescale v12 : ct<1, D^2/q1>",
            "@n7 v13 = rescale v12 : ct<1, D^2/q1> ; error: v13: rescale: node n7 does not exist",
        )],
        &[(
            RETURN,
            "@n0 v14 = rotate_ext v3, v1, 1 : ct<3, D, ext> ; error: v14 (Gemm `fc`): rotate_ext: v1 holds the digits of v0, not of v3\n return \"y\" [1, 8] l0 (v13)",
        )],
        &[(
            "encode c1 : pt<2, D>",
            "encode c7 : pt<2, D> ; error: v9 (Gemm `fc`): encode: constant c7 does not exist",
        )],
    ]);
}

#[test]
fn keys() {
    run(&[
        &[
            ("    p0 = special_prime 0xfffffffffa81\n", ""),
            (
                " special_primes=[p0]",
                " ; error: ring r0: key switching needs special primes, the ring has none",
            ),
            (
                "digits<3>",
                "digits<3> ; error: decompose: the ring has no special primes",
            ),
            (
                "v1, 1 : ct<3, D, ext>",
                "v1, 1 : ct<3, D, ext> ; error: rotate_ext: the ring has no special primes",
            ),
        ],
        &[
            (
                "digit 0 = [q0]",
                "digit 0 = [q0, q1] ; error: digit 0: has 75.0 bits at some level, more than the special primes together (48.0)",
            ),
            (
                "    digit 1 = [q1]\n    digit 2 = [q2]",
                "    digit 1 = [q2]",
            ),
        ],
        &[(
            "relinearization_key level=2",
            "relinearization_key level=9 ; error: relinearization key: level 9 does not exist, there are 4; error: is declared at level 9, its highest use is at level 2",
        )],
        &[(
            "[1, 2]",
            "[1, 2, 8] ; error: rotation key 8: rotation 8 is not in 1..8; error: rotation key 8: no instruction uses it",
        )],
        &[(
            "    rotation_keys",
            "    conjugation_key level=1 ; error: conjugation key: no instruction uses it\n    rotation_keys",
        )],
        &[(
            "relinearization_key level=2",
            "relinearization_key level=3 ; error: relinearization key: is declared at level 3, its highest use is at level 2",
        )],
        &[
            ("rotation_keys level=3 [1, 2]", "rotation_keys level=3 [2]"),
            (
                "v1, 1 : ct<3, D, ext>",
                "v1, 1 : ct<3, D, ext> ; error: v2 (Gemm `fc`): rotate_ext: no rotation key 1 at level 3 is declared",
            ),
        ],
        &[
            ("    relinearization_key level=2\n", ""),
            (
                "relinearize v11 : ct<2, D^2>",
                "relinearize v11 : ct<2, D^2> ; error: v12 (Gemm `fc`): relinearize: no relinearization key at level 2 is declared",
            ),
        ],
        // Rows that are not nested: the key of the highest use serves the other, too.
        &[
            (
                "entry \"x\"",
                "entry \"z\" [1, 8] l0 (v14: ct<0, 2^10>)\nentry \"x\"",
            ),
            (
                RETURN,
                "@n0 v15 = square v14 : ct<0, 2^20, deg 2>\n@n0 v16 = relinearize v15 : ct<0, 2^20>\n return \"y\" [1, 8] l0 (v13)",
            ),
        ],
    ]);
}

#[test]
fn ports() {
    run(&[
        &[(
            RETURN,
            "return \"\" [1, 8] l0 (v13) ; error: output 0 ``: has no name\n",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 8] l0 (v13)\nreturn \"y\" [8] l0 (v13) ; error: output 1 `y`: another port has the same name\n",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 8] l7 (v13) ; error: output 0 `y`: layout l7 does not exist\n",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 9] l0 (v13) ; error: output 0 `y`: has shape [1, 9], but its layout packs [8, 1, 1]\n",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 8] l0 (v13, v13) ; error: output 0 `y`: has 2 ciphertexts, its layout wants 1\n",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 8] l0 (v99) ; error: output 0 `y`: v99 does not exist\n",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 8] l0 (v11) ; error: output 0 `y`: v11 is ct<2, D^2, deg 2>, expected a two-part ciphertext\n",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 8] l0 (v9) ; error: output 0 `y`: v9 is pt<2, D>, expected a two-part ciphertext\n",
        )],
        &[
            (
                "    w0 =",
                "    l1 = layout gip shape=[16, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0\n    w0 =",
            ),
            (
                RETURN,
                "return \"y\" [16] l1 (v13, v10) ; error: output 0 `y`: v10 is ct<2, D>, but v13 is ct<1, D^2/q1>: the ciphertexts of a port have one type\n",
            ),
        ],
        &[(
            "(v0: ct<3, D>)",
            "(v0: ct<3, D>, v3) ; error: input 0 `x`: has 2 ciphertexts, its layout wants 1; error: input 0 `x`: v3 is not an input instruction",
        )],
        &[(
            "(v0: ct<3, D>)",
            "(v0: ct<3, D>, v0) ; error: input 0 `x`: has 2 ciphertexts, its layout wants 1; error: input 0 `x`: v0 is listed twice",
        )],
        &[(
            RETURN,
            "v14 = input : ct<3, D> ; error: v14: input: no input port or import lists it\n return \"y\" [1, 8] l0 (v13)",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 8] l0 (v13) finish [sigmoid, softmax axis=2] ; error: output 0 `y`: softmax axis=2: a tensor of shape [1, 8] has no such axis or position\n",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 8] l0 (v13) finish [argmin axis=1, reshape [8]] ; error: output 0 `y`: reshape [8]: a tensor of shape [1, 1] has another number of elements\n",
        )],
        &[(
            RETURN,
            "return \"y\" [1, 8] l0 (v13) finish [argmax axis=1 last, tanh] ; error: output 0 `y`: tanh: only movements follow a step that gives integers\n",
        )],
        &[
            (RETURN, ""),
            (
                "circuit %good security=none {",
                "circuit %good security=none { ; error: circuit `good`: the circuit has no outputs",
            ),
        ],
    ]);
}

/// Rules that no text reaches: the parser or a constructor is first, or the circuit would be too large.
#[test]
fn beyond_the_text() {
    type Change = fn(&mut Circuit);
    let cases: [(Change, &str); 12] = [
        (
            |c| c.rings.rings.values_mut().for_each(|ring| ring.log_n = 18),
            "ring r0: degree 2^18 is not supported, expected 2^3 to 2^17",
        ),
        (
            |c| c.rings.unit_bits = 5000,
            "rings: the unit of scales is 2^5000, expected at most 2^4096",
        ),
        (
            |c| c.rings.primes = (0..303).collect(),
            "rings: 303 primes, expected at most 256",
        ),
        (|c| c.rings.levels.clear(), "rings: there are no levels"),
        (
            |c| {
                let (name, op) = ("n".repeat(5000), "Relu".into());
                c.nodes.push(SourceNode { name, op });
            },
            ": a name is 5000 bytes long, expected at most 4096",
        ),
        (
            |c| {
                let text = "é".repeat(1001);
                c.remarks.push(Remark { node: None, text });
            },
            "remark 0: has 1001 characters, expected at most 1000",
        ),
        (
            |c| {
                let mut dims = vec![1; 33];
                dims.push(8);
                c.outputs[0].shape = Shape::new(dims).unwrap();
            },
            "output 0 `y`: a shape has 34 axes, expected at most 32",
        ),
        (
            |c| {
                let shape = Shape::new([&[8][..], &[1; 33]].concat()).unwrap();
                c.outputs[0].finish.0.push(FinishStep::Reshape { shape });
            },
            "output 0 `y`: a shape has 34 axes, expected at most 32",
        ),
        (
            |c| c.inputs[0].finish.0.push(FinishStep::Tanh),
            "input 0 `x`: an input is not decrypted, but has steps that follow decryption",
        ),
        (
            |c| c.outputs[0].prepare = Some(prepared(&[1, 8])),
            "output 0 `y`: an output is not encrypted, but has steps that precede encryption",
        ),
        (
            |c| c.inputs[0].prepare = Some(prepared(&[2, 4])),
            "input 0 `x`: has shape [1, 8], but is prepared as [4, 2]",
        ),
        (
            large_gather,
            "circuit `good`: the gather tables have 16777217 entries together",
        ),
    ];
    for (change, expected) in cases {
        let mut circuit = text::parse(GOOD).unwrap();
        change(&mut circuit);
        let errors = verify(circuit).unwrap_err().to_string();
        assert!(errors.contains(expected), "{expected} not in\n{errors}");
    }
}

fn large_gather(circuit: &mut Circuit) {
    let table = vec![Some(0); (1 << 24) + 1];
    let shape = |n| Shape::new([n]).unwrap();
    let map = LinearMap {
        output: shape(table.len() as u32),
        kind: LinearKind::Gather(Gather {
            axes: vec![AxisMap {
                output_axis: 0,
                table,
            }],
        }),
        input: shape(8),
    };
    let (input, output) = (LayoutId(0), LayoutId(0));
    circuit.operators.push(Operator::Linear {
        map,
        input,
        output,
        fold: 1,
        period: None,
    });
}
