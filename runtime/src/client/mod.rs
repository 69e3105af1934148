//! The client: makes keys, encrypts inputs, decrypts outputs. Knows the interface of a circuit, never its weights.
//!
//! A [`Secret`] is wiped when dropped and does not print itself. Decrypted values carry noise that depends on it: whoever
//! gives them away floods them first, see [`Client::decrypt`].
//!
//! # References
//! - \[LM21\] Li, Micciancio, *On the Security of Homomorphic Encryption on Approximate Numbers*.
//!   <https://eprint.iacr.org/2020/1533>

mod decrypt;
mod encrypt;
mod error;
mod flood;
mod keys;
mod order;
mod secret;

pub use decrypt::Decryption;
pub use error::ClientError;
pub use flood::Flood;
pub use order::KeyOrder;
pub use secret::Secret;

use crate::binding;
use crate::params::Rings;
use crate::ports::PortView;
use crate::range;
use peregrine_ir::binary::Fingerprint;
use peregrine_ir::{Interface, InterfacePort, RingTable};
use std::sync::Arc;

/// The client of one circuit. Its secret key serves others, too.
///
/// ```
/// # use peregrine_ir::{text, verify};
/// # let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/square.fhe"));
/// # let circuit = verify(text::parse(text)?)?;
/// use peregrine_ir::{Interface, Shape};
/// use peregrine_runtime::{client::Client, ports::Array, ring::Randomness};
///
/// // The interface has parameters, packings and a list of keys, and no weights.
/// let client = Client::new(Interface::of(&circuit))?;
/// let mut randomness = Randomness::from_os();
/// let secret = client.generate_secret(&mut randomness)?;
/// let keys = client.evaluation_keys(&secret, &mut randomness)?;
/// let x = Array::new(Shape::new([1, 8])?, vec![0.5; 8])?;
/// let inputs = client.encrypt(&secret, &[("x".to_owned(), x)].into(), &mut randomness)?;
/// // Keys and inputs go to a server, and outputs come back.
/// # let server = peregrine_runtime::server::Server::new(circuit)?;
/// # let session = server.session(std::sync::Arc::new(keys), server.resources())?;
/// # let outputs = session.run(inputs, &peregrine_runtime::exec::Silent)?;
/// let decryption = client.decrypt(&secret, &outputs, None)?;
/// assert!(decryption.faults.is_empty());
/// assert!(decryption.outputs["y"].data().iter().all(|y| (y - 0.25).abs() < 1e-3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    interface: Interface,
    rings: Arc<Rings>,
}

impl Client {
    /// The client of a circuit.
    ///
    /// # Errors
    /// When the engine cannot work with the circuit's rings.
    pub fn new(interface: Interface) -> Result<Self, ClientError> {
        let rings = binding::rings(interface.rings())?;
        Ok(Self { interface, rings })
    }

    /// The client interface of the circuit.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }
}

fn view(port: &InterfacePort) -> PortView<'_> {
    PortView {
        name: &port.name,
        shape: &port.shape,
        prepare: port.prepare.as_ref(),
        layout: &port.layout,
        range: port.range,
        largest: range::LARGEST,
    }
}

fn scale(port: &InterfacePort, ring: &RingTable) -> Result<f64, ClientError> {
    let value = port.scale.value(&ring.primes);
    value.ok_or_else(|| ClientError::Scale {
        port: port.name.clone(),
    })
}

fn check_circuit(
    what: &'static str,
    found: Fingerprint,
    interface: &Interface,
) -> Result<(), ClientError> {
    let expected = interface.fingerprint();
    if found == expected {
        return Ok(());
    }
    Err(ClientError::Foreign {
        what,
        found,
        expected,
    })
}
