//! Budgets for evaluation keys.

/// A budget: the bytes that all evaluation keys of a circuit may take together in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyBudget {
    /// No limit: as many keys as make the run fastest.
    Unlimited,
    /// At most so many bytes.
    AtMost(u64),
    /// As few keys as make the predicted run at most `slower` times as long as it is without a limit, and at most `most` bytes.
    Knee {
        /// The factor by which a run may be longer; 1.05 is five per cent.
        slower: f64,
        /// The largest number of bytes, even where a run then takes longer than that.
        most: u64,
    },
}

impl KeyBudget {
    /// The budget where none is asked for: a run at most five per cent longer, and 4 GiB of keys, whatever the machine.
    pub const DEFAULT: Self = Self::Knee {
        slower: 1.05,
        most: 4 << 30,
    };
}
