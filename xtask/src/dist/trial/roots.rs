//! Clean roots of Debian, each made once into the cache by mmdebstrap and unpacked anew for each trial.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::apt::{self, KEYRING};
use crate::paths;
use crate::process::{self, Log};
use crate::setup::packages;

/// A root: a suite, and what it has beside the least.
pub(super) struct Root {
    pub(super) name: &'static str,
    pub(super) suite: &'static str,
    packages: &'static [&'static str],
}

/// What the archive is tried on: glibc 2.31, 2.36 and 2.41.
pub(super) const PLAIN: [Root; 3] = [
    Root { name: "bullseye", suite: "bullseye", packages: &[] },
    Root { name: "bookworm", suite: "bookworm", packages: &[] },
    Root { name: "trixie", suite: "trixie", packages: &[] },
];
/// What the Debian package is tried on: it depends on systemd.
pub(super) const WITH_SYSTEMD: [Root; 2] = [
    Root { name: "bullseye-systemd", suite: "bullseye", packages: &["systemd"] },
    Root { name: "trixie-systemd", suite: "trixie", packages: &["systemd"] },
];
/// What the package for RPM is tried on.
pub(super) const WITH_RPM: Root =
    Root { name: "bookworm-rpm", suite: "bookworm", packages: &["rpm", "systemd"] };

impl Root {
    /// Unpacks it into a folder, which is made.
    pub(super) fn unpack(&self, folder: &Path) -> Result<()> {
        let packed = self.packed()?;
        fs::create_dir_all(folder)?;
        process::run(
            process::command("tar", ["--extract", "--file"]).arg(&packed).arg("--directory").arg(folder),
        )
    }

    /// The root as a tar file, from the cache or made.
    fn packed(&self) -> Result<PathBuf> {
        let target = paths::cache_folder("dist")?.join(format!("root-{}.tar", self.name));
        if target.is_file() {
            return Ok(target);
        }
        eprintln!("dist: making a root of Debian {}", self.name);
        let log = Log::create("dist-root")?;
        let missing = packages::missing_for_root();
        if !missing.is_empty() {
            packages::install(&missing, &log)?;
        }
        let work = tempfile::tempdir_in(paths::cache_folder("tmp")?)?;
        let made = work.path().join("root.tar");
        let mut mmdebstrap = process::command(
            "mmdebstrap",
            ["--mode=root", "--variant=minbase", "--architectures=amd64", "--dpkgopt=force-unsafe-io"],
        );
        mmdebstrap
            .args((!self.packages.is_empty()).then(|| format!("--include={}", self.packages.join(","))));
        mmdebstrap.args(["--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Retries \"3\""]);
        mmdebstrap.arg(self.suite).arg(&made);
        let source = "check-valid-until=no";
        let mirror = apt::mirror();
        mmdebstrap.arg(format!("deb [signed-by={KEYRING} {source}] {mirror} {} main", self.suite));
        log.run(&mut mmdebstrap)?;
        fs::rename(&made, &target).with_context(|| format!("cannot create {}", target.display()))?;
        Ok(target)
    }
}
