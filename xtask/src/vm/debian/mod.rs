//! A whole Debian with a systemd that is the first process, as an image that VMs boot from. No VM writes to it: what a guest
//! changes is gone with its VM.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::apt::{self, KEYRING};
use crate::paths;
use crate::process::{self, Log};

/// What is installed beside what is essential, and what those need.
const PACKAGES: [&str; 9] =
    ["adduser", "curl", "haproxy", "procps", "prometheus", "python3", "socat", "systemd", "systemd-sysv"];
/// The servers that the scenarios of the group `servers` fill, and their client libraries.
const SERVERS: [&str; 16] = [
    "dbus-daemon",
    "gunicorn",
    "mariadb-server",
    "memcached",
    "nginx-light",
    "php-fpm",
    "postgresql",
    "python3-dbus",
    "python3-psycopg2",
    "python3-pymemcache",
    "python3-pymysql",
    "python3-redis",
    "python3-sqlalchemy",
    "python3-xlib",
    "redis-server",
    "xvfb",
];
/// The container engines that the scenarios of the group `containers` start, and what drives containerd's CRI.
const ENGINES: [&str; 12] = [
    "apparmor",
    "catatonit",
    "containerd",
    "crun",
    "docker.io",
    "podman",
    "procps",
    "python3",
    "python3-grpcio",
    "runc",
    "systemd",
    "systemd-sysv",
];
/// What nobody reads here: most of what Prometheus depends on are libraries for its pages.
const LEFT_OUT: [&str; 5] = [
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/javascript/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
];
/// What begins the guest, before its own systemd.
pub(super) const INIT: &[u8] = include_bytes!("init.sh");
/// Runs the command in the guest, and the unit that runs that.
pub(super) const RUN: &[u8] = include_bytes!("run.sh");
pub(super) const UNIT: &[u8] = include_bytes!("vm.service");
/// Says how the image was made; written last, so it also says "complete".
const STAMP: &str = "RECIPE";
/// Its package is e2fsprogs.
pub(crate) const MKFS: &str = "mkfs.ext4";
/// The image takes as much of the disk as is in it.
const SIZE: &str = "4G";

/// What is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Servers, Prometheus, and what the package needs.
    Servers,
    /// Container engines.
    Containers,
}

/// What was made once, in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// The file system, ext4.
    pub(crate) image: PathBuf,
}

impl System {
    /// The image, if it was made in the way that we would make it now.
    pub(crate) fn cached(self) -> Option<Root> {
        let folder = self.folder();
        let made = fs::read_to_string(folder.join(STAMP)).ok()?;
        (made == self.recipe()).then(|| Root { image: folder.join("root.ext4") })
    }

    /// The image.
    pub(crate) fn get(self) -> Result<Root> {
        self.cached().with_context(|| {
            format!("the Debian root {} for VMs is not here: run `cargo xtask setup`", self.name())
        })
    }

    /// Its folder in the cache.
    const fn name(self) -> &'static str {
        match self {
            Self::Servers => "debian-root",
            Self::Containers => "containers-root",
        }
    }

    fn folder(self) -> PathBuf {
        paths::cache().join(self.name())
    }

    const fn customize(self) -> &'static str {
        match self {
            Self::Servers => include_str!("customize.sh"),
            Self::Containers => include_str!("containers.sh"),
        }
    }

    /// All that decides what becomes of it, but for the state of the archive.
    fn recipe(self) -> String {
        let (suite, packages) = (suite(), self.packages(" "));
        format!("{suite}\n{packages}\nwithout {}\n{}", LEFT_OUT.join(" "), self.customize())
    }

    /// The names of all packages to install, with this text between them.
    fn packages(self, separator: &str) -> String {
        let names: Vec<&str> = match self {
            Self::Servers => PACKAGES.into_iter().chain(SERVERS).collect(),
            Self::Containers => ENGINES.to_vec(),
        };
        names.join(separator)
    }
}

/// Prometheus's tool for configurations and rules, taken out of the image for use on this machine.
pub(crate) fn promtool() -> Option<PathBuf> {
    let root = System::Servers.cached()?;
    Some(root.image.with_file_name(PROMTOOL))
}

const PROMTOOL: &str = "promtool";

/// That of this machine, whose libraries our programs are built for; elsewhere the one that all of this was tried with.
fn suite() -> String {
    apt::own_suite().unwrap_or_else(|| "bookworm".to_owned())
}

/// Makes the image from Debian's packages. Nothing gets installed on this machine by it.
pub(crate) fn make(system: System, log: &Log) -> Result<()> {
    let work = tempfile::tempdir_in(paths::cache_folder("tmp")?)?;
    let (root, ready) = (work.path().join("root"), work.path().join("ready"));
    log.run(&mut mmdebstrap(system, work.path(), &root)?)?;
    fs::create_dir(&ready)?;
    if system == System::Servers {
        fs::copy(root.join("usr/bin").join(PROMTOOL), ready.join(PROMTOOL))
            .context("the root has no promtool")?;
    }
    // A journal is of no use to what nobody keeps.
    let options = ["-q", "-O", "^has_journal", "-m", "0", "-E", "lazy_itable_init=0", "-d"];
    let mkfs = paths::program(MKFS).with_context(|| format!("{MKFS} is not on this machine"))?;
    let mut mkfs = process::command(&mkfs.display().to_string(), options);
    log.run(mkfs.arg(&root).arg(ready.join("root.ext4")).arg(SIZE))?;
    fs::write(ready.join(STAMP), system.recipe())?;
    let target = system.folder();
    if target.exists() {
        fs::remove_dir_all(&target).with_context(|| format!("cannot remove {}", target.display()))?;
    }
    fs::rename(&ready, &target).with_context(|| format!("cannot create {}", target.display()))
}

fn mmdebstrap(system: System, work: &Path, root: &Path) -> Result<std::process::Command> {
    let customize = work.join("customize.sh");
    fs::write(&customize, system.customize())?;
    let suite = suite();
    let mut command =
        process::command("mmdebstrap", ["--mode=root", "--variant=essential", "--architectures=amd64"]);
    command
        .arg(format!("--include={}", system.packages(",")))
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg("--aptopt=Acquire::Retries \"3\"")
        // Half an image is of no use: nothing needs to be on the disk before all of it is.
        .arg("--dpkgopt=force-unsafe-io")
        .args(LEFT_OUT.map(|what| format!("--dpkgopt=path-exclude={what}")))
        // It is a shell that runs this, with the root's folder as its first argument.
        .arg("--customize-hook=sh \"$SOCKLEAK_CUSTOMIZE\" \"$1\"")
        .env("SOCKLEAK_CUSTOMIZE", &customize)
        .arg(&suite)
        .arg(root)
        .arg(format!("deb [signed-by={KEYRING} check-valid-until=no] {} {suite} main", apt::mirror()));
    Ok(command)
}
