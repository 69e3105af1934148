//! What the verifier, the parser and the reader say of functions and fragments that break a rule.

use peregrine_ir::*;

const HEAD: &str = r#"circuit %nested security=none {
    r0 = ring log_n=4 special_primes=[p0]
    D = scale 2^30
    q0 = prime 0x1fffffffff61
    q1 = prime 0x3ffffe81
    p0 = special_prime 0xfffffffffa81
    level 0 = [q0]
    level 1 = [q0, q1]
    digit 0 = [q0]
    digit 1 = [q1]
    rotation_keys level=1 [1]
    n0 = node "turn" Conv
    l0 = layout gip shape=[8, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
"#;

const PROGRAM: &str = r#"    f0 = function %turn (v0: ct<1, D>) -> (v1, v0) {
    v1 = rotate v0, 1 : ct<1, D>
    }
    f1 = function %twice (v2: ct<1, D>) -> (v4) {
    v3 = call f0 [v2] : ct<1, D>
    v4 = call f0 [v3] : ct<1, D>
    }
entry "x" [1, 8] l0 (v5: ct<1, D>)
@n0 v6 = call f0 [v5] : ct<1, D>
@n0 v7 = result v6, 1 : ct<1, D>
@n0 v8 = call f1 [v7] : ct<1, D>
    return "y" [1, 8] l0 (v8)
}
"#;

const FRAGMENT: &str = r#"    fragment "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
import v0: ct<1, D> from v6
import v1: digits<1> of v0 from v7
@n0 v2 = rotate_ext v0, v1, 1 : ct<1, D, ext>
    export v2 to v8
}
"#;

