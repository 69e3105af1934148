use crate::text;
use crate::{Body, FunctionId, Value, verify};

/// `f1` calls `f0` twice, and the main program calls both.
const NESTED: &str = r#"circuit %nested security=none {
    r0 = ring log_n=4 special_primes=[p0]
    D = scale 2^30
    q0 = prime 0x1fffffffff61
    q1 = prime 0x3ffffe81
    p0 = special_prime 0xfffffffffa81
    level 0 = [q0]
    level 1 = [q0, q1]
    digit 0 = [q0]
    digit 1 = [q1]
    rotation_keys level=1 [1, 2]
    n0 = node "turn" Conv
    l0 = layout gip shape=[8, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
    f0 = function %turn (v0: ct<1, D>, v1: digits<1> of v0) -> (v3, v0) {
    v2 = rotate_ext v0, v1, 1 : ct<1, D, ext>
    v3 = mod_down v2 : ct<1, D>
    }
    f1 = function %twice (v4: ct<1, D>) -> (v9) {
    v5 = decompose v4 : digits<1>
    v6 = call f0 [v4, v5] : ct<1, D>
    v7 = decompose v6 : digits<1>
    v8 = call f0 [v6, v7] : ct<1, D>
    v9 = rotate v8, 2 : ct<1, D>
    }
entry "x" [1, 8] l0 (v10: ct<1, D>)
@n0 v11 = call f1 [v10] : ct<1, D>
@n0 v12 = decompose v11 : digits<1>
@n0 v13 = call f0 [v11, v12] : ct<1, D>
@n0 v14 = result v13, 1 : ct<1, D>
@n0 v15 = add v13, v14 : ct<1, D>
    return "y" [1, 8] l0 (v15)
}
"#;

fn nested() -> crate::Circuit {
    verify(text::parse(NESTED).unwrap()).unwrap().into_inner()
}

#[test]
fn bodies_stand_one_after_the_other() {
    let circuit = nested();
    let body = |function: Option<u32>, first, end| Body {
        function: function.map(FunctionId),
        first: Value(first),
        end: Value(end),
    };
    let bodies = [
        body(Some(0), 0, 4),
        body(Some(1), 4, 10),
        body(None, 10, 16),
    ];
    assert_eq!(circuit.bodies().collect::<Vec<_>>(), bodies);
    for value in circuit.values.keys() {
        let own = bodies.iter().find(|body| body.contains(value)).unwrap();
        assert_eq!(circuit.body_of(value), *own);
    }
    let parameters: Vec<Value> = circuit.parameters(FunctionId(0)).collect();
    assert_eq!(parameters, [Value(0), Value(1)]);
    let further: Vec<_> = circuit.further_results(Value(13)).collect();
    assert_eq!(further, [(Value(14), 1)]);
    assert_eq!(circuit.further_results(Value(11)).count(), 0);
}

#[test]
fn calls_count_what_they_run() {
    let circuit = nested();
    assert_eq!(circuit.runs_of_functions(), [3, 1]);
    let all = circuit.with_calls(vec![1u64; 16]);
    // A call of f0 is itself and four rows; one of f1 itself, four other rows and two such calls.
    let (f0, f1) = (1 + 4, 1 + 4 + 2 * (1 + 4));
    assert_eq!(all[4..10], [1, 1, f0, 1, f0, 1]);
    assert_eq!(all[10..], [1, f1, 1, f0, 1, 1]);
    let counts = crate::stats::Stats::of(&circuit).total;
    assert_eq!((counts.hoisted_rotations, counts.full_rotations), (3, 1));
    assert_eq!(
        (counts.key_switches, counts.mod_downs, counts.decompositions),
        (4, 4, 4)
    );
}

#[test]
fn a_function_prints_as_it_was_written() {
    assert_eq!(text::print(&nested()), NESTED);
}
