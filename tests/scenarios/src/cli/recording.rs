//! `capture --output` and `report`: a recording leads to the report of its capture, and survives what may happen to it.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context as _, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;

use super::bench::{Bench, Door, Ended, total};

pub(super) fn report(bench: &Bench<'_>, arguments: &[&str]) -> anyhow::Result<Ended> {
    bench.run(bench.sockleak().arg("report").args(arguments))
}

/// The same report, byte for byte, in text and in JSON.
pub(super) fn replays(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (path, missing) = (bench.path("t.sock"), bench.path("missing.sock"));
    let door = Door::open(&path)?;
    let before = door.connect()?;
    for format in [&[][..], &["--quiet"], &["--json"]] {
        let trace = bench.path(&format!("trace{}.db", format.concat()));
        let arguments = [format, &["--leak-age", "1us", "--output", &trace, &path, &missing]].concat();
        let mut capture = bench.start(&mut bench.capture(&arguments))?;
        // The one thing that is said in every format, when tracing has begun.
        capture.child.wait_for_message(|line| line.contains("missing.sock does not exist yet"))?;
        // In each state, and for each verdict that a moment suffices for.
        let (held, (stale, server)) = (door.connect()?, door.connect()?);
        // One that a server keeps may belong to a job that is not done.
        let [(client, kept), (another, kept_too)] = [door.connect()?, door.connect()?];
        drop((server, client, another));
        for _ in 0..20 {
            door.pass()?;
        }
        let queued = UnixStream::connect(&path)?;
        ensure!(UnixStream::connect(&missing).is_err(), "somebody listens on {missing}");
        let live = capture.end_by(Signal::SIGINT)?;
        live.expect(0)?;
        drop((held, stale, kept, kept_too, queued));
        door.accept()?;
        let is_json = format.contains(&"--json");
        let replayed = report(bench, &[&["--json"][..usize::from(is_json)], &[&trace]].concat())?;
        replayed.expect(0)?;
        ensure!(replayed.err.is_empty(), "it complains: {}", replayed.err);
        ensure!(replayed.out.len() > 200, "there is no report: {}", replayed.out);
        for verdict in ["server-leak", "stale-client"] {
            let name = if is_json { verdict.to_owned() } else { verdict.to_uppercase() };
            ensure!(replayed.out.contains(&name), "no {name}: {}", replayed.out);
        }
        // The report comes last, behind the lines of the events if those are wanted.
        let live = live.out;
        let is_same =
            if format == ["--quiet"] { live == replayed.out } else { live.ends_with(&replayed.out) };
        ensure!(is_same, "live:\n{live}\nreplayed:\n{}", replayed.out);
        ensure!(!Path::new(&format!("{trace}-wal")).exists(), "the log is left beside the trace");
    }
    drop(before);
    Ok(())
}

/// What cannot be recorded is said, and the capture goes on where it can.
pub(super) fn refused(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let taken = bench.path("taken");
    fs::write(&taken, "x")?;
    bench
        .run(&mut bench.capture(&["--output", &taken, &path]))?
        .expect_refusal(6, &["taken", "exists already"])?;
    ensure!(fs::read(&taken)? == b"x", "it was touched");
    report(bench, &[&taken])?.expect_refusal(6, &["is not a sockleak recording"])?;
    report(bench, &[&bench.path("none.db")])?.expect_refusal(6, &["none.db does not exist"])?;

    let small = bench.path("small");
    fs::create_dir(&small)?;
    mount(Some("tmpfs"), small.as_str(), Some("tmpfs"), MsFlags::empty(), Some("size=4m"))?;
    let trace = format!("{small}/t.db");
    // Hundreds of thousands of lines would be no help.
    let capture = bench.trace(&["--quiet", "--output", &trace, &path])?;
    let mut passes = 0;
    workload::wait::until("the disk to be full", || {
        for _ in 0..200 {
            door.pass()?;
            passes += 1;
        }
        Ok(fs::read_to_string(&capture.stderr)?.contains("is full"))
    })?;
    for _ in 0..10 {
        door.pass()?;
        passes += 1;
    }
    let live = capture.end_by(Signal::SIGINT)?;
    live.expect(0)?;
    ensure!(total(&live.report()?, "opened")? == passes, "the capture did not go on: {}", live.err);
    let kept = report(bench, &["--json", &trace])?;
    kept.expect(0)?;
    ensure!(total(&kept.report()?, "opened")? > 0, "nothing was kept");
    umount2(small.as_str(), MntFlags::MNT_DETACH).context("the small disk stays")
}

/// A verdict that is asked about becomes the exit status.
pub(super) fn fail_on(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let held = door.connect()?;
    for (verdicts, status) in [("undecided,client-leak", 7), ("pool,client-leak", 0)] {
        let arguments = ["--leak-age", "1us", "--for", "300ms", "--fail-on", verdicts, &path];
        let ended = bench.run(&mut bench.capture(&arguments))?;
        ended.expect(status)?;
        // It is older than the capture: a pool or a leak, nobody knows.
        ensure!(ended.out.contains("UNDECIDED: "), "{}", ended.out);
    }
    drop(held);
    Ok(())
}
