//! Which systemd unit and which container a process belongs to, told by the path of its control group and by the names that the
//! container engine's files give.

use serde::{Deserialize, Serialize};

pub use crate::event::Runtime;
use crate::event::{ContainerNames, Process};

/// What is known of where a process belongs.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Container {
    /// What runs it.
    pub runtime: Runtime,
    /// Its id: 64 hexadecimal digits, or what it was called when it was started. Of LXC and systemd-nspawn, its name.
    pub id: String,
    /// Uid of the Kubernetes pod that it is part of.
    pub pod: Option<String>,
    /// Its name in Docker, Podman, nerdctl, LXC or systemd-nspawn.
    #[serde(default)]
    pub name: Option<String>,
    /// Its image, as it was asked for.
    #[serde(default)]
    pub image: Option<String>,
    /// Compose project, or stack of Docker Swarm.
    #[serde(default)]
    pub project: Option<String>,
    /// Compose service, or service of Docker Swarm.
    #[serde(default)]
    pub service: Option<String>,
    /// Namespace of its Kubernetes pod.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Name of its Kubernetes pod.
    #[serde(default)]
    pub pod_name: Option<String>,
    /// Its name within its Kubernetes pod.
    #[serde(default)]
    pub pod_container: Option<String>,
    /// The user whose engine without root runs it; None of the system's engine.
    #[serde(default)]
    pub user: Option<u32>,
    /// The container that this one runs in, as [`Container::short`] names it.
    #[serde(default)]
    pub outer: Option<String>,
}

/// How systemd's scopes of containers begin, by runtime, and control groups that engines make within a service.
const SCOPES: [(&str, Runtime); 6] = [
    ("docker-", Runtime::Docker),
    ("cri-containerd-", Runtime::Containerd),
    ("libpod-payload-", Runtime::Podman),
    ("libpod-", Runtime::Podman),
    ("crio-", Runtime::CriO),
    ("nerdctl-", Runtime::Containerd),
];

impl Container {
    /// Its runtime and its name; without a name the first 12 digits of its id, as the runtimes' own tools show it.
    #[must_use]
    pub fn short(&self) -> String {
        let of_user = self.user.map_or_else(String::new, |uid| format!(" (of user {uid})"));
        format!("{} {}{of_user}", self.runtime.name(), self.called())
    }

    /// Its name: `web`, of Kubernetes `NAMESPACE/POD/CONTAINER`; without one the first 12 digits of its id.
    #[must_use]
    pub fn called(&self) -> String {
        if let Some(pod) = self.pod_path() {
            let own = self.pod_container.as_deref();
            return own.map_or_else(|| format!("{pod}/{}", self.short_id()), |own| format!("{pod}/{own}"));
        }
        self.name.clone().unwrap_or_else(|| self.short_id())
    }

    /// `NAMESPACE/POD` of Kubernetes.
    #[must_use]
    pub fn pod_path(&self) -> Option<String> {
        Some(format!("{}/{}", self.namespace.as_deref()?, self.pod_name.as_deref()?))
    }

    /// Everything that tells what it is, in a line: `docker web, image nginx:1.25, service web of shop`.
    #[must_use]
    pub fn described(&self) -> String {
        let image = self.image.as_deref().map(|image| format!(", image {image}"));
        let service = self.service.as_deref().map(|service| match &self.project {
            Some(project) => format!(", service {service} of {project}"),
            None => format!(", service {service}"),
        });
        let outer = self.outer.as_deref().map(|outer| format!(", within {outer}"));
        [Some(self.short()), image, service, outer].into_iter().flatten().collect()
    }

    fn short_id(&self) -> String {
        if is_id(&self.id) { self.id.chars().take(12).collect() } else { self.id.clone() }
    }

