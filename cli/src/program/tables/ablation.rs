//! What each optimisation buys, as a table.

use super::grid::{show, table};
use peregrine::words::{bytes, seconds};
use peregrine_compiler::ablation::{Ablation, Figures, Outcome};
use std::cmp::Ordering;

/// Ablations as a table, one line for each compilation.
pub fn text(ablations: &[Ablation]) -> String {
    let header = [
        "without",
        "degree",
        "levels",
        "primes",
        "modulus",
        "products",
        "key switches",
        "decompositions",
        "keys",
        "size",
        "predicted run",
        "difference",
    ];
    let mut table = table(&header, &[2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for Ablation { without, outcome } in ablations {
        let name = without.map_or("-", |without| without.name()).to_owned();
        let cells = match outcome {
            Outcome::Compiled {
                figures,
                more_seconds,
            } => {
                let difference = match without {
                    None => String::new(),
                    Some(_) => difference(*more_seconds, figures.seconds - more_seconds),
                };
                [row(figures).into(), vec![difference]].concat()
            }
            Outcome::Refused {
                refused,
                missing_bits,
            } => {
                let why = match missing_bits {
                    Some(bits) => {
                        format!("does not compile: the modulus is {bits:.0} bits too long")
                    }
                    None => format!("does not compile: {refused}"),
                };
                [vec![String::new(); header.len() - 2], vec![why]].concat()
            }
        };
        table.add_row([vec![name], cells].concat());
    }
    show(&table)
}

fn row(figures: &Figures) -> [String; 10] {
    [
        match figures.small_log_n {
            Some(small) => format!("2^{}, 2^{small}", figures.log_n),
            None => format!("2^{}", figures.log_n),
        },
        figures.levels.to_string(),
        figures.primes.to_string(),
        format!("{:.0}", figures.modulus_bits),
        figures.plaintext_products.to_string(),
        figures.key_switches.to_string(),
        figures.decompositions.to_string(),
        figures.keys.to_string(),
        bytes(figures.key_bytes),
        seconds(figures.seconds),
    ]
}

/// Seconds more or less, and their share.
fn difference(more: f64, of: f64) -> String {
    let sign = match more.total_cmp(&0.0) {
        Ordering::Less => "-",
        Ordering::Equal => return "0".to_owned(),
        Ordering::Greater => "+",
    };
    format!(
        "{sign}{} ({:+.0} %)",
        seconds(more.abs()),
        100.0 * more / of
    )
}
