//! Network namespaces, told apart by the numbers of the files that stand for them.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// A network namespace, and a file that stands for it.
pub(super) type Namespace = (u32, PathBuf);

/// Number of the namespace that a file stands for.
pub(super) fn number(file: &Path) -> Option<u32> {
    fs::metadata(file).ok()?.ino().try_into().ok()
}
