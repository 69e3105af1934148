//! What budgets for evaluation keys lead to, as a table.

use super::grid::{show, table};
use peregrine::words::{bytes, seconds};
use peregrine_compiler::passes::keys::KeyChoice;

/// Key budgets as a table, one line for each.
pub fn text(choices: &[KeyChoice]) -> String {
    let header = [
        "--key-budget",
        "keys",
        "size",
        "predicted run",
        "reading keys",
    ];
    let mut table = table(&header, &[1, 2, 3, 4]);
    for choice in choices {
        let budget = match choice.budget {
            None => "no limit".to_owned(),
            Some(budget) if choice.fits => bytes(budget),
            Some(budget) => format!("{}, out of reach", bytes(budget)),
        };
        table.add_row([
            budget,
            choice.keys.to_string(),
            bytes(choice.bytes),
            seconds(choice.seconds),
            seconds(choice.key_seconds),
        ]);
    }
    show(&table)
}
