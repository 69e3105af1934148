//! What is planned, and where.

use super::cuts::Cut;
use crate::optimisation::Without;
use crate::tensor::Graph;

/// What is planned, and where.
#[derive(Clone, Copy, Debug)]
pub struct Place<'g> {
    /// The network.
    pub graph: &'g Graph,
    /// log2 of the slots of ciphertexts.
    pub log_slots: u32,
    /// After which node there are half as many.
    pub cut: Option<Cut>,
    /// What is left out: packings that are part of it are not considered.
    pub without: &'g Without,
}
