//! Container images, made without a container engine: an archive for each processor, and one for all.
//!
//! An archive is an OCI image layout and a docker-archive at once, over the same blobs: `podman load`, `docker load`,
//! `ctr images import` and `skopeo` take it.

mod base;

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::architecture::Architecture;
use super::libraries::Needs;
use super::tarball::LICENCES;
use super::tree::{self, Tree, sha256};
use super::{VERSION, sbom};
use crate::package::Programs;
use crate::{commit, paths};

/// The image's name, without its version.
const NAME: &str = "sockleak";
/// What engines that know no other registry put before it.
const REGISTRY: &str = "docker.io/library";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The image for one processor.
pub(super) struct Image {
    architecture: Architecture,
    /// Every blob by its SHA-256.
    blobs: BTreeMap<String, Vec<u8>>,
    manifest: String,
    config: String,
    layers: Vec<String>,
    /// How many bytes the layers unpack to.
    unpacked: usize,
}

/// The name of the archive for one processor, or for all.
pub(super) fn file_name(version: &str, architecture: Option<Architecture>) -> String {
    architecture.map_or_else(
        || format!("{NAME}-{version}-image.tar"),
        |it| format!("{NAME}-{version}-{}-image.tar", it.name),
    )
}

/// Makes the image of programs.
///
/// # Errors
/// If a file is missing, or Debian's packages cannot be fetched.
pub(super) fn make(architecture: Architecture, programs: &Programs, needs: &Needs) -> Result<Image> {
    let layers = [base::tree(architecture, needs)?, program(programs)?];
    from_layers(architecture, &layers, commit::time()?, commit::id().as_deref())
}

/// The layer of our own files; the other one stays the same from version to version.
fn program(programs: &Programs) -> Result<Tree> {
    let mut tree = Tree::default();
    let repo = paths::repo();
    tree.program("usr/bin/sockleak", tree::read(&programs.folder().join("sockleak"))?);
    tree.copy("etc/sockleak/config.toml", &repo.join("packaging/config.toml"))?;
    for name in LICENCES {
        tree.copy(format!("usr/share/doc/sockleak/{name}"), &repo.join(name))?;
    }
    tree.copy("usr/share/doc/sockleak/THIRD-PARTY", &programs.folder().join("package/THIRD-PARTY"))?;
    Ok(tree)
}

fn from_layers(
    architecture: Architecture,
    trees: &[Tree],
    time: u64,
    revision: Option<&str>,
) -> Result<Image> {
    let created = sbom::timestamp(time)?;
    let mut blobs = BTreeMap::new();
    let mut put = |bytes: Vec<u8>| {
        let sum = sha256(&bytes);
        let size = bytes.len();
        blobs.insert(sum.clone(), bytes);
        (sum, size)
    };
    let (mut layers, mut unpacked_sums, mut descriptors, mut unpacked) = (vec![], vec![], vec![], 0);
    for tree in trees {
        let tar = tree.tar(time)?;
        unpacked += tar.len();
        unpacked_sums.push(digest(&sha256(&tar)));
        let (sum, size) = put(tree::gzip(&tar)?);
        descriptors.push(descriptor(LAYER, &sum, size));
        layers.push(sum);
    }
    let mut labels = json!({
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        "org.opencontainers.image.description": "Finds the program that opens unix-socket connections without closing them",
    });
    if let Some(revision) = revision {
        labels["org.opencontainers.image.revision"] = json!(revision);
    }
    let config = json!({
        "architecture": architecture.debian,
        "os": "linux",
        "created": created,
        "config": {
            "Entrypoint": ["/usr/bin/sockleak"],
            "Cmd": ["--help"],
            "Env": ["PATH=/usr/bin"],
            "WorkingDir": "/",
            "Labels": labels,
        },
        "rootfs": { "type": "layers", "diff_ids": unpacked_sums },
        "history": [
            { "created": created, "created_by": "glibc and certificates of Debian" },
            { "created": created, "created_by": "cargo xtask dist" },
        ],
    });
    let (config, config_size) = put(serde_json::to_vec(&config)?);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config, config_size),
        "layers": descriptors,
    });
    let (manifest, _) = put(serde_json::to_vec(&manifest)?);
    Ok(Image { architecture, blobs, manifest, config, layers, unpacked })
}

fn digest(sum: &str) -> String {
    format!("sha256:{sum}")
}

fn descriptor(media_type: &str, sum: &str, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest(sum), "size": size })
}

impl Image {
    /// Sizes for people: of the compressed layers, as a registry stores them, and unpacked.
    pub(super) fn sizes(&self) -> String {
        let packed: usize = self.layers.iter().filter_map(|sum| self.blobs.get(sum)).map(Vec::len).sum();
        format!("{} compressed, {} unpacked", mib(packed), mib(self.unpacked))
    }

    /// Its entry in an index.
    fn entry(&self) -> Value {
        let mut entry = descriptor(MANIFEST, &self.manifest, self.blobs[&self.manifest].len());
        entry["platform"] = json!({ "architecture": self.architecture.debian, "os": "linux" });
        entry
    }
}

fn mib(bytes: usize) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}

