//! `cargo xtask setup`: what building and testing needs, found out and put in place.
//!
//! Everything that is looked for is looked for by use (a program, a file, a compiler's answer), not by package
//! name, so that machines set up by hand pass as well.

mod cargo_deb;
mod compiler;
mod linker;
pub(crate) mod packages;
mod qemu;

pub(crate) use packages::PYTHON;

use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;
use crate::cross::Part;
use crate::process::Log;
use crate::toolchain;
use crate::vm::kernels::{self, Series};
use crate::vm::{debian, haproxy};

/// Arguments of `cargo xtask setup`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install only what a build of sockleak needs: nothing for tests, virtual machines or packages
    #[arg(long)]
    build: bool,
    /// Get what builds and tests for arm64 take as well, unless it is amd64
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,
}

/// What a task needs of the machine.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wants<'a> {
    /// Compiler and linker for the kernel side.
    pub(crate) build: bool,
    /// clippy for the kernel side.
    pub(crate) clippy: bool,
    /// QEMU and the programs that go into every VM.
    pub(crate) guest: bool,
    /// What sockleak is compared with. Large, so that only the bench asks for it.
    pub(crate) bench: bool,
    /// What makes the Debian package.
    pub(crate) package: bool,
    /// The whole Debian of a VM.
    pub(crate) debian: bool,
    /// Another one, with container engines.
    pub(crate) containers: bool,
    /// What terminals are drawn by in tests.
    pub(crate) terminal: bool,
    /// A second HAProxy, newer than the machine's may be.
    pub(crate) haproxy: bool,
    /// What builds for 64-bit ARM.
    pub(crate) cross: bool,
    /// What VMs with 64-bit ARM take.
    pub(crate) arm64: bool,
    /// Kernels to boot, by series.
    pub(crate) kernels: &'a [&'a str],
    /// Kernels for 64-bit ARM.
    pub(crate) arm64_kernels: &'a [&'a str],
}

/// Something that is missing, and how it gets here.
struct Step {
    title: String,
    /// For a machine on which we cannot do it.
    by_hand: Vec<String>,
    action: Action,
}

enum Action {
    Toolchain,
    Clippy,
    Linker,
    Qemu,
    Guest,
    Bench,
    Terminal,
    Haproxy,
    PackageTools,
    CargoDeb,
    Debian(debian::System),
    Kernel(&'static Series),
    Cross(Part),
}

impl Action {
    fn possible(&self) -> bool {
        match self {
            Self::Cross(Part::Library) => packages::can_fetch() || compiler::is_rustup_online(),
            Self::Haproxy | Self::Kernel(_) | Self::Cross(_) => packages::can_fetch(),
            // It compiles, and needs no more than that.
            Self::CargoDeb => true,
            Self::Toolchain | Self::Clippy => packages::can_install() || compiler::is_rustup_online(),
            Self::Linker
            | Self::Qemu
            | Self::Guest
            | Self::Bench
            | Self::Terminal
            | Self::PackageTools
            | Self::Debian(_) => packages::can_install(),
        }
    }

