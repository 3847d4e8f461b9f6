//! How to get the compiler for the kernel side.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::packages;
use crate::paths;
use crate::process::{self, Log};
use crate::toolchain::{NAMES, find};

/// What it needs beside a compiler.
const COMPONENT: &str = "rust-src";
/// Debian's compiler for web browsers, newer than its ordinary one.
const DEBIAN: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// Its clippy, which a build does not need.
const DEBIAN_CLIPPY: &str = "rust-web-clippy";
/// The oldest compiler that builds the workspace: `rust-version` in Cargo.toml.
const OLDEST: (u32, u32) = (1, 95);
/// A question to rustup is answered at once, or something hangs.
const ANSWER: Duration = Duration::from_secs(30);
/// Enough to download a compiler; without a network, rustup may try for longer than anyone waits.
const DOWNLOAD: Duration = Duration::from_secs(300);

/// Whether rustup is here and reaches the server that it installs from. With it, nothing else is needed to get a compiler, and no rights.
pub(crate) fn is_rustup_online() -> bool {
    static ONLINE: OnceLock<bool> = OnceLock::new();
    *ONLINE.get_or_init(|| {
        // It asks about toolchains that get updates, and about rustup itself. Its status only says whether there are any.
        let mut check = process::command("rustup", ["check"]);
        process::ask_whatever(&mut check, ANSWER).is_some_and(|(_, answer)| has_answer(&answer))
    })
}

/// Whether `rustup check` was told of any toolchain.
fn has_answer(check: &str) -> bool {
    let check = check.to_lowercase();
    check.contains("up to date") || check.contains("update available")
}

/// What that means, in words.
pub(crate) fn rustup_says() -> &'static str {
    match (paths::program("rustup"), is_rustup_online()) {
        (None, _) => "There is no rustup: see https://rustup.rs.",
        (_, true) => "rustup reaches its server, so it can install compilers.",
        (_, false) => "rustup does not reach its server.",
    }
}

/// How to get a toolchain by hand.
pub(crate) fn by_hand() -> Vec<String> {
    vec![format!("rustup toolchain install {} --profile minimal --component {COMPONENT}", NAMES[1])]
}

/// Gets clippy for the toolchain that is here.
pub(crate) fn install_clippy(log: &Log) -> Result<()> {
    if find().is_some_and(|toolchain| toolchain.name == NAMES[1]) {
        let arguments = ["component", "add", "clippy", "--toolchain", NAMES[1]];
        return log.run_within(&mut process::command("rustup", arguments), Some(DOWNLOAD));
    }
    packages::install(&[DEBIAN_CLIPPY], log)
}

/// Gets a toolchain: from Debian where it has one that is new enough, else from rustup.
pub(crate) fn install(log: &Log) -> Result<()> {
    let debian = if packages::can_install() { packages::candidate(DEBIAN[0], log) } else { None };
    match debian {
        Some(version) if new_enough(&version) => {
            eprintln!("      from Debian: {} {version}", DEBIAN[0]);
            packages::install(&DEBIAN, log)?;
            log.run(&mut process::command("rustup", ["toolchain", "link", NAMES[0], "/usr"]))?;
        }
        _ => {
            eprintln!("      from rustup, with core's source");
            // rustup itself is the user's: without this, it would replace itself by what the server has.
            let arguments = ["toolchain", "install", NAMES[1], "--no-self-update", "--profile", "minimal"];
            let mut rustup = process::command("rustup", arguments);
            log.run_within(rustup.args(["--component", COMPONENT]), Some(DOWNLOAD))?;
        }
    }
    let found =
        find().context("the toolchain is installed, yet rustup does not show it with core's source")?;
    ensure!(
        new_enough(&found.release),
        "toolchain `{}` is rustc {}, too old: {}.{} is needed",
        found.name,
        found.release,
        OLDEST.0,
        OLDEST.1
    );
    Ok(())
}

/// Whether a version of rustc (`1.96.0`, `1.96.0+dfsg1-1~deb12u2`, `1.98.0-nightly`) builds the workspace.
fn new_enough(version: &str) -> bool {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustup_is_online_if_it_was_told_of_a_toolchain() {
        for (check, is_answer) in [
            ("stable-x86_64-unknown-linux-gnu - Up to date : 1.95.0 (59807616e 2026-04-14)\n", true),
            ("nightly-x86_64-unknown-linux-gnu - update available: 1.97.0-nightly -> 1.98.0-nightly\n", true),
            ("error: could not download file\n", false),
            // Toolchains without updates alone, and a rustup that somebody else updates.
            ("", false),
        ] {
            assert_eq!(has_answer(check), is_answer, "{check}");
        }
    }

    #[test]
    fn the_toolchain_file_names_the_oldest_compiler() {
        let file = include_str!("../../../rust-toolchain.toml");
        let channel = file.lines().find_map(|line| line.strip_prefix("channel = ")).expect("it names one");
        assert!(channel.trim_matches('"').starts_with(&format!("{}.{}.", OLDEST.0, OLDEST.1)), "{channel}");
    }

    #[test]
    fn old_compilers_are_told_apart() {
        for (version, fits) in [
            ("1.96.0+dfsg1-1~deb12u2", true),
            ("1.95.0", true),
            ("2.0.0-nightly", true),
            ("1.85.0+dfsg3-1~deb12u3", false),
            ("", false),
            ("web", false),
        ] {
            assert_eq!(new_enough(version), fits, "{version}");
        }
    }
}
