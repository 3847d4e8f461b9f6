//! The service, restarted and killed while connections come and go: whatever kernel and store promise, nothing is missed and
//! nothing is invented.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use nix::sys::utsname::uname;
use serde_json::Value;

use super::bench::{Bench, Door, Pair, Running, total};
use super::collector::Collector;
use super::killed::random;
use super::limits::expect_open;

/// As many restarts on the kernels that the promise is made for, and elsewhere.
const MANY: usize = 20;
const FEW: usize = 5;
/// A service is left alone for at most so long.
const LATEST: Duration = Duration::from_millis(1500);
/// 200 connections a second, as far as the machine gets there.
const BREATH: Duration = Duration::from_millis(5);
/// One in so many is held for a while.
const HELD: u64 = 25;
/// So many are held at a time.
const MOST_HELD: usize = 40;
/// Where it answers.
pub(crate) const ADDRESS: &str = "127.0.0.1:9436";
/// A user without privileges.
const NOBODY: u32 = 65534;
/// A service that is not ready by then never will be.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// What the load did.
#[derive(Default)]
pub(super) struct Truth {
    pub(super) opened: u64,
    pub(super) held: Vec<Pair>,
}

/// The kernel goes on tracing meanwhile. Tells what it came to.
pub(super) fn restart(bench: &Bench<'_>) -> anyhow::Result<String> {
    restart_with(bench, "auto", true)
}

/// Before Linux 5.15 kprobes end with their process, and the time in between is marked.
pub(super) fn restart_by_kprobes(bench: &Bench<'_>) -> anyhow::Result<String> {
    if !uname()?.release().to_string_lossy().starts_with("5.10.") {
        return Ok("this kernel keeps kprobes".to_owned());
    }
    restart_with(bench, "kprobe", false)
}

fn restart_with(bench: &Bench<'_>, hooks: &str, is_kept: bool) -> anyhow::Result<String> {
    let release = uname()?.release().to_string_lossy().into_owned();
    let is_long = ["6.1.", "7.2."].iter().any(|series| release.starts_with(series));
    mount_bpf_file_system()?;
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let settings = format!("[[target]]\nsocket = {path:?}\n[probe]\nhooks = {hooks:?}\n");
    let service = Service::prepare(bench, &settings)?;
    let mut running = service.start()?;
    let is_over = AtomicBool::new(false);
    let (truth, last) = thread::scope(|scope| {
        let load = scope.spawn(|| load(&door, &is_over));
        let restarts = || -> anyhow::Result<Running> {
            for round in 0..if is_long { MANY } else { FEW } {
                thread::sleep(LATEST.mul_f64(random()));
                running.child.signal(if round % 4 == 3 { Signal::SIGTERM } else { Signal::SIGKILL })?;
                let ended = running.end()?;
                if round % 4 == 3 {
                    ended.expect(0)?;
                }
                running = service.start().with_context(|| format!("restart {round}"))?;
            }
            Ok(running)
        };
        let last = restarts();
        is_over.store(true, Ordering::Relaxed);
        anyhow::Ok((load.join().expect("the load panicked")?, last?))
    })?;
    last.end_by(Signal::SIGTERM)?.expect(0)?;
    let report = service.report()?;
    let [opened, found, closed] = ["opened", "before_trace", "closed"].map(|figure| total(&report, figure));
    let (opened, found, closed) = (opened?, found?, closed?);
    expect_open(&report, &truth.held)?;
    let open = truth.held.len() as u64;
    let missing = &report["incomplete_because"];
    ensure!(
        opened + found == closed + open,
        "{opened} opened, {found} found, {closed} closed, {open} open: {missing}"
    );
    if is_kept {
        ensure!(opened == truth.opened, "{opened} of {} connections are stored: {missing}", truth.opened);
        ensure!(report["complete"] == true, "something is missing: {missing}");
    } else {
        // The report is of the time since the last restart.
        ensure!(
            opened + found <= truth.opened,
            "{opened} and {found} are stored, {} were made",
            truth.opened
        );
        let says_so = missing.as_array().into_iter().flatten().filter_map(Value::as_str);
        ensure!(
            says_so.into_iter().any(|why| why.starts_with("nothing was watched")),
            "it does not say that nothing was watched at times: {missing}"
        );
    }
    let mut detach = bench.sockleak();
    let detached = bench.run(detach.arg("detach"))?;
    detached.expect(0)?;
    let is_said = detached.err.contains("stopped tracing");
    ensure!(is_said == is_kept, "detach says: {}", detached.err);
    Ok(format!("{opened} of {} connections stored, {open} of them open", truth.opened))
}

/// Opens connections, closes most at once and the others later, some at one end before the other.
pub(super) fn load(door: &Door, is_over: &AtomicBool) -> anyhow::Result<Truth> {
    let mut truth = Truth::default();
    while !is_over.load(Ordering::Relaxed) {
        let pair = door.connect()?;
        truth.opened += 1;
        if truth.opened % HELD == 0 {
            truth.held.push(pair);
            if truth.held.len() > MOST_HELD {
                let (client, server) = truth.held.remove(0);
                drop(client);
                thread::sleep(BREATH);
                drop(server);
            }
        }
        thread::sleep(BREATH);
    }
    Ok(truth)
}

