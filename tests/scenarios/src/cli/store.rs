//! A store that is lost while the service runs.

use std::fs;

use anyhow::ensure;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;

use super::bench::{Bench, Door};
use super::service::{ADDRESS, Service, get, mount_bpf_file_system, own_program, wait_for};

/// First nothing can be written any more, then the directory is gone: each is told in a sentence, and tracing goes on.
pub(super) fn lost(bench: &Bench<'_>) -> anyhow::Result<()> {
    mount_bpf_file_system()?;
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let settings = format!("[[target]]\nsocket = {path:?}\n[http]\nlisten = {ADDRESS:?}\n");
    let service = Service::configure(bench, &settings)?;
    let running = service.start()?;
    door.pass()?;
    let log = || fs::read_to_string(&running.stderr).unwrap_or_default();
    let count = |what: &str| log().matches(what).count();

    let read_only = |flags| {
        mount(Some(service.store.as_str()), service.store.as_str(), None::<&str>, flags, None::<&str>)
    };
    read_only(MsFlags::MS_BIND)?;
    read_only(MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY)?;
    // With other bounds a new segment begins, which has to be written.
    let store = format!("[store]\nmax_bytes = \"20MiB\"\ndirectory = {:?}\n", service.store);
    fs::write(&service.config, format!("{settings}{store}"))?;
    running.child.signal(Signal::SIGHUP)?;
    wait_for(|| Ok(count("the service goes on without it") > 0))?;
    ensure!(
        log().contains("Read-only file system") || log().contains("readonly"),
        "why is not said: {}",
        log()
    );
    wait_for(|| Ok(get(ADDRESS, "/healthz")?.contains("nothing is stored")))?;
    door.pass()?;
    let opened = format!("sockleak_opened_total{{socket={path:?},program={:?}}} 2", own_program());
    wait_for(|| Ok(get(ADDRESS, "/metrics")?.contains(&opened)))?;
    ensure!(count("the service goes on without it") == 1, "it is told again and again: {}", log());

    umount2(service.store.as_str(), MntFlags::MNT_DETACH)?;
    fs::remove_dir_all(&service.store)?;
    let mut second = bench.sockleak();
    let ended = bench.run(second.args(["report", "--store", &service.store]))?;
    ended.expect_refusal(6, &[&service.store, "cannot be read as a store"])?;
    door.pass()?;
    let opened = format!("sockleak_opened_total{{socket={path:?},program={:?}}} 3", own_program());
    wait_for(|| Ok(get(ADDRESS, "/metrics")?.contains(&opened)))?;
    running.end_by(Signal::SIGTERM)?.expect(0)?;
    bench.run(bench.sockleak().arg("detach"))?.expect(0)
}
