//! Debian's packages, read with apt state of our own, so that the machine's is left alone.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::arch::Arch;
use crate::process::{self, Log};

const DEBIAN: &str = "http://deb.debian.org/debian";
const SECURITY: &str = "http://deb.debian.org/debian-security";
/// Signs every suite that is read.
pub(crate) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt with lists, cache and sources of its own.
pub(crate) struct Apt<'a> {
    folder: &'a Path,
    arch: Arch,
}

impl<'a> Apt<'a> {
    /// Reads the package lists of suites for a kind of processor, whatever this machine's is, from one mirror, into a folder.
    pub(crate) fn read(folder: &'a Path, arch: Arch, uri: &str, suites: &[&str], log: &Log) -> Result<Self> {
        for needed in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(needed))?;
        }
        // Signed lists are taken at any age: mirrors lag behind, archives never change, and an older package of
        // the series serves as well.
        let lines: String = suites
            .iter()
            .map(|suite| format!("deb [signed-by={KEYRING} check-valid-until=no] {uri} {suite} main\n"))
            .collect();
        fs::write(folder.join("sources.list"), lines)?;
        let apt = Self { folder, arch };
        apt.run("apt-get", &["update", "--error-on=any"], log)?;
        Ok(apt)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> std::process::Command {
        let at = |name: &str| self.folder.join(name).display().to_string();
        let options = [
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::Lists={}", at("lists")),
            format!("Dir::Cache={}", at("cache")),
            format!("APT::Architecture={}", self.arch),
            format!("APT::Architectures::={}", self.arch),
            // The folder may be closed to apt's unprivileged user.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::Retries=3".to_owned(),
            "DPkg::Lock::Timeout=300".to_owned(),
        ];
        let mut command = process::command(program, options.iter().flat_map(|option| ["-o", option]));
        command.args(arguments).current_dir(self.folder).env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    /// Runs one of apt's programs.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], log: &Log) -> Result<()> {
        log.run(&mut self.command(program, arguments))
    }

    /// What one of apt's programs answers.
    pub(crate) fn output(&self, program: &str, arguments: &[&str]) -> Result<String> {
        process::output(&mut self.command(program, arguments))
    }
}

/// The Debian suite of this machine, if that is a Debian.
pub(crate) fn own_suite() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    codename(&release).map(str::to_owned)
}

/// The name of a Debian release in an os-release file.
fn codename(release: &str) -> Option<&str> {
    let value = |name: &str| release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value("VERSION_CODENAME").filter(|_| value("ID") == Some("debian"))
}

/// The Debian mirror that this machine uses for its own suite.
pub(crate) fn mirror() -> String {
    archive(&targets(), "/debian").unwrap_or(DEBIAN).to_owned()
}

/// The mirror of Debian's security updates that this machine uses.
pub(crate) fn security_mirror() -> String {
    archive(&targets(), "/debian-security").unwrap_or(SECURITY).to_owned()
}

/// What this machine's apt reads, in lines of `URI COMPONENT`.
fn targets() -> String {
    let format = ["indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Identifier: Packages"];
    process::output(&mut process::command("apt-get", format)).unwrap_or_default()
}

/// From lines of `URI COMPONENT`, the first archive of Debian's that ends in a name: the main one and that of security updates have
/// one each.
fn archive<'a>(targets: &'a str, end: &str) -> Option<&'a str> {
    targets
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, component)| *component == "main")
        .map(|(uri, _)| uri.trim_end_matches('/'))
        .find(|uri| uri.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_is_debians() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(codename(debian), Some("bookworm"));
        // Others have suites of their own.
        assert_eq!(codename("ID=ubuntu\nVERSION_CODENAME=noble\nID_LIKE=debian\n"), None);
        assert_eq!(codename("ID=debian\n"), None);
    }

    #[test]
    fn the_mirror_is_the_main_archive() {
        let targets = "http://m.example/debian-security/ main\nhttps://x.example/apt/ main\n\
                       http://m.example/debian/ contrib\nhttp://m.example/debian/ main\n";
        assert_eq!(archive(targets, "/debian"), Some("http://m.example/debian"));
        assert_eq!(archive(targets, "/debian-security"), Some("http://m.example/debian-security"));
        assert_eq!(archive("https://x.example/apt main\n", "/debian"), None);
    }
}
