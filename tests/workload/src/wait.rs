//! Bounded waiting for a condition.

use std::time::{Duration, Instant};

/// Emulated machines are slow: a bound is there to end a hang, not to measure.
const BOUND: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
///
/// # Errors
/// When it fails, or does not hold within a minute.
pub fn until(what: &str, mut condition: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let start = Instant::now();
    while !condition()? {
        anyhow::ensure!(start.elapsed() < BOUND, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
