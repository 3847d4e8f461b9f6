//! What the files of a container engine say of a container.

use serde::{Deserialize, Serialize};

/// What runs a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// Docker.
    Docker,
    /// containerd: under Kubernetes, or by itself.
    Containerd,
    /// Podman.
    Podman,
    /// CRI-O.
    CriO,
    /// LXC, also under LXD, Incus or Proxmox.
    Lxc,
    /// systemd-nspawn.
    SystemdNspawn,
    /// The path of the control group has the container's id, and not who runs it.
    #[default]
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
            Self::Lxc => "lxc",
            Self::SystemdNspawn => "systemd-nspawn",
            Self::Unknown => "container",
        }
    }
}

/// What the files of a container engine say of a container: its names, chosen by whoever started it. A name that the engine itself
/// would refuse is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerNames {
    /// The engine in whose files the container was found.
    pub runtime: Runtime,
    /// The container's id.
    pub id: String,
    /// Its name in Docker, Podman or nerdctl.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its image, as it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Compose project, or stack of Docker Swarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Compose service, or service of Docker Swarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Namespace of the Kubernetes pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the Kubernetes pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Name of the container within its Kubernetes pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_container: Option<String>,
}
