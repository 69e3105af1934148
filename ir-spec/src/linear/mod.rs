//! Linear maps: every convolution, pooling, product with a weight matrix, padding, slicing or broadcast is one sparse
//! matrix `y = A x` between flat tensors.
//!
//! A map is stored as its attributes and the name of its weight tensor; [`BoundMap::for_each_tap`] enumerates a row of
//! the matrix and [`BoundMap::coefficient`] reads one entry. The compiler plans with the first, constants are filled
//! with the second, the tensor graph's reference semantics is [`BoundMap::apply`]: one definition for all of them.
//!
//! A new operator is a new family of maps: a file here that says everything about it, its text and binary form among that,
//! and a line in each of the two lists below. Random circuits (`testing/tables.rs`) must have some, which a test holds.

mod contract;
mod conv;
mod error;
mod extents;
mod family;
mod gather;
mod pool;
mod scale;
mod window;

pub use contract::Contract;
pub use conv::Conv2d;
pub use error::LinearError;
use family::Family;
pub(crate) use family::{ReadFields, WriteFields};
pub use gather::{AxisMap, Gather};
pub use pool::AveragePool;
pub use scale::ElementScale;
pub use window::Window;

use crate::entity::TensorId;
use crate::shape::{Broadcast, Shape};
use crate::tensor::{Tensor, Tensors};
use extents::Extents;

/// A linear map between tensors of fixed shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearMap {
    /// What it computes.
    pub kind: LinearKind,
    /// Shape of `x`.
    pub input: Shape,
    /// Shape of `y`.
    pub output: Shape,
}

