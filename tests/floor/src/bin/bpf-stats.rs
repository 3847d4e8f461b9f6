//! Prints what the kernel counted for each loaded eBPF program: `name=N runs=R time=T`, where T is nanoseconds. The
//! kernel counts while `/proc/sys/kernel/bpf_stats_enabled` is 1.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};

use anyhow::Context as _;
use aya::programs::loaded_programs;

fn main() -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for program in loaded_programs() {
        let program = program.context("listing the loaded programs")?;
        let descriptor = program.fd().context("opening a loaded program")?;
        let path = format!("/proc/self/fdinfo/{}", descriptor.as_fd().as_raw_fd());
        let counts = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let runs = count(&counts, "run_cnt:").context("this kernel does not count runs")?;
        let time = count(&counts, "run_time_ns:").context("this kernel does not time runs")?;
        if runs > 0 {
            let name = program.name_as_str().filter(|name| !name.is_empty()).unwrap_or("nameless");
            writeln!(out, "name={name} runs={runs} time={time}")?;
        }
    }
    Ok(())
}

fn count(fdinfo: &str, name: &str) -> Option<u64> {
    fdinfo.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
