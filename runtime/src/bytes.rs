//! Numbers of bytes as people read them.

/// Bytes for reading, never less than there are.
pub(crate) struct Bytes(pub(crate) u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let power = (self.0.ilog2() / 10).min(UNITS.len() as u32);
        let unit = UNITS.get(power as usize - 1).unwrap_or(&"KiB");
        let value = self.0 as f64 / 1024f64.powi(power as i32);
        write!(f, "{:.1} {unit}", (value * 10.0).ceil() / 10.0)
    }
}
