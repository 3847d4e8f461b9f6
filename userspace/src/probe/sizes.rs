//! How much the kernel side has room for: as the user says, or as the host's memory allows.

use std::fs;

/// Sizes of what the kernel side keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of the ring buffer; a power of two.
    pub ring: u32,
    /// Connections that can be followed at a time.
    pub connections: u32,
    /// Only the iterator will run.
    pub is_look: bool,
}

impl Sizes {
    /// As given; what is not, goes by the host's memory. It is the same from one boot to the next, since a service takes over what an
    /// earlier one left in the kernel only if that has the same sizes.
    #[must_use]
    pub fn new(ring: Option<u32>, connections: Option<u32>) -> Self {
        let memory = memory();
        Self {
            ring: ring.unwrap_or_else(|| ring_for(memory)),
            connections: connections.unwrap_or_else(|| connections_for(memory)),
            is_look: false,
        }
    }

    /// Two ends for each connection, and their listeners.
    pub(super) const fn ends(self) -> u32 {
        self.connections.saturating_mul(2).saturating_add(1024)
    }
}

/// Memory of the host in bytes; 0 if it is not known.
fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0).saturating_mul(1024)
}

/// A connection comes to some 500 bytes of records from its start to its end: 32 MiB, from some 770 MiB of memory on, hold what 60,000
/// leave in one go, before anything of it is read.
fn ring_for(memory: u64) -> u32 {
    const LEAST: u64 = 8 << 20;
    const MOST: u64 = 64 << 20;
    // The largest power of two that is no more than a part of the memory; the bounds fit.
    (1_u64 << (memory / 24).max(1).ilog2()).clamp(LEAST, MOST) as u32
}

/// The two ends of a connection take some 200 bytes, which are taken at once: a hundredth of the memory.
fn connections_for(memory: u64) -> u32 {
    const LEAST: u64 = 16_384;
    const MOST: u64 = 131_072;
    // The bounds fit.
    (1_u64 << (memory / 12_288).max(1).ilog2()).clamp(LEAST, MOST) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_go_by_the_memory() {
        const MIB: u64 = 1 << 20;
        for (memory, ring, connections) in [
            (0, 8 << 20, 16_384),
            (256 * MIB, 8 << 20, 16_384),
            (512 * MIB, 16 << 20, 32_768),
            // What a kernel leaves of a gibibyte.
            (960 * MIB, 32 << 20, 65_536),
            (4096 * MIB, 64 << 20, 131_072),
            (u64::MAX, 64 << 20, 131_072),
        ] {
            assert_eq!((ring_for(memory), connections_for(memory)), (ring, connections), "{memory}");
        }
    }

    #[test]
    fn what_is_given_stays() {
        let sizes = Sizes::new(Some(4096), Some(16));
        assert_eq!((sizes.ring, sizes.connections, sizes.ends()), (4096, 16, 1056));
    }
}
