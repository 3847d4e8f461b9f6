//! `list`: every connection that is there, whatever its state, with whoever holds its ends.

use std::os::unix::net::UnixStream;
use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::Verdict;
use super::bench::{Bench, Door};
use crate::run::child::Child;

/// One connection in each state.
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
    // To the one that was abandoned no descriptor leads but the listener's.
    ensure!(states == ["abandoned", "client-closed", "open", "queued", "server-closed"], "{states:?}");
    for connection in connections {
        check_holders(connection)?;
    }

    let shown = bench.run(bench.sockleak().args(["list", &path]))?;
    shown.expect(0)?;
    shown.expect_output(&[&path, "/scenarios", "listens", "not accepted", "released", "client left"])?;
    drop((open, client_closed, server_closed, queued));

    let none = bench.run(bench.sockleak().args(["list", &bench.path("none.sock")]))?;
    none.expect(8)?;
    none.expect_output(&["No socket of that name is open"])?;
    ensure!(none.err.contains("none.sock does not exist"), "{}", none.err);
    Ok(())
}

/// A watch sees connections and sockets come and go, each look by a program of its own.
pub(super) fn watch(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (path, later) = (bench.path("t.sock"), bench.path("later.sock"));
    let door = Door::open(&path)?;
    let mut held = vec![door.connect()?];
    let mut command = bench.sockleak();
    command.args(["list", "--json", "--watch=200ms", &path, &later]);
    let mut running = bench.start(&mut command)?;
    let is_changed = |line: &str, new: usize, gone: u64| {
        let look: Value = serde_json::from_str(line).unwrap_or_default();
        let socket = look["sockets"].as_array().into_iter().flatten().find(|it| it["path"] == path.as_str());
        let connections = socket.and_then(|it| it["connections"].as_array()).into_iter().flatten();
        let counted = connections.filter(|it| it["is_new"] == true).count();
        counted == new && socket.is_some_and(|it| it["gone"] == gone)
    };
    running.child.wait_for_line(|line| is_changed(line, 0, 0))?;
    held.extend([door.connect()?, door.connect()?]);
    running.child.wait_for_line(|line| is_changed(line, 2, 0) || is_changed(line, 1, 0))?;
    running.child.wait_for_line(|line| is_changed(line, 0, 0))?;
    held.truncate(1);
    running.child.wait_for_line(|line| is_changed(line, 0, 2) || is_changed(line, 0, 1))?;
    // One that did not exist is met when it does.
    let _door = Door::open(&later)?;
    running.child.wait_for_line(|line| line.contains(&format!("\"path\":\"{later}\"")))?;
    let ended = running.end_by(Signal::SIGINT)?;
    ended.expect(0)?;
    let looks = ended.lines()?;
    ensure!(looks.iter().all(|look| look["incomplete_because"] == serde_json::json!([])), "{}", ended.out);
    ensure!(ended.err.lines().count() == 1 && ended.err.contains("does not exist"), "{}", ended.err);
    Ok(())
}

/// Each end that is open is held by this very process, by its full identity.
fn check_holders(connection: &Value) -> anyhow::Result<()> {
    let (client, server) = match connection["state"].as_str() {
        Some("open") => (1, 1),
        Some("client-closed") => (0, 1),
        Some("server-closed" | "queued") => (1, 0),
        Some("abandoned") => (0, 0),
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

/// Without a program in the kernel: the socket by its present name, clients in other network namespaces, and what cannot be
/// told.
pub(super) fn by_sock_diag(bench: &Bench<'_>) -> anyhow::Result<Verdict> {
    let lacking = bench.run(bench.sockleak().args(["list", "--sock-diag", &bench.path("none.sock")]))?;
    if lacking.status.code() == Some(4) {
        ensure!(lacking.err.contains("modprobe unix_diag"), "{}", lacking.err);
        return Ok(Verdict::Skipped("this guest's kernel has no unix_diag".to_owned()));
    }
    let (bound, path) = (bench.path("t.sock.1.tmp"), bench.path("t.sock"));
    let door = Door::open(&bound)?;
    std::fs::rename(&bound, &path)?;
    let door = door.renamed(&path);
    let open = door.connect()?;
    let (client, client_closed) = door.connect()?;
    drop(client);
    let mut command = Command::new("unshare");
    command.args(["-n", "socat", "-", &format!("UNIX-CONNECT:{path}")]);
    let (out, err) = bench.files();
    let far = Child::start("socat", &mut command, &out, &err)?;
    let far_end = door.accept()?;
    let queued = UnixStream::connect(&path)?;

    let mut told = Vec::new();
    for how in [&["--json", &path][..], &["--json", "--sock-diag", &path]] {
        let ended = bench.run(bench.sockleak().arg("list").args(how))?;
        ended.expect(0)?;
        ensure!(ended.err.is_empty(), "it complains: {}", ended.err);
        told.push(ended.lines()?.pop().context("it printed nothing")?);
    }
    let [program, sock_diag] = told.as_slice() else { anyhow::bail!("two listings") };
    for listing in [program, sock_diag] {
        let socket = &listing["sockets"][0];
        ensure!(socket["path"] == path.as_str() && socket["slots_used"] == 3, "{listing}");
        ensure!(socket["connections"].as_array().is_some_and(|it| it.len() == 4), "{listing}");
        ensure!(
            socket["queue"]["length"] == 1 && socket["listeners"].as_array().is_some_and(|it| it.len() == 1)
        );
    }
    // The same of everything that both can know.
    let known = |listing: &Value| {
        let connections = listing["sockets"][0]["connections"].as_array().into_iter().flatten();
        let mut known: Vec<_> = connections
            .map(|it| {
                ["state", "client_inode", "server_inode", "client", "server"].map(|key| it[key].to_string())
            })
            .collect();
        known.sort();
        known
    };
    ensure!(known(program) == known(sock_diag), "{program}\n{sock_diag}");
    let gaps = sock_diag["incomplete_because"].as_array().context("no gaps")?;
    ensure!(gaps.len() == 1 && gaps[0].to_string().contains("released its end"), "{gaps:?}");
    drop((open, client_closed, far, far_end, queued));
    Ok(Verdict::Passed(None))
}
