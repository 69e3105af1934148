//! What ports expect: in text, in files, and what the verifier refuses.

use peregrine_ir::{Circuit, Expectation, InputRange, Interface, Origin, binary, text, verify};

const GOOD: &str = "\
circuit %expecting security=none {
    r0 = ring log_n=4
    D = scale 2^30
    q0 = prime 0x1fffffffff61
    level 0 = [q0]
    digit 0 = [q0]
    n0 = node \"double\" Add
    l0 = layout gip shape=[8, 1, 1] phases=[1, 1] gaps=[1, 1] pitch=1 plane=1 replicas=1 skew=0
entry \"x\" [1, 8] l0 (v0: ct<0, D>) range [-0.5, 1.0] calibrated
@n0 v1 = add v0, v0 : ct<0, D>
    return \"y\" [1, 8] l0 (v1) imaginary 3.5 expect magnitude=2.0 noise=1e-6 stated
}
";

fn range(low: f64, high: f64) -> Option<InputRange> {
    let origin = Origin::Calibrated;
    Some(InputRange { low, high, origin })
}

fn expectation(magnitude: f64, noise: f64) -> Option<Expectation> {
    let origin = Origin::Calibrated;
    Some(Expectation {
        magnitude,
        noise,
        origin,
    })
}

#[test]
fn text_and_files_keep_them() {
    let circuit = verify(text::parse(GOOD).unwrap()).unwrap();
    assert_eq!(circuit.inputs[0].range, range(-0.5, 1.0));
    let file = binary::write_circuit(&circuit);
    let read = binary::read_circuit(&file).unwrap();
    assert_eq!(read, circuit);
    assert_eq!(text::parse(&text::print(&read)).unwrap(), *circuit);
    let interface = Interface::of(&circuit);
    let read = binary::read_interface(&binary::write_interface(&interface)).unwrap();
    assert_eq!(read, interface);
    assert_eq!(read.inputs()[0].range, circuit.inputs[0].range);
    assert_eq!(
        read.outputs()[0].expectation,
        circuit.outputs[0].expectation
    );
    assert_eq!(read.outputs()[0].imaginary, Some(3.5));
}

#[test]
fn they_are_part_of_the_fingerprint_and_replaced_by_name() {
    let circuit = verify(text::parse(GOOD).unwrap()).unwrap();
    let before = Interface::of(&circuit).fingerprint();
    let ranges = [("x".to_owned(), range(0.0, 2.0).unwrap())].into();
    let other = circuit.clone().expecting(&ranges, &[].into()).unwrap();
    assert_eq!(other.inputs[0].range, range(0.0, 2.0));
    assert_eq!(other.outputs[0].expectation, circuit.outputs[0].expectation);
    assert_ne!(Interface::of(&other).fingerprint(), before);
    let bad = [("x".to_owned(), range(2.0, 0.0).unwrap())].into();
    assert!(circuit.expecting(&bad, &[].into()).is_err());
}

#[test]
fn what_means_nothing_is_refused() {
    type Spoil = fn(&mut Circuit);
    let cases: [(Spoil, &str); 8] = [
        (
            |c| c.inputs[0].imaginary = Some(1.0),
            "input 0 `x`: a limit of imaginary parts is for outputs",
        ),
        (
            |c| c.outputs[0].imaginary = Some(-1.0),
            "output 0 `y`: imaginary parts cannot stay below -1",
        ),
        (
            |c| c.inputs[0].range = range(1.0, 1.0),
            "input 0 `x`: a range from 1.0 to 1.0: the ends must be finite, the first below the second",
        ),
        (
            |c| c.inputs[0].range = range(f64::NAN, 1.0),
            "input 0 `x`: a range from NaN to 1.0",
        ),
        (
            |c| c.outputs[0].range = range(0.0, 1.0),
            "output 0 `y`: a range is for inputs",
        ),
        (
            |c| c.inputs[0].expectation = expectation(1.0, 1.0),
            "input 0 `x`: an expectation is for outputs",
        ),
        (
            |c| c.outputs[0].expectation = expectation(1.0, 0.0),
            "output 0 `y`: values up to 1.0 with noise 0.0: both must be finite and not negative, the noise not zero",
        ),
        (
            |c| c.outputs[0].expectation = expectation(f64::INFINITY, 1.0),
            "output 0 `y`: values up to inf with noise 1.0",
        ),
    ];
    for (change, expected) in cases {
        let mut circuit = text::parse(GOOD).unwrap();
        change(&mut circuit);
        let errors = verify(circuit).unwrap_err().to_string();
        assert!(errors.contains(expected), "{expected} not in\n{errors}");
    }
}
