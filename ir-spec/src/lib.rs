//! The contract between compiler and runtime: a typed, straight-line CKKS circuit.

pub mod entity;
pub mod linear;
pub mod shape;
pub mod tensor;

pub use entity::{
    Arena, Const, Entity, LayoutId, Node, OperatorId, Prime, SpecialPrime, TensorId, Value,
};
pub use shape::{Broadcast, Shape, ShapeError};
pub use tensor::{Tensor, TensorError, Tensors};
