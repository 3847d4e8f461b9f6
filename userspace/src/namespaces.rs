//! Which namespaces this process has of its own, apart from the host's: what it cannot see for want of the host's.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use serde::Serialize;

/// Namespaces of this process that are not the host's.
///
/// The host's have fixed inode numbers (include/linux/proc_ns.h). A kernel that was built without a kind of namespace has no file
/// for it, and everybody is in the host's. Where /proc cannot be read at all, nothing is known, and `is_unknown` says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OwnNamespaces {
    /// A pid namespace: the kernel shows the descriptors of this namespace's processes alone.
    pub pid: bool,
    /// A user namespace: its root has no power over the host, and loads no tracing program.
    pub user: bool,
    /// A control group namespace: /proc tells the paths of control groups from its root on.
    pub cgroup: bool,
    /// A time namespace: its clocks may differ from the host's.
    pub time: bool,
    /// /proc/self/ns cannot be read.
    pub is_unknown: bool,
}

/// Folder of the files that stand for a process's namespaces.
const OWN: &str = "/proc/self/ns";

impl OwnNamespaces {
    /// What a pid namespace of its own costs.
    pub const UNSEEN: &str = "descriptor scans see only the processes of this pid namespace: connections opened before tracing \
                              started may be missing, and holders are not known; run sockleak in the host's pid namespace \
                              (docker run --pid=host)";
    /// What a user namespace of its own costs.
    pub const USER: &str = "this process has its own user namespace: the kernel loads no tracing program for it, and user ids are \
                            those of this namespace; run sockleak in the host's user namespace (docker run --userns=host)";

    /// What a control group namespace of its own costs where the host's paths cannot be found out.
    pub const CGROUP: &str = "this process has its own control group namespace: units and containers are not named; run sockleak in \
                              the host's (docker run --cgroupns=host)";

    /// Looks at this process.
    #[must_use]
    pub fn inspect() -> Self {
        Self::of(
            |kind| fs::metadata(format!("{OWN}/{kind}")).map(|file| file.ino()),
            fs::metadata(OWN).is_ok(),
        )
    }

    /// `number` tells the inode number of a file in the folder, and `is_readable` whether the folder is there.
    fn of(number: impl Fn(&str) -> io::Result<u64>, is_readable: bool) -> Self {
        // A missing file: the kernel has no such namespaces. Anything else that fails leaves it unknown.
        let is_own = |kind, host| match number(kind) {
            Ok(number) => Some(number != host),
            Err(error) if is_readable && error.kind() == io::ErrorKind::NotFound => Some(false),
            Err(_) => None,
        };
        let kinds = [
            is_own("pid", 0xEFFF_FFFC),
            is_own("user", 0xEFFF_FFFD),
            is_own("cgroup", 0xEFFF_FFFB),
            is_own("time", 0xEFFF_FFFA),
        ];
        let [pid, user, cgroup, time] = kinds.map(|kind| kind.unwrap_or(false));
        Self { pid, user, cgroup, time, is_unknown: kinds.contains(&None) }
    }

    /// Do descriptor scans see every process of the host, as far as is known?
    #[must_use]
    pub const fn sees_every_process(self) -> bool {
        !self.pid && !self.is_unknown
    }

    /// Why the list of sockets and holders is not complete; None if it is.
    #[must_use]
    pub fn unseen_processes(self) -> Option<&'static str> {
        if self.is_unknown {
            return Some(
                "it is not known whether descriptor scans see every process, because /proc/self/ns cannot be read: connections \
                 opened before tracing started may be missing, and holders are not known; mount /proc",
            );
        }
        self.pid.then_some(Self::UNSEEN)
    }

    /// What else is not known, a sentence each.
    #[must_use]
    pub fn remarks(self) -> Vec<&'static str> {
        let user = self.user.then_some(Self::USER);
        user.into_iter().chain(self.cgroup.then_some(Self::CGROUP)).collect()
    }

    /// Their kinds.
    #[must_use]
    pub fn kinds(self) -> Vec<&'static str> {
        let all = [(self.pid, "pid"), (self.user, "user"), (self.cgroup, "cgroup"), (self.time, "time")];
        all.into_iter().filter_map(|(is_own, kind)| is_own.then_some(kind)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host's numbers, but for some kinds.
    fn with(own: &'static [&str]) -> impl Fn(&str) -> io::Result<u64> {
        move |kind| match kind {
            _ if own.contains(&kind) => Ok(4_026_532_200),
            "pid" => Ok(4_026_531_836),
            "user" => Ok(4_026_531_837),
            "cgroup" => Ok(4_026_531_835),
            "time" => Ok(4_026_531_834),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    #[test]
    fn the_hosts_namespaces_are_known_by_their_numbers() {
        let host = OwnNamespaces::of(with(&[]), true);
        assert_eq!(host, OwnNamespaces::default());
        assert!(host.sees_every_process() && host.unseen_processes().is_none() && host.remarks().is_empty());
        let own = OwnNamespaces::of(with(&["pid", "time"]), true);
        assert_eq!(own.kinds(), ["pid", "time"]);
        assert!(!own.sees_every_process());
        assert!(own.unseen_processes().is_some_and(|why| why.contains("--pid=host")));
        let own = OwnNamespaces::of(with(&["user", "cgroup"]), true);
        assert_eq!((own.kinds(), own.remarks().len()), (vec!["user", "cgroup"], 2));
        assert!(own.sees_every_process());
    }

    #[test]
    fn a_kernel_without_namespaces_is_told_from_an_unreadable_proc() {
        let missing = |_: &str| Err(io::ErrorKind::NotFound.into());
        assert_eq!(OwnNamespaces::of(missing, true), OwnNamespaces::default());
        let unknown = OwnNamespaces::of(missing, false);
        assert!(unknown.is_unknown && !unknown.sees_every_process());
        assert!(unknown.unseen_processes().is_some_and(|why| why.contains("not known")));
        assert!(OwnNamespaces::of(|_| Err(io::ErrorKind::PermissionDenied.into()), true).is_unknown);
    }
}
