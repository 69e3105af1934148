//! Element-wise functions: what the client applies to every element, and what constants are folded with.
//!
//! Each has a keyword and up to two named parameters, so that text and binary form need no rule per function. Numbers are
//! computed in f64, with branches that do not overflow.

use std::fmt;

/// A function of one real number, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct ElementFunction {
    /// The function.
    pub kind: FunctionKind,
    /// Its parameters, in the order of [`FunctionKind::parameters`]; 0 beyond.
    pub parameters: [f64; 2],
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $keyword:literal [$($parameter:literal),*];)*) => {
        /// The element-wise functions. `x` is the element; other names are parameters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FunctionKind {
            $($(#[$doc])* $kind,)*
        }

        impl FunctionKind {
            /// All functions; the position of a function is its number in the binary form.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The word of the text form for this function.
            pub fn keyword(self) -> &'static str {
                match self {
                    $(Self::$kind => $keyword,)*
                }
            }

            /// The names of the function's parameters.
            pub fn parameters(self) -> &'static [&'static str] {
                match self {
                    $(Self::$kind => &[$($parameter),*],)*
                }
            }
        }
    };
}

// New functions go to the end: files hold positions.
kinds! {
    /// `factor x + offset`.
    Affine "scaled" ["factor", "offset"];
    /// `max(x, 0)`.
    Relu "relu" [];
    /// `x`; below 0 `alpha x`.
    LeakyRelu "leaky_relu" ["alpha"];
    /// `min(max(x, min), max)`.
    Clip "clip" ["min", "max"];
    /// `x`; below 0 `alpha (exp(x) - 1)`.
    Elu "elu" ["alpha"];
    /// `gamma x`; below 0 `gamma alpha (exp(x) - 1)`.
    Selu "selu" ["alpha", "gamma"];
    /// `x`; below 0 `alpha (exp(x / alpha) - 1)`.
    Celu "celu" ["alpha"];
    /// `x` above `alpha`, else 0.
    ThresholdedRelu "thresholded_relu" ["alpha"];
    /// `min(max(alpha x + beta, 0), 1)`.
    HardSigmoid "hard_sigmoid" ["alpha", "beta"];
    /// `x` times [`Self::HardSigmoid`] of `x` with `alpha` 1/6 and `beta` 1/2.
    HardSwish "hard_swish" [];
    /// `x` times the sigmoid of `alpha x`.
    Swish "swish" ["alpha"];
    /// `x tanh(log(1 + exp(x)))`.
    Mish "mish" [];
    /// `x/2 (1 + erf(x / sqrt 2))`.
    Gelu "gelu" [];
    /// `x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
    GeluTanh "gelu_tanh" [];
    /// `log(1 + exp(x))`.
    Softplus "softplus" [];
    /// `x / (1 + |x|)`.
    Softsign "softsign" [];
    /// `x + bias` below `-lambda`, `x - bias` above `lambda`, else 0.
    Shrink "shrink" ["bias", "lambda"];
    /// The error function.
    Erf "erf" [];
    /// The absolute value.
    Abs "abs" [];
    /// The sign: -1, 0 or 1.
    Sign "sign" [];
    /// The largest integer not above x.
    Floor "floor" [];
    /// The smallest integer not below x.
    Ceil "ceil" [];
    /// The nearest integer; of two nearest integers the even one.
    Round "round" [];
    /// `e^x`.
    Exp "exp" [];
    /// The natural logarithm.
    Log "log" [];
    /// The square root.
    Sqrt "sqrt" [];
    /// `1 / x`.
    Reciprocal "reciprocal" [];
    /// The sine.
    Sin "sin" [];
    /// The cosine.
    Cos "cos" [];
    /// The tangent.
    Tan "tan" [];
    /// The inverse sine.
    Asin "asin" [];
    /// The inverse cosine.
    Acos "acos" [];
    /// The inverse tangent.
    Atan "atan" [];
    /// The hyperbolic sine.
    Sinh "sinh" [];
    /// The hyperbolic cosine.
    Cosh "cosh" [];
    /// The inverse hyperbolic sine.
    Asinh "asinh" [];
    /// The inverse hyperbolic cosine.
    Acosh "acosh" [];
    /// The inverse hyperbolic tangent.
    Atanh "atanh" [];
    /// `x^exponent`.
    Power "power" ["exponent"];
}

impl FunctionKind {
    /// The function with this keyword in the text form.
    pub fn from_keyword(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.keyword() == word)
    }

    /// The function with all parameters 0, for functions without parameters.
    pub fn plain(self) -> ElementFunction {
        ElementFunction {
            kind: self,
            parameters: [0.0; 2],
        }
    }
}

impl ElementFunction {
    /// The value of the function at `x`.
    pub fn apply(&self, x: f64) -> f64 {
        use FunctionKind as F;
        let [a, b] = self.parameters;
        match self.kind {
            F::Affine => a.mul_add(x, b),
            F::Abs => x.abs(),
            F::Sign if x == 0.0 => x,
            F::Sign => x.signum(),
            F::Floor => x.floor(),
            F::Ceil => x.ceil(),
            F::Round => x.round_ties_even(),
            F::Reciprocal => x.recip(),
            F::Power => x.powf(a),
            F::Relu
            | F::LeakyRelu
            | F::Clip
            | F::ThresholdedRelu
            | F::HardSigmoid
            | F::HardSwish
            | F::Shrink => self.piecewise(x),
            F::Elu
            | F::Selu
            | F::Celu
            | F::Swish
            | F::Mish
            | F::Gelu
            | F::GeluTanh
            | F::Softplus
            | F::Softsign => self.activation(x),
            F::Erf
            | F::Exp
            | F::Log
            | F::Sqrt
            | F::Sin
            | F::Cos
            | F::Tan
            | F::Asin
            | F::Acos
            | F::Atan
            | F::Sinh
            | F::Cosh
            | F::Asinh
            | F::Acosh
            | F::Atanh => self.transcendental(x),
        }
    }

