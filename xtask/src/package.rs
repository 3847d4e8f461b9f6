//! `cargo xtask package`: the Debian package, and what has to be true of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Wants};
use crate::{build, commit, notices, paths, process};

/// What has to be built for it.
const PROGRAMS: [&str; 2] = ["sockleak", "manual"];
/// Shells that have to be able to read the package's scripts, if they are here.
const SHELLS: [&str; 2] = ["sh", "dash"];
/// Files without which it is not whole; of manual pages there are more, and [`DOCUMENTS`].
const FILES: [&str; 15] = [
    "etc/sockleak/config.toml",
    "usr/bin/sockleak",
    "usr/lib/systemd/system/sockleak.service",
    "usr/lib/sysusers.d/sockleak.conf",
    "usr/share/bash-completion/completions/sockleak",
    "usr/share/doc/sockleak/README.md",
    "usr/share/doc/sockleak/THIRD-PARTY",
    "usr/share/doc/sockleak/changelog.Debian.gz",
    "usr/share/doc/sockleak/changelog.gz",
    "usr/share/doc/sockleak/copyright",
    "usr/share/doc/sockleak/docs/prometheus/sockleak.rules.yml",
    "usr/share/doc/sockleak/docs/service.md",
    "usr/share/fish/vendor_completions.d/sockleak.fish",
    "usr/share/man/man5/sockleak-config.5.gz",
    "usr/share/zsh/vendor-completions/_sockleak",
];
/// Folders all of whose documents it contains: an operator reads runbooks on the host that is in trouble.
pub(crate) const DOCUMENTS: [&str; 3] = ["docs", "docs/decisions", "docs/runbooks"];
/// The unit's exposure by systemd's own reckoning, in tenths, may not be above this: releases of systemd differ by some tenths, and
/// a sandbox that is lost makes more.
const MOST_EXPOSED: &str = "40";
const SCRIPTS: [&str; 3] = ["postinst", "postrm", "prerm"];

/// Arguments of `cargo xtask package`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Another version than that of Cargo.toml with the Debian revision, for example 0.1.0-2~rc1
    #[arg(long, value_name = "VERSION")]
    deb_version: Option<String>,
    /// Take the programs as they were built last
    #[arg(long)]
    no_build: bool,
}

/// Builds the package and says where it is.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure(Wants { build: !args.no_build, package: true, ..Wants::default() })?;
    if !args.no_build {
        build::release(&PROGRAMS)?;
    }
    let package = pack(args.deb_version.as_deref())?;
    println!("{}", package.display());
    Ok(ExitCode::SUCCESS)
}

/// Makes the package of what was built last, and checks it.
pub(crate) fn pack(version: Option<&str>) -> Result<PathBuf> {
    let programs = Programs { target: paths::target(), triple: None };
    write_texts(&programs, &programs.folder())?;
    let mut cargo = process::command("cargo", ["deb"]);
    cargo.args(version.map(|version| format!("--deb-version={version}")));
    // Without git, it takes the time of day.
    cargo.envs(commit::time().ok().map(|time| ("SOURCE_DATE_EPOCH", time.to_string())));
    pack_with(cargo, &programs, true)
}

/// Programs of a release build.
pub(crate) struct Programs {
    /// cargo's target folder.
    pub(crate) target: PathBuf,
    /// The target that they were built for, if cargo was told one.
    pub(crate) triple: Option<&'static str>,
}

impl Programs {
    /// The folder that has them.
    pub(crate) fn folder(&self) -> PathBuf {
        let of_target = self.triple.map_or_else(|| self.target.clone(), |triple| self.target.join(triple));
        of_target.join("release")
    }
}

/// Makes the package of these programs by a `cargo deb` that may have options already, and checks it. Where the programs do not run on this
/// machine, what they print is not checked.
///
/// # Errors
/// If it cannot be made, or is not as it should be.
pub(crate) fn pack_with(mut cargo: Command, programs: &Programs, runs_here: bool) -> Result<PathBuf> {
    // It reads the manifest; what that names under target/release is in cargo's target folder, wherever that is.
    cargo.args(["--quiet", "--no-build", "--package", "sockleak"]).current_dir(paths::repo());
    if let Some(triple) = programs.triple {
        cargo.args(["--target", triple]).env("CARGO_TARGET_DIR", &programs.target);
    }
    let written = process::output(&mut cargo)?;
    let package = PathBuf::from(written.lines().next_back().context("cargo deb named no package")?);
    check(&package, runs_here).with_context(|| format!("{} is not as it should be", package.display()))?;
    Ok(package)
}

/// Writes manual pages, completions and notices to where the packages' manifests expect them. The program that writes the first two is
/// in a folder of its own, because it has to run on this machine.
///
/// # Errors
/// If one of them cannot be written.
pub(crate) fn write_texts(programs: &Programs, manual: &Path) -> Result<()> {
    let folder = programs.folder().join("package");
    write_manual(&manual.join("manual"), &folder)?;
    let notices = folder.join("THIRD-PARTY");
    fs::write(&notices, notices::text(programs.triple)?)
        .with_context(|| format!("cannot write {}", notices.display()))
}

/// Manual pages and completions.
fn write_manual(program: &Path, folder: &Path) -> Result<()> {
    process::run(process::command(&program.display().to_string(), [folder]).current_dir(paths::repo()))?;
    let man = folder.join("man");
    let pages = fs::read_dir(&man).with_context(|| format!("cannot read {}", man.display()))?;
    let pages = pages.map(|page| Ok(page?.path())).collect::<Result<Vec<_>>>()?;
    // Without name and time, so that the same pages are the same bytes.
    process::run(process::command("gzip", ["-9", "-n", "-f"]).args(pages))
}

