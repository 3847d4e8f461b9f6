//! What a listening socket is called now: a server may bind under one name and rename.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

use sockleak_core::{decode::abstract_name, event::Listener};

use super::{holders::Holder, message::Socket};
use crate::proc;

/// Entries of a directory that are looked at: whoever owns it can put any number into it.
const MOST_ENTRIES: usize = 65_536;

/// Describes a listener; None for one without a name.
pub(super) fn describe(number: u64, socket: &Socket, holders: &[Holder]) -> Option<Listener> {
    let mut listener = Listener {
        id: number,
        path: abstract_name(&socket.name),
        path_truncated: false,
        bind_name: socket.name.clone(),
        is_abstract: socket.file.is_none(),
        device: 0,
        inode: 0,
        directory_inode: 0,
        mount_namespace: 0,
        network_namespace: socket.network,
        pid: None,
        backlog: socket.queue.1,
        is_seqpacket: socket.is_seqpacket,
    };
    if socket.name.is_empty() {
        return None;
    }
    let Some((inode, device)) = socket.file else { return Some(listener) };
    listener.inode = inode;
    listener.path.clone_from(&socket.name);
    // As its holder sees it; whoever holds a listener has its file in sight, as good as always. Where none may be looked at, the file
    // may be in our own sight.
    let seen_by = holders.iter().map(|holder| holder.actor.id.pid).chain([std::process::id()]);
    if let Some(place) = seen_by.into_iter().find_map(|pid| place(pid, socket, inode, device)) {
        listener.path = place.path;
        listener.device = place.device;
        listener.directory_inode = place.directory_inode;
        listener.mount_namespace = place.mount_namespace;
    }
    Some(listener)
}

/// Where a socket's file is now.
struct Place {
    path: Vec<u8>,
    device: u64,
    directory_inode: u64,
    mount_namespace: u32,
}

fn place(pid: u32, socket: &Socket, inode: u64, device: u32) -> Option<Place> {
    let folder = proc::folder(pid);
    let name = Path::new(OsStr::from_bytes(&socket.name));
    let given =
        if name.is_absolute() { name.to_owned() } else { fs::read_link(folder.join("cwd")).ok()?.join(name) };
    let directory = given.parent()?;
    let seen = folder.join("root").join(directory.strip_prefix("/").unwrap_or(directory));
    let is_file = |path: &Path| {
        let metadata = fs::symlink_metadata(path).ok()?;
        // sock_diag has the low half of the inode's number.
        let is_it = metadata.ino() as u32 == inode as u32 && kernel_device(metadata.dev()) == device;
        is_it.then_some(metadata.dev())
    };
    let called = given.file_name()?;
    let (file, device) = match is_file(&seen.join(called)) {
        Some(device) => (called.to_owned(), device),
        None => fs::read_dir(&seen).ok()?.flatten().take(MOST_ENTRIES).find_map(|entry| {
            let is_candidate = std::os::unix::fs::DirEntryExt::ino(&entry) as u32 == inode as u32;
            is_candidate.then(|| Some((entry.file_name(), is_file(&entry.path())?)))?
        })?,
    };
    Some(Place {
        path: directory.join(file).into_os_string().into_encoded_bytes(),
        device,
        directory_inode: fs::metadata(&seen).ok()?.ino(),
        mount_namespace: fs::metadata(folder.join("ns/mnt")).ok()?.ino() as u32,
    })
}

/// stat(2)'s device number as the kernel has it: 12 bits major, 20 minor.
fn kernel_device(device: u64) -> u32 {
    libc::major(device) << 20 | libc::minor(device)
}