/// Declares the families: a variant of [`LinearKind`] and of [`FamilyId`] for each.
macro_rules! families {
    ($($(#[$doc:meta])* $family:ident($map:ty),)*) => {
        /// The families of linear maps, with the attributes of one map.
        ///
        /// Rules of a compiler may know some families; a map of any other is the sparse matrix that [`BoundMap`] reads.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum LinearKind {
            $($(#[$doc])* $family($map),)*
        }

        /// A family of linear maps by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum FamilyId {
            $($family,)*
        }

        impl LinearKind {
            /// The words of the text form that open an operator, one for each family of maps.
            pub const KEYWORDS: &[&str] = &[$(<$map>::KEYWORD,)*];

            /// Its family.
            pub(crate) const fn family(&self) -> FamilyId {
                match self { $(Self::$family(_) => FamilyId::$family,)* }
            }
        }

        impl FamilyId {
            /// All families, in the order in which they are declared.
            pub(crate) const ALL: &[Self] = &[$(Self::$family,)*];

            /// The word of the text form.
            pub(crate) const fn keyword(self) -> &'static str {
                match self { $(Self::$family => <$map>::KEYWORD,)* }
            }

            /// The field of an operator in the binary form.
            pub(crate) const fn tag(self) -> u32 {
                match self { $(Self::$family => <$map>::TAG,)* }
            }

            /// Whether that field is the number of the weight tensor instead of a message.
            pub(crate) const fn is_bare(self) -> bool {
                match self { $(Self::$family => <$map>::IS_BARE,)* }
            }

            /// Whether its maps read a weight tensor.
            pub(crate) const fn has_weight(self) -> bool {
                match self { $(Self::$family => <$map>::WEIGHT.is_some(),)* }
            }

            /// A map of this family with the fields of a source.
            ///
            /// # Errors
            /// Those of the source.
            pub(crate) fn read<R: ReadFields>(self, fields: &mut R) -> Result<LinearKind, R::Error> {
                match self { $(Self::$family => <$map>::read(fields).map(LinearKind::$family),)* }
            }
        }
    };
}

families! {
    /// Two-dimensional cross-correlation with a weight tensor.
    Conv2d(Conv2d),
    /// Mean over windows.
    AveragePool(AveragePool),
    /// Product with a weight matrix along one axis.
    Contract(Contract),
    /// Element-wise factor `y[i] = w[i] * x[i]`, `w` broadcast to the shape of `x`.
    Scale(ElementScale),
    /// Elements moved, repeated or left out, zeros put in: pad, slice, transpose, expand, place in a concatenation.
    Gather(Gather),
}

/// Evaluates an expression for the family of a map, whichever it is.
macro_rules! dispatch {
    ($kind:expr, $family:ident => $value:expr) => {
        match $kind {
            LinearKind::Conv2d($family) => $value,
            LinearKind::AveragePool($family) => $value,
            LinearKind::Contract($family) => $value,
            LinearKind::Scale($family) => $value,
            LinearKind::Gather($family) => $value,
        }
    };
}

/// Access to the weight tensor of a map of this family.
const fn weight_field<F: Family>(_: &F) -> Option<family::WeightField<F>> {
    F::WEIGHT
}

impl LinearMap {
    /// Checks attributes, shapes and weights against each other.
    ///
    /// After this succeeds no other function of the map fails or reads out of bounds.
    ///
    /// # Errors
    /// Names the attribute and both values that disagree.
    pub fn check(&self, tensors: &Tensors) -> Result<(), LinearError> {
        dispatch!(&self.kind, family => family.check(self, tensors))
    }

    /// Its evaluator, with everything that does not depend on the element computed once.
    ///
    /// # Errors
    /// Those of [`LinearMap::check`].
    pub fn bind<'a>(&'a self, tensors: &'a Tensors) -> Result<BoundMap<'a>, LinearError> {
        self.check(tensors)?;
        let weight = self.weight().and_then(|id| tensors.get(id));
        let broadcast = weight
            .and_then(|weight| dispatch!(&self.kind, family => family.broadcast(self, weight)));
        Ok(BoundMap {
            map: self,
            weights: Weights::new(weight),
            broadcast,
            extents: [&self.input, &self.output].map(Extents::new),
        })
    }

    /// The weight tensor it reads, if any.
    pub fn weight(&self) -> Option<TensorId> {
        dispatch!(&self.kind, family => weight_field(family).map(|field| (field.get)(family)))
    }

    /// The window of a convolution or pooling.
    pub fn window(&self) -> Option<&Window> {
        dispatch!(&self.kind, family => family.window())
    }

    /// This map with another weight tensor; maps without weights are unchanged.
    pub fn with_weight(&self, tensor: TensorId) -> Self {
        let mut map = self.clone();
        dispatch!(&mut map.kind, family => {
            if let Some(field) = weight_field(family) {
                (field.set)(family, tensor);
            }
        });
        map
    }

    /// The word of the text form that opens it.
    pub fn keyword(&self) -> &'static str {
        self.kind.family().keyword()
    }

    /// Its family.
    pub(crate) fn family(&self) -> FamilyId {
        self.kind.family()
    }

    /// Entries of the tables of a gather; zero for other maps.
    pub(crate) fn table_entries(&self) -> usize {
        dispatch!(&self.kind, family => family.table_entries())
    }

    /// Writes the fields of its family to a target.
    ///
    /// # Errors
    /// Those of the target.
    pub(crate) fn write_fields<W: WriteFields>(&self, fields: &mut W) -> Result<(), W::Error> {
        dispatch!(&self.kind, family => family.write(fields))
    }
}

/// A checked [`LinearMap`] together with its weights.
#[derive(Clone, Debug)]
pub struct BoundMap<'a> {
    map: &'a LinearMap,
    weights: Weights<'a>,
    broadcast: Option<Broadcast>,
    /// Of input and output, for the maps that have a window.
    extents: [Extents; 2],
}

/// The weights of a map; none read as zeros.
#[derive(Clone, Copy, Debug)]
struct Weights<'a> {
    data: &'a [f64],
    /// The last two extents of their shape.
    kernel: [u32; 2],
    /// Whether none is zero.
    full: bool,
}

impl<'a> Weights<'a> {
    fn new(weight: Option<&'a Tensor>) -> Self {
        let (data, dims) = weight.map_or((&[][..], &[][..]), |t| (t.data(), t.shape().dims()));
        let kernel = match *dims {
            [.., h, w] => [h, w],
            _ => [1, 1],
        };
        let full = !weight.is_some_and(Tensor::has_zero);
        Self { data, kernel, full }
    }

