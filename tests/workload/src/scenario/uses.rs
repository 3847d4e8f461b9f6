//! Ends are used in every way, and the report tells how much.

use super::SOCKET;
use crate::actor::Way;
use crate::stage::{End, Stage};
use crate::unix::Kind;

/// What a stream carries: each way by a connection of its own, from both ends, and once from several threads.
pub(super) fn stream(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 64)?;
    let ways = [
        Way::Write(1),
        Way::Send(4000),
        Way::WriteVector(700),
        Way::SendMessage(33),
        Way::SendFile(9000),
        Way::Splice(5000),
        Way::Fill(3000),
        Way::Threads(4, 50),
    ];
    for way in ways {
        let link = stage.pair(client, server, door)?;
        stage.use_end(client, link, End::Client, way)?;
        let link = stage.pair(client, server, door)?;
        stage.use_end(server, link, End::Server, way)?;
        stage.use_end(client, link, End::Client, Way::Send(2))?;
    }
    // Nothing, a request that is answered, a request that is not read, an answer that is not read.
    stage.idle(client, server, door)?;
    let link = stage.pair(client, server, door)?;
    stage.use_end(client, link, End::Client, Way::Send(5))?;
    stage.read_end(server, link, End::Server)?;
    stage.use_end(server, link, End::Server, Way::Send(6))?;
    stage.read_end(client, link, End::Client)?;
    // Many times.
    let link = stage.pair(client, server, door)?;
    for _ in 0..20 {
        stage.use_end(client, link, End::Client, Way::Send(11))?;
        stage.read_end(server, link, End::Server)?;
    }
    // One that closes its end, and the other does not notice.
    let link = stage.pair(client, server, door)?;
    stage.close(server, link, End::Server)?;
    stage.use_end(client, link, End::Client, Way::InVain)?;
    for (end, way) in
        [(End::Client, Way::ShutSend), (End::Server, Way::ShutSend), (End::Client, Way::ShutReceive)]
    {
        let link = stage.pair(client, server, door)?;
        let who = if end == End::Client { client } else { server };
        stage.use_end(who, link, end, way)?;
    }
    // It does not matter who holds the end.
    let link = stage.pair(client, server, door)?;
    let child = stage.fork(client)?;
    stage.use_end(child, link, End::Client, Way::Send(8))?;
    stage.use_end(client, link, End::Client, Way::Send(8))
}

/// A socket of another type, which sends by the same function.
pub(super) fn seqpacket(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let path = stage.path(SOCKET);
    let door = stage.listen_as(server, &path, Kind::Seqpacket, 16, None)?;
    for way in [Way::Send(100), Way::SendMessage(10), Way::Threads(4, 20)] {
        let link = stage.pair(client, server, door)?;
        stage.use_end(client, link, End::Client, way)?;
        stage.use_end(server, link, End::Server, way)?;
    }
    Ok(())
}
