//! What a family of linear maps says about itself: its word, its fields, its rules and its matrix.
//!
//! A new family is a file beside this one that implements [`Family`], and a line in each list of `linear/mod.rs`, whose
//! absence the compiler of Rust reports. Text, files, the verifier, constants and counts follow. Families that need a field
//! of a new type extend [`ReadFields`] and [`WriteFields`]; text and binary form implement these two and name no family.

use super::{AxisMap, BoundMap, LinearError, LinearMap, Window};
use crate::entity::TensorId;
use crate::shape::Broadcast;
use crate::tensor::{Tensor, Tensors};

/// A family of linear maps: the attributes of one map of it.
pub(crate) trait Family: Sized {
    /// The word of the text form that opens an operator of this family.
    const KEYWORD: &'static str;
    /// The field of an operator in the binary form that holds a map of this family.
    const TAG: u32;
    /// Whether that field is the number of the weight tensor, the family's only field (number 1), instead of a message.
    const IS_BARE: bool = false;
    /// The field that names the weight tensor, for families that read one.
    const WEIGHT: Option<WeightField<Self>>;

    /// Reads all fields, in the order of the text form.
    ///
    /// # Errors
    /// Those of the source.
    fn read<R: ReadFields>(fields: &mut R) -> Result<Self, R::Error>;

    /// Writes all fields, in the order of the text form.
    ///
    /// # Errors
    /// Those of the target.
    fn write<W: WriteFields>(&self, fields: &mut W) -> Result<(), W::Error>;

    /// Checks attributes, shapes and weights against each other: after this no other function reads out of bounds.
    ///
    /// # Errors
    /// Names the attribute and both values that disagree.
    fn check(&self, map: &LinearMap, tensors: &Tensors) -> Result<(), LinearError>;

    /// Calls `tap(input, coefficient)` for every structurally nonzero entry of row `output`, each input once.
    fn for_each_tap(&self, bound: &BoundMap<'_>, output: usize, tap: impl FnMut(usize, f64));

    /// The entry of the matrix in row `output`, column `input`.
    fn coefficient(&self, bound: &BoundMap<'_>, output: usize, input: usize) -> f64;

    /// Number of structurally nonzero entries of the matrix.
    fn macs(&self, map: &LinearMap) -> u64;

    /// Whether neighbours in a row of the output have the same coefficient on neighbours in a row of the input.
    fn is_the_same_along_rows(&self) -> bool {
        false
    }

    /// How the weights are repeated over the input, where that is not given by the attributes.
    fn broadcast(&self, _map: &LinearMap, _weight: &Tensor) -> Option<Broadcast> {
        None
    }

    /// `A x` in f64, for an `x` of the right size.
    fn apply(&self, bound: &BoundMap<'_>, x: &[f64]) -> Vec<f64> {
        bound.apply_taps(x)
    }

    /// The window that slides over images, for families that have one.
    fn window(&self) -> Option<&Window> {
        None
    }

    /// Entries of the tables of a gather.
    fn table_entries(&self) -> usize {
        0
    }

    /// See [`BoundMap::for_each_channel_pair`]; for families with a window.
    fn for_each_channel_pair(&self, _: &BoundMap<'_>, _tap: [u32; 2], _: impl FnMut(u32, u32)) {}

    /// See [`BoundMap::for_each_zero`]; for convolutions.
    fn for_each_zero(&self, _: &BoundMap<'_>, _: impl FnMut([u32; 2], u32, u32)) {}

    /// See [`BoundMap::for_each_zero_entry`]; for single matrices.
    fn for_each_zero_entry(&self, _: &BoundMap<'_>, _: impl FnMut(usize, usize)) {}
}

/// Access to the field that names a weight tensor.
pub(crate) struct WeightField<F> {
    pub(super) get: fn(&F) -> TensorId,
    pub(super) set: fn(&mut F, TensorId),
}

/// A source of fields. Each is asked for by its number in the binary form and its name in the text form.
pub(crate) trait ReadFields {
    /// Why a field cannot be read.
    type Error;

    /// The weight tensor.
    fn weight(&mut self, tag: u32) -> Result<TensorId, Self::Error>;

    /// A number.
    fn number(&mut self, tag: u32, name: &'static str) -> Result<u32, Self::Error>;

    /// A window, whose own fields have their names.
    fn window(&mut self, tag: u32) -> Result<Window, Self::Error>;

    /// Two numbers, or nothing.
    fn optional_pair(
        &mut self,
        tag: u32,
        name: &'static str,
    ) -> Result<Option<[u32; 2]>, Self::Error>;

    /// Tables of a gather.
    fn axes(&mut self, tag: u32, name: &'static str) -> Result<Vec<AxisMap>, Self::Error>;
}

/// A target for fields. Each has its number in the binary form and its name in the text form.
pub(crate) trait WriteFields {
    /// Why a field cannot be written.
    type Error;

    /// The weight tensor.
    fn weight(&mut self, tag: u32, weight: TensorId) -> Result<(), Self::Error>;

    /// A number.
    fn number(&mut self, tag: u32, name: &'static str, number: u32) -> Result<(), Self::Error>;

    /// A window, whose own fields have their names.
    fn window(&mut self, tag: u32, window: &Window) -> Result<(), Self::Error>;

    /// Two numbers, or nothing.
    fn optional_pair(
        &mut self,
        tag: u32,
        name: &'static str,
        pair: Option<[u32; 2]>,
    ) -> Result<(), Self::Error>;

    /// Tables of a gather.
    fn axes(&mut self, tag: u32, name: &'static str, axes: &[AxisMap]) -> Result<(), Self::Error>;
}
