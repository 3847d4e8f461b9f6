//! Real container engines: a client that leaks in each, and what sockleak calls its container. On a Debian which has the engines as
//! packages.

mod engine;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::bench::{Bench, Running};
use super::{Case, Verdict};
use crate::run::child::Child;
use engine::{FOLDER, IMAGE, Leak, start_containerd, start_docker};

/// All cases, in the order in which they run.
pub const ALL: &[Case] = &[
    measuring_case!("containers-docker", docker),
    measuring_case!("containers-podman", podman),
    measuring_case!("containers-ctr", ctr),
    measuring_case!("containers-cri", cri),
    measuring_case!("containers-hostile", hostile),
    measuring_case!("containers-inside", inside),
];

/// Connections that a client forgets: enough to be accused.
const FORGOTTEN: u64 = 12;

/// A server on the host, and a capture of its socket.
struct Scene<'b> {
    bench: &'b Bench<'b>,
    socket: String,
    server: Child,
    capture: Running,
}

impl<'b> Scene<'b> {
    fn new(bench: &'b Bench<'b>) -> anyhow::Result<Self> {
        let socket = bench.path("a.sock");
        let mut command = std::process::Command::new("python3");
        let mut server = bench.start(command.arg(format!("{FOLDER}/serve.py")).arg(&socket))?.child;
        server.wait_for_line(|line| line == "ready")?;
        let capture = bench.trace(&["--leak-age", "2s", "--by", "container", &socket])?;
        Ok(Self { bench, socket, server, capture })
    }

    /// What `list` says of the process at the clients' ends, and what it lists of a container or a pod that is asked for.
    fn listed(&self, asked: &[&str]) -> anyhow::Result<Value> {
        let ended = self.bench.run(self.bench.sockleak().args(["list", "--json", &self.socket]))?;
        ended.expect(0)?;
        let listing = ended.lines()?.pop().context("it printed nothing")?;
        let client = listing["sockets"][0]["connections"][0]["client"][0].clone();
        let shown = self.bench.run(self.bench.sockleak().args([&["list", "--json"], asked].concat()))?;
        shown.expect(0)?;
        ensure!(shown.out.contains(&self.socket), "{asked:?} does not list {}: {}", self.socket, shown.out);
        Ok(client["container"].clone())
    }

    /// Ends the capture and takes its report.
    fn report(self) -> anyhow::Result<Value> {
        let ended = self.capture.end_by(Signal::SIGINT)?;
        drop(self.server);
        ended.expect(0)?;
        ended.report()
    }
}

/// The container of a client that leaks, as the report, its open connections and `list` have it.
fn told(bench: &Bench<'_>, start: Leak<'_>, group: &str, asked: &[&str]) -> anyhow::Result<Value> {
    let scene = Scene::new(bench)?;
    let running = start(&scene.socket)?;
    let listed = scene.listed(asked)?;
    let report = scene.report()?;
    drop(running);
    let findings = report["findings"].as_array().context("a report lacks its findings")?;
    let finding = findings.iter().find(|it| it["program"] == group);
    let finding = finding.with_context(|| format!("nothing is said of {group}: {}", report["findings"]))?;
    // The client has opened what it was to open: a slow machine sees the end of its growth as well, and calls the rest a pool. The
    // verdicts have scenarios of their own; here it counts whose connections they are.
    let verdicts = ["client-leak", "suspect", "pool", "undecided"];
    ensure!(verdicts.iter().any(|it| finding["verdict"] == *it), "{finding}");
    let mut container = finding["containers"][0].clone();
    ensure!(container["count"] == FORGOTTEN, "{container}");
    container.as_object_mut().context("no container")?.remove("count");
    ensure!(report["open"][0]["container"] == container, "{}", report["open"][0]);
    ensure!(listed == container, "list says {listed}, the report {container}");
    Ok(container)
}

fn expect(container: &Value, fields: &[(&str, Value)]) -> anyhow::Result<()> {
    for (name, expected) in fields {
        ensure!(container[name] == *expected, "{name} is not {expected}: {container}");
    }
    Ok(())
}

fn docker(bench: &Bench<'_>) -> anyhow::Result<String> {
    let version = start_docker(bench)?;
    let labels = ["com.docker.compose.project=shop", "com.docker.compose.service=web"];
    let start = |socket: &str| engine::docker(bench, socket, "web-docker", &labels);
    let container = told(bench, &start, "docker web-docker", &["--container", "web-docker"])?;
    expect(
        &container,
        &[
            ("runtime", json!("docker")),
            ("name", json!("web-docker")),
            ("image", json!(IMAGE)),
            ("project", json!("shop")),
            ("service", json!("web")),
        ],
    )?;
    Ok(format!("{version}: web-docker"))
}

