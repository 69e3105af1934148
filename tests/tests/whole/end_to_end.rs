//! Real networks from file to decrypted answer, at 128-bit security.

use ndarray::{ArrayD, Axis};
use peregrine_compiler::pipeline::{Config, compile};
use peregrine_ir::{Security, binary, text};
use peregrine_tests::flow::{self, Encrypted, arg_max, compile_file, error_bits};
use peregrine_tests::shared::shared;
use std::path::{Path, PathBuf};

fn digits(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/digits")
        .join(file)
}

fn images(array: &ArrayD<f32>) -> Vec<Vec<f64>> {
    array
        .axis_iter(Axis(0))
        .map(|image| image.iter().map(|&x| f64::from(x)).collect())
        .collect()
}

#[test]
fn digits_on_ciphertexts_at_128_bits_within_2_to_the_minus_10() {
    let (graph, compiled) = compile_file(&digits("digits.onnx")).unwrap();
    assert_eq!(compiled.circuit.security, Security::Classical128);
    let encrypted = Encrypted::new(&compiled.circuit).unwrap();
    let array: ArrayD<f32> = ndarray_npy::read_npy(digits("images.npy")).unwrap();
    for image in images(&array).into_iter().take(5) {
        let inputs = flow::inputs(&graph, &[image]).unwrap();
        let want = flow::reference(&graph, &inputs).unwrap();
        let got = encrypted.run(&inputs).unwrap();
        let bits = error_bits(&got, &want);
        assert!(bits <= -10.0, "error 2^{bits:.1}");
        assert_eq!(arg_max(got["logits"].data()), arg_max(&want["logits"]));
    }
}

#[test]
fn digits_in_the_simulator_predict_every_label_but_few() {
    let (graph, compiled) = compile_file(&digits("digits.onnx")).unwrap();
    let array: ArrayD<f32> = ndarray_npy::read_npy(digits("images.npy")).unwrap();
    let labels: ArrayD<u8> = ndarray_npy::read_npy(digits("labels.npy")).unwrap();
    let mut right = 0;
    for (image, &label) in images(&array).into_iter().zip(&labels) {
        let inputs = flow::inputs(&graph, &[image]).unwrap();
        let want = flow::reference(&graph, &inputs).unwrap();
        let exact = flow::simulated(&compiled.circuit, &inputs, None).unwrap();
        let noisy = flow::simulated(&compiled.circuit, &inputs, Some(1)).unwrap();
        assert!(error_bits(&exact, &want) <= -40.0);
        assert!(error_bits(&noisy, &want) <= -10.0);
        right += usize::from(arg_max(noisy["logits"].data()) == Some(usize::from(label)));
    }
    assert!(right >= 48, "{right} of 50 digits");
}

#[test]
fn a_real_fine_tuned_network_and_its_custom_operators() {
    let test = "a_real_fine_tuned_network_and_its_custom_operators";
    let Some(folder) = shared(test, "models") else {
        return;
    };
    let mut npz = ndarray_npy::NpzReader::new(
        std::fs::File::open(folder.join("lattiai_mnist_d2_ref.npz")).unwrap(),
    )
    .unwrap();
    let x: ArrayD<f32> = npz.by_name("x").unwrap();
    let logits: ArrayD<f32> = npz.by_name("logits").unwrap();
    for model in ["lattiai_mnist_d2.onnx", "lattiai_mnist_d2_customop.onnx"] {
        let (graph, compiled) = compile_file(&folder.join(model)).unwrap();
        let encrypted = Encrypted::new(&compiled.circuit).unwrap();
        let name = graph.outputs[0].name.clone();
        for (i, (image, want)) in images(&x).into_iter().zip(images(&logits)).enumerate() {
            let want = [(name.clone(), want)].into();
            let inputs = flow::inputs(&graph, &[image]).unwrap();
            let simulated = error_bits(
                &flow::simulated(&compiled.circuit, &inputs, None).unwrap(),
                &want,
            );
            assert!(
                simulated <= -15.0,
                "{model}, image {i}: simulated error 2^{simulated:.1}"
            );
            if i < 2 {
                let bits = error_bits(&encrypted.run(&inputs).unwrap(), &want);
                assert!(bits <= -10.0, "{model}, image {i}: error 2^{bits:.1}");
            }
        }
    }
}

#[test]
fn larger_networks_compile_and_simulate() {
    let Some(folder) = shared("larger_networks_compile_and_simulate", "models") else {
        return;
    };
    let input: ArrayD<f32> =
        ndarray_npy::read_npy(folder.join("ref/mnist_100_input_f32.npy")).unwrap();
    let logits: ArrayD<f32> =
        ndarray_npy::read_npy(folder.join("ref/mnist_lenet_sq_100_ort_logits_f32.npy")).unwrap();
    for model in ["mnist_lenet_sq.onnx", "mnist_lenet_sq_folded.onnx"] {
        let (graph, compiled) = compile_file(&folder.join(model)).unwrap();
        let name = graph.outputs[0].name.clone();
        for (image, want) in images(&input).into_iter().zip(images(&logits)).take(3) {
            let inputs = flow::inputs(&graph, &[image]).unwrap();
            let want = [(name.clone(), want)].into();
            let bits = error_bits(
                &flow::simulated(&compiled.circuit, &inputs, None).unwrap(),
                &want,
            );
            assert!(bits <= -13.0, "{model}: error 2^{bits:.1}");
        }
    }
}

#[test]
fn two_compilations_give_identical_files_and_texts() {
    let compile_once = || compile_file(&digits("digits.onnx")).unwrap().1.circuit;
    let (a, b) = (compile_once(), compile_once());
    assert_eq!(binary::write_circuit(&a), binary::write_circuit(&b));
    let printed = text::print(&a);
    assert_eq!(text::parse(&printed).unwrap(), *a);
    let read = binary::read_circuit(&binary::write_circuit(&a)).unwrap();
    assert_eq!(*read, *a);
}

#[test]
fn a_network_too_deep_for_every_ring_is_refused_with_figures() {
    let graph = flow::load(&digits("digits.onnx")).unwrap();
    let mut config = Config::new("shallow");
    config.log_n = 11..=12;
    let error = compile(&graph, &config).unwrap_err().to_string();
    assert!(
        error.contains("2 products and 3 sums")
            && error.contains("109")
            && error.contains("63 bits are missing"),
        "{error}"
    );
}
