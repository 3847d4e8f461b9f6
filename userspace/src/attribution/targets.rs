//! What the user asked for, and which listeners that means.
//!
//! The kernel filters by the file's name alone; here the rest is decided: by the directory's identity (device and
//! inode), which holds across mount namespaces, bind mounts, symbolic links and reloads, or by the path where the
//! listener was bound in the mount namespace that paths are meant in. Matching is pure; [`Target::look`] reads the file
//! system.

use std::{
    ffi::OsStr,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Component, Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use probe_ebpf::abi::NAME_LEN;
use thiserror::Error;

use super::view::View;
use crate::{decode::abstract_name, event::Listener};

/// Why a target cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    /// An empty argument.
    #[error("a target is empty; name a socket by path, file name, glob or @abstract name")]
    Empty,
    /// No name behind the `@`.
    #[error("the target '@' names no abstract socket; write @NAME")]
    EmptyAbstract,
    /// Ends in `/`, `.` or `..`.
    #[error("the target '{0}' names a directory; name the socket in it, or '{0}*' for all of them")]
    Directory(String),
    /// The name does not fit in `sun_path`.
    #[error("the name in target '{0}' is longer than {max} bytes, which no unix socket's is", max = NAME_LEN - 1)]
    TooLong(String),
    /// The glob does not parse.
    #[error("the target '{0}' is no valid glob: {1}")]
    Glob(String, String),
}

/// A target as given, parsed.
#[derive(Clone, Debug)]
pub struct Target {
    given: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The name without the `@`.
    Abstract(Vec<u8>),
    /// A file name, in any directory and any mount namespace.
    Bare(Vec<u8>),
    /// A pattern for whole paths, or for file names if it has no slash.
    Glob { matcher: GlobMatcher, file_name: Option<Vec<u8>>, whole_path: bool },
    /// An absolute path.
    Path(PathBuf),
}

/// What the kernel has to look for on behalf of a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Sockets whose file has this name.
    File(Vec<u8>),
    /// The socket with this abstract name.
    Abstract(Vec<u8>),
    /// Every socket with a file.
    AnyFile,
}

/// What the file system says of a path target at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Device and inode of the directory.
    directory: Option<(u64, u64)>,
    /// The path with symbolic links followed.
    resolved: Option<PathBuf>,
    /// The socket exists.
    pub exists: bool,
}

impl Target {
    /// Parses an argument. A relative path is taken from `directory`.
    ///
    /// # Errors
    /// If it is empty, names no file, is too long, or is a glob that does not parse.
    pub fn parse(given: &str, directory: &Path) -> Result<Self, TargetError> {
        let too_long = |name: &[u8]| name.len() >= NAME_LEN;
        let kind = if given.is_empty() {
            return Err(TargetError::Empty);
        } else if let Some(name) = given.strip_prefix('@') {
            match name.as_bytes() {
                [] => return Err(TargetError::EmptyAbstract),
                name if too_long(name) => return Err(TargetError::TooLong(given.to_owned())),
                name => Kind::Abstract(name.to_vec()),
            }
        } else if given.contains(['*', '?', '[', '{']) {
            Self::parse_glob(given, directory)?
        } else {
            let name = match Path::new(given).components().next_back() {
                Some(Component::Normal(name)) if !given.ends_with('/') && !given.ends_with("/.") => {
                    name.as_bytes()
                }
                _ => return Err(TargetError::Directory(given.to_owned())),
            };
            if too_long(name) {
                return Err(TargetError::TooLong(given.to_owned()));
            }
            if given.contains('/') {
                Kind::Path(absolute(directory, given))
            } else {
                Kind::Bare(name.to_vec())
            }
        };
        Ok(Self { given: given.to_owned(), kind })
    }

    fn parse_glob(given: &str, directory: &Path) -> Result<Kind, TargetError> {
        let whole_path = given.contains('/');
        let pattern = if whole_path {
            absolute(directory, given).to_string_lossy().into_owned()
        } else {
            given.to_owned()
        };
        let glob = GlobBuilder::new(&pattern).literal_separator(true).build();
        let glob = glob.map_err(|error| TargetError::Glob(given.to_owned(), error.kind().to_string()))?;
        let last = pattern.rsplit('/').next().unwrap_or_default();
        // A `}` without its `{`: the braces span the slash, so the last component is no name of its own.
        let file_name =
            (!last.contains(['*', '?', '[', ']', '{', '}', '\\'])).then(|| last.as_bytes().to_vec());
        Ok(Kind::Glob { matcher: glob.compile_matcher(), file_name, whole_path })
    }

    /// The argument as the user gave it.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// What the file system says of it now: for a path, where its directory is.
    #[must_use]
    pub fn look(&self, view: &View) -> Sight {
        let Kind::Path(path) = &self.kind else { return Sight::default() };
        let resolved = view.resolve(path).ok();
        let place = resolved.as_deref().unwrap_or(path);
        let directory = place.parent().and_then(|parent| view.identity(parent).ok());
        Sight { directory, exists: resolved.is_some(), resolved }
    }

