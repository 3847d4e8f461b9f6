//! Threads of one process: who connects need not be who releases.

use anyhow::bail;

use super::SOCKET;
use crate::actor::{Answer, Command};
use crate::stage::{End, Stage};
use crate::truth::Reason;

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 16)?;

    for _ in 0..3 {
        let command = Command::ConnectInThread { address: path.clone() };
        let mut link = stage.connect_with(client, door, &command)?;
        stage.accept(server, door, &mut link)?;
        let Answer::Thread(closer) = stage.ask(client, &Command::CloseInThread(link.client))? else {
            bail!("no thread closed")
        };
        stage.released(link, End::Client, client, Reason::Close).tid = Some(closer);
        stage.close(server, link, End::Server)?;
    }

    // The first thread closes while another reads: the reader is the last to let go.
    let link = stage.pair(client, server, door)?;
    let Answer::Thread(reader) = stage.ask(client, &Command::CloseWhileRead(link.client))? else {
        bail!("no thread read")
    };
    stage.order(server, &Command::Send(link.server, "wake up".to_owned()))?;
    stage.order(client, &Command::Stop)?;
    stage.released(link, End::Client, client, Reason::Close).tid = Some(reader);

    // A process of several threads exits, and any of them may be the last.
    let held = stage.pair(client, server, door)?;
    for _ in 0..2 {
        stage.tell(client).ask(&Command::Idle)?;
    }
    stage.exit(client, 5, &[(held, End::Client)])?;
    if let Some(release) = &mut stage.connection(held).client {
        release.tid = None;
    }
    Ok(())
}
