//! A control group for the command: whatever it starts stays in it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process,
};

/// Where the hierarchy of version 2 is mounted.
const MOUNTED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// Lists the processes of a group, and takes new ones.
const PROCESSES: &str = "cgroup.procs";

/// A control group, which is removed in the end.
#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    /// The kernel's number of it.
    pub(super) id: u64,
    processes: File,
}

impl Group {
    /// Makes one within that of this process.
    ///
    /// # Errors
    /// If there is none of version 2, or it cannot be written to, as in most containers.
    pub(super) fn new() -> io::Result<Self> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let path = own.lines().find_map(|line| line.strip_prefix("0::")).ok_or(io::ErrorKind::NotFound)?;
        let has_groups = |root: &&&str| Path::new(root).join("cgroup.controllers").exists();
        let root = MOUNTED.iter().find(has_groups).ok_or(io::ErrorKind::NotFound)?;
        let parent = Path::new(root).join(path.trim_start_matches('/'));
        let folder = parent.join(format!("sockleak-run-{}", process::id()));
        fs::create_dir(&folder)?;
        let opened = File::options().write(true).open(folder.join(PROCESSES));
        let made = opened.and_then(|processes| {
            let id = fs::metadata(&folder)?.ino();
            Ok(Self { folder: folder.clone(), id, processes })
        });
        made.inspect_err(|_| {
            let _ = fs::remove_dir(&folder);
        })
    }

    /// Moves the calling process into it. Between fork and exec.
    pub(super) fn enter(&self) -> io::Result<()> {
        (&self.processes).write_all(b"0")
    }
}

impl Drop for Group {
    /// What still runs goes back to where it came from.
    fn drop(&mut self) {
        let remaining = fs::read_to_string(self.folder.join(PROCESSES)).unwrap_or_default();
        if let Some(parent) = self.folder.parent() {
            for process in remaining.lines() {
                // It may have ended meanwhile.
                let _ = fs::write(parent.join(PROCESSES), process);
            }
        }
        if let Err(error) = fs::remove_dir(&self.folder) {
            tracing::warn!("{} cannot be removed: {error}", self.folder.display());
        }
    }
}
