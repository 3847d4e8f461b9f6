//! What the report has to conclude: for each verdict programs that earn it, and others that do not.
//!
//! Ages make verdicts, so these scripts pause. They only need a pause to be long enough: longer ones change nothing.

use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::SOCKET;
use super::handover::{channel, receive};
use crate::actor::{Command, Place};
use crate::stage::{Door, End, Stage, Who};
use crate::unix::Patience;

pub(super) const ARGUMENTS: &[&str] = &["--leak-age", "1s"];
/// With as many slots as [`SLOTS`].
pub(super) const ARGUMENTS_WITH_LIMIT: &[&str] = &["--leak-age", "1s", "--limit", "t.sock=3"];
const SLOTS: u64 = 3;

/// The same.
const LEAK_AGE: Duration = Duration::from_secs(1);
/// Between two connections that leak: each begins in another stretch of time.
const GAP: Duration = Duration::from_millis(1200);
/// As many are leaked: of a program that closes nothing, fewer may be a pool that fills.
const LEAKED: u64 = 24;

fn server(stage: &mut Stage) -> anyhow::Result<(Who, Door)> {
    let server = stage.actor_named("server")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 16)?;
    Ok((server, door))
}

fn pairs(
    stage: &mut Stage,
    client: Who,
    server: Who,
    door: Door,
    count: u64,
) -> anyhow::Result<Vec<crate::stage::Link>> {
    (0..count).map(|_| stage.pair(client, server, door)).collect()
}

/// A connection as it should be.
fn visit(stage: &mut Stage, client: Who, server: Who, door: Door) -> anyhow::Result<()> {
    let link = stage.pair(client, server, door)?;
    stage.close(client, link, End::Client)?;
    stage.close(server, link, End::Server)
}

/// One opens again and again and closes nothing, another closes.
pub(super) fn client_leak(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let (leaker, neat) = (stage.actor_named("leaker")?, stage.actor_named("neat")?);
    for _ in 0..LEAKED {
        stage.pair(leaker, server, door)?;
        visit(stage, neat, server, door)?;
        sleep(GAP);
    }
    stage.due("client-leak", leaker, door, LEAKED);
    Ok(())
}

/// One forgets a connection now and then, among hundreds that it closes; another makes as many and forgets none.
pub(super) fn slow_leak(stage: &mut Stage) -> anyhow::Result<()> {
    const AT_ONCE: u32 = 2;
    const EACH: u32 = 100;
    const FORGOTTEN: u64 = 10;
    let (server, door) = server(stage)?;
    let (forgetful, busy) = (stage.actor_named("forgetful")?, stage.actor_named("busy")?);
    for _ in 0..FORGOTTEN {
        stage.pair(forgetful, server, door)?;
        for client in [forgetful, busy] {
            super::volume::traffic(stage, client, server, door, AT_ONCE, EACH)?;
        }
        sleep(GAP);
    }
    stage.due("client-leak", forgetful, door, FORGOTTEN);
    Ok(())
}

/// Eight that stay eight, though others take the places of two.
pub(super) fn pool(stage: &mut Stage) -> anyhow::Result<()> {
    const MEMBERS: u64 = 8;
    let (server, door) = server(stage)?;
    let client = stage.actor_named("pooled")?;
    let members = pairs(stage, client, server, door, MEMBERS)?;
    // At once: members that come in three stretches of time or more look like a leak for a while.
    sleep(GAP);
    for member in &members[..2] {
        stage.close(client, *member, End::Client)?;
        stage.close(server, *member, End::Server)?;
        stage.pair(client, server, door)?;
    }
    // Three leak ages have to be seen, and twice as long as the two lasted.
    sleep(7 * LEAK_AGE);
    stage.due("pool", client, door, MEMBERS);
    Ok(())
}

/// Clients leave in every way, and the server keeps its ends.
pub(super) fn server_leak(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let (visitor, leaves) = (stage.actor_named("visitor")?, stage.actor_named("leaves")?);
    for link in pairs(stage, visitor, server, door, 3)? {
        stage.close(visitor, link, End::Client)?;
    }
    let left = pairs(stage, leaves, server, door, 2)?;
    stage.exit(leaves, 0, &[(left[0], End::Client), (left[1], End::Client)])?;
    visit(stage, visitor, server, door)?;
    sleep(LEAK_AGE);
    stage.due("server-leak", server, door, 5);
    Ok(())
}

/// The server closes, one client does not notice, another does.
pub(super) fn stale_client(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let (deaf, attentive) = (stage.actor_named("deaf")?, stage.actor_named("attentive")?);
    for link in pairs(stage, deaf, server, door, 3)? {
        stage.close(server, link, End::Server)?;
    }
    for link in pairs(stage, attentive, server, door, 2)? {
        stage.close(server, link, End::Server)?;
        stage.close(attentive, link, End::Client)?;
    }
    sleep(LEAK_AGE);
    stage.due("stale-client", deaf, door, 3);
    Ok(())
}

