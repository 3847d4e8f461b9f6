//! What container engines write to disk about their containers: documents to names, without I/O.
//!
//! Whoever starts a container chooses its names and labels. So nothing of a document is taken on trust: a name that the engine itself
//! would refuse is left out, a long one is cut, and a document that is no such gives nothing.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::event::{ContainerNames, Runtime};

/// Characters of a name that are kept.
const NAME: usize = 253;
/// Characters of an image that are kept.
const IMAGE: usize = 512;

/// Reads Docker's `containers/ID/config.v2.json`. None if it is another container's, or no such document.
#[must_use]
pub fn docker(document: &[u8], id: &str) -> Option<ContainerNames> {
    let it: Docker = serde_json::from_slice(document).ok()?;
    if it.id.0.as_deref() != Some(id) {
        return None;
    }
    let Labels { project, service, stack, swarm_service, namespace, pod, pod_container } = it.config.labels;
    Some(ContainerNames {
        runtime: Runtime::Docker,
        id: id.to_owned(),
        name: it.name.0.and_then(|name| plain(name.strip_prefix('/').unwrap_or(&name))),
        image: it.config.image.image(),
        project: project.name().or_else(|| stack.name()),
        service: service.name().or_else(|| swarm_service.name()),
        namespace: namespace.name(),
        pod: pod.name(),
        pod_container: pod_container.name(),
    })
}

/// Reads the list of containers of Podman's and CRI-O's storage, `overlay-containers/containers.json`. None if the container is not
/// in it, or it is no such list.
#[must_use]
pub fn storage(document: &[u8], id: &str) -> Option<ContainerNames> {
    let mut reader = serde_json::Deserializer::from_slice(document);
    let entry = reader.deserialize_seq(Find(id)).ok()??;
    let metadata = entry.metadata.0.unwrap_or_default();
    let metadata: Metadata = serde_json::from_str(&metadata).unwrap_or_default();
    Some(ContainerNames {
        runtime: Runtime::Podman,
        id: id.to_owned(),
        name: metadata.name.name().or_else(|| entry.names.0.as_deref().and_then(plain)),
        image: metadata.image.image(),
        ..ContainerNames::default()
    })
}

/// Reads a runtime's `config.json` of the OCI, whose annotations tell what containerd's CRI, CRI-O or nerdctl have made. Of others it
/// has no names. None if it is no such document.
#[must_use]
pub fn bundle(document: &[u8], id: &str, runtime: Runtime) -> Option<ContainerNames> {
    let Bundle { annotations: it } = serde_json::from_slice(document).ok()?;
    Some(ContainerNames {
        runtime,
        id: id.to_owned(),
        name: it.nerdctl_name.name(),
        image: it.cri_image.image().or_else(|| it.crio_image.image()),
        project: None,
        service: None,
        namespace: it.cri_namespace.name().or_else(|| it.namespace.name()),
        pod: it.cri_pod.name().or_else(|| it.pod.name()),
        pod_container: it.cri_container.name().or_else(|| it.pod_container.name()),
    })
}

/// Namespace, pod and the pod's uid from the name of a folder in `/var/log/pods`: `NAMESPACE_POD_UID`.
#[must_use]
pub fn pod_folder(name: &str) -> Option<(String, String, &str)> {
    let mut parts = name.split('_');
    let (namespace, pod, uid) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some((plain(namespace)?, plain(pod)?, uid))
}

/// A name as engines allow it: letters, digits and `_.-`, with a letter or a digit at the beginning.
fn plain(name: &str) -> Option<String> {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    accepted(name, is_fit, NAME)
}

/// A reference to an image as engines allow it.
fn image(name: &str) -> Option<String> {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || "_.-/:@+".contains(c);
    accepted(name, is_fit, IMAGE)
}

fn accepted(name: &str, is_fit: impl Fn(char) -> bool, most: usize) -> Option<String> {
    let is_name = name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(is_fit);
    // Each of its characters is a byte.
    let shown = || match name.get(..most) {
        Some(kept) if name.len() > most => format!("{kept}…"),
        _ => name.to_owned(),
    };
    is_name.then(shown)
}