    /// The value of the functions that are linear piece by piece.
    fn piecewise(&self, x: f64) -> f64 {
        use FunctionKind as F;
        let [a, b] = self.parameters;
        match self.kind {
            F::LeakyRelu if x < 0.0 => a * x,
            F::LeakyRelu => x,
            // As ONNX has it: where the bounds cross, the upper one counts. NaN stays.
            F::Clip if x < a => a.min(b),
            F::Clip if x > b => b,
            F::Clip => x,
            F::ThresholdedRelu if x > a => x,
            F::ThresholdedRelu => 0.0,
            F::HardSigmoid => (a * x + b).clamp(0.0, 1.0),
            F::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            F::Shrink if x < -b => x + a,
            F::Shrink if x > b => x - a,
            F::Shrink => 0.0,
            _ if x < 0.0 => 0.0,
            _ => x,
        }
    }

    fn activation(&self, x: f64) -> f64 {
        use FunctionKind as F;
        let [a, b] = self.parameters;
        match self.kind {
            F::Elu if x < 0.0 => a * x.exp_m1(),
            F::Elu => x,
            F::Selu if x <= 0.0 => b * a * x.exp_m1(),
            F::Selu => b * x,
            F::Celu if x < 0.0 => a * (x / a).exp_m1(),
            F::Celu => x,
            F::Swish => x * sigmoid(a * x),
            F::Mish => x * softplus(x).tanh(),
            F::Gelu => 0.5 * x * (1.0 + libm::erf(x / std::f64::consts::SQRT_2)),
            F::GeluTanh => {
                let inner = std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044715 * x * x * x);
                0.5 * x * (1.0 + inner.tanh())
            }
            F::Softsign => x / (1.0 + x.abs()),
            _ => softplus(x),
        }
    }

    fn transcendental(&self, x: f64) -> f64 {
        use FunctionKind as F;
        match self.kind {
            F::Erf => libm::erf(x),
            F::Exp => x.exp(),
            F::Log => x.ln(),
            F::Sqrt => x.sqrt(),
            F::Sin => x.sin(),
            F::Cos => x.cos(),
            F::Tan => x.tan(),
            F::Asin => x.asin(),
            F::Acos => x.acos(),
            F::Atan => x.atan(),
            F::Sinh => x.sinh(),
            F::Cosh => x.cosh(),
            F::Asinh => x.asinh(),
            F::Acosh => x.acosh(),
            _ => x.atanh(),
        }
    }
}

/// The sigmoid of `x`; neither branch overflows.
pub(super) fn sigmoid(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        x.exp() / (1.0 + x.exp())
    }
}

/// The softplus of `x`; the exponential is taken of a number that is not positive.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Prints the function as the text form has it: `clip min=0 max=6`.
impl fmt::Display for ElementFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.keyword())?;
        for (name, value) in self.kind.parameters().iter().zip(self.parameters) {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(kind: FunctionKind, parameters: [f64; 2], x: f64) -> f64 {
        ElementFunction { kind, parameters }.apply(x)
    }

    #[test]
    fn keywords_differ() {
        for &kind in FunctionKind::ALL {
            assert_eq!(FunctionKind::from_keyword(kind.keyword()), Some(kind));
            assert!(kind.parameters().len() <= 2);
        }
    }

    #[test]
    fn pieces_meet_where_they_should() {
        use FunctionKind as F;
        assert_eq!(at(F::Clip, [0.0, 6.0], 7.0), 6.0);
        assert_eq!(at(F::Clip, [3.0, 1.0], 2.0), 1.0);
        assert_eq!(at(F::Clip, [f64::NEG_INFINITY, 1.0], -2.0), -2.0);
        assert_eq!(at(F::LeakyRelu, [0.1, 0.0], -2.0), -0.2);
        assert_eq!(at(F::HardSigmoid, [0.2, 0.5], 10.0), 1.0);
        assert_eq!(at(F::HardSwish, [0.0; 2], -4.0), 0.0);
        assert_eq!(at(F::Shrink, [0.5, 1.0], -3.0), -2.5);
        assert_eq!(at(F::Round, [0.0; 2], 2.5), 2.0);
        assert_eq!(at(F::Sign, [0.0; 2], 0.0), 0.0);
        assert_eq!(at(F::ThresholdedRelu, [1.0, 0.0], 1.0), 0.0);
        assert_eq!(at(F::Affine, [2.0, -0.5], 3.0), 5.5);
    }

    #[test]
    fn exponentials_do_not_overflow() {
        use FunctionKind as F;
        assert_eq!(at(F::Softplus, [0.0; 2], 1000.0), 1000.0);
        assert_eq!(at(F::Mish, [0.0; 2], 1000.0), 1000.0);
        assert_eq!(at(F::Swish, [1.0, 0.0], -1000.0), 0.0);
        assert_eq!(at(F::Elu, [2.0, 0.0], -1000.0), -2.0);
        assert!((at(F::Gelu, [0.0; 2], 1.0) - 0.8413447460685429).abs() < 1e-15);
        assert!((at(F::GeluTanh, [0.0; 2], 1.0) - 0.8411919906082768).abs() < 1e-15);
        assert!((at(F::Erf, [0.0; 2], 0.5) - 0.5204998778130465).abs() < 1e-15);
    }
}
