//! The accept queue: connections that nobody accepts, and the ones that find no place.

use nix::errno::Errno;

use super::SOCKET;
use crate::stage::{End, Stage};
use crate::unix::Patience;

/// Four connections wait, one of them abandoned, when the listener closes; then a second listener's server exits.
pub(super) fn listener_closes_queued(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 8)?;
    let accepted = stage.pair(client, server, door)?;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(stage.connect(client, door)?);
    }
    stage.close(client, waiting[0], End::Client)?;
    stage.close_door(server, door)?;
    stage.close(client, waiting[1], End::Client)?;
    // What was accepted does not care about its listener.
    stage.converse(client, server, accepted)?;
    stage.close(server, accepted, End::Server)?;
    stage.close(client, accepted, End::Client)?;

    std::fs::remove_file(&path)?;
    let second = stage.actor("second-server")?;
    let door = stage.listen(second, &path, 8)?;
    for _ in 0..2 {
        stage.connect(client, door)?;
    }
    stage.exit(second, 1, &[])?;
    stage.door_closed(second, door);
    Ok(())
}

/// One program fills the queue, others starve. An abandoned connection keeps its place until it is accepted.
pub(super) fn backlog_full(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let holder = stage.actor_named("holder")?;
    let starved = stage.actor_named("starved")?;
    let patient = stage.actor_named("patient")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 3)?;
    let mut links = Vec::new();
    // The kernel lets one more wait than the backlog says.
    for _ in 0..4 {
        links.push(stage.connect(holder, door)?);
    }
    for (who, patience, count) in
        [(starved, Patience::None, 3), (patient, Patience::Short, 2), (holder, Patience::None, 1)]
    {
        for _ in 0..count {
            stage.fail(who, &path, patience, Errno::EAGAIN)?;
        }
        stage.failed(who, &path, Ok(door), Errno::EAGAIN, count);
    }
    stage.close(holder, links[0], End::Client)?;
    let typed = stage.path("./t.sock");
    stage.fail(starved, &typed, Patience::None, Errno::EAGAIN)?;
    stage.failed(starved, &typed, Ok(door), Errno::EAGAIN, 1);

    let mut abandoned = links[0];
    stage.accept(server, door, &mut abandoned)?;
    stage.close(server, abandoned, End::Server)?;
    stage.connect(starved, door)?;
    Ok(())
}
