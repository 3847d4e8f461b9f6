//! The kernels that sockleak is tested on: Debian's, fetched with apt state of their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::apt::{self, Apt};
use crate::paths;
use crate::process::{self, Log};

const ARCHIVE: &str = "http://archive.debian.org/debian";
/// Names the package that a kernel folder was unpacked from; written last, so it also says "complete".
const STAMP: &str = "PACKAGE";

/// One kernel series and where Debian keeps it.
pub(crate) struct Series {
    /// What the user calls it: `6.1`.
    pub(crate) name: &'static str,
    suite: &'static str,
    /// How the package's name begins; what follows, up to the flavour, is the version.
    prefix: &'static str,
    /// How the package's name ends.
    flavour: &'static str,
}

/// The flavour made for VMs: small, and with the drivers that a VM needs built in.
const CLOUD: &str = "-cloud-amd64";
/// The flavour with PREEMPT_RT: interrupts and most locks can be preempted.
const RT: &str = "-rt-amd64";

/// Every series, oldest first.
pub(crate) const SERIES: [Series; 6] = [
    Series { name: "5.10", suite: "bullseye", prefix: "linux-image-5.10.", flavour: CLOUD },
    Series { name: "6.1", suite: "bookworm", prefix: "linux-image-6.1.", flavour: CLOUD },
    Series { name: "6.12", suite: "trixie", prefix: "linux-image-6.12.", flavour: CLOUD },
    Series { name: "6.12-rt", suite: "trixie", prefix: "linux-image-6.12.", flavour: RT },
    // Newer image packages are shells around linux-binary.
    Series { name: "7.2", suite: "forky", prefix: "linux-binary-7.2.", flavour: CLOUD },
    Series { name: "7.3", suite: "trixie-backports", prefix: "linux-binary-7.3.", flavour: CLOUD },
];

/// A kernel in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// The series it stands for.
    pub(crate) series: &'static str,
    /// The Debian package it came from.
    pub(crate) package: String,
    /// Where the package was unpacked.
    pub(crate) folder: PathBuf,
    /// The bootable image.
    pub(crate) vmlinuz: PathBuf,
}

impl Kernel {
    /// The modules that a guest loads, in this order, where the package has them as modules: the drive that brings its files home,
    /// and the listing of unix sockets.
    pub(crate) fn modules(&self) -> Vec<PathBuf> {
        const WANTED: [&str; 5] = [
            "drivers/nvme/common/nvme-keyring.ko",
            "drivers/nvme/common/nvme-auth.ko",
            "drivers/nvme/host/nvme-core.ko",
            "drivers/nvme/host/nvme.ko",
            "net/unix/unix_diag.ko",
        ];
        let folders = ["usr/lib/modules", "lib/modules"].map(|folder| self.folder.join(folder));
        let versions = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let trees: Vec<PathBuf> = versions.map(|version| version.path().join("kernel")).collect();
        let found = |name: &str| {
            let places = trees.iter().flat_map(|tree| [tree.join(name), tree.join(format!("{name}.xz"))]);
            places.into_iter().find(|path| path.is_file())
        };
        WANTED.into_iter().filter_map(found).collect()
    }
}

/// The series of that name, or an error that lists the names there are.
pub(crate) fn series(name: &str) -> Result<&'static Series> {
    SERIES.iter().find(|series| series.name == name).ok_or_else(|| {
        let names: Vec<&str> = SERIES.iter().map(|series| series.name).collect();
        anyhow!("no kernel {name:?}: choose one of {}", names.join(", "))
    })
}

/// The cached kernel of a series, if it was fetched.
pub(crate) fn cached(series: &Series) -> Option<Kernel> {
    let folder = folder(series);
    let package = fs::read_to_string(folder.join(STAMP)).ok()?.trim().to_owned();
    let vmlinuz = vmlinuz(&folder)?;
    Some(Kernel { series: series.name, package, folder, vmlinuz })
}

