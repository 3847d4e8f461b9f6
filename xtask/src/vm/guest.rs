//! What is inside a VM: files from the host, with the libraries they need.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};

use super::debian::{self, Root};
use super::kernels::Kernel;
use super::libs;
use crate::arch::Arch;
use crate::{cross, process};

/// Where init finds what is to be put onto the root of a whole system.
const PAYLOAD: &str = "payload";
/// Folders that Debian merged into /usr. The guest has the links, so that `/bin/sh` and `/usr/bin/sh` both work.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];
/// Where the loader looks without being told.
const LIBRARY_FOLDERS: [&str; 4] =
    ["usr/lib", "usr/lib64", "usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"];
const FOLDERS: [&str; 12] = [
    "dev",
    "proc",
    "sys",
    "tmp",
    "run",
    "out",
    "root",
    "mnt",
    "usr/share",
    "var/lib/haproxy",
    "var/tmp",
    "etc/vm",
];
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
                      haproxy:x:101:101::/var/lib/haproxy:/usr/sbin/nologin\n\
                      nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nhaproxy:x:101:\nnogroup:x:65534:\n";

/// What the scripts of guests have in common: where it is there, and what it says.
const WAIT: (&str, &[u8]) = ("/usr/lib/vm/wait", include_bytes!("wait.sh"));

/// A file, folder or link of the guest.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entry {
    /// An empty folder.
    Folder,
    /// A copy of a file of the host.
    File(PathBuf),
    /// A file with these bytes and this mode.
    Bytes(Vec<u8>, u32),
    /// A symbolic link to that target.
    Link(String),
}

/// The files of a guest, by path without the leading slash.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    pub(super) entries: BTreeMap<PathBuf, Entry>,
    /// The image of a whole system, onto which everything that is added is put; it has its own libraries. Without one, what
    /// is added is all there is.
    pub(super) root: Option<PathBuf>,
    /// The processor that its programs are for.
    arch: Arch,
}

impl Guest {
    /// A guest with BusyBox, HAProxy and socat.
    pub(crate) fn new() -> Result<Self> {
        Self::new_for(Arch::Amd64)
    }

    /// The same for a kind of processor.
    pub(crate) fn new_for(arch: Arch) -> Result<Self> {
        let mut guest = Self::with_busybox(arch, &FOLDERS, include_bytes!("init.sh"))?;
        guest.bytes(WAIT.0, WAIT.1.to_vec(), 0o644);
        guest.bytes("etc/passwd", PASSWD.into(), 0o644);
        guest.bytes("etc/group", GROUP.into(), 0o644);
        guest.bytes("etc/hosts", "127.0.0.1 localhost\n".into(), 0o644);
        for (name, place) in [("haproxy", "/usr/sbin/haproxy"), ("socat", "/usr/bin/socat")] {
            guest.add(&cross::program(arch, name)?, Path::new(place))?;
        }
        Ok(guest)
    }

    /// A whole Debian, started by systemd.
    pub(crate) fn debian(root: &Root) -> Result<Self> {
        let mut guest =
            Self::with_busybox(Arch::Amd64, &["dev", "proc", "sys", "sysroot", PAYLOAD], debian::INIT)?;
        guest.root = Some(root.image.clone());
        guest.bytes(WAIT.0, WAIT.1.to_vec(), 0o644);
        guest.bytes("/usr/lib/vm/run", debian::RUN.to_vec(), 0o755);
        guest.bytes("/etc/systemd/system/vm.service", debian::UNIT.to_vec(), 0o644);
        let wanted = Path::new("/etc/systemd/system/multi-user.target.wants/vm.service");
        guest.link(wanted, Path::new("../vm.service"))?;
        Ok(guest)
    }

    /// The same with the kernel's modules that container engines ask for.
    pub(crate) fn containers(root: &Root, kernel: &Kernel) -> Result<Self> {
        let mut guest = Self::debian(root)?;
        guest.add_overlay(kernel)?;
        Ok(guest)
    }

    /// Adds the file system of containers, where the kernel has it as a module. It is loaded before systemd starts.
    pub(crate) fn add_overlay(&mut self, kernel: &Kernel) -> Result<()> {
        let Some(module) = kernel.module("fs/overlayfs/overlay") else { return Ok(()) };
        let name = module.file_name().context("a module has a name")?;
        self.add(&module, &Path::new("/usr/lib/modules").join(name))
    }

    fn with_busybox(arch: Arch, folders: &[&str], init: &[u8]) -> Result<Self> {
        let mut guest = Self { entries: BTreeMap::new(), root: None, arch };
        for folder in folders {
            guest.folder(Path::new(folder));
        }
        for name in MERGED {
            guest.folder(Path::new("usr").join(name).as_path());
            guest.put(PathBuf::from(name), Entry::Link(format!("usr/{name}")));
        }
        guest.put("init".into(), Entry::Bytes(init.to_vec(), 0o755));
        guest.busybox()?;
        Ok(guest)
    }

    fn busybox(&mut self) -> Result<()> {
        let host = cross::program(self.arch, "busybox")?;
        let is_static = libs::is_static(&host, &cross::root(self.arch));
        ensure!(is_static, "{} is not static: install busybox-static", host.display());
        let mut list = match self.arch {
            Arch::Amd64 => process::command("busybox", [""; 0]),
            Arch::Arm64 => process::command(&cross::user_emulator().display().to_string(), [&host]),
        };
        for applet in process::output(list.arg("--list-full"))?.lines() {
            self.put(inside(Path::new(applet))?, Entry::Link("/usr/bin/busybox".into()));
        }
        self.put("usr/bin/busybox".into(), Entry::File(host));
        Ok(())
    }

