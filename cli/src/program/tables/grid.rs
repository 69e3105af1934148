//! Tables of text.

use comfy_table::{CellAlignment, Table, presets};

/// An empty table; the given columns are numbers.
pub fn table(header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(header.iter().copied());
    for &column in numbers {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Names and values, one below the other.
pub fn list(rows: &[[String; 2]]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.add_rows(rows.iter().cloned());
    show(&table)
}

/// A table as text, without space at the ends of lines.
pub fn show(table: &Table) -> String {
    let lines = table.lines().map(|line| {
        line.strip_prefix(' ')
            .unwrap_or(&line)
            .trim_end()
            .to_owned()
    });
    lines.map(|line| line + "\n").collect()
}
