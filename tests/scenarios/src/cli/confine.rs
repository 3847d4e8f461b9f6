//! Programs that start with less than root has: fewer capabilities, or a kernel that hides its types.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use caps::{CapSet, Capability, CapsHashSet};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

/// A user without any rights.
pub(super) const NOBODY: u32 = 65534;

/// Does something in the child before it becomes the program.
fn before_exec(command: &mut Command, action: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: this program has one thread, so the child of a fork may do whatever the parent may.
    unsafe { command.pre_exec(action) };
}

fn other(error: caps::errors::CapsError) -> io::Error {
    io::Error::other(error)
}

/// As root, but without these capabilities.
pub(super) fn without(command: &mut Command, capabilities: &'static [Capability]) {
    before_exec(command, move || {
        // What is not in the bounding set is not acquired by exec.
        capabilities.iter().try_for_each(|&one| caps::drop(None, CapSet::Bounding, one).map_err(other))
    });
}

/// As nobody, with these capabilities alone.
pub(super) fn as_nobody_with(command: &mut Command, capabilities: &'static [Capability]) {
    before_exec(command, move || {
        let set: CapsHashSet = capabilities.iter().copied().collect();
        caps::securebits::set_keepcaps(true).map_err(other)?;
        setgroups(&[])?;
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        setresgid(group, group, group)?;
        setresuid(user, user, user)?;
        // An ambient capability has to be permitted and inheritable.
        caps::set(None, CapSet::Effective, &set).map_err(other)?;
        caps::set(None, CapSet::Permitted, &set).map_err(other)?;
        caps::set(None, CapSet::Inheritable, &set).map_err(other)?;
        caps::set(None, CapSet::Ambient, &set).map_err(other)
    });
}

fn own_mounts() -> nix::Result<()> {
    let nothing = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
}

/// Where another file lies over the kernel's type information.
pub(super) fn with_types_from(command: &mut Command, file: String) {
    before_exec(command, move || {
        let nothing = None::<&str>;
        own_mounts()?;
        Ok(mount(Some(file.as_str()), "/sys/kernel/btf/vmlinux", nothing, MsFlags::MS_BIND, nothing)?)
    });
}

/// Where a directory has other files in it than it has for everybody else.
pub(super) fn with_other_files_in(command: &mut Command, directory: String) {
    before_exec(command, move || {
        own_mounts()?;
        Ok(mount(Some("tmpfs"), directory.as_str(), Some("tmpfs"), MsFlags::empty(), None::<&str>)?)
    });
}

/// Where /sys is not mounted.
pub(super) fn without_sys(command: &mut Command) {
    before_exec(command, || {
        own_mounts()?;
        Ok(umount2("/sys", MntFlags::MNT_DETACH)?)
    });
}
