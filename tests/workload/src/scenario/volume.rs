//! Many connections: those that race, and those that are nobody's business.

use anyhow::bail;

use super::SOCKET;
use crate::actor::{Answer, Command, Pair};
use crate::stage::{Door, Stage, Who};

const CLIENT_THREADS: u32 = 4;
const CONNECTIONS_EACH: u32 = 500;

fn churn(stage: &mut Stage, client: Who, command: &Command) -> anyhow::Result<Vec<Pair>> {
    match stage.tell(client).ask(command)? {
        Answer::Pairs(pairs) => Ok(pairs),
        other => bail!("{command:?} gave {other:?}"),
    }
}

/// The server accepts and closes before the client's connect has returned.
pub(super) fn accept_close_race(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let address = stage.path(SOCKET);
    let door = stage.listen(server, &address, 128)?;
    traffic(stage, client, server, door, CLIENT_THREADS, CONNECTIONS_EACH)
}

/// So many threads of a client connect and close so many times each; the server accepts and closes.
pub(super) fn traffic(
    stage: &mut Stage,
    client: Who,
    server: Who,
    door: Door,
    threads: u32,
    connections: u32,
) -> anyhow::Result<()> {
    let address = stage.path(SOCKET);
    let count = Some(threads * connections);
    stage.tell(server).tell(&Command::Serve { listener: door.fd, count, greet: false })?;
    let pairs = churn(stage, client, &Command::Churn { address, threads, connections, greeted: false })?;
    stage.tell(server).answer()?;
    stage.churned(client, door, &[server], &pairs)
}

/// The same with four processes that accept from one listener.
pub(super) fn accept_close_race_4_acceptors(stage: &mut Stage) -> anyhow::Result<()> {
    let first = stage.actor("server")?;
    let client = stage.actor("client")?;
    let address = stage.path(SOCKET);
    let door = stage.listen(first, &address, 128)?;
    let mut servers = vec![first];
    for _ in 1..4 {
        servers.push(stage.fork(first)?);
    }
    for &server in &servers {
        stage.tell(server).tell(&Command::Serve { listener: door.fd, count: None, greet: true })?;
    }
    let (threads, connections) = (CLIENT_THREADS, CONNECTIONS_EACH);
    let pairs = churn(stage, client, &Command::Churn { address, threads, connections, greeted: true })?;
    for &server in &servers {
        stage.tell(server).tell(&Command::Stop)?;
        // One answer for what it served, one for the stop.
        stage.tell(server).answer()?;
        stage.tell(server).answer()?;
    }
    stage.churned(client, door, &servers, &pairs)
}

/// Connections on sockets that are no target, one of them of the same file name; and a single one on the target, to
/// show that the tracing was alive.
pub(super) fn noisy_neighbour(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 16)?;
    let mut kept = stage.connect(client, door)?;

    let neighbour = stage.actor("neighbour")?;
    let noisy = stage.actor("noisy-client")?;
    std::fs::create_dir(stage.path("elsewhere"))?;
    for (name, connections) in [("another.sock", 5_000), ("elsewhere/t.sock", 500)] {
        let address = stage.path(name);
        let command = Command::Listen {
            name: address.clone(),
            kind: crate::unix::Kind::Stream,
            backlog: 128,
            renamed: None,
        };
        let Answer::Socket { fd, .. } = stage.tell(neighbour).ask(&command)? else { bail!("no listener") };
        let (threads, count) = (CLIENT_THREADS, Some(CLIENT_THREADS * connections));
        stage.tell(neighbour).tell(&Command::Serve { listener: fd, count, greet: false })?;
        let made = churn(stage, noisy, &Command::Churn { address, threads, connections, greeted: false })?;
        anyhow::ensure!(made.len() == (threads * connections) as usize, "too little noise");
        stage.tell(neighbour).answer()?;
    }
    stage.accept(server, door, &mut kept)
}