/// The archive of images. With one image it is a docker-archive as well.
///
/// # Errors
/// If a file does not fit into a tar file.
pub(super) fn archive(images: &[Image], time: u64) -> Result<Vec<u8>> {
    let mut tree = Tree::default();
    for image in images {
        for (sum, bytes) in &image.blobs {
            tree.file(format!("blobs/sha256/{sum}"), bytes.clone());
        }
    }
    tree.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    // A name with the registry is the same to every engine.
    let names = json!({
        "org.opencontainers.image.ref.name": VERSION,
        "io.containerd.image.name": format!("{REGISTRY}/{NAME}:{VERSION}"),
    });
    let mut entry = match images {
        [image] => {
            let blob = |sum: &String| format!("blobs/sha256/{sum}");
            let docker = json!([{
                "Config": blob(&image.config),
                "RepoTags": [format!("{NAME}:{VERSION}")],
                "Layers": image.layers.iter().map(blob).collect::<Vec<_>>(),
            }]);
            tree.file("manifest.json", serde_json::to_vec(&docker)?);
            image.entry()
        }
        _ => {
            let entries: Vec<_> = images.iter().map(Image::entry).collect();
            let inner = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
            let inner = serde_json::to_vec(&inner)?;
            let sum = sha256(&inner);
            let entry = descriptor(INDEX, &sum, inner.len());
            tree.file(format!("blobs/sha256/{sum}"), inner);
            entry
        }
    };
    entry["annotations"] = names;
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] });
    tree.file("index.json", serde_json::to_vec(&index)?);
    tree.tar(time)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::architecture;
    use super::*;

    const TIME: u64 = 1_796_031_280;

    fn image(architecture: Architecture) -> Image {
        let (mut base, mut program) = (Tree::default(), Tree::default());
        base.file("etc/passwd", "root:x:0:0::/:\n");
        program.program("usr/bin/sockleak", architecture.name);
        from_layers(architecture, &[base, program], TIME, Some("abc")).expect("it fits")
    }

    /// The files of an archive.
    fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().expect("it is a tar file") {
            let mut entry = entry.expect("it is whole");
            let path = entry.path().expect("path").display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("it is whole");
            files.insert(path, bytes);
        }
        files
    }

    fn parse(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).expect("it is JSON")
    }

    /// What a descriptor points to, which has to be of that size and sum.
    fn follow<'a>(files: &'a BTreeMap<String, Vec<u8>>, descriptor: &Value) -> &'a [u8] {
        let sum = descriptor["digest"].as_str().and_then(|it| it.strip_prefix("sha256:")).expect("a digest");
        let bytes = &files[&format!("blobs/sha256/{sum}")];
        assert_eq!(sha256(bytes), sum);
        assert_eq!(descriptor["size"], bytes.len());
        bytes
    }

    #[test]
    fn engines_of_both_kinds_find_the_same_layers() {
        let packed = archive(&[image(architecture::ALL[0])], TIME).expect("it fits");
        let files = files(&packed);
        let entry = &parse(&files["index.json"])["manifests"][0];
        assert_eq!(entry["platform"]["architecture"], "amd64");
        let manifest = parse(follow(&files, entry));
        let config = parse(follow(&files, &manifest["config"]));
        let docker = &parse(&files["manifest.json"])[0];
        let layers = manifest["layers"].as_array().expect("layers");
        assert_eq!(layers.len(), 2);
        for (nth, layer) in layers.iter().enumerate() {
            let bytes = follow(&files, layer);
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(bytes).read_to_end(&mut unpacked).expect("it is gzip");
            assert_eq!(config["rootfs"]["diff_ids"][nth], digest(&sha256(&unpacked)));
            assert_eq!(files[docker["Layers"][nth].as_str().expect("a path")], bytes);
        }
        assert_eq!(files[docker["Config"].as_str().expect("a path")], follow(&files, &manifest["config"]));
        assert_eq!(config["config"]["Entrypoint"][0], "/usr/bin/sockleak");
        assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "abc");
        assert_eq!(packed, archive(&[image(architecture::ALL[0])], TIME).expect("it fits"));
    }

    #[test]
    fn an_archive_of_two_has_an_index_by_processor() {
        let files = files(&archive(&architecture::ALL.map(image), TIME).expect("it fits"));
        assert!(!files.contains_key("manifest.json"), "docker load takes one processor alone");
        let index = parse(follow(&files, &parse(&files["index.json"])["manifests"][0]));
        let found = index["manifests"].as_array().expect("manifests").iter().map(|entry| {
            let manifest = parse(follow(&files, entry));
            let config = parse(follow(&files, &manifest["config"]));
            assert_eq!(config["architecture"], entry["platform"]["architecture"]);
            entry["platform"]["architecture"].as_str().expect("a name").to_owned()
        });
        assert_eq!(found.collect::<Vec<_>>(), ["amd64", "arm64"]);
    }

    #[test]
    fn names_and_sizes_are_for_people() {
        assert_eq!(file_name("0.1.0", Some(architecture::ALL[1])), "sockleak-0.1.0-aarch64-image.tar");
        assert_eq!(file_name("0.1.0", None), "sockleak-0.1.0-image.tar");
        assert_eq!(mib(22_390_888), "21.3 MiB");
    }
}
