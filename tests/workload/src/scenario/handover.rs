//! Ends that change hands: by fork, and by descriptor passing.

use anyhow::bail;
use nix::sys::signal::Signal;

use super::SOCKET;
use crate::actor::{Answer, Command};
use crate::stage::{End, Stage, Who};
use crate::truth::Reason;
use crate::unix::{Kind, Patience};

/// A child inherits, the parent lets go: the release is the child's, whenever that is.
pub(super) fn fork_parent_closes(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let parent = stage.actor("parent")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 16)?;
    let mut links = Vec::new();
    for _ in 0..4 {
        links.push(stage.pair(parent, server, door)?);
    }
    let child = stage.fork(parent)?;
    stage.close_fd(parent, links[0].client)?;
    stage.close_fd(parent, links[1].client)?;
    stage.close(child, links[1], End::Client)?;
    // The other way round: here the parent is the last.
    stage.close_fd(child, links[2].client)?;
    stage.close(parent, links[2], End::Client)?;
    stage.kill(parent, Signal::SIGKILL, &[])?;
    stage.exit(child, 7, &[(links[0], End::Client), (links[3], End::Client)])?;

    // An orphan: its opener is gone, and it holds for ever. Another lets a new file take the place of the socket.
    let parent = stage.actor("parent-of-orphan")?;
    let replaced = stage.pair(parent, server, door)?;
    stage.pair(parent, server, door)?;
    let orphan = stage.fork(parent)?;
    stage.exit(parent, 0, &[])?;
    stage.order(orphan, &Command::Overwrite(replaced.client))?;
    stage.released(replaced, End::Client, orphan, Reason::Close);
    stage.close(server, replaced, End::Server)
}

/// A descriptor is passed to another process, which releases it, keeps it, or never looks at it.
pub(super) fn scm_rights(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let sender = stage.actor("sender")?;
    let receiver = stage.actor_named("receiver")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 16)?;
    let (out, into) = channel(stage, sender, receiver)?;

    let released = stage.pair(sender, server, door)?;
    let kept = stage.pair(sender, server, door)?;
    let unseen = stage.pair(sender, server, door)?;
    for (link, release) in [(released, true), (kept, false)] {
        stage.order(sender, &Command::SendFd { over: out, fd: link.client })?;
        let fd = receive(stage, receiver, into)?;
        stage.close_fd(sender, link.client)?;
        if release {
            stage.close_fd(receiver, fd)?;
            stage.released(link, End::Client, receiver, Reason::Close);
        }
    }
    stage.order(sender, &Command::SendFd { over: out, fd: unseen.client })?;
    stage.close_fd(sender, unseen.client)?;
    // In flight until the queue it lies in goes away, which is the receiver's doing.
    stage.close_fd(receiver, into)?;
    stage.released(unseen, End::Client, receiver, Reason::Close);

    // The server's end can go the same way.
    let (out, into) = channel(stage, server, receiver)?;
    let given = stage.pair(sender, server, door)?;
    stage.order(server, &Command::SendFd { over: out, fd: given.server })?;
    let fd = receive(stage, receiver, into)?;
    stage.close_fd(server, given.server)?;
    stage.close_fd(receiver, fd)?;
    stage.released(given, End::Server, receiver, Reason::Close);
    Ok(())
}

/// Several processes hold an end at once, or nobody does.
pub(super) fn holders(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 16)?;

    // Parent and child share the client's end of both; one of them lives on in another program.
    let (shared, left) = (stage.pair(client, server, door)?, stage.pair(client, server, door)?);
    let child = stage.fork(client)?;
    let renewed = stage.fork(client)?;
    stage.order(renewed, &Command::KeepAcrossExec(shared.client))?;
    let program = stage.copy_program("renewed")?;
    stage.exec(renewed, &program.to_string_lossy(), "renewed")?;
    stage.close_fd(client, left.client)?;
    // Accepted by one process and held by its child too; threads share their process's descriptors.
    stage.fork(server)?;
    for who in [child, server] {
        for _ in 0..2 {
            stage.ask(who, &Command::Idle)?;
        }
    }
    // One process with two descriptors of an end, and others of none: those are under way.
    let (out, into) = channel(stage, client, child)?;
    let (back, home) = channel(stage, child, client)?;
    let twice = stage.pair(client, server, door)?;
    stage.order(client, &Command::SendFd { over: out, fd: twice.client })?;
    let fd = receive(stage, child, into)?;
    stage.order(child, &Command::SendFd { over: back, fd })?;
    stage.close_fd(child, fd)?;
    receive(stage, client, home)?;
    let (under_way, given) = (stage.pair(client, server, door)?, stage.pair(client, server, door)?);
    stage.order(client, &Command::SendFd { over: out, fd: under_way.client })?;
    stage.close_fd(client, under_way.client)?;
    let (out, _) = channel(stage, server, child)?;
    stage.order(server, &Command::SendFd { over: out, fd: given.server })?;
    stage.close_fd(server, given.server)?;
    stage.connect(child, door)?;
    Ok(())
}

/// Takes a descriptor from a channel.
pub(super) fn receive(stage: &mut Stage, who: Who, channel: i32) -> anyhow::Result<i32> {
    match stage.ask(who, &Command::ReceiveFd(channel))? {
        Answer::Socket { fd, .. } => Ok(fd),
        other => bail!("no descriptor arrived, but {other:?}"),
    }
}

/// A connection that is no target: descriptors of its two ends.
pub(super) fn channel(stage: &mut Stage, from: Who, to: Who) -> anyhow::Result<(i32, i32)> {
    let name = stage.path(&format!("channel-{}-{}", stage.pid(from), stage.pid(to)));
    let listen = Command::Listen { name: name.clone(), kind: Kind::Stream, backlog: 1, renamed: None };
    let Answer::Socket { fd: listener, .. } = stage.tell(to).ask(&listen)? else { bail!("no listener") };
    let connect = Command::Connect { address: name, kind: Kind::Stream, patience: Patience::Endless };
    let Answer::Socket { fd: out, .. } = stage.tell(from).ask(&connect)? else { bail!("no channel") };
    let Answer::Socket { fd: into, .. } = stage.tell(to).ask(&Command::Accept(listener))? else {
        bail!("no channel")
    };
    Ok((out, into))
}