/// Unpacks it and looks.
fn check(package: &Path, runs_here: bool) -> Result<()> {
    let unpacked = tempfile::tempdir()?;
    let root = unpacked.path();
    process::run(process::command("dpkg-deb", ["--raw-extract"]).arg(package).arg(root))?;
    let present = files(root)?;
    let missing: Vec<_> = FILES.iter().filter(|file| !present.contains(Path::new(file))).collect();
    ensure!(missing.is_empty(), "it lacks {missing:?}");
    for document in documents()? {
        let place = Path::new("usr/share/doc/sockleak").join(&document);
        ensure!(present.contains(&place), "it lacks {}", place.display());
    }
    let control = root.join("DEBIAN");
    let conffiles = fs::read_to_string(control.join("conffiles")).context("it has no list of conffiles")?;
    ensure!(conffiles == "/etc/sockleak/config.toml\n", "these are its conffiles: {conffiles:?}");
    for script in SCRIPTS {
        check_script(&control.join(script))?;
    }
    if runs_here {
        check_commands(root, &present)?;
        let sockleak = root.join("usr/bin/sockleak").display().to_string();
        let config = root.join("etc/sockleak/config.toml");
        process::output(process::command(&sockleak, ["serve", "--check-config", "--config"]).arg(config))?;
    }
    check_sandbox(&root.join("usr/lib/systemd/system/sockleak.service"))?;
    lint(package)
}

/// The documents that it contains, by their paths in the repository.
fn documents() -> Result<Vec<PathBuf>> {
    let mut documents = Vec::new();
    for folder in DOCUMENTS.map(Path::new) {
        let place = paths::repo().join(folder);
        for entry in fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))? {
            let name = PathBuf::from(entry?.file_name());
            documents.extend(name.extension().is_some_and(|it| it == "md").then(|| folder.join(&name)));
        }
    }
    Ok(documents)
}

/// Each command that the program shows has a manual page.
fn check_commands(root: &Path, present: &BTreeSet<PathBuf>) -> Result<()> {
    let sockleak = root.join("usr/bin/sockleak").display().to_string();
    let help = process::output(&mut process::command(&sockleak, ["--help"]))?;
    let commands = commands(&help);
    ensure!(commands.len() > 3, "it shows no commands: {help}");
    for command in commands {
        let page = format!("usr/share/man/man1/sockleak-{command}.1.gz");
        ensure!(present.contains(Path::new(&page)), "it lacks {page}");
    }
    Ok(())
}

/// The commands in what `--help` prints.
fn commands(help: &str) -> Vec<&str> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let starts = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    starts.filter_map(|line| line.split_whitespace().next()).filter(|&name| name != "help").collect()
}

/// It stops at the first error, nothing is left to be filled in, and shells can read it.
fn check_script(script: &Path) -> Result<()> {
    let text = fs::read_to_string(script).with_context(|| format!("it lacks {}", script.display()))?;
    ensure!(text.starts_with("#!/bin/sh\nset -e\n"), "{} does not stop at errors: {text}", script.display());
    ensure!(!text.contains("#DEBHELPER#"), "{} was not filled in: {text}", script.display());
    for shell in SHELLS.iter().filter(|shell| paths::program(shell).is_some()) {
        process::output(process::command(shell, ["-n"]).arg(script))?;
    }
    Ok(())
}

/// Asks systemd, where it is installed, how much of the system the unit is exposed to.
fn check_sandbox(unit: &Path) -> Result<()> {
    if paths::program("systemd-analyze").is_none() {
        eprintln!("systemd-analyze is not installed: the unit is not checked by it");
        return Ok(());
    }
    let arguments = ["security", "--offline=true", "--no-pager", "--threshold", MOST_EXPOSED];
    process::output(process::command("systemd-analyze", arguments).arg(unit)).map(drop)
}

/// Debian's own check, where it is installed: without errors and warnings but those that the package explains.
fn lint(package: &Path) -> Result<()> {
    if paths::program("lintian").is_none() {
        eprintln!("lintian is not installed: the package is not checked by it");
        return Ok(());
    }
    process::output(
        process::command("lintian", ["--quiet", "--allow-root", "--fail-on=error,warning"]).arg(package),
    )?;
    Ok(())
}

/// Every file under a folder, by its path from there.
fn files(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root)?.to_path_buf());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runbooks_and_decisions_are_among_the_documents() {
        let documents = documents().expect("the folders are there");
        for name in [
            "docs/service.md",
            "docs/runbooks/README.md",
            "docs/runbooks/haproxy-master-socket.md",
            "docs/decisions/0001-kprobe-twins-for-release.md",
        ] {
            assert!(documents.iter().any(|document| document == Path::new(name)), "no {name}");
        }
    }

    #[test]
    fn commands_are_read_from_the_help() {
        let help = "About.\n\nUsage: sockleak <COMMAND>\n\nCommands:\n  capture  Trace\n           on\n  help     Print\n\nOptions:\n  -h\n";
        assert_eq!(commands(help), ["capture"]);
        assert!(commands("nothing").is_empty());
    }

    #[test]
    fn scripts_that_go_on_after_errors_are_found() {
        let folder = tempfile::tempdir().expect("a directory can be created");
        let script = folder.path().join("postinst");
        for (text, is_right) in [
            ("#!/bin/sh\nset -e\ntrue\n", true),
            ("#!/bin/sh\ntrue\n", false),
            ("#!/bin/sh\nset -e\n#DEBHELPER#\n", false),
            ("#!/bin/sh\nset -e\nif true; then\n", false),
        ] {
            fs::write(&script, text).expect("it can be written");
            assert_eq!(check_script(&script).is_ok(), is_right, "{text}");
        }
    }
}
