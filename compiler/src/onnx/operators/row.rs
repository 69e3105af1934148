//! What is registered of an operator: who computes it, and how.

use crate::onnx::build::{Builder, Call, Value};
use crate::onnx::fold::library;
use crate::onnx::problems::Problem;

/// Lowers a node with one result.
pub(super) type One = fn(&mut Builder, &Call) -> Result<Value, Problem>;

/// Lowers a node with several results.
pub(super) type Many = fn(&mut Builder, &Call) -> Result<Vec<Value>, Problem>;

/// How an operator is lowered.
#[derive(Clone, Copy)]
pub(in crate::onnx) enum Lowering {
    /// To one result.
    One(One),
    /// To several.
    Many(Many),
}

/// What the client does with an operator where only outputs of the model, or of its beginning, depend on it.
#[derive(Clone, Copy)]
pub(in crate::onnx) enum Client {
    /// Nothing: it is the server's.
    Nothing,
    /// It applies a function that is no polynomial.
    Applies(One),
    /// It moves elements, which costs something on ciphertexts.
    Moves,
    /// It follows, since the elements stay what they are.
    Keeps,
    /// It follows when the other operand is a constant.
    Calculates,
}

/// A row of the table of operators.
#[derive(Clone, Copy)]
pub(in crate::onnx) struct Operator {
    /// The default domain is empty.
    pub(super) domain: &'static str,
    pub(super) name: &'static str,
    /// How it is lowered where an operand may be encrypted; `None` where that cannot be.
    pub(super) encrypted: Option<Lowering>,
    /// How it is evaluated where all operands are constants.
    pub(super) constants: Option<Lowering>,
    pub(super) client: Client,
}

impl Operator {
    /// An operator of which nothing is computed yet.
    pub(super) fn named(name: &'static str) -> Self {
        Self {
            domain: "",
            name,
            encrypted: None,
            constants: None,
            client: Client::Nothing,
        }
    }

    /// An operator that is computed on encrypted values, with one result.
    pub(super) fn encrypted(name: &'static str, lower: One) -> Self {
        Self {
            encrypted: Some(Lowering::One(lower)),
            ..Self::named(name)
        }
    }

    /// An operator that is computed on encrypted values, with several results.
    pub(super) fn encrypted_to_many(name: &'static str, lower: Many) -> Self {
        Self {
            encrypted: Some(Lowering::Many(lower)),
            ..Self::named(name)
        }
    }

    /// An operator that is lowered in one way for encrypted values and for constants.
    pub(super) fn any(name: &'static str, lower: One) -> Self {
        let operator = Self::encrypted(name, lower);
        Self {
            constants: operator.encrypted,
            ..operator
        }
    }

    pub(super) fn of_constants(self, lower: Lowering) -> Self {
        Self {
            constants: Some(lower),
            ..self
        }
    }

    /// Constants are left to the library.
    pub(super) fn by_library(self) -> Self {
        self.of_constants(Lowering::Many(library::evaluate))
    }

    /// An operator of which the client computes what is encrypted, and the library what is constant.
    pub(super) fn applied_by_client(name: &'static str, lower: One) -> Self {
        Self::named(name)
            .by_library()
            .at_client(Client::Applies(lower))
    }

    pub(super) fn at_client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    pub(super) fn in_domain(self, domain: &'static str) -> Self {
        Self { domain, ..self }
    }
}
