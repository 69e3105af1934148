//! What a model may ask for, measured by the size of its file: a few bytes must not cost memory or minutes.
//!
//! Every limit is a base, enough for small networks of any architecture, and so much more for each byte of the file and for
//! each weight that is read. Networks of practice stay far below: VGG-16 at 224x224 has 138 million weights, 28 million
//! elements in its tensors and 15.5 billion products; YOLOv5n at 512x512 1.8 million weights and 60 million elements.
#![deny(clippy::indexing_slicing)]

use crate::onnx::problems::Problem;

/// The largest tensor that is compiled, whatever the file: some hundred ciphertexts.
const MAX_ELEMENTS: u64 = 1 << 24;

/// A limit: the base, and what each byte adds.
#[derive(Clone, Copy)]
struct Limit {
    base: u64,
    per_byte: u64,
}

/// Elements of one tensor: three channels of 800x800, or 32 of 256x256.
const TENSOR: Limit = Limit {
    base: 1 << 21,
    per_byte: 1 << 9,
};

/// Elements of all encrypted tensors.
const TENSORS: Limit = Limit {
    base: 1 << 23,
    per_byte: 1 << 10,
};

/// Products of all linear operators.
const PRODUCTS: Limit = Limit {
    base: 1 << 30,
    per_byte: 1 << 14,
};

/// Elements that are moved, which are planned one by one.
const MOVED: Limit = Limit {
    base: 1 << 18,
    per_byte: 1 << 8,
};

/// Products with matrices that are no convolutions, which are planned one by one.
const ENTRIES: Limit = Limit {
    base: 1 << 22,
    per_byte: 1 << 12,
};

/// Elements computed at compile time: constants, tables of movements.
const COMPUTED: Limit = Limit {
    base: 1 << 22,
    per_byte: 1 << 4,
};

/// Products of constants at compile time.
const WORK: Limit = Limit {
    base: 1 << 30,
    per_byte: 1 << 12,
};

/// Bytes that a weight counts for when it is read: those of a file beside the model are not in the model's.
const BYTES_PER_WEIGHT: u64 = 4;

/// The most nodes.
pub(in crate::onnx) const MAX_NODES: usize = 1 << 14;

/// The most inputs, and the most outputs.
pub(in crate::onnx) const MAX_PORTS: usize = 1 << 10;

/// What a model has asked for so far.
#[derive(Default)]
pub(in crate::onnx) struct Budget {
    bytes: u64,
    tensors: u64,
    products: u64,
    moved: u64,
    entries: u64,
    computed: u64,
    work: u64,
}

impl Budget {
    /// Counts bytes of the file.
    pub(in crate::onnx) fn bytes(&mut self, count: u64) {
        self.bytes = self.bytes.saturating_add(count);
    }

    /// Counts weights read.
    pub(in crate::onnx) fn read(&mut self, count: u64) {
        self.bytes(count.saturating_mul(BYTES_PER_WEIGHT));
    }

    fn limit(&self, limit: Limit) -> u64 {
        limit
            .base
            .saturating_add(self.bytes.saturating_mul(limit.per_byte))
    }

    /// Refuses a tensor that is too large by itself.
    pub(in crate::onnx) fn tensor(&self, found: u64) -> Result<(), Problem> {
        let limit = self.limit(TENSOR).min(MAX_ELEMENTS);
        within("the result", found, limit)
    }

    /// Counts an encrypted tensor.
    pub(in crate::onnx) fn add_tensor(&mut self, elements: u64) -> Result<(), Problem> {
        self.tensors = self.tensors.saturating_add(elements);
        within(
            "the encrypted tensors together",
            self.tensors,
            self.limit(TENSORS),
        )
    }

    /// Counts the products of a linear operator.
    pub(in crate::onnx) fn add_products(&mut self, count: u64) -> Result<(), Problem> {
        self.products = self.products.saturating_add(count);
        within(
            "the products of linear operators together",
            self.products,
            self.limit(PRODUCTS),
        )
    }

    /// Counts elements moved on ciphertexts.
    pub(in crate::onnx) fn add_moved(&mut self, count: u64) -> Result<(), Problem> {
        self.moved = self.moved.saturating_add(count);
        within(
            "the elements moved on ciphertexts",
            self.moved,
            self.limit(MOVED),
        )
    }

    /// Counts entries of matrices.
    pub(in crate::onnx) fn add_entries(&mut self, count: u64) -> Result<(), Problem> {
        self.entries = self.entries.saturating_add(count);
        within(
            "the products with matrices together",
            self.entries,
            self.limit(ENTRIES),
        )
    }

    /// Counts elements computed at compile time.
    pub(in crate::onnx) fn spend(&mut self, count: u64) -> Result<(), Problem> {
        self.computed = self.computed.saturating_add(count);
        within(
            "constants computed at compile time",
            self.computed,
            self.limit(COMPUTED),
        )
    }

    /// Counts products of constants.
    pub(in crate::onnx) fn work(&mut self, count: u64) -> Result<(), Problem> {
        self.work = self.work.saturating_add(count);
        within(
            "products of constants at compile time",
            self.work,
            self.limit(WORK),
        )
    }
}

fn within(what: &'static str, found: u64, limit: u64) -> Result<(), Problem> {
    if found <= limit {
        return Ok(());
    }
    Err(Problem::TooLarge { what, found, limit })
}