    fn take_names(&mut self, names: &ContainerNames) {
        self.runtime = names.runtime;
        self.name.clone_from(&names.name);
        self.image.clone_from(&names.image);
        self.project.clone_from(&names.project);
        self.service.clone_from(&names.service);
        self.namespace.clone_from(&names.namespace);
        self.pod_name.clone_from(&names.pod);
        self.pod_container.clone_from(&names.pod_container);
    }
}

impl Membership {
    /// Where a process belongs; None if its control group is not known.
    #[must_use]
    pub fn of_process(process: &Process) -> Option<Self> {
        let path = process.cgroup_path.as_deref()?;
        Some(Self::named(path, process.container.as_deref()))
    }

    /// Reads a path such as `/system.slice/haproxy.service`.
    #[must_use]
    pub fn of(path: &str) -> Self {
        Self::named(path, None)
    }

    /// The same with what the engine's files say of the container that [`Sought::of`] the path named.
    #[must_use]
    pub fn named(path: &str, names: Option<&ContainerNames>) -> Self {
        let parts = parts(path);
        let mut found = containers(&parts);
        // Its path alone does not show that this is a container.
        if let (true, Some(names)) = (found.is_empty(), names) {
            found.push((0, Container { id: names.id.clone(), ..Container::default() }));
        }
        for (_, container) in &mut found {
            names
                .filter(|names| names.id == container.id)
                .into_iter()
                .for_each(|it| container.take_names(it));
        }
        let is_unit = |part: &&&str| part.ends_with(".service") || part.ends_with(".scope");
        let unit = parts.iter().rev().find(is_unit).filter(|unit| !is_scope_of_container(unit));
        let outer = found.len().checked_sub(2).and_then(|index| found.get(index)).map(|it| it.1.short());
        Self {
            unit: unit.map(|unit| (*unit).to_owned()),
            manager: parts.iter().take_while(|part| Some(*part) != unit).find_map(|part| manager(part)),
            container: found.pop().map(|(_, container)| Container { outer, ..container }),
        }
    }
}

/// A container whose names an engine of this host may have in its files: the outermost that the path of a control group has. What a
/// container runs in itself has files of its own, and names that it gave itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought<'p> {
    /// What runs it, as far as the path says.
    pub runtime: Runtime,
    /// Its id: a name of a file, without a slash.
    pub id: &'p str,
    /// The namespace of containerd that it may be in, where the path has only a short id: then it may be no container.
    pub namespace: Option<&'p str>,
    /// Uid of its Kubernetes pod.
    pub pod: Option<String>,
    /// The user in whose control groups it is. He makes any there: only his own engine's files tell of it.
    pub user: Option<u32>,
}

