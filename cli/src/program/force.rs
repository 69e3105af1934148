//! `--force`.

/// `--force`.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Force {
    /// Write over files of another kind, and over .npy and .csv, which do not say what they are of, but never over a secret
    /// key; and write outputs that are garbage: the exit code is 3 all the same
    #[arg(long)]
    pub force: bool,
}

impl Force {
    /// Write over anything but a secret key.
    pub const ALL: Self = Self { force: true };
}
