//! Random circuits survive every form they are written in.

use peregrine_ir::linear::LinearKind;
use peregrine_ir::testing::{choices, circuit};
use peregrine_ir::{
    FillError, Filler, FinishStep, Interface, Operator, binary, fingerprint, text, verify,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn generated_circuits_verify(choices in choices(30)) {
        let circuit = circuit(&choices);
        prop_assert!(circuit.is_ok(), "{}", circuit.unwrap_err());
    }

    #[test]
    fn text_is_exact(choices in choices(20)) {
        let circuit = circuit(&choices).unwrap();
        let printed = text::print(&circuit);
        let parsed = text::parse(&printed);
        prop_assert!(parsed.is_ok(), "{}\n{printed}", parsed.unwrap_err());
        let parsed = parsed.unwrap();
        prop_assert_eq!(&parsed, &*circuit, "{}", printed);
        prop_assert_eq!(text::print(&parsed), printed);
        prop_assert!(verify(parsed).is_ok());
    }

    #[test]
    fn binary_is_exact_and_deterministic(choices in choices(20)) {
        let circuit = circuit(&choices).unwrap();
        let file = binary::write_circuit(&circuit);
        let read = binary::read_circuit(&file);
        prop_assert!(read.is_ok(), "{}", read.unwrap_err());
        let read = read.unwrap();
        prop_assert_eq!(&read, &circuit);
        let mut streamed = std::io::Cursor::new(Vec::new());
        binary::write_circuit_to(&read, &mut streamed).unwrap();
        prop_assert_eq!(streamed.into_inner(), file);
        prop_assert_eq!(fingerprint(&read), fingerprint(&circuit));
    }

    #[test]
    fn interfaces_are_exact(choices in choices(10)) {
        let circuit = circuit(&choices).unwrap();
        let interface = Interface::of(&circuit);
        prop_assert_eq!(interface.fingerprint(), fingerprint(&circuit));
        let file = binary::write_interface(&interface);
        let read = binary::read_interface(&file);
        prop_assert!(read.is_ok(), "{}", read.unwrap_err());
        prop_assert_eq!(read.unwrap(), interface);
        let seen = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
        // Short texts may stand in the file by chance or in a name.
        let remarks = circuit.remarks.iter().filter(|remark| remark.text.len() > 10);
        prop_assert!(!remarks.into_iter().any(|remark| seen(&remark.text)));
    }

    #[test]
    fn every_constant_of_a_verified_circuit_fills(choices in choices(5)) {
        let circuit = circuit(&choices).unwrap();
        let filler = Filler::new(&circuit).unwrap();
        for constant in circuit.constants.keys() {
            let is_number = circuit.constants.get(constant).unwrap().is_uniform();
            match filler.fill(constant) {
                Ok(slots) => {
                    prop_assert!(!is_number && filler.is_uniform(constant).is_err());
                    let recipe = circuit.constants.get(constant).unwrap();
                    prop_assert_eq!(Some(slots.len() as u32), circuit.slots_of(recipe));
                    prop_assert_eq!(filler.scalar(constant), Err(FillError::Slots { constant }));
                }
                Err(error) => {
                    prop_assert!(is_number && filler.is_uniform(constant).is_ok());
                    prop_assert_eq!(error, FillError::OneNumber { constant });
                    prop_assert!(filler.scalar(constant).unwrap().is_finite());
                }
            }
        }
    }
}

/// The generator is worth something only if it reaches every operation and every kind of operator.
#[test]
fn everything_occurs() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut words = std::collections::BTreeMap::<String, usize>::new();
    for _ in 0..1000 {
        let choices = choices(40).new_tree(&mut runner).unwrap().current();
        let circuit = circuit(&choices).unwrap();
        for definition in circuit.values.values() {
            *words.entry(definition.inst.keyword().into()).or_default() += 1;
            let complex = matches!(
                definition.inst,
                peregrine_ir::Inst::Encode {
                    imaginary: Some(_),
                    ..
                }
            );
            *words.entry("encode complex slots".into()).or_default() += usize::from(complex);
        }
        for operator in circuit.operators.values() {
            let kind = match operator {
                Operator::Linear { map, .. } => map.keyword(),
                Operator::Broadcast { .. } => "broadcast",
            };
            *words.entry(format!("operator {kind}")).or_default() += 1;
        }
        let prepared = circuit
            .inputs
            .iter()
            .filter_map(|port| port.prepare.as_ref());
        *words.entry("prepare".into()).or_default() += prepared.count();
        for step in circuit.outputs.iter().flat_map(|port| &port.finish.0) {
            if matches!(step, FinishStep::Elementwise(_)) {
                *words.entry("step of one element".into()).or_default() += 1;
                continue;
            }
            let step = step.to_string();
            let function = step.split(' ').next().unwrap_or_default();
            *words.entry(format!("step {function}")).or_default() += 1;
        }
    }
    for keyword in LinearKind::KEYWORDS {
        let operator = format!("operator {keyword}");
        assert!(words.contains_key(&operator), "no {operator}");
    }
    assert_eq!(words.len(), 28 + 1 + 6 + 12 + 1, "{words:#?}");
    assert!(words.values().all(|&count| count >= 20), "{words:#?}");
}
