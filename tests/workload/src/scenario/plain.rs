//! One client, one server, one way to end.

use nix::sys::signal::Signal;

use super::SOCKET;
use crate::stage::{Door, End, Stage, Who};
use crate::unix::Kind;

fn server(stage: &mut Stage) -> anyhow::Result<(Who, Door)> {
    let server = stage.actor("server")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 16)?;
    Ok((server, door))
}

/// Two clients open, talk and close, one before and one after the server.
pub(super) fn open_close(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    for role in ["first", "second"] {
        let client = stage.actor(role)?;
        for order in [[End::Client, End::Server], [End::Server, End::Client]] {
            let link = stage.pair(client, server, door)?;
            stage.converse(client, server, link)?;
            for end in order {
                stage.close(if end == End::Client { client } else { server }, link, end)?;
            }
        }
    }
    stage.close_door(server, door)
}

/// Two programs hold, one of them three connections.
pub(super) fn open_hold(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let client = stage.actor("holder")?;
    let other = stage.actor_named("other-holder")?;
    for client in [client, client, client, other] {
        let link = stage.pair(client, server, door)?;
        stage.converse(client, server, link)?;
    }
    Ok(())
}

/// Clients exit without closing, then the server does, with one more connection waiting.
pub(super) fn exit_without_close(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let stays = stage.actor("stays")?;
    for status in [0, 3, 255] {
        let client = stage.actor("leaves")?;
        let (one, two) = (stage.pair(client, server, door)?, stage.pair(client, server, door)?);
        stage.exit(client, status, &[(one, End::Client), (two, End::Client)])?;
        stage.close(server, one, End::Server)?;
        stage.close(server, two, End::Server)?;
    }
    let accepted = stage.pair(stays, server, door)?;
    stage.connect(stays, door)?;
    stage.exit(server, 4, &[(accepted, End::Server)])?;
    stage.door_closed(server, door);
    Ok(())
}

/// Clients are killed by different signals, then the server is, with one more connection waiting.
pub(super) fn killed(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let stays = stage.actor("stays")?;
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGKILL] {
        let client = stage.actor("victim")?;
        let (one, two) = (stage.pair(client, server, door)?, stage.pair(client, server, door)?);
        stage.kill(client, signal, &[(one, End::Client), (two, End::Client)])?;
        stage.close(server, one, End::Server)?;
        stage.close(server, two, End::Server)?;
    }
    let accepted = stage.pair(stays, server, door)?;
    stage.connect(stays, door)?;
    stage.kill(server, Signal::SIGKILL, &[(accepted, End::Server)])?;
    stage.door_closed(server, door);
    Ok(())
}

/// The server closes three; the client closes one of them later and holds the others.
pub(super) fn server_closes_first(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let client = stage.actor("client")?;
    let mut links = Vec::new();
    for _ in 0..3 {
        let link = stage.pair(client, server, door)?;
        stage.close(server, link, End::Server)?;
        links.push(link);
    }
    stage.close(client, links[1], End::Client)
}

/// The client closes three; the server closes one of them later and holds the others.
pub(super) fn client_closes_first(stage: &mut Stage) -> anyhow::Result<()> {
    let (server, door) = server(stage)?;
    let client = stage.actor("client")?;
    let mut links = Vec::new();
    for _ in 0..3 {
        let link = stage.pair(client, server, door)?;
        stage.close(client, link, End::Client)?;
        links.push(link);
    }
    stage.close(server, links[1], End::Server)
}

/// A socket of another type, which the kernel connects by the same function.
pub(super) fn seqpacket(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let path = stage.path(SOCKET);
    let door = stage.listen_as(server, &path, Kind::Seqpacket, 4, None)?;
    let closed = stage.pair(client, server, door)?;
    stage.converse(client, server, closed)?;
    stage.close(client, closed, End::Client)?;
    stage.close(server, closed, End::Server)?;
    stage.pair(client, server, door)?;
    stage.connect(client, door)?;
    Ok(())
}
