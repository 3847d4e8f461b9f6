//! Connections that are older than the capture, in every state, and what becomes of them.

use std::path::Path;

use nix::sys::signal::Signal;

use super::handover::{channel, receive};
use super::{SOCKET, the_socket};
use crate::actor::{Command, Place};
use crate::stage::{Door, End, Stage, Who};
use crate::truth::Reason;
use crate::unix::Kind;

const SECOND: &str = "second.sock";
const ABSTRACT: &str = "@sockleak-scenario-before-trace";

pub(super) fn targets(dir: &Path) -> Vec<String> {
    let mut targets = the_socket(dir);
    targets.extend([dir.join(SECOND).to_string_lossy().into_owned(), ABSTRACT.to_owned()]);
    targets
}

/// What goes on during the capture.
type Then = Box<dyn FnOnce(&mut Stage) -> anyhow::Result<()>>;

/// Does the first part of a story, and returns the second.
type Story = fn(&mut Stage, Who, Door) -> anyhow::Result<Then>;

const STORIES: [Story; 8] = [plain, half_closed, ends_of_processes, places, heirs, passed, renewed, second];

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let older = stage.actor("older-than-the-server")?;
    let server = stage.actor("server")?;
    let path = stage.path(SOCKET);
    let bound_as = format!("{path}.{}.tmp", stage.pid(server));
    let door = stage.listen_as(server, &path, Kind::Stream, 16, Some(&bound_as))?;
    let mut rest = vec![open(stage, older, server, door)?];
    for story in STORIES {
        rest.push(story(stage, server, door)?);
    }
    rest.push(abstract_name(stage)?);
    stage.wait_for_capture()?;
    for then in rest {
        then(stage)?;
    }
    // And life goes on.
    let client = stage.actor("late-client")?;
    let closed = stage.pair(client, server, door)?;
    stage.close(client, closed, End::Client)?;
    stage.close(server, closed, End::Server)?;
    stage.pair(client, server, door)?;
    stage.connect(client, door)?;
    Ok(())
}

/// The plain stories, of a client that is younger than its server.
fn plain(stage: &mut Stage, server: Who, door: Door) -> anyhow::Result<Then> {
    let client = stage.actor_named("holder")?;
    open(stage, client, server, door)
}

/// Open at both ends; and one that nobody should hear of.
fn open(stage: &mut Stage, client: Who, server: Who, door: Door) -> anyhow::Result<Then> {
    let over = stage.pair(client, server, door)?;
    stage.close(client, over, End::Client)?;
    stage.close(server, over, End::Server)?;
    stage.pair(client, server, door)?;
    let links = [stage.pair(client, server, door)?, stage.pair(client, server, door)?];
    let by_server = stage.pair(client, server, door)?;
    let stale = stage.pair(client, server, door)?;
    stage.close(server, stale, End::Server)?;
    Ok(Box::new(move |stage| {
        stage.close(client, links[0], End::Client)?;
        stage.close(server, links[0], End::Server)?;
        stage.close(client, links[1], End::Client)?;
        stage.close(server, by_server, End::Server)
    }))
}

/// One end is released already.
fn half_closed(stage: &mut Stage, server: Who, door: Door) -> anyhow::Result<Then> {
    let client = stage.actor("half-closer")?;
    let mut links = Vec::new();
    for (who, end) in
        [(client, End::Client), (client, End::Client), (server, End::Server), (server, End::Server)]
    {
        let link = stage.pair(client, server, door)?;
        stage.close(who, link, end)?;
        links.push(link);
    }
    Ok(Box::new(move |stage| {
        stage.close(server, links[0], End::Server)?;
        stage.close(client, links[2], End::Client)
    }))
}

/// Clients that exit or are killed.
fn ends_of_processes(stage: &mut Stage, server: Who, door: Door) -> anyhow::Result<Then> {
    let (leaves, victim) = (stage.actor("leaves")?, stage.actor("victim")?);
    let (left, killed) = (stage.pair(leaves, server, door)?, stage.pair(victim, server, door)?);
    let stale = stage.pair(victim, server, door)?;
    stage.close(server, stale, End::Server)?;
    Ok(Box::new(move |stage| {
        stage.exit(leaves, 3, &[(left, End::Client)])?;
        stage.kill(victim, Signal::SIGKILL, &[(killed, End::Client), (stale, End::Client)])?;
        stage.close(server, killed, End::Server)
    }))
}

/// Clients in other namespaces.
fn places(stage: &mut Stage, server: Who, door: Door) -> anyhow::Result<Then> {
    let directory = stage.path("");
    let mut clients = Vec::new();
    for (role, place, typed) in [
        ("net-namespace", Place::NetNamespace, stage.path(SOCKET)),
        (
            "mount-namespace",
            Place::MountNamespace { from: directory, at: "/mnt".to_owned() },
            format!("/mnt/{SOCKET}"),
        ),
    ] {
        let client = stage.actor(role)?;
        stage.order(client, &Command::Go(place))?;
        stage.look_again(client)?;
        let mut link = stage.connect_by(client, door, &typed)?;
        stage.accept(server, door, &mut link)?;
        let mut held = stage.connect_by(client, door, &typed)?;
        stage.accept(server, door, &mut held)?;
        clients.push((client, link));
    }
    Ok(Box::new(move |stage| {
        for (client, link) in clients {
            stage.close(client, link, End::Client)?;
        }
        Ok(())
    }))
}

