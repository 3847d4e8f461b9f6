//! What the user asked for, and which listeners that means.
//!
//! The kernel filters by the file's name alone; here the rest is decided: by the directory's identity (device and
//! inode), which holds across mount namespaces, bind mounts, symbolic links and reloads, or by the path where the
//! listener was bound in the mount namespace that paths are meant in. Matching is pure; what the file
//! system says is asked of [`Files`].

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Component, Path, PathBuf},
};

use globset::GlobMatcher;
use sockleak_abi::{COMPONENT_LEN, NAME_LEN};
use thiserror::Error;

use super::{files::Files, pattern};
use crate::{
    decode::abstract_name,
    event::{
        Listener,
        name::{shown, without_padding},
    },
};

/// Longest name of a file (`NAME_MAX`), in bytes.
const LONGEST_FILE: usize = COMPONENT_LEN - 1;
/// Longest abstract name without its leading NUL, in bytes.
const LONGEST_ABSTRACT: usize = NAME_LEN - 1;

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
    /// No socket has a name as long: the target, and how many bytes a name of its kind has at most.
    #[error("the name in target '{0}' is longer than {1} bytes, which no socket's name is")]
    TooLong(String, usize),
    /// The glob does not parse.
    #[error("the target '{0}' is no valid glob: {1}; put \\ before a character that is meant literally")]
    Glob(String, String),
    /// The glob has bytes that are not UTF-8.
    #[error("the glob '{0}' has bytes that are not UTF-8; put ? in place of each")]
    GlobBytes(String),
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
    /// A pattern for abstract names without the `@`, and the pattern itself as a name.
    AbstractGlob { matcher: GlobMatcher, literal: Vec<u8> },
    /// A file name, in any directory and any mount namespace.
    Bare(Vec<u8>),
    /// A pattern for whole paths, or for file names if it has no slash. `literal` is the path that it names if no character
    /// is a wildcard.
    Glob { matcher: GlobMatcher, file_name: Option<Vec<u8>>, whole_path: bool, literal: PathBuf },
    /// An absolute path.
    Path(PathBuf),
}

