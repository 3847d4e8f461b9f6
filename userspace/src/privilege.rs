//! Least privilege: once everything is attached, all capabilities go but those that following connections needs.

use caps::{CapSet, Capability, CapsHashSet, errors::CapsError};
use nix::{
    errno::Errno,
    unistd::{Gid, Uid, User, geteuid, setgid, setgroups, setuid},
};

use crate::probe::facts;

/// Users without privileges: the first that there is.
const NOBODIES: [&str; 2] = ["sockleak", "nobody"];

/// What following connections needs on every kernel. Each was left out in the VMs to see what fails without it.
const KEPT: [Capability; 2] = [
    // `/proc/PID` of processes with other rights than ours: who they are, where their stacks lead, and, of process 1, the root
    // under which a service looks for its targets.
    Capability::CAP_SYS_PTRACE,
    // Targets in directories that are closed to others, and files and memory of other users' programs, for stacks.
    Capability::CAP_DAC_READ_SEARCH,
];
/// From this version on, if not from an earlier one, the kernel asks for `CAP_BPF` and `CAP_PERFMON` only when something is made.
/// Whoever has its descriptor may read and write a map, make rounds by an iterator and run a program on demand. On Linux 5.10
/// each call of bpf(2) takes `CAP_BPF`.
const DESCRIPTORS_SUFFICE: (u32, u32) = (6, 1);

/// Privileges cannot be given up.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// Root has no other user to become.
    #[error(
        "there is no user sockleak or nobody to run as; add one, or run this as a user without privileges"
    )]
    NoUser,
    /// The kernel does not let root become that user.
    #[error("it cannot run as a user without privileges: {0}")]
    User(#[source] Errno),
    /// Capabilities stay.
    #[error("capabilities cannot be given up: {0}")]
    Capabilities(#[source] CapsError),
    /// New privileges could be gained.
    #[error("privileges cannot be given up: {0}")]
    NewPrivileges(#[source] Errno),
}

/// Drops what is no longer needed, for good. What cannot be dropped is kept, and logged: tracing works all the same.
pub fn drop_after_attach() {
    if let Err(error) = try_drop() {
        tracing::warn!("privileges could not be dropped after attaching: {error}");
    }
}

/// For a thread that writes or removes a file: all capabilities go but the one to write where others own the directory. Capabilities are
/// the thread's own, and it is started before [`drop_after_attach`].
pub fn keep_writing() {
    let kept: CapsHashSet =
        [Capability::CAP_DAC_OVERRIDE].into_iter().filter(|&capability| is_permitted(capability)).collect();
    let done = caps::clear(None, CapSet::Inheritable)
        .and_then(|()| caps::set(None, CapSet::Effective, &kept))
        .and_then(|()| caps::set(None, CapSet::Permitted, &kept));
    if let Err(error) = done {
        tracing::warn!("the privileges of the thread that writes could not be dropped: {error}");
    }
}

/// For a thread that talks to servers elsewhere, or only prints from now on: all capabilities go. What cannot be dropped is logged.
pub fn keep_nothing() {
    if let Err(error) = drop_all() {
        tracing::warn!("in a thread, {error}");
    }
}

/// A user without privileges, and his group. None if there is none.
pub(crate) fn nobody() -> Option<(Uid, Gid)> {
    let found = NOBODIES.iter().find_map(|name| User::from_name(name).ok().flatten());
    found.filter(|user| !user.uid.is_root()).map(|user| (user.uid, user.gid))
}

/// Root becomes a user without privileges, for good: whatever had to be opened is open. Anybody else stays who he is. To be called
/// before there are other threads.
///
/// # Errors
/// If that cannot be done.
pub fn become_nobody() -> Result<(), PrivilegeError> {
    if geteuid().is_root() {
        let (user, group) = nobody().ok_or(PrivilegeError::NoUser)?;
        let changed = setgroups(&[]).and_then(|()| setgid(group)).and_then(|()| setuid(user));
        changed.map_err(PrivilegeError::User)?;
    }
    drop_all()
}

/// This thread, and those that it starts from now on, keep no capability.
///
/// # Errors
/// If that cannot be done.
pub fn drop_all() -> Result<(), PrivilegeError> {
    let cleared = [CapSet::Ambient, CapSet::Effective, CapSet::Permitted, CapSet::Inheritable]
        .into_iter()
        .try_for_each(|set| caps::clear(None, set));
    cleared.map_err(PrivilegeError::Capabilities)?;
    nix::sys::prctl::set_no_new_privs().map_err(PrivilegeError::NewPrivileges)
}

fn try_drop() -> Result<(), CapsError> {
    let kept = kept(facts::running_version(), &is_permitted);
    // The bounding set first: narrowing it needs CAP_SETPCAP, which goes with the rest.
    if is_permitted(Capability::CAP_SETPCAP) {
        for capability in caps::all() {
            if !kept.contains(&capability) && caps::has_cap(None, CapSet::Bounding, capability)? {
                caps::drop(None, CapSet::Bounding, capability)?;
            }
        }
    }
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    if let Err(error) = nix::sys::prctl::set_no_new_privs() {
        tracing::warn!("no_new_privs could not be set: {error}");
    }
    Ok(())
}

/// What is kept of what is permitted.
fn kept(version: (u32, u32), is_permitted: &dyn Fn(Capability) -> bool) -> CapsHashSet {
    let mut kept: CapsHashSet = KEPT.into_iter().filter(|&capability| is_permitted(capability)).collect();
    if version < DESCRIPTORS_SUFFICE {
        // The second stands for the first where that is not given.
        let either = [Capability::CAP_BPF, Capability::CAP_SYS_ADMIN];
        kept.extend(either.into_iter().find(|&capability| is_permitted(capability)));
    }
    kept
}

fn is_permitted(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Permitted, capability).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use Capability::{CAP_BPF, CAP_DAC_READ_SEARCH, CAP_KILL, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE};

    use super::*;

    #[test]
    fn no_more_is_kept_than_the_kernel_asks_for() {
        let all = [CAP_BPF, CAP_DAC_READ_SEARCH, CAP_KILL, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE];
        let reading = [CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH];
        for (version, permitted, expected) in [
            ((7, 2), &all[..], &reading[..]),
            ((6, 1), &all, &reading),
            ((5, 10), &all, &[CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_BPF]),
            ((5, 10), &[CAP_SYS_ADMIN, CAP_KILL], &[CAP_SYS_ADMIN]),
            ((5, 10), &[CAP_BPF, CAP_PERFMON], &[CAP_BPF]),
            ((6, 1), &[CAP_BPF, CAP_PERFMON], &[]),
        ] {
            let kept = kept(version, &|capability| permitted.contains(&capability));
            assert_eq!(kept, expected.iter().copied().collect(), "{version:?} {permitted:?}");
        }
    }
}
