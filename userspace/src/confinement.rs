//! What confines this process beside capabilities and namespaces: the seccomp filter and the AppArmor profile of a container engine.

use std::fs;

/// What a container engine, or a service manager, has put around this process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// A seccomp filter decides about system calls.
    pub seccomp: bool,
    /// The AppArmor profile that is enforced; None if none is.
    pub apparmor: Option<String>,
}

impl Confinement {
    /// Looks at this process. What cannot be read does not confine, as far as is known.
    #[must_use]
    pub fn inspect() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        // The second file is there where AppArmor is one of several modules.
        let profile = read("/proc/self/attr/apparmor/current");
        let profile = if profile.is_empty() { read("/proc/self/attr/current") } else { profile };
        Self::of(&read("/proc/self/status"), &profile)
    }

    /// From `/proc/self/status`, and what AppArmor says: `docker-default (enforce)`, `unconfined`.
    fn of(status: &str, profile: &str) -> Self {
        let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map(str::trim);
        let apparmor = profile.trim().strip_suffix(" (enforce)").map(str::to_owned);
        Self { seccomp: mode == Some("2"), apparmor }
    }

    /// Why the kernel may refuse although the capabilities are there, with the remedy; empty if nothing confines.
    #[must_use]
    pub fn hint(&self) -> String {
        let seccomp = self.seccomp.then(|| {
            "a seccomp filter confines this process: allow bpf and perf_event_open (docker run --security-opt seccomp=unconfined)"
                .to_owned()
        });
        let apparmor = self.apparmor.as_ref().map(|profile| {
            format!("AppArmor profile {profile} confines this process (docker run --security-opt apparmor=unconfined)")
        });
        let hints: Vec<_> = seccomp.into_iter().chain(apparmor).collect();
        if hints.is_empty() { String::new() } else { format!(" ({})", hints.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_told_from_a_host() {
        let host = Confinement::of("Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n", "unconfined\n");
        assert_eq!((host.clone(), host.hint()), (Confinement::default(), String::new()));
        let docker = Confinement::of("Seccomp:\t2\n", "docker-default (enforce)\n");
        assert_eq!(docker.apparmor.as_deref(), Some("docker-default"));
        for part in ["seccomp=unconfined", "profile docker-default", "apparmor=unconfined"] {
            assert!(docker.hint().contains(part), "{part}");
        }
        // Without AppArmor the file is empty, or another module's. A profile that only complains refuses nothing.
        for profile in ["", "kernel\n", "docker-default (complain)\n"] {
            assert_eq!(Confinement::of("Seccomp:\t0\n", profile), Confinement::default(), "{profile}");
        }
    }
}
