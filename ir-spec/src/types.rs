//! The types of values: ciphertexts, plaintexts and digits.

use crate::ring::Level;
use crate::scale::Scale;

/// The type of a value; the text form prints it after every instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `ct<l, s>`, `ct<l, s, deg 2>`, `ct<l, s, ext>`: a ciphertext.
    Cipher {
        /// The level, which determines the modulus.
        level: Level,
        /// Its scale.
        scale: Scale,
        /// The form: number of parts, and whether it is extended.
        form: Form,
    },
    /// `pt<l, s>`, `pt<l, s, ext>`: an encoded plaintext.
    Plain {
        /// The level, which determines the modulus.
        level: Level,
        /// Its scale.
        scale: Scale,
        /// The modulus it is encoded for.
        basis: Basis,
    },
    /// `digits<l>`: the last part of a ciphertext, decomposed and raised to `Q_l * P`; hoisted rotations share it.
    Digits {
        /// The level of the ciphertext it came from.
        level: Level,
    },
}

/// The modulus of a plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Basis {
    /// `Q_l`.
    Normal,
    /// `Q_l * P`.
    Extended,
}

/// The form of a ciphertext: its number of parts and its modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Form {
    /// Two parts modulo `Q_l`.
    Normal,
    /// Three parts modulo `Q_l`: a product before relinearization.
    Product,
    /// Two parts modulo `Q_l * P` that carry `P` times the message: what a key switch gives before `mod_down`.
    Extended,
}

impl Type {
    /// Whether the modulus is `Q_l * P`.
    pub fn is_extended(&self) -> bool {
        match self {
            Self::Cipher { form, .. } => form.basis() == Basis::Extended,
            Self::Plain { basis, .. } => *basis == Basis::Extended,
            Self::Digits { .. } => true,
        }
    }
}

impl Form {
    /// The basis of a plaintext that can be added to a ciphertext of this form or multiplied by it.
    pub fn basis(self) -> Basis {
        match self {
            Self::Normal | Self::Product => Basis::Normal,
            Self::Extended => Basis::Extended,
        }
    }
}

impl Type {
    /// The type of a ciphertext of two parts modulo `Q_l`.
    pub fn cipher(level: Level, scale: Scale) -> Self {
        Self::Cipher {
            level,
            scale,
            form: Form::Normal,
        }
    }

    /// The level of the value.
    pub fn level(&self) -> Level {
        match self {
            Self::Cipher { level, .. } | Self::Plain { level, .. } | Self::Digits { level } => {
                *level
            }
        }
    }

    /// The scale of the value; `None` for digits.
    pub fn scale(&self) -> Option<&Scale> {
        match self {
            Self::Cipher { scale, .. } | Self::Plain { scale, .. } => Some(scale),
            Self::Digits { .. } => None,
        }
    }

    /// The type in the text form, with scales in units of `D = 2^unit_bits`.
    pub fn display(&self, unit_bits: u32) -> String {
        match self {
            Self::Cipher { level, scale, form } => {
                let suffix = match form {
                    Form::Normal => "",
                    Form::Product => ", deg 2",
                    Form::Extended => ", ext",
                };
                format!("ct<{level}, {}{suffix}>", scale.display(unit_bits))
            }
            Self::Plain {
                level,
                scale,
                basis,
            } => {
                let suffix = match basis {
                    Basis::Normal => "",
                    Basis::Extended => ", ext",
                };
                format!("pt<{level}, {}{suffix}>", scale.display(unit_bits))
            }
            Self::Digits { level } => format!("digits<{level}>"),
        }
    }
}
