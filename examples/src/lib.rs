//! Models and programs to read first.
//!
//! - `encrypted_digit.rs`: the three roles (model owner, client, server) in one small program.
//! - `digits/`: the network it runs, with the script that trains it and fifty test images.
