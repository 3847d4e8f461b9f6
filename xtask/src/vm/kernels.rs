//! The kernels that sockleak is tested on: Debian's, most of them for clouds, fetched with apt state of their own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::apt::{self, Apt};
use crate::arch::Arch;
use crate::paths;
use crate::process::{self, Log};

const ARCHIVE: &str = "http://archive.debian.org/debian";
/// Names the package that a kernel folder was unpacked from; written last, so it also says "complete".
const STAMP: &str = "PACKAGE";

/// One kernel series and where Debian keeps it.
pub(crate) struct Series {
    /// What the user calls it: `6.1`.
    pub(crate) name: &'static str,
    pub(crate) arch: Arch,
    suite: &'static str,
    /// How the package's name begins; what follows, up to the flavour, is the version.
    prefix: &'static str,
    /// How it ends.
    flavour: &'static str,
}

impl Series {
    /// A series' kernel for clouds.
    const fn cloud(arch: Arch, name: &'static str, suite: &'static str, prefix: &'static str) -> Self {
        let flavour = match arch {
            Arch::Amd64 => "-cloud-amd64",
            Arch::Arm64 => "-cloud-arm64",
        };
        Self { name, arch, suite, prefix, flavour }
    }
}

/// Every series for x86-64, oldest first.
pub(crate) const SERIES: [Series; 6] = [
    Series::cloud(Arch::Amd64, "5.10", "bullseye", "linux-image-5.10."),
    Series::cloud(Arch::Amd64, "6.1", "bookworm", "linux-image-6.1."),
    Series::cloud(Arch::Amd64, "6.12", "trixie", "linux-image-6.12."),
    // PREEMPT_RT: interrupts and most locks can be preempted.
    Series {
        name: "6.12-rt",
        arch: Arch::Amd64,
        suite: "trixie",
        prefix: "linux-image-6.12.",
        flavour: "-rt-amd64",
    },
    // Newer image packages are shells around linux-binary.
    Series::cloud(Arch::Amd64, "7.2", "forky", "linux-binary-7.2."),
    Series::cloud(Arch::Amd64, "7.3", "trixie-backports", "linux-binary-7.3."),
];

/// Every series for 64-bit ARM, oldest first.
pub(crate) const ARM64: [Series; 5] = [
    Series::cloud(Arch::Arm64, "5.10", "bullseye", "linux-image-5.10."),
    Series::cloud(Arch::Arm64, "6.1", "bookworm", "linux-image-6.1."),
    Series::cloud(Arch::Arm64, "6.12", "trixie", "linux-image-6.12."),
    // Pages of 16 KiB, as the Raspberry Pi 5 has them.
    Series {
        name: "6.12-16k",
        arch: Arch::Arm64,
        suite: "trixie",
        prefix: "linux-image-6.12.",
        flavour: "-arm64-16k",
    },
    Series::cloud(Arch::Arm64, "7.2", "forky", "linux-binary-7.2."),
];

/// Every series for a kind of processor.
pub(crate) const fn all(arch: Arch) -> &'static [Series] {
    match arch {
        Arch::Amd64 => &SERIES,
        Arch::Arm64 => &ARM64,
    }
}

/// A kernel in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// The series it stands for.
    pub(crate) series: &'static str,
    pub(crate) arch: Arch,
    /// The Debian package it came from.
    pub(crate) package: String,
    /// Where the package was unpacked.
    pub(crate) folder: PathBuf,
    /// The bootable image.
    pub(crate) vmlinuz: PathBuf,
}

impl Kernel {
    /// The modules that a guest needs and the package has, in the order in which they are loaded: those of its disks, which kernels for
    /// clouds have built in, and the one by which unix sockets can be listed.
    pub(crate) fn modules(&self) -> Vec<PathBuf> {
        const MODULES: [&str; 5] = [
            "drivers/nvme/common/nvme-keyring",
            "drivers/nvme/common/nvme-auth",
            "drivers/nvme/host/nvme-core",
            "drivers/nvme/host/nvme",
            "net/unix/unix_diag",
        ];
        MODULES.iter().filter_map(|name| self.module(name)).collect()
    }

    /// A module by its path below `kernel`, without its ending, where the package has it.
    pub(crate) fn module(&self, name: &str) -> Option<PathBuf> {
        let folders = ["usr/lib/modules", "lib/modules"].map(|folder| self.folder.join(folder));
        let versions = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let names = [".ko", ".ko.xz"].map(|end| format!("{name}{end}"));
        let places = versions.flat_map(|version| {
            let folder = version.path().join("kernel");
            names.each_ref().map(|name| folder.join(name))
        });
        places.into_iter().find(|path| path.is_file())
    }