/// The opener has forked and is gone; another has only closed its own descriptor.
fn heirs(stage: &mut Stage, server: Who, door: Door) -> anyhow::Result<Then> {
    let (gone, stays) = (stage.actor("gone")?, stage.actor("stays")?);
    let orphans = [stage.pair(gone, server, door)?, stage.pair(gone, server, door)?];
    let left = [stage.pair(stays, server, door)?, stage.pair(stays, server, door)?];
    let shared = stage.pair(stays, server, door)?;
    let (orphan, heir) = (stage.fork(gone)?, stage.fork(stays)?);
    stage.exit(gone, 0, &[])?;
    for link in left {
        stage.close_fd(stays, link.client)?;
    }
    Ok(Box::new(move |stage| {
        stage.close(orphan, orphans[0], End::Client)?;
        stage.close(server, orphans[0], End::Server)?;
        stage.close_fd(stays, shared.client)?;
        stage.exit(heir, 0, &[(left[0], End::Client), (left[1], End::Client), (shared, End::Client)])
    }))
}

/// Passed on to a process that the server never heard of.
fn passed(stage: &mut Stage, server: Who, door: Door) -> anyhow::Result<Then> {
    let (sender, receiver) = (stage.actor("sender")?, stage.actor_named("receiver")?);
    let (out, into) = channel(stage, sender, receiver)?;
    let mut received = Vec::new();
    for _ in 0..2 {
        let link = stage.pair(sender, server, door)?;
        stage.order(sender, &Command::SendFd { over: out, fd: link.client })?;
        received.push((link, receive(stage, receiver, into)?));
        stage.close_fd(sender, link.client)?;
    }
    Ok(Box::new(move |stage| {
        let (link, fd) = received[0];
        stage.close_fd(receiver, fd)?;
        stage.released(link, End::Client, receiver, Reason::Close);
        Ok(())
    }))
}

/// The opener is another program by now, and becomes a third.
fn renewed(stage: &mut Stage, server: Who, door: Door) -> anyhow::Result<Then> {
    let client = stage.actor("to-be-renewed")?;
    let (kept, lost) = (stage.pair(client, server, door)?, stage.pair(client, server, door)?);
    for link in [kept, lost] {
        stage.order(client, &Command::KeepAcrossExec(link.client))?;
    }
    let [first, second] = ["renewed", "renewed-again"].map(|name| stage.copy_program(name));
    let (first, second) = (first?, second?);
    stage.exec(client, &first.to_string_lossy(), "renewed")?;
    Ok(Box::new(move |stage| {
        stage.close(client, lost, End::Client)?;
        stage.exec(client, &second.to_string_lossy(), "renewed-again")
    }))
}

/// A server of its own that dies, with one accepted, one that waits, and one that waited and was given up.
fn second(stage: &mut Stage, _: Who, _: Door) -> anyhow::Result<Then> {
    let (server, client) = (stage.actor("second-server")?, stage.actor("second-client")?);
    let path = stage.path(SECOND);
    let door = stage.listen(server, &path, 4)?;
    let accepted = stage.pair(client, server, door)?;
    let abandoned = stage.connect(client, door)?;
    stage.connect(client, door)?;
    stage.close(client, abandoned, End::Client)?;
    Ok(Box::new(move |stage| {
        stage.exit(server, 4, &[(accepted, End::Server)])?;
        stage.door_closed(server, door);
        Ok(())
    }))
}

/// An abstract name in another net namespace, and its queue, some of which was given up.
fn abstract_name(stage: &mut Stage) -> anyhow::Result<Then> {
    let server = stage.actor("abstract-server")?;
    stage.order(server, &Command::Go(Place::NetNamespace))?;
    stage.look_again(server)?;
    // A child is where its parent is.
    let client = stage.fork(server)?;
    let door = stage.listen(server, ABSTRACT, 5)?;
    stage.pair(client, server, door)?;
    let [mut abandoned, mut first, mut second] =
        [stage.connect(client, door)?, stage.connect(client, door)?, stage.connect(client, door)?];
    stage.connect(client, door)?;
    let last = stage.connect(client, door)?;
    for given_up in [abandoned, last] {
        stage.close(client, given_up, End::Client)?;
    }
    Ok(Box::new(move |stage| {
        stage.accept(server, door, &mut abandoned)?;
        stage.close(server, abandoned, End::Server)?;
        stage.accept(server, door, &mut first)?;
        stage.close(client, second, End::Client)?;
        stage.accept(server, door, &mut second)?;
        stage.close(server, second, End::Server)
    }))
}