/// What the kernel has to look for on behalf of a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Sockets whose file has this name.
    File(Vec<u8>),
    /// Sockets with this abstract name, whether or not NUL bytes pad it.
    Abstract(Vec<u8>),
    /// Every socket with a file.
    AnyFile,
    /// Every socket with an abstract name.
    AnyAbstract,
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
    /// Parses an argument, whose bytes need not be UTF-8. A relative path is taken from `directory`.
    ///
    /// # Errors
    /// If it is empty, names no file, is too long, or is a glob that does not parse.
    pub fn parse(given: impl AsRef<OsStr>, directory: &Path) -> Result<Self, TargetError> {
        let given = given.as_ref().as_bytes();
        let is_glob = pattern::has_wildcard(given);
        let kind = match given {
            [] => return Err(TargetError::Empty),
            [b'@'] => return Err(TargetError::EmptyAbstract),
            [b'@', name @ ..] if is_glob => match compile(given, name, false) {
                Ok(matcher) => Kind::AbstractGlob { matcher, literal: name.to_vec() },
                // No pattern: so it is a name, in which any byte may be.
                Err(TargetError::Glob(..)) => literal_abstract(given, name.to_vec())?,
                Err(error) => return Err(error),
            },
            [b'@', name @ ..] => literal_abstract(given, pattern::unescape(name))?,
            _ if is_glob => parse_glob(given, directory)?,
            _ => literal_kind(&pattern::unescape(given), directory)?,
        };
        Ok(Self { given: shown(given), kind })
    }

    /// Takes each character of an argument literally.
    ///
    /// # Errors
    /// If it names no file, or is too long.
    pub fn literal(given: impl AsRef<OsStr>, directory: &Path) -> Result<Self, TargetError> {
        let given = given.as_ref().as_bytes();
        Ok(Self { given: shown(given), kind: literal_kind(given, directory)? })
    }

    /// The same, but a glob that is the path of something that exists means that path.
    #[must_use]
    pub fn settled(self, files: &impl Files) -> Self {
        match &self.kind {
            Kind::Glob { literal, whole_path, .. } if files.resolve(literal).is_some() => {
                let kind = match literal.file_name() {
                    Some(name) if !whole_path => Kind::Bare(name.as_bytes().to_vec()),
                    _ => Kind::Path(literal.clone()),
                };
                Self { kind, ..self }
            }
            _ => self,
        }
    }

    /// The argument as the user gave it; bytes that are not UTF-8 are escaped, see [`shown`].
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// What the file system says of it now: for a path, where its directory is.
    #[must_use]
    pub fn look(&self, files: &impl Files) -> Sight {
        let Kind::Path(path) = &self.kind else { return Sight::default() };
        let resolved = files.resolve(path);
        let place = resolved.as_deref().unwrap_or(path);
        let directory = place.parent().and_then(|parent| files.identity(parent));
        Sight { directory, exists: resolved.is_some(), resolved }
    }

    /// Is it a path of which nothing exists yet?
    #[must_use]
    pub fn is_awaited(&self, sight: &Sight) -> bool {
        matches!(self.kind, Kind::Path(_)) && !sight.exists
    }

    /// What the kernel has to look for. A symbolic link is wanted under both names: the socket's own for listeners,
    /// the link's for the addresses of failed connects.
    #[must_use]
    pub fn wanted(&self, sight: &Sight) -> Vec<Wanted> {
        match &self.kind {
            Kind::Abstract(name) => vec![Wanted::Abstract(name.clone())],
            Kind::Bare(name) => vec![Wanted::File(name.clone())],
            Kind::Glob { file_name: Some(name), .. } => vec![Wanted::File(name.clone())],
            Kind::Glob { file_name: None, .. } => vec![Wanted::AnyFile],
            Kind::AbstractGlob { .. } => vec![Wanted::AnyAbstract],
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
            _ if listener.is_abstract => {
                listener.bind_name.get(1..).is_some_and(|name| self.matches_abstract(name))
            }
            Kind::Abstract(_) | Kind::AbstractGlob { .. } => false,
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

    /// Does it mean this abstract name, which has no leading NUL? Many libraries bind the whole `sockaddr_un`, so that NUL bytes
    /// pad the name.
    fn matches_abstract(&self, name: &[u8]) -> bool {
        let name = without_padding(name);
        match &self.kind {
            Kind::Abstract(target) => name == without_padding(target),
            Kind::AbstractGlob { matcher, literal } => {
                name == literal || matcher.is_match(Path::new(OsStr::from_bytes(name)))
            }
            _ => false,
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
            return self.matches_abstract(name).then(|| abstract_name(address.bytes));
        }
        let typed = Path::new(OsStr::from_bytes(address.bytes));
        let whole = match (typed.is_absolute(), address.directory) {
            (true, None) => Some(absolute(Path::new("/"), typed)),
            (true, Some(root)) => Some(absolute(root, typed.strip_prefix("/").unwrap_or(typed))),
            (false, Some(directory)) => Some(absolute(directory, typed)),
            (false, None) => None,
        };
        let is_meant = match &self.kind {
            Kind::Abstract(_) | Kind::AbstractGlob { .. } => false,
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

/// A path, or a bare file name.
fn literal_kind(given: &[u8], directory: &Path) -> Result<Kind, TargetError> {
    let path = Path::new(OsStr::from_bytes(given));
    let name = match path.components().next_back() {
        Some(Component::Normal(name)) if !given.ends_with(b"/") && !given.ends_with(b"/.") => name.as_bytes(),
        _ => return Err(TargetError::Directory(shown(given))),
    };
    if name.len() > LONGEST_FILE {
        return Err(TargetError::TooLong(shown(given), LONGEST_FILE));
    }
    let is_path = given.contains(&b'/');
    Ok(if is_path { Kind::Path(absolute(directory, path)) } else { Kind::Bare(name.to_vec()) })
}

fn parse_glob(given: &[u8], directory: &Path) -> Result<Kind, TargetError> {
    let literal = absolute(directory, Path::new(OsStr::from_bytes(given)));
    let whole_path = given.contains(&b'/');
    let pattern = if whole_path { absolute_pattern(given, directory) } else { given.to_vec() };
    let matcher = compile(given, &pattern, true)?;
    let last = pattern.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    // A `}` without its `{`: the braces span the slash, so the last component is no name of its own.
    let file_name = pattern::is_name(last).then(|| pattern::unescape(last));
    Ok(Kind::Glob { matcher, file_name, whole_path, literal })
}

/// The pattern for whole paths. In the directory that a relative one is taken from, no character is a wildcard.
fn absolute_pattern(given: &[u8], directory: &Path) -> Vec<u8> {
    let directory = OsString::from_vec(pattern::escape(directory.as_os_str().as_bytes()));
    absolute(Path::new(&directory), Path::new(OsStr::from_bytes(given))).into_os_string().into_vec()
}

fn literal_abstract(given: &[u8], name: Vec<u8>) -> Result<Kind, TargetError> {
    if name.len() > LONGEST_ABSTRACT {
        return Err(TargetError::TooLong(shown(given), LONGEST_ABSTRACT));
    }
    Ok(Kind::Abstract(name))
}

fn compile(given: &[u8], pattern: &[u8], separated: bool) -> Result<GlobMatcher, TargetError> {
    let text = std::str::from_utf8(pattern).map_err(|_| TargetError::GlobBytes(shown(given)))?;
    pattern::compile(text, separated)
        .map_err(|error| TargetError::Glob(shown(given), error.kind().to_string()))
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
