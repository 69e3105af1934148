//! Defects of the compiler that show in a panic, as errors.
//!
//! The tables of the compiler have a row for each of their keys ([`peregrine_ir::SecondaryMap`]), and a miss panics: a value made
//! up in its place would lead to a wrong circuit. Whoever compiles a model gets an internal error.

use super::CompileError;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a whole compilation, and turns a panic into an error. Nothing that it changes may be used when it fails.
///
/// # Errors
/// The errors of the compilation, and [`CompileError::Defect`] where it panics.
pub fn contained<T, E: From<CompileError>>(
    compilation: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    match catch_unwind(AssertUnwindSafe(compilation)) {
        Ok(done) => done,
        Err(payload) => Err(CompileError::Defect(said(&*payload)).into()),
    }
}

/// The message of a panic.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or(payload.downcast_ref::<&str>().copied());
    text.unwrap_or("the compiler panics").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use peregrine_ir::{Arena, SecondaryMap, Value};

    #[test]
    fn a_missing_row_is_an_internal_error() {
        let values: Arena<Value, ()> = Arena::new();
        let uses = SecondaryMap::filled(&values, 0);
        let error = contained(|| Ok::<u32, CompileError>(uses[Value(7)])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "internal error: v7 is the key of another table: this one has 0 rows"
        );
    }
}
