//! The engines, and the same client in each.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::FORGOTTEN;
use crate::cli::bench::Bench;

/// Where the VM has the client and what starts it.
pub(super) const FOLDER: &str = "/usr/share/sockleak-test";
/// The image that the client runs in.
pub(super) const IMAGE: &str = "localhost/leak:1";
const ARCHIVE: &str = "/tmp/leak.tar";
/// Seconds between two connections.
const PACE: &str = "0.4";
/// Emulated machines are slow: the bound is there to end a hang.
const BOUND: Duration = Duration::from_secs(180);

/// Starts a client for a socket, and waits until it has forgotten all of its connections.
pub(super) type Leak<'a> = &'a dyn Fn(&str) -> anyhow::Result<Running>;

/// A container that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    remove: Vec<Vec<String>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        for command in &self.remove {
            // It is a VM's, and goes with it in any case.
            let _ = Command::new(&command[0]).args(&command[1..]).output();
        }
    }
}

/// What is done to Docker's file of a container.
type Spoil = fn(&Path) -> anyhow::Result<()>;

/// Each kind of file that names nothing.
pub(super) const SPOILT: &[Spoil] = &[
    |file| {
        let kept = file.with_extension("kept");
        fs::rename(file, &kept)?;
        Ok(symlink(kept, file)?)
    },
    |file| Ok(fs::write(file, "{\"ID\":\"\u{1b}[2J")?),
    |file| {
        let text = fs::read_to_string(file)?;
        Ok(fs::write(file, format!("{text}{}", " ".repeat(4 << 20)))?)
    },
    |file| {
        fs::remove_file(file)?;
        Ok(nix::unistd::mkfifo(file, nix::sys::stat::Mode::S_IRUSR)?)
    },
];

