//! Which evaluation keys are to be made.

use super::ClientError;
use crate::wire::{KeyFile, WireError};
use peregrine_ir::{Interface, Key, KeyShape, Level, Security};

/// An order of evaluation keys that serve some circuits, each key once: where two circuits use keys of one kind, the smallest
/// key that covers both.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyOrder {
    shapes: Vec<KeyShape>,
    security: Security,
}

impl KeyOrder {
    /// The order of the keys that circuits declare, in the order of the circuits.
    ///
    /// # Errors
    /// When two circuits use one degree with primes that do not go together, or a key that covers two would have a modulus beyond
    /// the line of a circuit that promises security.
    pub fn covering<'i>(
        interfaces: impl IntoIterator<Item = &'i Interface>,
    ) -> Result<Self, ClientError> {
        let mut order = Self {
            shapes: Vec::new(),
            security: Security::None,
        };
        let mut names: Vec<&str> = Vec::new();
        for interface in interfaces {
            if interface.security() == Security::Classical128 {
                order.security = Security::Classical128;
            }
            for (&key, &level) in &interface.keys().levels {
                let wanted = wanted(interface, key, level)?;
                order.add(wanted, interface.name(), &mut names)?;
            }
        }
        for shape in &order.shapes {
            shape
                .check_security(order.security)
                .map_err(WireError::from)?;
        }
        Ok(order)
    }

    /// Adds a key of the circuit of a name; `names` says which circuit each was first added for.
    fn add<'i>(
        &mut self,
        wanted: KeyShape,
        name: &'i str,
        names: &mut Vec<&'i str>,
    ) -> Result<(), ClientError> {
        let known = self.shapes.iter_mut().zip(names.iter());
        let mut alike = known.filter(|(known, _)| known.is_kind_of(&wanted));
        match alike.next() {
            None => {
                self.shapes.push(wanted);
                names.push(name);
            }
            Some((known, other)) => {
                let joined = known.join(&wanted);
                *known = joined.ok_or_else(|| ClientError::Incompatible {
                    one: (*other).to_owned(),
                    other: name.to_owned(),
                    log_n: wanted.log_n(),
                    differs: difference(known, &wanted),
                })?;
            }
        }
        Ok(())
    }

    /// This order without the keys that files have already; these must be of secure moduli where a circuit promises security.
    ///
    /// # Errors
    /// When one of the files has a key with a modulus beyond the line.
    pub fn without(mut self, files: &[&KeyFile]) -> Result<Self, ClientError> {
        for known in files.iter().flat_map(|file| file.shapes()) {
            known
                .check_security(self.security)
                .map_err(WireError::from)?;
            self.shapes.retain(|wanted| !known.covers(wanted));
        }
        Ok(self)
    }

    /// The security that the circuits promise: 128 bits, if one of them does.
    pub fn security(&self) -> Security {
        self.security
    }

    /// The shapes of the ordered keys.
    pub fn shapes(&self) -> &[KeyShape] {
        &self.shapes
    }

    /// Bytes of all ordered keys in a file.
    pub fn bytes(&self) -> u64 {
        self.shapes.iter().map(KeyShape::bytes).sum()
    }
}

fn wanted(interface: &Interface, key: Key, level: Level) -> Result<KeyShape, ClientError> {
    let shape = KeyShape::of(interface.rings(), key, level);
    Ok(shape.ok_or(WireError::UnknownKey { key })?)
}

/// Why no key covers both of two that are of one kind.
fn difference(one: &KeyShape, other: &KeyShape) -> &'static str {
    if one.special() != other.special() {
        return "special primes";
    }
    let shares = one.digits().iter().flatten();
    let mut shares = shares.filter(|&&prime| other.digit_of(prime).is_some());
    match shares.next() {
        None => "primes",
        Some(_) => "digits of primes",
    }
}
