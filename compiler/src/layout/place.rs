//! The task of the layout search: a network, the slots of ciphertexts, and what is left out.

use super::cuts::Cut;
use crate::optimisation::Without;
use crate::tensor::Graph;

/// The task of the layout search: which network is planned, and for which slots.
#[derive(Clone, Copy, Debug)]
pub struct Place<'g> {
    /// The network.
    pub graph: &'g Graph,
    /// log2 of the slots of ciphertexts.
    pub log_slots: u32,
    /// The node after which ciphertexts have half as many slots, if there is one.
    pub cut: Option<Cut>,
    /// Optimisations that are left out: packings that are part of them are not considered.
    pub without: &'g Without,
}
