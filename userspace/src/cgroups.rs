//! Control groups by path, as the host has them.
//!
//! In a control group namespace of its own, as most containers have one, /proc tells paths from that namespace's root on: `/../x` is
//! beside it. Where the host's files can be seen, the root is found among its control groups, and paths are the host's again.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{namespaces::OwnNamespaces, proc};

/// Where the version 2 hierarchy may be mounted.
const MOUNTED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// Root of process 1.
const HOST: &str = "/proc/1/root";
/// Folders that are looked through for this process's own: of a host with thousands of containers.
const MOST: usize = 65_536;

/// How paths of control groups are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlGroups {
    /// Leads to the root under which the hierarchy is mounted as the host has it.
    root: PathBuf,
    /// The host's path of what /proc shows as `/`; None if that is not known.
    base: Option<String>,
}

impl ControlGroups {
    /// Looks at this process.
    #[must_use]
    pub fn inspect(namespaces: OwnNamespaces) -> Self {
        if !namespaces.cgroup {
            return Self { root: "/".into(), base: Some(String::new()) };
        }
        Self { root: HOST.into(), base: proc::shows_host().then(|| own(Path::new(HOST))).flatten() }
    }

    /// What the namespaces of this process cost, a sentence each: those of control groups nothing, where the host's paths are known.
    #[must_use]
    pub fn remarks(namespaces: OwnNamespaces) -> Vec<&'static str> {
        let mut remarks = namespaces.remarks();
        if namespaces.cgroup && Self::inspect(namespaces).is_known() {
            remarks.retain(|remark| *remark != OwnNamespaces::CGROUP);
        }
        remarks
    }

    /// Are the host's paths known?
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.base.is_some()
    }

    /// Path and id of a process's control group. The id is the inode of its folder.
    #[must_use]
    pub fn of_process(&self, pid: u32) -> Option<(String, u64)> {
        let groups = fs::read_to_string(proc::folder(pid).join("cgroup")).ok()?;
        let path = absolute(self.base.as_deref()?, version_2(&groups)?)?;
        let below = |mounted: &str| {
            self.root.join(mounted.trim_start_matches('/')).join(path.trim_start_matches('/'))
        };
        let id = MOUNTED.iter().find_map(|mounted| fs::metadata(below(mounted)).ok())?.ino();
        Some((path, id))
    }
}

fn version_2(groups: &str) -> Option<&str> {
    groups.lines().find_map(|line| line.strip_prefix("0::"))
}

/// The host's path of this process's namespace's root. It is as far below the host's root as process 1 is said to be above it.
fn own(host: &Path) -> Option<String> {
    let first = fs::read_to_string("/proc/1/cgroup").ok()?;
    let depth = version_2(&first)?.split('/').filter(|part| *part == "..").count();
    let inode = MOUNTED.iter().find_map(|mounted| fs::metadata(mounted).ok())?.ino();
    MOUNTED.iter().find_map(|mounted| find(&host.join(mounted.trim_start_matches('/')), depth, inode))
}

/// The path of the folder with an inode, so many levels below a root.
fn find(root: &Path, depth: usize, inode: u64) -> Option<String> {
    let mut level = vec![root.to_path_buf()];
    let mut seen = 0;
    for _ in 0..depth {
        let mut next = Vec::new();
        for folder in &level {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            next.extend(folders.map(|entry| entry.path()).take(MOST.saturating_sub(seen + next.len())));
        }
        seen += next.len();
        level = next;
    }
    let found = level.into_iter().find(|folder| fs::metadata(folder).is_ok_and(|it| it.ino() == inode))?;
    Some(format!("/{}", found.strip_prefix(root).ok()?.to_str()?))
}

/// The host's path of what a namespace shows as `shown`: each `..` at its beginning leads to the parent of the namespace's root.
fn absolute(base: &str, shown: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in shown.split('/').filter(|part| !part.is_empty()) {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_host() {
        let own = "/kubepods.slice/pod1.slice/cri-containerd-1.scope";
        for (base, shown, expected) in [
            ("", "/system.slice/a.service", Some("/system.slice/a.service")),
            ("", "/", Some("/")),
            (own, "/", Some(own)),
            (own, "/child", Some("/kubepods.slice/pod1.slice/cri-containerd-1.scope/child")),
            (own, "/../cri-containerd-2.scope", Some("/kubepods.slice/pod1.slice/cri-containerd-2.scope")),
            (own, "/../../../system.slice/a.service", Some("/system.slice/a.service")),
            (own, "/../../../..", None),
        ] {
            assert_eq!(absolute(base, shown).as_deref(), expected, "{base} {shown}");
        }
    }

    #[test]
    fn the_namespace_s_root_is_found_by_its_inode() {
        let directory = tempfile::tempdir().expect("a directory can be created");
        let root = directory.path();
        for path in ["a/b/c", "a/d/c", "e/f"] {
            fs::create_dir_all(root.join(path)).expect("it can be created");
        }
        let inode = |path: &str| fs::metadata(root.join(path)).expect("it exists").ino();
        assert_eq!(find(root, 3, inode("a/d/c")).as_deref(), Some("/a/d/c"));
        assert_eq!(find(root, 2, inode("e/f")).as_deref(), Some("/e/f"));
        // It is elsewhere.
        assert_eq!(find(root, 2, inode("a/d/c")), None);
    }
}