impl<'p> Sought<'p> {
    /// The container to look for; None if the path has none, or one that has its name in the path.
    #[must_use]
    pub fn of(path: &'p str) -> Option<Self> {
        let parts = parts(path);
        if let Some((index, container)) = containers(&parts).into_iter().next() {
            let is_told = matches!(container.runtime, Runtime::Lxc | Runtime::SystemdNspawn);
            let (_, id) = parts.get(index).and_then(|part| engine_id(part, None))?;
            let Container { runtime, pod, user, .. } = container;
            return (!is_told).then_some(Self { runtime, id, namespace: None, pod, user });
        }
        // `ctr run` makes /NAMESPACE/ID, whatever they are called.
        match parts[..] {
            [namespace, id, ..] if is_containerds(namespace) && is_containerds(id) => Some(Self {
                runtime: Runtime::Containerd,
                id,
                namespace: Some(namespace),
                pod: None,
                user: None,
            }),
            _ => None,
        }
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

/// The containers that a path has, the outermost first, each with its place in the path.
fn containers(parts: &[&str]) -> Vec<(usize, Container)> {
    let mut found: Vec<(usize, Container)> = Vec::new();
    let (mut pod_uid, mut user) = (None, None);
    for (index, part) in parts.iter().enumerate() {
        // Those of a pod or a user that a container has are its own.
        pod_uid = pod(part).or(pod_uid);
        user = manager(part).or(user);
        let parent = index.checked_sub(1).and_then(|parent| parts.get(parent)).copied();
        let is_supervisor = parts.get(index + 1) == Some(&"supervisor");
        let Some((runtime, id)) = container(part, parent).filter(|_| !is_supervisor) else { continue };
        let name = matches!(runtime, Runtime::Lxc | Runtime::SystemdNspawn).then(|| id.clone());
        let container =
            Container { runtime, id, pod: pod_uid.take(), name, user: user.take(), ..Container::default() };
        found.push((index, container));
    }
    found
}

/// The container that a part of the path stands for, with its id or its name.
fn container(part: &str, parent: Option<&str>) -> Option<(Runtime, String)> {
    engine_id(part, parent)
        .map(|(runtime, id)| (runtime, id.to_owned()))
        .or_else(|| Some((Runtime::Lxc, lxc(part, parent)?.to_owned())))
        .or_else(|| Some((Runtime::SystemdNspawn, nspawn(part)?)))
}

/// `docker-ID.scope`, or `ID` below `docker`.
fn engine_id<'a>(part: &'a str, parent: Option<&str>) -> Option<(Runtime, &'a str)> {
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

/// `lxc.payload.NAME`, or `NAME` below `lxc` as LXC did it before version 4.
fn lxc<'a>(part: &'a str, parent: Option<&str>) -> Option<&'a str> {
    let name = match part.strip_prefix("lxc.payload.") {
        Some(name) => name,
        None if parent == Some("lxc") => part,
        None => return None,
    };
    (!name.is_empty()).then_some(name)
}

/// `machine-NAME.scope` or `systemd-nspawn@NAME.service`. Virtual machines have such scopes too: libvirt's are called qemu.
fn nspawn(part: &str) -> Option<String> {
    let scope = part.strip_prefix("machine-").and_then(|rest| rest.strip_suffix(".scope"));
    let service = || part.strip_prefix("systemd-nspawn@")?.strip_suffix(".service");
    let name = unescaped(scope.or_else(service)?);
    (!name.is_empty() && !name.starts_with("qemu-")).then_some(name)
}

/// systemd writes in names of units what may not be in them as `\x2d`.
fn unescaped(name: &str) -> String {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.strip_prefix(b"x").and_then(|digits| digits.get(..2)).filter(|_| first == b'\\');
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        out.push(byte.unwrap_or(first));
        rest = if byte.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Is it the scope that an engine made for a container alone?
fn is_scope_of_container(part: &str) -> bool {
    engine_id(part, None).is_some() || part.ends_with(".scope") && nspawn(part).is_some()
}

/// `user@1000.service` is the systemd of user 1000.
fn manager(part: &str) -> Option<u32> {
    part.strip_prefix("user@")?.strip_suffix(".service")?.parse().ok()
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Could containerd call a container or a namespace so? A unit or a slice of systemd is none.
fn is_containerds(name: &str) -> bool {
    const MOST: usize = 76;
    const UNITS: [&str; 5] = [".slice", ".service", ".scope", ".mount", ".socket"];

    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.len() <= MOST
        && name.bytes().all(is_fit)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !UNITS.iter().any(|unit| name.ends_with(unit))
}

/// Uid of the pod in `kubepods-burstable-pod1234_….slice` (systemd's driver) or `pod1234-…` (the other one). Of a static pod, which
/// the kubelet reads from a file, it is 32 digits.
fn pod(part: &str) -> Option<String> {
    const LENGTHS: [usize; 2] = [36, 32];

    let name = part.strip_suffix(".slice").unwrap_or(part);
    let uid = name.rsplit_once("pod").map(|(_, uid)| uid.replace('_', "-"))?;
    let fits =
        LENGTHS.contains(&uid.len()) && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    fits.then_some(uid)
}

#[cfg(test)]
mod tests;
