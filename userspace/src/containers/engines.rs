//! Where each engine keeps its files.

use std::{
    io,
    path::{Path, PathBuf},
};

use nix::unistd::{Uid, User};
use sockleak_core::{
    attribution::{
        container::{Runtime, Sought},
        engines,
    },
    event::ContainerNames,
};

use super::files::{self, Mounts, Reading};
use crate::view::View;

/// Bytes of the file of one container: some list their devices and what they mount.
const OF_ONE: u64 = 1 << 20;
/// Bytes of a list of all containers: some 1,500 bytes each.
const LIST: u64 = 4 << 20;
/// Namespaces of containerd that are looked through.
const NAMESPACES: usize = 32;
/// Pods of a host that are looked through.
const PODS: usize = 4096;

/// The folders of the system's engines.
pub(super) const SYSTEM: [(Runtime, &str); 9] = [
    (Runtime::Docker, "/var/lib/docker"),
    (Runtime::Docker, "/var/snap/docker/common/var-lib-docker"),
    (Runtime::Containerd, "/run/containerd/io.containerd.runtime.v2.task"),
    (Runtime::Containerd, "/run/k3s/containerd/io.containerd.runtime.v2.task"),
    (Runtime::Containerd, "/run/k0s/containerd/io.containerd.runtime.v2.task"),
    (Runtime::Containerd, "/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task"),
    (Runtime::CriO, "/run/containers/storage"),
    (Runtime::Podman, "/var/lib/containers/storage"),
    (Runtime::Podman, "/run/containers/storage"),
];
/// Those of a user's, below his home.
const OF_USER: [(Runtime, &str); 2] =
    [(Runtime::Podman, ".local/share/containers/storage"), (Runtime::Docker, ".local/share/docker")];
/// Folders of what is known of Kubernetes' pods.
const POD_LOGS: &str = "/var/log/pods";
/// Names of the folder with the list, by the driver of the storage.
const LISTS: [&str; 4] = ["overlay-containers", "vfs-containers", "btrfs-containers", "zfs-containers"];

/// An engine and its folder.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pub(super) runtime: Runtime,
    pub(super) folder: PathBuf,
}

impl From<(Runtime, &str)> for Engine {
    fn from((runtime, folder): (Runtime, &str)) -> Self {
        Self { runtime, folder: folder.into() }
    }
}

impl Engine {
    /// Why its files cannot be read, if so. The outer None: it is not here.
    pub(super) fn problem(&self, view: &View) -> Option<Option<String>> {
        let below = match self.runtime {
            Runtime::Docker => "containers",
            Runtime::CriO | Runtime::Podman => "overlay-containers",
            _ => "",
        };
        let seen = view.locate(&self.folder).and_then(|folder| folder.join(below).read_dir());
        match seen {
            Ok(_) => Some(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Some(error.to_string())),
        }
    }
}

/// Docker's folder, if it is configured to be elsewhere.
pub(super) fn moved(view: &View, reading: &mut Reading) -> Option<Engine> {
    let folder = view.locate(Path::new("/etc/docker")).ok()?;
    let document = reading.file(&folder, &["daemon.json"], OF_ONE, Mounts::Any).ok()?;
    let configured: serde_json::Value = serde_json::from_slice(&document).ok()?;
    let folder = PathBuf::from(configured.get("data-root")?.as_str()?);
    folder.is_absolute().then_some(Engine { runtime: Runtime::Docker, folder })
}