    /// Is it a path of which nothing exists yet?
    #[must_use]
    pub fn is_awaited(&self, sight: &Sight) -> bool {
        matches!(self.kind, Kind::Path(_)) && !sight.exists
    }

    /// What the kernel has to look for. A symbolic link is wanted under both names: the socket's own for listeners,
    /// the link's for the addresses of failed attempts.
    #[must_use]
    pub fn wanted(&self, sight: &Sight) -> Vec<Wanted> {
        match &self.kind {
            Kind::Abstract(name) => vec![Wanted::Abstract(name.clone())],
            Kind::Bare(name) => vec![Wanted::File(name.clone())],
            Kind::Glob { file_name: Some(name), .. } => vec![Wanted::File(name.clone())],
            Kind::Glob { file_name: None, .. } => vec![Wanted::AnyFile],
            Kind::Path(path) => {
                let paths = [Some(path), sight.resolved.as_ref()];
                let names = paths.into_iter().flatten().filter_map(|path| path.file_name());
                names.map(|name| Wanted::File(name.as_bytes().to_vec())).collect()
            }
        }
    }

    /// Does the target mean this listener? `namespace` is the mount namespace that paths are meant in.
    #[must_use]
    pub fn selects(&self, sight: &Sight, listener: &Listener, namespace: u32) -> bool {
        let path = Path::new(OsStr::from_bytes(&listener.path));
        match &self.kind {
            Kind::Abstract(name) => listener.is_abstract && listener.bind_name.get(1..) == Some(name),
            _ if listener.is_abstract => false,
            Kind::Bare(name) => path.file_name().is_some_and(|file| file.as_bytes() == name),
            Kind::Glob { .. } => self.matches_glob(path),
            Kind::Path(target) => {
                let place = sight.resolved.as_ref().unwrap_or(target);
                if path.file_name() != place.file_name() {
                    return false;
                }
                let here = sight.directory == Some((listener.device, listener.directory_inode));
                here || (namespace != 0 && listener.mount_namespace == namespace && path == place)
            }
        }
    }

    fn matches_glob(&self, path: &Path) -> bool {
        match &self.kind {
            Kind::Glob { matcher, whole_path: true, .. } => matcher.is_match(path),
            Kind::Glob { matcher, .. } => path.file_name().is_some_and(|name| matcher.is_match(name)),
            _ => false,
        }
    }

    /// If the target means an address to which no listener was found: the path (or `@name`) that is meant.
    #[must_use]
    pub fn place_of(&self, sight: &Sight, address: &Address<'_>) -> Option<Vec<u8>> {
        if let [0, name @ ..] = address.bytes {
            let is_target = matches!(&self.kind, Kind::Abstract(target) if target == name);
            return is_target.then(|| abstract_name(address.bytes));
        }
        let typed = Path::new(OsStr::from_bytes(address.bytes));
        let whole = match (typed.is_absolute(), address.directory) {
            (true, None) => Some(absolute(Path::new("/"), typed)),
            (true, Some(root)) => Some(absolute(root, typed.strip_prefix("/").unwrap_or(typed))),
            (false, Some(directory)) => Some(absolute(directory, typed)),
            (false, None) => None,
        };
        let is_meant = match &self.kind {
            Kind::Abstract(_) => false,
            Kind::Bare(name) => typed.file_name().is_some_and(|file| file.as_bytes() == name),
            Kind::Glob { whole_path: false, .. } => self.matches_glob(typed),
            Kind::Glob { .. } => whole.as_ref().is_some_and(|path| self.matches_glob(path)),
            Kind::Path(target) => {
                let is_target = |path: &PathBuf| path == target || Some(path) == sight.resolved.as_ref();
                let is_meant = address.same_namespace && whole.as_ref().is_some_and(is_target);
                let place = sight.resolved.as_ref().unwrap_or(target);
                return is_meant.then(|| place.as_os_str().as_bytes().to_vec());
            }
        };
        let place = whole.map_or_else(|| address.bytes.to_vec(), |path| path.into_os_string().into_vec());
        is_meant.then_some(place)
    }
}

/// An address that a client tried.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// `sun_path` as given.
    pub bytes: &'a [u8],
    /// Of a relative path the client's working directory, where it could be read; of an absolute one the client's root directory,
    /// where that is another than ours.
    pub directory: Option<&'a Path>,
    /// The client is in the mount namespace that paths are meant in.
    pub same_namespace: bool,
}

/// An absolute path without `.`, `..` and doubled slashes; symbolic links are left alone.
fn absolute(directory: &Path, path: impl AsRef<Path>) -> PathBuf {
    let mut out = PathBuf::from("/");
    for component in directory.join(path).components() {
        match component {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests;
