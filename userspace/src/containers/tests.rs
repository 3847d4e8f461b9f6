use std::{fs, os::unix::fs::symlink, path::Path};

use sockleak_core::event::Runtime;

use super::*;

const ID: &str = "8f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a69788f3c1d2e4b5a6978";
const POD: &str = "0a1b2c3d-1111-2222-3333-444455556666";

/// A host's tree of files.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory can be created"))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be created");
        fs::write(path, text).expect("it can be written");
    }

    fn containers(&self) -> Containers {
        Containers::new(View::at(self.0.path().canonicalize().expect("it exists")))
    }

    fn names(&self, cgroup: &str) -> Option<ContainerNames> {
        self.containers().names(cgroup).map(Arc::unwrap_or_clone)
    }
}

fn docker(name: &str) -> String {
    format!(r#"{{"ID":"{ID}","Name":"/{name}","Config":{{"Image":"nginx:1.25","Labels":{{}}}}}}"#)
}

fn docker_file() -> String {
    format!("/var/lib/docker/containers/{ID}/config.v2.json")
}

fn in_docker() -> String {
    format!("/system.slice/docker-{ID}.scope")
}

#[test]
fn each_engine_s_files_are_found() {
    let host = Host::new();
    assert_eq!(host.names(&in_docker()), None);
    host.write(&docker_file(), docker("web"));
    let found = host.names(&in_docker()).expect("it is there");
    assert_eq!((found.runtime, found.name.as_deref()), (Runtime::Docker, Some("web")));
    // Of which engine it is, the path does not say.
    assert_eq!(host.names(&format!("/custom/{ID}")), Some(found));

    let host = Host::new();
    let annotations = r#"{"annotations":{"io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"prod"}}"#;
    host.write(
        &format!("/run/containerd/io.containerd.runtime.v2.task/k8s.io/{ID}/config.json"),
        annotations,
    );
    host.write("/run/containerd/io.containerd.runtime.v2.task/default/leaker/config.json", "{}");
    let found = host.names(&format!("/kubepods/besteffort/pod{POD}/{ID}")).expect("it is there");
    assert_eq!((found.runtime, found.pod.as_deref()), (Runtime::Containerd, Some("web-0")));
    let found = host.names("/default/leaker").expect("it is there");
    assert_eq!((found.runtime, found.id.as_str(), found.name), (Runtime::Containerd, "leaker", None));
    assert_eq!(host.names("/default/other"), None);

    let host = Host::new();
    let list = format!(r#"[{{"id":"{ID}","names":["web"],"metadata":"{{\"image-name\":\"nginx:1.25\"}}"}}]"#);
    host.write("/var/lib/containers/storage/overlay-containers/containers.json", "[]");
    host.write("/var/lib/containers/storage/overlay-containers/volatile-containers.json", list);
    let found = host.names(&format!("/machine.slice/libpod-{ID}.scope/container")).expect("it is there");
    assert_eq!((found.runtime, found.image.as_deref()), (Runtime::Podman, Some("nginx:1.25")));

    let host = Host::new();
    let annotations =
        r#"{"annotations":{"io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"prod"}}"#;
    host.write(&format!("/run/containers/storage/overlay-containers/{ID}/userdata/config.json"), annotations);
    let found = host.names(&format!("/kubepods.slice/crio-{ID}.scope")).expect("it is there");
    assert_eq!((found.runtime, found.pod.as_deref()), (Runtime::CriO, Some("web-0")));
}

#[test]
fn docker_s_folder_may_be_elsewhere() {
    let host = Host::new();
    host.write("/etc/docker/daemon.json", r#"{"data-root":"/data/docker"}"#);
    host.write(&format!("/data/docker/containers/{ID}/config.v2.json"), docker("web"));
    assert!(host.names(&in_docker()).is_some());
    // Whoever runs the host may have put a link in its place, whose target is the host's.
    let host = Host::new();
    host.write(&format!("/data/docker/containers/{ID}/config.v2.json"), docker("web"));
    fs::create_dir_all(host.path("/var/lib")).expect("it can be created");
    symlink("/data/docker", host.path("/var/lib/docker")).expect("it can be linked");
    assert!(host.names(&in_docker()).is_some());
}

#[test]
fn logs_tell_of_pods_whose_runtime_has_no_files() {
    let host = Host::new();
    host.write(&format!("/var/log/pods/prod_web-0_{POD}/app/0.log"), "");
    let found = host.names(&format!("/kubepods/besteffort/pod{POD}/{ID}")).expect("it is there");
    let pod = (found.namespace.as_deref(), found.pod.as_deref(), found.id.as_str());
    assert_eq!(pod, (Some("prod"), Some("web-0"), ID));
    assert_eq!(host.names(&in_docker()), None);
}

/// Links, folders, pipes, what is large and what is broken: there are no names then, and nothing waits.
#[test]
fn hostile_files_give_no_names() {
    let elsewhere = Host::new();
    elsewhere.write("secret.json", docker("stolen"));
    let within = |make: &dyn Fn(&Path)| {
        let host = Host::new();
        let file = host.path(&docker_file());
        fs::create_dir_all(file.parent().expect("it has one")).expect("it can be created");
        make(&file);
        host.names(&in_docker())
    };
    let secret = elsewhere.path("secret.json");
    assert_eq!(within(&|file| symlink(&secret, file).expect("it can be linked")), None);
    assert_eq!(within(&|file| fs::create_dir(file).expect("it can be created")), None);
    let pipe =
        |file: &Path| nix::unistd::mkfifo(file, nix::sys::stat::Mode::S_IRWXU).expect("it can be made");
    assert_eq!(within(&pipe), None);
    let huge = |file: &Path| {
        let padded = format!("{}{}", docker("web"), " ".repeat(2 << 20));
        fs::write(file, padded).expect("it can be written");
    };
    assert_eq!(within(&huge), None);
    assert_eq!(within(&|file| fs::write(file, "{\"ID\":").expect("it can be written")), None);
    let named = within(&|file| fs::write(file, docker("a\\u001b[2J")).expect("it can be written"));
    assert_eq!(named.expect("it is a container").name, None);
    // A folder on the way that leads elsewhere.
    let host = Host::new();
    host.write("/elsewhere/config.v2.json", docker("web"));
    fs::create_dir_all(host.path("/var/lib/docker/containers")).expect("it can be created");
    symlink(host.path("/elsewhere"), host.path(&format!("/var/lib/docker/containers/{ID}")))
        .expect("as above");
    assert_eq!(host.names(&in_docker()), None);
}

#[test]
fn a_user_s_engine_is_read_in_his_home() {
    let host = Host::new();
    host.write(&docker_file(), docker("of-the-system"));
    host.write(&format!("/home/web/.local/share/docker/containers/{ID}/config.v2.json"), docker("own"));
    let path = format!("/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{ID}.scope");
    let sought = Sought::of(&path).expect("it is one");
    let home = host.path("/home/web").canonicalize().expect("it exists");
    let found = engines::of_user(&home, &sought, &mut Reading::default());
    assert_eq!(found.and_then(|it| it.name).as_deref(), Some("own"));
    // He is nobody on this machine, and what the system's engine runs is not his.
    let stranger = path.replace("1000", "4000000001");
    assert_eq!(host.names(&stranger), None);
    let other = Host::new();
    other.write("secret.json", docker("stolen"));
    let link = host.path(&format!("/home/web/.local/share/docker/containers/{ID}"));
    fs::remove_dir_all(&link).expect("it can be removed");
    symlink(other.0.path(), &link).expect("it can be linked");
    assert_eq!(engines::of_user(&home, &sought, &mut Reading::default()), None);
}

#[test]
fn what_was_found_is_remembered() {
    let host = Host::new();
    let mut containers = host.containers();
    assert_eq!(containers.names(&in_docker()), None);
    host.write(&docker_file(), docker("web"));
    // Not looked for again so soon.
    assert_eq!(containers.names(&in_docker()), None);
    let mut containers = host.containers();
    let first = containers.names(&in_docker()).expect("it is there");
    fs::remove_file(host.path(&docker_file())).expect("it can be removed");
    let again = containers.names(&format!("/docker/{ID}/init.scope")).expect("it is remembered");
    assert!(Arc::ptr_eq(&first, &again));
}

/// Whoever makes control groups without end makes nobody read without end.
#[test]
fn so_many_are_looked_up_in_a_second() {
    let mut reading = Reading::default();
    let begun = (0..1_000_000).take_while(|_| reading.may_begin()).count();
    assert!(begun < 2000, "{begun} look-ups within a moment");
}