/// The names of a container.
pub(super) fn find(
    view: &View,
    engines: &[Engine],
    sought: &Sought<'_>,
    reading: &mut Reading,
) -> Option<ContainerNames> {
    if let Some(uid) = sought.user {
        let home = User::from_uid(Uid::from_raw(uid)).ok()??.dir;
        let home = view.locate(&home).ok()?;
        return of_user(&home, sought, reading);
    }
    let may_be = |it: &&Engine| sought.runtime == it.runtime || sought.runtime == Runtime::Unknown;
    let mut found = engines.iter().filter(may_be).find_map(|engine| {
        let folder = view.locate(&engine.folder).ok()?;
        Place { runtime: engine.runtime, folder: &folder, below: &[], mounts: Mounts::Any }
            .read(sought, reading)
    });
    // What the pod is called is known even where its runtime's files are not.
    let unnamed = found.as_ref().is_none_or(|it| it.pod.is_none());
    if let Some((namespace, pod)) = sought.pod.as_deref().filter(|_| unnamed).and_then(|uid| pod(view, uid)) {
        let it = found.get_or_insert_with(|| ContainerNames {
            runtime: sought.runtime,
            id: sought.id.to_owned(),
            ..ContainerNames::default()
        });
        (it.namespace, it.pod) = (Some(namespace), Some(pod));
    }
    found
}

/// The names of a container of a user's own engine. Everything below his home is his: no link of it is followed.
pub(super) fn of_user(home: &Path, sought: &Sought<'_>, reading: &mut Reading) -> Option<ContainerNames> {
    let may_be = |it: &&(Runtime, &str)| sought.runtime == it.0 || sought.runtime == Runtime::Unknown;
    OF_USER.iter().filter(may_be).find_map(|&(runtime, below)| {
        let below: Vec<&str> = below.split('/').collect();
        Place { runtime, folder: home, below: &below, mounts: Mounts::None }.read(sought, reading)
    })
}

/// Namespace and name of a pod.
fn pod(view: &View, uid: &str) -> Option<(String, String)> {
    let logs = view.locate(Path::new(POD_LOGS)).ok()?;
    files::names(&logs, PODS).iter().find_map(|name| {
        let (namespace, pod, found) = engines::pod_folder(name)?;
        (found == uid).then_some((namespace, pod))
    })
}

/// Where an engine's files are.
struct Place<'a> {
    runtime: Runtime,
    /// A folder that nobody but the system chose.
    folder: &'a Path,
    /// The engine's folder below that.
    below: &'a [&'a str],
    mounts: Mounts,
}

impl Place<'_> {
    fn read(&self, sought: &Sought<'_>, reading: &mut Reading) -> Option<ContainerNames> {
        match self.runtime {
            Runtime::Docker => {
                let document = self.file(&["containers", sought.id, "config.v2.json"], OF_ONE, reading)?;
                engines::docker(&document, sought.id)
            }
            Runtime::Containerd => self.containerd(sought, reading),
            Runtime::CriO => LISTS.iter().find_map(|list| {
                let document = self.file(&[list, sought.id, "userdata", "config.json"], OF_ONE, reading)?;
                // Podman has such a file too, which tells of no pod.
                engines::bundle(&document, sought.id, Runtime::CriO).filter(|it| it.pod.is_some())
            }),
            Runtime::Podman => LISTS.iter().find_map(|list| {
                // Of containers that are gone with the next boot there is another list.
                ["containers.json", "volatile-containers.json"]
                    .iter()
                    .find_map(|file| engines::storage(&self.file(&[list, file], LIST, reading)?, sought.id))
            }),
            Runtime::Lxc | Runtime::SystemdNspawn | Runtime::Unknown => None,
        }
    }

    fn containerd(&self, sought: &Sought<'_>, reading: &mut Reading) -> Option<ContainerNames> {
        let mut read = |namespace: &str| {
            let document = self.file(&[namespace, sought.id, "config.json"], OF_ONE, reading)?;
            engines::bundle(&document, sought.id, Runtime::Containerd)
        };
        match sought.namespace {
            Some(namespace) => read(namespace),
            None => files::names(self.folder, NAMESPACES).iter().find_map(|namespace| read(namespace)),
        }
    }

    fn file(&self, parts: &[&str], most: u64, reading: &mut Reading) -> Option<Vec<u8>> {
        let parts: Vec<&str> = self.below.iter().chain(parts).copied().collect();
        reading.file(self.folder, &parts, most, self.mounts).ok()
    }
}
