//! What an operator takes from some opset on.

/// An operator from some opset on.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) since: i64,
    pub(super) form: RowForm,
}

/// What an operator is from an opset on.
pub(super) enum RowForm {
    /// It does not exist any more.
    Removed,
    /// Each a list of words, see `table`.
    Takes {
        operands: &'static str,
        results: &'static str,
        attributes: &'static str,
    },
}

/// An operator that takes this from `since` on; each a list of words, see `table`.
pub(super) const fn op(
    name: &'static str,
    since: i64,
    operands: &'static str,
    results: &'static str,
    attributes: &'static str,
) -> Row {
    let form = RowForm::Takes {
        operands,
        results,
        attributes,
    };
    Row { name, since, form }
}

/// An operator that does not exist from `since` on.
pub(super) const fn removed(name: &'static str, since: i64) -> Row {
    let form = RowForm::Removed;
    Row { name, since, form }
}