    /// Adds a file with the libraries it needs, or a folder with all that it holds.
    pub(crate) fn add(&mut self, host: &Path, place: &Path) -> Result<()> {
        let metadata = fs::metadata(host).with_context(|| format!("cannot read {}", host.display()))?;
        if metadata.is_dir() {
            self.folder(&self.at(inside(place)?));
            for entry in fs::read_dir(host).with_context(|| format!("cannot read {}", host.display()))? {
                let entry = entry?;
                self.add(&entry.path(), &place.join(entry.file_name()))?;
            }
            return Ok(());
        }
        ensure!(metadata.is_file(), "{} is neither a file nor a folder", host.display());
        if self.root.is_none() && metadata.permissions().mode() & 0o111 != 0 {
            let root = cross::root(self.arch);
            for library in libs::closure(host, &root)? {
                self.library(&library, &root)?;
            }
        }
        self.put(inside(place)?, Entry::File(host.to_path_buf()));
        Ok(())
    }

    /// Adds a folder with all that it holds, and no libraries of this machine.
    pub(crate) fn add_as_is(&mut self, host: &Path, place: &Path) -> Result<()> {
        for entry in fs::read_dir(host).with_context(|| format!("cannot read {}", host.display()))? {
            let entry = entry?;
            let (host, place) = (entry.path(), place.join(entry.file_name()));
            if host.is_dir() {
                self.add_as_is(&host, &place)?;
            } else {
                self.put(inside(&place)?, Entry::File(host));
            }
        }
        Ok(())
    }

    fn library(&mut self, host: &Path, root: &Path) -> Result<()> {
        let place = inside(host.strip_prefix(root).unwrap_or(host))?;
        let known =
            place.parent().is_some_and(|folder| LIBRARY_FOLDERS.iter().any(|f| folder == Path::new(f)));
        if let (false, Some(name)) = (known, host.file_name()) {
            // The guest has no ld.so.cache to find the file at its own place.
            let link = Path::new(LIBRARY_FOLDERS[0]).join(name);
            self.put(link, Entry::Link(format!("/{}", place.display())));
        }
        self.put(place, Entry::File(host.to_path_buf()));
        Ok(())
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, place: &Path, target: &Path) -> Result<()> {
        self.put(inside(place)?, Entry::Link(target.to_string_lossy().into_owned()));
        Ok(())
    }

    /// Adds a file of our own making.
    pub(crate) fn bytes(&mut self, place: &str, bytes: Vec<u8>, mode: u32) {
        self.put(place.trim_start_matches('/').into(), Entry::Bytes(bytes, mode));
    }

    fn folder(&mut self, place: &Path) {
        // A parent must come before what it holds: in the map's order it does, once it is in the map.
        let parents: Vec<&Path> = place.ancestors().filter(|p| !p.as_os_str().is_empty()).collect();
        for parent in parents {
            self.entries.entry(parent.to_path_buf()).or_insert(Entry::Folder);
        }
    }

    /// Where in the initramfs something is that the guest will have at `place`.
    fn at(&self, place: PathBuf) -> PathBuf {
        if self.root.is_some() { Path::new(PAYLOAD).join(place) } else { place }
    }

    fn put(&mut self, place: PathBuf, entry: Entry) {
        let place = self.at(place);
        if let Some(parent) = place.parent() {
            self.folder(parent);
        }
        self.entries.insert(place, entry);
    }
}

/// A path of the guest as the archive names it: no leading slash, no `.` or `..`, merged folders under usr.
fn inside(place: &Path) -> Result<PathBuf> {
    let mut path = PathBuf::new();
    for component in place.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                if path.as_os_str().is_empty() && MERGED.iter().any(|merged| name == *merged) {
                    path.push("usr");
                }
                path.push(name);
            }
            Component::ParentDir => {
                path.pop();
            }
            Component::Prefix(_) => return Err(anyhow!("{} is no path of a guest", place.display())),
        }
    }
    ensure!(!path.as_os_str().is_empty(), "a file cannot take the place of the guest's root");
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_normalised() {
        for (given, expected) in [
            ("/bin/sh", "usr/bin/sh"),
            ("/lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2"),
            ("/usr/lib/x/../y", "usr/lib/y"),
            ("/opt/bin/tool", "opt/bin/tool"),
            ("plain", "plain"),
        ] {
            assert_eq!(inside(Path::new(given)).expect("a good path"), PathBuf::from(expected));
        }
        assert!(inside(Path::new("/")).is_err());
    }

    #[test]
    fn a_folder_comes_with_its_parents() {
        let mut guest = Guest { entries: BTreeMap::new(), root: None, arch: Arch::Amd64 };
        guest.bytes("/a/b/c", b"x".to_vec(), 0o600);
        let order: Vec<_> = guest.entries.keys().map(|path| path.display().to_string()).collect();
        assert_eq!(order, ["a", "a/b", "a/b/c"]);
    }

    #[test]
    fn a_real_program_replaces_an_applet() {
        let mut guest = Guest { entries: BTreeMap::new(), root: None, arch: Arch::Amd64 };
        guest.put("usr/bin/x".into(), Entry::Link("/usr/bin/busybox".into()));
        guest.bytes("usr/bin/x", b"real".to_vec(), 0o755);
        assert_eq!(guest.entries[Path::new("usr/bin/x")], Entry::Bytes(b"real".to_vec(), 0o755));
    }
}
