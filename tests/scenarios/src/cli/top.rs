//! `top` on a terminal, tracing by itself.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::mount::{MsFlags, mount};
use nix::pty::{Winsize, openpty};
use nix::sys::termios::tcgetattr;

use super::bench::{Bench, Door};

/// A machine that is emulated is slow.
const PATIENCE: Duration = Duration::from_secs(120);
const SIZE: Winsize = Winsize { ws_row: 50, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
/// Draws everything anew.
const REDRAW: &[u8] = b"\x0c";

/// Connections from before it and since are shown, with their programs and ends; what draws has no privileges; the terminal is
/// given back.
pub(super) fn traces(bench: &Bench<'_>) -> anyhow::Result<()> {
    mount_terminals()?;
    let path = bench.path("t.sock");
    let door = Door::open(&path)?;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(door.connect()?);
    }
    let mut terminal = Terminal::open()?;
    let before = tcgetattr(&terminal.slave)?;
    let mut command = bench.sockleak();
    command.args(["top", "--hooks", bench.hooks(), "--limit", "t.sock=10", "--every", "500ms", &path]);
    let mut child = terminal.run(&mut command)?;

    terminal.wait_for(&[&path, "3/10", "FULL IN"])?;
    for _ in 0..4 {
        held.push(door.connect()?);
    }
    terminal.wait_for(&["7/10"])?;
    expect_privileges(child.id())?;
    // Down to the programs of the socket, to the connections of one, and to the story of the oldest.
    terminal.press(b"\r")?;
    terminal.wait_for(&["OPENED", "CLOSED", "scenarios"])?;
    terminal.press(b"\r")?;
    terminal.wait_for(&["CLIENT END", "scenarios", "1 of 7"])?;
    terminal.press(b"\r")?;
    terminal.wait_for(&[
        "What happened",
        "first met: it was there before tracing started",
        "Who holds its ends",
    ])?;
    // Back to the connections, and on to what happens.
    terminal.press(b"\x1b")?;
    terminal.wait_for(&["1 of 7"])?;
    terminal.press(b"\t")?;
    terminal.press(b"\t")?;
    terminal.wait_for(&["from now on is shown here"])?;
    held.pop();
    terminal.wait_for(&["client end: close", "server end: close"])?;

    terminal.press(b"q")?;
    let status = child.wait()?;
    ensure!(status.success(), "it ended with {status}; it showed: {}", terminal.seen());
    ensure!(tcgetattr(&terminal.slave)? == before, "the terminal is not as it was");
    Ok(())
}

/// The thread that draws has no capability, and the one that traces has some.
fn expect_privileges(pid: u32) -> anyhow::Result<()> {
    let mut named = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(entry?.path().join("status"))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().to_owned()).with_context(|| name.to_owned())
        };
        named.push((field("Name:")?, u64::from_str_radix(&field("CapEff:")?, 16)?));
    }
    let of = |name: &str| named.iter().find(|(its, _)| its == name).map(|(_, capabilities)| *capabilities);
    ensure!(of("sockleak") == Some(0), "{named:?}");
    ensure!(of("tracer").is_some_and(|capabilities| capabilities != 0), "{named:?}");
    Ok(())
}

/// So that there can be terminals.
fn mount_terminals() -> anyhow::Result<()> {
    if !Path::new("/dev/pts/ptmx").exists() {
        fs::create_dir_all("/dev/pts")?;
        let none: Option<&str> = None;
        mount(Some("devpts"), "/dev/pts", Some("devpts"), MsFlags::empty(), none)
            .context("no terminals can be had")?;
    }
    Ok(())
}

/// A terminal of which the other side is read.
struct Terminal {
    slave: OwnedFd,
    keys: File,
    read: mpsc::Receiver<Vec<u8>>,
    /// What was drawn since everything was.
    drawn: Vec<u8>,
}

impl Terminal {
    fn open() -> anyhow::Result<Self> {
        let pty = openpty(Some(&SIZE), None).context("no terminal can be had")?;
        let keys = File::from(pty.master);
        let mut output = keys.try_clone()?;
        let (send, read) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut buffer) {
                if send.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { slave: pty.slave, keys, read, drawn: Vec::new() })
    }

    fn run(&self, command: &mut Command) -> anyhow::Result<std::process::Child> {
        let stdio = || self.slave.try_clone().map(Stdio::from);
        command.stdin(stdio()?).stdout(stdio()?).stderr(stdio()?);
        command.env("TERM", "xterm").env("LANG", "C.UTF-8").env_remove("LC_ALL").env_remove("LC_CTYPE");
        Ok(command.spawn()?)
    }

    fn press(&mut self, key: &[u8]) -> anyhow::Result<()> {
        self.keys.write_all(key)?;
        // A key that begins with an escape must not come together with the next.
        thread::sleep(Duration::from_millis(200));
        Ok(())
    }

    /// Waits until all of these texts are on the screen. What has not changed is not drawn again unless that is asked for.
    fn wait_for(&mut self, texts: &[&str]) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            self.drawn.clear();
            self.press(REDRAW)?;
            while let Ok(bytes) = self.read.recv_timeout(Duration::from_millis(300)) {
                self.drawn.extend(bytes);
            }
            let seen = self.seen();
            let Some(missing) = texts.iter().find(|text| !seen.contains(**text)) else { return Ok(()) };
            if begun.elapsed() > PATIENCE {
                bail!("{missing:?} is not shown: {seen}");
            }
        }
    }

    /// What was drawn, without what says how and where.
    fn seen(&self) -> String {
        let drawn = String::from_utf8_lossy(&self.drawn);
        let mut parts = drawn.split("\x1b[");
        let mut seen = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |end| end + 1);
            // Blanks are passed over.
            if part[..end].ends_with('H') {
                seen.push(' ');
            }
            seen.push_str(&part[end..]);
        }
        seen
    }
}
