//! BatchNormalization, and the polynomial activations of the `nn_tools` domain.
#![deny(clippy::indexing_slicing)]

use super::row::Operator;
use crate::onnx::build::{Builder, Call, Value, floating};
use crate::onnx::format::Constant;
use crate::onnx::problems::Problem;
use crate::onnx::schema::NN_TOOLS;

/// What is registered of this family.
pub(super) fn operators() -> Vec<Operator> {
    vec![
        Operator::encrypted("BatchNormalization", batch_normalization).by_library(),
        Operator::encrypted("RangeNormPoly1d", range_norm_poly).in_domain(NN_TOOLS),
        Operator::encrypted("RangeNormPoly2d", range_norm_poly).in_domain(NN_TOOLS),
        Operator::encrypted("Simple_Polyrelu", simple_polyrelu).in_domain(NN_TOOLS),
    ]
}

/// BatchNormalization for inference: `scale * (x - mean) / sqrt(var + epsilon) + bias`, a polynomial of degree 1.
pub(in crate::onnx) fn batch_normalization(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    refuse_training(call)?;
    if !call.flag("spatial", true)? {
        return Err(Problem::Attribute {
            name: "spatial",
            found: "0".to_owned(),
            supported: "1",
        });
    }
    let x = call.encrypted(0, "the image")?;
    let dims = b.dims(x);
    let Some(&channels) = dims.get(1) else {
        return Err(Problem::Mismatch {
            what: "the image's rank",
            found: dims.len().to_string(),
            expected: "at least 2".to_owned(),
        });
    };
    let statistic = |i: usize, role: &'static str| per_channel(call, i, role, channels);
    let (scale, bias) = (statistic(1, "the scale")?, statistic(2, "the bias")?);
    let (mean, var) = (statistic(3, "the mean")?, statistic(4, "the variance")?);
    let epsilon = call.float_or("epsilon", 1e-5)?;
    check_variance(var, epsilon)?;
    let slope = |c: usize| scale.at(c) / (var.at(c) + epsilon).sqrt();
    let mut shape = vec![channels];
    shape.extend(dims.iter().skip(2).map(|_| 1));
    let all = || 0..channels as usize;
    let constant = b.tensor(&bias.name, &shape, || {
        all().map(|c| bias.at(c) - mean.at(c) * slope(c)).collect()
    })?;
    let linear = b.tensor(&scale.name, &shape, || all().map(slope).collect())?;
    Ok(Value::Encrypted(b.polynomial(x, vec![constant, linear])?))
}

/// Refuses training mode, in which the statistics are those of the batch: before opset 7 an attribute says so, before
/// opset 14 the presence of more than one result, then another attribute.
fn refuse_training(call: &Call) -> Result<(), Problem> {
    let mode = |name| Problem::Attribute {
        name,
        found: "set for training".to_owned(),
        supported: "inference",
    };
    let results = call.node.output.iter().filter(|o| !o.is_empty()).count();
    match call.opset {
        ..7 if !call.flag("is_test", false)? => Err(mode("is_test")),
        14.. if call.flag("training_mode", false)? => Err(mode("training_mode")),
        7..14 if results > 1 => Err(Problem::TrainingResults { results }),
        _ => Ok(()),
    }
}

/// Refuses variances without a square root, and those that no deviation is left of.
fn check_variance(var: &Constant, epsilon: f64) -> Result<(), Problem> {
    let fits = |v: f64| v + epsilon > 0.0;
    match var.values().enumerate().find(|(_, v)| !fits(*v)) {
        None => Ok(()),
        Some((index, found)) => Err(Problem::Element {
            name: var.name.to_string(),
            index,
            found,
            expected: "a variance, which is not negative",
        }),
    }
}

fn per_channel<'a>(
    call: &'a Call,
    i: usize,
    role: &'static str,
    channels: u32,
) -> Result<&'a Constant, Problem> {
    let constant = call.constant(i, role)?;
    floating(constant)?;
    if constant.dims != [channels] {
        return Err(Problem::Mismatch {
            what: role,
            found: format!("{:?}", constant.dims),
            expected: format!("[{channels}], one number per channel"),
        });
    }
    Ok(constant)
}

/// Expansion of an activation in Hermite polynomials, `a0 + a1 x + a2 He2 + a4 He4`, as coefficients of powers of `x`.
///
/// `He2 = x^2 - 1`, `He4 = x^4 - 6 x^2 + 3`.
fn hermite(call: &Call) -> Result<Vec<f64>, Problem> {
    let activation = call.string_or("activation", "relu")?;
    let [a0, a1, h2, h4] = match activation.as_str() {
        "relu" => [0.39894228, 0.5, 0.28209479, -0.08143375],
        "silu" => [0.20662096, 0.5, 0.24808519, -0.03780501],
        _ => {
            return Err(Problem::Attribute {
                name: "activation",
                found: activation,
                supported: "relu, silu",
            });
        }
    };
    let (a2, a4) = (h2 / 2f64.sqrt(), h4 / 24f64.sqrt());
    match call.int_or("degree", 4)? {
        2 => Ok(vec![a0 - a2, a1, a2]),
        4 => Ok(vec![a0 - a2 + 3.0 * a4, a1, a2 - 6.0 * a4, 0.0, a4]),
        degree => Err(Problem::Attribute {
            name: "degree",
            found: degree.to_string(),
            supported: "2, 4",
        }),
    }
}

/// `nn_tools::RangeNormPoly2d` (and `1d`): `s * P(x / s)` with `s = running_max / upper_bound + eps` per channel.
pub(in crate::onnx) fn range_norm_poly(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.encrypted(0, "the image")?;
    let maximum = call.constant(1, "the running maximum")?;
    floating(maximum)?;
    let dims = b.dims(x);
    let mut shape = maximum.dims.clone();
    if let ([c], [_, channels, spatial @ ..]) = (shape.as_slice(), dims.as_slice())
        && c == channels
    {
        shape.extend(spatial.iter().map(|_| 1));
    }
    let upper = call.float_or("upper_bound", 3.0)?;
    let epsilon = call.float_or("eps", 1e-3)?;
    let mut coefficients = Vec::new();
    for (power, p) in (0..).zip(hermite(call)?) {
        coefficients.push(b.tensor(&maximum.name, &shape, || {
            let factor = |m: f64| p * (m / upper + epsilon).powi(1 - power);
            maximum.values().map(factor).collect()
        })?);
    }
    Ok(Value::Encrypted(b.polynomial(x, coefficients)?))
}

/// `nn_tools::Simple_Polyrelu`: `scale_after * P(scale_before * x)`.
pub(in crate::onnx) fn simple_polyrelu(b: &mut Builder, call: &Call) -> Result<Value, Problem> {
    let x = call.encrypted(0, "the image")?;
    let before = call.float_or("scale_before", 1.0)?;
    let after = call.float_or("scale_after", 1.0)?;
    let mut coefficients = Vec::new();
    for (power, p) in (0..).zip(hermite(call)?) {
        coefficients.push(b.scalar(after * p * before.powi(power))?);
    }
    Ok(Value::Encrypted(b.polynomial(x, coefficients)?))
}
