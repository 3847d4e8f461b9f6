//! `cargo xtask test`: unit and property tests, then the scenarios in VMs, kernel by kernel, and the page in a browser beside them.

mod boots;
mod fleet;
mod guests;
mod kubernetes;
mod matrix;
mod package;
mod report;
mod rules;
mod units;

use std::{process::ExitCode, thread, time::Instant};

use anyhow::{Result, anyhow, ensure};

use crate::arch::Arch;
use crate::browser;
use crate::counts::Counts;
use crate::setup::{self, Wants};
use crate::vm::kernels;
use guests::Guests;
use matrix::Hooks;

/// The group of what many hosts have in common.
const FLEET: &str = "fleet";

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The processor: arm64 is emulated. It has the boots that depend on the processor, and no tests that need no VM
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,
    /// With --arch arm64, run the unit tests alone, each program in an emulator
    #[arg(long, conflicts_with_all = ["kernel", "scenario", "group", "hooks", "unit_only"])]
    units: bool,
    /// Boot only this kernel: 5.10, 6.1, 6.12, 6.12-rt, 7.2 or 7.3, for arm64 5.10, 6.1, 6.12, 6.12-16k or 7.2; may be repeated
    #[arg(long, value_name = "SERIES")]
    kernel: Vec<String>,
    /// Run only this scenario; may be repeated
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Run only the boots of this group of scenarios: kernel, verdicts, haproxy, cli, debian, servers, containers or fleet (which
    /// needs no VM)
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Run only the boots with this choice of hooks
    #[arg(long, value_enum)]
    hooks: Option<Hooks>,
    /// Every boot: the command line's cases on 5.10, 6.1, 6.12 and 7.2 and with kprobes too, not on 5.10 and 7.2 alone; all cases
    /// with real servers, not some of them; each engine of containers
    #[arg(long)]
    all: bool,
    /// No VMs
    #[arg(long)]
    unit_only: bool,
    /// VMs at a time [default: three for two processors, at most 4]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

/// Runs the unit tests for 64-bit ARM.
fn emulated_units() -> Result<ExitCode> {
    setup::ensure(Wants { build: true, cross: true, arm64: true, ..Wants::default() })?;
    let total = units::run_emulated()?;
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests; the last line says how many passed and failed.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.group.as_deref() == Some(FLEET) {
        return Ok(conclude(fleet::run()?));
    }
    if args.arch == Arch::Arm64 && (args.units || args.unit_only) {
        return emulated_units();
    }
    let wanted = if args.unit_only || args.units {
        Vec::new()
    } else {
        matrix::boots(args.arch, &args.kernel, args.hooks, args.group.as_deref(), args.all)?
    };
    let is_whole = args.arch == Arch::Amd64 && args.scenario.is_empty() && args.group.is_none();
    prepare(args.arch, &wanted, is_whole)?;
    let guest = !wanted.is_empty();

    let started = Instant::now();
    // The release takes one processor for minutes: it is built beside the tests that need none of it.
    let (units, built) = thread::scope(|scope| {
        let release = scope.spawn(|| if guest { Guests::build_programs(args.arch) } else { Ok(()) });
        // A loop on one scenario is quick only without the rest.
        let units = if is_whole { units::run() } else { Ok(Counts::default()) };
        (units, release.join().map_err(|_| anyhow!("the thread that builds panicked")).flatten())
    });
    built?;
    let mut total = units?;
    if is_whole {
        total = total + rules::check() + kubernetes::check();
    }
    println!("{} s until the first VM", started.elapsed().as_secs());
    if !wanted.is_empty() {
        // A browser waits as much as a VM does: it is looked into beside them.
        let mut browser = Ok(Counts::default());
        let mut other = Ok(Counts::default());
        let look = || {
            if is_whole {
                other = units::check_other_processor();
                browser = browser::test();
                println!("{} s until the browser's last check", started.elapsed().as_secs());
            }
        };
        let results = boots::run_all(&wanted, &args.scenario, args.jobs, look)?;
        total = total + browser? + other?;
        print!("{}", report::table(total, &results));
        let scenarios = report::sum(&results);
        ensure!(
            args.scenario.is_empty() || scenarios != Counts::default(),
            "no scenario is called {}",
            args.scenario.join(" or ")
        );
        total = total + scenarios;
    }
    println!("{} s from the first test to the last", started.elapsed().as_secs());
    Ok(conclude(total))
}

/// Gets what the boots take.
fn prepare(arch: Arch, wanted: &[matrix::Boot], is_whole: bool) -> Result<()> {
    let kernels: Vec<&str> = kernels::all(arch)
        .iter()
        .map(|series| series.name)
        .filter(|name| wanted.iter().any(|b| b.kernel == *name))
        .collect();
    let haproxy = wanted.iter().any(|boot| boot.groups.contains(&matrix::HAPROXY));
    let containers = wanted.iter().any(|boot| boot.groups.contains(&matrix::CONTAINERS));
    let debian = wanted.iter().any(|boot| boot.is_on_debian() && !boot.groups.contains(&matrix::CONTAINERS));
    let package = wanted.iter().any(|boot| boot.groups.contains(&matrix::DEBIAN));
    let guest = !wanted.is_empty();
    let wants = Wants { build: true, guest, terminal: is_whole, haproxy, debian, ..Wants::default() };
    let wants = Wants { containers, package, ..wants };
    setup::ensure(match arch {
        // A run of everything compiles for the other processor as well.
        Arch::Amd64 => Wants { kernels: &kernels, cross: guest && is_whole, ..wants },
        Arch::Arm64 => Wants { cross: true, arm64: true, arm64_kernels: &kernels, ..wants },
    })
}

/// The last line, and what it means.
fn conclude(total: Counts) -> ExitCode {
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
