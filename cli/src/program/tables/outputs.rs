//! Tensors that were computed, as a table.

use super::grid::{show, table};
use peregrine::OutputReport;
use peregrine::outputs::OutputValues;
use std::collections::BTreeMap;

/// Outputs as a table; short ones with their values.
pub fn show_all(outputs: &BTreeMap<String, OutputReport>) -> String {
    let mut table = table(&["output", "shape", "class", "largest", "values"], &[2, 3]);
    for (name, output) in outputs {
        let OutputReport {
            shape,
            class,
            largest_magnitude,
            values,
        } = output;
        let class = class.map_or(String::new(), |class| class.to_string());
        let largest = format!("{largest_magnitude:.4}");
        table.add_row([
            name.clone(),
            format!("{shape:?}"),
            class,
            largest,
            shown(values),
        ]);
    }
    show(&table)
}

/// The first ones, shortened.
fn shown(values: &OutputValues) -> String {
    const MOST: usize = 12;
    let (mut shown, count): (Vec<String>, usize) = match values {
        OutputValues::Reals(x) => {
            let shown = x.iter().take(MOST).map(|x| format!("{x:.4}"));
            (shown.collect(), x.len())
        }
        OutputValues::Integers(x) => (x.iter().take(MOST).map(i64::to_string).collect(), x.len()),
    };
    if count > shown.len() {
        shown.push("...".to_owned());
    }
    shown.join(" ")
}
