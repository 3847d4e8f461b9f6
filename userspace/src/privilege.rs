//! Least privilege: once everything is attached, all capabilities go but those that following connections needs.

use caps::{CapSet, Capability, CapsHashSet};

/// Reading and writing maps, and reading /proc of other users' processes.
const KEPT: [Capability; 3] =
    [Capability::CAP_BPF, Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];

/// Drops what is no longer needed, for good. What cannot be dropped is kept, and logged: tracing works all the same.
pub fn drop_after_attach() {
    if let Err(error) = try_drop() {
        tracing::warn!("privileges could not be dropped after attaching: {error}");
    }
}

/// For a thread that writes a file: all capabilities go but the one to write where others own the directory. Capabilities are
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

/// For a thread that talks to servers elsewhere: all capabilities go.
pub fn keep_nothing() {
    let done = [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted]
        .into_iter()
        .try_for_each(|set| caps::clear(None, set));
    if let Err(error) = done {
        tracing::warn!("the privileges of a thread could not be dropped: {error}");
    }
    if let Err(error) = nix::sys::prctl::set_no_new_privs() {
        tracing::warn!("no_new_privs could not be set: {error}");
    }
}

fn try_drop() -> Result<(), caps::errors::CapsError> {
    let mut kept: CapsHashSet = KEPT.into_iter().filter(|&capability| is_permitted(capability)).collect();
    // It stands for CAP_BPF where that is not given.
    if !is_permitted(Capability::CAP_BPF) && is_permitted(Capability::CAP_SYS_ADMIN) {
        kept.insert(Capability::CAP_SYS_ADMIN);
    }
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

fn is_permitted(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Permitted, capability).unwrap_or(false)
}
