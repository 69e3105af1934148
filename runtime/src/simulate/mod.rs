//! Running a circuit on cleartext slots: how anyone tries a model in moments, and the oracle of the tests.
//!
//! Slots are `f64`, with imaginary parts once an operation makes them. Key switching, rescaling and levels leave slots
//! alone; level, scale and form are kept exactly and compared with the circuit's types after every instruction. With a
//! noise seed every instruction also disturbs its result as the noise model predicts.

mod evaluator;
mod noise;
mod random;
mod slots;

pub use evaluator::{Cipher, Digits, Headroom, Mismatch, Plain, Simulator};

use crate::exec::{self, ExecError, KeyResidence, Plan, PlanOptions, Progress, SharedPlains};
use crate::ports::{Arrays, PortError, PortView, check_names};
use noise::Noise;
use peregrine_ir::{Circuit, Inst, Port, Verified};

/// How to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The seed from which noise is drawn; none for exact arithmetic.
    pub noise: Option<u64>,
}

/// What a simulation gives.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The output tensors, as the model gives them.
    pub outputs: Arrays,
    /// The tensors that a client would decrypt, of which the steps of the circuit's outputs made the others.
    pub decrypted: Arrays,
    /// Where a message came closest to the modulus; none when every slot was zero.
    pub headroom: Option<Headroom>,
}

/// Runs a circuit on tensors, given by the names of its inputs.
///
/// # Errors
/// When a tensor is missing or has another shape, or the circuit holds a bootstrap.
pub fn run(
    circuit: &Verified,
    inputs: &Arrays,
    options: Options,
    progress: &dyn Progress,
) -> Result<Simulation, SimulateError> {
    let noise = options.noise.map(|seed| Noise::new(&circuit.ring, seed));
    let simulator = Simulator::new(circuit.ring.clone(), noise);
    check_names(inputs, circuit.inputs.iter().map(|p| p.name.as_str()))?;
    let mut ciphers = Vec::with_capacity(circuit.inputs.len());
    for port in &circuit.inputs {
        ciphers.push(encrypt(circuit, &simulator, port, inputs)?);
    }
    let plan = Plan::new(
        circuit,
        PlanOptions {
            window: 2 * rayon::current_num_threads(),
            plains: SharedPlains::Keep,
            keys: KeyResidence::All,
        },
    );
    let results = exec::run(circuit, &simulator, &plan, ciphers, progress)?;
    let (mut outputs, mut decrypted) = (Arrays::new(), Arrays::new());
    for (port, ciphers) in circuit.outputs.iter().zip(&results) {
        let slots: Vec<Vec<f64>> = ciphers.iter().map(|c| c.slots.re.clone()).collect();
        let array = view(circuit, port)?.unpack(&slots)?;
        outputs.insert(port.name.clone(), array.finished(&port.finish)?);
        decrypted.insert(port.name.clone(), array);
    }
    Ok(Simulation {
        outputs,
        decrypted,
        headroom: simulator.headroom(),
    })
}

fn encrypt(
    circuit: &Circuit,
    simulator: &Simulator,
    port: &Port,
    inputs: &Arrays,
) -> Result<Vec<Cipher>, SimulateError> {
    let packed = view(circuit, port)?.pack(inputs)?;
    let sealed = port.values.iter().zip(packed);
    Ok(sealed
        .filter_map(|(&value, slots)| match &circuit.values.get(value)?.inst {
            Inst::Input { level, scale } => Some(simulator.encrypt(slots, *level, scale.clone())),
            _ => None,
        })
        .collect())
}

fn view<'c>(circuit: &'c Circuit, port: &'c Port) -> Result<PortView<'c>, SimulateError> {
    let layout = circuit.layouts.get(port.layout);
    Ok(PortView {
        name: &port.name,
        shape: &port.shape,
        layout: layout.ok_or_else(|| SimulateError::Layout {
            port: port.name.clone(),
        })?,
    })
}

/// Why a simulation failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// An input tensor is wrong.
    #[error(transparent)]
    Input(#[from] PortError),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] ExecError<Mismatch>),
    /// A port without layout; does not happen for verified circuits.
    #[error("internal error: `{port}` has no layout")]
    Layout {
        /// The port.
        port: String,
    },
}
