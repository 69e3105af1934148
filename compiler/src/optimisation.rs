//! Optimisations: what the compiler does beyond a correct circuit, by name, so that each can be left out.
//!
//! The stages ask [`Config::without`](crate::pipeline::Config::without), for each optimisation in one place. Without any of
//! them a circuit is correct, but larger or slower, or it does not fit a ring.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// An optimisation that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimisation {
    /// Fusing nodes of the model into others: the first half of [`crate::rewrite`].
    NodeFusing,
    /// Redistribution of factors, for monic polynomials and completed squares: the second half of [`crate::rewrite`].
    Redistribution,
    /// Skewed replicas, which are rotated against each other: [`crate::layout`].
    SkewedReplicas,
    /// Channels at the lowest index, for weights that repeat from pixel to pixel: [`crate::layout`].
    PeriodicWeights,
    /// Lazy products of ciphertexts, which share the next rescale: [`crate::manage::rescales`].
    TowerReuse,
    /// Shorter scales for weights, scalars and masks than for values: [`crate::manage::parameters`].
    SeparateScales,
    /// Levels whose primes come and go, in place of a chain of primes: [`crate::manage::parameters`].
    GranularModuli,
    /// A ring of half the degree once that is secure: [`crate::pipeline`].
    RingSwitching,
    /// Refreshes between stretches of a network that is too deep for a ring: [`crate::placement`].
    Bootstrapping,
    /// Rotations composed of others, for fewer and smaller keys: [`crate::passes::keys`].
    KeySelection,
    /// Rotations of one ciphertext that share its decomposition: [`crate::passes`].
    Hoisting,
    /// Sums in the extended basis that share their division by P: [`crate::passes`].
    DoubleHoisting,
}

/// The optimisations that are left out.
pub type Without = BTreeSet<Optimisation>;

impl Optimisation {
    /// All optimisations, in the order of the stages that do them.
    pub const ALL: [Self; 12] = [
        Self::NodeFusing,
        Self::Redistribution,
        Self::SkewedReplicas,
        Self::PeriodicWeights,
        Self::TowerReuse,
        Self::SeparateScales,
        Self::GranularModuli,
        Self::RingSwitching,
        Self::Bootstrapping,
        Self::KeySelection,
        Self::Hoisting,
        Self::DoubleHoisting,
    ];

    /// The name of the optimisation on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NodeFusing => "node-fusing",
            Self::Redistribution => "redistribution",
            Self::SkewedReplicas => "skewed-replicas",
            Self::PeriodicWeights => "periodic-weights",
            Self::TowerReuse => "tower-reuse",
            Self::SeparateScales => "separate-scales",
            Self::GranularModuli => "granular-moduli",
            Self::RingSwitching => "ring-switching",
            Self::Bootstrapping => "bootstrapping",
            Self::KeySelection => "key-selection",
            Self::Hoisting => "hoisting",
            Self::DoubleHoisting => "double-hoisting",
        }
    }

    /// A sentence about what the optimisation does.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::NodeFusing => {
                "Affine maps, means, padding and spelled-out polynomials become part of the nodes around them; without, every \
                 node of the model is computed as it stands"
            }
            Self::Redistribution => {
                "Factors per channel move until polynomials are monic, constants until squares are complete; without, only \
                 fusing moves factors, into weights"
            }
            Self::SkewedReplicas => {
                "Replicas of a tensor are turned against each other, so that a product does the work of several; without, they \
                 are exact copies"
            }
            Self::PeriodicWeights => {
                "Channels may lie at the lowest index, so that weights repeat from pixel to pixel and take no transform; without, \
                 every weight is a plaintext of its own"
            }
            Self::TowerReuse => {
                "A product of ciphertexts may wait for the rescale of the linear operator after it; without, each is rescaled"
            }
            Self::SeparateScales => {
                "Weights, numbers and masks are encoded at the scale that each needs; without, at that of values"
            }
            Self::GranularModuli => {
                "Levels share long primes and differ in short ones; without, every rescale has primes of its own"
            }
            Self::RingSwitching => {
                "A network may go on at half the degree once the modulus left is secure there; without, it has one ring"
            }
            Self::Bootstrapping => {
                "Values are refreshed where a network is too deep for a ring; without, it needs a larger ring or does not compile"
            }
            Self::KeySelection => {
                "Rotations are composed of others where their keys are not worth their size; without, each has a key for its \
                 highest level of use"
            }
            Self::Hoisting => {
                "Rotations of one value share its decomposition; without, each has its own, and there is no double hoisting either"
            }
            Self::DoubleHoisting => {
                "Divisions by P move past products and sums and become fewer; without, every rotation has its own"
            }
        }
    }
}

impl fmt::Display for Optimisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Optimisation {
    type Err = UnknownOptimisation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|o| o.name() == name);
        found.ok_or_else(|| UnknownOptimisation(name.to_owned()))
    }
}

/// A name that no optimisation has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no optimisation is called `{0}`; there are {all}", all = Optimisation::ALL.map(Optimisation::name).join(", "))]
pub struct UnknownOptimisation(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_reports() {
        let distinct: Without = Optimisation::ALL.into();
        assert_eq!(distinct.len(), Optimisation::ALL.len());
        for each in Optimisation::ALL {
            assert_eq!(each.name().parse(), Ok(each));
            let written = serde_json::to_value(each).unwrap();
            assert_eq!(written, each.name());
        }
        let error = "hoist".parse::<Optimisation>().unwrap_err().to_string();
        assert!(
            error.contains("`hoist`") && error.contains("key-selection"),
            "{error}"
        );
    }
}
