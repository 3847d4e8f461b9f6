//! The tests that need no VM: `cargo test`, counted.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::arch::Arch;
use crate::counts::Counts;
use crate::{build, cross, paths, process};

/// Runs them, passing their output on.
pub(super) fn run() -> Result<Counts> {
    let arguments = "test --quiet --workspace --exclude probe-ebpf --no-fail-fast";
    count(&mut process::command("cargo", arguments.split(' ')))
}

/// Runs those of what goes into sockleak, built for 64-bit ARM, in an emulator. Those of the program itself start it, look at its
/// processes or set the terminal up: what they need is not emulated. Optimised, as everything that is emulated: it is built once.
pub(super) fn run_emulated() -> Result<Counts> {
    const PACKAGES: [&str; 5] =
        ["sockleak-abi", "sockleak-btf", "sockleak-core", "sockleak-recording", "sockleak-report"];
    let arch = Arch::Arm64;
    let mut cargo = cross::cargo(arch)?;
    let runner = format!("{} -L {}", cross::user_emulator().display(), cross::root(arch).display());
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner).args([
        "test",
        "--quiet",
        "--release",
        "--no-fail-fast",
        "--target",
        arch.triple(),
    ]);
    for package in PACKAGES {
        cargo.args(["--package", package]);
    }
    count(&mut cargo)
}

/// Compiles what runs in VMs for 64-bit ARM, the kernel side too, as far as errors show: as one test. Running it takes a release build
/// and emulated machines, which is too long for every change.
pub(super) fn check_other_processor() -> Result<Counts> {
    let arch = Arch::Arm64;
    let mut cargo = cross::cargo(arch)?;
    cargo.args(["check", "--quiet", "--target", arch.triple()]);
    for package in build::FOR_TESTS {
        cargo.args(["--package", package]);
    }
    Ok(match process::run(&mut cargo) {
        Ok(()) => {
            println!("ok compiles for {arch}");
            Counts { passed: 1, failed: 0 }
        }
        Err(error) => {
            println!("FAIL compiles for {arch}: {error:#}");
            Counts { passed: 0, failed: 1 }
        }
    })
}

/// Runs tests by this command, passing their output on.
pub(super) fn count(cargo: &mut Command) -> Result<Counts> {
    let mut child = cargo
        .current_dir(paths::repo())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start `cargo test`")?;
    let mut counts = Counts::default();
    for line in BufReader::new(child.stdout.take().context("cargo has no output")?).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        counts = counts + result_line(&line).unwrap_or_default();
    }
    if !child.wait()?.success() && counts.failed == 0 {
        // It did not build, or a test took its whole program down.
        println!("FAIL unit tests: cargo test failed, and named no failed test");
        counts.failed = 1;
    }
    Ok(counts)
}

/// The counts in a line like `test result: ok. 16 passed; 0 failed; 0 ignored; …`.
fn result_line(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number =
        |unit: &str| counts.split("; ").find_map(|part| part.strip_suffix(unit)?.trim().parse().ok());
    Some(Counts { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_counted() {
        let line = "test result: FAILED. 14 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s";
        assert_eq!(result_line(line), Some(Counts { passed: 14, failed: 2 }));
        for other in ["running 16 tests", "test a ... ok", "test result: ok", ""] {
            assert_eq!(result_line(other), None, "{other}");
        }
    }
}
