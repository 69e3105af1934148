//! Uniform constants: one scalar for all slots.

use super::{Bound, FillError, Filler};
use crate::circuit::Constant;
use crate::entity::{Const, Entity, LayoutId};
use crate::layout::{Layout, Place};

impl Filler<'_> {
    /// The scalar of a uniform constant: the coefficient at the first slot where input and output both hold an element, 0
    /// where there is none. Whoever made the constant promises that every such slot has that coefficient.
    ///
    /// # Errors
    /// When the constant has slots, or it or a part it names does not exist; never for what a verified circuit multiplies by.
    pub fn scalar(&self, constant: Const) -> Result<f64, FillError> {
        Ok(self.coefficients(constant)?.next().unwrap_or(0.0))
    }

    /// Whether the coefficients of a uniform constant are equal in every slot where input and output both hold an element, as
    /// whoever made it promises. For tests; O(S).
    ///
    /// # Errors
    /// When [`Self::scalar`] has an error.
    pub fn is_uniform(&self, constant: Const) -> Result<bool, FillError> {
        let mut coefficients = self.coefficients(constant)?;
        let first = coefficients.next();
        Ok(coefficients.all(|coefficient| Some(coefficient) == first))
    }

    /// The coefficients of a uniform constant, one for each slot of the output that holds an element and sees one.
    fn coefficients(&self, constant: Const) -> Result<impl Iterator<Item = f64>, FillError> {
        let missing = || FillError::Missing { constant };
        let recipe = *self.circuit.constants.get(constant).ok_or_else(missing)?;
        let Constant::Uniform {
            operator,
            input,
            output,
            rotation,
        } = recipe
        else {
            return Err(FillError::Slots { constant });
        };
        let bound = self.operators.get(operator.index()).ok_or_else(missing)?;
        let Bound::Linear {
            map,
            input: x,
            output: y,
            ..
        } = bound
        else {
            return Err(missing());
        };
        let from = self.part(*x, input).ok_or_else(missing)?;
        let to = self.part(*y, output).ok_or_else(missing)?;
        let slots = to.layout.slots();
        let coefficient = move |slot: u32| {
            let row = to.element(slot)?;
            let column = from.element(slot.wrapping_add(rotation))?;
            Some(map.coefficient(row, column))
        };
        Ok((0..slots).filter_map(coefficient))
    }

    fn part(&self, layout: LayoutId, ciphertext: u32) -> Option<Part<'_>> {
        let layout = self.circuit.layouts.get(layout)?;
        (ciphertext < layout.ciphertexts()).then_some(Part { layout, ciphertext })
    }
}

/// One ciphertext of a layout, looked up slot by slot.
struct Part<'a> {
    layout: &'a Layout,
    ciphertext: u32,
}

impl Part<'_> {
    /// The element at a slot, counted modulo the slots.
    fn element(&self, slot: u32) -> Option<usize> {
        self.layout.element_flat(Place {
            ciphertext: self.ciphertext,
            slot: slot & (self.layout.slots() - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::text;
    use crate::{Const, Filler};

    /// A 1x2 kernel over rows of three pixels, `pitch` apart, and a gain per pixel.
    fn circuit(pitch: u32) -> crate::Circuit {
        let plane = 2 * pitch;
        let source = format!(
            r#"circuit %f security=none {{
    r0 = ring log_n=5
    l0 = layout gip shape=[1, 2, 3] phases=[1, 1] gaps=[1, 1] pitch={pitch} plane={plane} replicas=1 skew=0
    w0 = tensor "taps" [1, 1, 1, 2] = [0.75, -0.25]
    w1 = tensor "gain" [3] = [2.0, 3.0, 2.0]
    op0 = conv2d w0 [1, 1, 2, 3] l0 -> [1, 1, 2, 3] l0 kernel=[1, 2] strides=[1, 1] pads=[0, 0] dilations=[1, 1] groups=1
    op1 = scale w1 [1, 1, 2, 3] l0 -> [1, 1, 2, 3] l0
    c0 = uniform op0 in=0 out=0 rotation=0
    c1 = uniform op0 in=0 out=0 rotation=1
    c2 = uniform op1 in=0 out=0 rotation=0
    c3 = uniform op0 in=0 out=0 rotation=9
}}"#
        );
        text::parse(&source).unwrap()
    }

    fn found(pitch: u32) -> Vec<(f64, bool)> {
        let circuit = circuit(pitch);
        let filler = Filler::new(&circuit).unwrap();
        (0..4)
            .map(|c| {
                let c = Const(c);
                (filler.scalar(c).unwrap(), filler.is_uniform(c).unwrap())
            })
            .collect()
    }

    #[test]
    fn the_first_slot_decides_and_disagreement_is_seen() {
        // With a slot between rows the second tap meets no pixel of the next row; no element is nine slots from another.
        let gain = (2.0, false);
        assert_eq!(found(4), [(0.75, true), (-0.25, true), gain, (0.0, true)]);
        // Without it the last pixel of a row sees the first of the next, which is no tap of it.
        assert_eq!(found(3), [(0.75, true), (-0.25, false), gain, (0.0, true)]);
    }
}