/// The cached kernel of that name; an error tells how to get it.
pub(crate) fn get(name: &str) -> Result<Kernel> {
    cached(series(name)?).with_context(|| format!("kernel {name} is not here yet: run `cargo xtask setup`"))
}

/// Fetches and unpacks the newest kernel of a series. Nothing gets installed, and apt's own state is not touched.
pub(crate) fn fetch(series: &Series, log: &Log) -> Result<()> {
    let work = tempfile::tempdir_in(paths::cache_folder("tmp")?)?;
    let apt = find_suite(series, work.path(), log)?;
    let names = apt.output("apt-cache", &["pkgnames", series.prefix])?;
    let package = newest(series, names.lines())
        .with_context(|| format!("suite {} has no {}*{}", series.suite, series.prefix, series.flavour))?;
    apt.run("apt-get", &["download", package], log)?;

    let deb = only_deb(work.path())?;
    let unpacked = work.path().join("unpacked");
    log.run(process::command("dpkg", ["-x"]).arg(&deb).arg(&unpacked))?;
    vmlinuz(&unpacked).with_context(|| format!("{package} holds no vmlinuz"))?;
    fs::write(unpacked.join(STAMP), format!("{package}\n"))?;

    let target = folder(series);
    if target.exists() {
        fs::remove_dir_all(&target).with_context(|| format!("cannot remove {}", target.display()))?;
    }
    paths::cache_folder("kernels")?;
    fs::rename(&unpacked, &target).with_context(|| format!("cannot create {}", target.display()))
}

/// Reads a suite's package lists from the machine's mirror, or from the archive of retired suites.
fn find_suite<'a>(series: &Series, work: &'a Path, log: &Log) -> Result<Apt<'a>> {
    let mut failure = None;
    for uri in [apt::mirror().as_str(), ARCHIVE] {
        match Apt::read(work, uri, &[series.suite], log) {
            Ok(apt) => return Ok(apt),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(error) => Err(error.context(format!("cannot read Debian's suite {}", series.suite))),
        None => bail!("no mirror to read {} from", series.suite),
    }
}

/// The newest kernel of a series among package names.
fn newest<'a>(series: &Series, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .filter(|name| name.starts_with(series.prefix) && name.ends_with(series.flavour))
        .max_by_key(|name| numbers(name))
}

/// The numbers in a name, in order: `6.1.0-50-cloud` gives 6, 1, 0, 50.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn folder(series: &Series) -> PathBuf {
    paths::cache().join("kernels").join(series.name)
}

fn vmlinuz(folder: &Path) -> Option<PathBuf> {
    let entries =
        |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("vmlinuz"))
    };
    entries(folder.join("boot"))
        .chain(entries(folder.join("usr/lib/modules")).flat_map(entries))
        .chain(entries(folder.join("lib/modules")).flat_map(entries))
        .find(named)
}

fn only_deb(folder: &Path) -> Result<PathBuf> {
    fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download left no package behind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_is_found_by_number_not_by_spelling() {
        let of =
            |name, names: &[&'static str]| newest(series(name).expect("it exists"), names.iter().copied());
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-50-cloud-amd64",
            "linux-image-6.1.0-60-amd64",
            "linux-image-6.1.0-50-cloud-amd64-dbg",
            "linux-image-6.1.0-61-cloud-amd64-unsigned",
        ];
        assert_eq!(of("6.1", &names), Some("linux-image-6.1.0-50-cloud-amd64"));
        let names = [
            "linux-image-6.12.107+deb13-cloud-amd64",
            "linux-image-6.12.97+deb13-cloud-amd64",
            "linux-image-6.12.97+deb13-rt-amd64",
            "linux-image-6.12.107+deb13-rt-amd64-dbg",
        ];
        assert_eq!(of("6.12", &names), Some(names[0]));
        assert_eq!(of("6.12-rt", &names), Some(names[2]));
        assert_eq!(of("6.1", &names), None);
    }
}
