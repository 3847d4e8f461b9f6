//! What a file system says of paths, for those who may not look themselves.

use std::path::{Path, PathBuf};

/// A tree of files, as some process sees it. Matching of targets is free of I/O: whoever has a file system hands it in.
pub trait Files {
    /// Inode number of the mount namespace that paths are meant in; 0 if that is not known.
    fn namespace(&self) -> u32;

    /// Where a path leads to through symbolic links; None if nothing is there.
    fn resolve(&self, path: &Path) -> Option<PathBuf>;

    /// Device and inode of what a path leads to; None if nothing is there.
    fn identity(&self, path: &Path) -> Option<(u64, u64)>;
}

/// No file of it can be seen: paths are compared as they are written, with listeners of the same mount namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Inode number of the mount namespace that paths are meant in; 0 if that is not known.
    pub namespace: u32,
}

impl Files for Unseen {
    fn namespace(&self) -> u32 {
        self.namespace
    }

    fn resolve(&self, _: &Path) -> Option<PathBuf> {
        None
    }

    fn identity(&self, _: &Path) -> Option<(u64, u64)> {
        None
    }
}
