//! A layout as a small picture: a corner of the first ciphertext, and how planes and replicas fill all of it.

use peregrine_ir::{Layout, Place};

/// No line is longer, in characters: indented, a picture stays below 100 columns.
const WIDTH: usize = 90;
/// Rows of slots shown.
const ROWS: usize = 6;
/// What stands for a zero.
const EMPTY: &str = ".";
/// Cells of a bar.
const BAR: u32 = 64;

/// The picture's lines.
pub(super) fn picture(layout: &Layout) -> Vec<String> {
    let mut lines = grid(layout);
    lines.push(bar("planes", |slot| plane_mark(layout, slot), layout));
    if (2..=BAR).contains(&layout.parts().replicas) {
        lines.push(bar("replicas", |slot| replica_mark(layout, slot), layout));
    }
    lines
}

/// The first rows of slots, one line each; what a slot holds, or a point where it holds nothing.
fn grid(layout: &Layout) -> Vec<String> {
    let rows = rows(layout);
    let shown = rows.iter().take(ROWS);
    let label = |start: u32| format!("slot {start}");
    let margin = shown.clone().map(|row| label(row.start).len()).max();
    let margin = margin.unwrap_or(0);
    let mut cells: Vec<Vec<String>> = shown
        .clone()
        .map(|row| {
            (row.start..row.end)
                .map(|slot| cell(layout, slot))
                .collect()
        })
        .collect();
    let used = cells
        .iter()
        .rposition(|row| row.iter().any(|cell| cell != EMPTY));
    // Of rows at the end that hold nothing, one shows that they are there.
    cells.truncate(used.map_or(1, |last| last + 2));
    let widest = cells.iter().flatten().map(String::len).max().unwrap_or(1);
    let fits = (WIDTH - margin - 3) / (widest + 1);
    let mut lines: Vec<String> = shown
        .zip(&cells)
        .map(|(row, cells)| {
            let cells = abridged(cells, fits);
            let cells: Vec<String> = cells
                .iter()
                .map(|cell| format!("{cell:<widest$}"))
                .collect();
            let line = format!("{:<margin$} | {}", label(row.start), cells.join(" "));
            line.trim_end().to_owned()
        })
        .collect();
    if rows.len() > cells.len() {
        lines.push(format!("{:<margin$} | ...", "..."));
    }
    lines
}

/// A run of slots.
struct Row {
    start: u32,
    end: u32,
}

/// The rows of the first planes, guards included, one more than is shown; where rows are single slots, runs of sixteen.
fn rows(layout: &Layout) -> Vec<Row> {
    const RUN: u32 = 16;
    let parts = layout.parts();
    let used = layout.planes() * parts.plane;
    if parts.pitch == 1 {
        let starts = (0..used).step_by(RUN as usize).take(ROWS + 1);
        let row = |start| Row {
            start,
            end: used.min(start + RUN),
        };
        return starts.map(row).collect();
    }
    let planes = (0..used).step_by(parts.plane as usize);
    let rows = planes.flat_map(|plane| {
        let end = plane + parts.plane;
        let starts = (plane..end).step_by(parts.pitch as usize);
        starts.map(move |start| Row {
            start,
            end: end.min(start + parts.pitch),
        })
    });
    rows.take(ROWS + 1).collect()
}

/// `c3(0,12)`: channel, row and column; a vector has channels only.
fn cell(layout: &Layout, slot: u32) -> String {
    let place = Place {
        ciphertext: 0,
        slot,
    };
    match (layout.element(place), layout.parts().shape) {
        (None, _) => EMPTY.to_owned(),
        (Some([c, ..]), [_, 1, 1]) => format!("c{c}"),
        (Some([c, h, w]), _) => format!("c{c}({h},{w})"),
    }
}

/// At most so many cells: the first ones, and the last, after which guards show.
fn abridged(cells: &[String], fits: usize) -> Vec<String> {
    let (Some(last), true) = (cells.last(), cells.len() > fits) else {
        return cells.to_vec();
    };
    let mut short: Vec<String> = cells.iter().take(fits.saturating_sub(2)).cloned().collect();
    short.extend(["...".to_owned(), last.clone()]);
    short
}

/// All slots of a ciphertext in one line, each mark for the first marked slot of its share.
fn bar(name: &str, mark: impl Fn(u32) -> Option<char>, layout: &Layout) -> String {
    let slots = layout.slots();
    let cells = slots.min(BAR);
    let share = slots / cells.max(1);
    let marks: String = (0..cells)
        .map(|i| {
            let mut slots = i * share..(i + 1) * share;
            slots.find_map(&mark).unwrap_or('.')
        })
        .collect();
    let each = match share {
        1 => "a slot each".to_owned(),
        _ => format!("{share} slots each"),
    };
    format!("{name:<8} |{marks}| {each}")
}

/// The plane that a slot belongs to.
fn plane_mark(layout: &Layout, slot: u32) -> Option<char> {
    let place = Place {
        ciphertext: 0,
        slot,
    };
    let [c, ..] = layout.element(place)?;
    let [zh, zw] = layout.parts().gaps;
    Some(digit(c / (zh * zw) % layout.planes()))
}

