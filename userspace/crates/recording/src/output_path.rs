//! Where an output's path leads, and whether it may be written there. sockleak runs as root: in a folder where everybody may
//! write, nothing that another user put there is followed, written to or replaced. The kernel's `fs.protected_symlinks`,
//! `protected_fifos` and `protected_regular` do that for a plain open(2), but not for what is renamed, and not everywhere.

use std::{
    env,
    ffi::OsString,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read as _},
    os::{
        fd::{BorrowedFd, OwnedFd, RawFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Component, Path, PathBuf},
};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Links that are followed at most, as in the kernel.
const MOST_LINKS: usize = 40;
/// What every SQLite database begins with.
const DATABASE: &[u8] = b"SQLite format 3\0";
/// What is appended to a database's name for the files that belong to it.
pub(crate) const BESIDE_DATABASES: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// To a name without any link in it. Nothing may be there yet.
    Name(PathBuf),
    /// To a descriptor of this process, as `/dev/stdout` and `/dev/fd/3` do.
    Descriptor(RawFd),
}

/// Follows the links of a path.
///
/// # Errors
/// If a folder is missing, another user's link is in a folder where everybody may write, or the path ends with a slash and
/// leads to no directory.
pub fn resolve(path: &Path) -> io::Result<Place> {
    let mut at = if path.is_absolute() { PathBuf::from("/") } else { env::current_dir()? };
    let mut pending: Vec<OsString> = reversed(path);
    let mut links = 0;
    while let Some(part) = pending.pop() {
        match Path::new(&part).components().next() {
            Some(Component::RootDir) => at = PathBuf::from("/"),
            Some(Component::ParentDir) => _ = at.pop(),
            Some(Component::Normal(name)) => {
                let next = at.join(name);
                let there = match fs::symlink_metadata(&next) {
                    // A file that will be made.
                    Err(error) if error.kind() == io::ErrorKind::NotFound && pending.is_empty() => None,
                    there => Some(there?),
                };
                if !there.as_ref().is_some_and(Metadata::is_symlink) {
                    at = next;
                    continue;
                }
                if let Some(descriptor) = own_descriptor(&next).filter(|_| pending.is_empty()) {
                    return Ok(Place::Descriptor(descriptor));
                }
                refuse_planted(&next, there.as_ref())?;
                links += 1;
                if links > MOST_LINKS {
                    return Err(io::Error::from_raw_os_error(libc::ELOOP));
                }
                pending.extend(reversed(&fs::read_link(&next)?));
            }
            Some(Component::CurDir | Component::Prefix(_)) | None => {}
        }
    }
    if names_directory(path) && !at.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            "it ends with a slash, and is no directory",
        ));
    }
    Ok(Place::Name(at))
}