    fn carry_out(&self, log: &Log) -> Result<()> {
        match self {
            Self::Toolchain => compiler::install(log),
            Self::Clippy => compiler::install_clippy(log),
            Self::Linker => linker::install(log),
            Self::Qemu => qemu::install(log),
            Self::Guest => packages::install(&packages::missing_for_guest(), log),
            Self::Bench => packages::install(&packages::missing_for_bench(), log),
            Self::Terminal => packages::install(&packages::missing_for_terminal(), log),
            Self::Haproxy => haproxy::fetch(log),
            Self::PackageTools => packages::install(&packages::missing_for_package(), log),
            Self::CargoDeb => cargo_deb::install(log),
            Self::Debian(system) => {
                packages::install(&packages::missing_for_root(), log)?;
                debian::make(*system, log)
            }
            Self::Kernel(series) => kernels::fetch(series, log),
            Self::Cross(part) => part.fetch(log),
        }
    }
}

/// The `setup` task: everything, or what a build needs, with a closing line.
pub(crate) fn run(args: &Args) -> Result<()> {
    let cross = args.arch == Arch::Arm64;
    if args.build {
        ensure(Wants { build: true, cross, ..Wants::default() })?;
        println!("set-up complete, to build: {}", kernel_side()?);
        println!("  next: cargo build --release --package sockleak");
        return Ok(());
    }
    let all: Vec<&str> = kernels::SERIES.iter().map(|series| series.name).collect();
    let wants = Wants { build: true, clippy: true, guest: true, terminal: true, ..Wants::default() };
    let wants = Wants { haproxy: true, debian: true, containers: true, package: true, ..wants };
    let arm64: Vec<&str> = kernels::ARM64.iter().filter(|_| cross).map(|series| series.name).collect();
    ensure(Wants { kernels: &all, cross, arm64: cross, arm64_kernels: &arm64, ..wants })?;
    println!("set-up complete: {}", kernel_side()?);
    for kernel in kernels::SERIES.iter().chain(kernels::ARM64.iter().filter(|_| cross)) {
        if let Some(kernel) = kernels::cached(kernel) {
            println!("  kernel {:<14} {}", kernel.label(), kernel.package);
        }
    }
    Ok(())
}

/// What the kernel side is built with.
fn kernel_side() -> Result<String> {
    let it = toolchain::find().context("the compiler for the kernel side vanished")?;
    Ok(format!("kernel side with toolchain `{}` (rustc {}, LLVM {})", it.name, it.release, it.llvm))
}

/// Puts in place whatever of `wants` is missing; says nothing when all is there.
pub(crate) fn ensure(wants: Wants<'_>) -> Result<()> {
    // Once more, because a compiler that was missing decides which bpf-linker fits.
    for _ in 0..2 {
        let steps = missing(wants)?;
        if steps.is_empty() {
            break;
        }
        put_in_place(&steps)?;
    }
    Ok(())
}

fn put_in_place(steps: &[Step]) -> Result<()> {
    eprintln!("set-up: this machine lacks");
    for step in steps {
        eprintln!("  - {}", step.title);
    }
    refuse_impossible(steps)?;

    let log = Log::create("setup")?;
    for (index, step) in steps.iter().enumerate() {
        eprintln!("[{}/{}] getting {}", index + 1, steps.len(), step.title);
        let started = Instant::now();
        step.action.carry_out(&log).with_context(|| format!("set-up: cannot get {}", step.title))?;
        eprintln!("      done in {} s", started.elapsed().as_secs());
    }
    Ok(())
}

fn missing(wants: Wants<'_>) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    if wants.build || wants.clippy {
        steps.extend(missing_for_build(wants));
    }
    let mut packages = |title: &str, packages: &[&str], action| {
        if !packages.is_empty() {
            steps.push(Step {
                title: format!("{title}: {}", packages.join(", ")),
                by_hand: vec![format!("sudo apt-get install {}", packages.join(" "))],
                action,
            });
        }
    };
    if wants.guest {
        packages("what fills the VMs", &packages::missing_for_guest(), Action::Guest);
    }
    if wants.bench {
        packages("what sockleak is compared with", &packages::missing_for_bench(), Action::Bench);
    }
    if wants.terminal {
        packages("what draws terminals in tests", &packages::missing_for_terminal(), Action::Terminal);
    }
    if wants.package {
        packages("what packs", &packages::missing_for_package(), Action::PackageTools);
    }
    if wants.package && !cargo_deb::is_there() {
        let title = "cargo-deb, which makes the Debian package".to_owned();
        steps.push(Step { title, by_hand: Vec::new(), action: Action::CargoDeb });
    }
    if wants.guest && !qemu::is_there() {
        steps.push(Step { title: qemu::title(), by_hand: vec![qemu::by_hand()], action: Action::Qemu });
    }
    if wants.haproxy && haproxy::cached().is_none() {
        let title = "HAProxy 3.0 with its libraries (Debian's packages, unpacked into the cache)".to_owned();
        steps.push(Step { title, by_hand: by_hand(), action: Action::Haproxy });
    }
    for (is_wanted, system, what) in [
        (wants.debian, debian::System::Servers, "systemd and Prometheus"),
        (wants.containers, debian::System::Containers, "podman, docker and containerd"),
    ] {
        if is_wanted && system.cached().is_none() {
            let title = format!("a Debian with {what} for VMs (installed into an image in the cache)");
            let by_hand = vec!["run this on Debian as root, with mmdebstrap and e2fsprogs".to_owned()];
            steps.push(Step { title, by_hand, action: Action::Debian(system) });
        }
    }
    steps.extend(missing_for_arm64(wants));
    steps.extend(missing_kernels(wants)?);
    Ok(steps)
}

