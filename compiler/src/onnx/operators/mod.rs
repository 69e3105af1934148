//! Every operator that is understood: one module per family, which registers its operators in the one `table`.
//!
//! A row says how an operator is lowered where an operand is encrypted, how it is evaluated where all are constants, and what the
//! client does with it at the beginning and the end of a model. To add an operator: write its lowering in the module of its
//! family, add its row to `operators()` there, and name it in the README, which a test holds against the table.
//! `coordinates`, `lines`, `interpolate` and `window` are parts of families.

mod activation;
mod along;
mod arithmetic;
mod blocks;
mod constants;
mod conv;
mod coordinates;
mod einsum;
mod extremes;
mod functions;
mod gemm;
mod interpolate;
mod lines;
mod matmul;
mod moves;
mod parts;
pub(in crate::onnx) mod pool;
mod reduce;
mod reshape;
mod resize;
mod row;
mod select;
mod softmax;
mod sources;
mod table;
mod window;

pub(in crate::onnx) use row::{Client, Lowering};
pub(in crate::onnx) use table::{client, lowering, lowering_of_constants};
