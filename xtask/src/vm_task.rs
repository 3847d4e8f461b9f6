//! `cargo xtask vm`: any command in a VM.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::arch::Arch;
use crate::setup::{self, Wants};
use crate::vm::{self, Guest, VmSpec, debian, kernels};
use crate::{build, paths};

/// Arguments of `cargo xtask vm`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The kernel to boot: 5.10, 6.1, 6.12, 6.12-rt, 7.2 or 7.3; for arm64 5.10, 6.1, 6.12, 6.12-16k or 7.2
    #[arg(long, value_name = "SERIES", default_value = "6.1")]
    kernel: String,
    /// The processor: arm64 is emulated, and takes some times as long
    #[arg(long, value_enum, default_value_t, conflicts_with = "debian")]
    arch: Arch,
    /// Put a file or folder into the guest, with the libraries it needs; may be repeated
    #[arg(long, value_name = "HOST:GUEST", value_parser = parse_add)]
    add: Vec<(PathBuf, PathBuf)>,
    /// More arguments for the kernel's command line; may be repeated
    #[arg(long, value_name = "KARGS", allow_hyphen_values = true)]
    append: Vec<String>,
    /// More arguments for QEMU, one at a time; may be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    qemu: Vec<OsString>,
    /// Stop the guest after this time
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = parse_seconds)]
    timeout: Duration,
    /// Processors of the guest
    #[arg(long, value_name = "N", default_value_t = 2)]
    smp: u32,
    /// Memory of the guest in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: u32,
    /// Where to put what the command leaves under /out [default: a folder in .cache/out]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Take sockleak as it was built last
    #[arg(long)]
    no_build: bool,
    /// Boot a whole Debian with systemd, in place of BusyBox
    #[arg(long)]
    debian: bool,
    /// Boot a whole Debian with container engines
    #[arg(long, conflicts_with = "debian")]
    containers: bool,
    /// Leave sockleak out
    #[arg(long)]
    bare: bool,
    /// The command and its arguments, exactly as the guest shall see them
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

/// Runs the command; its exit status becomes ours.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let arch = args.arch;
    let series = [kernels::series_for(arch, &args.kernel)?.name];
    let build = !args.bare && !args.no_build;
    let wants = Wants { build, guest: true, ..Wants::default() };
    let wants = Wants { debian: args.debian, containers: args.containers, ..wants };
    setup::ensure(match arch {
        Arch::Amd64 => Wants { kernels: &series, ..wants },
        Arch::Arm64 => Wants { cross: build, arm64: true, arm64_kernels: &series, ..wants },
    })?;
    if build {
        build::release_for(arch, if arch == Arch::Amd64 { &["sockleak"] } else { &build::FOR_TESTS })?;
    }
    let mut guest = if args.debian {
        Guest::debian(&debian::System::Servers.get()?)?
    } else if args.containers {
        Guest::containers(&debian::System::Containers.get()?, &kernels::get(&args.kernel)?)?
    } else {
        Guest::new_for(arch)?
    };
    if !args.bare {
        guest.add(&paths::release_for(arch).join("sockleak"), "/usr/bin/sockleak".as_ref())?;
    }
    for (host, place) in &args.add {
        guest.add(host, place)?;
    }
    let mut spec = VmSpec::new("vm", kernels::get_for(arch, &args.kernel)?, guest, args.command);
    spec.append = args.append;
    spec.qemu = args.qemu;
    spec.timeout = args.timeout;
    spec.smp = args.smp;
    spec.memory = args.memory;
    spec.out = args.out;
    spec.env = terminal_env();
    let outcome = vm::run(&spec, &mut io::stdout())?;
    if let Some(out) = outcome.out {
        eprintln!("/out is in {}", out.display());
    }
    Ok(ExitCode::from(outcome.status))
}

/// The guest's output line is a terminal to its programs; colours are for us only if we have one as well.
pub(crate) fn terminal_env() -> Vec<(String, OsString)> {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain || !io::stdout().is_terminal() {
        return vec![("NO_COLOR".into(), "1".into()), ("TERM".into(), "dumb".into())];
    }
    vec![("TERM".into(), std::env::var_os("TERM").unwrap_or_else(|| "xterm".into()))]
}

fn parse_add(text: &str) -> Result<(PathBuf, PathBuf)> {
    let (host, place) = text.rsplit_once(':').ok_or_else(|| anyhow!("expected HOST:GUEST, two paths"))?;
    if host.is_empty() || !place.starts_with('/') {
        return Err(anyhow!("expected HOST:GUEST, where GUEST begins with a slash"));
    }
    Ok((host.into(), place.into()))
}

fn parse_seconds(text: &str) -> Result<Duration> {
    let seconds: u64 =
        text.trim_end_matches('s').parse().map_err(|_| anyhow!("expected seconds, like 300"))?;
    if seconds == 0 {
        return Err(anyhow!("a guest needs more than no time"));
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_are_two_paths() {
        assert_eq!(parse_add("a:b:/c").expect("good"), ("a:b".into(), "/c".into()));
        for bad in ["a", ":/c", "a:c", ""] {
            assert!(parse_add(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds_may_carry_their_unit() {
        assert_eq!(parse_seconds("300s").expect("good"), Duration::from_secs(300));
        assert_eq!(parse_seconds("5").expect("good"), Duration::from_secs(5));
        for bad in ["", "0", "m", "-1", "5m"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }
}
