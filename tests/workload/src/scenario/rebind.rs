//! The server gives its path to a new socket while connections to the old one are open.

use super::SOCKET;
use crate::stage::{End, Stage};

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let path = stage.path(SOCKET);
    let old = stage.listen(server, &path, 8)?;
    let held = stage.pair(client, server, old)?;
    let closed = stage.pair(client, server, old)?;
    stage.connect(client, old)?;

    // Both listeners live for a while.
    std::fs::remove_file(&path)?;
    let new = stage.listen(server, &path, 8)?;
    stage.pair(client, server, new)?;
    stage.close(client, closed, End::Client)?;
    stage.close(server, closed, End::Server)?;
    stage.close_door(server, old)?;
    stage.converse(client, server, held)?;
    let last = stage.pair(client, server, new)?;
    stage.close(server, held, End::Server)?;
    stage.close(client, last, End::Client)?;

    // And once as a reload does it: bind aside, rename over the living name.
    let bound_as = format!("{path}.new");
    let third = stage.listen_as(server, &path, crate::unix::Kind::Stream, 8, Some(&bound_as))?;
    stage.pair(client, server, third)?;
    stage.close_door(server, new)
}
