//! Syntax errors as people see them, and the speed of printing and parsing.

use peregrine_ir::testing::circuit;
use peregrine_ir::{Inst, binary, text, verify};

fn errors(source: &str) -> String {
    text::parse(source).unwrap_err().to_string()
}

#[test]
fn an_error_shows_its_place() {
    let source = "circuit %f security=none {\n    r0 = ring log_n=five\n}\n";
    let expected = "\
error: expected a number below 2^32, found `five`
 --> line 2, column 21
  |
2 |     r0 = ring log_n=five
  |                     ^^^^";
    assert_eq!(errors(source), expected);
}

#[test]
fn all_errors_are_reported() {
    let source = "circuit %f security=none {\n r0 = ring log_n=4\n D = scale 2^2\n D = scale 2^2\n q0 = prim 3\n q7 = prime 3\n what\n v0 = add v1, : ct<0, D>\n";
    let report = errors(source);
    let first_lines: Vec<&str> = report.lines().filter(|l| l.starts_with("error")).collect();
    let expected = [
        "error: `D` is given twice",
        "error: expected `prime`, found `prim`",
        "error: expected a statement, found `what`",
        "error: expected `v` and a number, like `v0`, found `:`",
        "error: expected `}`, found the end of the text",
    ];
    assert_eq!(first_lines, expected);
}

#[test]
fn causes_are_told() {
    let check = |statement: &str, expected: &str| {
        let report = errors(&format!(
            "circuit %f security=none {{\n r0 = ring log_n=4\n {statement}\n}}"
        ));
        assert!(report.contains(expected), "{report}");
    };
    check(
        "w0 = tensor \"w\" [2] = elided",
        "the weights of w0 `w` are elided",
    );
    check(
        "return \"y\" [2] l0 (v0) finish [hinge]",
        "expected a step of the client, found `hinge`",
    );
    check(
        "w0 = tensor \"w\" [3] = [1.0]",
        "tensor `w` holds 1 values, its shape [3] wants 3",
    );
    check("remark w0 \"why\"", "expected `n` and a number, like `n0`");
    check("remark n0", "expected a string in quotes, found `}`");
    check(
        "w0 = tensor \"w\" [0] = []",
        "shape [0] has an empty dimension",
    );
    check(
        "w0 = tensor \"w\\q\" [1] = [1.0]",
        "expected a string with valid escapes",
    );
    check(
        "w0 = tensor \"w [1] = [1.0]",
        "found a string without closing quote",
    );
    check(
        "l0 = layout gip shape=[9, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=0 plane=1 replicas=1 skew=0",
        "layout: pitch is 0, expected 1 to 8",
    );
    check(
        "op0 = gather [1] l0 -> [1] l0 axes=[0(0*99999999)]",
        "gather tables exceed 16777216 entries",
    );
    check(
        "v1 = add v0, v0 : ct<0, D>",
        "the numbers of values must be 0 to 0 without gaps, found v1",
    );
    check(
        "v0 = add v0 : ct<0, D>\nv0 = add v0 : ct<0, D>",
        "v0 is given twice",
    );
    check(
        "v0 = encode c0 : ct<0, D>",
        "expected the type of a plaintext",
    );
    check(
        "v0 = add v0 : ct<0, 2^60000>",
        "an exponent of the scale exceeds 4096",
    );
    check(
        "v0 = add v0 : pt<0, D, deg 2>",
        "expected `ext`, found `deg`",
    );
    check(
        "rotation_keys level=0 [1, 1]",
        "rotation key 1 is given twice",
    );
    check(
        "v0 = dot_scalar [v0] [v0], 1 : ct<0, D>",
        "expected `c` and a number, like `c0`, found `v0`",
    );
    check(
        "v0 = dot_scalar [v0] [c0] : ct<0, D>",
        "expected `,`, found `:`",
    );
    check(
        "c0 = uniform op0 in=0 out=0 pre=0",
        "expected `rotation`, found `pre`",
    );
    check(
        "c0 = all op0",
        "expected `diagonal`, `fill` or `uniform`, found `all`",
    );
    check("q1 = prime 97", "expected `q0`, found `q1`");
    check("? ", "expected a statement, found '?'");
}

#[test]
fn a_long_line_is_cut() {
    let source = format!(
        "circuit %f security=none {{ w0 = tensor \"w\" [1] = [{}oops]",
        "1.0, ".repeat(10_000)
    );
    let report = errors(&source);
    assert!(report.contains("`oops`") && report.len() < 700, "{report}");
}

#[test]
fn humans_need_no_weights() {
    let drawn = (0..99).map(|n| circuit(&(n..n + 99).collect::<Vec<_>>()).unwrap());
    let has_weights = |circuit: &peregrine_ir::Verified| !circuit.tensors.is_empty();
    let circuit = drawn.into_iter().find(has_weights).unwrap();
    let shown = text::print_without_weights(&circuit);
    assert!(shown.contains("= elided"));
    assert!(errors(&shown).contains("elided"));
}

/// Anything quadratic would not end.
#[test]
fn a_million_instructions_are_fine() {
    let mut large = circuit(&[]).unwrap().into_inner();
    let definition = large.values.values().next_back().unwrap().clone();
    let mut definition = definition.clone();
    definition.node = large.nodes.keys().next();
    while large.values.len() < 1_000_000 {
        let last = large.values.next_key();
        let back = |n: u32| peregrine_ir::Value(last.0.saturating_sub(n));
        definition.inst = Inst::Add(vec![back(1), back(7)]);
        large.values.push(definition.clone());
    }
    let verified = verify(large).unwrap();
    let parsed = text::parse(&text::print(&verified)).unwrap();
    assert!(parsed == *verified);
    let file = binary::write_circuit(&verified);
    assert!(file.len() < 5_000_000, "{} bytes", file.len());
    assert!(binary::read_circuit(&file).unwrap() == verified);
}
