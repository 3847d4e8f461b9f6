//! The capture begins in the middle of it.

use anyhow::bail;

use super::SOCKET;
use crate::actor::{Answer, Command, Made};
use crate::stage::{Stage, Who};

const THREADS: u32 = 3;

/// Connections of each thread after the capture has looked at everything.
const FURTHER: u32 = 50;

/// Clients open, hold and close all the time while the capture begins, some processes older than the servers and some
/// younger: a look at all descriptors comes by them in the order of their ids.
pub(super) fn race(stage: &mut Stage) -> anyhow::Result<()> {
    let older = stage.actor("older-clients")?;
    let keeper = stage.actor("keeper")?;
    let path = stage.path(SOCKET);
    let door = stage.listen(keeper, &path, 128)?;
    let closer = stage.fork(keeper)?;
    let younger = stage.actor_named("younger-clients")?;

    let hosts = [(keeper, 20, 16), (closer, 0, 0)];
    for (who, for_good, room) in hosts {
        stage.tell(who).tell(&Command::Host { listener: door.fd, for_good, room })?;
    }
    let clients = [older, younger];
    for who in clients {
        let command = Command::Restless { address: path.clone(), threads: THREADS, further: FURTHER };
        stage.order(who, &command)?;
    }
    stage.wait_for_capture()?;
    for who in clients {
        stage.tell(who).tell(&Command::Stop)?;
    }
    let made = clients.map(|who| made(stage, who));
    let mut kept = Vec::new();
    for (who, ..) in hosts {
        stage.tell(who).tell(&Command::Stop)?;
        let Answer::Hosted(ends) = stage.tell(who).answer()? else { bail!("the host tells nothing") };
        kept.push((who, ends));
        stage.tell(who).answer()?;
    }
    for (who, made) in clients.into_iter().zip(made) {
        stage.met(who, door, &kept, &made?)?;
    }
    Ok(())
}

/// What a restless actor that was told to stop has made.
fn made(stage: &mut Stage, who: Who) -> anyhow::Result<Vec<Made>> {
    let Answer::Made(made) = stage.tell(who).answer()? else { bail!("the client tells nothing") };
    // One answer for what it made, one for the stop.
    stage.tell(who).answer()?;
    Ok(made)
}