    /// What it is called beside kernels for other processors: `6.1`, `arm64 6.1`.
    pub(crate) fn label(&self) -> String {
        label(self.arch, self.series)
    }
}

/// What a kernel of a series is called beside those for other processors.
pub(crate) fn label(arch: Arch, series: &str) -> String {
    match arch {
        Arch::Amd64 => series.to_owned(),
        Arch::Arm64 => format!("{arch} {series}"),
    }
}

/// The series of that name for x86-64, or an error that lists the names there are.
pub(crate) fn series(name: &str) -> Result<&'static Series> {
    series_for(Arch::Amd64, name)
}

/// The series of that name for a kind of processor, or an error that lists the names there are.
pub(crate) fn series_for(arch: Arch, name: &str) -> Result<&'static Series> {
    let all = all(arch);
    all.iter().find(|series| series.name == name).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|series| series.name).collect();
        anyhow!("no kernel {name:?}: choose one of {}", names.join(", "))
    })
}

/// The cached kernel of a series, if it was fetched.
pub(crate) fn cached(series: &Series) -> Option<Kernel> {
    let folder = folder(series);
    let package = fs::read_to_string(folder.join(STAMP)).ok()?.trim().to_owned();
    let vmlinuz = vmlinuz(&folder)?;
    Some(Kernel { series: series.name, arch: series.arch, package, folder, vmlinuz })
}

/// The cached kernel of that name for x86-64; an error tells how to get it.
pub(crate) fn get(name: &str) -> Result<Kernel> {
    get_for(Arch::Amd64, name)
}

/// The cached kernel of that name for a kind of processor; an error tells how to get it.
pub(crate) fn get_for(arch: Arch, name: &str) -> Result<Kernel> {
    cached(series_for(arch, name)?).with_context(|| {
        let option = if arch == Arch::Amd64 { String::new() } else { format!(" --arch {arch}") };
        format!("kernel {name} is not here yet: run `cargo xtask setup{option}`")
    })
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
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    }
    fs::rename(&unpacked, &target).with_context(|| format!("cannot create {}", target.display()))
}

/// Reads a suite's package lists from the machine's mirror, or from the archive of retired suites.
fn find_suite<'a>(series: &Series, work: &'a Path, log: &Log) -> Result<Apt<'a>> {
    let mut failure = None;
    for uri in [apt::mirror().as_str(), ARCHIVE] {
        match Apt::read(work, series.arch, uri, &[series.suite], log) {
            Ok(apt) => return Ok(apt),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(error) => Err(error.context(format!("cannot read Debian's suite {}", series.suite))),
        None => bail!("no mirror to read {} from", series.suite),
    }
}

/// The newest of a series' kernels among package names.
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
    let kernels = paths::cache().join("kernels");
    match series.arch {
        Arch::Amd64 => kernels.join(series.name),
        Arch::Arm64 => kernels.join(series.arch.debian()).join(series.name),
    }
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
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-50-cloud-amd64",
            "linux-image-6.1.0-60-amd64",
            "linux-image-6.1.0-50-cloud-amd64-dbg",
            "linux-image-6.1.0-61-cloud-amd64-unsigned",
        ];
        let newest = |arch, name, names: &[&'static str]| {
            newest(series_for(arch, name).expect("it is known"), names.iter().copied())
        };
        assert_eq!(newest(Arch::Amd64, "6.1", &names), Some("linux-image-6.1.0-50-cloud-amd64"));
        let names = [
            "linux-image-6.12.107+deb13-cloud-amd64",
            "linux-image-6.12.97+deb13-cloud-amd64",
            "linux-image-6.12.97+deb13-rt-amd64",
            "linux-image-6.12.117+deb13-arm64-16k",
            "linux-image-6.12.118+deb13-arm64",
            "linux-image-6.12.116+deb13-cloud-arm64",
        ];
        assert_eq!(newest(Arch::Amd64, "6.12", &names), Some(names[0]));
        assert_eq!(newest(Arch::Amd64, "6.1", &names), None);
        assert_eq!(newest(Arch::Amd64, "6.12-rt", &names), Some(names[2]));
        assert_eq!(newest(Arch::Arm64, "6.12-16k", &names), Some(names[3]));
        assert_eq!(newest(Arch::Arm64, "6.12", &names), Some(names[5]));
    }
}
