//! Project tasks: `cargo xtask setup | build | demo | check | test | browser | picture | bench | vm | lint | package | dist`.

mod apt;
mod arch;
mod bench;
mod browser;
mod build;
mod check;
mod commit;
mod counts;
mod cross;
mod demo;
mod dist;
mod lint;
mod notices;
mod package;
mod paths;
mod picture;
mod process;
mod setup;
mod test;
mod toolchain;
mod vm;
mod vm_task;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit code for a failure of xtask itself, apart from what a command in a VM returns.
const OWN_FAILURE: u8 = 125;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set up, build, test and demonstrate sockleak")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find out what this machine lacks for building and testing, and install it
    Setup(setup::Args),
    /// Build sockleak, for this machine or for 64-bit ARM
    Build(build::Args),
    /// Watch sockleak find the client that leaks, on a real HAProxy in a VM
    Demo(demo::Args),
    /// Before a commit: check format and sources, and run the unit tests of the crates that were changed
    Check(check::Args),
    /// Run unit and property tests, then the scenarios in VMs, on every kernel
    Test(test::Args),
    /// Look at the page and at a report in Chromium: figures, keyboard, both themes, and what axe finds
    Browser(browser::Args),
    /// Draw the README's moving picture from a recorded terminal session
    Picture(picture::Args),
    /// Measure what tracing costs, in instructions, beside bpftrace
    Bench(bench::Args),
    /// Check format, lints, imports, dependencies, spelling, documentation, and hooks against the kernels' type information
    Lint(lint::Args),
    /// Run a command in a VM that has sockleak and HAProxy installed
    Vm(vm_task::Args),
    /// Build the Debian package, and check it
    Package(package::Args),
    /// Make everything that a release consists of: archive, packages, image, sums
    Dist(dist::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Setup(args) => setup::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Build(args) => build::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Check(args) => check::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Test(args) => test::run(&args),
        Task::Browser(args) => browser::run(&args),
        Task::Picture(args) => picture::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Lint(args) => lint::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Vm(args) => vm_task::run(args),
        Task::Package(args) => package::run(&args),
        Task::Dist(args) => dist::run(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(OWN_FAILURE)
    })
}
