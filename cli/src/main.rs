//! peregrine.
fn main() {}