fn parsed(program: &str) -> Circuit {
    text::parse(&format!("{HEAD}{program}")).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is wrong with a circuit after a change, in one line for each error.
fn errors(program: &str, change: impl FnOnce(&mut Circuit)) -> Vec<String> {
    let mut circuit = parsed(program);
    verify(circuit.clone()).unwrap_or_else(|errors| panic!("{errors}"));
    change(&mut circuit);
    let errors = verify(circuit).unwrap_err().errors;
    errors.iter().map(ToString::to_string).collect()
}

fn inst(circuit: &mut Circuit, value: u32) -> &mut Inst {
    &mut circuit.values.get_mut(Value(value)).unwrap().inst
}

fn function(circuit: &mut Circuit, id: u32) -> &mut Function {
    circuit.functions.get_mut(FunctionId(id)).unwrap()
}

#[test]
fn functions_that_break_a_rule_are_refused() {
    type Change = fn(&mut Circuit);
    let cases: &[(Change, &str)] = &[
        (
            |c| function(c, 0).name = "no name".into(),
            "function f0 `no name`: its name is no identifier",
        ),
        (
            |c| function(c, 1).name = "turn".into(),
            "function f1 `turn`: another function has the same name",
        ),
        (
            |c| function(c, 1).end = Value(2),
            "function f1 `twice`: its body ends before v2, expected an end behind v2, at most v9: bodies stand one after \
             the other and are not empty",
        ),
        (
            |c| function(c, 1).end = Value(12),
            "function f1 `twice`: its body ends before v12, expected an end behind v2, at most v9: bodies stand one after \
             the other and are not empty",
        ),
        (
            |c| function(c, 1).results.clear(),
            "function f1 `twice`: it has no results",
        ),
        (
            |c| function(c, 1).results.push(Value(1)),
            "function f1 `twice`: its result v1 is no value of its body",
        ),
        (
            |c| {
                *inst(c, 4) = Inst::Input {
                    ty: Type::cipher(Level(1), Scale::power_of_two(30)),
                };
            },
            "v4: a parameter stands behind the first instruction; a body begins with its parameters",
        ),
        (
            |c| *inst(c, 4) = Inst::Negate(Value(1)),
            "v4: negate: v1 is a value of another body",
        ),
        (
            |c| {
                *inst(c, 3) = Inst::Call {
                    function: FunctionId(1),
                    arguments: vec![Value(2)],
                }
            },
            "v3: call: f1 is not defined before the function that calls it",
        ),
        (
            |c| {
                *inst(c, 3) = Inst::Call {
                    function: FunctionId(7),
                    arguments: vec![Value(2)],
                }
            },
            "v3: call: function f7 does not exist",
        ),
        (
            |c| {
                *inst(c, 7) = Inst::Result {
                    call: Value(6),
                    index: 2,
                }
            },
            "v7 (Conv `turn`): f0 has 2 results, there is none numbered 2",
        ),
        (
            |c| {
                *inst(c, 7) = Inst::Result {
                    call: Value(6),
                    index: 0,
                }
            },
            "v7 (Conv `turn`): result 0 does not stand directly behind v6, in the order of the results of this call",
        ),
        (
            |c| {
                *inst(c, 8) = Inst::Result {
                    call: Value(6),
                    index: 1,
                }
            },
            "v8 (Conv `turn`): result 1 does not stand directly behind v6, in the order of the results of this call",
        ),
        (
            |c| {
                *inst(c, 7) = Inst::Result {
                    call: Value(5),
                    index: 1,
                }
            },
            "v7 (Conv `turn`): result: v5 is no call",
        ),
        (
            |c| *inst(c, 1) = Inst::InputDigits(Value(0)),
            "v1: input_digits: states ct<1, D>, but the operation gives digits<1>",
        ),
        (
            |c| c.values.get_mut(Value(3)).unwrap().node = Some(Node(0)),
            "v3 (Conv `turn`): call: states n0, what a function computes serves the nodes of its calls",
        ),
        (
            |c| c.outputs[0].values[0] = Value(4),
            "output 0 `y`: v4 is a value of a function",
        ),
    ];
    for (change, expected) in cases {
        let found = errors(PROGRAM, change);
        assert!(
            found.iter().any(|error| error == expected),
            "{expected}\n{found:#?}"
        );
    }
}

#[test]
fn digits_and_plaintexts_are_no_results() {
    let source = PROGRAM.replace("-> (v4)", "-> (v4, v2)");
    let found = errors(&source, |c| {
        *inst(c, 4) = Inst::Decompose(Value(3));
        c.values.get_mut(Value(4)).unwrap().ty = Type::Digits { level: Level(1) };
    });
    let expected = "function f1 `twice`: its result v4 is digits<1>, expected a ciphertext";
    assert!(found.iter().any(|error| error == expected), "{found:#?}");
}

#[test]
fn a_run_that_would_not_end_is_refused() {
    // Each function calls the one before it sixteen times.
    let mut program = String::from(
        "    f0 = function %f0 (v0: ct<1, D>) -> (v1) {\n    v1 = rotate v0, 1 : ct<1, D>\n    }\n",
    );
    let mut next = 2;
    for f in 1..9 {
        let first = next;
        let mut body = String::new();
        for value in first + 1..=first + 16 {
            body += &format!(
                "    v{value} = call f{} [v{}] : ct<1, D>\n",
                f - 1,
                value - 1
            );
        }
        next = first + 17;
        program += &format!(
            "    f{f} = function %f{f} (v{first}: ct<1, D>) -> (v{}) {{\n{body}    }}\n",
            next - 1
        );
    }
    program += &format!(
        "entry \"x\" [1, 8] l0 (v{next}: ct<1, D>)\n@n0 v{} = call f8 [v{next}] : ct<1, D>\n    return \"y\" [1, 8] l0 (v{})\n}}\n",
        next + 1,
        next + 1
    );
    let errors = verify(parsed(&program)).unwrap_err().to_string();
    assert!(
        errors.starts_with("circuit `nested`: a run would execute ")
            && errors.ends_with("expected at most 4294967296"),
        "{errors}"
    );
}

#[test]
fn calls_that_stand_too_deep_are_refused() {
    let mut program = String::from(
        "    f0 = function %f0 (v0: ct<1, D>) -> (v1) {\n    v1 = rotate v0, 1 : ct<1, D>\n    }\n",
    );
    for f in 1..66 {
        let (x, y) = (2 * f, 2 * f + 1);
        program += &format!(
            "    f{f} = function %f{f} (v{x}: ct<1, D>) -> (v{y}) {{\n    v{y} = call f{} [v{x}] : ct<1, D>\n    }}\n",
            f - 1
        );
    }
    program += "entry \"x\" [1, 8] l0 (v132: ct<1, D>)\n@n0 v133 = call f64 [v132] : ct<1, D>\n    return \"y\" [1, 8] l0 (v133)\n}\n";
    let errors = verify(parsed(&program)).unwrap_err().to_string();
    let expected = "function f65 `f65`: calls stand 65 deep within each other, expected at most 64";
    assert_eq!(errors, expected);
}

#[test]
fn fragments_that_break_a_rule_are_refused() {
    type Change = fn(&mut Circuit);
    fn fragment(c: &mut Circuit) -> &mut Fragment {
        c.fragment.as_mut().unwrap()
    }
    let cases: &[(Change, &str)] = &[
        (
            |c| fragment(c).imports[1].value = Value(2),
            "import 1: v2 is no input",
        ),
        (
            |c| fragment(c).imports.truncate(1),
            "v1: input: no input port or import lists it",
        ),
        (
            |c| fragment(c).imports[1].whole = Value(6),
            "import 1: v6 is listed twice",
        ),
        (
            |c| fragment(c).exports[0].value = Value(9),
            "export 0: v9 is no value of the main program",
        ),
        (
            |c| fragment(c).exports.clear(),
            "circuit `nested`: the circuit has no outputs",
        ),
        (
            |c| c.fragment = None,
            "circuit `nested`: the circuit has no outputs",
        ),
        (
            |c| {
                *inst(c, 0) = Inst::Input {
                    ty: Type::Digits { level: Level(1) },
                }
            },
            "v0: input: digits come in by `input_digits`, which says whose they are",
        ),
    ];
    for (change, expected) in cases {
        let found = errors(FRAGMENT, change);
        assert!(
            found.iter().any(|error| error == expected),
            "{expected}\n{found:#?}"
        );
    }
    let mut circuit = parsed(PROGRAM);
    circuit.fragment = parsed(FRAGMENT).fragment;
    let found = verify(circuit).unwrap_err().to_string();
    let expected = "circuit `nested`: the circuit is a fragment and has ports; a fragment has imports and exports instead";
    assert!(found.contains(expected), "{found}");
}

#[test]
fn texts_of_bodies_and_links_are_refused_where_they_are_wrong() {
    let cases = [
        (
            PROGRAM.replace("    f1 = ", "@n0 v2 = encode c0 : pt<1, D>\n    f1 = "),
            "a function stands before",
        ),
        (
            PROGRAM.replace("(v0: ct<1, D>) ->", "(v0: digits<1>) ->"),
            "expected `of`, found `)`",
        ),
        (
            PROGRAM.replace("f1 = function", "f2 = function"),
            "expected `f1`, found `f2`",
        ),
        (
            PROGRAM.replace("v1 = rotate", "v9 = rotate"),
            "without gaps",
        ),
        (FRAGMENT.replace("from v6", "v6"), "expected `from`"),
        (
            FRAGMENT.replace("9f86d0", ""),
            "expected a fingerprint of 64 hexadecimal digits",
        ),
        (
            FRAGMENT.replace("    fragment \"", "    remark \""),
            "`fragment` is missing",
        ),
        (
            FRAGMENT.replace("import v0", "fragment \"\"\nimport v0"),
            "`fragment` is given twice",
        ),
    ];
    for (program, expected) in cases {
        let error = text::parse(&format!("{HEAD}{program}"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{expected}\n{error}");
    }
}

#[test]
fn functions_and_fragments_are_files() {
    for program in [PROGRAM, FRAGMENT] {
        let circuit = verify(parsed(program)).unwrap();
        let file = binary::write_circuit(&circuit);
        assert_eq!(binary::read_circuit(&file).unwrap(), circuit);
        assert_eq!(text::print(&circuit), format!("{HEAD}{program}"));
    }
}
