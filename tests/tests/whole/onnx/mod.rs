//! The ONNX front end against tract and ONNX Runtime.

mod finish;
mod frontend;
mod magnitudes;
mod movement;
mod operators;
mod oracle;
mod random;
mod stored;
