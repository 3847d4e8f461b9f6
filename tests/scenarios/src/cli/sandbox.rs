//! A service in a mount namespace of its own, as the sandbox of a systemd unit gives it one: paths mean the host's all the same.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use workload::unix::{Kind, Patience, connect_to};

use super::bench::{Bench, Door, total};
use super::confine;
use super::service::{Service, mount_bpf_file_system};

/// Where the service sees other files at the same paths, it watches those of the host: a socket by its path and by a link to
/// it, one whose directory comes later, and failed connects that find no socket.
pub(super) fn sandbox(bench: &Bench<'_>) -> anyhow::Result<()> {
    mount_bpf_file_system()?;
    let hidden = bench.path("hidden");
    fs::create_dir(&hidden)?;
    // Root may look into it, a root without capabilities may not.
    chown(&hidden, Some(confine::NOBODY), None)?;
    fs::set_permissions(&hidden, Permissions::from_mode(0o700))?;
    let [path, link, linked, later] =
        ["t.sock", "link.sock", "linked.sock", "later/t.sock"].map(|name| format!("{hidden}/{name}"));
    let (door, linked_door) = (Door::open(&path)?, Door::open(&linked)?);
    symlink(&linked, &link)?;
    let targets = [&path, &link, &later].map(|path| format!("[[target]]\nsocket = {path:?}\n")).concat();
    let service = Service::prepare(bench, &targets)?;
    let running = service.start_as(|command| confine::with_other_files_in(command, hidden.clone()))?;
    fs::create_dir(format!("{hidden}/later"))?;
    let mut expected = Vec::new();
    for (path, door, count) in [(&path, door, 1), (&linked, linked_door, 2), (&later, Door::open(&later)?, 3)]
    {
        for _ in 0..count {
            door.pass()?;
        }
        drop(door);
        // The file is there still, and nobody listens.
        let refused = connect_to(path, Kind::Stream, Patience::None).err();
        ensure!(refused.is_some(), "{path} still answers");
        expected.push((path, count));
    }
    running.end_by(Signal::SIGTERM)?.expect(0)?;
    let report = service.report()?;
    for (path, count) in expected {
        let rows = report["programs"].as_array().into_iter().flatten();
        let row = rows.clone().find(|row| row["path"] == path.as_str());
        let row = row.with_context(|| format!("nothing is known of {path}: {report}"))?;
        ensure!(row["opened"] == count && row["closed"] == count, "{count} connections on {path}: {row}");
        ensure!(row["failed"]["ECONNREFUSED"] == 1, "one connect failed on {path}: {row}");
    }
    ensure!(total(&report, "opened")? == 6, "connections that nobody made: {report}");
    bench.run(bench.sockleak().arg("detach"))?.expect(0)
}
