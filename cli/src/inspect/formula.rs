//! Where an element lies, as a formula with the numbers of one layout filled in and everything left out that is always zero.
//!
//! `div` and `mod` are of integers and bind from left to right, both tighter than `+`.

use peregrine_ir::Layout;
use std::fmt;

/// Slot and ciphertext of element `(c, h, w)`, in replica 0.
pub(super) struct Formula {
    pub(super) slot: Expr,
    pub(super) ciphertext: Expr,
}

impl Formula {
    pub(super) fn of(layout: &Layout) -> Self {
        let parts = layout.parts();
        let ([ph, pw], [zh, zw]) = (parts.phases.map(u64::from), parts.gaps.map(u64::from));
        let [channels, height, width] = parts.shape;
        let planes = u64::from(layout.planes());
        let (c, h, w) = (
            || Expr::name('c', channels),
            || Expr::name('h', height),
            || Expr::name('w', width),
        );
        let block = || c().div(zh * zw);
        let row = Expr::sum(vec![h().div(ph).times(zh), c().modulo(zh * zw).div(zw)]);
        Self {
            slot: Expr::sum(vec![
                block().modulo(planes).times(parts.plane.into()),
                row.times(parts.pitch.into()),
                w().div(pw).times(zw),
                c().modulo(zw),
            ]),
            ciphertext: Expr::sum(vec![
                block().div(planes).times(ph * pw),
                h().modulo(ph).times(pw),
                w().modulo(pw),
            ]),
        }
    }
}

/// An expression in coordinates, simplified as it is built.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    form: ExprKind,
    /// The largest value it takes; the smallest is 0.
    most: u64,
}

#[derive(Clone, Debug, PartialEq)]
enum ExprKind {
    Zero,
    Name(char),
    Div(Box<Expr>, u64),
    Mod(Box<Expr>, u64),
    Times(u64, Box<Expr>),
    Sum(Vec<Expr>),
}

impl Expr {
    const ZERO: Self = Self {
        form: ExprKind::Zero,
        most: 0,
    };

    /// A coordinate below `extent`.
    fn name(name: char, extent: u32) -> Self {
        match extent {
            0 | 1 => Self::ZERO,
            _ => Self {
                form: ExprKind::Name(name),
                most: u64::from(extent) - 1,
            },
        }
    }

    fn div(self, by: u64) -> Self {
        if by <= 1 {
            return self;
        }
        let most = self.most / by;
        if most == 0 {
            return Self::ZERO;
        }
        let form = match self.form {
            ExprKind::Div(inner, first) => ExprKind::Div(inner, first * by),
            _ => ExprKind::Div(Box::new(self), by),
        };
        Self { form, most }
    }

    fn modulo(self, by: u64) -> Self {
        if self.most < by {
            return self;
        }
        match by {
            0 | 1 => Self::ZERO,
            _ => Self {
                form: ExprKind::Mod(Box::new(self), by),
                most: by - 1,
            },
        }
    }

    fn times(self, by: u64) -> Self {
        let most = self.most * by;
        if most == 0 || by == 1 {
            return if most == 0 { Self::ZERO } else { self };
        }
        let form = match self.form {
            ExprKind::Times(first, inner) => ExprKind::Times(first * by, inner),
            _ => ExprKind::Times(by, Box::new(self)),
        };
        Self { form, most }
    }

    fn sum(terms: Vec<Self>) -> Self {
        let most = terms.iter().map(|term| term.most).sum();
        let mut terms: Vec<Self> = terms
            .into_iter()
            .flat_map(|term| match term.form {
                ExprKind::Zero => vec![],
                ExprKind::Sum(inner) => inner,
                _ => vec![term],
            })
            .collect();
        let form = match (terms.len(), terms.pop()) {
            (_, None) => ExprKind::Zero,
            (1, Some(only)) => return only,
            (_, Some(last)) => {
                terms.push(last);
                ExprKind::Sum(terms)
            }
        };
        Self { form, most }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            ExprKind::Zero => f.write_str("0"),
            ExprKind::Name(name) => write!(f, "{name}"),
            ExprKind::Div(inner, by) => write!(f, "{} div {by}", Operand(inner)),
            ExprKind::Mod(inner, by) => write!(f, "{} mod {by}", Operand(inner)),
            ExprKind::Times(by, inner) => match inner.form {
                ExprKind::Name(name) => write!(f, "{by}*{name}"),
                _ => write!(f, "{by}*({inner})"),
            },
            ExprKind::Sum(terms) => {
                for (i, term) in terms.iter().enumerate() {
                    write!(f, "{}{term}", if i == 0 { "" } else { " + " })?;
                }
                Ok(())
            }
        }
    }
}

/// What stands before `div` or `mod`: further ones need no parentheses.
struct Operand<'a>(&'a Expr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.form {
            ExprKind::Times(..) | ExprKind::Sum(_) => write!(f, "({})", self.0),
            ExprKind::Zero | ExprKind::Name(_) | ExprKind::Div(..) | ExprKind::Mod(..) => {
                self.0.fmt(f)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::samples::{layout, layouts};

    /// The value at a coordinate, computed as the formula reads.
    fn at(expr: &Expr, [c, h, w]: [u32; 3]) -> u64 {
        match &expr.form {
            ExprKind::Zero => 0,
            ExprKind::Name('c') => c.into(),
            ExprKind::Name('h') => h.into(),
            ExprKind::Name(_) => w.into(),
            ExprKind::Div(inner, by) => at(inner, [c, h, w]) / by,
            ExprKind::Mod(inner, by) => at(inner, [c, h, w]) % by,
            ExprKind::Times(by, inner) => by * at(inner, [c, h, w]),
            ExprKind::Sum(terms) => terms.iter().map(|term| at(term, [c, h, w])).sum(),
        }
    }

    #[test]
    fn formulas_say_where_elements_lie() {
        for layout in layouts() {
            let formula = Formula::of(&layout);
            let [channels, height, width] = layout.parts().shape;
            for c in 0..channels {
                for (h, w) in (0..height).flat_map(|h| (0..width).map(move |w| (h, w))) {
                    let place = layout.place([c, h, w]);
                    let found = [&formula.ciphertext, &formula.slot].map(|e| at(e, [c, h, w]));
                    let expected = [place.ciphertext, place.slot].map(u64::from);
                    assert_eq!(found, expected, "{layout} at {c} {h} {w}: {}", formula.slot);
                }
            }
        }
    }

    #[test]
    fn what_is_always_zero_is_left_out() {
        let shown = |shape, phases, gaps, plane| {
            let Formula { slot, ciphertext } = Formula::of(&layout(shape, phases, gaps, plane));
            format!("{slot}; {ciphertext}")
        };
        assert_eq!(
            shown([64, 16, 16], [1, 1], [2, 2], 1024),
            "1024*(c div 4 mod 8) + 32*(2*h + c mod 4 div 2) + 2*w + c mod 2; c div 32"
        );
        assert_eq!(shown([1, 28, 28], [1, 1], [1, 1], 784), "28*h + w; 0");
        assert_eq!(shown([10, 1, 1], [1, 1], [1, 1], 1), "c; 0");
        assert_eq!(
            shown([3, 128, 128], [2, 2], [1, 1], 4096),
            "4096*(c mod 2) + 64*(h div 2) + w div 2; 4*(c div 2) + 2*(h mod 2) + w mod 2"
        );
        assert_eq!(shown([2, 4, 4], [1, 1], [1, 2], 32), "8*h + 2*w + c; 0");
    }
}
