//! What is inside the VMs of the tests.

use std::path::Path;

use anyhow::{Context, Result};

use super::matrix::{Boot, CONTAINERS, DEBIAN, HAPROXY, SERVERS};
use super::package::both;
use crate::arch::Arch;
use crate::vm::{Guest, debian, haproxy, kernels};
use crate::{build, cross, paths};

/// Where tests/scenarios looks for what is put there for the package's cases.
const FOLDER: &str = "/srv/sockleak";
/// What else these cases need, from the repository.
const FILES: [&str; 3] = [
    "docs/prometheus/prometheus.yml",
    "docs/prometheus/sockleak.rules.yml",
    "tests/workload/debian/receiver.py",
];

/// Where tests/scenarios looks for the clients of the servers and for their configurations, and where those are in the repository.
const OF_SERVERS: (&str, &str) = ("/usr/share/sockleak-test", "tests/workload/servers");

/// The same for what runs in containers, and starts it.
const OF_CONTAINERS: (&str, &str) = ("/usr/share/sockleak-test", "tests/workload/containers");

/// The guests that the boots need.
pub(super) struct Guests {
    /// BusyBox and the programs, if a boot wants that.
    plain: Option<Guest>,
    /// A whole Debian and the package, if a boot wants that.
    debian: Option<Guest>,
    /// The same Debian and clients for its servers, if a boot wants that.
    servers: Option<Guest>,
    /// A Debian with container engines, without the kernel's modules, if a boot wants that.
    containers: Option<Guest>,
}

impl Guests {
    /// Builds the programs that run inside.
    pub(super) fn build_programs(arch: Arch) -> Result<()> {
        build::release_for(arch, &build::FOR_TESTS)
    }

    /// Makes them, with programs that are built already.
    pub(super) fn new(boots: &[Boot]) -> Result<Self> {
        // All boots of a test are of one kind.
        let arch = boots.first().map_or(Arch::Amd64, |boot| boot.arch);
        let plain = boots.iter().any(|boot| !boot.is_on_debian()).then(|| plain(arch)).transpose()?;
        let has = |group| boots.iter().any(|boot| boot.groups.contains(&group));
        let debian = has(DEBIAN).then(whole_debian).transpose()?;
        let servers = has(SERVERS).then(with_servers).transpose()?;
        let containers = has(CONTAINERS).then(with_containers).transpose()?;
        Ok(Self { plain, debian, servers, containers })
    }

    /// The guest of a boot.
    pub(super) fn of(&self, boot: &Boot) -> Result<Guest> {
        let guest = if boot.groups.contains(&DEBIAN) {
            &self.debian
        } else if boot.groups.contains(&SERVERS) {
            &self.servers
        } else if boot.groups.contains(&CONTAINERS) {
            &self.containers
        } else {
            &self.plain
        };
        let mut guest = guest.clone().context("no guest was made for this boot")?;
        if boot.groups.contains(&CONTAINERS) {
            guest.add_overlay(&kernels::get(boot.kernel)?)?;
        }
        if boot.groups.contains(&HAPROXY) {
            let folder = haproxy::cached().context("HAProxy 3.0 is not here: run `cargo xtask setup`")?;
            guest.add_as_is(&folder, Path::new(haproxy::PLACE))?;
        }
        Ok(guest)
    }
}

fn plain(arch: Arch) -> Result<Guest> {
    let mut guest = Guest::new_for(arch)?;
    add_programs(&mut guest, arch, &["sockleak", "workload", "scenarios"])?;
    add_leaks(&mut guest, arch)?;
    add_python(&mut guest, arch)?;
    Ok(guest)
}

/// sockleak itself is in the package.
fn whole_debian() -> Result<Guest> {
    let mut guest = Guest::debian(&debian::System::Servers.get()?)?;
    add_programs(&mut guest, Arch::Amd64, &["scenarios", "leaker"])?;
    let packages = both()?;
    let files = FILES.map(|name| paths::repo().join(name));
    for file in packages.iter().chain(&files) {
        let name = file.file_name().with_context(|| format!("{} has no name", file.display()))?;
        guest.add(file, &Path::new(FOLDER).join(name))?;
    }
    Ok(guest)
}

/// The image has the servers and their client libraries.
fn with_servers() -> Result<Guest> {
    let mut guest = Guest::debian(&debian::System::Servers.get()?)?;
    add_programs(&mut guest, Arch::Amd64, &["sockleak", "scenarios"])?;
    let (place, folder) = OF_SERVERS;
    guest.add(&paths::repo().join(folder), Path::new(place))?;
    Ok(guest)
}

/// The image has the engines.
fn with_containers() -> Result<Guest> {
    let mut guest = Guest::debian(&debian::System::Containers.get()?)?;
    add_programs(&mut guest, Arch::Amd64, &["sockleak", "scenarios"])?;
    let (place, folder) = OF_CONTAINERS;
    guest.add(&paths::repo().join(folder), Path::new(place))?;
    Ok(guest)
}

fn add_programs(guest: &mut Guest, arch: Arch, names: &[&str]) -> Result<()> {
    let programs = paths::release_for(arch);
    names.iter().try_for_each(|name| guest.add(&programs.join(name), &Path::new("/usr/bin").join(name)))
}

/// Programs whose stacks are told apart.
fn add_leaks(guest: &mut Guest, arch: Arch) -> Result<()> {
    const FOLDER: &str = "/opt/stacks";
    for program in build::leaks(arch)? {
        let name = program.file_name().map(Path::new).unwrap_or(&program).to_owned();
        guest.add(&program, &Path::new(FOLDER).join(name))?;
    }
    Ok(())
}

/// As much of Python as these programs take.
fn add_python(guest: &mut Guest, arch: Arch) -> Result<()> {
    let (python, encodings) = build::python(arch)?;
    let root = cross::root(arch);
    let place = |file: &Path| Ok::<_, anyhow::Error>(Path::new("/").join(file.strip_prefix(&root)?));
    guest.add(&python, &place(&python)?)?;
    guest.link(Path::new("/usr/bin/python3"), &place(&python)?)?;
    guest.add(&encodings, &place(&encodings)?)
}
