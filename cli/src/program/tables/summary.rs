//! What identifies a circuit, as rows.

use peregrine::Security;
use peregrine::summary::{CircuitSummary, SmallRingSummary};
use peregrine::words::count;

/// The summary of a circuit as rows of a table.
pub fn rows(circuit: &CircuitSummary) -> Vec<[String; 2]> {
    let security = modulus(
        circuit.security,
        circuit.modulus_bits,
        circuit.modulus_limit_bits,
    );
    let chain = format!(
        "{} ({} of {:.0} bits together, and {} of {:.0})",
        circuit.levels,
        count(circuit.primes, "prime"),
        circuit.chain_bits,
        count(circuit.special_primes, "special prime"),
        circuit.special_bits
    );
    let ring = format!("N = 2^{}, {} slots", circuit.log_n, circuit.slots);
    let short = circuit.fingerprint.get(..16).unwrap_or_default();
    let name = format!("{} ({short})", circuit.name);
    let rows = [
        ("circuit", name),
        ("ring", ring),
        ("security", security),
        ("levels", chain),
    ];
    let small = circuit.small_ring.as_ref().map(|small| {
        let security = modulus(
            circuit.security,
            small.modulus_bits,
            small.modulus_limit_bits,
        );
        let SmallRingSummary {
            log_n,
            slots,
            levels,
            ..
        } = small;
        let levels = match circuit.sparse_secret {
            Some(_) => format!("{levels} levels on the way into a refresh"),
            None => format!("the lowest {levels} levels"),
        };
        let text = format!("N = 2^{log_n}, {slots} slots, {levels}; {security}");
        ("small ring", text)
    });
    let sparse = circuit.sparse_secret.as_ref().map(|sparse| {
        let (bits, limit) = (sparse.modulus_bits, sparse.modulus_limit_bits);
        let security = modulus(circuit.security, bits, limit);
        let weight = sparse.weight;
        let text = format!("weight {weight}, where moduli are raised; {security}");
        ("sparse secret", text)
    });
    let rows = rows.into_iter().chain(small).chain(sparse);
    rows.map(|(what, value)| [what.to_owned(), value]).collect()
}

/// What the modulus of a ring means for its security.
fn modulus(security: Security, bits: f64, limit: Option<u32>) -> String {
    match (security, limit) {
        (Security::Classical128, Some(limit)) => {
            format!("128 bits: modulus of {bits:.0} bits, limit {limit}")
        }
        (Security::Classical128, None) => "128 bits".to_owned(),
        (Security::None, _) => format!("NONE: modulus of {bits:.0} bits"),
    }
}