/// How to get what is unpacked from Debian's packages.
fn by_hand() -> Vec<String> {
    vec!["run this on Debian, or where apt-get, dpkg and debian-archive-keyring exist".to_owned()]
}

fn missing_for_arm64(wants: Wants<'_>) -> Vec<Step> {
    let parts = [(wants.cross, Part::FOR_BUILD), (wants.arm64, Part::FOR_GUEST)];
    let parts = parts.into_iter().filter(|(is_wanted, _)| *is_wanted).flat_map(|(_, parts)| parts);
    let step =
        |part: Part| Step { title: part.title().to_owned(), by_hand: by_hand(), action: Action::Cross(part) };
    parts.filter(|part| !part.is_there()).map(step).collect()
}

fn missing_kernels(wants: Wants<'_>) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let amd64 = wants.kernels.iter().map(|name| (Arch::Amd64, *name));
    for (arch, name) in amd64.chain(wants.arm64_kernels.iter().map(|name| (Arch::Arm64, *name))) {
        let series = kernels::series_for(arch, name)?;
        if kernels::cached(series).is_none() {
            let label = kernels::label(arch, name);
            steps.push(Step {
                title: format!("kernel {label} (Debian's package, unpacked into the cache)"),
                by_hand: by_hand(),
                action: Action::Kernel(series),
            });
        }
    }
    Ok(steps)
}

fn missing_for_build(wants: Wants<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let toolchain = toolchain::find();
    if wants.build && toolchain.is_none() {
        steps.push(Step {
            title: "a Rust compiler that has the source of core (rustup toolchain `ebpf` or `nightly`)"
                .into(),
            by_hand: compiler::by_hand(),
            action: Action::Toolchain,
        });
    }
    let has_clippy = toolchain.as_ref().is_none_or(toolchain::Toolchain::has_clippy);
    if wants.clippy && !has_clippy {
        steps.push(Step {
            title: "clippy for that compiler".into(),
            by_hand: vec!["rustup component add clippy --toolchain nightly".into()],
            action: Action::Clippy,
        });
    }
    let llvm = toolchain.as_ref().map(|toolchain| toolchain.llvm);
    if wants.build && !linker::fits(llvm) {
        steps.push(Step {
            title: match llvm {
                Some(llvm) => format!("bpf-linker and LLVM {llvm}, the version that rustc uses"),
                None => "bpf-linker and LLVM, of the version that rustc uses".into(),
            },
            by_hand: linker::by_hand(llvm),
            action: Action::Linker,
        });
    }
    steps
}

/// Prints what to do by hand when a step cannot be done here, and fails.
fn refuse_impossible(steps: &[Step]) -> Result<()> {
    let impossible: Vec<&Step> = steps.iter().filter(|step| !step.action.possible()).collect();
    if impossible.is_empty() {
        return Ok(());
    }
    eprintln!("\nset-up installs by itself on Debian, as root. {} Here, please do:", compiler::rustup_says());
    for step in impossible {
        eprintln!("  {}:", step.title);
        for line in &step.by_hand {
            eprintln!("      {line}");
        }
    }
    bail!("this machine cannot be set up without your help: see the list above")
}
