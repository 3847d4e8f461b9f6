//! `list`: every connection that is there, whatever its state, with whoever holds its ends.

use std::os::unix::net::UnixStream;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::bench::{Bench, Door};

/// One connection in each state in which somebody holds something.
pub(super) fn list(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let open = door.connect()?;
    let (client, client_closed) = door.connect()?;
    drop(client);
    let (server_closed, server) = door.connect()?;
    drop(server);
    let queued = UnixStream::connect(&path)?;
    drop(UnixStream::connect(&path)?);

    let ended = bench.run(bench.sockleak().args(["list", "--json", "--limit", "t.sock=7", &path]))?;
    ended.expect(0)?;
    ensure!(ended.err.is_empty(), "it complains: {}", ended.err);
    let listing = ended.lines()?.pop().context("it printed nothing")?;
    ensure!(listing["incomplete_because"] == serde_json::json!([]), "{listing}");
    let sockets = listing["sockets"].as_array().context("no sockets")?;
    let [socket] = sockets.as_slice() else { anyhow::bail!("{} sockets: {listing}", sockets.len()) };
    ensure!(socket["path"] == path.as_str(), "{socket}");
    ensure!(socket["slots_used"] == 2 && socket["limit"]["slots"] == 7, "{socket}");
    ensure!(socket["queue"]["length"] == 2, "an abandoned connection takes its place in the queue: {socket}");
    let connections = socket["connections"].as_array().context("no connections")?;
    let mut states: Vec<_> = connections.iter().filter_map(|it| it["state"].as_str()).collect();
    states.sort_unstable();
    // The one that was abandoned is in nobody's descriptor table: the queue's length alone tells of it.
    ensure!(states == ["client-closed", "open", "queued", "server-closed"], "{states:?}");
    for connection in connections {
        check_holders(connection)?;
    }

    let shown = bench.run(bench.sockleak().args(["list", &path]))?;
    shown.expect(0)?;
    shown.expect_output(&[&path, "/scenarios", "listens", "not accepted", "released", "client left"])?;
    drop((open, client_closed, server_closed, queued));

    let none = bench.run(bench.sockleak().args(["list", &bench.path("none.sock")]))?;
    none.expect(0)?;
    none.expect_output(&["No process listens"])?;
    ensure!(none.err.contains("none.sock does not exist"), "{}", none.err);
    Ok(())
}

/// Each end that is open is held by this very process, by its full identity.
fn check_holders(connection: &Value) -> anyhow::Result<()> {
    let (client, server) = match connection["state"].as_str() {
        Some("open") => (1, 1),
        Some("client-closed") => (0, 1),
        Some("server-closed" | "queued") => (1, 0),
        other => anyhow::bail!("state {other:?}"),
    };
    for (end, expected) in [("client", client), ("server", server)] {
        let holders = connection[end].as_array().context("no holders")?;
        ensure!(holders.len() == expected, "{end}: {connection}");
        for holder in holders {
            ensure!(holder["pid"] == std::process::id(), "{holder}");
            let program = holder["program"].as_str().unwrap_or_default();
            ensure!(program.ends_with("/scenarios"), "{holder}");
            ensure!(holder["uid"] == 0 && holder["fd"].as_u64().is_some_and(|fd| fd > 2), "{holder}");
        }
    }
    Ok(())
}
