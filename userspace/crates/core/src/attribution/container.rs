//! Which systemd unit and which container a process belongs to, told by the path of its control group alone.

use serde::{Deserialize, Serialize};

/// What the path of a control group says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The innermost systemd unit that is a service or a scope, such as `haproxy.service`.
    pub unit: Option<String>,
    /// The user whose own systemd runs the unit; None of the system's: both may have one of that name.
    #[serde(skip)]
    pub manager: Option<u32>,
    /// The container.
    pub container: Option<Container>,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// What runs it.
    pub runtime: Runtime,
    /// Its id: 64 hexadecimal digits.
    pub id: String,
    /// Uid of the Kubernetes pod that it is part of.
    pub pod: Option<String>,
}

/// What runs a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// Docker.
    Docker,
    /// containerd under Kubernetes.
    Containerd,
    /// Podman.
    Podman,
    /// CRI-O.
    CriO,
    /// The path has the container's id, and not who runs it.
    Unknown,
}

impl Runtime {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Podman => "podman",
            Self::CriO => "cri-o",
            Self::Unknown => "container",
        }
    }
}

/// How systemd's scopes of containers begin, by runtime.
const SCOPES: [(&str, Runtime); 5] = [
    ("docker-", Runtime::Docker),
    ("cri-containerd-", Runtime::Containerd),
    ("libpod-", Runtime::Podman),
    ("crio-", Runtime::CriO),
    ("nerdctl-", Runtime::Containerd),
];

impl Container {
    /// Its runtime and the first 12 digits of its id, as the runtimes' own tools show it.
    #[must_use]
    pub fn short(&self) -> String {
        let id: String = self.id.chars().take(12).collect();
        format!("{} {id}", self.runtime.name())
    }
}

impl Membership {
    /// Reads a path such as `/system.slice/haproxy.service`.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let is_unit = |part: &&&str| part.ends_with(".service") || part.ends_with(".scope");
        let found = parts.iter().enumerate().rev().find_map(|(index, part)| {
            let parent = index.checked_sub(1).and_then(|parent| parts.get(parent)).copied();
            container(part, parent)
        });
        let pod = parts.iter().find_map(|part| pod(part));
        let unit = parts.iter().rev().find(is_unit).filter(|unit| container(unit, None).is_none());
        let manager = parts.iter().take_while(|part| Some(*part) != unit).find_map(|part| manager(part));
        Self {
            unit: unit.map(|unit| (*unit).to_owned()),
            manager,
            container: found.map(|(runtime, id)| Container { runtime, id: id.to_owned(), pod }),
        }
    }
}

/// The container that a part of the path stands for: `docker-ID.scope`, or `ID` below `docker`.
fn container<'a>(part: &'a str, parent: Option<&str>) -> Option<(Runtime, &'a str)> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    if let Some((prefix, runtime)) = SCOPES.iter().find(|(prefix, _)| name.starts_with(prefix)) {
        let id = &name[prefix.len()..];
        return is_id(id).then_some((*runtime, id));
    }
    if !is_id(name) {
        return None;
    }
    let runtime = match parent {
        Some("docker") => Runtime::Docker,
        Some("libpod_parent" | "libpod") => Runtime::Podman,
        _ => Runtime::Unknown,
    };
    Some((runtime, name))
}

/// `user@1000.service` is the systemd of user 1000.
fn manager(part: &str) -> Option<u32> {
    part.strip_prefix("user@")?.strip_suffix(".service")?.parse().ok()
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Uid of the pod in `kubepods-burstable-pod1234_….slice` (systemd's driver) or `pod1234-…` (the other one).
fn pod(part: &str) -> Option<String> {
    const UID: usize = 36;

    let name = part.strip_suffix(".slice").unwrap_or(part);
    let uid = name.rsplit_once("pod").map(|(_, uid)| uid.replace('_', "-"))?;
    let fits = uid.len() == UID && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    fits.then_some(uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";

    #[test]
    fn units_are_the_innermost_services() {
        for (path, expected) in [
            ("/system.slice/haproxy.service", Some("haproxy.service")),
            ("/user.slice/user-1000.slice/session-3.scope", Some("session-3.scope")),
            ("/user.slice/user-1000.slice/user@1000.service/app.slice/sync.service", Some("sync.service")),
            ("/system.slice/system-getty.slice/getty@tty1.service", Some("getty@tty1.service")),
            ("/", None),
            ("", None),
            ("/system.slice", None),
        ] {
            assert_eq!(Membership::of(path).unit.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn containers_are_found_by_runtime() {
        let pod = "0a1b2c3d-1111-2222-3333-444455556666";
        let slice = format!(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice",
            pod.replace('-', "_")
        );
        for (path, runtime, in_pod) in [
            (format!("/system.slice/docker-{ID}.scope"), Runtime::Docker, false),
            (format!("/docker/{ID}"), Runtime::Docker, false),
            (format!("/docker/{ID}/init.scope"), Runtime::Docker, false),
            (format!("/machine.slice/libpod-{ID}.scope/container"), Runtime::Podman, false),
            (format!("{slice}/cri-containerd-{ID}.scope"), Runtime::Containerd, true),
            (format!("{slice}/crio-{ID}.scope"), Runtime::CriO, true),
            (format!("/kubepods/besteffort/pod{pod}/{ID}"), Runtime::Unknown, true),
        ] {
            let container = Membership::of(&path).container.expect(&path);
            assert_eq!((container.runtime, container.id.as_str()), (runtime, ID), "{path}");
            assert_eq!(container.pod.as_deref(), in_pod.then_some(pod), "{path}");
        }
        for path in ["/system.slice/docker.service", "/docker/short", "/system.slice/docker-xyz.scope"] {
            assert_eq!(Membership::of(path).container, None, "{path}");
        }
    }

    #[test]
    fn the_scope_of_a_container_is_no_unit() {
        assert_eq!(Membership::of(&format!("/system.slice/docker-{ID}.scope")).unit, None);
    }
}
