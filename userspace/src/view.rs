//! Where paths are looked up.
//!
//! Who types a command means the paths that he sees. Who writes a service's configuration means those of the host; but the unit
//! that the service runs in has a mount namespace of its own, with another `/tmp` and without `/home`. So it looks where process 1
//! does: `/proc/1/root` leads into that one's mount namespace.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
};

use sockleak_core::attribution::files::Files;
use thiserror::Error;

/// Root of process 1.
const HOST: &str = "/proc/1/root";
/// And its mount namespace.
const HOST_NAMESPACE: &str = "/proc/1/ns/mnt";
/// So many symbolic links are followed on a way, as the kernel does.
const MOST_LINKS: usize = 40;

/// Why the host's paths cannot be seen.
#[derive(Debug, Error)]
#[error(
    "targets are looked up in the mount namespace of this process, for the host's is closed to it ({path}: {cause}): sockets that it \
     does not see by their path are missed; give it CAP_SYS_PTRACE"
)]
pub struct ViewError {
    path: &'static str,
    cause: io::Error,
}

/// A tree of files, as some process sees it.
#[derive(Clone, Debug)]
pub struct View {
    /// Leads to its root; None for this process's own.
    root: Option<PathBuf>,
    namespace: u32,
}

impl View {
    /// What this process sees. `namespace` is the inode number of its mount namespace, 0 if that is not known.
    #[must_use]
    pub const fn own(namespace: u32) -> Self {
        Self { root: None, namespace }
    }

    /// A tree that begins at a folder.
    #[cfg(test)]
    pub(crate) const fn at(root: PathBuf) -> Self {
        Self { root: Some(root), namespace: 0 }
    }

    /// What process 1 sees. `own` is the inode number of our own mount namespace.
    ///
    /// # Errors
    /// If that is not the same one, and this process may not look into it.
    pub fn of_host(own: u32) -> Result<Self, ViewError> {
        let closed = |path| move |cause| ViewError { path, cause };
        let namespace = fs::metadata(HOST_NAMESPACE).map_err(closed(HOST_NAMESPACE))?;
        let namespace = u32::try_from(namespace.ino()).unwrap_or(0);
        if namespace == own {
            return Ok(Self::own(own));
        }
        fs::metadata(HOST).map_err(closed(HOST))?;
        Ok(Self { root: Some(HOST.into()), namespace })
    }

    /// Where a path leads to through symbolic links, in this tree.
    ///
    /// # Errors
    /// If it leads nowhere.
    pub fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.root.as_ref().map_or_else(|| path.canonicalize(), |root| resolve_in(root, path))
    }

    /// The path by which this process reaches what a path leads to in this tree.
    ///
    /// # Errors
    /// If it leads nowhere.
    pub fn locate(&self, path: &Path) -> io::Result<PathBuf> {
        let found = self.resolve(path)?;
        Ok(self.root.as_ref().map_or_else(|| found.clone(), |root| below(root, &found)))
    }

    /// Device and inode of what a path leads to.
    ///
    /// # Errors
    /// If it leads nowhere.
    pub fn identity(&self, path: &Path) -> io::Result<(u64, u64)> {
        let metadata = match &self.root {
            None => path.metadata()?,
            Some(root) => below(root, &resolve_in(root, path)?).metadata()?,
        };
        Ok((metadata.dev(), metadata.ino()))
    }
}

impl Files for View {
    fn namespace(&self) -> u32 {
        self.namespace
    }

    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        Self::resolve(self, path).ok()
    }

    fn identity(&self, path: &Path) -> Option<(u64, u64)> {
        Self::identity(self, path).ok()
    }
}

/// Follows a path that begins at another root. The kernel would let links that begin with `/` begin at ours. (openat2(2) can be told
/// not to, but systemd's `RestrictSUIDSGID=` takes that away.) Where links are changed meanwhile, it may lead astray, until the
/// next look.
fn resolve_in(root: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut found = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = parts(path).collect();
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            found.pop();
            continue;
        }
        let next = found.join(part);
        let place = below(root, &next);
        if !place.symlink_metadata()?.is_symlink() {
            found = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        let target = fs::read_link(place)?;
        if target.is_absolute() {
            found = PathBuf::from("/");
        }
        for part in parts(&target).rev() {
            rest.push_front(part);
        }
    }
    Ok(found)
}

/// The components of a path but those that lead nowhere.
fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// An absolute path under another root.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::symlink, net::UnixListener};

    use super::*;

    /// A tree with `real/a.sock` and links to it, which leads elsewhere for whoever takes `/` for another root.
    fn tree() -> (tempfile::TempDir, View) {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let root = directory.path().canonicalize().expect("it exists");
        fs::create_dir_all(root.join("real/deep")).expect("it can be created");
        UnixListener::bind(root.join("real/a.sock")).expect("it can be bound");
        for (target, link) in [
            ("/real", "absolute"),
            ("real", "relative"),
            ("/real/a.sock", "socket"),
            ("../../../../real/a.sock", "real/deep/beyond"),
            ("circle", "circle"),
        ] {
            symlink(target, root.join(link)).expect("it can be linked");
        }
        let view = View { root: Some(root), namespace: 1 };
        (directory, view)
    }

    #[test]
    fn links_stay_in_the_tree() {
        let (directory, view) = tree();
        let socket = Path::new("/real/a.sock");
        let metadata = fs::metadata(directory.path().join("real/a.sock")).expect("it exists");
        for path in ["/real/a.sock", "/absolute/a.sock", "/relative/a.sock", "/socket", "/real/deep/beyond"] {
            let path = Path::new(path);
            assert_eq!(view.resolve(path).expect("it leads there"), socket, "{}", path.display());
            let located = view.locate(path).expect("it leads there");
            assert_eq!(located, below(directory.path(), socket), "{}", path.display());
            let identity = view.identity(path).expect("it leads there");
            assert_eq!(identity, (metadata.dev(), metadata.ino()), "{}", path.display());
        }
    }

    #[test]
    fn what_is_elsewhere_is_not_there() {
        let (directory, view) = tree();
        for path in [Path::new("/real/b.sock"), Path::new("/etc/passwd"), directory.path()] {
            assert_eq!(
                view.resolve(path).map_err(|error| error.kind()),
                Err(io::ErrorKind::NotFound),
                "{}",
                path.display()
            );
        }
        assert_eq!(
            View::own(1).resolve(directory.path()).expect("it is there"),
            view.root.expect("it has one")
        );
    }

    #[test]
    fn the_host_is_seen_or_it_is_said_why_not() {
        let own = fs::metadata("/proc/self/ns/mnt").map_or(0, |own| own.ino() as u32);
        match View::of_host(own) {
            Ok(view) => assert_ne!(view.namespace(), 0),
            Err(error) => assert!(error.to_string().contains("CAP_SYS_PTRACE"), "{error}"),
        }
    }
}
