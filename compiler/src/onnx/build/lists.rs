//! Constants that are lists of integers: shapes, axes, indices.

use crate::onnx::format::Constant;
use crate::onnx::problems::Problem;

/// The longest list of integers that describes a shape, its axes or its indices.
const MAX_LIST: u64 = 1 << 20;

impl Constant {
    /// All elements as a list of integers: a tensor of at most one axis.
    pub(in crate::onnx) fn list_of_integers(
        &self,
        role: &'static str,
    ) -> Result<Vec<i64>, Problem> {
        if self.dims.len() > 1 {
            return Err(Problem::Operand {
                role,
                found: format!("of shape {:?}", self.dims),
                expected: "a list, with one axis",
            });
        }
        self.integers(role)
    }

    /// All elements as integers.
    pub(in crate::onnx) fn integers(&self, role: &'static str) -> Result<Vec<i64>, Problem> {
        if self.len() > MAX_LIST {
            return Err(Problem::Operand {
                role,
                found: format!("{} numbers", self.len()),
                expected: "a short list",
            });
        }
        self.values()
            .map(|x| {
                if x.fract() == 0.0 {
                    Ok(x as i64)
                } else {
                    Err(Problem::Operand {
                        role,
                        found: x.to_string(),
                        expected: "an integer",
                    })
                }
            })
            .collect()
    }
}