/// Does a path end with a slash? Then open(2) takes it for a directory, and nothing else is made in its place.
pub(crate) fn names_directory(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

fn reversed(path: &Path) -> Vec<OsString> {
    path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
}

/// The descriptor of this process that a link of procfs stands for.
fn own_descriptor(link: &Path) -> Option<RawFd> {
    let own = Path::new("/proc").join(std::process::id().to_string());
    let parts: Vec<_> = link.strip_prefix(own).ok()?.iter().map(|part| part.to_str()).collect();
    match parts[..] {
        [Some("fd"), Some(descriptor)] | [Some("task"), _, Some("fd"), Some(descriptor)] => {
            descriptor.parse().ok()
        }
        _ => None,
    }
}

/// Refuses what another user put into a folder where everybody may write; the folder's owner may put there what he likes.
/// `facts` are those of what is at `path`, if anything is.
///
/// # Errors
/// A reason, if it is such.
pub fn refuse_planted(path: &Path, facts: Option<&Metadata>) -> io::Result<()> {
    let Some(facts) = facts else { return Ok(()) };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = fs::metadata(folder)?;
    let is_shared =
        folder.mode() & libc::S_ISVTX != 0 && folder.mode() & (libc::S_IWOTH | libc::S_IWGRP) != 0;
    let owner = facts.uid();
    if !is_shared || owner == nix::unistd::geteuid().as_raw() || owner == folder.uid() {
        return Ok(());
    }
    let (path, what) = (path.display(), if facts.is_symlink() { "link" } else { "file" });
    let reason = format!(
        "the {what} {path} belongs to user {owner}, and others than its owner may write to its directory"
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
}

/// Refuses to write over a database, or over a file that belongs to one: it may be a recording that is being written.
///
/// # Errors
/// A reason, if it is such.
pub fn refuse_database(target: &Path) -> io::Result<()> {
    let refuse = |reason: String| Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
    let name = target.as_os_str().as_encoded_bytes();
    for suffix in BESIDE_DATABASES {
        let database = name.strip_suffix(suffix.as_bytes()).map(as_path);
        if let Some(database) = database.filter(|database| is_database(database)) {
            return refuse(format!("it belongs to the recording {}; name another file", database.display()));
        }
    }
    if is_database(target) {
        return refuse("it is a recording or another database; name another file".to_owned());
    }
    Ok(())
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

fn is_database(path: &Path) -> bool {
    if !fs::metadata(path).is_ok_and(|facts| facts.is_file()) {
        return false;
    }
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let Ok(mut file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else { return false };
    let mut start = [0; DATABASE.len()];
    file.read_exact(&mut start).is_ok() && start == DATABASE
}

/// Opens what is there already to be written to; a new file is made with the mode `new`, if that is given. Its length stays.
///
/// # Errors
/// If it cannot be opened, or another user put it there.
pub fn open(target: &Path, new: Option<u32>) -> io::Result<File> {
    let there = fs::symlink_metadata(target).ok();
    refuse_planted(target, there.as_ref())?;
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NOCTTY);
    if let Some(mode) = new {
        options.create(true).truncate(false).mode(mode);
    }
    let file = options.open(target)?;
    // Somebody may have put it there meanwhile.
    refuse_planted(target, Some(&file.metadata()?))?;
    Ok(file)
}

/// Another descriptor for what one of this process's is for, with its place in the file and its flags: who gave it meant that.
///
/// # Errors
/// If it is not open, or was opened by sockleak itself.
pub fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: it is borrowed for this function alone, which does no more than ask about it and duplicate it; the kernel says if
    // it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    let flags = FdFlag::from_bits_retain(fcntl(borrowed, FcntlArg::F_GETFD)?);
    // What was inherited has no such flag, what is opened here has.
    if flags.contains(FdFlag::FD_CLOEXEC) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    borrowed.try_clone_to_owned()
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt as _};

    use super::*;

    /// A user who is none of those who test.
    const OTHER: u32 = 64_123;

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let path = directory.path().canonicalize().expect("it is there");
        (directory, path)
    }

    #[test]
    fn links_are_followed_to_where_nothing_is_yet() {
        let (_scratch, folder) = scratch();
        fs::create_dir(folder.join("real")).expect("it is mine");
        std::os::unix::fs::symlink("real", folder.join("link")).expect("it is mine");
        std::os::unix::fs::symlink("../x/../none.txt", folder.join("real/dangling")).expect("it is mine");
        fs::create_dir(folder.join("x")).expect("it is mine");
        let leads = |path: &str| resolve(&folder.join(path)).ok();
        assert_eq!(leads("link/r.txt"), Some(Place::Name(folder.join("real/r.txt"))));
        assert_eq!(leads("link/./../r.txt"), Some(Place::Name(folder.join("r.txt"))));
        assert_eq!(leads("link/dangling"), Some(Place::Name(folder.join("none.txt"))));
        assert_eq!(leads("none/r.txt"), None);
        assert_eq!(leads("real/"), Some(Place::Name(folder.join("real"))));
        fs::write(folder.join("file"), b"").expect("it is mine");
        for directory in ["none/", "file/"] {
            assert_eq!(leads(directory), None, "{directory} is no directory, and no file is meant");
        }
        std::os::unix::fs::symlink("loop", folder.join("loop")).expect("it is mine");
        assert_eq!(leads("loop"), None);
    }

    #[test]
    fn descriptors_are_told_from_files() {
        assert_eq!(resolve(Path::new("/proc/self/fd/1")).ok(), Some(Place::Descriptor(1)));
        assert_eq!(resolve(Path::new("/dev/null")).ok(), Some(Place::Name("/dev/null".into())));
        assert_eq!(own_descriptor(Path::new("/proc/1/fd/1")).filter(|_| std::process::id() != 1), None);
        let own = File::open("/dev/null").expect("it is there");
        let number = std::os::fd::AsRawFd::as_raw_fd(&own);
        assert!(duplicate(number).is_err(), "it is sockleak's own");
        assert!(duplicate(-1).is_err() && duplicate(RawFd::MAX).is_err());
    }

    /// As the kernel's `protected_*`, whatever its settings.
    #[test]
    fn what_others_planted_is_refused() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("not tested: only root can act as another user");
            return;
        }
        let (_scratch, folder) = scratch();
        let (file, link) = (folder.join("r.txt"), folder.join("link"));
        fs::write(&file, "theirs").expect("it is mine");
        std::os::unix::fs::symlink("/etc/none", &link).expect("it is mine");
        for path in [&file, &link] {
            std::os::unix::fs::lchown(path, Some(OTHER), Some(OTHER)).expect("root may");
        }
        for (mode, is_refused) in [(0o1777, true), (0o1770, true), (0o777, false), (0o1755, false)] {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).expect("it is mine");
            assert_eq!(resolve(&link).is_err(), is_refused, "{mode:o}");
            assert_eq!(open(&file, Some(0o600)).is_err(), is_refused, "{mode:o}");
        }
        // The folder's owner is trusted there: he could do worse.
        std::os::unix::fs::chown(&folder, Some(OTHER), None).expect("root may");
        fs::set_permissions(&folder, Permissions::from_mode(0o1777)).expect("root may");
        assert!(resolve(&link).is_ok() && open(&file, None).is_ok());
    }

    #[test]
    fn databases_are_not_written_over() {
        let (_scratch, folder) = scratch();
        let database = folder.join("k.db");
        fs::write(&database, b"SQLite format 3\0...").expect("it is mine");
        for name in ["k.db", "k.db-wal", "k.db-shm", "k.db-journal"] {
            let said = refuse_database(&folder.join(name)).map_err(|error| error.to_string());
            assert!(said.is_err_and(|said| said.contains("name another file")), "{name}");
        }
        assert!(refuse_database(&folder.join("other.db-wal")).is_ok());
        assert!(refuse_database(&folder.join("k.txt")).is_ok());
    }
}
