//! Attributes that change nothing here, each with the reason.

/// Operator, attribute, and why nothing of what is computed depends on it.
const IGNORABLE: &[(&str, &str, &str)] = &[
    (
        "BatchNormalization",
        "momentum",
        "only updates of the statistics in training use it",
    ),
    ("Cast", "round_mode", "only 8-bit floats are rounded by it"),
    ("Cast", "saturate", "only 8-bit floats are saturated"),
    (
        "CastLike",
        "round_mode",
        "only 8-bit floats are rounded by it",
    ),
    ("CastLike", "saturate", "only 8-bit floats are saturated"),
    ("Dropout", "ratio", "nothing is dropped at inference"),
    ("Dropout", "seed", "nothing is dropped at inference"),
    (
        "Range",
        "stash_type",
        "the elements are computed in double precision",
    ),
    (
        "Resize",
        "cubic_coeff_a",
        "only cubic interpolation uses it",
    ),
];

/// Whether an attribute may go unread.
pub(in crate::onnx) fn is_ignorable(op: &str, attribute: &str) -> bool {
    IGNORABLE
        .iter()
        .any(|(o, name, _)| *o == op && *name == attribute)
}

#[cfg(test)]
pub(in crate::onnx) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    IGNORABLE.iter().map(|(op, name, _)| (*op, *name))
}
