//! Options of the compiler as configuration files have them.

use peregrine_compiler::passes::keys::KeyBudget;
use peregrine_ir::Security;
use serde::{Deserialize, Serialize};

/// `"128"` or `"none"`, as reports have it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Security")]
pub(super) enum SecurityForm {
    #[serde(rename = "128")]
    Classical128,
    #[serde(rename = "none")]
    None,
}

/// `"unlimited"`, `{"at_most": bytes}` or `{"knee": {"slower": 1.05, "most": bytes}}`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "KeyBudget", rename_all = "snake_case")]
pub(super) enum KeyBudgetForm {
    Unlimited,
    AtMost(u64),
    Knee { slower: f64, most: u64 },
}

/// Optimisations by name.
pub(super) mod names {
    use peregrine_compiler::optimisation::Without;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::options) fn serialize<S: Serializer>(
        without: &Without,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        without.serialize(serializer)
    }

    pub(in crate::options) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Without, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let optimisations = names
            .iter()
            .map(|name| name.parse().map_err(D::Error::custom));
        optimisations.collect()
    }
}