/// A service with its configuration and store.
pub(crate) struct Service<'a> {
    bench: &'a Bench<'a>,
    pub(super) config: String,
    pub(super) store: String,
    /// What is set of it besides where it is.
    store_settings: String,
    /// Where it says that it is ready, as to systemd.
    notify: UnixDatagram,
    notify_path: String,
}

impl<'a> Service<'a> {
    /// `targets` and what else is to be in the configuration.
    pub(super) fn prepare(bench: &'a Bench<'a>, targets: &str) -> anyhow::Result<Self> {
        Self::configure(bench, &format!("{targets}[http]\nlisten = \"off\"\n"))
    }

    /// Everything but the store is configured.
    pub(super) fn configure(bench: &'a Bench<'a>, settings: &str) -> anyhow::Result<Self> {
        Self::with_store(bench, settings, "")
    }

    /// Everything but where the store is, is configured.
    pub(crate) fn with_store(
        bench: &'a Bench<'a>,
        settings: &str,
        store_settings: &str,
    ) -> anyhow::Result<Self> {
        let (config, store) = (bench.path("config.toml"), bench.path("store"));
        let notify_path = bench.path("notify.sock");
        let notify = UnixDatagram::bind(&notify_path)?;
        notify.set_read_timeout(Some(PATIENCE))?;
        let store_settings = store_settings.to_owned();
        let service = Self { bench, config, store, store_settings, notify, notify_path };
        service.write(settings)?;
        Ok(service)
    }

