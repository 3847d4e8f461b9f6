//! Connects that fail without a listener having been found.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::errno::Errno;

use crate::actor::{Command, Place};
use crate::stage::Stage;
use crate::unix::{Kind, Patience};

/// The user id that owns nothing.
const NOBODY: u32 = 65534;

const STALE: &str = "stale.sock";
const MISSING: &str = "missing.sock";
const FORBIDDEN: &str = "forbidden.sock";
const PACKETS: &str = "packets.sock";

pub(super) fn targets(dir: &Path) -> Vec<String> {
    [STALE, MISSING, FORBIDDEN, PACKETS]
        .iter()
        .map(|name| dir.join(name).to_string_lossy().into_owned())
        .collect()
}

pub(super) fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let stale = stage.path(STALE);
    let door = stage.listen(server, &stale, 4)?;
    // The file stays behind, as after a crash.
    stage.close_door(server, door)?;
    let forbidden = stage.path(FORBIDDEN);
    stage.listen(server, &forbidden, 4)?;
    std::fs::set_permissions(&forbidden, PermissionsExt::from_mode(0o600))?;
    let packets = stage.path(PACKETS);
    stage.listen_as(server, &packets, Kind::Seqpacket, 4, None)?;
    let missing = stage.path(MISSING);

    let client = stage.actor("client")?;
    let nobody = stage.actor_named("nobody")?;
    stage.order(nobody, &Command::Go(Place::User(NOBODY)))?;
    stage.look_again(nobody)?;
    let directory = stage.path("");
    stage.order(client, &Command::Go(Place::Directory(directory)))?;

    let relative = format!("./{MISSING}");
    for (who, typed, target, error, count) in [
        (client, stale.as_str(), &stale, Errno::ECONNREFUSED, 3),
        (nobody, forbidden.as_str(), &forbidden, Errno::EACCES, 2),
        (client, missing.as_str(), &missing, Errno::ENOENT, 4),
        (client, relative.as_str(), &missing, Errno::ENOENT, 1),
        (nobody, missing.as_str(), &missing, Errno::ENOENT, 1),
        (client, packets.as_str(), &packets, Errno::EPROTOTYPE, 1),
    ] {
        for _ in 0..count {
            stage.fail(who, typed, Patience::Endless, error)?;
        }
        stage.failed(who, typed, Err(target), error, count);
    }
    // Of the same name, but not what was asked for.
    let elsewhere = stage.path("elsewhere/missing.sock");
    stage.fail(client, &elsewhere, Patience::Endless, Errno::ENOENT)
}
