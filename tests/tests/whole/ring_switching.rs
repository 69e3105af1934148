//! Networks that go on at half the degree: two secure rings, and the same results.

use peregrine_compiler::onnx::{self, NoExternalData, Options};
use peregrine_compiler::optimisation::Optimisation;
use peregrine_compiler::passes::keys::KeyBudget;
use peregrine_compiler::pipeline::{Compiled, Config, compile};
use peregrine_compiler::tensor::Graph;
use peregrine_ir::{Circuit, Inst, KeyKind, RingId, Security, verify};
use peregrine_runtime::ports::Arrays;
use peregrine_tests::flow::{self, Encrypted, arg_max, error_bits};
use peregrine_tests::networks;

/// Bits after the point of every operation.
const BITS: u32 = 10;

fn network() -> Graph {
    let model = networks::resnet8();
    onnx::import(&model, &NoExternalData, &Options::new("resnet8")).unwrap()
}

fn compiled(graph: &Graph, without: &[Optimisation], key_budget: Option<u64>) -> Compiled {
    let mut config = Config::new("resnet8");
    config.precision_bits = BITS;
    config.without = without.iter().copied().collect();
    config.key_budget = key_budget.map_or(KeyBudget::Unlimited, KeyBudget::AtMost);
    compile(graph, &config).unwrap()
}

fn image(graph: &Graph) -> Arrays {
    let pixels = (0..3 * 32 * 32).map(|i| (f64::from(i) * 0.37).sin() * 0.8);
    flow::inputs(graph, &[pixels.collect()]).unwrap()
}

/// How many ciphertexts are taken from ring to ring.
fn switches(circuit: &Circuit) -> usize {
    let values = circuit.values.values();
    values
        .filter(|definition| matches!(definition.inst, Inst::SwitchRing { .. }))
        .count()
}

fn seconds(circuit: &Circuit) -> f64 {
    Config::new("any").cost.predict(circuit).seconds
}

#[test]
fn half_the_degree_is_taken_where_it_is_faster_and_secure() {
    let graph = network();
    let both = compiled(&graph, &[], None).circuit;
    let one = compiled(&graph, &[Optimisation::RingSwitching], None).circuit;
    assert_eq!((switches(&one), one.rings.rings.len()), (0, 1));
    assert_eq!(both.rings.rings.len(), 2, "half the degree pays here");
    let degree = |id| both.rings.view(id).log_n();
    assert_eq!(degree(RingId(1)), degree(RingId(0)) - 1);
    assert!(switches(&both) > 0 && seconds(&both) < seconds(&one));
    for id in both.rings.rings.keys() {
        let limit = Security::max_modulus_bits(both.rings.view(id).log_n()).unwrap();
        let bits = both.rings.total_bits(id);
        assert!(bits <= f64::from(limit), "{id}: {bits} of {limit}");
    }
    let first = &both.remarks.first().expect("a reason").text;
    assert!(first.contains("the degree is 2^"), "{first}");
}

/// What is said of the node where the degree changes is one short line, whatever the model calls it.
#[test]
fn any_name_of_a_node_makes_a_remark() {
    let mut graph = network();
    for source in &mut graph.sources {
        source.name = "\n\u{7}ünï`".repeat(200);
    }
    let circuit = compiled(&graph, &[], None).circuit;
    let said = circuit.remarks.iter().map(|remark| remark.text.as_str());
    let said: Vec<&str> = said
        .filter(|text| text.contains("the degree is 2^"))
        .collect();
    assert!(
        matches!(said[..], [text] if text.contains(r"\n\u{7}") && text.len() < 500),
        "{said:?}"
    );
}

/// A small ring with a modulus that is too long for it is refused, however it came about.
#[test]
fn a_small_ring_over_the_line_does_not_verify() {
    let mut circuit = compiled(&network(), &[], None).circuit.into_inner();
    assert_eq!(circuit.security, Security::Classical128);
    let limit = Security::max_modulus_bits(circuit.rings.largest_log_n() - 1).unwrap();
    let all = circuit.rings.special.keys().collect();
    circuit.rings.rings.get_mut(RingId(1)).unwrap().special = all;
    assert!(circuit.rings.total_bits(RingId(1)) > f64::from(limit));
    let error = verify(circuit).unwrap_err().to_string();
    assert!(error.contains("ring r1: log2(Q P) is"), "{error}");
}

#[test]
fn ciphertexts_give_what_the_model_says_after_the_switch() {
    let graph = network();
    let inputs = image(&graph);
    let want = flow::reference(&graph, &inputs).unwrap();
    for budget in [None, Some(128 << 20)] {
        let circuit = compiled(&graph, &[], budget).circuit;
        assert_eq!(circuit.rings.rings.len(), 2);
        let simulated = flow::simulated(&circuit, &inputs, None).unwrap();
        let exact = error_bits(&simulated, &want);
        let found = Encrypted::new(&circuit).unwrap().run(&inputs).unwrap();
        let bits = error_bits(&found, &want);
        println!("budget {budget:?}: simulated 2^{exact:.1}, encrypted 2^{bits:.1}");
        assert!(exact < -9.0 && bits < -6.0, "2^{exact:.1}, 2^{bits:.1}");
        let name = &graph.outputs[0].name;
        let found = found.get(name).unwrap().data();
        assert_eq!(arg_max(found), arg_max(&want[name]));
    }
}

#[test]
fn keys_of_both_rings_fit_a_budget_together() {
    let graph = network();
    let all = compiled(&graph, &[], None).key_choices;
    let most = all.iter().map(|choice| choice.bytes).max().unwrap();
    let budget = most / 2;
    let Compiled {
        circuit,
        key_choices,
        ..
    } = compiled(&graph, &[], Some(budget));
    let chosen = key_choices
        .iter()
        .find(|choice| choice.budget == Some(budget));
    assert!(chosen.unwrap().bytes <= budget);
    let rings: Vec<RingId> = circuit.keys.levels.keys().map(|key| key.to).collect();
    assert!(rings.contains(&RingId(0)) && rings.contains(&RingId(1)));
    let bridges = circuit
        .keys
        .levels
        .keys()
        .filter(|key| key.kind == KeyKind::RingSwitch);
    assert_eq!(bridges.count(), 1);
}
