//! Standard output: what `--quiet` leaves of it, and what becomes of it where it cannot be written.

use std::fs::{self, File};
use std::process::Command;

use anyhow::{Context as _, ensure};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;

use super::bench::{Bench, Door, Ended, Running, TRACING, total};
use crate::run::child::Child;

/// The report alone. Warnings stay: without them the report would be read for more than it is.
pub(super) fn quiet(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    // Nothing tells when it begins to trace, so connections go on until it has seen enough.
    let capture = bench.start(&mut bench.capture(&["--quiet", "--count", "9", &path]))?;
    let ended = capture.end_while(|| door.pass())?;
    ended.expect(0)?;
    expect_silence(&ended)?;
    ensure!(!ended.out.contains("TIME  "), "there are live lines:\n{}", ended.out);
    // Where and when, and then what came of it.
    let first: Vec<_> = ended.out.lines().take(2).collect();
    ensure!(
        first.len() == 2 && first[0].contains(", sockleak ") && first[1].contains(" connections opened, "),
        "the report does not come first: {first:?}"
    );
    ended.expect_output(&[&format!("\n{path}\nPROGRAM"), "/scenarios"])?;
    let short = bench.run(&mut bench.capture(&["-q", "--for", "100ms", &path]))?;
    short.expect(0)?;
    expect_silence(&short)?;
    short.expect_output(&["No program connected"])
}

fn expect_silence(ended: &Ended) -> anyhow::Result<()> {
    ensure!(!ended.err.contains(TRACING), "it is not quiet: {}", ended.err);
    ended.expect_no_complaint()
}

/// With JSON, quiet leaves the session and the report.
pub(super) fn quiet_json(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let capture = bench.trace(&["--quiet", &path])?;
    for _ in 0..3 {
        door.pass()?;
    }
    let ended = capture.end_by(Signal::SIGINT)?;
    ended.expect(0)?;
    expect_silence(&ended)?;
    let types = ended.types()?;
    ensure!(types == ["session", "report"], "{types:?}");
    let report = ended.report()?;
    ensure!(total(&report, "opened")? == 3 && report["complete"] == true, "{report}");
    Ok(())
}

/// Starts a program that writes to a file of our choice.
fn into(bench: &Bench<'_>, command: &mut Command, stdout: File) -> anyhow::Result<Running> {
    let (unread, stderr) = bench.files();
    command.stdout(stdout).stderr(File::create(&stderr)?);
    let child = Child::spawn("sockleak", command, &unread, &stderr)?;
    Ok(Running { child, stdout: unread, stderr })
}

const UNWRITABLE: &[&str] = &["the output cannot be written", "No space left on device"];

/// Nothing can be written from the start.
pub(super) fn full_disk(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let _door = Door::open(&path)?;
    for arguments in [&[][..], &["--json"], &["--quiet", "--for", "100ms"]] {
        let full = File::options().write(true).open("/dev/full")?;
        let ended = into(bench, bench.capture(arguments).arg(&path), full)?.end()?;
        ended.expect_refusal(5, UNWRITABLE).with_context(|| format!("{arguments:?}"))?;
    }
    for arguments in [&["check"][..], &["check", "--json"]] {
        let full = File::options().write(true).open("/dev/full")?;
        let ended = into(bench, bench.sockleak().args(arguments), full)?.end()?;
        ended.expect_refusal(5, UNWRITABLE).with_context(|| format!("{arguments:?}"))?;
    }
    Ok(())
}

/// The disk fills up while events come in.
pub(super) fn full_disk_midway(bench: &Bench<'_>) -> anyhow::Result<()> {
    let disk = bench.path("disk");
    fs::create_dir(&disk)?;
    mount(Some("tmpfs"), disk.as_str(), Some("tmpfs"), MsFlags::empty(), Some("size=64k"))?;
    let tried = (|| {
        let path = bench.path("t.sock");
        let door = Door::open(&path)?;
        let out = File::create(format!("{disk}/out"))?;
        let ended = into(bench, bench.capture(&["--json"]).arg(&path), out)?.end_while(|| door.pass())?;
        ended.expect_refusal(5, UNWRITABLE)?;
        let written = fs::read_to_string(format!("{disk}/out"))?;
        ensure!(written.starts_with('{') && written.len() > 32 << 10, "{} bytes were kept", written.len());
        Ok(())
    })();
    umount2(disk.as_str(), MntFlags::MNT_DETACH).context("the small disk stays mounted")?;
    tried
}

/// `>&-`: whoever closes standard output wants none. The capture runs, and writes into no file that happens to get
/// the number 1.
pub(super) fn closed_stdout(bench: &Bench<'_>) -> anyhow::Result<()> {
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let capture = bench.capture(&["--count", "8", &path]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "exec \"$0\" \"$@\" >&-"]).arg(capture.get_program()).args(capture.get_args());
    let ended = bench.start(&mut shell)?.end_while(|| door.pass())?;
    ended.expect(5)?;
    ensure!(ended.err.contains("the output cannot be written"), "it does not say so: {}", ended.err);
    ensure!(ended.out.is_empty(), "it wrote all the same: {}", ended.out);
    Ok(())
}