fn podman(bench: &Bench<'_>) -> anyhow::Result<String> {
    let start = |socket: &str| engine::podman(bench, socket, "web-podman");
    let container = told(bench, &start, "podman web-podman", &["--container", "web-podman"])?;
    let fields = [("runtime", json!("podman")), ("name", json!("web-podman")), ("image", json!(IMAGE))];
    expect(&container, &fields)?;
    Ok("web-podman".to_owned())
}

/// A short id, which the path of the control group alone does not tell from a slice.
fn ctr(bench: &Bench<'_>) -> anyhow::Result<String> {
    start_containerd(bench)?;
    let start = |socket: &str| engine::ctr(bench, socket, "short");
    let container = told(bench, &start, "containerd short", &["--container", "short"])?;
    expect(&container, &[("runtime", json!("containerd")), ("id", json!("short")), ("image", Value::Null)])?;
    Ok("short".to_owned())
}

/// A pod as a kubelet makes it.
fn cri(bench: &Bench<'_>) -> anyhow::Result<String> {
    const UID: &str = "0a1b2c3d-1111-2222-3333-444455556666";
    start_containerd(bench)?;
    let start = |socket: &str| engine::cri(bench, socket, ["prod", "web-0", UID, "app"]);
    let container = told(bench, &start, "containerd prod/web-0/app", &["--pod", "prod/web-0"])?;
    expect(
        &container,
        &[
            ("runtime", json!("containerd")),
            ("image", json!(IMAGE)),
            ("namespace", json!("prod")),
            ("pod_name", json!("web-0")),
            ("pod_container", json!("app")),
            ("pod", json!(UID)),
        ],
    )?;
    Ok("prod/web-0/app".to_owned())
}

/// sockleak in a container that has a control group namespace of its own, as a pod of Kubernetes has: it names others all the same.
fn inside(bench: &Bench<'_>) -> anyhow::Result<String> {
    start_docker(bench)?;
    let scene = Scene::new(bench)?;
    let running = engine::docker(bench, &scene.socket, "seen", &[])?;
    let listed = engine::list_inside(bench, &scene.socket)?;
    let listing: Value = serde_json::from_str(&listed).with_context(|| listed.clone())?;
    ensure!(listing["incomplete_because"] == json!([]), "{listing}");
    let container = &listing["sockets"][0]["connections"][0]["client"][0]["container"];
    expect(container, &[("runtime", json!("docker")), ("name", json!("seen")), ("image", json!(IMAGE))])?;
    scene.report()?;
    drop(running);
    Ok("seen".to_owned())
}

/// Labels that no engine checks, a file that is too large, one that is broken and a link in place of one: ids stay, and nothing
/// reaches the terminal.
fn hostile(bench: &Bench<'_>) -> anyhow::Result<String> {
    start_docker(bench)?;
    let long = format!("com.docker.compose.service={}", "x".repeat(60_000));
    let labels = ["com.docker.compose.project=\u{1b}[2J\n\u{202e}../../etc", &long];
    let start = |socket: &str| engine::docker(bench, socket, "labelled", &labels);
    let container = told(bench, &start, "docker labelled", &["--container", "labelled"])?;
    expect(&container, &[("name", json!("labelled")), ("project", Value::Null)])?;
    let service = container["service"].as_str().context("a plain label is kept")?;
    ensure!(service.chars().count() < 300, "{} characters of a label are kept", service.chars().count());

    for (nth, spoil) in engine::SPOILT.iter().enumerate() {
        let name = format!("spoilt-{nth}");
        let scene = Scene::new(bench)?;
        let running = engine::docker_spoilt(bench, &scene.socket, &name, *spoil)?;
        let shown = bench.run(bench.sockleak().args(["list", &scene.socket]))?;
        shown.expect(0)?;
        ensure!(!shown.out.contains('\u{1b}'), "{}", shown.out);
        let report = scene.report()?;
        let container = report["open"][0]["container"].clone();
        expect(&container, &[("runtime", json!("docker")), ("name", Value::Null), ("image", Value::Null)])
            .with_context(|| name.clone())?;
        ensure!(container["id"].as_str().is_some_and(|id| id.len() == 64), "{container}");
        drop(running);
    }
    Ok(format!("{} kinds of files", engine::SPOILT.len()))
}
