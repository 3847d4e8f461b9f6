//! `cargo xtask demo`: sockleak at work on a real HAProxy, in a VM.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use crate::setup::{self, Wants};
use crate::vm::{self, Guest, VmSpec, kernels};
use crate::{build, paths};

/// The demo itself takes a quarter of this.
const LIMIT: Duration = Duration::from_secs(120);
const HAPROXY: &str = "global\n    nbthread 1\n\
                       defaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\
                       frontend web\n    bind 127.0.0.1:8080\n";
/// The clients, by the names that the report shall show. Both are the same program, which does as it is told.
const CLIENTS: [&str; 2] = ["/usr/bin/metrics-exporter", "/usr/bin/cert-renewer"];

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The kernel to boot: 5.10, 6.1, 6.12 or 7.2
    #[arg(long, value_name = "SERIES", default_value = "6.1")]
    kernel: String,
}

/// Sets up, builds, boots and shows.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let series = kernels::series(&args.kernel)?;
    setup::ensure(Wants { build: true, guest: true, kernels: &[series.name], ..Wants::default() })?;
    eprintln!("demo: building sockleak");
    build::release(&["sockleak", "workload"])?;

    let kernel = kernels::get(series.name)?;
    eprintln!("demo: booting {} in QEMU", kernel.package);
    let mut guest = Guest::new()?;
    guest.add(&paths::release().join("sockleak"), Path::new("/usr/bin/sockleak"))?;
    for name in CLIENTS {
        guest.add(&paths::release().join("demo-client"), Path::new(name))?;
    }
    guest.bytes("/etc/haproxy/haproxy.cfg", HAPROXY.into(), 0o644);
    guest.bytes("/usr/bin/demo", include_bytes!("guest.sh").to_vec(), 0o755);

    let mut spec = VmSpec::new("demo", kernel, guest, vec!["/usr/bin/demo".into()]);
    spec.timeout = LIMIT;
    spec.env = vm::cli::terminal_env();
    let outcome = vm::run(&spec, &mut io::stdout())?;
    Ok(ExitCode::from(outcome.status))
}
