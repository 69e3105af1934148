//! Wiring: linear maps that pass whole ciphertexts on, such as a concatenation at the border of a ciphertext, nearest upsampling,
//! insertion of zeros between phases, or a slice of phases.

use super::Packed;
use super::displacements::Moves;
use peregrine_ir::linear::{BoundMap, LinearKind};
use peregrine_ir::{Layout, LayoutId, Place};

/// The input ciphertext that each output ciphertext is; none for zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// The source of each output ciphertext.
    pub sources: Vec<Option<u32>>,
}

impl Wiring {
    /// The wiring by which `map` leads from one layout to another; `None` where it computes something.
    ///
    /// Cost: O(coordinates) where each axis moves by itself. Otherwise O(slots of all output ciphertexts), of one replica where replicas
    /// are alike; much less where the answer is `None`, which one element with its replicas mostly shows.
    pub fn of(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Option<Self> {
        if !matches!(map.map().kind, LinearKind::Gather(_)) || input.slots() != output.slots() {
            return None;
        }
        match Moves::of(map.map(), input, output) {
            Some(moves) => moves.wiring().map(|sources| Self { sources }),
            None => Self::by_elements(map, input, output),
        }
    }

    /// The wiring of any map between layouts with equally many slots, found element by element.
    pub(super) fn by_elements(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> Option<Self> {
        if !copies_agree(map, input, output) {
            return None;
        }
        let mut sources: Vec<Option<u32>> = vec![None; output.ciphertexts() as usize];
        for y in 0..output.elements() {
            let to = output.place_flat(y);
            let mut agrees = true;
            map.for_each_tap(y, |x, _| {
                let from = input.place_flat(x);
                let source = &mut sources[to.ciphertext as usize];
                agrees &= from.slot == to.slot
                    && *source.get_or_insert(from.ciphertext) == from.ciphertext;
            });
            if !agrees {
                return None;
            }
        }
        let wiring = Self { sources };
        wiring.is_exact(map, input, output).then_some(wiring)
    }

    /// Whether every slot of every output holds what its input holds there, replicas and zeros included.
    fn is_exact(&self, map: &BoundMap<'_>, input: &Layout, output: &Layout) -> bool {
        let deciding = deciding(input, output);
        (0u32..).zip(&self.sources).all(|(o, &source)| {
            (0..deciding).all(|slot| {
                let at = |ciphertext| Place { ciphertext, slot };
                let x = source.and_then(|i| input.element_flat(at(i)));
                match (output.element_flat(at(o)), x) {
                    (Some(y), Some(x)) => map.coefficient(y, x) == 1.0,
                    // A zero of the map may stand for a zero.
                    (Some(y), None) => {
                        let mut taps = 0;
                        map.for_each_tap(y, |_, _| taps += 1);
                        taps == 0
                    }
                    (None, Some(_)) => false,
                    (None, None) => true,
                }
            })
        })
    }

    /// The packed result: the ciphertexts of the operand under other numbers.
    pub fn emit(&self, x: &Packed, layout: LayoutId) -> Packed {
        let value = |source: &Option<u32>| x.values[(*source)? as usize];
        Packed {
            layout,
            values: self.sources.iter().map(value).collect(),
        }
    }
}

/// The number of slots of a ciphertext that decide about all of them: both layouts repeat after these, or skew their replicas
/// alike.
fn deciding(input: &Layout, output: &Layout) -> u32 {
    let turns = |layout: &Layout| {
        let parts = layout.parts();
        (parts.replicas, parts.skew, parts.jump, parts.run)
    };
    let alike = turns(input) == turns(output) || (input.is_aligned() && output.is_aligned());
    match alike {
        true => input.block().max(output.block()),
        false => output.slots(),
    }
}

/// Whether the first element that moves has its replicas where the result wants them.
fn copies_agree(map: &BoundMap<'_>, input: &Layout, output: &Layout) -> bool {
    let first = (0..output.elements()).find_map(|y| {
        let mut from = None;
        map.for_each_tap(y, |x, _| from = Some(x));
        Some((from?, output.place_flat(y).slot))
    });
    first.is_none_or(|(x, slot)| {
        let ciphertext = input.place_flat(x).ciphertext;
        (0..output.parts().replicas).all(|replica| {
            let slot = output.replica(slot, replica);
            input.element_flat(Place { ciphertext, slot }) == Some(x)
        })
    })
}