/// A text; anything else in its place counts as none.
#[derive(Default)]
struct Lenient(Option<String>);

impl Lenient {
    fn name(&self) -> Option<String> {
        self.0.as_deref().and_then(plain)
    }

    fn image(&self) -> Option<String> {
        self.0.as_deref().and_then(image)
    }
}

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(LenientText)
    }
}

/// The first text of a list.
#[derive(Default)]
struct First(Option<String>);

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(LenientText).map(|it| Self(it.0))
    }
}

struct LenientText;

impl<'de> Visitor<'de> for LenientText {
    type Value = Lenient;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Lenient, E> {
        Ok(Lenient(Some(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Lenient, E> {
        Ok(Lenient(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Lenient, E> {
        Ok(Lenient(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Lenient, E> {
        Ok(Lenient(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Lenient, E> {
        Ok(Lenient(None))
    }

    fn visit_unit<E>(self) -> Result<Lenient, E> {
        Ok(Lenient(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Lenient, A::Error> {
        let first = items.next_element::<Lenient>()?.unwrap_or_default();
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Lenient, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Lenient(None))
    }
}

/// What may be missing, null, or of another kind.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(reader: D) -> Result<T, D::Error> {
    reader.deserialize_any(LenientMap(PhantomData))
}

struct LenientMap<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for LenientMap<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
        T::deserialize(serde::de::value::MapAccessDeserializer::new(entries))
    }

    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Docker {
    #[serde(rename = "ID")]
    id: Lenient,
    name: Lenient,
    #[serde(deserialize_with = "lenient")]
    config: DockerConfig,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct DockerConfig {
    image: Lenient,
    #[serde(deserialize_with = "lenient")]
    labels: Labels,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Labels {
    #[serde(rename = "com.docker.compose.project")]
    project: Lenient,
    #[serde(rename = "com.docker.compose.service")]
    service: Lenient,
    #[serde(rename = "com.docker.stack.namespace")]
    stack: Lenient,
    #[serde(rename = "com.docker.swarm.service.name")]
    swarm_service: Lenient,
    #[serde(rename = "io.kubernetes.pod.namespace")]
    namespace: Lenient,
    #[serde(rename = "io.kubernetes.pod.name")]
    pod: Lenient,
    #[serde(rename = "io.kubernetes.container.name")]
    pod_container: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    id: Lenient,
    names: First,
    /// JSON in a text.
    metadata: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: Lenient,
    #[serde(rename = "image-name")]
    image: Lenient,
}

/// Finds an entry by its id, and keeps no other.
struct Find<'i>(&'i str);

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<Entry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of containers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Option<Entry>, A::Error> {
        let mut found = None;
        while let Some(entry) = entries.next_element::<Entry>()? {
            if entry.id.0.as_deref() == Some(self.0) {
                found = Some(entry);
            }
        }
        Ok(found)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Bundle {
    #[serde(deserialize_with = "lenient")]
    annotations: Annotations,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "nerdctl/name")]
    nerdctl_name: Lenient,
    #[serde(rename = "io.kubernetes.cri.image-name")]
    cri_image: Lenient,
    #[serde(rename = "io.kubernetes.cri.sandbox-namespace")]
    cri_namespace: Lenient,
    #[serde(rename = "io.kubernetes.cri.sandbox-name")]
    cri_pod: Lenient,
    #[serde(rename = "io.kubernetes.cri.container-name")]
    cri_container: Lenient,
    #[serde(rename = "io.kubernetes.cri-o.ImageName")]
    crio_image: Lenient,
    #[serde(rename = "io.kubernetes.pod.namespace")]
    namespace: Lenient,
    #[serde(rename = "io.kubernetes.pod.name")]
    pod: Lenient,
    #[serde(rename = "io.kubernetes.container.name")]
    pod_container: Lenient,
}

#[cfg(test)]
mod tests;
