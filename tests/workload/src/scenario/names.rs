//! One socket, many names.

use std::path::Path;

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::SOCKET;
use crate::actor::{Command, Place};
use crate::stage::{End, Stage};
use crate::unix::{Kind, Patience};

const ABSTRACT: &str = "@sockleak-scenario-names";

pub(super) fn targets(dir: &Path) -> Vec<String> {
    vec![dir.join("home").join(SOCKET).to_string_lossy().into_owned(), ABSTRACT.to_owned()]
}

/// As HAProxy does: bind under a name of one's own, rename over the public one, listen.
pub(super) fn rename_after_bind(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let client = stage.actor("client")?;
    let path = stage.path(SOCKET);
    let bound_as = format!("{path}.{}.tmp", stage.pid(server));
    let door = stage.listen_as(server, &path, Kind::Stream, 10, Some(&bound_as))?;
    let closed = stage.pair(client, server, door)?;
    stage.converse(client, server, closed)?;
    stage.close(client, closed, End::Client)?;
    stage.close(server, closed, End::Server)?;
    stage.pair(client, server, door)?;
    Ok(())
}

/// Every way to get at a socket that sockleak was given by its path, and an abstract one.
pub(super) fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("server")?;
    let (home, window) = (stage.path("home"), stage.path("window"));
    std::fs::create_dir(&home)?;
    std::fs::create_dir(&window)?;
    let path = stage.path("home/t.sock");
    let door = stage.listen(server, &path, 16)?;
    std::os::unix::fs::symlink(&path, stage.path("symlink.sock"))?;
    std::fs::hard_link(&path, stage.path("hardlink.sock"))?;
    mount(Some(home.as_str()), window.as_str(), None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
    let mounted = window.clone();
    stage.at_end(move || {
        // Whoever runs this throws the directory away anyway.
        let _ = umount2(mounted.as_str(), MntFlags::MNT_DETACH);
    });

    let base = stage.path("");
    for (role, place, typed) in [
        ("relative", Some(Place::Directory(home.clone())), SOCKET.to_owned()),
        ("dotted", Some(Place::Directory(home.clone())), "../home/./t.sock".to_owned()),
        ("doubled", None, format!("{base}home/..//home///t.sock")),
        ("symlink", None, stage.path("symlink.sock")),
        ("hardlink", None, stage.path("hardlink.sock")),
        ("bind-mount", None, format!("{window}/t.sock")),
        (
            "mount-namespace",
            Some(Place::MountNamespace { from: home.clone(), at: "/mnt".to_owned() }),
            "/mnt/t.sock".to_owned(),
        ),
        ("net-namespace", Some(Place::NetNamespace), path.clone()),
    ] {
        let client = stage.actor(role)?;
        if let Some(place) = place {
            stage.order(client, &Command::Go(place))?;
            stage.look_again(client)?;
        }
        let mut link = stage.connect_by(client, door, &typed)?;
        stage.accept(server, door, &mut link)?;
        // One end of each stays: the client's of some, the server's of others.
        let half = link.server % 2 == 0;
        let (who, end) = if half { (client, End::Client) } else { (server, End::Server) };
        stage.close(who, link, end)?;
    }
    abstract_name(stage)
}

fn abstract_name(stage: &mut Stage) -> anyhow::Result<()> {
    let server = stage.actor("abstract-server")?;
    let client = stage.actor("abstract-client")?;
    let door = stage.listen(server, ABSTRACT, 5)?;
    let closed = stage.pair(client, server, door)?;
    stage.close(client, closed, End::Client)?;
    stage.close(server, closed, End::Server)?;
    stage.pair(client, server, door)?;
    // Abstract names belong to a net namespace: from another one nobody answers.
    let stranger = stage.actor("abstract-stranger")?;
    stage.order(stranger, &Command::Go(Place::NetNamespace))?;
    stage.look_again(stranger)?;
    stage.fail(stranger, ABSTRACT, Patience::Endless, Errno::ECONNREFUSED)?;
    stage.failed(stranger, ABSTRACT, Err(ABSTRACT), Errno::ECONNREFUSED, 1);
    Ok(())
}
