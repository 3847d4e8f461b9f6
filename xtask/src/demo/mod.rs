//! `cargo xtask demo`: sockleak at work on a real HAProxy, in a VM.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io, thread};

use anyhow::{Context, Result, anyhow, ensure};

use crate::arch::Arch;
use crate::setup::{self, Wants};
use crate::vm::{self, Guest, VmSpec, kernels};
use crate::{build, paths, vm_task};

/// The demo itself takes a quarter of this.
const LIMIT: Duration = Duration::from_secs(120);
/// The kernel that is booted unless another is asked for.
const DEFAULT: &str = "6.1";
/// What the guest calls its recording.
const TRACE: &str = "ma.db";
const HAPROXY: &str = "global\n    nbthread 1\n\
                       defaults\n    mode http\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\
                       frontend web\n    bind 127.0.0.1:8080\n";
/// The clients, by the names that the report shall show. Both are the same program, which does as it is told.
const CLIENTS: [&str; 2] = ["/usr/bin/metrics-exporter", "/usr/bin/cert-renewer"];

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The kernel to boot: 5.10, 6.1, 6.12, 6.12-rt, 7.2 or 7.3; for arm64 5.10, 6.1, 6.12, 6.12-16k or 7.2
    #[arg(long, value_name = "SERIES", default_value = DEFAULT)]
    kernel: String,
    /// The processor: arm64 is emulated, and takes some times as long
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,
}

/// Sets up, builds, boots and shows.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let programs = built(args.arch, &args.kernel)?;
    let (status, trace) =
        play(args.arch, &args.kernel, &programs, vm_task::terminal_env(), &mut io::stdout())?;
    // What is built for another processor does not run here.
    if let Some(trace) = trace.filter(|_| args.arch == Arch::Amd64) {
        let (sockleak, trace) = (programs.join("sockleak"), trace.display().to_string());
        let sockleak = sockleak.display();
        eprintln!(
            "\ndemo: that was recorded; to look at it without root:\n  {sockleak} top --replay {trace}\n  \
             {sockleak} replay {trace}     # a page on http://127.0.0.1:9436"
        );
    }
    Ok(ExitCode::from(status))
}

/// Builds what is shown, while what the virtual machine needs is got: neither waits for the other.
fn built(arch: Arch, kernel: &str) -> Result<PathBuf> {
    if arch != Arch::Amd64 {
        get_ready(arch, kernel)?;
        eprintln!("demo: building sockleak");
        return build::for_demo(arch);
    }
    setup::ensure(Wants { build: true, ..Wants::default() })?;
    thread::scope(|scope| {
        let ready = scope.spawn(|| get_ready(arch, kernel));
        eprintln!("demo: building sockleak");
        let programs = build::for_demo(arch);
        ready.join().map_err(|_| anyhow!("set-up broke off"))??;
        programs
    })
}

/// What was recorded in the demo, for tests: played anew with what they test, and not shown.
pub(crate) fn record() -> Result<PathBuf> {
    get_ready(Arch::Amd64, DEFAULT)?;
    build::release(&build::FOR_TESTS)?;
    let (status, trace) = play(Arch::Amd64, DEFAULT, &paths::release(), Vec::new(), &mut io::sink())?;
    ensure!(status == 0, "the demo ended with status {status}; cargo xtask demo shows it");
    trace.context("the demo recorded nothing")
}

fn get_ready(arch: Arch, kernel: &str) -> Result<()> {
    let series = [kernels::series_for(arch, kernel)?.name];
    let wants = Wants { build: true, guest: true, ..Wants::default() };
    setup::ensure(match arch {
        Arch::Amd64 => Wants { kernels: &series, ..wants },
        Arch::Arm64 => Wants { cross: true, arm64: true, arm64_kernels: &series, ..wants },
    })
}

/// Boots, and shows it with the programs in a folder. Gives its status, and what was recorded.
fn play(
    arch: Arch,
    kernel: &str,
    programs: &Path,
    env: Vec<(String, OsString)>,
    sink: &mut dyn io::Write,
) -> Result<(u8, Option<PathBuf>)> {
    let kernel = kernels::get_for(arch, kernel)?;
    eprintln!("demo: booting {} in QEMU", kernel.package);
    let mut guest = Guest::new_for(arch)?;
    guest.add(&programs.join("sockleak"), Path::new("/usr/bin/sockleak"))?;
    for name in CLIENTS {
        guest.add(&programs.join("demo-client"), Path::new(name))?;
    }
    guest.bytes("/etc/haproxy/haproxy.cfg", HAPROXY.into(), 0o644);
    guest.bytes("/usr/bin/demo", include_bytes!("guest.sh").to_vec(), 0o755);

    let mut spec = VmSpec::new("demo", kernel, guest, vec!["/usr/bin/demo".into()]);
    spec.timeout = LIMIT;
    spec.env = env;
    let trace = paths::cache_folder("demo")?.join(TRACE);
    // An older one is not to be taken for this one's, and what its log holds is not to be replayed into it.
    for suffix in ["", "-wal", "-shm"] {
        let mut old = trace.clone().into_os_string();
        old.push(suffix);
        match fs::remove_file(&old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", old.display()));
            }
            _ => {}
        }
    }
    spec.out = Some(paths::cache_folder("demo")?);
    let outcome = vm::run(&spec, sink)?;
    Ok((outcome.status, Some(trace).filter(|trace| trace.exists())))
}