/// The replica that begins at a slot, or a line to the next.
fn replica_mark(layout: &Layout, slot: u32) -> Option<char> {
    let starts = slot.is_multiple_of(layout.block());
    Some(if starts {
        digit(slot / layout.block())
    } else {
        '-'
    })
}

/// 0 to 9, a to z, and again.
fn digit(number: u32) -> char {
    char::from_digit(number % 36, 36).unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::samples::{changed, layout, layouts};
    use insta::assert_snapshot;

    fn shown(layout: &Layout) -> String {
        picture(layout).join("\n")
    }

    #[test]
    fn no_line_is_too_long() {
        for layout in layouts() {
            let picture = picture(&layout);
            let longest = picture.iter().map(|line| line.chars().count()).max();
            assert!(
                longest.unwrap() <= WIDTH,
                "{layout}\n{}",
                picture.join("\n")
            );
            assert!(picture.len() <= ROWS + 3);
        }
    }

    #[test]
    fn rows_of_an_image() {
        assert_snapshot!(shown(&layout([1, 28, 28], [1, 1], [1, 1], 784)), @r"
        slot 0   | c0(0,0)  c0(0,1)  c0(0,2)  c0(0,3)  c0(0,4)  c0(0,5)  ...      c0(0,27)
        slot 28  | c0(1,0)  c0(1,1)  c0(1,2)  c0(1,3)  c0(1,4)  c0(1,5)  ...      c0(1,27)
        slot 56  | c0(2,0)  c0(2,1)  c0(2,2)  c0(2,3)  c0(2,4)  c0(2,5)  ...      c0(2,27)
        slot 84  | c0(3,0)  c0(3,1)  c0(3,2)  c0(3,3)  c0(3,4)  c0(3,5)  ...      c0(3,27)
        slot 112 | c0(4,0)  c0(4,1)  c0(4,2)  c0(4,3)  c0(4,4)  c0(4,5)  ...      c0(4,27)
        slot 140 | c0(5,0)  c0(5,1)  c0(5,2)  c0(5,3)  c0(5,4)  c0(5,5)  ...      c0(5,27)
        ...      | ...
        planes   |0000000.........................................................| 128 slots each
        ");
    }

    #[test]
    fn channels_in_the_gaps() {
        assert_snapshot!(shown(&layout([64, 16, 16], [1, 1], [2, 2], 1024)), @r"
        slot 0   | c0(0,0)  c1(0,0)  c0(0,1)  c1(0,1)  c0(0,2)  c1(0,2)  ...      c1(0,15)
        slot 32  | c2(0,0)  c3(0,0)  c2(0,1)  c3(0,1)  c2(0,2)  c3(0,2)  ...      c3(0,15)
        slot 64  | c0(1,0)  c1(1,0)  c0(1,1)  c1(1,1)  c0(1,2)  c1(1,2)  ...      c1(1,15)
        slot 96  | c2(1,0)  c3(1,0)  c2(1,1)  c3(1,1)  c2(1,2)  c3(1,2)  ...      c3(1,15)
        slot 128 | c0(2,0)  c1(2,0)  c0(2,1)  c1(2,1)  c0(2,2)  c1(2,2)  ...      c1(2,15)
        slot 160 | c2(2,0)  c3(2,0)  c2(2,1)  c3(2,1)  c2(2,2)  c3(2,2)  ...      c3(2,15)
        ...      | ...
        planes   |0000000011111111222222223333333344444444555555556666666677777777| 128 slots each
        ");
    }

    #[test]
    fn guards_phases_and_skewed_replicas() {
        let layout = changed([3, 6, 6], [2, 2], [1, 1], 16, |parts| {
            (parts.pitch, parts.log_slots) = (4, 8);
            (parts.replicas, parts.skew) = (4, 8);
        });
        assert_snapshot!(shown(&layout), @r"
        slot 0  | c0(0,0) c0(0,2) c0(0,4) .
        slot 4  | c0(2,0) c0(2,2) c0(2,4) .
        slot 8  | c0(4,0) c0(4,2) c0(4,4) .
        slot 12 | .       .       .       .
        slot 16 | c1(0,0) c1(0,2) c1(0,4) .
        slot 20 | c1(2,0) c1(2,2) c1(2,4) .
        ...     | ...
        planes   |000.111.222.......000.111.222.......000.111.222.2.....000.111.22| 4 slots each
        replicas |0---------------1---------------2---------------3---------------| 4 slots each
        ");
    }

    #[test]
    fn a_vector() {
        let layout = changed([10, 1, 1], [1, 1], [1, 1], 1, |parts| parts.log_slots = 4);
        assert_snapshot!(shown(&layout), @r"
        slot 0 | c0 c1 c2 c3 c4 c5 c6 c7 c8 c9 .  .  .  .  .  .
        planes   |0123456789......| a slot each
        ");
    }
}
