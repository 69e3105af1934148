//! The contract between compiler and runtime: a typed, straight-line CKKS circuit.
//!
//! A [`Circuit`] holds a [`RingTable`] (degree and moduli), the keys it needs, packings ([`Layout`]), weights ([`Tensor`]),
//! operators between packed tensors ([`Operator`]) from which constants are cut ([`Constant`]), and a program of typed
//! values ([`Definition`]). `SPEC.md` is its specification; every example there is parsed and verified by a test.

pub mod binary;
pub mod bounds;
pub mod build;
pub mod circuit;
pub mod compact;
pub mod constants;
pub mod cost;
pub mod cut;
pub mod entity;
pub mod expectation;
pub mod fingerprint;
pub mod finish;
pub mod fragment;

pub mod function;
pub mod inst;
pub mod interface;
pub mod key;
pub mod key_shape;
pub mod layout;
pub mod linear;
pub mod noise;
pub mod passes;
pub mod provenance;
pub mod ring;
pub mod scale;
pub mod shape;
pub mod stats;
pub mod steps;
pub mod tensor;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
pub mod types;
pub mod typing;
pub mod verify;

pub use binary::{Container, FileKind, Fingerprint, KeyPairId, ReadError, fingerprint};
pub use build::Builder;
pub use circuit::{Circuit, Constant, Definition, Keys, Operator, Port, Remark, SourceNode};
pub use compact::compact_tables;
pub use constants::{FillError, Filler, Reach, Slots};
pub use cut::{CutError, cut};
pub use entity::{
    Arena, Const, Entity, FunctionId, LayoutId, Node, OperatorId, Prime, RingId, SecondaryMap,
    SpecialPrime, TensorId, Value,
};
pub use expectation::{Expectation, ExpectationError, InputRange, Origin};
pub use finish::{
    ElementFunction, Finish, FinishError, FinishStep, FunctionKind, InputElement, Prepare,
    PrepareError,
};
pub use fragment::{Fragment, Link};
pub use function::{Body, Function};
pub use inst::Inst;
pub use interface::given_shape;
pub use interface::{Interface, InterfaceError, InterfacePort};
pub use key::{Key, KeyKind};
pub use key_shape::{KeyShape, ShapeError as KeyShapeError};
pub use layout::{Layout, LayoutError, LayoutParts, Place};
pub use passes::{Factor, Pass};
pub use ring::{
    Level, LevelSpec, RingSpec, RingTable, RingView, Rotation, SecretId, SecretKind, Security,
};
pub use scale::Scale;
pub use shape::{Broadcast, Shape, ShapeError};
pub use steps::{Step, steps};
pub use tensor::{Tensor, TensorError, Tensors};
pub use types::{Basis, Form, Type};
pub use typing::TypeError;
pub use verify::{Verified, VerifyErrors, verify};
