//! What SIGHUP changes while the service runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::bench::{Bench, Door, Running};
use super::collector::Collector;
use super::service::{ADDRESS, Service, get, get_with, mount_bpf_file_system, own_program, wait_for};

/// Another address to answer on.
const ANOTHER: &str = "127.0.0.1:9437";
/// One that takes a privilege which the service has given up.
const LOW: &str = "127.0.0.1:80";

/// Addresses, token, collector and stacks change; what cannot be changed is said, and stays.
pub(super) fn reload(bench: &Bench<'_>) -> anyhow::Result<()> {
    mount_bpf_file_system()?;
    let (path, token) = (bench.path("t.sock"), bench.path("token"));
    let door = Door::open(&path)?;
    let target = format!("[[target]]\nsocket = {path:?}\n");
    let service = Service::configure(bench, &format!("{target}[http]\nlisten = {ADDRESS:?}\n"))?;
    let running = service.start()?;
    let hang_up = |settings: &str, said: &str| -> anyhow::Result<()> {
        service.write(settings)?;
        let before = log(&running).len();
        running.child.signal(Signal::SIGHUP)?;
        wait_for(|| Ok(log(&running)[before..].contains("was read again")))?;
        let new = log(&running).split_off(before);
        ensure!(new.contains(said), "it does not say {said:?}: {new}");
        Ok(())
    };
    let _first = door.connect()?;

    fs::write(&token, "hush")?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
    let collector = Collector::open()?;
    let all = format!(
        "leak_age = \"5s\"\nstacks = \"on\"\n{target}[http]\nlisten = [{ADDRESS:?}, {ANOTHER:?}]\ntoken_file = {token:?}\n{}",
        collector.settings()
    );
    hang_up(&all, "leak_age of the configuration changed: that takes effect when the service is restarted")?;
    let _second = door.connect()?;
    wait_for(|| Ok(collector.opened(&path, &own_program())? == 2))?;
    for address in [ADDRESS, ANOTHER] {
        wait_for(|| {
            let page = get_with(address, "/api/v1/connections", "Authorization: Bearer hush\r\n")?;
            let page: Value = serde_json::from_str(&page)?;
            Ok(page["total"] == 2 && page["connections"][0]["argv"].is_array())
        })?;
    }
    let stack = |nth: usize| -> anyhow::Result<Value> {
        let page: Value = serde_json::from_str(&get(ANOTHER, "/api/v1/connections")?)?;
        let id = page["connections"][nth]["connection"].as_u64().context("no number")?;
        let one: Value = serde_json::from_str(&get(ANOTHER, &format!("/api/v1/connections/{id}"))?)?;
        Ok(one["frames"].clone())
    };
    ensure!(stack(0)?.as_array().is_some_and(Vec::is_empty), "the first has a stack: {}", stack(0)?);
    ensure!(stack(1)?.as_array().is_some_and(|it| !it.is_empty()), "the second has no stack: {}", stack(1)?);

    let low = format!("{target}[http]\nlisten = [{ADDRESS:?}, {LOW:?}]\n");
    hang_up(&low, "127.0.0.1:80 cannot be listened on")?;
    ensure!(log(&running).contains("[http] stays as it was"), "{}", log(&running));
    get(ANOTHER, "/healthz")?;

    hang_up(&format!("{target}[http]\nlisten = {ANOTHER:?}\n"), "")?;
    wait_for(|| Ok(get(ADDRESS, "/healthz").is_err() && get(ANOTHER, "/healthz").is_ok()))?;
    hang_up(&format!("{target}[http]\nlisten = \"off\"\n"), "")?;
    wait_for(|| Ok(get(ANOTHER, "/healthz").is_err()))?;
    hang_up(&format!("{target}[http]\nlisten = {ANOTHER:?}\n"), "HTTP was off")?;
    running.end_by(Signal::SIGTERM)?.expect(0)?;
    bench.run(bench.sockleak().arg("detach"))?.expect(0)
}

fn log(running: &Running) -> String {
    fs::read_to_string(&running.stderr).unwrap_or_default()
}