/// Starts dockerd, without rules for the network, and loads the image. Returns its version.
pub(super) fn start_docker(bench: &Bench<'_>) -> anyhow::Result<String> {
    make_image(bench)?;
    fs::create_dir_all("/etc/docker")?;
    fs::write("/etc/docker/daemon.json", r#"{"iptables": false, "ip6tables": false, "bridge": "none"}"#)?;
    done(bench, &["systemctl", "start", "docker.service"])?;
    done(bench, &["docker", "load", "--input", ARCHIVE])?;
    Ok(done(bench, &["docker", "--version"])?.trim().to_owned())
}

/// Starts containerd, and loads the image for `ctr` and for pods.
pub(super) fn start_containerd(bench: &Bench<'_>) -> anyhow::Result<()> {
    make_image(bench)?;
    fs::create_dir_all("/etc/containerd")?;
    fs::copy(format!("{FOLDER}/containerd.toml"), "/etc/containerd/config.toml")?;
    done(bench, &["systemctl", "restart", "containerd.service"])?;
    for namespace in ["default", "k8s.io"] {
        done(bench, &["ctr", "--namespace", namespace, "images", "import", ARCHIVE])?;
    }
    Ok(())
}

fn make_image(bench: &Bench<'_>) -> anyhow::Result<()> {
    if !Path::new(ARCHIVE).exists() {
        done(bench, &["python3", &format!("{FOLDER}/image.py"), ARCHIVE, IMAGE])?;
    }
    Ok(())
}

pub(super) fn docker(
    bench: &Bench<'_>,
    socket: &str,
    name: &str,
    labels: &[&str],
) -> anyhow::Result<Running> {
    let client = Client::new(socket, name)?;
    let mut command = owned(&["docker", "run", "--detach", "--network", "host", "--name", name]);
    command.extend(labels.iter().flat_map(|label| owned(&["--label", label])));
    command.extend(client.volumes().iter().flat_map(|mount| owned(&["--volume", mount])));
    command.push(IMAGE.to_owned());
    command.extend(owned(&client.command()));
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    done(bench, &command)?;
    let remove = vec![owned(&["docker", "rm", "--force", name])];
    client.wait()?;
    Ok(Running { remove })
}

/// The same with Docker's file of it spoilt before its process is seen.
pub(super) fn docker_spoilt(
    bench: &Bench<'_>,
    socket: &str,
    name: &str,
    spoil: Spoil,
) -> anyhow::Result<Running> {
    let client = Client::new(socket, name)?;
    let mounts = client.volumes();
    let mounts = mounts.iter().flat_map(|mount| ["--volume", mount]);
    let options = ["docker", "run", "--detach", "--network", "host", "--name", name];
    let command: Vec<&str> = options.into_iter().chain(mounts).chain([IMAGE, "/pause", "-P"]).collect();
    let id = done(bench, &command)?;
    let remove = vec![owned(&["docker", "rm", "--force", name])];
    let running = Running { remove };
    spoil(&Path::new("/var/lib/docker/containers").join(id.trim()).join("config.v2.json"))?;
    done(bench, &[&["docker", "exec", "--detach", name], &client.command()[..]].concat())?;
    client.wait()?;
    Ok(running)
}

/// What `sockleak list --json` says in a container that sees the host's processes, and has no folder of an engine.
pub(super) fn list_inside(bench: &Bench<'_>, socket: &str) -> anyhow::Result<String> {
    let mut command =
        vec!["docker", "run", "--rm", "--pid", "host", "--network", "host", "--cgroupns", "private"];
    command.extend(["--cap-drop", "ALL"]);
    for capability in ["SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "SYS_RESOURCE"] {
        command.extend(["--cap-add", capability]);
    }
    for option in ["seccomp=unconfined", "apparmor=unconfined"] {
        command.extend(["--security-opt", option]);
    }
    let folder = Path::new(socket).parent().context("it has a folder")?.display().to_string();
    let folder = format!("{folder}:{folder}");
    command.extend(["--volume", "/usr:/usr:ro", "--volume", &folder]);
    command.extend([IMAGE, "sockleak", "list", "--json", socket]);
    done(bench, &command)
}

/// Gives podman the image.
fn load_for_podman(bench: &Bench<'_>) -> anyhow::Result<()> {
    make_image(bench)?;
    done(bench, &["podman", "load", "--input", ARCHIVE]).map(drop)
}

pub(super) fn podman(bench: &Bench<'_>, socket: &str, name: &str) -> anyhow::Result<Running> {
    load_for_podman(bench)?;
    let client = Client::new(socket, name)?;
    let mounts = client.volumes();
    let mounts = mounts.iter().flat_map(|mount| ["--volume", mount]);
    // systemd's driver asks for a D-Bus, which this root has not.
    let options =
        ["podman", "--cgroup-manager", "cgroupfs", "run", "--detach", "--network", "host", "--name", name];
    let command: Vec<&str> =
        options.into_iter().chain(mounts).chain([IMAGE]).chain(client.command()).collect();
    done(bench, &command)?;
    let remove =
        vec![owned(&["podman", "--cgroup-manager", "cgroupfs", "rm", "--force", "--time", "0", name])];
    client.wait()?;
    Ok(Running { remove })
}

pub(super) fn ctr(bench: &Bench<'_>, socket: &str, id: &str) -> anyhow::Result<Running> {
    let client = Client::new(socket, id)?;
    let mount = |path: &str| format!("type=bind,src={path},dst={path},options=rbind:rw");
    let mounts = [mount("/usr"), mount(&client.folder)];
    let mounts = mounts.iter().flat_map(|mount| ["--mount", mount]);
    let command: Vec<&str> = ["ctr", "run", "--detach", "--net-host"]
        .into_iter()
        .chain(mounts)
        .chain([IMAGE, id])
        .chain(client.command())
        .collect();
    done(bench, &command)?;
    let remove = vec![
        owned(&["ctr", "task", "kill", "--signal", "KILL", id]),
        owned(&["ctr", "container", "delete", id]),
    ];
    client.wait()?;
    Ok(Running { remove })
}

/// A pod: namespace, name, uid and container.
pub(super) fn cri(bench: &Bench<'_>, socket: &str, pod: [&str; 4]) -> anyhow::Result<Running> {
    let client = Client::new(socket, pod[1])?;
    let script = format!("{FOLDER}/cri.py");
    let start = ["python3", &script, IMAGE];
    let command: Vec<&str> =
        start.into_iter().chain(pod).chain([client.folder.as_str()]).chain(client.command()).collect();
    let ids = done(bench, &command)?;
    let ids: Vec<&str> = ids.split_whitespace().collect();
    let kill = |id: &&str| owned(&["ctr", "-n", "k8s.io", "task", "kill", "--signal", "KILL", id]);
    let remove = ids.iter().map(kill).collect();
    client.wait()?;
    Ok(Running { remove })
}

/// What runs in a container.
struct Client {
    /// The socket's folder, which the container has in the same place.
    folder: String,
    script: String,
    socket: String,
    count: String,
    done: String,
}

impl Client {
    fn new(socket: &str, name: &str) -> anyhow::Result<Self> {
        let folder = PathBuf::from(socket).parent().context("it has a folder")?.to_path_buf();
        let done = folder.join(format!("{name}.done"));
        Ok(Self {
            folder: folder.display().to_string(),
            script: format!("{FOLDER}/leak.py"),
            socket: socket.to_owned(),
            count: FORGOTTEN.to_string(),
            done: done.display().to_string(),
        })
    }

    fn command(&self) -> [&str; 6] {
        ["/usr/bin/python3", &self.script, &self.socket, &self.count, PACE, &self.done]
    }

    fn volumes(&self) -> [String; 2] {
        ["/usr:/usr:ro".to_owned(), format!("{0}:{0}", self.folder)]
    }

    /// Until it has forgotten all of its connections.
    fn wait(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        while !fs::read_to_string(&self.done).is_ok_and(|done| done == self.count) {
            ensure!(start.elapsed() < BOUND, "the client in the container does not get ready");
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

/// Runs a command that has to end well, and returns what it printed.
fn done(bench: &Bench<'_>, command: &[&str]) -> anyhow::Result<String> {
    let (program, arguments) = command.split_first().context("no command")?;
    let ended = bench.run(Command::new(program).args(arguments))?;
    ensure!(ended.status.success(), "{command:?} failed, {}: {}", ended.status, ended.err);
    Ok(ended.out)
}

fn owned(command: &[&str]) -> Vec<String> {
    command.iter().map(|part| (*part).to_owned()).collect()
}
