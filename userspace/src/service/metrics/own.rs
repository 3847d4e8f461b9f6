//! What the service itself costs.

use std::fs;

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};

use crate::service::archive::Progress;

/// What the service itself costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Own {
    /// When it began: milliseconds since 1970, UTC.
    pub started_ms: i64,
    /// Processor time in seconds, of the tracer alone.
    pub cpu_seconds: f64,
    /// Memory that is in use, in bytes, of the tracer alone.
    pub resident_bytes: u64,
    /// Size of the store, in bytes; None without one.
    pub store_bytes: Option<u64>,
    /// How archiving goes; None if nothing is archived.
    pub archive: Option<Progress>,
    /// Events that the page and the API missed because a reader was slow.
    pub events_dropped: u64,
    /// How often the process that answers HTTP had to be started again.
    pub web_restarts: u64,
    /// What became of alerts, at all sinks together.
    pub alerts: AlertCounts,
}

/// What became of notifications of alerts, at all sinks together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertCounts {
    /// Notifications that arrived.
    pub delivered: u64,
    /// Those that were given up: a file was not writable, or a server would not have them.
    pub refused: u64,
    /// Those that found no room in a queue.
    pub dropped: u64,
    /// Attempts that failed and were or will be made again.
    pub retried: u64,
    /// Those that wait now.
    pub waiting: u64,
}

impl Own {
    /// Of this process now. What cannot be read is 0.
    #[must_use]
    pub fn read() -> Self {
        let usage = getrusage(UsageWho::RUSAGE_SELF);
        let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        Self {
            cpu_seconds: usage.map_or(0.0, |usage| seconds(usage.user_time()) + seconds(usage.system_time())),
            resident_bytes: resident_pages(&statm).unwrap_or(0).saturating_mul(page_size()),
            ..Self::default()
        }
    }
}

/// The second number of `/proc/PID/statm`.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read() {
        assert_eq!(resident_pages("1000 250 30 4 0 60 0\n"), Some(250));
        for bad in ["", "1000", "1 x 2"] {
            assert_eq!(resident_pages(bad), None, "{bad:?}");
        }
        let own = Own::read();
        assert!(own.resident_bytes > 1 << 16 && own.cpu_seconds >= 0.0);
    }
}
