//! What the service takes, and how busy the machine is.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::unistd::{SysconfVar, sysconf};

/// A service, to be looked at.
pub(super) struct Watch {
    pid: i32,
    store: PathBuf,
}

/// What it takes at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Bytes of memory, of the tracer.
    pub(super) resident: u64,
    /// Bytes of its store.
    pub(super) store: u64,
    /// Processor time in seconds, of the tracer and of the process that answers HTTP.
    processor: f64,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "resident={} store={} processor={:.2}", self.resident, self.store, self.processor)
    }
}

impl Watch {
    pub(super) fn of(pid: i32, store: &str) -> Self {
        Self { pid, store: store.into() }
    }

    pub(super) fn look(&self) -> anyhow::Result<Look> {
        let statm =
            fs::read_to_string(format!("/proc/{}/statm", self.pid)).context("the service has gone")?;
        let pages: u64 = statm.split_whitespace().nth(1).context("statm")?.parse()?;
        let page = sysconf(SysconfVar::PAGE_SIZE)?.context("no page size")?;
        let web = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid)).unwrap_or_default();
        let web: f64 = web.split_whitespace().filter_map(|pid| processor(pid).ok()).sum();
        Ok(Look {
            resident: pages * u64::try_from(page)?,
            store: size(&self.store)?,
            processor: processor(&self.pid.to_string())? + web,
        })
    }
}

/// Seconds of processor time that a process has taken.
fn processor(pid: &str) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("a process has gone")?;
    // The name before them may hold anything, so fields are counted from its end.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock")?;
    Ok(ticks as f64 / per_second as f64)
}

fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        // It may have been deleted just now.
        bytes += entry?.metadata().map_or(0, |file| file.len());
    }
    Ok(bytes)
}

/// How busy the processors of the machine were: ticks since it booted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Busy {
    busy: u64,
    all: u64,
}

impl Busy {
    pub(super) fn read() -> anyhow::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let ticks = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
        let ticks: Vec<u64> = ticks.filter_map(|field| field.parse().ok()).collect();
        // Those of guests, at the end, are in the others already; the fourth and fifth are idle.
        let all: u64 = ticks.iter().take(8).sum();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        Ok(Self { busy: all - idle, all })
    }

    pub(super) fn since(&self, before: &Self) -> Self {
        Self { busy: self.busy - before.busy, all: self.all - before.all }
    }
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "busy={:.4}", self.busy as f64 / self.all.max(1) as f64)
    }
}