/// What one opened is another's: by fork, by a passed descriptor, by a program that a child became, or
/// that the process itself became. Who executes his own program again still has what he opened.
pub(super) fn inherited(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let parent = stage.actor_named("parent")?;
    pairs(stage, parent, server, door, 2)?;
    stage.fork(parent)?;
    stage.exit(parent, 0, &[])?;

    let (sender, receiver) = (stage.actor_named("sender")?, stage.actor_named("receiver")?);
    let (out, into) = channel(stage, sender, receiver)?;
    for link in pairs(stage, sender, server, door, 3)? {
        stage.order(sender, &Command::SendFd { over: out, fd: link.client })?;
        receive(stage, receiver, into)?;
        stage.close_fd(sender, link.client)?;
    }

    let launcher = stage.actor_named("launcher")?;
    let link = stage.pair(launcher, server, door)?;
    let helper = stage.fork(launcher)?;
    become_another(stage, helper, link.client, "helper")?;
    stage.close_fd(launcher, link.client)?;

    let renewed = stage.actor_named("before-exec")?;
    let link = stage.pair(renewed, server, door)?;
    stage.due("inherited", renewed, door, 1);
    become_another(stage, renewed, link.client, "after-exec")?;

    let again = stage.actor_named("again")?;
    let link = stage.pair(again, server, door)?;
    stage.due("pool", again, door, 1);
    let program = stage.program(again);
    execute(stage, again, link.client, &program)?;
    sleep(4 * LEAK_AGE);
    for (who, count) in [(parent, 2), (sender, 3), (launcher, 1)] {
        stage.due("inherited", who, door, count);
    }
    Ok(())
}

/// Server ends change hands, and their clients leave: who holds them is accused, and who accepted them is not.
pub(super) fn server_leak_handed_over(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let visitor = stage.actor_named("visitor")?;

    // A handler for a connection, as inetd and systemd start them.
    let program = stage.copy_program("handler")?.to_string_lossy().into_owned();
    let mut handlers = Vec::new();
    for _ in 0..2 {
        let link = stage.pair(visitor, server, door)?;
        let handler = stage.fork(server)?;
        execute(stage, handler, link.server, &program)?;
        stage.close_fd(server, link.server)?;
        stage.close(visitor, link, End::Client)?;
        handlers.push(handler);
    }
    // A worker that is sent the descriptor.
    let worker = stage.actor_named("worker")?;
    let (out, into) = channel(stage, server, worker)?;
    for link in pairs(stage, visitor, server, door, 3)? {
        stage.order(server, &Command::SendFd { over: out, fd: link.server })?;
        receive(stage, worker, into)?;
        stage.close_fd(server, link.server)?;
        stage.close(visitor, link, End::Client)?;
    }
    // The server closes what it keeps: it is overdue after a leak age then.
    visit(stage, visitor, server, door)?;
    sleep(LEAK_AGE);
    stage.due("server-leak", handlers[0], door, 2);
    stage.due("server-leak", worker, door, 3);
    stage.due("inherited", server, door, 5);
    Ok(())
}

fn become_another(stage: &mut Stage, who: Who, keeps: i32, name: &str) -> anyhow::Result<()> {
    let program = stage.copy_program(name)?;
    execute(stage, who, keeps, &program.to_string_lossy())
}

fn execute(stage: &mut Stage, who: Who, keeps: i32, program: &str) -> anyhow::Result<()> {
    stage.order(who, &Command::KeepAcrossExec(keeps))?;
    stage.exec(who, program, "renewed")
}

/// One leaves closing to the kernel each time it runs; another does so too, but closed once.
pub(super) fn exit_only(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    for run in 0..3 {
        for name in ["quitter", "sometimes"] {
            let client = stage.actor_named(name)?;
            if (run, name) == (1, "sometimes") {
                visit(stage, client, server, door)?;
            }
            let links = pairs(stage, client, server, door, 2)?;
            let ends = [(links[0], End::Client), (links[1], End::Client)];
            match run {
                2 => stage.kill(client, Signal::SIGTERM, &ends)?,
                status => stage.exit(client, status, &ends)?,
            }
            for link in links {
                stage.close(server, link, End::Server)?;
            }
            if (run, name) == (2, "quitter") {
                stage.due("exit-only", client, door, 6);
            }
        }
    }
    Ok(())
}

/// One has all slots. Others wait, give up, and are turned away.
pub(super) fn starved(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor_named("server")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 3)?;
    let hog = stage.actor_named("hog")?;
    pairs(stage, hog, server, door, SLOTS)?;
    let (victim, hasty) = (stage.actor_named("victim")?, stage.actor_named("hasty")?);
    // The kernel lets one more wait than the backlog says, and who gave up keeps his place.
    for _ in 0..3 {
        stage.connect(victim, door)?;
    }
    let given_up = stage.connect(hasty, door)?;
    stage.close(hasty, given_up, End::Client)?;
    for (who, count) in [(victim, 2), (hasty, 1)] {
        for _ in 0..count {
            stage.fail(who, &path, Patience::None, Errno::EAGAIN)?;
        }
        stage.failed(who, &path, Ok(door), Errno::EAGAIN, count);
    }
    sleep(LEAK_AGE);
    stage.due("suspect", hog, door, SLOTS);
    let program = stage.program(hog);
    // Three that wait and two refused; one given up and one refused.
    for (who, count) in [(victim, 5), (hasty, 2)] {
        stage.due("starved", who, door, count).holders.push((program.clone(), SLOTS));
    }
    Ok(())
}

/// Connections that are older than the capture, of a client in another net namespace: some are closed, at one end or
/// both, others stay.
pub(super) fn before_trace(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let client = stage.actor_named("holder")?;
    stage.order(client, &Command::Go(Place::NetNamespace))?;
    stage.look_again(client)?;
    let links = pairs(stage, client, server, door, 7)?;
    stage.wait_for_capture()?;
    for link in &links[..2] {
        stage.close(client, *link, End::Client)?;
        stage.close(server, *link, End::Server)?;
    }
    stage.close(client, links[2], End::Client)?;
    stage.close(client, links[6], End::Client)?;
    stage.close(server, links[3], End::Server)?;
    sleep(LEAK_AGE);
    stage.due("server-leak", server, door, 2);
    stage.due("stale-client", client, door, 1).is_from_before = true;
    stage.due("undecided", client, door, 2).is_from_before = true;
    Ok(())
}