    /// The weight of output channel `m`, channel `c` of its group, at element `(i, j)`.
    fn convolution(&self, group_in: u32, [m, c]: [u32; 2], [i, j]: [u32; 2]) -> f64 {
        let flat = extents::index([0, group_in, self.kernel[0], self.kernel[1]], [m, c, i, j]);
        self.data.get(flat).copied().unwrap_or(0.0)
    }
}

impl BoundMap<'_> {
    /// The map that was bound.
    pub fn map(&self) -> &LinearMap {
        self.map
    }

    /// Calls `tap(input, coefficient)` for every structurally nonzero entry of row `output`, each input once.
    ///
    /// A weight that happens to be zero is still visited: plans depend on shapes only.
    pub fn for_each_tap(&self, output: usize, tap: impl FnMut(usize, f64)) {
        dispatch!(&self.map.kind, family => family.for_each_tap(self, output, tap));
    }

    /// The entry of the matrix in row `output`, column `input`.
    pub fn coefficient(&self, output: usize, input: usize) -> f64 {
        dispatch!(&self.map.kind, family => family.coefficient(self, output, input))
    }

    /// The widths of the rows of input and output, for maps that have the same coefficient for neighbours in a row of the output on
    /// neighbours in a row of the input.
    pub(crate) fn row_widths(&self) -> Option<[u32; 2]> {
        let [input, output] = &self.extents;
        let widths = [input.dims[3], output.dims[3]];
        dispatch!(&self.map.kind, family => family.is_the_same_along_rows()).then_some(widths)
    }

    /// Whether no weight is zero. O(1).
    pub const fn is_full(&self) -> bool {
        self.weights.full
    }

    /// Calls `pair(output channel, input channel)` for the channels that an element of the window joins with a nonzero
    /// coefficient; those of a batch follow each other. Nothing for maps without a window.
    pub fn for_each_channel_pair(&self, tap: [u32; 2], pair: impl FnMut(u32, u32)) {
        dispatch!(&self.map.kind, family => family.for_each_channel_pair(self, tap, pair));
    }

    /// Calls `zero(tap, output channel, input channel)` for every weight of a convolution that is zero, in the order of the
    /// weights; those of a batch follow each other. Nothing for other maps.
    pub fn for_each_zero(&self, zero: impl FnMut([u32; 2], u32, u32)) {
        dispatch!(&self.map.kind, family => family.for_each_zero(self, zero));
    }

    /// Calls `zero(output, input)` for every entry of a single matrix that is zero: of a [`LinearKind::Contract`] with nothing
    /// around its rows and columns. Nothing for other maps.
    pub fn for_each_zero_entry(&self, zero: impl FnMut(usize, usize)) {
        dispatch!(&self.map.kind, family => family.for_each_zero_entry(self, zero));
    }

    /// `A x` in f64: the reference semantics.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        if x.len() != self.map.input.elements() {
            return self.apply_taps(x);
        }
        dispatch!(&self.map.kind, family => family.apply(self, x))
    }

    /// `A x`, row of the matrix by row.
    fn apply_taps(&self, x: &[f64]) -> Vec<f64> {
        (0..self.map.output.elements())
            .map(|output| {
                let mut sum = 0.0;
                self.for_each_tap(output, |input, w| {
                    sum += w * x.get(input).copied().unwrap_or(f64::NAN)
                });
                sum
            })
            .collect()
    }

    /// Number of multiply-accumulates: structurally nonzero entries of the matrix, counted axis by axis.
    pub fn macs(&self) -> u64 {
        dispatch!(&self.map.kind, family => family.macs(self.map))
    }
}

/// The shape of a weight tensor that a map names.
fn weight_shape(weight: TensorId, tensors: &Tensors) -> Result<&Shape, LinearError> {
    tensors
        .get(weight)
        .map(|t| t.shape())
        .ok_or(LinearError::NoWeight { weight })
}

#[cfg(test)]
mod tests;
