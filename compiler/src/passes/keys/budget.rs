//! How much evaluation keys may take.

/// Most bytes that all evaluation keys of a circuit may take together, in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyBudget {
    /// As many as make the run fastest.
    Unlimited,
    /// No more than these.
    AtMost(u64),
    /// As few as leave the predicted run no more than `slower` times as long as it is without a limit, and never more than `most`.
    Knee {
        /// How much longer a run may take; 1.05 is five per cent.
        slower: f64,
        /// Most bytes, even where a run then takes longer than that.
        most: u64,
    },
}

impl KeyBudget {
    /// Keys that make a run at most five per cent longer, of at most 4 GiB: the same on every machine.
    pub const DEFAULT: Self = Self::Knee {
        slower: 1.05,
        most: 4 << 30,
    };
}
