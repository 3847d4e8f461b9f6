//! A client becomes another program.

use super::SOCKET;
use crate::actor::Command;
use crate::stage::{End, Stage};
use crate::truth::Reason;

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(server, &path, 16)?;
    let program = stage.copy_program("after-exec")?;

    for role in ["stays", "leaves"] {
        let client = stage.actor(role)?;
        let lost = stage.pair(client, server, door)?;
        let closed = stage.pair(client, server, door)?;
        let kept = stage.pair(client, server, door)?;
        for link in [closed, kept] {
            stage.order(client, &Command::KeepAcrossExec(link.client))?;
        }
        stage.exec(client, &program.to_string_lossy(), &format!("{role}-renewed"))?;
        stage.released(lost, End::Client, client, Reason::Exec);
        stage.close(client, closed, End::Client)?;
        // The same process by pid and start, but what it opens now is the new program's.
        let new = stage.pair(client, server, door)?;
        if role == "leaves" {
            stage.exit(client, 9, &[(kept, End::Client), (new, End::Client)])?;
        }
    }
    Ok(())
}