    /// Writes another configuration.
    pub(super) fn write(&self, settings: &str) -> anyhow::Result<()> {
        let Self { config, store, store_settings, .. } = self;
        Ok(fs::write(config, format!("{settings}\n[store]\ndirectory = {store:?}\n{store_settings}"))?)
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start(&self) -> anyhow::Result<Running> {
        self.start_as(|_| ())
    }

    /// The same, with the process confined.
    pub(super) fn start_as(&self, confine: impl FnOnce(&mut Command)) -> anyhow::Result<Running> {
        let mut command = self.bench.sockleak();
        confine(&mut command);
        command.args(["serve", "--config", &self.config]).env("NOTIFY_SOCKET", &self.notify_path);
        let running = self.bench.start(&mut command)?;
        loop {
            let mut message = [0; 256];
            let Ok(length) = self.notify.recv(&mut message) else {
                bail!("it is not ready: {}", fs::read_to_string(&running.stderr).unwrap_or_default());
            };
            if message[..length].starts_with(b"READY=1") {
                return Ok(running);
            }
        }
    }

    /// Where its store is.
    pub(crate) fn store(&self) -> &str {
        &self.store
    }

    /// What the store knows.
    pub(crate) fn report(&self) -> anyhow::Result<Value> {
        let mut command = self.bench.sockleak();
        let ended = self.bench.run(command.args(["report", "--json", "--store", &self.store]))?;
        ended.expect(0)?;
        ended.report()
    }
}

/// Three quarters of the slots are not worth an alert, all of them are; what HTTP says and a collector gets agrees with what
/// was done.
pub(super) fn answers(bench: &Bench<'_>) -> anyhow::Result<()> {
    const SLOTS: usize = 8;
    mount_bpf_file_system()?;
    let (path, alerts) = (bench.path("t.sock"), bench.path("alerts.jsonl"));
    let door = Door::open(&path)?;
    let collector = Collector::open()?;
    let configured = format!(
        "[[target]]\nsocket = {path:?}\nlimit = {SLOTS}\n[http]\nlisten = {ADDRESS:?}\n[alerts]\nfor = \"100ms\"\n\
         findings = []\nforecast = \"1s\"\n[[alerts.sink]]\nkind = \"file\"\npath = {alerts:?}\n{}",
        collector.settings()
    );
    let service = Service::configure(bench, &configured)?;
    let running = service.start()?;
    for _ in 0..5 {
        door.pass()?;
    }
    let mut held = (0..SLOTS * 3 / 4).map(|_| door.connect()).collect::<anyhow::Result<Vec<_>>>()?;
    let opened = |count: usize| {
        format!("sockleak_opened_total{{socket={path:?},program={:?}}} {count}", own_program())
    };
    wait_for(|| Ok(get(ADDRESS, "/metrics")?.contains(&opened(5 + SLOTS * 3 / 4))))?;
    wait_for(|| Ok(collector.opened(&path, &own_program())? == 5 + SLOTS as i64 * 3 / 4))?;
    ensure!(!Path::new(&alerts).exists(), "an alert of: {}", fs::read_to_string(&alerts)?);
    held.push(door.connect()?);
    let said = || fs::read_to_string(&alerts).unwrap_or_default();
    wait_for(|| Ok(said().contains("\"firing\"")))?;
    let connections: Value = serde_json::from_str(&get(ADDRESS, "/api/v1/connections?limit=3")?)?;
    ensure!(connections["total"] == held.len(), "of {} connections HTTP says: {connections}", held.len());
    ensure!(connections["connections"][0]["argv"].is_null(), "a command line is told: {connections}");
    ensure!(get(ADDRESS, "/healthz")?.contains("\"ok\""), "not well: {}", get(ADDRESS, "/healthz")?);
    tells_stories(&path)?;
    reports(bench, &held)?;
    drop(held);
    wait_for(|| Ok(said().contains("\"resolved\"")))?;
    let told = said();
    ensure!(told.lines().count() == 2, "told more than once: {told}");
    // A second one is refused, and a signal has the configuration read again.
    let second = bench.run(bench.sockleak().args(["serve", "--config", &service.config]))?;
    second.expect(1)?;
    ensure!(second.err.contains("another `sockleak serve` is running"), "a second one says: {}", second.err);
    fs::write(&service.config, "[[target]]\nsocket = 5\n")?;
    running.child.signal(Signal::SIGHUP)?;
    let log = || fs::read_to_string(&running.stderr).unwrap_or_default();
    wait_for(|| Ok(log().contains("the configuration stays as it was")))?;
    ensure!(get(ADDRESS, "/metrics")?.contains(&opened(5 + SLOTS * 3 / 4 + 1)), "the figures are gone");
    running.end_by(Signal::SIGTERM)?.expect(0)?;
    bench.run(bench.sockleak().arg("detach"))?.expect(0)
}

/// The report that is asked for over HTTP, by somebody without privileges.
fn reports(bench: &Bench<'_>, held: &[Pair]) -> anyhow::Result<()> {
    let address = format!("http://{ADDRESS}");
    let mut command = bench.sockleak();
    command.args(["report", "--json", "--service", &address, "--fail-on", "server-leak"]);
    let ended = bench.run(command.uid(NOBODY).gid(NOBODY))?;
    ended.expect(0)?;
    let report = ended.report()?;
    expect_open(&report, held)?;
    let opened = total(&report, "opened")?;
    ensure!(opened == 5 + held.len() as u64, "{opened} were opened: {report}");
    ensure!(report["complete"] == true, "something is missing: {}", report["incomplete_because"]);
    Ok(())
}

/// What was opened, accepted and closed at both ends is told to its end, and shown to browsers.
fn tells_stories(path: &str) -> anyhow::Result<()> {
    let closed = || -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&get(ADDRESS, "/api/v1/connections?state=closed")?)?)
    };
    wait_for(|| Ok(closed()?["total"] == 5))?;
    let id = closed()?["connections"][0]["connection"].clone();
    let story: Value = serde_json::from_str(&get(ADDRESS, &format!("/api/v1/connections/{id}"))?)?;
    let own = (Value::from(own_program()), Value::from(std::process::id()));
    for who in ["opened_by", "accepted_by"] {
        let told = &story[who];
        ensure!((&told["program"], &told["pid"]) == (&own.0, &own.1), "{who}: {story}");
        ensure!(told["uid"] == 0 && told["user"] == "root", "{who}: {story}");
    }
    for release in ["client_release", "server_release"] {
        ensure!(
            story[release]["reason"] == "close" && story[release]["by"]["pid"] == own.1,
            "{release}: {story}"
        );
    }
    ensure!(story["state"] == "closed" && story["accepted_ms"].is_i64(), "{story}");
    for (page, says) in [
        ("/socket".to_owned() + "?path=" + path, format!("href=\"/connection/{id}\"")),
        (format!("/connection/{id}"), "closed at both ends".to_owned()),
    ] {
        let shown = get(ADDRESS, &page)?;
        ensure!(shown.contains(&says), "{page} does not show {says}: {shown}");
    }
    Ok(())
}

/// What the service answers.
pub(crate) fn get(address: &str, path: &str) -> anyhow::Result<String> {
    get_with(address, path, "")
}

/// The same for a request with further headers, each with its end of line.
pub(super) fn get_with(address: &str, path: &str, headers: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    Ok(body.to_owned())
}

/// The path of this program, as it is reported.
pub(super) fn own_program() -> String {
    let path = fs::read_link("/proc/self/exe").unwrap_or_default();
    path.to_string_lossy().into_owned()
}

/// Waits until something is so.
pub(super) fn wait_for(is_so: impl Fn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        // Nobody may answer yet.
        let outcome = is_so();
        if matches!(outcome, Ok(true)) {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return outcome.and_then(|_| bail!("it did not come to that"));
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Where maps and links outlive a process.
pub(crate) fn mount_bpf_file_system() -> anyhow::Result<()> {
    let at = Path::new("/sys/fs/bpf");
    if statfs(at)?.filesystem_type() != BPF_FS_MAGIC {
        mount(Some("bpf"), at, Some("bpf"), MsFlags::empty(), None::<&str>)
            .context("mounting /sys/fs/bpf")?;
    }
    Ok(())
}
