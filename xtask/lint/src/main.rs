//! Checks of sockleak's sources that need no compiler of the kernel side, no kernel and no virtual machine.
//!
//! `cargo xtask lint` and `cargo xtask check` run this program. The tables that it judges by are in `rules.rs`.

mod dependencies;
mod imports;
mod lengths;
mod links;
mod places;
mod repository;
mod rules;
mod spelling;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};
use clap::Parser;

/// Check imports, dependencies, licences, spelling and file lengths.
#[derive(Parser)]
#[command(name = "cargo xtask lint")]
struct Arguments {
    /// Print which modules use which, and all circles of files; check nothing
    #[arg(long)]
    graph: bool,
}

fn main() -> ExitCode {
    let done = metadata().and_then(|metadata| match Arguments::parse().graph {
        true => imports::print(&metadata).map(|()| ExitCode::SUCCESS),
        false => Ok(check(&metadata)),
    });
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// A check: its name, and what tells whether all is well.
type Check<'a> = (&'a str, &'a dyn Fn() -> Result<()>);

/// Runs every check, whatever the others found.
fn check(metadata: &Metadata) -> ExitCode {
    let checks: [Check<'_>; 12] = [
        ("file names", &lengths::check_names),
        ("file lengths", &lengths::check),
        ("spelling", &spelling::check),
        ("links", &links::check),
        ("modules where Rust looks for them", &places::check),
        ("imports: no circles, nothing upwards", &|| imports::check(metadata)),
        ("errors with a type", &|| imports::check_errors(metadata)),
        ("crates: nothing upwards", &|| dependencies::layers::check(metadata)),
        ("crates without I/O", &|| dependencies::pure::check(metadata)),
        ("unused dependencies", &|| dependencies::unused::check(metadata)),
        ("licences", &|| dependencies::licences::check(metadata)),
        ("one version of each library", &|| dependencies::versions::check(metadata)),
    ];
    let mut all_is_well = true;
    for (name, check) in checks {
        let started = Instant::now();
        match check() {
            Ok(()) => println!("ok   {name} ({:.1} s)", started.elapsed().as_secs_f64()),
            Err(error) => {
                println!("FAIL {name}: {error:#}");
                all_is_well = false;
            }
        }
    }
    if all_is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What cargo says of the workspace and of all libraries, on the platform of this machine.
fn metadata() -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.manifest_path(repository::root().join("Cargo.toml"));
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let options = ["--locked", "--all-features", "--filter-platform", &platform];
    command.other_options(options.map(str::to_owned).to_vec());
    command.exec().context("cargo metadata")
}
