//! Divides by P after products in place of before them: rotations meet their constants in the extended basis.
//!
//! ```text
//! v2 = rotate_ext v0, v1, 1                       v2 = rotate_ext v0, v1, 1
//! v3 = mod_down v2                                v4 = rotate_ext v0, v1, 2
//! v4 = rotate_ext v0, v1, 2                  =>   v6 = encode c0 : ext      v7 = encode c1 : ext
//! v5 = mod_down v4                                v8 = dot [v2, v4] [v6, v7]
//! v9 = dot [v0, v3, v5] [v8, v6, v7]              v9 = mod_down v8
//!                                                 v11 = mul_plain v0, v10   v12 = add v9, v11
//! ```
//! Applies to divisions whose only uses are products with constants: in `dot`, `mul_plain`, `dot_scalar`. One division per sum of
//! products replaces one per rotation, but every product and every encoded constant grows by the special primes. So it is
//! a matter of cost, see [`choose`]. Where the sum of products is itself a term of an `add`, its parts become terms of that
//! one, where `sink-mod-down` joins its division with others.

mod choose;
mod product;

use super::Pass;
use super::rebuild::{Rebuild, uses};
use crate::optimisation::Optimisation;
use choose::{Choice, choose};
use peregrine_ir::cost::CostModel;
use peregrine_ir::{Arena, Basis, Circuit, Definition, Inst, SecondaryMap, TypeError, Value};
use product::Product;
use std::collections::BTreeMap;

pub const PASS: Pass = Pass {
    name: "double-hoist",
    summary: "divide by P after products where that is cheaper",
    part_of: Some(Optimisation::DoubleHoisting),
    run,
};

fn run(circuit: Circuit, cost: &CostModel) -> Result<Circuit, TypeError> {
    let uses = uses(&circuit);
    let choice = choose(&circuit, cost, &uses);
    let (rebuild, old) = Rebuild::new(circuit);
    let mut mover = Mover {
        old: &old,
        choice,
        uses,
        rebuild,
        raised: BTreeMap::new(),
        parts: BTreeMap::new(),
    };
    for (value, definition) in old.iter() {
        mover.rebuild.begin(value, definition)?;
        mover.visit(value, definition)?;
    }
    mover.rebuild.finish()
}

struct Mover<'c> {
    old: &'c Arena<Value, Definition>,
    choice: Choice,
    uses: SecondaryMap<Value, u32>,
    rebuild: Rebuild,
    /// The plaintexts that were encoded anew modulo `Q_l P`, by their old names.
    raised: BTreeMap<Value, Value>,
    /// The new values of the parts of a sum of products that is a term of a sum.
    parts: BTreeMap<Value, Vec<Value>>,
}

impl Mover<'_> {
    fn visit(&mut self, value: Value, definition: &Definition) -> Result<(), TypeError> {
        let Choice { moved, summed, .. } = &self.choice;
        if moved.contains_key(&value) || self.is_raised_only(value) {
            return Ok(());
        }
        let product = Product::of(&definition.inst);
        let product = product.filter(|p| p.ciphers().any(|a| moved.contains_key(&a)));
        let new = match (product, &definition.inst) {
            (Some(product), _) => {
                let is_summed = summed.contains_key(&value);
                let parts = self.product(product)?;
                match parts.as_slice() {
                    _ if is_summed => {
                        self.parts.insert(value, parts);
                        return Ok(());
                    }
                    [only] => *only,
                    _ => self.rebuild.builder().push(Inst::Add(parts))?,
                }
            }
            (None, Inst::Add(terms)) => self.sum(terms)?,
            (None, _) => self.rebuild.copy(definition)?,
        };
        self.rebuild.set(value, new);
        Ok(())
    }

    /// Emits a sum of products as the division of its extended part, and the rest.
    fn product(&mut self, product: Product) -> Result<Vec<Value>, TypeError> {
        let (mut raised, mut rest) = product.partition(|a| self.choice.moved.contains_key(&a));
        raised.try_map_ciphers(|a| self.rebuild.new_name(self.choice.moved[&a]))?;
        raised.try_map_plains(|p| self.raise(p))?;
        let raised = self.rebuild.builder().push(raised.into_inst())?;
        let mut parts = vec![self.rebuild.builder().push(Inst::ModDown(raised))?];
        if !rest.is_empty() {
            rest.try_map_ciphers(|a| self.rebuild.new_name(a))?;
            rest.try_map_plains(|p| self.rebuild.new_name(p))?;
            parts.push(self.rebuild.builder().push(rest.into_inst())?);
        }
        Ok(parts)
    }

    fn sum(&mut self, terms: &[Value]) -> Result<Value, TypeError> {
        let mut flat = Vec::with_capacity(terms.len());
        for &term in terms {
            match self.parts.get(&term) {
                Some(parts) => flat.extend(parts),
                None => flat.push(self.rebuild.new_name(term)?),
            }
        }
        self.rebuild.builder().push(Inst::Add(flat))
    }

    /// The constant of a plaintext, encoded modulo `Q_l P`.
    fn raise(&mut self, plain: Value) -> Result<Value, TypeError> {
        if let Some(&raised) = self.raised.get(&plain) {
            return Ok(raised);
        }
        let raised = match &self.old[plain].inst {
            Inst::Encode {
                constant,
                imaginary,
                level,
                scale,
                basis: _,
            } => self.rebuild.builder().push(Inst::Encode {
                constant: *constant,
                imaginary: *imaginary,
                level: *level,
                scale: scale.clone(),
                basis: Basis::Extended,
            })?,
            // No product with another one is chosen.
            _ => self.rebuild.new_name(plain)?,
        };
        self.raised.insert(plain, raised);
        Ok(raised)
    }

    /// Whether a plaintext has uses, all of which need it modulo `Q_l P` now.
    fn is_raised_only(&self, value: Value) -> bool {
        let uses = self.uses[value];
        uses > 0 && self.choice.raised_uses.get(&value) == Some(&uses)
    }
}
