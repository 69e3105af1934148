//! Weights of any magnitude, and shapes without elements: computed, or refused by name, but never an internal error.

use super::oracle::{Chain, int};
use peregrine_compiler::onnx::{self, NoExternalData, Options};
use peregrine_compiler::pipeline::{self, Config};
use peregrine_ir::Security;

/// Compiles for a small ring; what is wrong otherwise.
fn compile(chain: Chain) -> Result<(), String> {
    let bytes = chain.bytes();
    let imported = onnx::import(&bytes, &NoExternalData, &Options::new("m"));
    let graph = imported.map_err(|errors| errors.to_string())?;
    let mut config = Config::new("m");
    config.security = Security::None;
    config.log_n = 11..=12;
    let compiled = pipeline::compile(&graph, &config);
    compiled.map(|_| ()).map_err(|error| error.to_string())
}

/// Small models of every way that a weight comes in.
fn models() -> Vec<Chain> {
    let image = || Chain::new(&[1, 1, 4, 4]);
    let mut convolution = image();
    let weights = [convolution.weight(&[2, 1, 3, 3]), convolution.weight(&[2])];
    convolution.node("Conv", &weights, vec![]);
    let mut product = image();
    let factor = product.weight(&[1]);
    product.node("Mul", &[factor], vec![]);
    let mut sum = image();
    let term = sum.weight(&[4]);
    sum.node("Add", &[term], vec![]);
    let mut quotient = image();
    let divisor = quotient.weight(&[4]);
    quotient.node("Div", &[divisor], vec![]);
    let mut matrix = image();
    let weights = [matrix.weight(&[16, 3]), matrix.weight(&[3])];
    matrix.node("Flatten", &[], vec![int("axis", 1)]);
    matrix.node("Gemm", &weights, vec![]);
    let mut normalisation = image();
    let statistics: Vec<String> = (0..4).map(|_| normalisation.weight(&[1])).collect();
    normalisation.node("BatchNormalization", &statistics, vec![]);
    let mut deep = image();
    for _ in 0..2 {
        let weight = deep.weight(&[1, 1, 2, 2]);
        deep.node("Conv", &[weight], vec![]);
        let last = deep.last.clone();
        deep.node("Mul", &[last], vec![]);
    }
    let mut factors = image();
    for _ in 0..3 {
        let factor = factors.weight(&[4]);
        factors.node("Mul", &[factor], vec![]);
    }
    vec![
        convolution,
        product,
        sum,
        quotient,
        matrix,
        normalisation,
        deep,
        factors,
    ]
}

#[test]
fn no_magnitude_of_a_weight_is_an_internal_error() {
    let values = [
        f32::NAN,
        f32::INFINITY,
        f32::MAX,
        -1e30,
        1.3e11,
        1e6,
        0.0,
        1e-20,
        f32::from_bits(1),
    ];
    let mut refused = 0;
    for model in 0..models().len() {
        for weight in 0..models()[model].graph.initializer.len() {
            for value in values {
                let mut chain = models().swap_remove(model);
                let tensor = &mut chain.graph.initializer[weight];
                *tensor.float_data.last_mut().unwrap() = value;
                let name = tensor.name.clone();
                let Err(text) = compile(chain) else { continue };
                assert!(!text.contains("internal"), "{name} = {value}: {text}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "only {refused} are refused");
}

#[test]
fn a_weight_that_no_modulus_holds_is_named_with_its_magnitude() {
    let mut chain = models().swap_remove(0);
    chain.graph.initializer[0].float_data[5] = -1.3e11;
    let text = compile(chain).unwrap_err();
    assert!(text.contains("tensor `w0` holds 1.3"), "{text}");
    assert!(
        text.contains("the parameters hold constants up to"),
        "{text}"
    );
}

#[test]
fn an_input_without_elements_is_refused_by_name() {
    let mut chain = Chain::new(&[1, 0, 4]);
    chain.node("Neg", &[], vec![]);
    let text = compile(chain).unwrap_err();
    assert!(
        text.contains("input `x` is a tensor without elements"),
        "{text}"
    );
}

#[test]
fn scalars_compile() {
    let mut chain = Chain::new(&[]);
    chain.node("Neg", &[], vec![]);
    assert_eq!(compile(chain), Ok(()));
}
