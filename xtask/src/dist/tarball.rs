//! The archive for any Linux with glibc: laid out so that its folders can be copied into /usr/local.

use anyhow::{Context, Result};

use super::architecture::Architecture;
use super::tree::{self, Tree};
use crate::package::{DOCUMENTS, Programs};
use crate::paths;

/// The unit of the packages names this program.
const PACKAGED: &str = "/usr/bin/sockleak";
/// Where the program of an archive is installed.
const INSTALLED: &str = "/usr/local/bin/sockleak";
/// Files at the top, as in the repository.
const TOP: [&str; 2] = ["CHANGELOG.md", "README.md"];
/// The licences, in the repository's top folder.
pub(super) const LICENCES: [&str; 4] = ["LICENSE", "LICENSE-APACHE", "LICENSE-GPL-2.0", "LICENSE-MIT"];
/// Files without which an archive is not whole. Of manual pages, completions and documents there are more.
pub(super) const WHOLE: [&str; 14] = [
    "LICENSE",
    "NOTICES",
    "README.md",
    "bin/sockleak",
    "docs/runbooks/README.md",
    "docs/service.md",
    "etc/sockleak/config.toml",
    "lib/systemd/system/sockleak.service",
    "lib/sysusers.d/sockleak.conf",
    "share/bash-completion/completions/sockleak",
    "share/fish/vendor_completions.d/sockleak.fish",
    "share/man/man1/sockleak-capture.1.gz",
    "share/man/man5/sockleak-config.5.gz",
    "share/zsh/site-functions/_sockleak",
];

/// The name of the archive's only folder.
pub(super) fn folder(version: &str, architecture: Architecture) -> String {
    format!("sockleak-{version}-{}-linux", architecture.name)
}

/// Everything that is in the archive, below that folder.
///
/// # Errors
/// If a file is missing.
pub(super) fn tree(programs: &Programs, folder: &str) -> Result<Tree> {
    let (repo, built) = (paths::repo(), programs.folder());
    let made = built.join("package");
    let mut tree = Tree::default();
    let at = |path: &str| format!("{folder}/{path}");
    tree.program(at("bin/sockleak"), tree::read(&built.join("sockleak"))?);
    for name in TOP.into_iter().chain(LICENCES) {
        tree.copy(at(name), &repo.join(name))?;
    }
    tree.copy(at("NOTICES"), &made.join("THIRD-PARTY"))?;
    for section in ["1", "5"] {
        let ends = format!(".{section}.gz");
        tree.copy_all(&at(&format!("share/man/man{section}")), &made.join("man"), |name| {
            name.ends_with(&ends)
        })?;
    }
    for (from, to) in [
        ("sockleak.bash", "share/bash-completion/completions/sockleak"),
        ("_sockleak", "share/zsh/site-functions/_sockleak"),
        ("sockleak.fish", "share/fish/vendor_completions.d/sockleak.fish"),
    ] {
        tree.copy(at(to), &made.join("completions").join(from))?;
    }
    let packaging = repo.join("packaging");
    let unit = tree::read(&packaging.join("sockleak.service"))?;
    tree.file(at("lib/systemd/system/sockleak.service"), unit_for_local(&String::from_utf8(unit)?)?);
    tree.copy(at("lib/sysusers.d/sockleak.conf"), &packaging.join("sockleak.sysusers"))?;
    tree.copy(at("etc/sockleak/config.toml"), &packaging.join("config.toml"))?;
    for folder in DOCUMENTS {
        tree.copy_all(&at(folder), &repo.join(folder), |name| {
            [".md", ".json", ".toml"].iter().any(|end| name.ends_with(end))
        })?;
    }
    tree.copy_all(&at("docs/prometheus"), &repo.join("docs/prometheus"), |_| true)?;
    Ok(tree)
}

/// The unit as it is right for a program in /usr/local.
fn unit_for_local(unit: &str) -> Result<String> {
    let start = format!("\nExecStart={PACKAGED} ");
    let (before, after) = unit.split_once(&start).context("the unit does not start the packaged program")?;
    let before = before.lines().map(|line| match line.strip_prefix("Documentation=") {
        // The documents are wherever the archive was unpacked.
        Some(_) => "Documentation=man:sockleak-serve(1) man:sockleak-config(5)",
        None => line,
    });
    let before: Vec<_> = before.collect();
    Ok(format!("{}\nExecStart={INSTALLED} {after}", before.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::super::architecture;
    use super::*;

    #[test]
    fn the_name_says_version_and_processor() {
        assert_eq!(folder("0.1.0", architecture::ALL[0]), "sockleak-0.1.0-x86_64-linux");
    }

    #[test]
    fn the_unit_starts_the_program_in_usr_local() {
        let unit = include_str!("../../../packaging/sockleak.service");
        let local = unit_for_local(unit).expect("it starts the program");
        assert!(local.contains("\nExecStart=/usr/local/bin/sockleak serve\n"), "{local}");
        assert!(!local.contains("/usr/bin/sockleak") && !local.contains("/usr/share"), "{local}");
        assert_eq!(local.lines().count(), unit.lines().count());
        assert!(unit_for_local("[Service]\nExecStart=/bin/true\n").is_err());
    }
}
