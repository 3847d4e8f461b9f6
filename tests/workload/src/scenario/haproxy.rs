//! A real HAProxy whose master socket runs full, in both ways it is known to.

use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;

use crate::actor::Command;
use crate::haproxy::{Haproxy, Installation, SYSTEM, VERSION_3_0};
use crate::stage::{Door, End, Stage, inode_of_file};
use crate::truth::Listener;
use crate::unix::Patience;
use crate::{identity, wait};

/// How many connections the master serves at a time; its backlog too.
const SLOTS: u32 = 10;

pub(super) const ARGUMENTS: &[&str] = &["--leak-age", "500ms"];
/// The same.
const LEAK_AGE: Duration = Duration::from_millis(500);

pub(super) fn targets(dir: &Path) -> Vec<String> {
    vec![dir.join("ma.sock").to_string_lossy().into_owned()]
}

fn start(stage: &mut Stage, installation: Installation) -> anyhow::Result<(Haproxy, Door, usize)> {
    let haproxy = Haproxy::start(installation, Path::new(&stage.path("")))?;
    let master = stage.know(identity::of(haproxy.pid())?);
    let path = haproxy.socket.to_string_lossy().into_owned();
    let index = stage.know_listener(Listener {
        inode: Some(inode_of_file(&path)?),
        path,
        bind_path: haproxy.bind_path(),
        socket_type: "stream".to_owned(),
        backlog: SLOTS,
        owner: master,
        closed_by: None,
        closed_before: false,
    });
    let door = stage.foreign_door(index);
    Ok((haproxy, door, master))
}

/// Ten idle clients hold every slot; eleven more wait in the queue; the next is turned away.
pub(super) fn client_leak(stage: &mut Stage) -> anyhow::Result<()> {
    take_all_slots(stage, SYSTEM)
}

/// The same with a newer HAProxy.
pub(super) fn client_leak_3_0(stage: &mut Stage) -> anyhow::Result<()> {
    take_all_slots(stage, VERSION_3_0)
}

fn take_all_slots(stage: &mut Stage, installation: Installation) -> anyhow::Result<()> {
    let (haproxy, door, master) = start(stage, installation)?;
    let holder = stage.actor_named("idle-holder")?;
    for number in 1..=SLOTS as usize {
        let link = stage.connect(holder, door)?;
        wait::until("the master to accept", || Ok(haproxy.slots_taken()? == number))?;
        stage.accepted(door, link, master)?;
        // One after the other, each in another stretch of time: not a pool.
        std::thread::sleep(LEAK_AGE);
    }
    let starved = stage.actor_named("starved")?;
    for _ in 0..=SLOTS {
        stage.connect(starved, door)?;
    }
    let path = haproxy.socket.to_string_lossy().into_owned();
    stage.fail(starved, &path, Patience::None, Errno::EAGAIN)?;
    stage.failed(starved, &path, Ok(door), Errno::EAGAIN, 1);
    std::thread::sleep(LEAK_AGE);
    anyhow::ensure!(haproxy.slots_taken()? == SLOTS as usize, "the master accepted more than its slots");
    let slots = u64::from(SLOTS);
    stage.due("client-leak", holder, door, slots);
    let program = stage.program(holder);
    // All that wait, and the one that was turned away.
    stage.due("starved", starved, door, slots + 2).holders.push((program, slots));
    stage.at_end(move || drop(haproxy));
    Ok(())
}

/// The worker hangs, clients send it a command and leave: the master keeps their connections.
pub(super) fn server_leak(stage: &mut Stage) -> anyhow::Result<()> {
    let started = start(stage, SYSTEM)?;
    leak_all_slots(stage, started)
}

/// The same with a newer HAProxy.
pub(super) fn server_leak_3_0(stage: &mut Stage) -> anyhow::Result<()> {
    let started = start(stage, VERSION_3_0)?;
    leak_all_slots(stage, started)
}

/// The same where the listener is older than the capture.
pub(super) fn server_leak_of_a_running_haproxy(stage: &mut Stage) -> anyhow::Result<()> {
    let started = start(stage, SYSTEM)?;
    stage.wait_for_capture()?;
    leak_all_slots(stage, started)
}

fn leak_all_slots(stage: &mut Stage, (haproxy, door, master): (Haproxy, Door, usize)) -> anyhow::Result<()> {
    haproxy.stop_worker()?;
    for number in 1..=SLOTS {
        let client = stage.actor(&format!("client-{number}"))?;
        let link = stage.connect(client, door)?;
        stage.order(client, &Command::Send(link.client, "@1 show info\n".to_owned()))?;
        stage.order(client, &Command::AwaitRead(link.client))?;
        stage.accepted(door, link, master)?;
        if number % 2 == 0 {
            stage.close(client, link, End::Client)?;
        } else {
            stage.exit(client, 0, &[(link, End::Client)])?;
        }
    }
    let victim = stage.actor_named("victim")?;
    stage.connect(victim, door)?;
    // It may not have closed a single end so far.
    std::thread::sleep(10 * LEAK_AGE);
    anyhow::ensure!(haproxy.slots_taken()? == SLOTS as usize, "the master let go of connections");
    stage.due_of("server-leak", master, door, SLOTS.into());
    stage.due("starved", victim, door, 1);
    stage.at_end(move || drop(haproxy));
    Ok(())
}
