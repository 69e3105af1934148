//! The ranges of a model's values.

use super::grid;
use peregrine::calibrate::{
    NodeRangeReport, RangeReport, RangesReport, SamplesReport, StatedReport,
};
use peregrine::words::{plain, shorten};

/// The longest name of a node that the table shows in full.
const LONGEST_NAME: usize = 44;

/// One line about samples.
pub fn samples(report: &SamplesReport) -> String {
    let outputs = report.outputs.iter();
    let outputs: Vec<String> = outputs
        .map(|(name, x)| format!("`{name}` {x:.4}"))
        .collect();
    format!(
        "largest value in {} samples: {:.4}; outputs: {}",
        report.samples,
        report.overall,
        outputs.join(", ")
    )
}

/// One line about what a model states.
pub fn stated(report: &StatedReport) -> String {
    let StatedReport {
        key,
        images,
        images_outside,
        stated,
        ..
    } = report;
    format!(
        "`{key}` of the model: {stated} values over {images} images, {images_outside} of them outside the trained range; \
         largest value {}, where it follows from them",
        number(report.overall)
    )
}

/// One line about what is certain.
pub fn line(ranges: &RangesReport, headroom_bits: u32) -> Option<String> {
    let limit = format!("2^{}", headroom_bits.saturating_sub(1));
    Some(match ranges.proven? {
        true => format!("proven: no input within its range makes a value reach {limit}"),
        false => {
            let stays =
                |row: &&NodeRangeReport| row.proven.as_ref().is_some_and(|r| r.bits_left > 0.0);
            let held = ranges.nodes.iter().take_while(stays).count();
            let first = ranges.nodes.get(held).map_or("", |row| &row.node);
            format!(
                "not proven: values stay below {limit} before `{}`; bounds are not tight and grow with depth",
                plain(first)
            )
        }
    })
}

/// The nodes as a table.
pub fn table(ranges: &RangesReport) -> String {
    let any = |of: fn(&NodeRangeReport) -> &Option<RangeReport>| {
        ranges.nodes.iter().any(|row| of(row).is_some())
    };
    let (calibrated, proven) = (any(|row| &row.calibrated), any(|row| &row.proven));
    let stated = any(|row| &row.stated);
    let mut header = vec!["node", "operator"];
    if calibrated {
        header.extend(["min", "max", "inside", "bits left"]);
    }
    if proven {
        header.extend(["proven min", "max", "inside", "bits left"]);
    }
    if stated {
        header.extend(["stated min", "max", "inside", "bits left"]);
    }
    let numbers: Vec<usize> = (2..header.len()).collect();
    if stated {
        header.push("from");
    }
    let mut table = grid::table(&header, &numbers);
    for row in &ranges.nodes {
        let mut cells = vec![
            shorten(&plain(&row.node), LONGEST_NAME),
            row.operator.clone(),
        ];
        for range in [&row.calibrated, &row.proven, &row.stated]
            .into_iter()
            .flatten()
        {
            cells.extend(cells_of(range));
        }
        if stated {
            let from = if row.is_stated { "metadata" } else { "follows" };
            cells.push(from.to_owned());
        }
        table.add_row(cells);
    }
    grid::show(&table)
}

fn cells_of(range: &RangeReport) -> [String; 4] {
    let inside = range.inside.map_or(String::new(), number);
    let left = match range.bits_left {
        bits if bits.is_finite() => format!("{bits:.1}"),
        bits if bits > 0.0 => String::new(),
        _ => "none".to_owned(),
    };
    [number(range.min), number(range.max), inside, left]
}

/// A value for reading: a large one as a power of two, an infinite one as nothing known.
fn number(x: f64) -> String {
    let sign = if x < 0.0 { "-" } else { "" };
    match x.abs() {
        magnitude if magnitude.is_infinite() => "unbounded".to_owned(),
        magnitude if magnitude >= 1e6 => format!("{sign}2^{:.0}", magnitude.log2().ceil()),
        _ => format!("{x:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_values_are_powers_of_two() {
        assert_eq!(
            [0.0, -1.25, 1e7, -1e300, f64::INFINITY].map(number),
            ["0.000", "-1.250", "2^24", "-2^997", "unbounded"]
        );
    }
}
